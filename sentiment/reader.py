"""The reader: asks every source, and turns what they say into stories and readings per asset."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from core.clock import SECOND, Clock
from core.config import News
from core.desk.lock import Lock
from core.errors import StateError
from core.model.news import NewsReading, NewsReport, NewsSource, NewsStory
from core.secrets import Secret
from sentiment.aggregate import HALF_LIVES, Aggregator
from sentiment.archive import Archive, Kept
from sentiment.articles import Article, Rules, admit
from sentiment.entities import Assets, Link
from sentiment.scorer import Engine, Score, WithFallback, open_engine
from sentiment.sources.fetch import Fetcher, Poll
from sentiment.sources.memory import Memory
from sentiment.sources.registry import configured_sources
from sentiment.stories import Stories

HALF_LIFE = HALF_LIVES[1]
"""Nanoseconds; of the readings that are shown."""
STORIES = 60
"""The newest of them are kept for the screen."""


class Reader:
    """Reads the news. Takes up what the folder remembers; ``close`` it at the end.

    Args:
        config: which sources, how long articles count, who judges.
        folder: keeps quotas, validators and articles.
        keys: of the services, by name.
        clock: wall time.

    Raises:
        ModelUnavailable: not even the offline engine loads.
    """

    def __init__(
        self, config: News, folder: Path, keys: Mapping[str, Secret], clock: Clock
    ) -> None:
        self._wanted = config.engine
        self._clock = clock
        self._rules = Rules(keep=int(config.retention * SECOND))
        self._archive = Archive(folder / "articles.jsonl")
        self._assets = Assets.load()
        self._stories = Stories(self._rules.keep)
        self._aggregator = Aggregator(keep=self._rules.keep)
        self._engine: Engine = open_engine(config.engine)
        self._sources = configured_sources(config)
        self._fetcher = Fetcher(Memory(folder / "sources.json"), keys, clock)
        self._states: dict[str, NewsSource] = {}
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

    async def poll(self) -> bool:
        """Ask every source once; return whether an article came that was not known."""
        polls = await asyncio.gather(*(self._fetcher.poll(source) for source in self._sources))
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
        return bool(entries)

    def report(self) -> NewsReport:
        """Return what is known now."""
        now = self._clock.now()
        readings = []
        for asset in self._aggregator.assets():
            found = self._aggregator.read(asset, now, HALF_LIFE)
            if found.evidence:
                readings.append(
                    NewsReading(
                        asset,
                        found.score,
                        found.evidence,
                        found.dispersion,
                        found.count,
                        found.newest,
                    )
                )
        engine = self._engine
        problem = engine.problem if isinstance(engine, WithFallback) else ""
        return NewsReport(
            stories=tuple(reversed(self._shown.values())),
            readings=tuple(readings),
            sources=tuple(self._states.values()),
            scorer=_label(engine.name, engine.hash),
            instead_of=self._instead_of,
            problem=problem,
        )

    async def close(self) -> None:
        """Close connections and engine."""
        await self._fetcher.close()
        self._engine.close()

    # --- from items to stories ------------------------------------------------------------------

    def _admit(self, poll: Poll, now: int) -> list[Article]:
        """Return the new articles of a poll, and note how the source is."""
        taken: list[Article] = []
        refused = poll.skipped
        for item in poll.items:
            article = admit(item, now, self._rules)
            if not isinstance(article, Article):
                refused += 1
            elif article.id not in self._seen:
                self._seen[article.id] = article.published
                taken.append(article)
        before = self._states.get(poll.source)
        total = len(taken) + (before.articles if before else 0)
        self._states[poll.source] = NewsSource(
            poll.source, poll.state.value, poll.detail, total, refused
        )
        return taken

    def _link(self, article: Article) -> tuple[Link, ...]:
        return self._assets.link(article.title, article.summary, article.assets)

    def _file(self, entry: Kept) -> None:
        """Let an article count, and show its story."""
        article, links, score = entry.article, entry.links, entry.score
        self._seen[article.id] = article.published
        verdict = self._stories.add(article, [link.asset for link in links])
        self._aggregator.add(article, links, score, 0 if verdict.repeat else verdict.copy)
        first = verdict.story.first
        shown = self._shown.get(first.id)
        if verdict.repeat or (shown is None and first.id != article.id):
            return
        outlets = len(verdict.story.outlets)
        if shown is not None:
            self._shown[first.id] = msgspec.structs.replace(shown, outlets=outlets)
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
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{folder}: cannot be created ({error.strerror})") from error
    lock = Lock(folder / "reader.lock", f"the news of {folder}")
    try:
        yield
    finally:
        lock.release()
