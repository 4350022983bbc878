"""The pulse on virtual time: what it tells of a loop that stands still."""

from __future__ import annotations

import asyncio

import pytest

from core.desk.pulse import Pulse
from tests.simulation.virtual import VirtualLoop


async def measure(pulse: Pulse, *stalls: float) -> None:
    """Let the loop stand still once a second, for so many seconds each time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    pulse.settled = True
    running = asyncio.create_task(pulse.run())
    for seconds in stalls:
        await asyncio.sleep(1.0)
        loop.stall(seconds)
    await asyncio.sleep(1.0)
    running.cancel()


def test_each_stall_is_told_as_long_as_it_was_and_short_ones_are_not() -> None:
    told: list[float] = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        pulse = Pulse(told.append, 125.0, runner.get_loop().time)
        runner.run(measure(pulse, 0.1, 0.3, 0.05, 2.0))
    # What was left of its sleep when the loop stopped, at most 50 ms, does not count.
    assert told == [pytest.approx(275, abs=26), pytest.approx(1975, abs=26)]
    assert pulse.worst_ms == told[1]
    assert sum(pulse.lags[-1:]) == 2, "the histogram counts what is beyond its last bound"


def test_nothing_is_told_before_start_up_is_over() -> None:
    told: list[float] = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        pulse = Pulse(told.append, 125.0, runner.get_loop().time)

        async def start() -> None:
            running = asyncio.create_task(pulse.run())
            await asyncio.sleep(0.2)
            runner.get_loop().stall(1.0)  # type: ignore[attr-defined]
            await asyncio.sleep(0.2)
            running.cancel()

        runner.run(start())
    assert told == []
