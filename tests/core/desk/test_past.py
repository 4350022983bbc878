from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from core.clock import HOUR, MINUTE
from core.desk.lines import Lines
from core.desk.past import Told
from core.model.event import Event
from core.model.market import Fact, FactTold
from tests.clock import ManualClock
from tests.core.desk.loopback import LoopGateway, LoopVenue
from tests.waiting import until

BTC = "BTC/USDT:USDT"
START = 1_000 * HOUR


async def test_a_new_model_need_not_wait_for_the_next_hour() -> None:
    """What was told of between the last answer and its coming, nobody kept."""
    loop = LoopVenue("bybit")
    loop.past = {fact: [(60, 100.0)] for fact in Fact}
    venue: Any = SimpleNamespace(venue="bybit", up=True, gateway=LoopGateway(loop))
    events: list[Event] = []
    listed: Any = {("bybit", BTC): None}
    clock = ManualClock(START)
    told = Told([BTC], 60, listed, events.append, Lines(clock), clock)

    def known() -> set[float]:
        return {event.value for event in events if isinstance(event, FactTold)}

    task = asyncio.create_task(told.bring([venue]))
    try:
        await until(lambda: known() == {100.0})
        loop.past[Fact.INDEX] = [(60, 100.0), (120, 101.0)]
        told.want()  # no candle has ended: the last answer holds all there is
        assert not told._wanted.is_set()
        clock.set(START + MINUTE)
        told.want()
        await until(lambda: known() == {100.0, 101.0})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
