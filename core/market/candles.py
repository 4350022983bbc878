"""Candles from trades, closed by the next trade or by the clock, with quiet intervals filled in."""

from __future__ import annotations

from core.clock import SECOND
from core.model.market import Candle

_GRACE = SECOND
"""A candle is closed by the clock this long after its end, so that trades in flight still count."""
_FILL = 500
"""Most quiet candles made at once; after a longer silence the series starts anew."""


class CandleBuilder:
    """Builds the candles of one instrument.

    A candle is closed by the first trade of a later interval, or by ``tick`` a second after its
    end. An interval without trades gives a flat candle at the last price and no volume, so that a
    feature that counts candles counts time. A trade of a candle already closed is late: counted,
    not used.

    Args:
        timeframe: seconds; may be fractional, kept in whole nanoseconds.
    """

    __slots__ = (
        "_close",
        "_end",
        "_high",
        "_low",
        "_open",
        "_seconds",
        "_span",
        "_start",
        "_symbol",
        "_venue",
        "_volume",
        "late",
    )

    def __init__(self, venue: str, symbol: str, timeframe: int) -> None:
        self._venue = venue
        self._symbol = symbol
        self._seconds = timeframe
        self._span = timeframe * SECOND
        self._start = 0
        self._end = 0
        self._open = self._high = self._low = self._close = self._volume = 0.0
        self.late = 0
        """Trades that came after their candle was closed."""

    def add(self, price: float, qty: float, ts: int, now: int) -> list[Candle] | None:
        """Count a trade; return the candles it closes, oldest first, or None."""
        if ts < self._end:
            if ts < self._start:
                self.late += 1
                return None
            if not self._volume:
                self._open = self._high = self._low = price
            elif price > self._high:
                self._high = price
            elif price < self._low:
                self._low = price
            self._close = price
            self._volume += qty
            return None
        closed = self._roll(ts, now) if self._end else None
        if not self._end or self._start + self._span <= ts:
            self._start = ts - ts % self._span
            self._end = self._start + self._span
        self._open = self._high = self._low = self._close = price
        self._volume = qty
        return closed

    def tick(self, now: int) -> list[Candle] | None:
        """Close what ended more than the grace ago; return the candles closed, or None."""
        if not self._end or now < self._end + _GRACE:
            return None
        return self._roll(now - _GRACE, now)

    def _roll(self, ts: int, now: int) -> list[Candle]:
        """Close the present candle and the quiet ones up to the interval that holds ``ts``."""
        closed = [self._take(now)]
        start = ts - ts % self._span
        if start - self._end > _FILL * self._span:
            self._start, self._end = 0, 0
            return closed
        while True:
            self._start = self._end
            self._end += self._span
            self._open = self._high = self._low = self._close
            self._volume = 0.0
            if self._start >= start:
                return closed
            closed.append(self._take(now))

    def _take(self, now: int) -> Candle:
        return Candle(
            self._venue,
            self._symbol,
            self._seconds,
            self._open,
            self._high,
            self._low,
            self._close,
            self._volume,
            self._start,
            now,
        )
