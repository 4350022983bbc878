"""A value that a venue tells now and then, as it stood when a candle ended."""

from __future__ import annotations

from math import nan


class LastWord:
    """Keeps the newest word and the last one of the candle before.

    A candle is closed a little after its end, when the next one's first words may be there already.

    Args:
        span: of a candle, nanoseconds.
        stale: age from which a word counts for nothing, nanoseconds.
    """

    __slots__ = ("_at", "_before", "_before_at", "_span", "_stale", "_value")

    def __init__(self, span: int, stale: int) -> None:
        self._span = span
        self._stale = stale
        self._value = self._before = 0.0
        self._at = self._before_at = -stale

    def hear(self, value: float, now: int) -> None:
        """Take a word received at ``now``, nanoseconds UTC."""
        if now // self._span != self._at // self._span:
            self._before, self._before_at = self._value, self._at
        self._value, self._at = value, now

    def at(self, end: int) -> float:
        """Return what was known just before ``end``, nanoseconds UTC; NaN if nothing fresh was."""
        value, at = self._value, self._at
        if at >= end:
            value, at = self._before, self._before_at
        return value if 0 < end - at < self._stale else nan
