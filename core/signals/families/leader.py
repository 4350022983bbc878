"""What the market's leader did, and how far the instrument lags behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from core.model.instrument import unified_symbol
from core.model.market import Candle
from core.signals.features import CLIP, FLOOR, NAN, Feature
from core.signals.universe import SPANS, WINDOW, Universe

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

LEADER = unified_symbol("BTC")
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
_NOTHING = [NAN] * len(FEATURES)


class Leader:
    """Bitcoin's moves at the same venue; for Bitcoin itself, its own."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Candle,)

    def __init__(self, place: Place) -> None:
        universe = self._universe = place.universe or Universe(place.timeframe)
        self.hear = universe.push  # nothing of its own is kept: one call less for each candle
        self._symbol = place.symbol

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Bitcoin at the same venue."""
        return () if place.symbol == LEADER else ((place.venue, LEADER),)

    @staticmethod
    def lacks(place: Place) -> str:
        """Bitcoin must be followed."""
        return "" if LEADER in place.symbols else f"{LEADER} is not among the symbols"

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        universe = self._universe
        own = universe.push(candle)
        lead = universe.at(LEADER, candle.ts)
        if lead.unit != lead.unit:
            return list(_NOTHING)
        near, middle, far = lead.scaled()
        if self._symbol == LEADER:
            return [near, middle, far, 0.0, 0.0, 0.0]
        own_near, own_middle, own_far = own.scaled()
        return [near, middle, far, near - own_near, middle - own_middle, far - own_far]


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
