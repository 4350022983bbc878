"""The perpetual's price against the index it is tied to."""

from __future__ import annotations

from collections import deque
from math import log
from typing import TYPE_CHECKING, ClassVar

from core.clock import SECOND
from core.model.market import Candle, Fact, FactTold, Ticker
from core.signals.families.ends import Ends
from core.signals.families.venues import BACK, FINEST, WINDOW, change_and_standing
from core.signals.features import NAN, Feature
from core.signals.windows import Standing

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

STALE = 60 * SECOND
"""An index not heard of for this long is not known."""
KEPT = WINDOW
"""Candles that are looked at."""
FEATURES: tuple[Feature, ...] = (
    Feature("basis", 1, "basis points", "log close over the index (with --spot: the spot price)"),
    Feature("basis_4", BACK + 1, "basis points", f"its change over {BACK} candles"),
    Feature("basis_z", WINDOW, "deviations", f"it less its mean of {WINDOW}, by its deviation"),
)


class Basis:
    """Premium of one perpetual, candle by candle."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Ticker, FactTold)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._index = Ends(self._span, STALE, KEPT)
        self._closes: deque[float] = deque(maxlen=KEPT)
        self._bases: deque[float] = deque(maxlen=BACK + 1)
        self._standing = Standing(WINDOW, FINEST)
        self._ts = 0

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Every venue tells an index."""
        return ""

    def hear(self, event: Ticker | FactTold) -> None:
        """Take the index where it is told."""
        if isinstance(event, FactTold):
            if event.fact is Fact.INDEX:
                self._index.tell(event.value, event.ts)
        elif event.index is not None:
            self._index.hear(event.index, event.received)

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        if candle.ts != self._ts + self._span:
            self._forget()
            self._closes.clear()
        self._ts = candle.ts
        index = self._index.close(candle.ts + self._span)
        self._closes.append(candle.close)
        if not self._index.filled:
            return self._take(candle.close, index)
        self._index.filled = False
        self._forget()
        pairs = zip(self._closes, self._index.values, strict=True)
        return [self._take(close, index) for close, index in pairs][-1]

    def _take(self, close: float, index: float) -> list[float]:
        basis = log(close / index) * 1e4
        bases = self._bases
        bases.append(basis)
        before = bases[0] if len(bases) > BACK else NAN
        return [basis, basis - before, self._standing.stand(basis)]

    def _forget(self) -> None:
        self._bases.clear()
        self._standing.clear()


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from what the index was told to be, or its candles."""
    import numpy as np

    own, index = history.own, history.index
    told = history.facts.get(Fact.INDEX, ())
    basis = np.full(len(own.ts), np.nan)
    if told:
        ends = own.ts + own.timeframe * 1000
        times = np.array([ts for ts, _ in told], np.int64)
        _, mine, theirs = np.intersect1d(ends, times, return_indices=True)
        values = np.array([value for _, value in told])
        basis[mine] = np.log(own.close[mine] / values[theirs]) * 1e4
    elif index is not None:
        _, mine, theirs = np.intersect1d(own.ts, index.ts, return_indices=True)
        basis[mine] = np.log(own.close[mine] / index.close[theirs]) * 1e4
    return np.column_stack([basis, *change_and_standing(basis)])
