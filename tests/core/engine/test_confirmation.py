"""With ``confirm_signals`` a strategy's entry waits for a person, and passes the gate twice."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.effect import Answer, RiskEvent, SubmitOrder
from core.model.event import AnswerSignal, Disarm, Kill, KillMode, Pause, Verdict
from core.model.record import SignalAnswered, SignalHeld
from core.portfolio.ledger import Ledger
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene, config
from tests.core.engine.test_round import RISE, scaled


def waiting(**changes: object) -> tuple[Scene, SignalHeld]:
    """A scene in which one purchase waits."""
    scene = Scene(config(confirm_signals=True, **changes))
    scene.open()
    scene.closes(*scaled(*RISE))
    assert scene.orders() == []
    (held,) = scene.of_journal(SignalHeld)
    return scene, held


def answer(scene: Scene, held: SignalHeld, verdict: Verdict, qty: str | None = None) -> Answer:
    wanted = None if qty is None else Decimal(qty)
    command = AnswerSignal("r1", "ann", scene.now, held.order.client_id, verdict, wanted)
    (reply,) = scene.of(Answer, scene.give(command))
    assert isinstance(reply, Answer)
    return reply


def ended(scene: Scene) -> list[tuple[str, str]]:
    return [(r.verdict, r.actor) for r in scene.of_journal(SignalAnswered)]


def outcome(scene: Scene) -> str:
    return scene.engine._world.slots["bybit", BTC].outcome


def test_an_entry_waits_and_is_sent_when_approved() -> None:
    scene, held = waiting()
    assert outcome(scene) == Code.AWAITING_APPROVAL
    scene.now += 2 * SECOND
    reply = answer(scene, held, Verdict.APPROVE)
    assert (reply.ok, reply.client_ids) == (True, (held.order.client_id,))
    (order,) = scene.orders()
    assert (order.client_id, order.qty) == (held.order.client_id, held.order.qty)
    assert order.created == scene.now, "its validity counts from when it is sent"
    assert ended(scene) == [("approved", "ann")]
    assert outcome(scene) == order.client_id
    assert scene.engine.why(order.client_id) is not None
    # Protection follows as ever, and the same id is not answered twice.
    scene.serve([SubmitOrder(order)], 49500.0)
    assert [o.kind.value for o in scene.orders()] == ["market", "stop"]
    assert answer(scene, held, Verdict.APPROVE).code == Code.NO_SUCH_SIGNAL


def test_resizing_goes_through_the_gate_and_a_refused_size_goes_on_waiting() -> None:
    scene, held = waiting()
    reply = answer(scene, held, Verdict.APPROVE, "0.5")
    assert (reply.ok, reply.code) == (False, Code.ORDER_NOTIONAL)
    assert "limit 2000.00" in reply.detail
    assert scene.orders() == []
    assert scene.of(RiskEvent)[-1].request == "r1"
    assert answer(scene, held, Verdict.APPROVE, "0.0105").code == Code.BAD_QUANTITY
    assert answer(scene, held, Verdict.APPROVE, "0.01").ok
    assert scene.orders()[0].qty == Decimal("0.01")


def test_the_gate_judges_what_is_approved_by_the_moment_it_is_approved() -> None:
    scene, held = waiting()
    scene.give(Pause("ann", BTC, True, scene.now))
    assert answer(scene, held, Verdict.APPROVE).code == Code.SYMBOL_PAUSED
    scene.give(Pause("ann", BTC, False, scene.now))
    scene.now += 6 * SECOND
    assert answer(scene, held, Verdict.APPROVE).code == Code.STALE_DATA
    assert scene.orders() == []


def test_a_rejected_entry_is_not_sent() -> None:
    scene, held = waiting()
    assert answer(scene, held, Verdict.REJECT).ok
    assert (ended(scene), outcome(scene)) == ([("rejected", "ann")], Code.NOT_APPROVED)
    scene.wait(120)
    assert scene.orders() == []
    assert ended(scene) == [("rejected", "ann")]


def test_nobody_answers_in_time() -> None:
    scene, held = waiting(confirm_within=30)
    (view,) = scene.engine._execution.confirmation.view()
    assert view.expires == held.expires == held.order.created + 30 * SECOND
    scene.wait(29)
    assert ended(scene) == []
    scene.wait(2)
    assert (ended(scene), outcome(scene)) == ([("expired", "engine")], Code.APPROVAL_EXPIRED)
    assert scene.orders() == []


def test_disarm_and_kill_withdraw_what_waits() -> None:
    scene, held = waiting()
    scene.give(Disarm("ann", scene.now))
    assert ended(scene) == [("withdrawn", "ann")]
    assert answer(scene, held, Verdict.APPROVE).code == Code.NO_SUCH_SIGNAL
    scene, held = waiting()
    scene.give(Kill(KillMode.CANCEL, "bob", "test", scene.now))
    assert ended(scene) == [("withdrawn", "bob")]
    assert scene.orders() == []


def test_a_strategy_that_changes_its_mind_withdraws_its_entry() -> None:
    scene, held = waiting()
    scene.closes(*scaled(95.0, 90.0))
    assert ended(scene)[0] == ("withdrawn", "ema_cross")
    (other,) = scene.of_journal(SignalHeld)[1:]
    assert (held.order.side, other.order.side) == ("buy", "sell")


def test_an_exit_does_not_wait_but_the_entry_after_it_does() -> None:
    scene, held = waiting()
    answer(scene, held, Verdict.APPROVE)
    scene.serve([SubmitOrder(o) for o in scene.orders()], 49500.0)
    out = scene.serve(scene.closes(*scaled(95.0, 90.0)), 45000.0)
    assert [o.purpose.value for o in scene.orders(out)] == ["exit"]
    assert not scene.engine.ledger.open
    (_, short) = scene.of_journal(SignalHeld)
    assert short.order.side == "sell"


def test_what_the_gate_refuses_is_put_before_nobody() -> None:
    scene = Scene(config(confirm_signals=True))
    scene.open()
    scene.give(Pause("ann", BTC, True, scene.now))
    scene.closes(*scaled(*RISE))
    assert scene.of_journal(SignalHeld) == []
    assert outcome(scene) == Code.SYMBOL_PAUSED


def test_a_restart_sends_nothing_that_waited() -> None:
    scene, _ = waiting()
    ledger = Ledger.replay(scene.journal)
    again = Scene(config(confirm_signals=True), ledger)
    again.now = scene.now + SECOND
    again.open()
    again.wait(5)
    assert again.orders() == []
    assert again.engine._execution.confirmation.view() == ()
