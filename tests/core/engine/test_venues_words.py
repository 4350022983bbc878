"""What venues do to orders against all expectation: fill too much, refuse late, not know them."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.effect import Answer, QueryOrder, RiskEvent
from core.model.event import Cancel, Submit
from core.model.market import Side
from core.model.order import CancelSent, Order, OrderKind, OrderStatus, Outcome
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene, config
from tests.core.engine.test_protection import entered

D = Decimal


def codes(scene: Scene) -> list[str]:
    return [event.code for event in scene.of(RiskEvent)]


def wish(scene: Scene, qty: str = "0.001", **more: object) -> Submit:
    scene.give(scene.book(50_000))
    return Submit("r", "me", "bybit", BTC, Side.BUY, D(qty), scene.now, **more)  # type: ignore[arg-type]


def resting(scene: Scene) -> Order:
    scene.open()
    scene.give(wish(scene, "0.02", kind=OrderKind.LIMIT, price=D(49_000)))
    (order,) = scene.orders()
    scene.give(scene.sent(order))
    return order


def test_more_filled_than_ordered_is_booked_told_and_freezes_the_symbol() -> None:
    scene, entry = entered()
    scene.give(scene.fill_of(entry, 49_500), scene.fill_of(entry, 49_500, "0.001"))
    position = scene.engine.ledger.open["bybit", BTC]
    assert position.qty == entry.qty + D("0.001"), "the venue's word is the truth"
    assert codes(scene).count(Code.OVERFILL) == 1
    # All of it is protected, and nothing is added beside it.
    scene.give(scene.sent(scene.orders()[-1]))
    last = scene.orders()[-1]
    assert (last.kind, last.qty) == (OrderKind.STOP, position.qty)
    (answer,) = scene.of(Answer, scene.give(wish(scene)))
    assert answer.code == Code.SYMBOL_FROZEN


def test_an_order_that_is_acknowledged_and_refused_later_was_never_open() -> None:
    scene, entry = entered()  # acknowledged, which means received
    out = scene.give(scene.report_of(entry, OrderStatus.REJECTED, reason="margin"))
    assert scene.engine.ledger.find(entry.client_id).status is OrderStatus.REJECTED  # type: ignore[union-attr]
    assert scene.engine.ledger.open == {}
    assert scene.orders(out) == []
    assert scene.engine._world.slots["bybit", BTC].exposure() == 0


def test_a_cancel_of_an_order_that_the_venue_does_not_know_is_a_question_and_no_loop() -> None:
    scene = Scene()
    order = resting(scene)
    scene.give(Cancel("c", "me", scene.now, client_id=order.client_id))
    gone = CancelSent("bybit", BTC, order.client_id, Outcome.REJECTED, scene.now, "110001", "none")
    out = scene.give(gone)
    assert [query.client_id for query in scene.of(QueryOrder, out)] == [order.client_id]
    # It had filled, and its word was lost: the fill ends both question and cancelling.
    scene.give(
        scene.fill_of(order, 49_000, source="sweep"),
        scene.report_of(order, OrderStatus.FILLED, order.qty, source="query"),
    )
    asked = len(scene.cancels())
    scene.wait(120)
    assert [name for name in scene.cancels()[asked:] if name == order.client_id] == []
    assert scene.engine.ledger.open["bybit", BTC].qty == order.qty


def test_a_loop_of_orders_ends_at_the_pace_limits() -> None:
    scene = Scene(config(limits={"orders_per_second": 10, "orders_per_minute": 25}))
    scene.open()
    taken: list[int] = []
    for _ in range(5):
        answers = [scene.of(Answer, scene.give(wish(scene)))[0] for _ in range(40)]
        taken.append(sum(answer.ok for answer in answers))
        scene.now += SECOND
    assert taken == [10, 10, 5, 0, 0]
    assert {Code.ORDERS_PER_SECOND, Code.ORDERS_PER_MINUTE} <= set(codes(scene))
