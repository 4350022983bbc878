"""A whole desk in this process: real engine, journal, store and control socket, loopback venues."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from core.clock import SECOND, Clock, SystemClock
from core.config import Config
from core.desk import disk, guardpost, latch
from core.desk.desk import Desk
from core.desk.origin import MarketFacts
from core.desk.summary import DeskSummary
from core.errors import AlreadyRunning, StateError, VenueUnavailable
from core.home import Home
from core.journal import frames
from core.model.event import (
    Arm,
    DeskLagged,
    Disarm,
    Event,
    InvariantBroken,
    Kill,
    KillMode,
    Resume,
    Submit,
    TradingState,
    VenueState,
)
from core.model.market import Fact, Side
from core.model.order import OrderKind, OrderStatus
from core.model.snapshot import Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from core.orders.ids import sequence
from core.research.replay import find_sessions, replay
from tests.core.desk.loopback import BTC, LoopGateway, LoopKillGateway, LoopVenue
from tests.core.journal.test_store import spoil
from tests.waiting import until


def config(loop_lag: float, record: bool, strategy: str) -> Config:
    return Config.model_validate(
        {
            "environment": "practice",
            "symbols": ["BTC"],
            # A machine that runs tests stands still for longer than one that trades may.
            "limits": {"loop_lag": loop_lag},
            "strategy": {"name": strategy, "timeframe": "1s", "fast": 2, "slow": 4},
            # To pack a recording is a process of its own at the end of each desk.
            "storage": {"record": record},
        }
    )


class Stage:
    """Venues that outlive the desks run on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venues = {name: LoopVenue(name) for name in ("bybit", "binance", "okx")}

    def desk(
        self,
        root: Path | None = None,
        signals: bool = False,
        clock: Clock | None = None,
        loop_lag: float = 60.0,
        record: bool = False,
        strategy: str = "ema_cross",
    ) -> Desk:
        loops = list(self.venues.values())
        return Desk(
            config(loop_lag, record, strategy),
            Home(root or self.root),
            [LoopGateway(venue) for venue in loops],
            [LoopKillGateway(venue) for venue in loops],
            market=lambda: MarketFacts("loopback"),
            clock=clock,
            validity=0.1,
            signals=signals,
        )

    @asynccontextmanager
    async def running(self, desk: Desk) -> AsyncIterator[asyncio.Task[DeskSummary]]:
        task = asyncio.create_task(desk.run())
        try:
            ready = asyncio.create_task(desk.ready.wait())
            await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED, timeout=20)
            ready.cancel()
            if task.done():
                task.result()
            yield task
        finally:
            desk.request_stop("test over")
            await task

    def check_agrees(self, picture: Snapshot) -> None:
        """The desk's positions are the venues' own."""
        ours = {(p.venue, p.symbol): p.qty for p in picture.positions}
        theirs = {
            (name, p.symbol): p.qty
            for name, venue in self.venues.items()
            for p in venue.positions()
        }
        assert ours == theirs


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    stage = Stage(tmp_path / "home")
    markets = [asyncio.create_task(venue.run()) for venue in stage.venues.values()]
    yield stage
    for market in markets:
        market.cancel()
    await asyncio.gather(*markets, return_exceptions=True)


def states(desk: Desk) -> dict[str, VenueState]:
    return {venue.venue: venue.state for venue in desk.window.snapshot().venues}


async def traded(desk: Desk, fills: int = 2) -> None:
    """Wait until the strategy has traded on every venue."""
    await until(lambda: all(v.fills >= fills for v in desk.window.snapshot().venues), 60)


def order(venue: str, **changes: Any) -> Submit:
    command = Submit("r1", "me", venue, BTC, Side.BUY, Decimal("0.02"), time.time_ns())
    return msgspec.structs.replace(command, **changes)


async def until_armed(desk: Desk) -> None:
    """Wait until orders may open risk: the desk is armed, and has heard of every book."""
    pump = desk.pump
    await until(lambda: pump.state is TradingState.ARMED and len(pump.depths) == len(pump.venues))


async def bought(desk: Desk) -> None:
    """Buy by hand on every venue, and wait for the protective stops."""
    await until_armed(desk)
    for name in desk.pump.venues:
        answer = await desk.window.command(order(name))
        assert answer.ok, answer
    await until(lambda: len([p for p in desk.window.snapshot().positions if p.stop]) == 3)


