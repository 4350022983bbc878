"""Features, one value at a time. Each equals its batch form on the same series."""

from __future__ import annotations


def ema_weight(length: int) -> float:
    """Return the weight of the newest value in an average of this length."""
    return 2.0 / (length + 1)


class Ema:
    """Exponential moving average with weight 2 / (length + 1), started at the first value.

    Equals ``pandas.Series.ewm(span=length, adjust=False).mean()``.
    """

    __slots__ = ("_weight", "count", "value")

    def __init__(self, length: int) -> None:
        self._weight = ema_weight(length)
        self.value = 0.0
        self.count = 0

    def update(self, value: float) -> float:
        """Take the next value and return the average."""
        if self.count:
            self.value += self._weight * (value - self.value)
        else:
            self.value = value
        self.count += 1
        return self.value
