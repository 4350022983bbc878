"""Time that a test moves by hand."""

from __future__ import annotations


class ManualClock:
    """A clock that moves only when told."""

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        """Return nanoseconds since the Unix epoch, UTC."""
        return self._now

    def set(self, now: int) -> None:
        """Move to an instant; never backwards."""
        self._now = max(self._now, now)