async def test_what_was_is_asked_for_at_a_start(stage: Stage) -> None:
    desk = stage.desk()
    venues = stage.venues
    now = time.time_ns()
    values = [(now - n * 5_000_000_000, 100.0 + n) for n in range(20, 0, -1)]
    for venue in venues.values():
        venue.past = dict.fromkeys(Fact, values)
    del venues["okx"].past[Fact.INDEX]  # the rest is told all the same
    async with stage.running(desk):
        slots = {name: desk.engine._world.slots[name, BTC] for name in venues}
        await until(lambda: all(slot.settled for slot in slots.values()))
        for name, slot in slots.items():
            past = venues[name].core.funding_history(BTC, limit=10)
            assert [(ts * 1_000_000, float(rate)) for ts, rate in past] == [
                (ts, event.rate) for ts, event in sorted(slot.settled.items())
            ]
        kept = {"bybit": [*Fact], "binance": [*Fact], "okx": [Fact.INTEREST]}
        for name, slot in slots.items():
            wanted = {(ts, fact): value for ts, value in values for fact in kept[name]}
            await until(lambda slot=slot, wanted=wanted: len(slot.facts) == len(wanted))
            assert {key: told.value for key, told in slot.facts.items()} == wanted
        said = [line.text for line in desk.lines.last(200) if "does not tell" in line.text]
        assert said == ["okx does not tell its past index: okx: no index here"]


async def test_a_desk_trades_stops_and_leaves_a_true_record(stage: Stage) -> None:
    desk = stage.desk(record=True)
    async with stage.running(desk) as task:
        await traded(desk)
        assert desk.pump.state is TradingState.ARMED
        desk.request_stop("enough")
        summary = await task
    assert {name: v.state for name, v in summary.venues.items()} == dict.fromkeys(
        stage.venues, "ready"
    )
    assert summary.orders >= 6
    assert summary.signals > 0
    assert (summary.unknown_orders, summary.discrepancies) == (0, 0)
    assert summary.equity_start == pytest.approx(300_000, rel=1e-3)
    line = json.loads(msgspec.json.encode(summary))
    assert line["type"] == "summary"
    assert line["venues"]["okx"]["fills"] >= 2
    stage.check_agrees(desk.window.snapshot())

    journal = frames.load(stage.root / "practice" / "journal")
    assert journal is not None
    ledger = frames.rebuild(journal)
    assert {k: p.qty for k, p in ledger.open.items()} == {
        (p.venue, p.symbol): p.qty for p in desk.window.snapshot().positions
    }
    database = sqlite3.connect(stage.root / "practice" / "killcord.db")
    (rows,) = database.execute("SELECT count(*) FROM fills").fetchone()
    assert rows == summary.fills
    (orders,) = database.execute("SELECT count(*) FROM orders").fetchone()
    assert orders == summary.orders
    database.close()

    # What was recorded, played into a new engine, gives the same decisions.
    found = replay(next((stage.root / "practice" / "recording").iterdir()), Home(stage.root))
    assert found.equal, found.difference
    assert found.complete
    assert found.decision_hash == found.recorded_hash == summary.decision_hash
    assert (found.events, found.orders) == (summary.events, summary.orders)
    assert (found.fills, found.refusals) == (summary.fills, summary.refusals)


async def test_a_restarted_desk_carries_on_where_the_venues_are(stage: Stage) -> None:
    first = stage.desk(record=True)
    async with stage.running(first):
        await bought(first)
    before = first.window.snapshot()
    second = stage.desk(record=True)
    async with stage.running(second):
        await until(lambda: set(states(second).values()) == {VenueState.READY})
        after = second.window.snapshot()
        known = {o.client_id for o in before.orders}
        assert known <= {o.client_id for o in after.orders}
        stage.check_agrees(second.window.snapshot())
        assert (after.unknown_orders, after.discrepancies) == (0, 0)
    submits = [each for venue in stage.venues.values() for each in venue.submits]
    assert len(submits) == len(set(submits))
    # Each start is a recording of its own; the second begins with what the first left.
    sessions = find_sessions(Home(stage.root))
    assert [Path(one.path).name[-6:] for one in sessions] == ["000001", "000002"]
    for one in sessions:
        found = replay(Path(one.path), Home(stage.root))
        assert found.equal, found.difference


