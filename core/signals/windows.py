"""Rolling windows over a series, for strategies and context features.

Running sums gather rounding errors; a window is summed anew every time it has turned over once,
which costs as much again and keeps it within 1e-9 of its batch form.
"""

from __future__ import annotations

from math import nan, sqrt

from core.signals.features import CLIP

_LEFT = 1e-3
"""Part of its peak at which a window is summed anew: what a jump rounded away is as large as what
is left when it has gone."""


class Spread:
    """Mean and standard deviation (of the population) of the newest ``length`` values.

    Meaningful once ``length`` values are in. Welford's update: squares of values are never
    subtracted, so a window of nearly equal values keeps its digits. When a jump has left the window
    it is summed anew: what the jump rounded away is as large as what is left.
    """

    __slots__ = ("_at", "_length", "_peak", "_ring", "_squares", "mean")

    def __init__(self, length: int) -> None:
        self._length = length
        self._ring = [0.0] * length
        self._at = 0
        self._squares = self._peak = 0.0
        self.mean = 0.0

    def push(self, value: float) -> None:
        """Take the next value."""
        at = self._at
        ring = self._ring
        length = self._length
        old = ring[at]
        ring[at] = value
        at += 1
        step = value - old
        before = self.mean
        self.mean = mean = before + step / length
        squares = self._squares + step * (value - mean + old - before)
        if at == length or squares < _LEFT * self._peak:
            self.mean = mean = sum(ring) / length
            self._squares = self._peak = sum([(one - mean) ** 2 for one in ring])
            if at == length:
                at = 0
        else:
            self._squares = squares
            if squares > self._peak:
                self._peak = squares
        self._at = at

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return sqrt(self._squares / self._length) if self._squares > 0.0 else 0.0


class Standing(Spread):
    """By how many deviations the newest of ``length`` values is off their mean, within ``CLIP``.

    For values that may be NaN: the answer is NaN while one of the window is, or while some are
    missing; 0 where they deviate by ``finest`` or less.
    """

    __slots__ = ("_finest", "_left")

    def __init__(self, length: int, finest: float) -> None:
        super().__init__(length)
        self._finest = finest
        self._left = length

    def clear(self) -> None:
        """Forget all values."""
        super().__init__(self._length)
        self._left = self._length

    def stand(self, value: float) -> float:
        """Take the next value and return its standing."""
        if value != value:
            if self._left < self._length:
                self.clear()
            return nan
        self.push(value)
        if self._left > 1:
            self._left -= 1
            return nan
        squares = self._squares
        deviation = sqrt(squares / self._length) if squares > 0.0 else 0.0
        if deviation <= self._finest:
            return 0.0
        far = (value - self.mean) / deviation
        return -CLIP if far < -CLIP else CLIP if far > CLIP else far
