"""Be paid the funding that a crowded side pays."""

from __future__ import annotations

from core import config
from core.model.market import Candle
from core.signals.decision import Decision

ENTER = 0.0003
"""Fraction of notional an interval. A taker's round trip costs 0.0011: four intervals."""
LEAVE = 0.0001


class FundingCarry:
    """Short while longs pay much, long while shorts do; out when they pay no more.

    It knows the rate the venue last told (live: the coming one; in a backtest: the one last
    settled). The score is minus the rate in basis points.
    """

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "funding_carry"
        self.timeframe = int(settings.timeframe)
        self.warmup = 1
        self._rate = 0.0
        self._target = 0

    def on_funding(self, rate: float) -> None:
        """Remember the rate: fraction of notional an interval, longs pay when positive."""
        self._rate = rate

    def on_candle(self, candle: Candle) -> Decision | None:
        """Decide when the rate has become worth its costs, or is no more."""
        rate, target = self._rate, carry(self._target, self._rate)
        if target == self._target:
            return None
        self._target = target
        return Decision(target, -rate * 1e4, f"funding {rate * 1e4:+.2f} bp an interval")


def carry(target: int, rate: float) -> int:
    """Return the direction that a rate is worth, where ``target`` is wanted already."""
    if abs(rate) >= ENTER:
        return -1 if rate > 0 else 1
    return 0 if abs(rate) < LEAVE or target * rate > 0 else target
