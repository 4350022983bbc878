"""Follow the cross of two exponential averages, long and short."""

from __future__ import annotations

from core import config
from core.model.market import Candle
from core.signals.decision import Decision
from core.signals.features import Ema


class EmaCross:
    """Long when the fast average crosses above the slow one, short when it crosses below.

    The score is the distance of the averages as a fraction of the slow one. It says nothing until
    ``slow`` candles are in, and after that only when the sign changes: which side it is on when it
    starts is no news.
    """

    __slots__ = ("_fast", "_side", "_slow", "name", "timeframe", "warmup")

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "ema_cross"
        self.timeframe = int(settings.timeframe)
        self.warmup = settings.slow
        self._fast = Ema(settings.fast)
        self._slow = Ema(settings.slow)
        self._side = 0

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; decide when the averages have crossed."""
        close = candle.close
        fast = self._fast.update(close)
        slow = self._slow.update(close)
        side = 1 if fast > slow else -1 if fast < slow else self._side
        if side == self._side:
            return None
        known, self._side = self._side, side
        if not known or self._slow.count < self.warmup:
            return None
        score = fast / slow - 1.0
        word = "above" if side > 0 else "below"
        return Decision(side, score, f"fast crossed {word} slow: {fast:.6g} / {slow:.6g}")