@pytest.mark.parametrize("how", ["moved away", "restored"])
async def test_a_journal_that_lost_orders_gives_no_id_twice(stage: Stage, how: str) -> None:
    folder, backup = Home(stage.root).state("practice") / "journal", stage.root.parent / "backup"
    first = stage.desk()
    async with stage.running(first):
        if how == "restored":
            shutil.copytree(folder, backup)
        await bought(first)
    used = [sequence(name) for venue in stage.venues.values() for name in venue.submits]
    shutil.rmtree(folder)
    if how == "restored":
        shutil.copytree(backup, folder)
    second = stage.desk()
    async with stage.running(second):
        assert len(used) >= 6
        assert second.engine._world.ids.seq > max(used)
        assert second.kill._means.ids.seq > max(used)


async def test_no_order_is_sent_before_its_intent_is_durable(stage: Stage) -> None:
    desk = stage.desk(strategy="manual")
    seen: list[bool] = []

    def watch(venue: LoopVenue) -> None:
        place = venue.place

        def checked(order: Any) -> Any:
            records = frames.read(desk.journal.path).records
            seen.append(any(getattr(r, "order", None) == order for r in records))
            return place(order)

        venue.place = checked  # type: ignore[method-assign]

    for venue in stage.venues.values():
        watch(venue)
    async with stage.running(desk):
        await bought(desk)
    assert len(seen) >= 6
    assert all(seen)


async def test_one_venue_down_at_start_stops_no_other_and_comes_back(stage: Stage) -> None:
    stage.venues["okx"].down = True
    desk = stage.desk()
    async with stage.running(desk):
        await until(lambda: states(desk)["bybit"] is VenueState.READY)
        assert states(desk)["okx"] is VenueState.BLIND
        await until(lambda: desk.pump.state is TradingState.ARMED)
        stage.venues["okx"].down = False
        await until(lambda: states(desk)["okx"] is VenueState.READY)


async def test_no_venue_at_all_is_one_line_and_nothing_half_started(stage: Stage) -> None:
    for venue in stage.venues.values():
        venue.down = True
    desk = stage.desk()
    with pytest.raises(VenueUnavailable, match=r"no venue answers.*refused"):
        await desk.run()
    assert not Home(stage.root).socket.exists()


async def test_a_second_desk_on_the_home_or_on_an_account_sends_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    first = stage.desk()
    async with stage.running(first):
        # SQLAlchemy cannot be set up by two threads at once; real desks do not share a process.
        await until(lambda: first.pulse.settled)
        with pytest.raises(AlreadyRunning, match="the home"):
            await stage.desk().run()
        with pytest.raises(AlreadyRunning, match=r"account .* on"):
            await stage.desk(tmp_path / "other").run()
        assert first.pump.state is not TradingState.HALTED


async def test_the_cord_flattens_latches_over_restart_and_is_released_by_hand(
    stage: Stage,
) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await bought(desk)
        await desk.window.command(Kill(KillMode.FLATTEN, "me", "enough", desk.window.now()))
        assert desk.pump.state is TradingState.HALTED
        report = await desk.window.kill_report()
        assert {v.verdict for v in report.venues.values()} == {"FLAT_VERIFIED"}
        assert all(not v.positions() and not v.reports() for v in stage.venues.values())
        await until(lambda: not desk.window.snapshot().positions)
        assert desk.window.snapshot().discrepancies == 0
    path = Home(stage.root).latch("practice")
    assert path.exists()

    second = stage.desk()
    async with stage.running(second):
        await until(lambda: set(states(second).values()) == {VenueState.READY})
        assert second.pump.state is TradingState.HALTED
        assert "enough" in second.window.snapshot().cause
        submits = [len(venue.submits) for venue in stage.venues.values()]
        answer = await second.window.command(Resume("me", second.window.now()))
        assert answer.ok
        assert second.pump.state is TradingState.DISARMED
        await until(lambda: not path.exists())
        assert submits == [len(venue.submits) for venue in stage.venues.values()]


