"""Where time comes from. Everything below the shell takes a clock, so tests and replay own time."""

from __future__ import annotations

import time
from typing import Protocol

SECOND = 1_000_000_000
"""Nanoseconds."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Time in integer nanoseconds."""

    def now(self) -> int:
        """Return nanoseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return nanoseconds since the Unix epoch, UTC."""
        return time.time_ns()
