"""What the market's leader did, and how far the instrument lags behind it."""

from __future__ import annotations

from collections import deque
from math import log, sqrt
from typing import TYPE_CHECKING, ClassVar

from core.clock import SECOND
from core.model.instrument import unified_symbol
from core.model.market import Candle
from core.signals.features import CLIP, FLOOR, NAN, Feature

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

LEADER = unified_symbol("BTC")
SPANS = (1, 4, 24)
WINDOW = 48
_ROOTS = tuple((n, sqrt(n)) for n in SPANS)
FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"lead_{n}", WINDOW, "volatility", f"Bitcoin's log return over {n}, by its vol 48")
        for n in SPANS
    ),
    *(
        Feature(f"lag_{n}", WINDOW, "volatility", f"lead_{n} less the own return in own volatility")
        for n in SPANS
    ),
)


class _Path:
    """Returns of one series of candles in units of their own volatility."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._logs: deque[float] = deque(maxlen=WINDOW + 1)
        self._squares: deque[float] = deque(maxlen=WINDOW)
        self.ts = 0

    def push(self, candle: Candle) -> None:
        if candle.ts != self.ts + self._span:
            self._logs.clear()
            self._squares.clear()
        self.ts = candle.ts
        x = log(candle.close)
        logs = self._logs
        if logs:
            move = x - logs[-1]
            self._squares.append(move * move)
        logs.append(x)

    def returns(self) -> list[float]:
        logs = self._logs
        if len(logs) <= WINDOW:
            return [NAN] * len(SPANS)
        last = logs[-1]
        unit = max(sqrt(sum(self._squares) / WINDOW), FLOOR)
        found = []
        for n, root in _ROOTS:
            far = (last - logs[-1 - n]) / (unit * root)
            found.append(-CLIP if far < -CLIP else CLIP if far > CLIP else far)
        return found


class Leader:
    """Bitcoin's moves at the same venue; for Bitcoin itself, its own."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Candle,)

    def __init__(self, place: Place) -> None:
        span = place.timeframe * SECOND
        self._own = _Path(span)
        self._lead = self._own if place.symbol == LEADER else _Path(span)

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Bitcoin at the same venue."""
        return () if place.symbol == LEADER else ((place.venue, LEADER),)

    @staticmethod
    def lacks(place: Place) -> str:
        """Bitcoin must be followed."""
        return "" if LEADER in place.symbols else f"{LEADER} is not among the symbols"

    def hear(self, event: Candle) -> None:
        """Take a candle of the leader."""
        self._lead.push(event)

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        self._own.push(candle)
        if self._lead.ts != candle.ts:
            return [NAN] * len(FEATURES)
        leads = self._lead.returns()
        return leads + [lead - own for lead, own in zip(leads, self._own.returns(), strict=True)]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from the leader's candles at the same venue."""
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    def returns(close: Floats) -> Floats:
        out = np.full((len(close), len(SPANS)), np.nan)
        if len(close) <= WINDOW:
            return out
        logs = np.log(close)
        unit = np.sqrt((sliding_window_view(np.diff(logs), WINDOW) ** 2).mean(axis=1))
        for at, n in enumerate(SPANS):
            move = logs[WINDOW:] - logs[WINDOW - n : -n]
            out[WINDOW:, at] = np.clip(move / (np.maximum(unit, FLOOR) * np.sqrt(n)), -CLIP, CLIP)
        return out

    own = history.own
    mine = returns(own.close)
    leads = np.full(mine.shape, np.nan)
    for other in (own, *history.others):
        if other.symbol == LEADER and other.venue == own.venue:
            _, here, there = np.intersect1d(own.ts, other.ts, return_indices=True)
            leads[here] = returns(other.close)[there]
            break
    return np.hstack([leads, leads - mine])
