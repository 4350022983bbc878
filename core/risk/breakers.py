"""Loss limits that halt and flatten: the day, the last 24 hours, the peak."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import inf

from core.clock import DAY, HOUR
from core.config import Limits
from core.risk.codes import Code

_PEAK_STEP = 1.0002
"""A new peak is written down each time it is 0.02 % higher."""


class LossBreaker:
    """Watches equity against its marks. Floats: equity itself comes from float marks.

    The marks live in the ledger and survive restarts; this holds what is needed between them.
    """

    __slots__ = (
        "_daily",
        "_drawdown",
        "_step",
        "day",
        "day_start",
        "floor",
        "next",
        "peak",
        "unsaid",
        "window",
    )

    def __init__(self, limits: Limits) -> None:
        self._daily = float(limits.daily_loss)
        self._drawdown = float(limits.drawdown)
        self.peak = 0.0
        self.unsaid = False
        """Whether the peak rose since the last mark."""
        self.day = -1
        self.day_start = 0.0
        self.window = 0.0
        """Equity 24 hours ago, or at the oldest mark younger than that."""
        self.next = 0
        """When the next mark is due at the latest, nanoseconds UTC."""
        self._step = 0.0
        self.floor = -inf
        """Equity at or below this breaks a limit."""

    def load(
        self,
        peak: Decimal | None,
        day: int,
        day_start: Decimal | None,
        marks: Sequence[tuple[int, Decimal]],
    ) -> None:
        """Take the marks from the ledger: at boot, after each mark, after a change of capital."""
        if peak is None or day_start is None or not marks:
            return
        self.peak = float(peak)
        self.unsaid = False
        self._step = self.peak * _PEAK_STEP
        self.day = day
        self.day_start = float(day_start)
        self.window = float(marks[0][1])
        # Just after an hour has turned: a backtest stops there anyway, to note its equity.
        self.next = min((marks[-1][0] // HOUR + 1) * HOUR + 1, (day + 1) * DAY)
        self._set_floor()

    def due(self, equity: float, now: int) -> bool:
        """Follow the peak; return whether a mark must be written now."""
        if equity > self.peak:
            self.peak = equity
            self.unsaid = True
            self._set_floor()
        return equity > self._step or now >= self.next

    def broken(self, equity: float) -> Code | None:
        """Return which limit the equity has broken."""
        if equity > self.floor:
            return None
        if equity <= self.peak * (1.0 - self._drawdown):
            return Code.DRAWDOWN
        return Code.DAILY_LOSS

    def day_loss(self, equity: float) -> float:
        """Return the loss as a fraction of the larger of day start and 24 h ago; 0 if none."""
        start = max(self.day_start, self.window)
        return max(0.0, 1.0 - equity / start) if start > 0.0 else 0.0

    def fall(self, equity: float) -> float:
        """Return the fall from the peak as a fraction; 0 at the peak."""
        return max(0.0, 1.0 - equity / self.peak) if self.peak > 0.0 else 0.0

    def _set_floor(self) -> None:
        kept = 1.0 - self._daily
        self.floor = max(
            self.peak * (1.0 - self._drawdown), self.day_start * kept, self.window * kept
        )
