"""The reader: asks every source, and turns what they say into stories and readings per asset."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from core.clock import HOUR, SECOND, Clock
from core.config import News
from core.desk.lock import Lock
from core.home import make_folder
from core.model.news import (
    HALF_LIFE,
    NewsOpinion,
    NewsPart,
    NewsReading,
    NewsReport,
    NewsStory,
)
from core.secrets import Secret
from sentiment.aggregate import Aggregator, Contribution
from sentiment.analyst import Analyst
from sentiment.archive import Archive, Kept
from sentiment.articles import Article, Rejection, Rules, admit
from sentiment.asking import Asking
from sentiment.entities import Assets, Link
from sentiment.scorer import Engine, Score, WithFallback, open_engine
from sentiment.sources.fetch import Fetcher, Poll
from sentiment.sources.memory import Memory
from sentiment.sources.registry import configured_sources
from sentiment.sources.source import Source
from sentiment.stories import Stories

STORIES = 60
"""The newest of them are kept for the screen."""
PATIENCE = 1.0
"""Seconds that news wait for slower sources, to be told together."""
PARTS = 4
"""Stories told behind a reading: the weightiest."""
CHANGE = HOUR
"""Over which the change of a reading is told."""


class Reader:
    """Reads the news. Takes up what the folder remembers; ``close`` it at the end.

    Args:
        config: which sources, how long articles count, who judges.
        folder: keeps quotas, validators and articles.
        keys: of the services, by name.
        clock: wall time.
        sources: whom to ask; None: those of the configuration.
        analyst: gives a second reading of weighty stories; closed with the reader.

    Raises:
        ModelUnavailable: not even the offline engine loads.
    """

    def __init__(
        self,
        config: News,
        folder: Path,
        keys: Mapping[str, Secret],
        clock: Clock,
        sources: Sequence[Source] | None = None,
        analyst: Analyst | None = None,
    ) -> None:
        self._wanted = config.engine
        self._clock = clock
        self._rules = Rules(keep=int(config.retention * SECOND))
        self._archive = Archive(folder / "articles.jsonl")
        self._assets = Assets.load(config.assets)
        self._stories = Stories(self._rules.keep)
        self._aggregator = Aggregator(config.weights, self._rules.keep)
        self._engine: Engine = open_engine(config.engine, token=keys.get("HUGGINGFACE_API_KEY"))
        fetcher = Fetcher(Memory(folder / "sources.json"), keys, clock)
        if sources is None:
            sources = configured_sources(config)
        self._asking = Asking(sources, fetcher, clock)
        self._analyst = analyst
        self._thinking: asyncio.Task[None] | None = None
        self._seen: dict[str, int] = {}
        """Article to when it was published."""
        self._shown: dict[str, NewsStory] = {}
        """Oldest first."""
        self._instead_of = ""
        remembered = self._archive.load(clock.now() - self._rules.keep)
        for entry in remembered:
            self._file(entry)
        if remembered:
            self._archive.replace(remembered)

    async def poll(self, patience: float | None = None) -> bool:
        """Ask every source that is due; return whether an article came that was not known.

        Args:
            patience: seconds to wait for answers; what comes later is had from ``late``. None:
                until all have answered.
        """
        return await self._take(await self._asking.ask(patience))

    async def late(self, seconds: float) -> bool:
        """Wait for answers that are still to come, or for as long as said; return as ``poll``."""
        polls = await self._asking.late(seconds)
        return bool(polls) and await self._take(polls)

    async def settle(self) -> None:
        """Wait until the analyst has read what it is reading."""
        if self._thinking is not None:
            await self._thinking

    async def _take(self, polls: Sequence[Poll]) -> bool:
        """Take in the answers that have come."""
        now = self._clock.now()
        fresh = [article for poll in polls for article in self._admit(poll, now)]
        # In a thread: a transformer that loads would hold the other sources up.
        scores = await asyncio.to_thread(self._engine.score, [article.title for article in fresh])
        self._instead_of = self._stand_in(scores)
        entries = [
            Kept(article, self._link(article), score)
            for article, score in zip(fresh, scores, strict=True)
        ]
        for entry in entries:
            self._file(entry)
        self._archive.add(entries)
        self._forget(now)
        self._consult()
        return bool(entries)

    def report(self) -> NewsReport:
        """Return what is known now."""
        now = self._clock.now()
        readings = []
        for asset in self._aggregator.assets():
            reading = self._read(asset, now)
            if reading.evidence:
                readings.append(reading)
        engine, analyst = self._engine, self._analyst
        problem = engine.problem if isinstance(engine, WithFallback) else ""
        return NewsReport(
            stories=tuple(self._with_opinion(story) for story in reversed(self._shown.values())),
            readings=tuple(readings),
            sources=(*self._asking.states(), *([analyst.status()] if analyst else ())),
            scorer=_label(engine.name, engine.hash),
            instead_of=self._instead_of,
            problem=problem,
            trending=self._asking.trending,
        )

    def _read(self, asset: str, now: int) -> NewsReading:
        found = self._aggregator.read(asset, now, HALF_LIFE)
        before = self._aggregator.read(asset, now - CHANGE, HALF_LIFE)
        parts = self._aggregator.explain(asset, now, HALF_LIFE)[:PARTS]
        return NewsReading(
            asset,
            found.score,
            found.evidence,
            found.dispersion,
            found.count,
            found.newest,
            found.score - before.score,
            tuple(self._part(it) for it in parts),
        )

    def _part(self, found: Contribution) -> NewsPart:
        return NewsPart(
            found.story,
            found.title,
            found.outlet,
            found.outlets,
            found.value,
            found.share,
            found.scorer,
            self._opinion(self._shown.get(found.story)),
        )

    async def close(self) -> None:
        """Close connections and engine."""
        if self._thinking is not None:
            self._thinking.cancel()
            await asyncio.gather(self._thinking, return_exceptions=True)
        if self._analyst is not None:
            await self._analyst.close()
        await self._asking.close()
        self._engine.close()

    def _consult(self) -> None:
        """Let the analyst read the next story, beside everything else."""
        if self._analyst is None or (self._thinking is not None and not self._thinking.done()):
            return
        story = self._analyst.choose(self._shown.values())
        if story is not None:
            self._thinking = asyncio.create_task(self._analyst.read(story))

    def _opinion(self, story: NewsStory | None) -> NewsOpinion | None:
        if self._analyst is None or story is None:
            return None
        return self._analyst.opinion(story)

    def _with_opinion(self, story: NewsStory) -> NewsStory:
        opinion = self._opinion(story)
        return story if opinion is None else msgspec.structs.replace(story, opinion=opinion)

    # --- from items to stories ------------------------------------------------------------------

    def _admit(self, poll: Poll, now: int) -> list[Article]:
        """Return the new articles of a poll, and note how the source is."""
        taken: list[Article] = []
        rejected: list[Rejection] = []
        for item in poll.items:
            article = admit(item, now, self._rules)
            if not isinstance(article, Article):
                rejected.append(article)
            elif article.id not in self._seen:
                self._seen[article.id] = article.published
                taken.append(article)
        self._asking.count(poll, len(taken), rejected)
        return taken

    def _link(self, article: Article) -> tuple[Link, ...]:
        return self._assets.link(article.title, article.summary, article.assets)

    def _file(self, entry: Kept) -> None:
        """Let an article count, and show its story."""
        article, links, score = entry.article, entry.links, entry.score
        self._seen[article.id] = article.published
        verdict = self._stories.add(article, [link.asset for link in links])
        first = verdict.story.first
        copy = 0 if verdict.repeat else verdict.copy
        self._aggregator.add(article, links, score, copy, first.id)
        shown = self._shown.get(first.id)
        if verdict.repeat or (shown is None and first.id != article.id):
            return
        outlets = len(verdict.story.outlets)
        if shown is not None:
            names = (*shown.names, article.outlet)
            self._shown[first.id] = msgspec.structs.replace(shown, outlets=outlets, names=names)
            return
        self._shown[first.id] = NewsStory(
            id=first.id,
            title=first.title,
            outlet=first.outlet,
            outlets=outlets,
            url=first.url,
            published=first.published,
            seen=first.first_seen,
            assets=tuple(link.asset for link in links),
            score=score.value if score else None,
            confidence=score.confidence if score else 0.0,
            scorer=_label(score.engine, score.hash) if score else "",
            instead_of=score.instead_of if score else "",
            probabilities=score.probabilities if score else None,
            names=(first.outlet,),
        )
        while len(self._shown) > STORIES:
            del self._shown[next(iter(self._shown))]

    def _stand_in(self, scores: Sequence[Score | None]) -> str:
        found = next((score for score in scores if score is not None), None)
        if found is not None:
            return found.instead_of
        if isinstance(self._engine, WithFallback) and self._engine.problem:
            return self._wanted
        return ""

    def _forget(self, now: int) -> None:
        self._stories.expire(now)
        oldest = now - self._rules.keep
        self._seen = {key: at for key, at in self._seen.items() if at >= oldest}


def _label(engine: str, digest: str) -> str:
    return f"{engine} {digest}".strip()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other readers away from a folder: quotas and articles have one writer.

    Raises:
        AlreadyRunning: another process reads the news into this folder.
        StateError: the folder cannot be written.
    """
    make_folder(folder)
    lock = Lock(folder / "reader.lock", f"the news of {folder}")
    try:
        yield
    finally:
        lock.release()
