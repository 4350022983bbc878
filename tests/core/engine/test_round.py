"""From candles to orders to positions, flips and the kill, one event at a time."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.effect import Answer, ExecuteKill, Record, Signalled, StateChanged, SubmitOrder
from core.model.event import Arm, Disarm, Kill, KillMode, KillReported, Resume, TradingState
from core.model.market import Side
from core.model.order import OrderKind, Purpose
from core.model.record import Intent
from core.portfolio.ledger import Ledger
from tests.core.engine.scene import BTC, Scene, config

RISE = (100.0, 99.0, 98.0, 97.0, 96.0, 99.0)


def scaled(*prices: float) -> list[float]:
    return [p * 500 for p in prices]


def opened() -> Scene:
    """A long position of 0.032 BTC or so, protected."""
    scene = Scene()
    scene.open()
    out = scene.closes(*scaled(*RISE))
    scene.serve(out, scaled(RISE[-1])[0])
    return scene


def test_a_cross_buys_and_the_stop_follows_the_fill() -> None:
    scene = opened()
    entry, stop = scene.orders()
    assert (entry.side, entry.kind, entry.purpose) == (Side.BUY, OrderKind.MARKET, Purpose.ENTRY)
    # 100,000 x 2 % x 0.8 over one venue at the ask.
    assert entry.qty == Decimal("0.032")
    assert (stop.side, stop.kind, stop.reduce_only) == (Side.SELL, OrderKind.STOP, True)
    assert stop.qty == entry.qty
    position = scene.engine.ledger.open["bybit", BTC]
    assert position.qty == entry.qty
    assert stop.trigger == (position.entry * Decimal("0.98")).quantize(Decimal("0.1"))
    assert len(scene.of(Signalled)) == 1
    assert not scene.engine._execution.protection.naked


def test_the_intent_is_journalled_right_before_the_order() -> None:
    scene = opened()
    for index, effect in enumerate(scene.effects):
        if isinstance(effect, SubmitOrder):
            before = scene.effects[index - 1]
            assert isinstance(before, Record)
            assert before.record == Intent(effect.order)


def test_a_flip_closes_then_cancels_the_stop_then_enters() -> None:
    scene = opened()
    old_stop = scene.orders()[1]
    seen = len(scene.effects)
    out = scene.closes(*scaled(95.0, 90.0))
    scene.serve(out, 45_000.0)
    orders = scene.orders(scene.effects[seen:])
    assert [o.purpose for o in orders] == [Purpose.EXIT, Purpose.ENTRY, Purpose.STOP]
    assert [o.side for o in orders] == [Side.SELL, Side.SELL, Side.BUY]
    assert scene.cancels() == [old_stop.client_id]
    assert scene.engine.ledger.open["bybit", BTC].qty == -orders[1].qty
    assert set(scene.engine.ledger.working) == {orders[2].client_id}


def test_cash_is_the_sum_of_fills() -> None:
    scene = opened()
    scene.serve(scene.closes(*scaled(95.0, 90.0)), 45_000.0)
    ledger = scene.engine.ledger
    cash = ledger.accounts["bybit"].cash
    assert cash == Decimal(100_000) + ledger.realised - ledger.fees
    assert ledger.realised == Decimal("0.032") * (Decimal(45_000) - Decimal(49_500))
    replayed = Ledger.replay(scene.journal)
    assert replayed.positions == ledger.positions
    assert replayed.accounts == ledger.accounts


def test_the_kill_latches_and_stops_everything() -> None:
    scene = opened()
    out = scene.give(Kill(KillMode.FLATTEN, "person", "test", scene.now))
    assert [type(e) for e in out if not isinstance(e, Record)] == [
        StateChanged,
        ExecuteKill,
        Answer,
    ]
    assert scene.engine.state is TradingState.HALTED
    assert scene.orders(scene.closes(*scaled(95.0, 90.0, 100.0, 110.0))) == []
    answer = scene.of(Answer, scene.give(Arm("person", scene.now)))[0]
    assert not answer.ok
    # Idempotent: a second pull runs the executor again and changes no state.
    again = scene.give(Kill(KillMode.FLATTEN, "person", "again", scene.now))
    assert [type(e) for e in again] == [ExecuteKill, Answer]
    refused = scene.of(Answer, scene.give(Resume("person", scene.now)))[0]
    assert not refused.ok  # the kill is still running
    scene.give(
        KillReported("bybit", KillMode.FLATTEN, "FLAT_VERIFIED", 1, 1, 0.5, scene.now),
        Resume("person", scene.now),
    )
    assert scene.engine.state is TradingState.DISARMED


def test_a_kill_is_not_released_in_the_same_breath_but_on_practice() -> None:
    scene = Scene(config(environment="testnet"))
    scene.open()
    scene.give(Kill(KillMode.HALT, "person", "test", scene.now))
    scene.now += 21 * SECOND
    scene.give(Kill(KillMode.HALT, "person", "again", scene.now))
    (refused,) = scene.of(Answer, scene.give(Resume("person", scene.now)))
    assert not refused.ok
    assert "wait 39 s" in refused.detail
    scene.now += 39 * SECOND
    assert scene.of(Answer, scene.give(Resume("person", scene.now)))[0].ok
    practice = opened()
    practice.give(Kill(KillMode.HALT, "person", "test", practice.now))
    assert practice.of(Answer, practice.give(Resume("person", practice.now)))[0].ok


def test_halted_survives_a_restart_and_is_not_armed_by_itself() -> None:
    scene = opened()
    scene.give(Kill(KillMode.HALT, "person", "test", scene.now))
    settings = scene.settings.model_copy(update={"arm_on_start": True})
    after = Scene(settings, Ledger.replay(scene.journal))
    after.now = scene.now + 60 * SECOND
    after.open(arm=False)
    after.wait(60)
    assert after.engine.state is TradingState.HALTED


def test_disarmed_signals_are_shown_and_not_traded() -> None:
    scene = Scene()
    scene.open(arm=False)
    scene.give(Disarm("person", scene.now))
    scene.closes(*scaled(*RISE))
    assert len(scene.of(Signalled)) == 1
    assert scene.orders() == []


def test_history_never_trades() -> None:
    scene = Scene()
    scene.open(sweep=False, arm=False)
    past = scene.now - 600 * SECOND
    for index in range(120):
        price = 50_000 + (index % 20) * (300 if index % 40 < 20 else -300)
        scene.give(scene.trade(price, ts=past + index * 5 * SECOND))
    scene.give(scene.sweep())
    scene.give(Arm("test", scene.now))
    scene.wait(1)
    assert scene.of(Signalled) == []
    assert scene.orders() == []
