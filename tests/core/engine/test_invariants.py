"""Each invariant that is looked at while the desk runs: broken by hand, it closes the gate."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from core.engine.invariants import INVARIANTS, GatePassed
from core.model.effect import RiskEvent
from core.model.event import Arm, Disarm, InvariantBroken, Tick, TradingState
from core.model.order import OrderStatus, Purpose
from core.orders.ids import ClientIds
from core.risk.codes import Code
from core.risk.gate import Approved
from tests.core.engine.scene import BTC, KEY, Scene
from tests.core.engine.test_protection import entered, held

D = Decimal


def forget_the_latch(scene: Scene) -> None:
    scene.engine._world.ledger.state = TradingState.HALTED


def take_back_a_fill(scene: Scene) -> None:
    (order,) = scene.engine.ledger.working.values()
    order.filled = D(1)
    scene.give(Tick(scene.now))
    order.filled = D(0)


def reopen(scene: Scene) -> None:
    (order,) = scene.engine.ledger.working.values()
    order.status = OrderStatus.CANCELLED
    scene.give(Tick(scene.now))
    order.status = OrderStatus.OPEN


def split(scene: Scene) -> None:
    slot = scene.engine._world.slots["bybit", BTC]
    slot.position.qty += 1
    scene.engine.ledger.positions["bybit", BTC] = type(slot.position)("bybit", BTC)


def trade_with_our_identity(scene: Scene) -> None:
    other = ClientIds("TEST", 2, KEY, 7).next(Purpose.ENTRY)
    (mine,) = scene.engine.ledger.working.values()
    report = scene.report_of(mine.order, OrderStatus.OPEN)
    scene.give(msgspec.structs.replace(report, client_id=other, venue_id="v-other"))


@pytest.mark.parametrize(
    ("code", "sabotage"),
    [
        ("INTENT_MISSING", trade_with_our_identity),
        ("LATCH_FORGOTTEN", forget_the_latch),
        ("FILLED_FELL", take_back_a_fill),
        ("ORDER_REOPENED", reopen),
        ("POSITION_SPLIT", split),
    ],
)
def test_a_breach_closes_the_gate_and_is_told_once(
    code: str, sabotage: Callable[[Scene], None]
) -> None:
    scene, _ = held()
    scene.wait(2)
    assert scene.engine.state is TradingState.ARMED
    sabotage(scene)
    scene.give(Tick(scene.now), Tick(scene.now), Tick(scene.now))
    assert scene.engine.state is TradingState.REDUCING
    told = [e.detail for e in scene.of(RiskEvent) if e.code == Code.INVARIANT]
    assert len(told) == 1
    assert told[0].startswith(code)
    assert code in {each.code for each in INVARIANTS}


def test_a_breach_that_ended_and_comes_again_closes_the_gate_again() -> None:
    scene, _ = held()
    slot = scene.engine._world.slots["bybit", BTC]
    for _ in range(2):
        scene.give(Arm("me", scene.now))
        assert scene.engine.state is TradingState.ARMED
        slot.position.qty += 1
        ours, slot.position = slot.position, msgspec.structs.replace(slot.position)
        ours.qty -= 1
        scene.give(Tick(scene.now))
        assert scene.engine.state is TradingState.REDUCING
        slot.position = ours
        scene.give(Tick(scene.now))
    assert len([e for e in scene.of(RiskEvent) if e.code == Code.INVARIANT]) == 2


def test_a_task_that_dies_every_second_is_told_once_until_somebody_arms() -> None:
    scene = Scene()
    scene.open()
    for _ in range(2):
        scene.give(Arm("me", scene.now))
        for _ in range(50):
            scene.give(InvariantBroken("TASK_DIED", "the task 'kill file' ended", scene.now))
        assert scene.engine.state is TradingState.REDUCING
    assert len([e for e in scene.of(RiskEvent) if e.code == Code.INVARIANT]) == 2


def test_an_order_that_adds_risk_cannot_be_made_while_the_desk_is_not_armed() -> None:
    scene, entry = entered()
    scene.give(Disarm("me", scene.now))
    execution = scene.engine._execution
    slot = scene.engine._world.slots["bybit", BTC]
    with pytest.raises(GatePassed):
        execution.send(slot, Approved(entry))