async def test_a_kill_cut_short_goes_on_at_the_next_start(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await bought(desk)
        for gateway in desk._kill_gateways:
            gateway.hang = gateway.venue == "okx"  # type: ignore[attr-defined]
        await desk.window.command(Kill(KillMode.FLATTEN, "me", "test", desk.window.now()))
        await until(lambda: not stage.venues["bybit"].positions())
        assert stage.venues["okx"].positions()
    latched = latch.read(Home(stage.root).latch("practice"))
    assert latched is not None
    assert "okx" in latched.pending
    second = stage.desk()
    async with stage.running(second):
        await until(lambda: not stage.venues["okx"].positions())
        assert second.pump.state is TradingState.HALTED
        path = Home(stage.root).latch("practice")
        await until(lambda: (found := latch.read(path)) and not found.pending)


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGUSR2, False), (signal.SIGTERM, True)], ids=["usr2", "term"]
)
async def test_signals_cancel_entries_keep_stops_and_latch(
    stage: Stage, number: int, ends: bool
) -> None:
    desk = stage.desk(signals=True)
    async with stage.running(desk) as task:
        await bought(desk)
        limit = {"kind": OrderKind.LIMIT, "qty": Decimal("0.01"), "price": Decimal(59_500)}
        answer = await desk.window.command(order("okx", request="r9", **limit))
        assert answer.ok, answer
        await until(lambda: len(stage.venues["okx"].reports()) == 2)
        os.kill(os.getpid(), number)
        await until(lambda: desk.pump.state is TradingState.HALTED)
        if ends:
            summary = await task
            assert summary.state == "halted"
        else:
            await desk.window.kill_report()
            assert not task.done()
        for venue in stage.venues.values():
            assert [r.kind for r in venue.reports()] == [OrderKind.STOP]
            assert len(venue.positions()) == 1
    assert Home(stage.root).latch("practice").exists()


async def test_a_stop_leaves_stops_behind_and_no_entries(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk) as task:
        await bought(desk)
        limit = {"kind": OrderKind.LIMIT, "qty": Decimal("0.01"), "price": Decimal(59_500)}
        answer = await desk.window.command(order("okx", request="r9", **limit))
        assert answer.ok, answer
        await until(lambda: len(stage.venues["okx"].reports()) == 2)
        desk.request_stop("enough")
        await task
        for venue in stage.venues.values():
            assert [r.kind for r in venue.reports()] == [OrderKind.STOP]
            assert len(venue.positions()) == 1
    assert not Home(stage.root).latch("practice").exists()


@pytest.mark.parametrize("witness", ["latch", "journal"])
async def test_one_witness_of_the_latch_is_enough(stage: Stage, witness: str) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        if witness == "journal":
            await desk.window.command(Kill(KillMode.HALT, "me", "test", desk.window.now()))
    path = Home(stage.root).latch("practice")
    if witness == "latch":
        latch.write(path, latch.Latched("by hand", "someone", 1))
    else:
        path.unlink()
    second = stage.desk()
    async with stage.running(second):
        assert second.pump.state is TradingState.HALTED
        await until(path.exists)


