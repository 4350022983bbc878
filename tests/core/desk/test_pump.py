"""What the pump does when the engine, or something behind it, fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from core.desk import latch
from core.desk.desk import Desk
from core.model.effect import Effect
from core.model.event import Arm, Event, InvariantBroken, Kill, KillMode, Tick, TradingState
from tests.core.desk.test_desk import Stage, bought, order, stage, until_armed
from tests.waiting import until

__all__ = ["stage"]

Process = Callable[[Event], tuple[Effect, ...]]


def failing(desk: Desk, *kinds: type) -> list[Event]:
    """Have the engine fail on some events; return those it failed on."""
    process: Process = desk.engine.process
    failed: list[Event] = []

    def fail(event: Event) -> tuple[Effect, ...]:
        if isinstance(event, kinds):
            failed.append(event)
            raise RuntimeError(f"no {type(event).__name__} today")
        return process(event)

    desk.engine.process = fail  # type: ignore[method-assign]
    return failed


async def test_a_kill_is_carried_out_though_the_engine_fails_on_it(stage: Stage) -> None:
    desk = stage.desk(strategy="manual")
    async with stage.running(desk):
        await bought(desk)
        failing(desk, Kill, InvariantBroken)
        kill = Kill(KillMode.FLATTEN, "me", "now", time.time_ns())
        assert (await desk.window.command(kill)).ok
        report = await desk.window.kill_report()
        assert {run.verdict for run in report.venues.values()} == {"FLAT_VERIFIED"}
        assert not any(venue.positions() for venue in stage.venues.values())
        latched = latch.read(desk._home.latch("practice"))
        assert latched is not None
        assert (latched.cause, latched.mode) == ("now", KillMode.FLATTEN)
        assert desk.engine.opens, "the engine has not understood"
        await desk.window.command(order("okx"))
        assert not stage.venues["okx"].positions()


async def test_a_kill_of_a_venue_that_is_not_there_halts_and_says_so(stage: Stage) -> None:
    del stage.venues["okx"]
    desk = stage.desk(strategy="manual")
    desk.config = desk.config.model_copy(update={"venues": ("bybit", "binance")})
    async with stage.running(desk):
        await until_armed(desk)
        answer = await desk.window.command(Kill(KillMode.FLATTEN, "me", "now", 1, "okx"))
        assert answer.detail == "halted: flatten, but there is no okx here"
        assert desk.pump.state is TradingState.HALTED
        assert (await desk.window.kill_report()).venues == {}
        latched = latch.read(desk._home.latch("practice"))
        assert latched is None or latched.pending == ()
        assert not [line for line in desk.lines.last(100) if "failed" in line.text]


async def test_an_engine_that_cannot_be_told_of_its_failure_opens_nothing(stage: Stage) -> None:
    desk = stage.desk(strategy="manual")
    async with stage.running(desk):
        await until_armed(desk)
        failing(desk, Tick, InvariantBroken)
        desk.pump.sink(Tick(time.time_ns()))
        assert desk.engine.opens
        sent = len(stage.venues["okx"].submits)
        await desk.window.command(order("okx"))
        await desk.pump.drain(5)
        assert len(stage.venues["okx"].submits) == sent


async def test_a_failure_closes_the_gate_and_is_told_once_in_a_while(stage: Stage) -> None:
    desk = stage.desk(strategy="manual")
    async with stage.running(desk):
        await until_armed(desk)
        failed = failing(desk, Tick)
        for _ in range(50):
            desk.pump.sink(Tick(time.time_ns()))
        assert desk.pump.state is TradingState.REDUCING
        assert len(failed) >= 50
        told = [line for line in desk.lines.last(100) if "the engine failed" in line.text]
        assert len(told) == 1
        # Whoever arms again is told again, and at once.
        await desk.window.command(Arm("me", time.time_ns()))
        assert desk.pump.state is TradingState.ARMED
        desk.pump.sink(Tick(time.time_ns()))
        assert desk.pump.state is TradingState.REDUCING


async def test_what_cannot_be_told_is_done_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = stage.desk(strategy="manual")

    def fail(*_: Any) -> None:
        raise RuntimeError("no line today")

    async with stage.running(desk):
        await bought(desk)
        monkeypatch.setattr(desk.lines, "event", fail)
        kill = Kill(KillMode.FLATTEN, "me", "now", time.time_ns())
        assert (await desk.window.command(kill)).ok
        assert desk.pump.state is TradingState.HALTED
        report = await desk.window.kill_report()
        assert {run.verdict for run in report.venues.values()} == {"FLAT_VERIFIED"}
        monkeypatch.undo()
    stage.check_agrees(desk.window.snapshot())


async def test_a_task_that_runs_once_does_not_die_in_silence(stage: Stage) -> None:
    desk = stage.desk(strategy="manual")
    async with stage.running(desk):
        await until_armed(desk)

        async def die() -> None:
            raise RuntimeError("no guard today")

        desk._tasks.start(die(), "ready")
        await until(lambda: desk.pump.state is TradingState.REDUCING)
        assert any("no guard today" in line.text for line in desk.lines.last(100))
