"""Asking a venue: what the questions of the three venues have in common."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from core.clock import DAY, HOUR, SECOND
from core.errors import VenueRefused
from core.model.instrument import Instrument
from core.model.market import Candle, Fact, FactTold, FundingSettled
from exchanges.feed import MILLI
from exchanges.rules import Line, Request, StampedRow

HISTORY = 7 * DAY
"""No venue lists own trades over a longer span in one request."""

RATE_WINDOW = 1000 * HOUR // MILLI
"""Milliseconds that hold at most 1000 settlements: some contracts have one an hour."""

CandleRow = Sequence[float]
"""Open time (ms), open, high, low, close, then volumes: the order of all three venues."""


async def ask_unless(line: Line, request: Request, already: str) -> None:
    """Ask for a change that the venue refuses with the code ``already`` when it is so already.

    Raises:
        VenueUnavailable, VenueRefused, AuthenticationFailed.
    """
    try:
        await line.ask(request)
    except VenueRefused as error:
        if error.code != already:
            raise


async def ask_known(line: Line, request: Request, absent: frozenset[str]) -> str | None:
    """Ask about one order; None when the venue's code says that it knows no such order.

    Raises:
        VenueUnavailable, VenueRefused, AuthenticationFailed.
    """
    try:
        return await line.ask(request)
    except VenueRefused as error:
        if error.code in absent:
            return None
        raise


def history_start(since: int) -> int:
    """Return the start of a query for what was since an instant (ns): ms, within ``HISTORY``."""
    return max(since, time.time_ns() - HISTORY + 60 * SECOND) // MILLI


async def closed_candles(
    instrument: Instrument,
    timeframe: int,
    count: int,
    before: int | None,
    volume: int,
    page: Callable[[int | None], Awaitable[Sequence[CandleRow]]],
) -> list[Candle]:
    """Page back through candles until enough are closed.

    Args:
        instrument: whose candles.
        timeframe: seconds.
        count: how many are wanted.
        before: only candles that open before this instant, nanoseconds UTC; None: the newest.
        volume: the column of the volume in base units.
        page: asks for the candles before an open time (ms), for the newest with None; in any
            order, with the one still open or without.

    Returns:
        Closed candles, oldest first; fewer than ``count`` where the venue has no more.
    """
    found: dict[int, Candle] = {}
    end = None if before is None else before // MILLI
    while len(found) < count:
        rows = await page(end)
        received = time.time_ns()
        fresh = False
        for row in rows:
            opened = int(row[0]) * MILLI
            fresh = fresh or opened not in found
            if opened + timeframe * SECOND <= received:
                found[opened] = Candle(
                    instrument.venue, instrument.symbol, timeframe, row[1], row[2], row[3],
                    row[4], row[volume], opened, received,
                )  # fmt: skip
        if not fresh:
            break
        end = min(int(row[0]) for row in rows)
    return [found[opened] for opened in sorted(found)][-count:]


async def settled_rates(
    instrument: Instrument,
    count: int,
    before: int | None,
    page: Callable[[int | None], Awaitable[Sequence[StampedRow]]],
) -> list[FundingSettled]:
    """Page back through settlements of funding until there are enough.

    Args:
        instrument: whose funding.
        count: how many are wanted.
        before: only those before this instant, nanoseconds UTC; None: the newest.
        page: asks for those before a time (ms), for the newest with None; in any order.

    Returns:
        Settlements, oldest first; fewer than ``count`` where the venue has no more.
    """
    rows = await _page_back(count, before, page)
    received = time.time_ns()
    return [
        FundingSettled(
            instrument.venue, instrument.symbol, rate, (ts + 500) // 1000 * SECOND, received
        )
        for ts, rate in rows
    ]


async def told_facts(
    instrument: Instrument,
    fact: Fact,
    count: int,
    before: int | None,
    page: Callable[[int | None], Awaitable[Sequence[StampedRow]]],
) -> list[FactTold]:
    """Page back through the past of a fact until there is enough.

    Args:
        instrument: whose.
        fact: which.
        count: how many instants are wanted.
        before: only those before this instant, nanoseconds UTC; None: the newest.
        page: asks for those before a time (ms), for the newest with None; in any order.

    Returns:
        What it was, oldest first; fewer than ``count`` where the venue has no more. Instants that
        are still to come are left out: a candle that is open has no end yet.
    """
    rows = await _page_back(count + 1, before, page)
    received = time.time_ns()
    return [
        FactTold(instrument.venue, instrument.symbol, fact, value, ts * MILLI, received)
        for ts, value in rows
        if ts * MILLI <= received and value > 0.0
    ][-count:]


async def _page_back(
    count: int,
    before: int | None,
    page: Callable[[int | None], Awaitable[Sequence[StampedRow]]],
) -> list[StampedRow]:
    """Page back until there is enough; return the newest ``count``, oldest first."""
    found: dict[int, float] = {}
    end = None if before is None else before // MILLI
    while len(found) < count:
        rows = await page(end)
        fresh = [row for row in rows if row[0] not in found and (end is None or row[0] < end)]
        if not fresh:
            break
        found.update(fresh)
        end = min(found)
    return sorted(found.items())[-count:]
