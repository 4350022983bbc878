"""The news process under the desk's eye: told through a pipe, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from core.config import Analyst, News
from core.model.event import Event, SentimentScored
from sentiment.companion import Companion
from sentiment.reader import hold
from tests.sentiment.rss import RssServer

HACK = "Exchange halts Solana withdrawals after $90M hack"


class Desk:
    """Stands where the desk stands: takes events on its loop."""

    def __init__(self, companion: Companion) -> None:
        self.events: list[SentimentScored] = []
        self._came = asyncio.Event()
        self._task = asyncio.create_task(companion.run(self._take))

    def _take(self, event: Event) -> None:
        assert isinstance(event, SentimentScored)
        self.events.append(event)
        self._came.set()

    async def wait(self, wanted: Callable[[SentimentScored], object]) -> SentimentScored:
        """Return the first event, past ones included, that is as wanted."""
        seen = 0
        async with asyncio.timeout(30):
            while True:
                for event in self.events[seen:]:
                    seen += 1
                    if wanted(event):
                        return event
                self._came.clear()
                await self._came.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def readers(folder: Path) -> list[int]:
    """Return the processes that hold the folder."""
    text = (folder / "reader.lock").read_text().strip()
    return [int(text)] if text else []


async def test_news_come_as_events_and_a_killed_process_comes_back(
    feed: RssServer, tmp_path: Path
) -> None:
    config = News(feeds={"local": feed.url}, sources=(), poll=1.0)
    desk = Desk(Companion(config, Analyst(), tmp_path))
    await desk.wait(lambda event: event.sources)
    feed.publish(HACK)
    told = await desk.wait(lambda event: event.stories)
    assert told.stories[0].title == HACK
    assert told.readings
    assert told.readings[0].score < -0.5

    (pid,) = readers(tmp_path)
    assert "sentiment.process" in command_of(pid)
    os.kill(pid, signal.SIGKILL)
    lost = await desk.wait(lambda event: event.problem)
    assert (lost.scorer, lost.instead_of) == ("", told.scorer)
    assert "was ended by signal 9" in lost.problem
    assert lost.readings is None  # as before

    at = desk.events.index(lost)
    back = await desk.wait(lambda event: event.scorer and desk.events.index(event) > at)
    assert back.stories == told.stories  # what was read is remembered
    await desk.close()
    with hold(tmp_path):  # nobody is left
        pass


def command_of(pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True
    ).stdout


async def test_a_process_that_cannot_read_says_why(tmp_path: Path) -> None:
    with hold(tmp_path):
        desk = Desk(Companion(News(feeds={"x": "http://127.0.0.1:9/"}), Analyst(), tmp_path))
        lost = await desk.wait(lambda event: event.problem)
        assert "holds the news of" in lost.problem
        await desk.close()
