"""A desk's process, made by forking one that has everything imported: a start takes milliseconds.

``python -m tests.crash.desk HOME SOCKET`` reads one line for each desk: the point at which it is to
kill itself ("" for none, "settle" to agree with the venues and end), how often it passes there
first, a seed, and the seconds after which it is killed wherever it is. It answers how it ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp.web  # noqa: F401 - imported once, before the forks

from core.clock import SECOND
from core.config import Config
from core.desk.desk import Desk, MarketFacts
from core.home import Home
from core.journal import store, tables, wal  # noqa: F401 - imported once, before the forks
from core.model.event import (
    Arm,
    Cancel,
    Close,
    Kill,
    KillMode,
    Resume,
    Submit,
    TradingState,
    VenueState,
)
from core.model.market import Side
from core.model.order import Fill, OrderKind, OrderStatus
from tests.core.desk.loopback import BTC
from tests.crash.exchange import FarGateway, FarKillGateway, Line

VENUES = ("bybit", "binance", "okx")
POINTS = (
    "before the intent's fsync",
    "after the intent's fsync",
    "before the send",
    "after the send",
    "after the acknowledgement",
    "between fill and journal",
    "in the latch's write",
    "after the latch's write",
    "after a kill's cancel",
    "after a kill's reducing order",
    "in the store's write",
    "in the turn to a new journal, before it has its name",
    "in the turn to a new journal, after it",
)
"""Where a process kills itself."""
SETTLE = "settle"


class Points:
    """Counts the passes of one point, and ends the process there, as kill -9 does."""

    def __init__(self, name: str, passes: int) -> None:
        self._name = name
        self._passes = passes

    def __call__(self, name: str) -> None:
        if name == self._name:
            self._passes -= 1
            if self._passes < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def instrument(point: Points) -> None:
    """Set the points that lie inside the desk; the process is forked and ends by them."""
    sync, replace, write = wal._sync, Path.replace, wal.Journal._write

    def journal(self: wal.Journal, records: list[Any], sync: bool) -> None:
        if any(isinstance(record, Fill) for record in records):
            point("between fill and journal")
        write(self, records, sync)

    def synced(descriptor: int) -> None:
        point("before the intent's fsync")
        sync(descriptor)
        point("after the intent's fsync")

    def renamed(self: Path, target: Any) -> Any:
        name = Path(target).name
        turn = name.startswith("journal-")
        if turn:
            point("in the turn to a new journal, before it has its name")
        elif name == "HALTED":
            point("in the latch's write")
        result = replace(self, target)
        if turn:
            point("in the turn to a new journal, after it")
        elif name == "HALTED":
            point("after the latch's write")
        return result

    insert = store.Store._insert

    async def inserted(self: store.Store, rows: Any) -> None:
        point("in the store's write")
        await insert(self, rows)

    for target, name, value in (
        (wal, "_sync", synced),
        (wal.Journal, "_write", journal),
        (Path, "replace", renamed),
        (store.Store, "_insert", inserted),
    ):
        patch.object(target, name, value).start()


def hasten() -> None:
    """Shorten what waits for networks: the exchange answers within a millisecond."""
    for name, value in {
        "core.engine.tracking.WINDOW": SECOND // 50,
        "core.engine.tracking._QUERY_FIRST": SECOND // 20,
        "core.engine.world._SWEEP_GAP": SECOND // 50,
        "core.desk.bulkhead.SWEEP_GAP": 0.02,
        "core.desk.keeping.TURN_AFTER": 10,
    }.items():
        patch(name, value).start()


def config() -> Config:
    return Config.model_validate(
        {
            "environment": "practice",
            "symbols": ["BTC"],
            # Nothing may stop it from trading: thousands of lives lose their fees on one account.
            "limits": {
                "loss_streak_cooldown": 0.01,
                "daily_loss": 1,
                "drawdown": 1,
                "orders_per_minute": 3000,
                "orders_per_second": 100,
                "notional_per_minute": 100,
                "loop_lag": 60.0,
            },
            "strategy": {"timeframe": "1s", "fast": 1, "slow": 2},
            "storage": {"record": False},
            "guard": {"start": False},
        }
    )


class Trader:
    """A desk, and a person who trades on it as fast as it answers.

    Args:
        kills: share of kills among what the person does.
        modes: how far they go.
    """

    def __init__(
        self,
        home: Path,
        line: Line,
        point: Callable[[str], None],
        seed: int,
        kills: float,
        modes: Sequence[KillMode],
    ) -> None:
        self.desk = Desk(
            config(),
            Home(home),
            [FarGateway(line, name, point) for name in VENUES],  # type: ignore[misc]
            [FarKillGateway(line, name, point) for name in VENUES],
            market=lambda: MarketFacts("crash"),
            validity=0.02,
            signals=False,
        )
        self._chance = random.Random(seed)
        self._kills = kills
        self._modes = modes
        self._count = 0

    async def trade(self) -> None:
        await self.desk.ready.wait()
        while True:
            await asyncio.sleep(self._chance.uniform(0.0, 0.01))
            await self._act()

    async def _act(self) -> None:
        desk, chance = self.desk, self._chance
        now = desk.window.now()
        state = desk.pump.state
        self._count += 1
        name, venue = f"r{self._count}", chance.choice(VENUES)
        command: Any
        if state is TradingState.HALTED:
            if desk.kill.active:
                return
            command = Resume("person", now)
        elif state is not TradingState.ARMED:
            command = Arm("person", now)
        elif chance.random() < self._kills:
            command = Kill(chance.choice(self._modes), "person", "crash", now)
        elif chance.random() < 0.5:
            side, qty = chance.choice((Side.BUY, Side.SELL)), Decimal(chance.randint(1, 9)) / 1000
            command = Submit(name, "person", venue, BTC, side, qty, now)
            if chance.random() < 0.4 and (depth := desk.pump.depths.get((venue, BTC))):
                price = Decimal(str(depth.bids[-1][0] if side is Side.BUY else depth.asks[-1][0]))
                command = Submit(name, "person", venue, BTC, side, qty, now, OrderKind.LIMIT, price)
        elif chance.random() < 0.5:
            command = Cancel(name, "person", now, venue=venue)
        else:
            command = Close(name, "person", now, venue=venue)
        await desk.window.command(command)

    async def settle(self) -> dict[str, Any]:
        """Halt, wait until nothing is open with the venues, and say what the books are."""
        desk = self.desk
        await desk.ready.wait()
        if desk.pump.state is TradingState.ARMED or desk.pump.state is TradingState.DISARMED:
            desk.pull(KillMode.HALT, "settle", "test")
        calm, deadline = 0, time.monotonic() + 60
        while calm < 30:
            await asyncio.sleep(0.05)
            calm = calm + 1 if not (unsettled := self._unsettled()) else 0
            if time.monotonic() > deadline:
                raise TimeoutError(f"not settled: {unsettled}")
        ledger = desk.engine.ledger
        working = (OrderStatus.OPEN, OrderStatus.ACKED, OrderStatus.PARTIAL)
        return {
            name: {
                "positions": {k[1]: str(p.qty) for k, p in ledger.open.items() if k[0] == name},
                "cash": str(
                    ledger.accounts[name].cash
                    - sum(p.qty * p.entry for k, p in ledger.open.items() if k[0] == name)
                ),
                "fills": sorted(key[1] for key in ledger._keys.get(name, ())),
                "open": sorted(
                    order.order.client_id
                    for order in ledger.working.values()
                    if order.order.venue == name and order.status in working
                ),
            }
            for name in VENUES
        }

    def _unsettled(self) -> list[str]:
        """Return what is still open with the venues."""
        desk = self.desk
        doubtful = (OrderStatus.UNKNOWN, OrderStatus.JOURNALED)
        found = ["a kill goes on"] if desk.kill.active else []
        if desk.engine._tracking.pending:
            found.append("it goes on asking")
        for venue in desk.window.snapshot().venues:
            if venue.state is not VenueState.READY:
                found.append(f"{venue.venue} is {venue.state}: {venue.reason}")
        for order in desk.engine.ledger.working.values():
            if order.status in doubtful or order.booked < order.filled:
                found.append(f"{order.order.client_id} is {order.status}, {order.booked} booked")
        return found


async def live(home: Path, socket: Path, name: str, passes: int, seed: int) -> dict[str, Any]:
    """Be a desk until killed, or until settled."""
    point = Points(name, passes)
    instrument(point)
    hasten()
    line = Line()
    await line.open(socket)
    sought = "kill" in name or "latch" in name
    modes = (KillMode.FLATTEN,) if sought else tuple(KillMode)
    trader = Trader(home, line, point, seed, 0.2 if sought else 0.03, modes)
    run = asyncio.create_task(trader.desk.run())
    if name != SETTLE:
        trading = asyncio.create_task(trader.trade())
        await asyncio.wait([run, trading], return_when=asyncio.FIRST_COMPLETED)
        for task in (run, trading):
            if task.done():
                task.result()
        raise RuntimeError("the desk ended by itself")
    books = await trader.settle()
    trader.desk.request_stop("settled")
    await run
    return books


async def make_store(folder: Path) -> None:
    """Make the tables, which takes longer than most of the desks live, and import what it needs."""
    made = store.Store("", folder)
    await made.open(lambda reason: None)
    await made.close()


def main() -> None:
    """Fork a desk for every line read."""
    home, socket = Path(sys.argv[1]), Path(sys.argv[2])
    Home(home).make("practice")
    asyncio.run(make_store(Home(home).state("practice")))
    gc.collect()
    gc.freeze()  # else the first collection of every child copies all pages
    for line in sys.stdin:
        name, passes, seed, seconds = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 0
            try:
                books = asyncio.run(live(home, socket, name, passes, seed))
                print(json.dumps(books), flush=True)
            except BaseException as error:
                print(json.dumps({"error": repr(error)}), flush=True)
                code = 1
            os._exit(code)
        status, by_itself = wait(child, seconds)
        print(json.dumps({"status": status, "by itself": by_itself}), flush=True)


def wait(child: int, seconds: float) -> tuple[int, bool]:
    """Wait for a child, and kill it where it is when ``seconds`` are over."""
    deadline = time.monotonic() + seconds
    by_itself = True
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), by_itself
        if by_itself and time.monotonic() > deadline:
            by_itself = False
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


if __name__ == "__main__":
    main()
