"""Random lives of a desk: the journal rebuilds the ledger, and a crash anywhere loses nothing."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.clock import SECOND
from core.model import record as records
from core.model.account import FundingPaid, PositionReport
from core.model.effect import CancelOrder, SubmitOrder
from core.model.event import Arm, Close, Kill, KillMode, KillReported, Resume, TradingState
from core.model.order import Order, OrderAbsent, OrderStatus, Outcome
from core.model.record import JournalRecord
from core.portfolio.ledger import Ledger
from tests.core.engine.scene import BTC, START, Scene, config

D = Decimal


def facts(ledger: Ledger) -> dict[str, Any]:
    return {name: value for name, value in vars(ledger).items() if name != "take"}


class Life(Scene):
    """A scene whose venue has a truth of its own, and says it late, twice, or not at all."""

    def __init__(self) -> None:
        super().__init__(config(limits={"loss_streak": 100, "stale_data": "60s"}))
        self.live: dict[str, Order] = {}
        self.left: dict[str, Decimal] = {}
        self.truth = D(0)
        self.cash = D(100_000)
        self.price = 50_000.0
        self.unsaid: list[Any] = []
        self.copies: list[tuple[int, dict[str, Any]]] = []
        self.open()

    def give(self, *events: Any) -> list[Any]:
        out = super().give(*events)
        for effect in out:
            if isinstance(effect, SubmitOrder):
                self.live[effect.order.client_id] = effect.order
                self.left[effect.order.client_id] = effect.order.qty
        return out

    def step(self, action: str, number: int) -> None:
        self.now += SECOND
        getattr(self, action)(number)

    # --- what can happen

    def move(self, number: int) -> None:
        self.now += 4 * SECOND
        self.price = max(1000.0, self.price + (number - 50) * 20.0)
        self.give(self.book(self.price), self.candle(self.price))
        self.wait(1)

    def pick(self, number: int) -> Order | None:
        orders = list(self.live.values())
        return orders[number % len(orders)] if orders else None

    def accept(self, number: int) -> None:
        order = self.pick(number)
        if order is not None:
            self.give(self.sent(order))

    def lose(self, number: int) -> None:
        order = self.pick(number)
        if order is not None:
            self.give(self.sent(order, Outcome.UNKNOWN, code="timeout"))

    def refuse(self, number: int) -> None:
        order = self.pick(number)
        if order is not None and self.left[order.client_id] == order.qty:
            del self.live[order.client_id]
            self.give(self.sent(order, Outcome.REJECTED, code="x"))

    def trade_some(self, number: int) -> None:
        order = self.pick(number)
        if order is None or (order.reduce_only and self.truth * order.side.sign >= 0):
            return
        left = self.left[order.client_id]
        qty = min(left, abs(self.truth)) if order.reduce_only else left
        if number % 3 == 0:
            qty = max(D("0.001"), (qty / 2).quantize(D("0.001")))
        fill = self.fill_of(order, f"{self.price:.1f}", qty)
        self.truth += qty * order.side.sign
        self.left[order.client_id] = left - qty
        if left == qty:
            del self.live[order.client_id]
        self.unsaid.append(fill)
        if left == qty:
            self.unsaid.append(self.report_of(order, OrderStatus.FILLED, order.qty))

    def say(self, number: int) -> None:
        if self.unsaid:
            event = self.unsaid.pop(number % len(self.unsaid))
            self.give(event)
            if number % 4 == 0:
                self.give(event)

    def fund(self, number: int) -> None:
        amount = D(number - 50) / 100
        ts = START + number * SECOND
        self.give(FundingPaid("bybit", BTC, amount, D(0), ts, self.now))

    def deny(self, number: int) -> None:
        order = self.pick(number)
        if order is not None:
            self.give(OrderAbsent("bybit", BTC, order.client_id, self.now))

    def look(self, number: int) -> None:
        fills = [e for e in self.unsaid if hasattr(e, "trade_id")]
        orders = [self.report_of(o, OrderStatus.OPEN, source="sweep") for o in self.live.values()]
        held = [PositionReport("bybit", BTC, self.truth, D(1), self.now)] if self.truth else []
        self.give(self.sweep(orders=orders, positions=held, fills=fills))

    def cancel_live(self, number: int) -> None:
        asked = {e.client_id for e in self.effects if isinstance(e, CancelOrder)}
        for client_id in sorted(asked & self.live.keys()):
            order = self.live.pop(client_id)
            done = order.qty - self.left[client_id]
            self.give(self.report_of(order, OrderStatus.CANCELLED, done))

    def close(self, number: int) -> None:
        self.give(Close("r", "me", self.now))

    def halt(self, number: int) -> None:
        if number < 10:
            self.give(
                Kill(KillMode.HALT, "me", "test", self.now),
                KillReported("bybit", KillMode.HALT, "HALTED_ONLY", 0, 0, 0.1, self.now),
            )
        else:
            self.give(Resume("me", self.now), Arm("me", self.now))


ACTIONS = [
    *["move"] * 6,
    *["trade_some"] * 4,
    *["say"] * 4,
    *["accept"] * 3,
    "lose",
    "refuse",
    "fund",
    "deny",
    "look",
    "look",
    "cancel_live",
    "close",
    "halt",
]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 100)), min_size=5, max_size=80)


def live(steps: list[tuple[str, int]]) -> Life:
    life = Life()
    for action, number in steps:
        life.step(action, number)
    return life


@settings(max_examples=120)
@given(STEPS)
def test_the_journal_rebuilds_the_ledger_and_a_crash_anywhere_is_a_prefix(
    steps: list[tuple[str, int]],
) -> None:
    life = Life()
    shadow = Ledger.replay(life.journal)
    for action, number in steps:
        known = len(life.journal)
        life.step(action, number)
        # Through bytes, as the desk's journal keeps them.
        for record in life.journal[known:]:
            shadow.apply(records.decode(records.encode(record)))
        assert facts(shadow) == facts(life.engine.ledger)


@settings(max_examples=120)
@given(STEPS)
def test_money_and_positions_are_sums_of_fills(steps: list[tuple[str, int]]) -> None:
    life = live(steps)
    ledger = life.engine.ledger
    booked = [r for r in life.journal if isinstance(r, records.Fill)]
    held = sum((f.qty * f.side.sign for f in booked), D(0))
    position = ledger.positions.get(("bybit", BTC))
    assert (position.qty if position else 0) == held
    assert len({f.trade_id for f in booked}) == len(booked)
    cash = ledger.accounts["bybit"].cash
    total = D(100_000) + ledger.realised - ledger.fees + ledger.funding + ledger.adjusted
    assert abs(cash - total) < D("1e-15")
    while life.unsaid:
        life.say(1)
    assert (ledger.open[("bybit", BTC)].qty if ledger.open else 0) == life.truth


@settings(max_examples=120)
@given(STEPS)
def test_one_intent_one_order_and_nothing_opens_while_not_armed(
    steps: list[tuple[str, int]],
) -> None:
    life = Life()
    for action, number in steps:
        before = life.engine.state
        seen = len(life.effects)
        life.step(action, number)
        for order in life.orders(life.effects[seen:]):
            if TradingState.ARMED not in (before, life.engine.state):
                assert order.reduce_only
    sent = Counter(order.client_id for order in life.orders())
    intents = Counter(r.order.client_id for r in life.journal if isinstance(r, records.Intent))
    assert sent == intents
    assert set(sent.values()) <= {1}


@settings(max_examples=80)
@given(STEPS, st.integers(0, 10**6))
@example(  # a crash with an unprotected part fill and an exit on its way
    [("move", m) for m in (0, 0, 97, 0, 0)] + [("trade_some", 0), ("move", 97), ("say", 0)], 6
)
def test_a_restart_asks_and_never_sends_what_it_finds(
    steps: list[tuple[str, int]], cut: int
) -> None:
    life = live(steps)
    journal: list[JournalRecord] = life.journal[: 1 + cut % len(life.journal)]
    again = Scene(life.settings, Ledger.replay(journal))
    again.now = life.now + SECOND
    again.open(sweep=False, arm=False)
    assert again.orders() == []
    pending = {
        client_id
        for client_id, order in Ledger.replay(journal).working.items()
        if order.status in (OrderStatus.JOURNALED, OrderStatus.UNKNOWN)
    }
    asked = {e.client_id for e in again.effects if type(e).__name__ == "QueryOrder"}
    assert asked == pending
    old = {r.order.client_id for r in journal if isinstance(r, records.Intent)}
    again.give(again.true_sweep())
    again.wait(30)
    assert not old & {order.client_id for order in again.orders()}


@settings(max_examples=30)
@given(STEPS)
def test_the_same_events_give_the_same_effects(steps: list[tuple[str, int]]) -> None:
    one, two = live(steps), live(steps)
    assert one.effects == two.effects
    assert one.engine.decision_hash == two.engine.decision_hash
    again = msgspec.json.encode(one.effects)
    assert again == msgspec.json.encode(two.effects)
