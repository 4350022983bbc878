"""Asking all sources: each at its own pace, none waiting for another, and how each of them is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from core.clock import Clock
from core.model.news import NewsSource
from sentiment.articles import Rejection, clean_text
from sentiment.sources.fetch import Fetcher, Poll, State
from sentiment.sources.source import Problem, Source, pace

TRENDS = 15
"""Most assets kept of those that people search for."""
_SILENT = "asked, no answer yet"


class Asking:
    """Asks sources in the background and counts what comes of it; ``close`` it at the end.

    Args:
        sources: whom to ask, in the order they are shown.
        fetcher: asks one of them; closed with this.
        clock: for the pace.
    """

    def __init__(self, sources: Sequence[Source], fetcher: Fetcher, clock: Clock) -> None:
        self._sources = sources
        self._fetcher = fetcher
        self._clock = clock
        self._states: dict[str, NewsSource] = {}
        self._due: dict[str, int] = {}
        """Source to when it is asked next, so that a day's requests last the day."""
        self._tasks: dict[str, asyncio.Task[Poll]] = {}
        """Sources that have not answered yet."""
        self.trending: tuple[str, ...] = ()
        """The assets most searched for, most first."""

    async def ask(self, patience: float | None) -> list[Poll]:
        """Ask every source that is due; return the answers that come within ``patience`` seconds.

        None waits for all. The rest is had from ``late``.
        """
        now = self._clock.now()
        for source in self._sources:
            if self._due.get(source.name, 0) <= now and source.name not in self._tasks:
                self._due[source.name] = now + pace(source.limits)
                self._tasks[source.name] = asyncio.create_task(self._poll(source))
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=patience)
        return self._take()

    async def late(self, seconds: float) -> list[Poll]:
        """Return the next answers that are still to come; none after ``seconds``."""
        if not self._tasks:
            await asyncio.sleep(seconds)
            return []
        await asyncio.wait(
            self._tasks.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        return self._take()

    def count(self, poll: Poll, taken: int, rejected: Sequence[Rejection]) -> None:
        """Note how a source is after an answer.

        Args:
            poll: the answer.
            taken: articles of it that were new.
            rejected: why others of its entries were none.
        """
        if poll.trends:
            names = (clean_text(trend.symbol, 12) for trend in poll.trends[:TRENDS])
            self.trending = tuple(name for name in names if name)
        refused = Counter(why.value for why in rejected)
        if poll.skipped:
            refused["not as documented"] = poll.skipped
        before = self._states.get(poll.source)
        failed = Counter(before.failed if before else ())
        if poll.problem is not None:
            failed[poll.problem.value] += 1
        answered = poll.state is State.OK or bool(poll.items)
        self._states[poll.source] = NewsSource(
            poll.source,
            poll.state.value,
            poll.detail,
            taken + (before.articles if before else 0),
            # "Unchanged" and a failure say nothing of the entries that came before.
            dict(refused) if answered or before is None else before.refused,
            dict(failed),
        )

    def states(self) -> list[NewsSource]:
        """Return how each source is."""
        known = {
            name: NewsSource(name, State.WAITING.value, _SILENT, 0) for name in self._tasks
        } | self._states
        return [known[source.name] for source in self._sources if source.name in known]

    async def close(self) -> None:
        """Drop what is still to come, and close the connections."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._fetcher.close()

    async def _poll(self, source: Source) -> Poll:
        try:
            return await self._fetcher.poll(source)
        except Exception as error:  # of a parser: what one source sends must not silence the others
            detail = f"{Problem.BROKEN.value}: {type(error).__name__}"
            return Poll(source.name, State.FAILED, detail, problem=Problem.BROKEN)

    def _take(self) -> list[Poll]:
        done = [name for name, task in self._tasks.items() if task.done()]
        return [self._tasks.pop(name).result() for name in done]
