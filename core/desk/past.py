"""The past that risk is judged by: hourly candles of each symbol, from whichever venue has them.

They go in as events like all others, so that a replay knows them too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.clock import DAY, SECOND
from core.desk.bulkhead import Bulkhead
from core.desk.lines import Lines
from core.desk.ports import Sink
from core.errors import VenueError
from core.model.market import Candle
from core.risk.portfolio import HOUR_S, KEPT, NEEDED

LIMIT = 30.0
"""Seconds for one symbol's candles."""
AGAIN = 600.0
"""Seconds until what no venue gave is asked for again."""
_CHUNK = 100
"""Candles handed over before other tasks get the loop."""


async def bring_hours(
    symbols: Sequence[str], venues: Sequence[Bulkhead], sink: Sink, lines: Lines
) -> None:
    """Ask for three weeks of hours of every symbol, and again daily; returns never.

    The engine adds each hour that ends; asking again fills what was missed while a venue was away.
    """
    while True:
        missing = [symbol for symbol in symbols if not await _bring(symbol, venues, sink)]
        if missing:
            text = f"no {NEEDED} hours of candles of {', '.join(missing)}: their risk is a guess"
            lines.add("risk", text, "warning")
        await asyncio.sleep(AGAIN if missing else DAY / SECOND)


async def _bring(symbol: str, venues: Sequence[Bulkhead], sink: Sink) -> bool:
    for venue in venues:
        if not venue.up:
            continue
        try:
            async with asyncio.timeout(LIMIT):
                candles = await venue.gateway.candles(symbol, HOUR_S, KEPT)
        except (VenueError, TimeoutError):
            continue
        if len(candles) >= NEEDED:
            await _hand_over(candles, sink)
            return True
    return False


async def _hand_over(candles: Sequence[Candle], sink: Sink) -> None:
    for start in range(0, len(candles), _CHUNK):
        for candle in candles[start : start + _CHUNK]:
            sink(candle)
        await asyncio.sleep(0)
