"""The desk's end of the news process: starts it, listens, and starts it again when it is gone.

Nothing of reading or judging news happens in the desk's process, and this module imports none of
it: a feed that hangs, a parser that eats memory or a model that crashes takes only the child.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from core.clock import Clock, SystemClock
from core.config import Analyst, News
from core.desk.child import begin
from core.desk.ports import Sink
from core.model.event import SentimentScored
from core.model.news import NewsReport

FIRST_WAIT = 2.0
"""Seconds before a process that ended is started again; twice as long each further time."""
LONGEST_WAIT = 120.0
LONGEST_LINE = 4 * 1024 * 1024
"""Bytes. Sixty stories have about 40 thousand."""
_decode = msgspec.json.Decoder(NewsReport).decode


class Companion:
    """Keeps a news process going.

    Args:
        config: what it reads.
        analyst: who gives weighty stories a second reading.
        folder: where it keeps articles and quotas.
        clock: stamps the events.
    """

    def __init__(
        self, config: News, analyst: Analyst, folder: Path, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._analyst = analyst
        self._folder = folder
        self._clock = clock or SystemClock()
        self._scorer = ""

    async def run(self, sink: Sink) -> None:
        """Send what the process says as events, until cancelled."""
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT
        while True:
            began = loop.time()
            why = await self._follow(sink)
            if loop.time() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            # Readings stand as they are: old news is still news, and it says that nobody judges.
            sink(
                SentimentScored(
                    self._clock.now(),
                    scorer="",
                    instead_of=self._scorer,
                    problem=f"the news process {why}; it is started again in {wait:.0f} s",
                )
            )
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, 2 * wait)

    async def _follow(self, sink: Sink) -> str:
        """Run one process to its end and return how it ended."""
        try:
            child = await begin("sentiment.process", LONGEST_LINE)
        except OSError as error:
            return f"does not start ({error.strerror})"
        try:
            order = {
                "news": self._config.model_dump(mode="json"),
                "analyst": self._analyst.model_dump(mode="json"),
                "folder": str(self._folder),
            }
            await child.tell(msgspec.json.encode(order))
            async for line in child.lines():
                sink(self._event(_decode(line)))
            return await child.how()
        except (msgspec.DecodeError, ValueError):
            return "does not speak as it should"
        finally:
            await child.close()

    def _event(self, report: NewsReport) -> SentimentScored:
        self._scorer = report.scorer
        return SentimentScored(
            self._clock.now(),
            report.scorer,
            report.instead_of,
            report.problem,
            report.stories,
            report.readings,
            report.sources,
            report.trending,
        )
