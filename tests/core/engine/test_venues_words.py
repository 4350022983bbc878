"""What venues do to orders against all expectation: fill too much, refuse late, not know them."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.effect import Answer, Notify, QueryOrder, RiskEvent
from core.model.event import Cancel, Close, RulesChanged, Submit
from core.model.market import Side
from core.model.order import CancelSent, Order, OrderKind, OrderStatus, Outcome, Purpose
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene, config, instrument
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


def test_a_loop_of_orders_ends_at_the_notional_of_a_minute() -> None:
    limits = {"notional_per_minute": D("0.021"), "loss_streak": 100}
    scene = Scene(config(limits=limits))
    scene.open()
    taken = 0
    while taken < 30:
        # As fast as it is filled, it is sold again: what is held stays small.
        answer = scene.of(Answer, scene.give(wish(scene, "0.004")))[0]
        if not answer.ok:
            break
        order = scene.orders()[-1]
        scene.execute(order, 50_000)
        taken += 1
        scene.give(Close("c", "me", scene.now))
        close = scene.orders()[-1]
        assert close.reduce_only, "closing is neither counted nor refused"
        scene.execute(close, 50_000)
        scene.now += SECOND // 4
    assert (answer.code, taken) == (Code.NOTIONAL_PER_MINUTE, 10)  # of 200 USDT, of some 2,100
    scene.wait(60)
    scene.give(scene.true_sweep())
    assert scene.of(Answer, scene.give(wish(scene, "0.004")))[0].ok


def test_changed_rules_are_told_and_orders_are_made_by_them_from_then_on() -> None:
    scene, entry = entered(Scene(config(strategy={"stop_distance": D("0.0123")})))
    scene.give(scene.fill_of(entry, 49_500, "0.025"))
    (stop,) = [order for order in scene.orders() if order.purpose is Purpose.STOP]
    scene.give(scene.sent(stop), scene.report_of(entry, OrderStatus.CANCELLED, filled=D("0.025")))
    scene.wait(1)
    rules = instrument(tick=D(10), lot=D("0.01"), min_qty=D("0.01"), min_notional=D(100))
    out = scene.give(RulesChanged("bybit", (rules,), scene.now))
    (told,) = scene.of(Notify, out)
    assert told.level == "warning"
    for change in ("tick 0.1 → 10", "lot 0.001 → 0.01", "min notional 5 → 100"):
        assert change in told.text
    assert "0.025 is no multiple" in told.text
    # What has a stop keeps it; what can be closed is closed, by the new steps.
    assert scene.orders(out) == scene.cancels(out) == []
    (close,) = scene.orders(scene.give(Close("c", "me", scene.now)))
    assert (close.qty, close.reduce_only) == (D("0.02"), True)
    scene.execute(close, 49_500)
    assert scene.orders(scene.wait(30)) == [], "no order can be as small as what is left"
    # A person's order by the old steps is refused here, not by the venue.
    (answer,) = scene.of(Answer, scene.give(wish(scene, "0.015")))
    assert answer.code == Code.BAD_QUANTITY


def test_a_stop_somebody_placed_is_brought_to_the_new_ticks() -> None:
    scene = Scene()
    scene.open()
    scene.give(wish(scene, "0.02", stop=D("49007.3")))
    (order,) = scene.orders()
    scene.give(scene.sent(order))
    (stop,) = scene.orders(scene.execute(order, 50_000))
    scene.give(scene.sent(stop))
    assert stop.trigger == D("49007.3")
    rules = instrument(tick=D(5))
    (moved,) = scene.orders(scene.give(RulesChanged("bybit", (rules,), scene.now)))
    assert (moved.kind, moved.trigger, moved.qty) == (OrderKind.STOP, D(49005), D("0.02"))
    assert scene.cancels(scene.give(scene.sent(moved))) == [stop.client_id]


def test_a_stop_for_an_odd_position_covers_what_an_order_can() -> None:
    scene, entry = entered()
    scene.give(RulesChanged("bybit", (instrument(lot=D("0.01")),), scene.now))
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500, "0.025")))
    assert (stop.kind, stop.qty) == (OrderKind.STOP, D("0.02"))
    scene.give(scene.sent(stop))
    assert scene.orders(scene.wait(30)) == [], "that is all there can be"
