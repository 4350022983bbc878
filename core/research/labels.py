"""What is to be foretold: where the price goes after the next open, and for how long it counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.research.candles import CandleFile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Labels(Struct, frozen=True):
    """One label a candle. What is decided at a candle's close is filled at the next open."""

    ahead: Floats
    """Log return from the next open to where the label ends; NaN where it is not known."""
    lasts: Ints
    """Candles from the next open to the label's end; 0 where it is not known."""
    unclear: int
    """Labels dropped because both barriers lie in one candle, whose inner order nobody knows."""


def fixed_horizon(file: CandleFile, horizon: int) -> Labels:
    """Return the move from the next open to the open ``horizon`` candles later."""
    opens = np.log(file.open)
    count = len(opens)
    ahead, lasts = np.full(count, np.nan), np.zeros(count, np.int64)
    known = max(count - horizon - 1, 0)
    ahead[:known] = opens[horizon + 1 :] - opens[1 : known + 1]
    lasts[:known] = horizon
    return Labels(ahead, lasts, 0)


def triple_barrier(file: CandleFile, horizon: int, move: Floats, width: float) -> Labels:
    """Return the move to the first of an upper barrier, a lower one and the horizon.

    A candle that opens beyond a barrier ends the label at its open. One that reaches both, opening
    between them, gives no label: its high may have come before its low or after. (Lopez de Prado,
    "Advances in Financial Machine Learning", 2018, chapter 3, where prices are not candles.)

    Args:
        file: candles.
        horizon: candles.
        move: expected move over the horizon at each candle's close: volatility by its root; log
            return.
        width: of the barriers, in expected moves.
    """
    count = len(file.open)
    opens, highs, lows = np.log(file.open), np.log(file.high), np.log(file.low)
    ahead, lasts = np.full(count, np.nan), np.zeros(count, np.int64)
    rows = np.arange(max(count - horizon - 1, 0))
    rows = rows[np.isfinite(move[rows])]
    entry, reach = opens[rows + 1], width * move[rows]
    unclear = 0
    for after in range(1, horizon + 1):
        opened = opens[rows + after] - entry
        up = highs[rows + after] - entry >= reach
        down = lows[rows + after] - entry <= -reach
        beyond = (after > 1) & (np.abs(opened) >= reach)
        both = up & down & ~beyond
        unclear += int(both.sum())
        ended = (up | down | beyond) & ~both
        where = rows[ended]
        touched = np.where(up[ended], reach[ended], -reach[ended])
        ahead[where] = np.where(beyond[ended], opened[ended], touched)
        lasts[where] = after
        going = ~(ended | both)
        rows, entry, reach = rows[going], entry[going], reach[going]
    ahead[rows] = opens[rows + horizon + 1] - entry
    lasts[rows] = horizon
    return Labels(ahead, lasts, unclear)


def relate(files: Sequence[CandleFile], labels: Sequence[Labels]) -> list[Labels]:
    """Return each move less the mean of all that begin with the same candle at the same venue.

    What is left is how an instrument did beside the others: the half of them that did better has a
    positive label, whatever the market did. A symbol without a label there, halted or not yet
    listed, is not in the mean; one that is alone has no label.

    Args:
        files: candles.
        labels: of each of them.
    """
    found = []
    for venue in dict.fromkeys(file.venue for file in files):
        mine = [k for k, file in enumerate(files) if file.venue == venue]
        times, at = np.unique(np.concatenate([files[k].ts for k in mine]), return_inverse=True)
        ahead = np.concatenate([labels[k].ahead for k in mine])
        known = np.isfinite(ahead)
        count = np.bincount(at[known], minlength=len(times))
        total = np.bincount(at[known], ahead[known], len(times))
        apart = np.full(len(ahead), np.nan)
        some = known & (count[at] > 1)
        apart[some] = ahead[some] - total[at[some]] / count[at[some]]
        first = 0
        for k in mine:
            own = apart[first : first + len(files[k].ts)]
            first += len(own)
            lasts = np.where(np.isfinite(own), labels[k].lasts, 0)
            found.append((k, Labels(own, lasts, labels[k].unclear)))
    return [one for _, one in sorted(found, key=lambda each: each[0])]


def uniqueness(lasts: Ints) -> Floats:
    """Return the part of each label that is its own: the mean over its life of 1 by labels alive.

    Overlapping labels tell the same story; without this a slow label counts as often as it
    overlaps. (Lopez de Prado 2018, chapter 4.)

    Args:
        lasts: candles of each label from the next open; 0 for none.
    """
    count = len(lasts)
    known = np.flatnonzero(lasts)
    starts, ends = known + 1, known + 1 + lasts[known]
    edges = np.zeros(count + int(lasts.max(initial=0)) + 2)
    np.add.at(edges, starts, 1.0)
    np.add.at(edges, ends, -1.0)
    alive = np.cumsum(edges)
    part = np.concatenate([[0.0], np.cumsum(np.where(alive > 0, 1.0 / np.maximum(alive, 1.0), 0))])
    out = np.zeros(count)
    out[known] = (part[ends] - part[starts]) / lasts[known]
    return out


def decay(ages: Ints, half_life: int) -> Floats:
    """Return weights that halve every ``half_life`` candles of age; 0 means that none do."""
    if not half_life:
        return np.ones(len(ages))
    return np.asarray(0.5 ** (ages / half_life), np.float64)
