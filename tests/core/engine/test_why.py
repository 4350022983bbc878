"""Every decision can be asked for what it rested on."""

from __future__ import annotations

from decimal import Decimal

from core.engine.reasons import KEPT
from core.model.effect import Signalled
from core.model.event import Disarm, Submit
from core.model.market import Side
from tests.core.engine.scene import BTC, Scene, config
from tests.core.engine.test_unknown import RISE

D = Decimal
HERE = f"bybit|{BTC}"


def test_an_entry_tells_signal_size_and_every_check() -> None:
    scene = Scene()
    scene.open()
    (order,) = scene.orders(scene.closes(*RISE))
    why = scene.engine.why(order.client_id)
    assert why is not None
    assert why == scene.engine.why(HERE)
    assert why.outcome == "DONE"
    assert why.signal == scene.of(Signalled)[-1]
    assert why.sizing is not None
    size = why.sizing
    assert size.qty == order.qty
    raw = size.equity * size.part / size.price
    assert raw - size.lot < size.qty <= raw
    assert len(why.checks) > 15
    assert all(check.passed for check in why.checks)


def test_the_second_half_of_a_turn_tells_the_signal_that_turned() -> None:
    scene = Scene()
    scene.open()
    scene.serve(scene.closes(*RISE), RISE[-1])
    fall = scene.closes(47_500.0, 45_000.0)
    signal = scene.of(Signalled, fall)[-1]
    leaves = scene.engine.why(HERE)
    assert leaves is not None
    assert (leaves.signal, leaves.sizing) == (signal, None)  # the exit alone so far
    entries = [o for o in scene.orders(scene.serve(fall, 45_000.0)) if o.purpose == "entry"]
    (order,) = entries
    why = scene.engine.why(HERE)
    assert why is not None
    assert (why.client_id, why.signal) == (order.client_id, signal)
    assert why == scene.engine.why(order.client_id)
    assert why.sizing is not None
    assert len(why.checks) > 15


def test_a_refusal_tells_which_check_failed_with_the_numbers_of_then() -> None:
    scene = Scene(config(limits={"loss_to_stop": "0.0001"}))
    scene.open()
    assert scene.orders(scene.closes(*RISE)) == []
    scene.wait(60)  # the book is stale by now; it was not then
    why = scene.engine.why(HERE)
    assert why is not None
    assert why.signal is not None
    (failed,) = [check for check in why.checks if not check.passed]
    assert (why.outcome, failed.code, failed.limit) == ("LOSS_TO_STOP", "LOSS_TO_STOP", "10.00")
    assert float(failed.value) > 10


def test_a_signal_that_came_to_nothing_says_why_not() -> None:
    scene = Scene()
    scene.open()
    scene.give(Disarm("me", scene.now))
    scene.closes(*RISE)
    why = scene.engine.why(HERE)
    assert why is not None
    assert (why.outcome, why.client_id, why.checks) == ("NOT_ARMED", "", ())


def test_an_order_by_hand_has_no_signal_and_old_ones_are_forgotten() -> None:
    scene = Scene()
    scene.open()
    scene.give(scene.book(50_000.0))
    submit = Submit("r", "me", "bybit", BTC, Side.BUY, D("0.01"), scene.now)
    (order,) = scene.orders(scene.give(submit))
    why = scene.engine.why(order.client_id)
    assert why is not None
    assert why.signal is None
    assert why.sizing is None
    for _ in range(KEPT):
        scene.give(submit)
    assert scene.engine.why(order.client_id) is None
    assert scene.engine.why("nothing") is None
