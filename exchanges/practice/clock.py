"""Time at the practice exchange: wall time on the wire, and market time that may run faster.

Stamps, signatures and timers use wall time, so clients see a clock that is right. The market
itself lives in market time: at ``speed`` 10 it makes ten seconds of market in one. Funding follows
market time.
"""

from __future__ import annotations

HOUR_MS = 3_600_000


class FundingClock:
    """When funding is settled: every ``hours`` of market time, at the full hours of UTC.

    Args:
        start_ms: venue clock when the market opened; there market time equals wall time.
        speed: market seconds per second.
    """

    def __init__(self, start_ms: int, speed: float = 1.0, hours: int = 8) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._step_ms = hours * HOUR_MS
        self._settled = self.interval(start_ms)

    @property
    def interval_ms(self) -> int:
        """Market time between settlements; what the venue states as its funding interval."""
        return self._step_ms

    def market_ms(self, now_ms: int) -> float:
        """Return market time."""
        return self._start_ms + (now_ms - self._start_ms) * self._speed

    def interval(self, now_ms: int) -> int:
        """Return the number of the running interval; the one that ends next has this number."""
        return int(self.market_ms(now_ms) // self._step_ms)

    def settled_ms(self, interval: int) -> int:
        """Return the venue clock at which an interval ends."""
        end = (interval + 1) * self._step_ms
        return round(self._start_ms + (end - self._start_ms) / self._speed)

    def next_ms(self, now_ms: int) -> int:
        """Return the venue clock of the next settlement."""
        return self.settled_ms(self.interval(now_ms))

    def due(self, now_ms: int) -> list[int]:
        """Return the intervals that ended since the last call, each once."""
        running = self.interval(now_ms)
        ended = list(range(self._settled, running))
        self._settled = max(self._settled, running)
        return ended
