"""How fast orders leave, by number and by what they are worth, at constant cost."""

from __future__ import annotations

from collections import deque


class Pace:
    """Counts events in a sliding window, remembering no more than the limit.

    Args:
        limit: most events in the window.
        window: nanoseconds.
    """

    __slots__ = ("_times", "limit", "window")

    def __init__(self, limit: int, window: int) -> None:
        self.limit = limit
        self.window = window
        self._times: deque[int] = deque(maxlen=limit)

    def add(self, now: int) -> None:
        """Count one event."""
        self._times.append(now)

    def full(self, now: int) -> bool:
        """Return whether one more event would exceed the limit."""
        times = self._times
        return len(times) == self.limit and times[0] > now - self.window

    def count(self, now: int) -> int:
        """Return the events in the window, at most the limit."""
        since = now - self.window
        return sum(1 for ts in self._times if ts > since)


class Turnover:
    """Adds up amounts in a sliding window.

    Args:
        window: nanoseconds.
    """

    __slots__ = ("_amounts", "_total", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._amounts: deque[tuple[int, float]] = deque()
        self._total = 0.0

    def add(self, now: int, amount: float) -> None:
        """Count an amount, in any unit."""
        self._amounts.append((now, amount))
        self._total += amount

    def total(self, now: int) -> float:
        """Return the sum over the window."""
        amounts = self._amounts
        since = now - self.window
        while amounts and amounts[0][0] <= since:
            self._total -= amounts.popleft()[1]
        if not amounts:
            self._total = 0.0  # what rounding left
        return self._total
