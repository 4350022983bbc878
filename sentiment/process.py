"""The news process: ``python -m sentiment.process``, a child of the desk.

It is told what to read in one JSON line on its input, and writes one JSON line whenever it knows
something new: a ``NewsReport``, whose stories are those that are new or changed. It ends when its
input ends, so it never outlives its desk. What it cannot do it says on its standard error.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from core.clock import SystemClock
from core.config import Analyst, News
from core.errors import KillcordError
from core.home import Home
from core.keys import news_keys
from core.model.news import NewsReport, NewsStory
from core.secrets import Secret
from core.vault import VaultUnavailable
from sentiment.analyst import open_analyst
from sentiment.reader import PATIENCE, Reader, hold

REPEAT = 30.0
"""Seconds after which readings are told again though nothing came: evidence fades."""


def main() -> int:
    """Read until the input ends; return 1 when reading is not possible."""
    os.nice(10)  # the desk comes first
    order = msgspec.json.decode(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_desk, daemon=True).start()
    try:
        news = News.model_validate(order["news"])
        analyst = Analyst.model_validate(order["analyst"])
        asyncio.run(_read(news, analyst, Path(order["folder"])))
    except KillcordError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _end_with_desk() -> None:
    # Not through sys.stdin: a thread waiting in there keeps the interpreter from ending cleanly.
    while os.read(0, 4096):
        pass
    # Nothing needs closing: articles are appended whole, quotas replaced whole.
    os._exit(0)


async def _read(config: News, analyst: Analyst, folder: Path) -> None:
    with hold(folder):
        keys, trouble = _keys()
        clock = SystemClock()
        second = open_analyst(analyst, folder, keys, clock)
        reader = Reader(config, folder, keys, clock, analyst=second)
        teller = _Teller()
        teller.tell(reader.report(), trouble)
        loop = asyncio.get_running_loop()
        while True:
            again = loop.time() + config.poll
            await reader.poll(PATIENCE)
            teller.tell(reader.report(), trouble)
            while (left := again - loop.time()) > 0:
                await reader.late(left)
                teller.tell(reader.report(), trouble)


def _keys() -> tuple[dict[str, Secret], str]:
    try:
        return news_keys(Home.find(), os.environ), ""
    except VaultUnavailable as error:
        return {}, str(error)


class _Teller:
    """Writes reports, each story once until it changes."""

    def __init__(self) -> None:
        self._told: dict[str, NewsStory] = {}
        self._last: tuple[object, ...] = ()
        self._at = 0.0

    def tell(self, report: NewsReport, trouble: str) -> None:
        fresh = [story for story in report.stories if self._told.get(story.id) != story]
        state = (
            report.sources,
            report.trending,
            report.scorer,
            report.instead_of,
            report.problem,
        )
        now = time.monotonic()
        if not fresh and state == self._last and now - self._at < REPEAT:
            return
        self._told = {story.id: story for story in report.stories}
        self._last, self._at = state, now
        problem = report.problem or trouble
        line = msgspec.structs.replace(report, stories=tuple(fresh), problem=problem)
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
