"""The perpetual's price against the index it is tied to."""

from __future__ import annotations

from collections import deque
from math import log
from typing import TYPE_CHECKING, ClassVar

from core.clock import SECOND
from core.model.market import Candle, Ticker
from core.signals.families.last_word import LastWord
from core.signals.families.venues import BACK, FINEST, WINDOW, change_and_standing
from core.signals.features import NAN, Feature
from core.signals.windows import Standing

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

STALE = 60 * SECOND
"""An index not heard of for this long is not known."""
FEATURES: tuple[Feature, ...] = (
    Feature("basis", 1, "basis points", "log close over the index (trained on: the spot price)"),
    Feature("basis_4", BACK + 1, "basis points", f"its change over {BACK} candles"),
    Feature("basis_z", WINDOW, "deviations", f"it less its mean of {WINDOW}, by its deviation"),
)


class Basis:
    """Premium of one perpetual, candle by candle."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Ticker,)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._bases: deque[float] = deque(maxlen=BACK + 1)
        self._standing = Standing(WINDOW, FINEST)
        self._ts = 0
        self._index = LastWord(self._span, STALE)

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Every venue tells an index."""
        return ""

    def hear(self, event: Ticker) -> None:
        """Take the index where a ticker tells it."""
        if event.index is not None:
            self._index.hear(event.index, event.received)

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        if candle.ts != self._ts + self._span:
            self._bases.clear()
            self._standing.clear()
        self._ts = candle.ts
        basis = log(candle.close / self._index.at(candle.ts + self._span)) * 1e4
        bases = self._bases
        bases.append(basis)
        before = bases[0] if len(bases) > BACK else NAN
        return [basis, basis - before, self._standing.stand(basis)]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from the candles of the index."""
    import numpy as np

    own, index = history.own, history.index
    basis = np.full(len(own.ts), np.nan)
    if index is not None:
        _, mine, theirs = np.intersect1d(own.ts, index.ts, return_indices=True)
        basis[mine] = np.log(own.close[mine] / index.close[theirs]) * 1e4
    return np.column_stack([basis, *change_and_standing(basis)])
