"""Bet on the return of a price that has run away from its average."""

from __future__ import annotations

from collections.abc import Iterable
from math import log

from core import config
from core.signals.closes import Closes
from core.signals.decision import Decision
from core.signals.windows import Spread

ENTER = 2.0
"""Deviations from the mean at which it bets on the return; it leaves at the mean."""
FLAT = 1e-5


class MeanReversion(Closes):
    """Short two deviations above the mean of ``slow`` candles, long two below, out at the mean.

    The score is minus the distance in deviations: positive when the price is low.
    """

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "mean_reversion"
        self.timeframe = int(settings.timeframe)
        self.warmup = settings.slow
        self._window = Spread(settings.slow)
        self._count = 0
        self._target = 0

    def on_closes(self, closes: Iterable[float]) -> Decision | None:
        """Take closes up to one that is far from the mean, or back at it."""
        window, warmup, push = self._window, self.warmup, self._window.push
        for close in closes:
            value = log(close)
            push(value)
            self._count += 1
            deviation = window.deviation
            if self._count < warmup or deviation < FLAT:
                continue
            score = (window.mean - value) / deviation
            target = self._target
            if abs(score) >= ENTER:
                target = 1 if score > 0 else -1
            elif target * score < 0:
                target = 0
            if target != self._target:
                self._target = target
                return Decision(target, score, f"{-score:+.1f} deviations from the mean")
        return None
