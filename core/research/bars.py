"""Candles of many instruments as columns, and what of them closes at the same times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.clock import SECOND
from core.config import Config
from core.engine.ahead import Block
from core.model.instrument import Instrument

if TYPE_CHECKING:
    from core.research.candles import CandleFile  # which brings pyarrow

Column = Sequence[Any] | NDArray[Any]
"""Plain numbers, or an array of them."""
_BLOCK = 512
"""Rows that are taken at once."""


class Bars(Struct, frozen=True, gc=False):
    """Candles of one instrument as columns of equal length, oldest first."""

    ts: Column
    """Open times, nanoseconds UTC, rising by the strategy's timeframe or more."""
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column
    """Base units."""

    @classmethod
    def of(cls, file: CandleFile) -> Bars:
        """Return a file's candles, whose times are milliseconds."""
        return cls(
            file.ts * 1_000_000, file.open, file.high, file.low, file.close, file.volume
        )  # fmt: skip

    def part(self, first: int, last: int | None = None) -> Bars:
        """Return the rows from ``first`` up to ``last``, or to the end."""
        return Bars(*(column[first:last] for column in (self.ts, *self.columns)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Open, high, low, close and volume."""
        return self.open, self.high, self.low, self.close, self.volume


def check_bars(candles: Mapping[Instrument, Bars], config: Config) -> int:
    """Return how many bars there are.

    Raises:
        ValueError: no candles, columns of different lengths, a row that is no candle or out of
            order, or an instrument the configuration does not trade.
    """
    if {rules.venue for rules in candles} != set(config.venues):
        raise ValueError("the configured venues must be those of the instruments")
    for rules, bars in candles.items():
        if rules.symbol not in config.symbols:
            raise ValueError(f"{rules.symbol} is not among the configured symbols")
        _check_columns(f"{rules.venue} {rules.symbol}", bars, int(config.strategy.timeframe))
    count = sum(len(bars.ts) for bars in candles.values())
    if not count:
        raise ValueError("no candles")
    return count


def _check_columns(name: str, bars: Bars, timeframe: int) -> None:
    if len({len(column) for column in (bars.ts, *bars.columns)}) != 1:
        raise ValueError(f"{name}: columns of different lengths")
    ts = np.asarray(bars.ts, np.int64)
    open_, high, low, close, volume = (np.asarray(one, np.float64) for one in bars.columns)
    with np.errstate(invalid="ignore"):
        good = (low > 0) & (low <= open_) & (open_ <= high) & (low <= close) & (close <= high)
        good &= np.isfinite(high) & np.isfinite(volume) & (volume >= 0)
    good[1:] &= np.diff(ts) >= timeframe * SECOND
    if not good.all():
        raise ValueError(f"{name}: row {int(np.argmin(good)) + 1} is not a candle that follows")


class Stretch(Struct, frozen=True, gc=False):
    """A time in which the same instruments have candles, all at the same times."""

    lanes: tuple[int, ...]
    """Which instruments, by their number."""
    first: tuple[int, ...]
    """Of each, the row it begins with."""
    count: int


def stretches(columns: Sequence[Column]) -> Iterator[Stretch]:
    """Yield the stretches of several instruments' open times, oldest first."""
    times = [np.asarray(column, np.int64) for column in columns]
    if all(np.array_equal(times[0], one) for one in times[1:]):
        yield Stretch((*range(len(times)),), (0,) * len(times), len(times[0]))
        return
    every = np.unique(np.concatenate(times))
    has = np.stack([np.isin(every, one) for one in times])
    edges = np.flatnonzero((np.diff(has.astype(np.int8), axis=1) != 0).any(axis=0)) + 1
    for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), len(every)], strict=True):
        lanes = tuple(np.flatnonzero(has[:, begin]).tolist())
        first = tuple(int(np.searchsorted(times[lane], every[begin])) for lane in lanes)
        yield Stretch(lanes, first, end - begin)


def blocks(bars: Sequence[Bars], stretch: Stretch, timeframe: int) -> Iterator[Block]:
    """Yield the candles of a stretch.

    Args:
        bars: of all instruments.
        timeframe: seconds.
    """
    span = timeframe * SECOND
    parts = [(bars[lane], first) for lane, first in zip(stretch.lanes, stretch.first, strict=True)]
    for begin in range(0, stretch.count, _BLOCK):
        end = min(begin + _BLOCK, stretch.count)
        one, first = parts[0]
        opened = one.ts[first + begin : first + end]
        ts, last = int(opened[0]), int(opened[-1])
        whole = last - ts == (end - begin - 1) * span  # none is missing
        times = range(ts, last + span, span) if whole else [int(ts) for ts in opened]
        yield Block(
            times,
            [
                tuple([column[first + begin : first + end] for column in one.columns])
                for one, first in parts
            ],
        )
