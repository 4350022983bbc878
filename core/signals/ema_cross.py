"""Follow the cross of two exponential averages, long and short."""

from __future__ import annotations

from core import config
from core.model.market import Candle
from core.signals.decision import Decision


def ema_weight(length: int) -> float:
    """Return the weight of the newest value in an average of this length."""
    return 2.0 / (length + 1)


_MEMORY = 4
"""Lengths after which an average has forgotten its start but for 0.03 %."""


class EmaCross:
    """Long when the fast average crosses above the slow one, short when it crosses below.

    The score is the distance of the averages in basis points of the slow one. It says nothing until
    ``slow`` candles are in, and after that only when the sign changes: which side it is on when it
    starts is no news.
    """

    __slots__ = (
        "_above",
        "_fast",
        "_fast_weight",
        "_left",
        "_slow",
        "_slow_weight",
        "name",
        "timeframe",
        "warmup",
    )

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "ema_cross"
        self.timeframe = int(settings.timeframe)
        self.warmup = _MEMORY * settings.slow
        self._left = settings.slow
        """Candles without which it says nothing."""
        self._fast_weight = ema_weight(settings.fast)
        self._slow_weight = ema_weight(settings.slow)
        self._fast = self._slow = 0.0
        self._above: bool | None = None
        """Which side the fast average was on last; None before it was on any."""

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; decide when the averages have crossed."""
        # Written out: two calls are a tenth of a backtest's time.
        close = candle.close
        if self._left:
            self._left -= 1
            if not self._slow:
                self._fast = self._slow = close
        fast, slow = self._fast, self._slow
        self._fast = fast = fast + self._fast_weight * (close - fast)
        self._slow = slow = slow + self._slow_weight * (close - slow)
        above = fast > slow
        if above is self._above or fast == slow:
            return None
        before, self._above = self._above, above
        if before is None or self._left:
            return None
        score = (fast / slow - 1.0) * 1e4
        word = "above" if above else "below"
        told = f"fast crossed {word} slow: {fast:.6g} / {slow:.6g}"
        return Decision(1 if above else -1, score, told)
