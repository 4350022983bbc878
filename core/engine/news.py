"""The news as the engine knows it: what came in as events, nothing else."""

from __future__ import annotations

from core.engine.world import World
from core.model.event import SentimentScored
from core.model.news import MARKET, NewsReading, NewsSource, NewsStory
from core.model.snapshot import NewsView
from core.risk.codes import Code

STORIES = 60
"""The newest of them are kept."""


class NewsRoom:
    """Keeps readings and stories, and says when someone else judges than before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stories: dict[str, NewsStory] = {}
        self._readings: dict[str, NewsReading] = {}
        self._sources: tuple[NewsSource, ...] = ()
        self._trending: tuple[str, ...] = ()
        self._last: SentimentScored | None = None

    def scored(self, event: SentimentScored) -> None:
        """Take in what the news process says."""
        self._guard(event)
        for story in event.stories:
            self._stories[story.id] = story
        if len(self._stories) > STORIES:
            newest = sorted(self._stories.values(), key=lambda story: (story.seen, story.id))
            self._stories = {story.id: story for story in newest[-STORIES:]}
        if event.readings is not None:
            self._readings = {reading.asset: reading for reading in event.readings}
            self._world.readings = event
        if event.sources is not None:
            self._sources = event.sources
        if event.trending is not None:
            self._trending = event.trending
        before, self._last = self._last, event
        said = _who(event)
        if before is None or _who(before) != said:
            self._world.notify("warning" if event.problem else "info", f"news: {said}")

    def _guard(self, event: SentimentScored) -> None:
        """Let the risk gate know, and say which assets it now blocks."""
        world = self._world
        assets = dict.fromkeys(asset for story in event.stories for asset in story.assets)
        before = {asset: world.guard.left(asset, world.now) for asset in assets}
        world.guard.hear(event.stories)
        for asset in assets:
            left = world.guard.left(asset, world.now)
            if left and not before[asset]:
                limits, wide = world.limits, asset == MARKET
                code = Code.BAD_MARKET_NEWS if wide else Code.BAD_NEWS
                burst = limits.news_market_burst if wide else limits.news_burst
                where = "no new longs at all" if wide else "no new longs"
                text = f"{asset}: strongly negative news; {where} for {left:.0f} s"
                world.report(code, "", "", text, str(burst), f"{left:.0f} s left")

    def view(self) -> NewsView | None:
        """Return the picture; None before the first word."""
        last = self._last
        if last is None:
            return None
        stories = sorted(self._stories.values(), key=lambda s: (-s.seen, -s.published, s.id))
        return NewsView(
            tuple(stories),
            tuple(self._readings.values()),
            self._sources,
            last.scorer,
            last.instead_of,
            last.problem,
            last.received,
            self._trending,
            self._world.guard.blocked(self._world.now),
        )


def _who(event: SentimentScored) -> str:
    text = f"judged by {event.scorer}" if event.scorer else "nobody judges"
    if event.instead_of:
        text += f" instead of {event.instead_of}"
    return f"{text}: {event.problem}" if event.problem else text