@pytest.mark.parametrize(
    "close",
    [
        Kill(KillMode.HALT, "me", "test", 0),
        Disarm("me", 0),
        InvariantBroken("TASK_DIED", "test", 0),
        DeskLagged(61.0, 0),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_orders_waiting_when_the_gate_closes_are_not_sent(stage: Stage, close: Event) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)
        journal = desk.journal
        durable = journal.append_durable
        gate = asyncio.Event()

        def slow(record: Any) -> asyncio.Future[None]:
            done = durable(record)

            async def later() -> None:
                await done
                await gate.wait()

            return asyncio.ensure_future(later())

        journal.append_durable = slow  # type: ignore[method-assign]
        sent = {name: len(venue.submits) for name, venue in stage.venues.items()}
        count = len(desk.window.snapshot().orders)
        orders = [asyncio.create_task(desk.window.command(order(name))) for name in stage.venues]
        await until(lambda: len(desk.window.snapshot().orders) >= count + 3)
        desk.pump.sink(close)
        gate.set()
        await asyncio.gather(*orders)
        await until(
            lambda: [o.status for o in desk.window.snapshot().orders].count(OrderStatus.DENIED) >= 3
        )
        assert sent == {name: len(venue.submits) for name, venue in stage.venues.items()}


async def test_the_kill_file_pulls_the_cord_in_the_mode_it_names(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await bought(desk)
        file = stage.root / "practice" / "KILL"
        file.write_text("flatten\n")
        await until(lambda: desk.pump.state is TradingState.HALTED)
        report = await desk.window.kill_report()
        assert report.mode is KillMode.FLATTEN
        assert not file.exists()


async def test_a_task_that_dies_closes_the_gate(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)

        def broken() -> Any:
            raise RuntimeError("no market")

        desk.origin.ask = broken
        await until(lambda: desk.pump.state is TradingState.REDUCING)
        assert "TASK_DIED" in desk.window.snapshot().cause


async def test_a_venue_task_that_dies_closes_the_gate_and_starts_again(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)
        bulkhead = desk.pump.venues["okx"]
        bulkhead.gateway.sweep = None  # type: ignore[method-assign,assignment]
        bulkhead.ask_sweep()
        await until(lambda: desk.pump.state is TradingState.REDUCING)
        assert states(desk)["okx"] is VenueState.BLIND
        assert states(desk)["bybit"] is VenueState.READY
        del bulkhead.gateway.sweep
        await until(lambda: states(desk)["okx"] is VenueState.READY)


async def test_a_second_stop_does_not_wait_for_venues(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk) as task:
        await until_armed(desk)
        stage.venues["okx"].hold = asyncio.Event()
        asking = asyncio.create_task(desk.window.command(order("okx")))
        await until(lambda: stage.venues["okx"].submits)
        desk.request_stop("once")
        winding = await until(lambda: desk._winding)
        desk.request_stop("twice")
        await task
        assert winding.cancelled(), "it waited to the end"
        await asking


async def test_a_journal_that_fails_closes_the_gate(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)
        sent = [len(venue.submits) for venue in stage.venues.values()]
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, desk.journal._descriptor)
        os.close(full)
        await desk.window.command(order("okx"))
        await until(lambda: desk.pump.state is TradingState.REDUCING)
        assert "JOURNAL_FAILED" in desk.window.snapshot().cause
        assert sent == [len(venue.submits) for venue in stage.venues.values()]
        good, facts = desk.window.health()
        assert not good
        assert "cannot be written" in facts["journal"]


# --- the control socket -----------------------------------------------------------------------


@asynccontextmanager
async def client(desk: Desk) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(path=str(desk._home.socket))
    async with aiohttp.ClientSession("http://desk", connector=connector) as session:
        yield session


async def test_the_socket_is_private_and_answers(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk), client(desk) as session:
        await bought(desk)
        assert desk._home.socket.stat().st_mode & 0o777 == 0o600
        async with session.get("/v1/snapshot") as reply:
            picture = msgspec.json.decode(await reply.read(), type=Snapshot)
        assert picture.environment == "practice"
        assert picture.market == "loopback"
        assert picture.equity == Decimal(picture.equity or 0)
        async with session.get("/v1/depth", params={"venue": "okx"}) as reply:
            (depth,) = await reply.json()
        assert len(depth["bids"]) == 20
        async with session.get("/readyz") as reply:
            assert (reply.status, (await reply.json())["ok"]) == (200, True)
        async with session.get("/healthz") as reply:
            health = await reply.json()
            assert health["journal"] == "ok"
            assert reply.status == (200 if health["loop_lag_ms"] < 250 else 503)
        # An armed dead-man timer is read by the loop's clock, also for the metrics.
        desk._parts.timers["okx"]._armed[""] = asyncio.get_running_loop().time()
        async with session.get("/metrics") as reply:
            assert reply.status == 200
            text = await reply.text()
        assert 'killcord_venue_ready{venue="okx"} 1.0' in text
        assert "killcord_journal_records_total" in text
        assert 'killcord_loop_lateness_seconds_bucket{le="0.01"}' in text


async def test_another_user_is_turned_away(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = stage.desk()
    async with stage.running(desk), client(desk) as session:
        monkeypatch.setattr(os, "getuid", lambda: 54_321)
        async with session.get("/v1/snapshot") as reply:
            assert reply.status == 403


ODD = """{
    "type": "Submit", "request": "1", "venue": "okx", "symbol": "BTC/USDT:USDT", "side": "buy",
    "qty": "QTY"
}"""
"""A number that is none would be an engine that fails, and so a gate that closes."""


async def test_commands_are_checked_answered_and_kept(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk), client(desk) as session:
        await until_armed(desk)
        for body, word in (
            ("{", "truncated"),
            ("[]", "object"),
            ('{"type":"Explode"}', "Explode"),
            ('{"type":"Kill","mode":"maim"}', "maim"),
            ('{"type":"Submit","request":"1"}', "venue"),
            (ODD.replace("QTY", "NaN"), "$.qty"),
            (ODD.replace("QTY", "1e30"), "$.qty"),
            (ODD.replace("QTY", "1").replace("}", ',"price":"-1e15"}'), "$.price"),
        ):
            async with session.post("/v1/commands", data=body) as reply:
                assert reply.status == 400
                assert word in (await reply.json())["detail"]
        async with session.post("/v1/commands", data=b"x" * 100_000) as reply:
            assert reply.status == 413
        assert desk.pump.state is TradingState.ARMED
        large = {
            "type": "Submit",
            "request": "r1",
            "actor": "test",
            "venue": "okx",
            "symbol": "BTC/USDT:USDT",
            "side": "buy",
            "qty": "5000",
        }
        async with session.post("/v1/commands", json=large) as reply:
            answer = await reply.json()
        assert (reply.status, answer["ok"], answer["request"]) == (200, False, "r1")
        assert answer["code"]
        async with session.post(
            "/v1/commands?wait=1", json={"type": "Kill", "mode": "cancel"}
        ) as r:
            report = await r.json()
        assert report["ok"]
        assert {v["verdict"] for v in report["venues"].values()} == {"CANCELLED_ONLY"}
    database = sqlite3.connect(stage.root / "practice" / "killcord.db")
    found = database.execute("SELECT actor, ok FROM commands ORDER BY ts").fetchall()
    database.close()
    assert found == [("test", 0), ("socket", 1)]


async def test_one_symbol_can_be_watched(stage: Stage) -> None:
    desk = stage.desk()
    chart = {"venue": "bybit", "symbol": BTC, "timeframe": "5"}
    async with stage.running(desk), client(desk) as session:
        await until(lambda: len(desk.window.candles("bybit", BTC, 5, 10)) > 1)
        async with session.ws_connect("/v1/watch", params=chart) as stream:
            seen = msgspec.json.decode((await stream.receive()).data, type=WatchView)
        assert (seen.symbol, seen.venue, seen.timeframe) == (BTC, "bybit", 5)
        assert {depth.venue for depth in seen.depths} == {"bybit", "binance", "okx"}
        assert {trade.venue for trade in seen.prints} == {"bybit", "binance", "okx"}
        async with session.get("/v1/candles", params=chart) as reply:
            (*_, last) = await reply.json()
        assert last[3] <= last[4] <= last[2]
        for wrong in ({"timeframe": "7"}, {"symbol": ""}, {"count": "many"}):
            for path in ("/v1/candles", "/v1/watch"):
                async with session.get(path, params=chart | wrong) as reply:
                    assert reply.status == 400
                    assert next(iter(wrong)) in (await reply.json())["detail"]


async def test_an_order_is_weighed_without_being_sent(stage: Stage) -> None:
    desk = stage.desk()
    body = {
        "type": "Submit",
        "request": "",
        "actor": "test",
        "venue": "okx",
        "symbol": BTC,
        "side": "buy",
        "qty": "0.02",
    }
    async with stage.running(desk), client(desk) as session:
        await until_armed(desk)
        await until(lambda: len(desk.window.depth("", BTC)) == 3)
        async with session.post("/v1/whatif", json=body | {"qty": "50"}) as reply:
            found = msgspec.json.decode(await reply.read(), type=WhatIf)
        assert not found.passed
        assert {route.venue for route in found.routes} == {"bybit", "binance", "okx"}
        assert all(route.slippage is not None for route in found.routes)
        for wrong in (b"{", b'{"type":"Disarm"}'):
            async with session.post("/v1/whatif", data=wrong) as reply:
                assert reply.status == 400
        assert not any(o.strategy == "test" for o in desk.window.snapshot().orders)


async def test_an_order_can_be_asked_why_and_what_happened(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk), client(desk) as session:
        await bought(desk)
        mine = [o for o in desk.window.snapshot().orders if o.strategy == "me"]
        entry = next(o for o in mine if not o.reduce_only)
        stop = next(o for o in mine if o.reduce_only)
        async with session.get("/v1/why", params={"id": entry.client_id}) as reply:
            why = msgspec.json.decode(await reply.read(), type=Why)
        assert why.outcome == "DONE"
        assert all(check.passed for check in why.checks)
        told = [each.text for each in why.happenings]
        assert told[0].startswith("decided")
        assert any(text.startswith("reply: accepted") for text in told)
        assert any(text.startswith("fill 0.02 at") for text in told)
        async with session.get("/v1/why", params={"id": stop.client_id}) as reply:
            why = msgspec.json.decode(await reply.read(), type=Why)
        assert "never vetoed" in why.order
        assert why.happenings
        async with session.get("/v1/why", params={"id": "nothing"}) as reply:
            assert reply.status == 404


async def test_the_stream_sends_the_newest_picture_and_stop_ends_the_desk(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk) as task:
        async with client(desk) as session, session.ws_connect("/v1/stream?hz=10") as stream:
            first = msgspec.json.decode((await stream.receive()).data, type=Snapshot)
            second = msgspec.json.decode((await stream.receive()).data, type=Snapshot)
            assert second.seq > first.seq
            async with session.post("/v1/stop") as reply:
                assert (await reply.json())["ok"]
            async with asyncio.timeout(15):
                while (await stream.receive()).type != aiohttp.WSMsgType.CLOSE:
                    pass
        await task


async def test_a_loop_that_stood_still_opens_nothing(stage: Stage) -> None:
    desk = stage.desk(loop_lag=0.25)
    async with stage.running(desk):
        await until_armed(desk)
        await until(lambda: desk.pulse.settled)
        await asyncio.sleep(0.06)
        time.sleep(0.4)  # noqa: ASYNC251  # what must not happen, happens
        await until(lambda: not desk.engine.opens)
        sent = list(stage.venues["okx"].submits)
        wish = Submit("r", "me", "okx", BTC, Side.BUY, Decimal("0.01"), desk.window.now())
        assert (await desk.window.command(wish)).code == "LOOP_LAG"
        assert stage.venues["okx"].submits == sent


async def test_a_disk_that_fills_up_stops_new_risk_and_arming_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)
        monkeypatch.setattr(disk, "free", lambda folder: 100 * 2**20)
        await until(lambda: desk.pump.state is TradingState.DISARMED)
        assert any("100 MB free" in line.text for line in desk.lines.last(50))
        refused = await desk.window.command(Arm("me", desk.window.now()))
        assert not refused.ok
        assert "100 MB free" in refused.detail


async def test_a_damaged_store_keeps_the_gate_closed_and_is_left_as_it_is(stage: Stage) -> None:
    first = stage.desk()
    async with stage.running(first):
        await bought(first)
    path = Home(stage.root).state("practice") / "killcord.db"
    data = spoil(path)
    second = stage.desk()
    async with stage.running(second):
        await until(lambda: any("it is damaged" in each.text for each in second.lines.last(99)))
        await until(lambda: second.pump.state is TradingState.DISARMED)
        refused = await second.window.command(Arm("me", second.window.now()))
        assert not refused.ok
        assert "it is damaged" in refused.detail
    assert path.read_bytes() == data


async def test_no_room_to_start_is_said_before_anything_is_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free", lambda folder: 3 * 2**20)
    with pytest.raises(StateError, match="3 MB free.*KILLCORD_HOME"):
        await stage.desk().run()
    assert not any(venue.submits for venue in stage.venues.values())


async def test_a_latch_that_another_set_is_obeyed_before_the_next_order(stage: Stage) -> None:
    desk = stage.desk()
    async with stage.running(desk):
        await until_armed(desk)
        path = Home(stage.root).latch("practice")
        found = latch.Latched("guard: the desk was silent", "guard", 1, KillMode.CANCEL, ("okx",))
        # As a guard does while this loop stands still: nothing of the desk runs in between.
        latch.write(path, found)
        sent = list(stage.venues["okx"].submits)
        order = Submit("r", "me", "okx", BTC, Side.BUY, Decimal("0.01"), desk.window.now())
        desk.pump.sink(order)
        await until(lambda: desk.window.snapshot().state is TradingState.HALTED)
        assert (await desk.window.command(order)).code == "HALTED"
        assert stage.venues["okx"].submits == sent
        picture = desk.window.snapshot()
        assert (picture.state, picture.cause) == (TradingState.HALTED, found.cause)
        await desk.pump.drain(5)
        assert latch.read(path).pending == ("okx",)  # type: ignore[union-attr]  # not lost
        # Released by hand, it stays released.
        await desk.window.command(Resume("me", desk.window.now()))
        await desk.pump.drain(5)
        desk.pump.heed_latch()
        await desk.pump.drain(5)
        assert desk.window.snapshot().state is TradingState.DISARMED


class Leaping(SystemClock):
    """A wall clock that goes on while the machine, and the loop with it, sleeps."""

    slept = 0

    def now(self) -> int:
        return super().now() + self.slept


async def test_a_machine_that_slept_closes_the_gate_and_asks_every_venue_anew(
    stage: Stage,
) -> None:
    clock = Leaping()
    desk = stage.desk(clock=clock)

    def connected() -> int:
        return sum("connected" in line.text for line in desk.lines.last(200))

    async with stage.running(desk):
        await until_armed(desk)
        before = connected()
        clock.slept = 62 * SECOND
        await until(lambda: desk.pump.state is TradingState.REDUCING)
        assert "CLOCK_JUMPED" in desk.window.snapshot().cause
        await until(lambda: connected() == before + 3)
        await until(lambda: all(v.up for v in desk.pump.venues.values()))
        assert desk.pump.state is TradingState.REDUCING, "a person arms it again"


async def test_a_venue_that_says_it_is_closed_is_in_maintenance_and_comes_back(
    stage: Stage,
) -> None:
    desk = stage.desk()
    venue = stage.venues["okx"]

    def state() -> VenueState:
        return next(v.state for v in desk.window.snapshot().venues if v.venue == "okx")

    async with stage.running(desk):
        await until(lambda: state() is VenueState.READY)
        venue.closed = True
        bulkhead = desk.pump.venues["okx"]
        for _ in range(2):
            assert not await bulkhead.sweep()
        assert state() is VenueState.MAINTENANCE
        order = Submit("r", "me", "okx", BTC, Side.BUY, Decimal("0.01"), desk.window.now())
        assert not (await desk.window.command(order)).ok
        venue.closed = False
        assert await bulkhead.sweep()
        await until(lambda: state() is VenueState.READY)


async def test_a_desk_whose_guard_does_not_come_opens_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardpost, "START_LIMIT", 0.2)
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    desk = stage.desk(strategy="manual")
    desk._guard = start
    async with stage.running(desk):
        await until_armed(desk)
        await until(lambda: not desk.engine.opens)
        answer = await desk.window.command(order("okx"))
        assert answer.code == "UNGUARDED", answer
    for child in started:
        child.kill()
        child.wait()


