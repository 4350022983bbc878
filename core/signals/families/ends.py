"""What a slow fact stood at when each of the last candles ended: heard then, or told since.

A venue tells the fact now and then while somebody listens, and, asked for it, what it was before.
What was heard counts; what was told fills the candles at whose end nobody listened.
"""

from __future__ import annotations

from collections import deque
from math import nan

from core.signals.families.last_word import LastWord


class Ends:
    """Values at the ends of the last candles.

    Args:
        span: of a candle, nanoseconds.
        stale: age from which a word counts for nothing, nanoseconds.
        count: candles.

    Attributes:
        values: oldest first; NaN where the fact is not known.
        filled: whether one that was not known has been told since; whoever looks unsets it.
    """

    def __init__(self, span: int, stale: int, count: int) -> None:
        self.values: deque[float] = deque(maxlen=count)
        self.filled = False
        self._span = span
        self._count = count
        self._word = LastWord(span, stale)
        self._told: dict[int, float] = {}
        self._last = 0
        """End of the last candle."""

    def hear(self, value: float, now: int) -> None:
        """Take what the fact is now, nanoseconds UTC."""
        self._word.hear(value, now)

    def tell(self, value: float, end: int) -> None:
        """Take what it was at an instant, nanoseconds UTC."""
        self._told[end] = value
        if len(self._told) > 2 * self._count:
            del self._told[min(self._told)]
        back = (self._last - end) // self._span
        if 0 <= back < len(self.values) and end + back * self._span == self._last:
            at = len(self.values) - 1 - back
            if self.values[at] != self.values[at]:
                self.values[at] = value
                self.filled = True

    def close(self, end: int) -> float:
        """Return the fact at the end of the next candle, nanoseconds UTC; NaN: not known."""
        if end != self._last + self._span:
            self.values.clear()
        self._last = end
        value = self._word.at(end)
        if value != value:
            value = self._told.get(end, nan)
        self.values.append(value)
        return value
