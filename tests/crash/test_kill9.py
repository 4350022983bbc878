"""kill -9 at random and at named points: the next start knows everything, and sends nothing twice.

The process is real, and so are its death, its disk and its locks. What it trades on is the practice
exchange's matching in this process. ``tests/whole/test_crash.py`` does the same to the whole
program over sockets, seldom.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.core.desk.loopback import LoopVenue
from tests.crash.desk import POINTS, SETTLE, VENUES
from tests.crash.exchange import Exchange

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds for a process to come to its named point; it takes a tenth of one, unless the machine is
busy."""
WORLD = 1000
"""Kills of one home and its venues in a soak."""
AT_ONCE = 2 * (os.cpu_count() or 1)
"""Worlds at once in a soak: desks spend most of their lives waiting."""
SELDOM = ("kill", "latch", "turn", "store")
"""Words of points that are passed a few times a second, not a few hundred."""


class Zygote:
    """The process that desks are forked from."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def start(self, socket: Path) -> None:
        (self._root / "runtime").mkdir()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.desk", str(self._root / "home"), str(socket),
            cwd=ROOT,
            env=os.environ | {"XDG_RUNTIME_DIR": str(self._root / "runtime")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )  # fmt: skip

    async def live(self, name: str, passes: int, seed: int, seconds: float) -> dict[str, Any]:
        """Let a desk live and die; return what it printed, and whether its point killed it.

        Args:
            seconds: after which it is killed wherever it is.
        """
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([name, passes, seed, seconds]).encode() + b"\n")
        told: dict[str, Any] = {}
        while "status" not in told:
            told |= json.loads(await process.stdout.readline())
        return told

    async def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()


@pytest.mark.timeout(600)
def test_two_hundred_kills() -> None:
    asyncio.run(kill_often(kills=200, seed=11))


@pytest.mark.soak
def test_many_kills(capsys: pytest.CaptureFixture[str]) -> None:
    """KILLS of them; ``make soak`` says 20,000. The books are compared after every thousand."""
    kills = int(os.environ.get("KILLS", "20000"))
    first = time.time_ns() % 2**32
    todo = iter(range(0, kills, WORLD))
    done = 0

    async def worker() -> None:
        nonlocal done
        for begin in todo:
            count = min(WORLD, kills - begin)
            await kill_often(kills=count, seed=first + begin)
            done += count
            with capsys.disabled():
                told = f"{done:,} of {kills:,} kills, books equal, seed {first + begin}"
                print(f"\n{told}", end="", flush=True)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())

    asyncio.run(run())
    assert done == kills


def make_root() -> Path:
    """Return a folder, in memory where there is one: kill -9 leaves the same, faster."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="killcord-", dir=memory if memory.is_dir() else None))


async def kill_often(*, kills: int, seed: int) -> None:
    venues = {name: LoopVenue(name) for name in VENUES}
    root = make_root()
    socket = root / "x"
    exchange = Exchange(socket, venues)
    await exchange.start()
    zygote = Zygote(root)
    await zygote.start(socket)
    chance = random.Random(seed)
    died: Counter[str] = Counter()
    try:
        for number in range(kills):
            # Two in three at a named point, in turn; the others wherever they are.
            name = POINTS[number // 3 % len(POINTS)] if number % 3 else ""
            seconds = PATIENCE if name else chance.uniform(0.02, 0.4)
            passes = chance.randint(0, 1 if any(word in name for word in SELDOM) else 4)
            told = await zygote.live(name, passes, seed + number, seconds)
            assert told["status"] == -signal.SIGKILL, f"seed {seed}, {number}: {told}"
            died[name if told["by itself"] else "anywhere"] += 1
        exchange.halt()
        books = await zygote.live(SETTLE, 0, 0, 90)
        assert books["status"] == 0, f"seed {seed}: {books}"
    finally:
        await zygote.end()
        await exchange.close()
        shutil.rmtree(root, ignore_errors=True)
    compare(books, venues, f"seed {seed}")
    orders = sum(venue.core.counts()["orders"] for venue in venues.values())
    assert orders > kills, f"{orders} orders: the desk hardly traded; the test proves little"
    unreached = set(POINTS) - set(died)
    assert not unreached, f"seed {seed}: nobody died {unreached}; {died}"


def compare(books: dict[str, Any], venues: dict[str, LoopVenue], seed: str) -> None:
    for name, venue in venues.items():
        mine, theirs = books[name], venue.core.books()
        assert theirs["duplicates"] == [], f"{seed}: {name}"
        assert mine["positions"] == theirs["positions"], f"{seed}: {name}"
        theirs_open = sorted(order["client_id"] for order in theirs["open"])
        assert mine["open"] == theirs_open, f"{seed}: {name}"
        fills = venue.core.fills(venue.account, limit=1_000_000)
        assert mine["fills"] == sorted(fill.trade_id for fill in fills), f"{seed}: {name}"
        held = venue.core.positions(venue.account)
        cash = Decimal(theirs["balance"]) - sum(p.qty * p.entry for p in held)
        assert abs(Decimal(mine["cash"]) - cash) < Decimal("0.01"), f"{seed}: {name}"
