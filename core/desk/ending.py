"""How a desk ends in order: nothing stays behind that could open a position."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from core.clock import Clock
from core.desk.assembly import Assembly
from core.model.event import Cancel, Disarm, TradingState


async def settle_up(parts: Assembly, clock: Clock, verdicts: float | None) -> None:
    """Stop opening risk, cancel entries, let what is on its way come home, look once more.

    Args:
        parts: the desk's.
        clock: wall time.
        verdicts: seconds to wait for the verdicts of the kill that ends the desk; None: none does.
    """
    pump = parts.pump
    if verdicts is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(verdicts):
                await parts.kill.report()
    elif pump.state is not TradingState.HALTED:
        pump.sink(Disarm("desk", clock.now()))
        _cancel_entries(parts, clock)
    await pump.drain(5.0)
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            await asyncio.gather(*(venue.sweep() for venue in pump.venues.values() if venue.up))
            await pump.drain(2.0)
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            await asyncio.gather(*(timer.disarm() for timer in parts.timers.values()))


def _cancel_entries(parts: Assembly, clock: Clock) -> None:
    """Leave nothing that could open a position: nobody would give it a stop."""
    for each in list(parts.engine.ledger.working.values()):
        if not each.terminal and not each.order.reduce_only:
            parts.pump.sink(Cancel("", "desk", clock.now(), each.order.client_id))
