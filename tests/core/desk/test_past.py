from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from core.clock import SystemClock
from core.desk.lines import Lines
from core.desk.past import Told
from core.model.event import Event
from core.model.market import Fact, FactTold
from tests.core.desk.loopback import LoopGateway, LoopVenue
from tests.waiting import until

BTC = "BTC/USDT:USDT"


async def test_a_new_model_need_not_wait_for_the_next_hour() -> None:
    """What was told of between the last answer and its coming, nobody kept."""
    loop = LoopVenue("bybit")
    loop.past = {fact: [(60, 100.0)] for fact in Fact}
    venue: Any = SimpleNamespace(venue="bybit", up=True, gateway=LoopGateway(loop))
    events: list[Event] = []
    listed: Any = {("bybit", BTC): None}
    told = Told([BTC], 60, listed, events.append, Lines(SystemClock()), SystemClock())

    def known() -> set[float]:
        return {event.value for event in events if isinstance(event, FactTold)}

    task = asyncio.create_task(told.bring([venue]))
    try:
        await until(lambda: known() == {100.0})
        loop.past[Fact.INDEX] = [(60, 100.0), (120, 101.0)]
        told.want()
        await until(lambda: known() == {100.0, 101.0})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
