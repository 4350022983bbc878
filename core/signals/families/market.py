"""The instrument among the others of its venue: what all did, and how it did beside them.

The universe of a candle are the symbols that closed it and have the candles of the span before it
without a gap: one that was halted, or listed later, is left out of that candle, and only of that.
Which symbols may be in it is part of a model (``core.signals.model.Recipe``): the mean of three is
another feature than that of thirty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, ClassVar

from core.model.market import Candle
from core.signals.features import CLIP, FLOOR, NAN, Feature
from core.signals.universe import ROOTS, SPANS, WINDOW, Ranking, Universe, clip

if TYPE_CHECKING:
    from core.research.candles import CandleFile
    from core.signals.context import Floats, History, Key, Place

SAME = 1e-12
"""Log returns that differ by less share a rank: it is what rounding does to equal ones."""
FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"market_{n}", WINDOW, "volatility", f"mean log return over {n}, by own vol 48")
        for n in SPANS
    ),
    *(
        Feature(f"beside_{n}", WINDOW, "volatility", f"own log return over {n} less that mean")
        for n in SPANS
    ),
    *(
        Feature(f"rank_{n}", n, "-0.5 to 0.5", f"of the own return over {n}, lowest to highest")
        for n in SPANS
    ),
)
NAMES = frozenset(feature.name for feature in FEATURES)


class Market:
    """One instrument in the universe of its venue."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Candle,)

    def __init__(self, place: Place) -> None:
        universe = self._universe = place.universe or Universe(place.timeframe)
        self.hear = universe.push  # nothing of its own is kept: one call less for each candle
        self._symbol = place.symbol

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """The other symbols at the venue."""
        return tuple((place.venue, symbol) for symbol in place.symbols if symbol != place.symbol)

    @staticmethod
    def lacks(place: Place) -> str:
        """There must be another symbol."""
        return "" if len(place.symbols) > 1 else "there is no second symbol to compare with"

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        universe = self._universe
        own = universe.push(candle)
        unit = own.unit
        near, middle, far = own.moves
        nears, middles, fars = universe.ranked(candle.ts)
        a, b, c = _place(near, nears, unit * ROOTS[0])
        d, e, f = _place(middle, middles, unit * ROOTS[1])
        g, h, i = _place(far, fars, unit * ROOTS[2])
        return [a, d, g, b, e, h, c, f, i]


def _place(move: float, ranking: Ranking, scale: float) -> tuple[float, float, float]:
    """Return the mean, how far a move is off it, both in units of volatility, and its rank."""
    moves, count, mean = ranking
    if count < 2 or move != move:
        return NAN, NAN, NAN
    below = bisect_left(moves, move - SAME)
    same = 0
    if below + 1 < count and moves[below + 1] <= move + SAME:
        same = bisect_right(moves, move + SAME, below) - below - 1
    rank = (below + same * 0.5) / (count - 1) - 0.5
    away, off = mean / scale, (move - mean) / scale
    if -CLIP <= away <= CLIP and -CLIP <= off <= CLIP:
        return away, off, rank
    return clip(away), clip(off), rank


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from the candles of the other symbols at the venue."""
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    own = history.own
    count = len(own.ts)
    table = np.full((count, len(FEATURES)), np.nan)
    others = [one for one in history.others if one.venue == own.venue and one.symbol != own.symbol]
    if not others or count <= 1:
        return table
    logs = np.log(own.close)
    unit = np.full(count, np.nan)
    if count > WINDOW:
        whole = own.ts[WINDOW:] - own.ts[:-WINDOW] == WINDOW * own.timeframe * 1000
        squares = (sliding_window_view(np.diff(logs), WINDOW) ** 2).mean(axis=1)
        unit[WINDOW:] = np.where(whole, np.maximum(np.sqrt(squares), FLOOR), np.nan)
    places = [np.intersect1d(own.ts, one.ts, return_indices=True)[1:] for one in others]
    for column, (n, root) in enumerate(zip(SPANS, ROOTS, strict=True)):
        mine = _moves(own, n)
        moves = np.full((len(others), count), np.nan)
        for row, (one, (here, there)) in enumerate(zip(others, places, strict=True)):
            moves[row, here] = _moves(one, n)[there]
        known = np.isfinite(moves) & np.isfinite(mine)
        company = known.sum(axis=0)
        some = company > 0
        mean = (np.where(known, moves, 0.0).sum(axis=0) + mine)[some] / (company[some] + 1)
        scale = unit[some] * root
        table[some, column] = np.clip(mean / scale, -CLIP, CLIP)
        table[some, 3 + column] = np.clip((mine[some] - mean) / scale, -CLIP, CLIP)
        with np.errstate(invalid="ignore"):
            below = (known & (moves < mine - SAME)).sum(axis=0)
            above = (known & (moves > mine + SAME)).sum(axis=0)
        same = company - below - above
        table[some, 6 + column] = ((below + same / 2.0)[some] / company[some]) - 0.5
    return table


def _moves(file: CandleFile, n: int) -> Floats:
    """Return log returns over ``n`` candles; NaN where one of them is missing."""
    import numpy as np

    logs = np.log(file.close)
    out = np.full(len(logs), np.nan)
    if len(logs) > n:
        whole = file.ts[n:] - file.ts[:-n] == n * file.timeframe * 1000
        out[n:] = np.where(whole, logs[n:] - logs[:-n], np.nan)
    return out
