"""The news guard: a burst of strongly negative news on an asset blocks new longs on it.

News on the market as a whole is an entity of its own, with a burst of its own: it blocks new longs
on everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.clock import SECOND
from core.config import Limits
from core.model.news import MARKET, NewsStory


class NewsGuard:
    """Counts strongly negative stories per asset, each once however many outlets carry it.

    A story counts for ``news_window`` from the moment we knew of it, so a block ends by itself.
    """

    def __init__(self, limits: Limits) -> None:
        self._enough = limits.news_burst
        self._enough_market = limits.news_market_burst
        self._bar = -float(limits.news_score)
        self._window = int(limits.news_window * SECOND)
        self._heard: dict[str, dict[str, int]] = {}
        """Asset to story to when it was seen."""

    def hear(self, stories: Iterable[NewsStory]) -> None:
        """Take stories in; one that comes again replaces what it was."""
        for story in stories:
            for asset in story.assets:
                known = self._heard.setdefault(asset, {})
                if story.score is not None and story.score <= self._bar:
                    known[story.id] = story.seen
                else:
                    known.pop(story.id, None)

    def left(self, asset: str, now: int) -> float:
        """Return for how many seconds new longs on an asset are blocked; 0 when they are not.

        Args:
            asset: as news name it, ``MARKET`` for what blocks all of them.
            now: nanoseconds UTC.
        """
        if asset not in self._heard:
            return 0.0
        enough = self._enough_market if asset == MARKET else self._enough
        times = self._times(asset, now)
        if not enough or len(times) < enough:
            return 0.0
        # The block lasts until so many have grown old that the rest is no burst.
        return (times[-enough] + self._window - now) / SECOND

    def count(self, asset: str, now: int) -> int:
        """Return how many strongly negative stories on an asset count now."""
        return len(self._times(asset, now))

    def blocked(self, now: int) -> tuple[tuple[str, float], ...]:
        """Return what is blocked now and for how many seconds."""
        found = ((asset, self.left(asset, now)) for asset in tuple(self._heard))
        return tuple(each for each in found if each[1])

    def worst(self, now: int) -> tuple[int, str]:
        """Return the most strongly negative stories of an asset, and which asset that is."""
        counts = [(self.count(asset, now), asset) for asset in tuple(self._heard)]
        return max((each for each in counts if each[1] != MARKET), default=(0, ""))

    def _times(self, asset: str, now: int) -> list[int]:
        known = self._heard.get(asset)
        if not known:
            return []
        recent = {key: seen for key, seen in known.items() if seen + self._window > now}
        self._heard[asset] = recent
        return sorted(recent.values())
