"""The news as the engine knows it: what came in as events, nothing else."""

from __future__ import annotations

from msgspec import structs

from core.clock import HOUR
from core.engine.world import World
from core.model.event import SentimentScored
from core.model.instrument import short_symbol
from core.model.news import MARKET, NewsPart, NewsReading, NewsSource, NewsStory, news_asset
from core.model.snapshot import NewsView
from core.risk.codes import Code

STORIES = 60
"""The newest of them are kept."""


class NewsRoom:
    """Keeps readings and stories, and says when someone else judges than before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stories: dict[str, NewsStory] = {}
        self._readings: tuple[NewsReading, ...] = ()
        self._sources: tuple[NewsSource, ...] = ()
        self._trending: tuple[str, ...] = ()
        self._last: SentimentScored | None = None
        self._traded = {MARKET, *(news_asset(short_symbol(name)) for name in world.symbols)}

    def scored(self, event: SentimentScored) -> None:
        """Take in what the news process says."""
        self._guard(event)
        for story in event.stories:
            if story.id not in self._stories:
                self._tell(story)
            self._stories[story.id] = story
        if len(self._stories) > STORIES:
            newest = sorted(self._stories.values(), key=lambda story: (story.seen, story.id))
            self._stories = {story.id: story for story in newest[-STORIES:]}
        if event.readings is not None:
            self._readings = tuple(_slim(reading) for reading in event.readings)
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

    def _tell(self, story: NewsStory) -> None:
        """Put a story into the log that is fresh, clear, and about what is traded."""
        world, score = self._world, story.score
        if score is None or abs(score) < world.limits.news_score:
            return
        if story.published < world.now - HOUR or self._traded.isdisjoint(story.assets):
            return
        names = " ".join(story.assets)
        world.notify("info", f"news: {names} {score:+.2f}: {story.title} ({story.outlet})")

    def view(self) -> NewsView | None:
        """Return the picture; None before the first word."""
        last = self._last
        if last is None:
            return None
        stories = sorted(self._stories.values(), key=lambda s: (-s.seen, -s.published, s.id))
        return NewsView(
            tuple(stories),
            self._readings,
            self._sources,
            last.scorer,
            last.instead_of,
            last.problem,
            last.received,
            self._trending,
            self._world.guard.blocked(self._world.now),
        )


def _slim(reading: NewsReading) -> NewsReading:
    """Return a reading as pictures carry it: ten times a second, so without words of the stories.

    Those stand in ``stories`` of the picture, and for a decision in its ``Why``.
    """
    parts = (NewsPart(p.story, "", "", p.outlets, p.value, p.share) for p in reading.parts)
    return structs.replace(reading, parts=tuple(parts))


def _who(event: SentimentScored) -> str:
    text = f"judged by {event.scorer}" if event.scorer else "nobody judges"
    if event.instead_of:
        text += f" instead of {event.instead_of}"
    return f"{text}: {event.problem}" if event.problem else text