async def test_a_start_clears_what_a_crash_left_half_written(stage: Stage) -> None:
    desk = stage.desk()
    nobody = 2**22 + 1  # no process has a number above 2**22
    left = [folder / f".HALTED.{nobody}.1.new" for folder in (desk._state, desk._state / "journal")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    async with stage.running(desk):
        assert not any(path.exists() for path in left)


async def test_the_build_is_in_the_journal_and_another_one_is_said_at_the_start(
    stage: Stage,
) -> None:
    for build, said in (("0.1.0+a", False), ("0.1.0+a", False), ("0.1.0+b", True)):
        desk = stage.desk(strategy="manual")
        desk._build = build
        async with stage.running(desk):
            lines = [line.text for line in desk.lines.last(200) if "build" in line.text]
            assert bool(lines) is said, lines
            desk.journal.turn(desk.engine.ledger, desk.window.now())
        replay = frames.load(desk._state / "journal")
        assert replay is not None
        assert replay.epoch.build == build, "also in the file that it went on in"
    assert lines == ["this is build 0.1.0+b; 0.1.0+a wrote the journal so far"]


async def test_settings_are_in_the_journal_and_changed_ones_are_said_at_the_start(
    stage: Stage,
) -> None:
    for strategy, said in (
        ("manual", []),
        ("manual", []),
        ("ema_cross", ["since the last start strategy.name: manual before, ema_cross now"]),
    ):
        desk = stage.desk(strategy=strategy)
        async with stage.running(desk):
            lines = [line.text for line in desk.lines.last(200) if "since the last" in line.text]
            assert lines == said
            desk.journal.turn(desk.engine.ledger, desk.window.now())
        replay = frames.load(desk._state / "journal")
        assert replay is not None
        assert replay.epoch.settings == json.loads(json.dumps(desk.config.rules()))
