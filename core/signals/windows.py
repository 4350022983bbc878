"""Rolling windows over a series, O(1) a value, without drift.

Running sums gather rounding errors; each window is summed anew every time it has turned over once,
which costs as much again and keeps every feature within 1e-9 of its batch form.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import nan, sqrt

from core.signals.features import CLIP

_LEFT = 1e-3
"""Part of its peak at which a window is summed anew: what a jump rounded away is as large as what
is left when it has gone."""


class Sum:
    """Sum of the newest ``length`` values; exactly 0 when all of them are."""

    __slots__ = ("_at", "_length", "_live", "_peak", "_ring", "value")

    def __init__(self, length: int) -> None:
        self._length = length
        self._ring = [0.0] * length
        self._at = 0
        self._live = 0
        self._peak = 0.0
        self.value = 0.0

    def push(self, value: float) -> float:
        """Take the next value and return the sum."""
        at = self._at
        ring = self._ring
        old = ring[at]
        self._live += (value != 0.0) - (old != 0.0)
        self.value = self.value + value - old if self._live else 0.0
        ring[at] = value
        at += 1
        size = abs(self.value)
        if size > self._peak:
            self._peak = size
        if at == self._length:
            at = 0
        if not at or size < _LEFT * self._peak:
            self.value = sum(ring)
            self._peak = abs(self.value)
        self._at = at
        return self.value


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
        old = ring[at]
        ring[at] = value
        at += 1
        before = self.mean
        self.mean = mean = before + (value - old) / self._length
        self._squares += (value - old) * (value - mean + old - before)
        if self._squares > self._peak:
            self._peak = self._squares
        if at == self._length:
            at = 0
        if not at or self._squares < _LEFT * self._peak:
            self.mean = mean = sum(ring) / self._length
            self._squares = self._peak = sum([(one - mean) ** 2 for one in ring])
        self._at = at

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return sqrt(self._squares / self._length) if self._squares > 0.0 else 0.0


def stand(values: Sequence[float], length: int, finest: float) -> float:
    """Return by how many deviations the last of ``length`` values is off their mean, within 20.

    For short windows that may hold NaN: the answer is NaN while one does, or while values are
    missing; 0 where they deviate by less than ``finest``.
    """
    if len(values) < length:
        return nan
    mean = sum(values) / length
    deviation = sqrt(sum([(one - mean) ** 2 for one in values]) / length)
    if deviation <= finest:
        return 0.0
    far = (values[-1] - mean) / deviation
    return -CLIP if far < -CLIP else CLIP if far > CLIP else far


class Highest:
    """Highest of the newest ``length`` values; push negated values for the lowest."""

    __slots__ = ("_count", "_length", "_line")

    def __init__(self, length: int) -> None:
        self._length = length
        self._line: deque[tuple[int, float]] = deque()
        self._count = 0

    def push(self, value: float) -> float:
        """Take the next value and return the highest."""
        line = self._line
        while line and line[-1][1] <= value:
            line.pop()
        line.append((self._count, value))
        self._count += 1
        if line[0][0] <= self._count - 1 - self._length:
            line.popleft()
        return line[0][1]
