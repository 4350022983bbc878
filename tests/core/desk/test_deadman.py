"""The venue's own timer: set while orders rest, renewed, taken back; what happens when we die."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.clock import SystemClock
from core.desk import deadman
from core.desk.deadman import WINDOW, DeadMan
from core.desk.lines import Lines
from core.model.market import Side
from core.model.order import Order, OrderKind, Purpose
from core.orders.ids import ClientIds
from tests.core.desk.loopback import BTC, LoopGateway, LoopVenue
from tests.waiting import until


class Scene:
    def __init__(self, name: str) -> None:
        self.venue = LoopVenue(name)
        self.resting: set[str] = set()
        self.lines = Lines(SystemClock())
        self.timer = DeadMan(LoopGateway(self.venue), lambda _: self.resting, self.lines)
        self.ids = ClientIds("TEST", 1, bytes(32))

    @property
    def armed(self) -> list[str | None]:
        return [symbol for symbol, _ in self.venue.core._traders[self.venue.account].countdowns]

    def order(self, kind: OrderKind, **more: Decimal) -> Order:
        return Order(
            self.ids.next(Purpose.MANUAL), self.venue.name, BTC, Side.BUY, kind, Decimal("0.5"), 1,
            **more,
        )  # fmt: skip


@pytest.mark.parametrize(("name", "key"), [("binance", BTC), ("okx", None)])
async def test_set_while_orders_rest_and_taken_back_after(name: str, key: str | None) -> None:
    scene = Scene(name)
    await scene.timer.mind()
    assert scene.armed == []
    assert scene.timer.remaining is None
    scene.resting = {BTC}
    await scene.timer.mind()
    assert scene.armed == [key]
    remaining = scene.timer.remaining
    assert remaining is not None
    assert WINDOW - 1 < remaining <= WINDOW
    scene.resting = set()
    await scene.timer.mind()
    assert scene.armed == []
    assert scene.timer.remaining is None


async def test_a_venue_without_a_timer_says_so() -> None:
    scene = Scene("bybit")
    scene.resting = {BTC}
    task = asyncio.create_task(scene.timer.run())
    await asyncio.sleep(0)
    assert scene.timer.scope == ""
    assert scene.timer.remaining is None
    task.cancel()


async def test_a_venue_that_refuses_is_told_once_and_tried_again() -> None:
    scene = Scene("okx")
    scene.resting = {BTC}
    scene.venue.down = True
    await scene.timer.mind()
    await scene.timer.mind()
    assert sum("dead-man" in line.text for line in scene.lines.last(10)) == 1
    assert scene.timer.remaining is None
    scene.venue.down = False
    await scene.timer.mind()
    assert scene.timer.remaining is not None
    assert "works again" in scene.lines.last(1)[0].text


async def test_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadman, "RENEW", 0.0)
    scene = Scene("binance")
    scene.resting = {BTC}
    await scene.timer.mind()
    countdowns = scene.venue.core._traders[scene.venue.account].countdowns
    first = countdowns[BTC, None]
    await until(lambda: scene.timer.remaining is not None and scene.timer.remaining < WINDOW)
    await scene.timer.mind()
    assert countdowns[BTC, None] >= first


@pytest.mark.parametrize("name", ["binance", "okx"])
async def test_silence_cancels_entries_and_leaves_stops(name: str) -> None:
    scene = Scene(name)
    venue = scene.venue
    venue.place(scene.order(OrderKind.MARKET))
    mark = venue.positions()[0].mark
    assert mark is not None
    rules = venue.core.instruments[BTC]
    entry = scene.order(OrderKind.LIMIT, price=rules.round_price(mark * Decimal("0.97")))
    venue.place(entry)
    stop = Order(
        scene.ids.next(Purpose.STOP), name, BTC, Side.SELL, OrderKind.STOP, Decimal("0.5"), 1,
        trigger=rules.round_price(mark * Decimal("0.95")), reduce_only=True,
    )  # fmt: skip
    venue.place(stop)
    venue.core.arm_countdown(venue.account, 1, BTC if name == "binance" else None)

    def cancelled() -> bool:
        venue.core.tick()
        return {order.client_id for order in venue.reports()} == {stop.client_id}

    await until(cancelled)
