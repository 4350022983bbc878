"""The instrument's price and volume against the same instrument elsewhere.

Who moves first is followed: a gap to the other venues that opened within the last candles closes by
a move of one side. The level itself is no signal (venues' perpetuals differ by their funding); its
change and its distance from its own mean are. The same holds for the share of all trading that one
venue has.
"""

from __future__ import annotations

from collections import deque
from math import log
from typing import TYPE_CHECKING, ClassVar

from core.clock import SECOND
from core.model.market import Candle
from core.signals.features import CLIP, NAN, Feature
from core.signals.windows import Standing

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

WINDOW = 48
BACK = 4
FINEST = 0.01
"""Deviation, basis points, under which two prices are the same."""
_SAME = 1e-6
"""Deviation under which two shares are the same."""
_KEPT = 1000
"""Closes kept of each companion: the warm-up of one may come long before that of another."""
FEATURES: tuple[Feature, ...] = (
    Feature("venue_gap", 1, "basis points", "log close over the mean close of the other venues"),
    Feature("venue_gap_4", BACK + 1, "basis points", f"its change over {BACK} candles"),
    Feature("venue_gap_z", WINDOW, "deviations", f"it less its mean of {WINDOW}, by its deviation"),
    Feature("venue_share_z", WINDOW, "deviations", "the same of its part of all venues' volume"),
)
_Seen = tuple[int, float, float]
"""Open time, close and volume of a candle."""


class Venues:
    """Gap between one venue and the others, candle by candle."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Candle,)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._others: dict[str, dict[int, tuple[float, float]]] = {
            venue: {} for venue, _ in self.company(place)
        }
        self._own: deque[_Seen] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=BACK + 1)
        self._standing = Standing(WINDOW, FINEST)
        self._shares = Standing(WINDOW, _SAME)
        self._late = False
        """A companion's candle came after the own one of that time: in a warm-up."""

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """The same symbol at every other venue."""
        return tuple((venue, place.symbol) for venue in place.venues if venue != place.venue)

    @staticmethod
    def lacks(place: Place) -> str:
        """There must be another venue."""
        return "" if len(place.venues) > 1 else "there is no second venue to compare with"

    def hear(self, event: Candle) -> None:
        """Take another venue's candle."""
        candles = self._others[event.venue]
        candles[event.ts] = event.close, event.volume
        if len(candles) > 2 * _KEPT:
            self._others[event.venue] = dict(list(candles.items())[_KEPT:])
        if self._own and event.ts <= self._own[-1][0]:
            self._late = True

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        if self._own and candle.ts != self._own[-1][0] + self._span:
            self._own.clear()
            self._forget()
        if self._late:
            self._late = False
            self._forget()
            for one in self._own:
                self._take(one)
        seen = candle.ts, candle.close, candle.volume
        self._own.append(seen)
        return self._take(seen)

    def _take(self, seen: _Seen) -> list[float]:
        ts, close, volume = seen
        total = traded = 0.0
        count = 0
        for candles in self._others.values():
            other = candles.get(ts)
            if other is not None:
                total += other[0]
                traded += other[1]
                count += 1
        gap = log(close * count / total) * 1e4 if count else NAN
        traded += volume
        share = volume / traded if count and traded > 0.0 else NAN
        gaps = self._gaps
        gaps.append(gap)
        before = gaps[0] if len(gaps) > BACK else NAN
        return [gap, gap - before, self._standing.stand(gap), self._shares.stand(share)]

    def _forget(self) -> None:
        self._gaps.clear()
        self._standing.clear()
        self._shares.clear()


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from the candles of other venues."""
    import numpy as np

    own = history.own
    count, total, traded = np.zeros((3, len(own.ts)))
    for other in history.others:
        if other.symbol == own.symbol and other.venue != own.venue:
            _, mine, theirs = np.intersect1d(own.ts, other.ts, return_indices=True)
            count[mine] += 1
            total[mine] += other.close[theirs]
            traded[mine] += other.volume[theirs]
    known = count > 0
    gap = np.full(len(own.ts), np.nan)
    gap[known] = np.log(own.close[known] / (total[known] / count[known])) * 1e4
    traded += own.volume
    share = np.full(len(own.ts), np.nan)
    some = known & (traded > 0)
    share[some] = own.volume[some] / traded[some]
    return np.column_stack([gap, *change_and_standing(gap), stand(share, _SAME)])


def change_and_standing(values: Floats) -> tuple[Floats, Floats]:
    """Return the change over ``BACK`` rows, and the distance from the mean of ``WINDOW``."""
    import numpy as np

    change = np.full(len(values), np.nan)
    change[BACK:] = values[BACK:] - values[:-BACK]
    return change, stand(values, FINEST)


def stand(values: Floats, finest: float) -> Floats:
    """Return by how many deviations each is off the mean of ``WINDOW``, as ``Standing``."""
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    standing = np.full(len(values), np.nan)
    if len(values) >= WINDOW:
        windows = sliding_window_view(values, WINDOW)
        mean, deviation = windows.mean(axis=1), windows.std(axis=1)
        flat = deviation <= finest
        with np.errstate(invalid="ignore", divide="ignore"):
            far = np.clip((values[WINDOW - 1 :] - mean) / deviation, -CLIP, CLIP)
        standing[WINDOW - 1 :] = np.where(flat, 0.0, far)
    return standing
