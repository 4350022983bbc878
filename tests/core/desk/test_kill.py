"""The kill executor against real matching: cancelled, flat, proved; one venue's trouble its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock import SystemClock
from core.desk import kill, kill_worker
from core.desk.kill import KillExecutor
from core.desk.kill_worker import Means
from core.errors import StateError
from core.model.account import PositionReport
from core.model.event import Event, KillMode, KillReported
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, OrderSent, Purpose, TimeInForce
from core.model.record import Intent
from core.orders.ids import ClientIds
from tests.core.desk.loopback import BTC, LoopKillGateway, LoopVenue
from tests.simulation.virtual import VirtualLoop
from tests.waiting import PATIENCE, until


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venues = {name: LoopVenue(name) for name in ("bybit", "binance", "okx")}
        self.gateways = {name: LoopKillGateway(venue) for name, venue in self.venues.items()}
        self.events: list[Event] = []
        self.intents: list[Intent] = []
        self.journal_down = False
        instruments = {
            (name, symbol): instrument
            for name, venue in self.venues.items()
            for symbol, instrument in venue.core.instruments.items()
        }
        self.ids = ClientIds("TEST", 1, bytes(32))
        self.executor = KillExecutor(
            list(self.gateways.values()),
            Means(
                self.ids,
                self.write,
                self.events.append,
                instruments,
                Decimal("0.03"),
                SystemClock(),
                validity=0.05,
            ),
            folder,
        )

    async def write(self, intent: Intent) -> None:
        if self.journal_down:
            raise StateError("the disk is full")
        self.intents.append(intent)

    def trade(self, name: str, qty: str = "0.5") -> None:
        """Open a position with a stop and a resting entry."""
        venue = self.venues[name]

        def order(side: Side, kind: OrderKind, **more: object) -> Order:
            number = Decimal(qty)
            return Order(
                self.ids.next(Purpose.MANUAL),
                name,
                BTC,
                side,
                kind,
                number,
                1,
                **more,  # type: ignore[arg-type]
            )

        venue.place(order(Side.BUY, OrderKind.MARKET))
        venue.place(order(Side.SELL, OrderKind.STOP, trigger=Decimal(58_000), reduce_only=True))
        venue.place(order(Side.BUY, OrderKind.LIMIT, price=Decimal(59_000), tif=TimeInForce.GTC))
        assert len(venue.reports()) == 2
        assert len(venue.positions()) == 1

    def verdicts(self) -> dict[str, str]:
        return {e.venue: e.verdict for e in self.events if isinstance(e, KillReported)}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    await scene.executor.close()


async def test_flatten_leaves_nothing_and_proves_it_by_two_sweeps(scene: Scene) -> None:
    for name in scene.venues:
        scene.trade(name)
    scene.executor.pull(KillMode.FLATTEN, "test", "me")
    report = await scene.executor.report()
    assert {name: run.verdict for name, run in report.venues.items()} == dict.fromkeys(
        scene.venues, "FLAT_VERIFIED"
    )
    for name, venue in scene.venues.items():
        assert venue.reports() == ()
        assert venue.positions() == ()
        run = report.venues[name]
        assert (run.orders_cancelled, run.positions_closed) == (2, 1)
        assert scene.gateways[name].calls[-4:].count("positions") == 2
    assert {scene.ids.read(i.order.client_id).purpose for i in scene.intents} == {Purpose.KILL}  # type: ignore[union-attr]
    saved = json.loads(next(scene.folder.glob("kill-*.json")).read_text())
    assert saved["venues"]["okx"]["verdict"] == "FLAT_VERIFIED"


async def test_old_reports_make_room(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill, "KEPT", 2)
    for began in (10**18, 10**18 + 1, 10**18 + 2):
        (scene.folder / f"kill-{began}.json").write_text("{}")
    scene.executor.pull(KillMode.HALT, "test", "me")
    await scene.executor.report()
    old, new = sorted(path.name for path in scene.folder.glob("kill-*.json"))
    assert old == "kill-1000000000000000002.json"
    assert json.loads((scene.folder / new).read_text())["cause"] == "test"


async def test_the_stop_outlives_the_position_and_not_the_other_way_round(scene: Scene) -> None:
    scene.trade("bybit")
    seen: list[tuple[int, int]] = []
    venue = scene.venues["bybit"]
    venue.core.subscribe(
        lambda _: seen.append(
            (len(venue.positions()), sum(r.kind is OrderKind.STOP for r in venue.reports()))
        )
    )
    scene.executor.pull(KillMode.FLATTEN, "test", "me", "bybit")
    await scene.executor.report()
    assert seen
    assert (1, 0) not in seen


async def test_cancel_keeps_protective_stops_and_positions(scene: Scene) -> None:
    scene.trade("okx")
    scene.executor.pull(KillMode.CANCEL, "test", "me")
    await scene.executor.report()
    assert scene.verdicts()["okx"] == "CANCELLED_ONLY"
    assert [r.kind for r in scene.venues["okx"].reports()] == [OrderKind.STOP]
    assert len(scene.venues["okx"].positions()) == 1


async def test_halt_sends_nothing(scene: Scene) -> None:
    scene.trade("okx")
    scene.executor.pull(KillMode.HALT, "test", "me")
    await scene.executor.report()
    assert set(scene.verdicts().values()) == {"HALTED_ONLY"}
    assert scene.gateways["okx"].calls == []


async def test_a_hanging_venue_slows_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No question is given up and none is judged while the test has patience.
    monkeypatch.setattr(kill_worker, "DEADLINE", 10 * PATIENCE)
    monkeypatch.setattr(kill_worker, "QUERY_LIMIT", 10 * PATIENCE)
    for name in scene.venues:
        scene.trade(name)
    scene.gateways["binance"].hang = True
    scene.executor.pull(KillMode.FLATTEN, "test", "me")
    flat = dict.fromkeys(("bybit", "okx"), "FLAT_VERIFIED")
    await until(lambda: scene.verdicts() == flat)
    assert scene.venues["binance"].positions()


async def test_a_hanging_venue_is_retried_until_flat(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_worker, "DEADLINE", 0.4)
    monkeypatch.setattr(kill_worker, "QUERY_LIMIT", 0.3)
    monkeypatch.setattr(kill_worker, "RETRY", 0.1)
    scene.trade("binance")
    scene.gateways["binance"].hang = True
    scene.executor.pull(KillMode.FLATTEN, "test", "me")
    report = await scene.executor.report()
    assert report.venues["binance"].verdict == "BLIND"
    scene.gateways["binance"].hang = False
    await until(lambda: scene.verdicts()["binance"] == "FLAT_VERIFIED")
    assert scene.venues["binance"].positions() == ()
    saved = json.loads(next(scene.folder.glob("kill-*.json")).read_text())
    assert saved["venues"]["binance"]["verdict"] == "FLAT_VERIFIED"


async def test_a_second_pull_goes_further_or_joins(scene: Scene) -> None:
    scene.trade("bybit")
    scene.executor.pull(KillMode.CANCEL, "first", "me")
    await asyncio.sleep(0)
    scene.executor.pull(KillMode.FLATTEN, "second", "me")
    scene.executor.pull(KillMode.CANCEL, "third", "me")
    report = await scene.executor.report()
    assert report.venues["bybit"].verdict == "FLAT_VERIFIED"
    assert report.mode is KillMode.FLATTEN
    assert scene.venues["bybit"].positions() == ()
    scene.executor.pull(KillMode.FLATTEN, "again", "me")
    again = await scene.executor.report()
    assert again.venues["bybit"].verdict == "FLAT_VERIFIED"
    assert again.venues["bybit"].orders_cancelled == 0


async def test_the_ladder_goes_to_the_worst_price_and_no_further(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_worker, "DEADLINE", 0.2)
    monkeypatch.setattr(kill_worker, "RETRY", 0.05)
    monkeypatch.setattr(kill_worker, "SETTLE", 0.0)
    scene.trade("bybit")
    venue = scene.venues["bybit"]
    book = venue.core.tapes[BTC].book
    for tick, _ in book.levels(1, 1000):
        book.set_level(1, tick, 0)
    scene.executor.pull(KillMode.FLATTEN, "test", "me", "bybit")
    report = await scene.executor.report()
    assert report.venues["bybit"].verdict == "INCOMPLETE"
    steps = [call.split()[1] for call in scene.gateways["bybit"].calls if "reduce" in call]
    assert steps[:5] == ["0.003", "0.006", "0.012", "0.024", "0.03"]
    assert set(steps[5:]) <= {"0.03"}
    assert [r.kind for r in venue.reports()] == [OrderKind.STOP]
    venue.move()
    await until(lambda: scene.verdicts()["bybit"] == "FLAT_VERIFIED")


def test_what_is_not_proved_says_how_far_it_is_and_forgets_trouble_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_worker, "DEADLINE", 0.4)
    monkeypatch.setattr(kill_worker, "RETRY_SOON", 0.01)

    async def story() -> None:
        scene = Scene(tmp_path)
        scene.executor._means = msgspec.structs.replace(scene.executor._means, validity=0.8)
        for name in scene.venues:
            scene.trade(name)
        scene.venues["okx"].down = True
        asyncio.get_running_loop().call_later(0.1, setattr, scene.venues["okx"], "down", False)
        scene.gateways["bybit"].hang = True
        scene.executor.pull(KillMode.FLATTEN, "test", "me")
        report = await scene.executor.report()
        for name, verdict in (
            ("binance", "INCOMPLETE"),
            ("okx", "INCOMPLETE"),
            ("bybit", "INCOMPLETE"),
        ):
            assert report.venues[name].verdict == verdict
        for name in ("binance", "okx"):
            said = report.venues[name].detail
            assert re.fullmatch(r"nothing left to do at 0\.\d s, not proved yet", said), said
        assert report.venues["bybit"].detail == "no look at it succeeded"
        await until(lambda: scene.verdicts()["okx"] == "FLAT_VERIFIED")
        assert scene.executor.runs["okx"].detail == ""
        await scene.executor.close()

    # Seconds of a loop that waits for nothing: what is in time does not hang on the machine.
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def test_an_order_that_stays_does_not_take_all_requests(tmp_path: Path) -> None:
    async def story() -> None:
        scene = Scene(tmp_path)
        scene.trade("okx")
        gateway = scene.gateways["okx"]

        async def accepted(orders: Sequence[OrderReport]) -> int:
            gateway.calls.append("cancel_orders")
            return len(orders)

        gateway.cancel_orders = accepted  # type: ignore[method-assign]
        scene.executor.pull(KillMode.CANCEL, "test", "me")
        report = await scene.executor.report()
        assert report.venues["okx"].verdict == "INCOMPLETE"
        assert 5 <= gateway.calls.count("cancel_orders") < 30
        await asyncio.sleep(60)
        before = asyncio.get_running_loop().time()
        scene.executor.pull(KillMode.FLATTEN, "test", "me")
        await until(lambda: not scene.venues["okx"].positions())
        assert asyncio.get_running_loop().time() - before < 0.5, "more is asked for: at once"
        await scene.executor.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def test_a_position_that_cannot_be_closed_here_is_named_and_never_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        scene = Scene(tmp_path)
        scene.trade("okx")
        gateway = scene.gateways["okx"]
        ask = gateway.positions

        async def with_a_future() -> tuple[PositionReport, ...]:
            dated = PositionReport("okx", "BTC-USDT-260327", Decimal(3), Decimal(60_000), 1)
            return (*await ask(), dated)

        gateway.positions = with_a_future  # type: ignore[method-assign]
        scene.executor.pull(KillMode.FLATTEN, "test", "me")
        report = await scene.executor.report()
        assert report.venues["bybit"].verdict == "FLAT_VERIFIED"
        okx = report.venues["okx"]
        assert okx.verdict == "INCOMPLETE"
        assert okx.detail.startswith("BTC-USDT-260327: not traded here, close it by hand")
        assert not scene.venues["okx"].positions(), "what can be closed is"
        assert {intent.order.symbol for intent in scene.intents} == {BTC}
        await scene.executor.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


async def test_a_position_that_changes_under_the_kill_is_closed_from_where_it_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_worker, "SETTLE", 0.0)
    scene.trade("bybit")
    venue, gateway = scene.venues["bybit"], scene.gateways["bybit"]
    held: list[Decimal] = []
    reduce = gateway.reduce
    sizes = iter(("1.2", "0.3"))  # flips the 0.5 to -0.7, then to -1.0

    async def meddled(position: PositionReport, *rest: Any) -> OrderSent:
        if (size := next(sizes, None)) is not None:
            order = Order(
                scene.ids.next(Purpose.MANUAL), "bybit", BTC, Side.SELL, OrderKind.MARKET,
                Decimal(size), 1,
            )  # fmt: skip
            venue.place(order)
        before = sum(abs(each.qty) for each in venue.positions())
        sent = await reduce(position, *rest)
        held.append(before - sum(abs(each.qty) for each in venue.positions()))
        return sent

    monkeypatch.setattr(gateway, "reduce", meddled)
    scene.executor.pull(KillMode.FLATTEN, "test", "me", "bybit")
    report = await scene.executor.report()
    assert report.venues["bybit"].verdict == "FLAT_VERIFIED"
    assert venue.positions() == ()
    assert len(held) >= 3
    assert all(less >= 0 for less in held), "no reducing order made it larger"


async def test_dust_is_told_as_dust_and_by_how_much(scene: Scene) -> None:
    scene.trade("okx")
    rules = scene.venues["okx"].core.instruments[BTC]
    dusty = msgspec.structs.replace(rules, min_qty=Decimal(1))
    means = scene.executor._means
    scene.executor._means = msgspec.structs.replace(
        means, instruments={**means.instruments, ("okx", BTC): dusty}
    )
    scene.executor.pull(KillMode.FLATTEN, "test", "me", "okx")
    report = await scene.executor.report()
    assert report.venues["okx"].verdict == "FLAT_DUST"
    assert report.venues["okx"].detail == f"{BTC} 0.5"
    assert scene.venues["okx"].reports() == ()
    assert not [call for call in scene.gateways["okx"].calls if "reduce" in call]


async def test_a_broken_journal_does_not_keep_a_position_open(scene: Scene) -> None:
    scene.trade("okx")
    scene.journal_down = True
    scene.executor.pull(KillMode.FLATTEN, "test", "me")
    report = await scene.executor.report()
    assert report.venues["okx"].verdict == "FLAT_VERIFIED"


async def test_a_question_without_an_answer_is_asked_again_beside_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_worker, "ASK_AGAIN", 0.02)
    scene.trade("okx")
    gateway = scene.gateways["okx"]
    asked = 0
    positions = gateway.positions

    async def every_other() -> object:
        nonlocal asked
        asked += 1
        if asked % 2:
            await asyncio.Event().wait()
        return await positions()

    gateway.positions = every_other  # type: ignore[method-assign, assignment]
    scene.executor.pull(KillMode.FLATTEN, "test", "me", "okx")
    report = await scene.executor.report()
    assert report.venues["okx"].verdict == "FLAT_VERIFIED"
    assert report.venues["okx"].attempts == 1
    assert report.venues["okx"].orders_cancelled == 2
