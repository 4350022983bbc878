"""Every position of ours has a working stop of its size, or is closed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from core.engine.picture import ShellFacts
from core.model.effect import Answer, CancelOrder, RiskEvent
from core.model.event import (
    Arm,
    Cancel,
    Close,
    InvariantBroken,
    Kill,
    KillMode,
    KillReported,
    MoveStop,
    Pause,
    Submit,
    TradingState,
    VenueOpened,
)
from core.model.market import Side, Ticker
from core.model.order import CancelSent, Fill, Order, OrderKind, OrderStatus, Outcome, Purpose
from core.portfolio.checkpoint import Checkpoint, restore, take
from core.portfolio.ledger import Ledger
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene, config
from tests.core.engine.test_unknown import RISE

D = Decimal
FALL = [p * 500 for p in (95.0, 90.0)]


def entered(scene: Scene | None = None) -> tuple[Scene, Order]:
    scene = scene or Scene()
    scene.open()
    (entry,) = scene.orders(scene.closes(*RISE))
    scene.give(scene.sent(entry))
    return scene, entry


def codes(scene: Scene) -> list[str]:
    return [event.code for event in scene.of(RiskEvent)]


def answers(scene: Scene, *events: object) -> list[Answer]:
    return scene.of(Answer, scene.give(*events))  # type: ignore[arg-type]


def test_the_stop_follows_partial_fills_and_the_old_one_goes_after_the_new_one_works() -> None:
    scene, entry = entered()
    (first,) = scene.orders(scene.give(scene.fill_of(entry, 49_500, "0.010")))
    assert first.qty == D("0.010")
    scene.give(scene.sent(first))
    assert scene.orders(scene.give(scene.fill_of(entry, 49_500, "0.005"))) == []  # too soon
    (second,) = scene.orders(scene.wait(1, step=0.25))
    assert second.qty == D("0.015")
    assert scene.cancels() == []
    scene.give(scene.sent(second))
    assert scene.cancels() == [first.client_id]
    scene.give(scene.report_of(first, OrderStatus.CANCELLED))
    (third,) = scene.orders(scene.give(scene.fill_of(entry, 49_500, "0.017")))
    assert third.qty == entry.qty
    out = scene.give(scene.sent(third))
    assert scene.cancels(out) == [second.client_id]


def test_a_refused_stop_is_tried_again_and_then_the_position_is_closed() -> None:
    scene, entry = entered()
    out = scene.give(scene.fill_of(entry, 49_500))
    refused = 0
    for _ in range(60):
        for order in scene.orders(out):
            if order.kind is OrderKind.STOP:
                refused += 1
                out += scene.give(scene.sent(order, Outcome.REJECTED, code="110"))
        if any(o.purpose is Purpose.EXIT for o in scene.orders(out)):
            break
        out = scene.wait(0.5)
    assert 2 <= refused <= 12
    assert Code.UNPROTECTED in codes(scene)
    (closing,) = [o for o in scene.orders() if o.purpose is Purpose.EXIT]
    assert (closing.qty, closing.reduce_only) == (entry.qty, True)


def test_a_stop_that_is_not_acknowledged_is_no_protection() -> None:
    scene, entry = entered()
    scene.give(scene.fill_of(entry, 49_500))
    scene.wait(12)
    assert Code.UNPROTECTED in codes(scene)


def test_a_price_beyond_the_stop_closes_at_once() -> None:
    scene, entry = entered()
    scene.give(
        Ticker("bybit", BTC, None, 47_000.0, None, None, None, None, None, scene.now, scene.now)
    )
    out = scene.give(scene.fill_of(entry, 49_500))
    assert [o.purpose for o in scene.orders(out)] == [Purpose.EXIT]
    assert Code.STOP_PASSED in codes(scene)


def test_a_stop_that_fires_leaves_nothing_behind() -> None:
    scene, entry = entered()
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500)))
    scene.give(scene.sent(stop))
    out = scene.give(scene.fill_of(stop, 48_500))
    assert scene.orders(out) == []
    assert scene.engine.ledger.open == {}
    assert scene.engine.ledger.working == {}
    assert scene.engine._world.active == {}


def test_a_losing_streak_pauses_the_instrument() -> None:
    scene = Scene(config(limits={"loss_streak": 1, "loss_streak_cooldown": "60s"}))
    scene, entry = entered(scene)
    scene.serve(scene.give(scene.fill_of(entry, 49_500)), 49_500)
    out = scene.serve(scene.closes(*FALL), FALL[-1])
    assert [o.purpose for o in scene.orders(out)] == [Purpose.EXIT]
    assert codes(scene)[-2:] == [Code.LOSS_STREAK, Code.COOLING_DOWN]
    scene.wait(61)
    scene.give(scene.true_sweep())
    out = scene.closes(*[p * 500 for p in (80.0, 80.0, 80.0, 90.0)])
    assert [o.purpose for o in scene.orders(out)] == [Purpose.ENTRY]


def test_a_drawdown_halts_and_flattens_by_itself() -> None:
    scene = Scene(config(limits={"position_notional": 1, "order_notional": 1, "loss_to_stop": 1}))
    scene, entry = entered(scene)
    scene.serve(scene.give(scene.fill_of(entry, 49_500)), 49_500)
    scene.wait(1)
    assert scene.engine.state is TradingState.ARMED
    for price in (49_000.0, 47_500.0):
        scene.wait(1)
        scene.give(scene.book(price))
    scene.wait(1)
    assert scene.engine.state is TradingState.HALTED
    assert Code.DAILY_LOSS in codes(scene)
    kill = [e for e in scene.effects if type(e).__name__ == "ExecuteKill"]
    assert [(e.mode, e.actor) for e in kill] == [(KillMode.FLATTEN, "engine")]


def test_during_a_flattening_kill_protection_is_left_to_the_executor() -> None:
    scene, entry = entered()
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500)))
    scene.give(scene.sent(stop), Kill(KillMode.FLATTEN, "person", "test", scene.now))
    out = scene.give(scene.report_of(stop, OrderStatus.CANCELLED))
    assert scene.orders(out + scene.wait(20)) == []
    # It could not finish: the position is protected again, in HALTED.
    out = scene.give(KillReported("bybit", KillMode.FLATTEN, "INCOMPLETE", 1, 0, 60.0, scene.now))
    assert [o.kind for o in scene.orders(out)] == [OrderKind.STOP]


def test_after_a_cancelling_kill_the_stop_stays() -> None:
    scene, entry = entered()
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500)))
    scene.give(scene.sent(stop), Kill(KillMode.CANCEL, "person", "test", scene.now))
    out = scene.give(scene.report_of(stop, OrderStatus.CANCELLED))
    assert [o.kind for o in scene.orders(out)] == [OrderKind.STOP]


def test_a_manual_order_passes_the_gate_and_gets_its_stop() -> None:
    scene = Scene()
    scene.open()
    scene.give(scene.book(50_000))

    def submit(request: str, qty: str, **more: object) -> Submit:
        return Submit(request, "me", "bybit", BTC, Side.BUY, D(qty), scene.now, **more)  # type: ignore[arg-type]

    (big,) = answers(scene, submit("r1", "1"))
    assert (big.request, big.ok, big.code) == ("r1", False, Code.ORDER_NOTIONAL)
    assert "2000.00" in big.detail
    (odd,) = answers(scene, submit("r2", "0.0101234"))
    assert odd.code == Code.BAD_QUANTITY
    (unlisted,) = answers(
        scene, Submit("r3", "me", "bybit", "NO/USDT:USDT", Side.BUY, D(1), scene.now)
    )
    assert unlisted.code == Code.UNKNOWN_INSTRUMENT
    (below,) = answers(scene, submit("r3", "0.001", stop=D(-1)))
    assert below.code == Code.BAD_STOP
    (good,) = answers(scene, submit("r4", "0.02", stop=D("49123.46")))
    assert good.ok
    (order,) = scene.orders()
    assert good.client_ids == (order.client_id,)
    out = scene.execute(order, 50_000)
    (stop,) = scene.orders(out)
    assert (stop.trigger, stop.qty, stop.strategy) == (D("49123.5"), D("0.02"), "me")
    # A strategy leaves it alone.
    scene.serve(out, 50_000)
    scene.closes(*RISE, *FALL)
    assert len(scene.orders()) == 2


def test_a_position_in_what_the_venue_lists_no_more_is_kept_and_can_be_closed() -> None:
    scene = Scene()
    scene.open()
    scene.give(scene.book(50_000))
    wish = Submit("r", "me", "bybit", BTC, Side.BUY, D("0.02"), scene.now, stop=D(49_000))
    assert answers(scene, wish)[0].ok
    scene.serve(scene.execute(scene.orders()[0], 50_000), 50_000)
    scene.give(VenueOpened("bybit", "bybit-1", (), 0.0, scene.now))
    scene.wait(1)
    scene.give(scene.true_sweep())
    scene.wait(3)
    assert scene.engine.ledger.open["bybit", BTC].qty == D("0.02")
    (closed,) = answers(scene, Close("c", "me", scene.now))
    assert closed.ok


def test_close_and_cancel_work_when_halted() -> None:
    scene, entry = entered()
    out = scene.give(scene.fill_of(entry, 49_500))
    scene.serve(out, 49_500)
    scene.give(Kill(KillMode.HALT, "person", "test", scene.now))
    (half,) = answers(scene, Close("r1", "me", scene.now, fraction=D("0.5")))
    assert half.ok
    order = scene.orders()[-1]
    assert (order.qty, order.reduce_only) == (D("0.016"), True)
    scene.serve(scene.execute(order, 49_500), 49_500)
    assert scene.engine.ledger.open["bybit", BTC].qty == D("0.016")
    assert [o.order.qty for o in scene.engine.ledger.working.values()] == [D("0.016")]
    (rest,) = answers(scene, Close("r2", "me", scene.now, symbol=BTC))
    scene.serve(scene.execute(scene.orders()[-1], 49_500), 49_500)
    assert rest.ok
    assert scene.engine.ledger.open == {}
    assert scene.engine.ledger.working == {}
    (none,) = answers(scene, Close("r3", "me", scene.now))
    assert none.code == Code.NOTHING_TO_DO


def test_a_price_that_rounds_to_nothing_is_no_price() -> None:
    scene, entry = entered()
    scene.give(scene.fill_of(entry, 49_500))
    wish = Submit(
        "r", "me", "bybit", BTC, Side.SELL, D("0.001"), scene.now,
        OrderKind.LIMIT, D("0.00001"), reduce_only=True,
    )  # fmt: skip
    (answer,) = answers(scene, wish)
    assert (answer.ok, answer.code) == (False, Code.BAD_PRICE)


def test_cancel_by_id_by_symbol_and_until_it_is_done() -> None:
    scene = Scene()
    scene.open()
    scene.give(scene.book(50_000))
    scene.give(
        Submit(
            "r",
            "me",
            "bybit",
            BTC,
            Side.BUY,
            D("0.02"),
            scene.now,
            kind=OrderKind.LIMIT,
            price=D(49_000),
        )
    )
    (order,) = scene.orders()
    (early,) = answers(scene, Cancel("c1", "me", scene.now, symbol=BTC))
    assert early.client_ids == (order.client_id,)
    assert scene.cancels() == []  # not before the venue has it
    scene.give(scene.sent(order))
    assert scene.cancels() == [order.client_id]
    scene.wait(60)
    assert len(scene.cancels()) == 3 + 5  # nobody answers: the venue may be back at any time
    refusal = CancelSent("bybit", BTC, order.client_id, Outcome.REJECTED, scene.now, "1", "closed")
    scene.give(refusal)
    before = len(scene.cancels())
    scene.wait(50)
    assert len(scene.cancels()) == before
    scene.wait(15)
    assert len(scene.cancels()) == before + 1  # while the venue has it, but not in a loop
    assert codes(scene).count(Code.CANCEL_FAILED) == 1
    scene.give(scene.report_of(order, OrderStatus.CANCELLED))
    (gone,) = answers(scene, Cancel("c2", "me", scene.now, client_id=order.client_id))
    assert gone.code == Code.NO_SUCH_ORDER


def test_a_paused_symbol_closes_but_does_not_open() -> None:
    scene, entry = entered()
    scene.serve(scene.give(scene.fill_of(entry, 49_500)), 49_500)
    scene.give(Pause("me", BTC, True, scene.now))
    out = scene.serve(scene.closes(*FALL), FALL[-1])
    assert [o.purpose for o in scene.orders(out)] == [Purpose.EXIT]
    assert codes(scene)[-1] == Code.SYMBOL_PAUSED


def test_a_broken_invariant_only_reduces_until_armed_again() -> None:
    scene, entry = entered()
    scene.serve(scene.give(scene.fill_of(entry, 49_500)), 49_500)
    scene.give(InvariantBroken("TASK_DIED", "sweeper", scene.now))
    assert scene.engine.state is TradingState.REDUCING
    out = scene.serve(scene.closes(*FALL), FALL[-1])
    assert [o.purpose for o in scene.orders(out)] == [Purpose.EXIT]
    (armed,) = answers(scene, Arm("me", scene.now))
    assert armed.ok


def test_rejects_in_a_row_stop_a_venue_until_armed_again() -> None:
    scene = Scene(config(limits={"rejects_in_a_row": 1}))
    scene.open()
    (entry,) = scene.orders(scene.closes(*RISE))
    scene.give(scene.sent(entry, Outcome.REJECTED, code="110007"))
    assert scene.orders(scene.closes(*FALL)) == []
    assert codes(scene)[-1] == Code.REJECTS_IN_A_ROW
    scene.give(Arm("me", scene.now))
    assert scene.orders(scene.closes(*[p * 500 for p in (92.0, 99.0)]))


def test_nothing_is_opened_on_an_old_book() -> None:
    scene = Scene()
    scene.open()
    for price in RISE:
        scene.wait(5)
        # The book stays behind: only candles go on.
        if price is RISE[0]:
            scene.give(scene.book(price))
        scene.give(scene.candle(price))
    assert scene.orders() == []
    assert codes(scene) == [Code.STALE_DATA]


def test_a_stop_is_cancelled_when_flat_by_hand_outside() -> None:
    scene, entry = entered()
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500)))
    scene.give(scene.sent(stop))
    out = scene.give(
        Fill(
            "bybit",
            BTC,
            "web",
            "",
            "v77",
            Side.SELL,
            entry.qty,
            D(49_400),
            D(1),
            False,
            scene.now,
            scene.now,
        )
    )
    assert [c.client_id for c in scene.of(CancelOrder, out)] == [stop.client_id]
    assert scene.engine.ledger.open == {}


# --- a stop moved by hand ---------------------------------------------------------------------


def held() -> tuple[Scene, Order]:
    """A long position of 0.032 from 49,500 with its stop working."""
    scene, entry = entered()
    scene.serve(scene.give(scene.fill_of(entry, 49_500)), 49_500.0)
    scene.give(scene.report_of(entry, OrderStatus.FILLED, entry.qty))
    stop = scene.engine._world.slots["bybit", BTC].stop
    assert stop is not None
    return scene, stop.order


def move(scene: Scene, price: str) -> Answer:
    command = MoveStop("r", "me", "bybit", BTC, D(price), scene.now)
    (answer,) = answers(scene, command)
    return answer


def test_a_moved_stop_is_placed_before_the_old_one_is_cancelled() -> None:
    scene, old = held()
    before = len(scene.orders())
    assert move(scene, "49200.04").ok
    (new,) = scene.orders()[before:]
    assert (new.trigger, new.qty, new.reduce_only) == (D("49200.0"), old.qty, True)
    assert scene.cancels() == []
    scene.give(scene.sent(new))
    assert scene.cancels() == [old.client_id]
    scene.give(scene.report_of(old, OrderStatus.CANCELLED))
    scene.wait(3)
    assert len(scene.orders()) == before + 1


def test_a_position_whose_moved_stop_is_refused_is_held_by_the_old_one() -> None:
    scene, old = held()
    assert old.trigger is not None
    scene.give(scene.sent(old), scene.report_of(old, OrderStatus.OPEN))
    before = len(scene.orders())
    assert move(scene, "49200").ok
    for _ in range(30):  # longer than a position may be unprotected
        for new in scene.orders()[before:]:
            if scene.engine.ledger.find(new.client_id).status is OrderStatus.JOURNALED:  # type: ignore[union-attr]
                scene.give(scene.sent(new, Outcome.REJECTED, code="110093", reason="no"))
        scene.wait(1)
    assert Code.UNPROTECTED not in codes(scene)
    tries = scene.orders()[before:]
    assert {order.kind for order in tries} == {OrderKind.STOP}, "the position was closed"
    assert len(tries) == 3, "it is not tried for ever"
    assert scene.cancels() == []
    position = scene.engine.ledger.open["bybit", BTC]
    assert position.stop == old.trigger, "the old place is where it is now"
    picture = scene.engine.snapshot(scene.now, ShellFacts("practice", "", 0))
    assert picture.positions[0].stop == old.trigger
    assert move(scene, "49300").ok, "another place may be tried"


def test_a_moved_stop_of_unknown_outcome_leaves_the_old_one_at_work() -> None:
    scene, old = held()
    scene.give(scene.sent(old), scene.report_of(old, OrderStatus.OPEN))
    before = len(scene.orders())
    assert move(scene, "49200").ok
    (new,) = scene.orders()[before:]
    scene.give(scene.sent(new, Outcome.UNKNOWN, code="timeout"))
    scene.wait(15)
    assert Code.UNPROTECTED not in codes(scene)
    assert len(scene.orders()) == before + 1


def test_a_moved_stop_survives_a_restart() -> None:
    scene, _ = held()
    assert move(scene, "49200").ok
    ledger = Ledger.replay(scene.journal)
    assert ledger.open["bybit", BTC].stop == D("49200.0")
    again = restore(msgspec.json.decode(msgspec.json.encode(take(ledger)), type=Checkpoint))
    assert again.open["bybit", BTC].stop == D("49200.0")


def test_a_stop_may_always_come_closer_and_go_away_only_within_the_limit() -> None:
    scene, old = held()
    assert old.trigger is not None
    far = move(scene, "10000")
    assert (far.ok, far.code) == (False, Code.LOSS_TO_STOP)
    wrong = move(scene, "60000")
    assert (wrong.ok, wrong.code) == (False, Code.BAD_STOP)
    scene.give(Kill(KillMode.HALT, "me", "test", scene.now))
    assert move(scene, str(old.trigger + 100)).ok


def test_there_must_be_a_position_to_protect() -> None:
    scene = Scene()
    scene.open()
    assert move(scene, "49000").code == Code.NOTHING_TO_DO
