"""What holding the perpetual was paid: a measure of which side is crowded.

Trained on what was settled, so that is what is used live: a venue tells the coming rate, which
moves until it is settled; it counts when its time has come. What was settled before, or while
nobody listened, is asked for, and is then the venue's last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from core.clock import DAY, HOUR, MINUTE, SECOND
from core.model.market import Candle, FundingSettled, Ticker
from core.signals.features import NAN, Feature

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

MEAN = 9
KEPT = MEAN + 1
"""Settlements that are looked at: one may lie after the candle's end."""
USUAL = 8 * HOUR
_FRESH = 10 * MINUTE
"""A rate may have changed before its settlement where nothing was heard for this long."""
FEATURES: tuple[Feature, ...] = (
    Feature("funding", 1, "basis points", "rate last settled; longs pay when positive"),
    Feature("funding_mean", 1, "basis points", f"mean of the last {MEAN} settlements: 3 days"),
    Feature("funding_due", 1, "fraction of 8 h", "to the next settlement after the close"),
    Feature("funding_day", 1, "basis points", "a day at the rate last settled"),
)


class Funding:
    """Settled funding of one instrument."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Ticker, FundingSettled)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._settled: list[tuple[int, float]] = []
        """The last ``KEPT``, oldest first."""
        self._now = self._sum_up([])
        self._due = 0
        """When the coming rate is settled; 0 where nobody says."""
        self._told = NAN
        self._told_at = 0

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Every venue tells the funding rate."""
        return ""

    def hear(self, event: Ticker | FundingSettled) -> None:
        """Take the coming rate and its time; without a time it is one that was settled just now."""
        if isinstance(event, FundingSettled):
            self._settle(event.ts, event.rate)
            return
        rate, due, now = event.funding_rate, event.next_funding, event.received
        if due is None and not self._due:
            if rate is not None:
                self._settle(now, rate)
            return
        if due is not None:
            if self._due and due > self._due + MINUTE and not self._knows(self._due):
                if self._due - self._told_at < _FRESH:
                    self._settle(self._due, self._told)
                else:  # the last one is not known, nor a mean with it
                    self._settled.clear()
                    self._now = self._sum_up([])
            self._due = due
        # A venue that tells changes only says by every word that the rate is as it was.
        self._told_at = now
        if rate is not None:
            self._told = rate

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        end = candle.ts + self._span
        settled = self._settled
        if settled and settled[-1][0] >= end:  # heard a moment before the candle closed
            known = [one for one in settled if one[0] < end]
            rate, mean, step, last = self._sum_up(known)
        else:
            rate, mean, step, last = self._now
        due = self._due or (last + step if step else 0)
        if due <= end:
            due += step
        day = rate * (DAY / step) if step else NAN
        return [rate, mean, (due - end) / USUAL if due > end else NAN, day]

    def _knows(self, ts: int) -> bool:
        return any(abs(known - ts) < MINUTE for known, _ in self._settled)

    def _settle(self, ts: int, rate: float) -> None:
        """Note a settlement; of one that is noted already the last word counts."""
        others = [one for one in self._settled if abs(one[0] - ts) >= MINUTE]
        self._settled = sorted([*others, (ts, rate)])[-KEPT:]
        self._now = self._sum_up(self._settled)

    @staticmethod
    def _sum_up(known: list[tuple[int, float]]) -> tuple[float, float, int, int]:
        """Return the last rate, the mean, the time between settlements and that of the last."""
        if not known:
            return NAN, NAN, 0, 0
        rates = [rate * 1e4 for _, rate in known[-MEAN:]]
        mean = sum(rates) / MEAN if len(rates) == MEAN else NAN
        step = known[-1][0] - known[-2][0] if len(known) > 1 else 0
        return rates[-1], mean, step, known[-1][0]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from settlements."""
    import numpy as np

    table = np.full((len(history.own.ts), len(FEATURES)), np.nan)
    if not history.funding:
        return table
    times = np.array([ts for ts, _ in history.funding], np.int64)
    rates = np.array([rate for _, rate in history.funding]) * 1e4
    ends = history.own.ts + history.own.timeframe * 1000
    at = np.searchsorted(times, ends, "left") - 1
    some = at >= 0
    table[some, 0] = rates[at[some]]
    total = np.concatenate([[0.0], np.cumsum(rates)])
    many = at >= MEAN - 1
    table[many, 1] = (total[at[many] + 1] - total[at[many] + 1 - MEAN]) / MEAN
    two = at >= 1
    step = times[at[two]] - times[at[two] - 1]
    left = times[at[two]] + step - ends[two]
    left = np.where(left <= 0, left + step, left)
    table[two, 2] = np.where(left > 0, left * 1_000_000 / USUAL, np.nan)
    table[two, 3] = rates[at[two]] * (DAY // 1_000_000 / step)
    return table
