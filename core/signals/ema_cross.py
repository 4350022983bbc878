"""Follow the cross of two exponential averages, long and short."""

from __future__ import annotations

from collections.abc import Iterable

from core import config
from core.signals.closes import Closes
from core.signals.decision import Decision


def ema_weight(length: int) -> float:
    """Return the weight of the newest value in an average of this length."""
    return 2.0 / (length + 1)


_MEMORY = 4
"""Lengths after which an average has forgotten its start but for 0.03 %."""


class EmaCross(Closes):
    """Long when the fast average crosses above the slow one, short when it crosses below.

    The score is the distance of the averages in basis points of the slow one. It says nothing until
    ``slow`` candles are in, and after that only when the sign changes: which side it is on when it
    starts is no news.
    """

    __slots__ = ("_state", "_weights", "name", "timeframe", "warmup")

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "ema_cross"
        self.timeframe = int(settings.timeframe)
        self.warmup = _MEMORY * settings.slow
        self._weights = ema_weight(settings.fast), ema_weight(settings.slow)
        self._state: tuple[float, float, bool | None, int] = (0.0, 0.0, None, settings.slow)
        """The averages; whether the fast one was above the slow one last, None before it was on any
        side; and the candles that are missing before it says something."""

    def on_closes(self, closes: Iterable[float]) -> Decision | None:
        """Take closes up to one at which the averages have crossed."""
        fast, slow, above, left = self._state
        fast_weight, slow_weight = self._weights
        decision = None
        for close in closes:
            if left:
                left -= 1
                if not slow:
                    fast = slow = close
            fast += fast_weight * (close - fast)
            slow += slow_weight * (close - slow)
            over = fast > slow
            if over is above or fast == slow:
                continue
            before, above = above, over
            if before is None or left:
                continue
            score = (fast / slow - 1.0) * 1e4
            word = "above" if above else "below"
            told = f"fast crossed {word} slow: {fast:.6g} / {slow:.6g}"
            decision = Decision(1 if above else -1, score, told)
            break
        self._state = fast, slow, above, left
        return decision
