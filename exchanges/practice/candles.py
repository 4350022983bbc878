"""Playing recorded candles: a price path through each candle, with a book made around it.

A file is Parquet with columns ``ts_ms`` (open time, UTC milliseconds), ``open, high, low, close``
(USDT) and ``volume`` (base units), named ``<BASE>USDT.parquet``. The path goes from the open over
the nearer extreme and the farther one to the close, so it makes exactly that candle. The first part
of the recording, 30 days or a half, is the past of the market; the rest is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from msgspec import Struct

from core.errors import RecordingError
from exchanges.practice.contracts import LISTINGS, Listing, make_listing
from exchanges.practice.lanes import PathMarket
from exchanges.practice.paths import (
    HISTORY_DAYS,
    STEP_MS,
    STEPS,
    WARM_BLOCKS,
    Block,
    Floats,
    Ints,
    Past,
)

MINUTE_MS = 60_000
_COLUMNS = ("ts_ms", "open", "high", "low", "close")
_MOST_PAST = HISTORY_DAYS * 1440
_NOISE = 0.45
"""Noise inside a candle as a share of what a random walk with the same range would have."""


class Series(Struct):
    """One asset's candles; ``prices`` are open, high, low, close in columns."""

    path: Path
    base: str
    ts_ms: Ints
    prices: Floats
    timeframe_ms: int


def read_series(path: Path) -> Series:
    """Read a file of candles.

    Raises:
        RecordingError: with file, and row where a row is wrong.
    """
    base = path.stem.upper().replace("-", "").removesuffix("SWAP").removesuffix("USDT")
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise RecordingError(f"{path}: cannot be read as Parquet: {reason}") from error
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise RecordingError(f"{path}: has no column {', '.join(missing)}")
    try:
        ts_ms = np.asarray(table["ts_ms"].to_numpy(), np.int64)
        prices = np.column_stack(
            [np.asarray(table[name].to_numpy(), np.float64) for name in _COLUMNS[1:]]
        )
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: a column is not of numbers: {error}") from error
    if len(ts_ms) < 3:
        raise RecordingError(f"{path}: only {len(ts_ms)} candles")
    steps = np.diff(ts_ms)
    timeframe = int(np.min(steps))
    if timeframe < MINUTE_MS or timeframe % MINUTE_MS:
        raise RecordingError(f"{path}: candles are {timeframe} ms apart, not of whole minutes")
    if np.any(steps != timeframe):
        row = int(np.argmax(steps != timeframe)) + 1
        raise RecordingError(f"{path}: row {row}: a gap or a time that goes backwards")
    low, high = prices[:, 2], prices[:, 1]
    good = np.isfinite(prices).all(axis=1) & (low > 0)
    good &= (low <= prices.min(axis=1)) & (high >= prices.max(axis=1))
    if not good.all():
        raise RecordingError(f"{path}: row {int(np.argmin(good))}: not a candle")
    return Series(path, base, ts_ms, prices, timeframe)


class CandlePaths:
    """Price paths through recorded candles. Implements ``lanes.Paths``.

    Args:
        series: assets with the same timeframe and span.
        seed: of where in a candle its extremes come, and of the noise.
        played_from: row at which the market opens; before it there is half an hour at least.
    """

    def __init__(self, series: Sequence[Series], seed: int, played_from: int, name: str) -> None:
        self._series = list(series)
        self._seed = seed
        self._name = name
        self._opens_at = played_from
        self._timeframe = series[0].timeframe_ms
        self._basis = np.random.default_rng([seed, 1]).uniform(-1.2e-4, 1.2e-4, (3, len(series)))
        self._played_ms = 0
        # Way points of each candle: where they lie in it (0 to 1), and the prices there.
        rows = len(series[0].ts_ms)
        rng = np.random.default_rng([seed, 2])
        first = rng.uniform(0.15, 0.45, rows)
        second = first + rng.uniform(0.2, 0.45, rows)
        self._places = np.column_stack([np.zeros(rows), first, second, np.ones(rows)])
        self._points = [_way_points(one.prices) for one in series]

    @property
    def span_ms(self) -> int:
        """Market time from the opening to the end."""
        return (len(self._series[0].ts_ms) - self._opens_at) * self._timeframe

    def _prices_at(self, column: int, ms: Floats) -> Floats:
        """Return the path at times counted from the first candle, without noise."""
        row = np.minimum((ms // self._timeframe).astype(np.int64), len(self._places) - 1)
        part = ms / self._timeframe - row
        places, points = self._places[row], self._points[column][row]
        out = np.empty(len(ms))
        for leg in range(3):
            a, b = places[:, leg], places[:, leg + 1]
            on = (part >= a) & (part <= b)
            share = np.clip((part - a) / (b - a), 0.0, 1.0)
            out[on] = (points[:, leg] + (points[:, leg + 1] - points[:, leg]) * share)[on]
        return out

    def block(self, index: int) -> Block | None:
        """Return a minute of steps; None when the candles are played."""
        if index * MINUTE_MS >= self.span_ms:
            return None
        self._played_ms = max(index, 0) * MINUTE_MS
        start = self._opens_at * self._timeframe + index * MINUTE_MS
        ms = (start + np.arange(STEPS) * STEP_MS).astype(np.float64)
        rng = np.random.default_rng([self._seed, 3, index + WARM_BLOCKS])
        row = min(start // self._timeframe, len(self._places) - 1)
        columns, heats = [], []
        for column, series in enumerate(self._series):
            clean = self._prices_at(column, ms)
            low, high = series.prices[row, 2], series.prices[row, 1]
            # A walk's range is about 1.6 deviations; this one comes back to the path each minute.
            step = _NOISE * (high - low) / (1.6 * np.sqrt(self._timeframe / STEP_MS))
            walk = np.cumsum(rng.normal(0.0, step, STEPS))
            walk -= walk[-1] * np.arange(1, STEPS + 1) / STEPS
            columns.append(np.clip(clean + walk, low, high))
            heats.append((high - low) / low)
        usual = 0.0012 * np.sqrt(self._timeframe / 300_000)
        heat = float(np.clip(np.mean(heats) / usual, 0.1, 8.0))
        basis = np.broadcast_to(self._basis[:, None, :], (3, STEPS, len(columns)))
        return Block(np.column_stack(columns), basis, np.full(STEPS, heat))

    def past(self, row: int, column: int, tick: float) -> Past:
        """Return the minutes of the path before the warm-up."""
        minutes = self._opens_at * self._timeframe // MINUTE_MS - WARM_BLOCKS
        begin = max(minutes - _MOST_PAST, 0)
        bounds = (np.arange(begin, minutes + 1) * MINUTE_MS).astype(np.float64)
        scale = np.exp(self._basis[row, column]) / tick
        at = self._prices_at(column, bounds) * scale
        highs, lows = np.maximum(at[:-1], at[1:]), np.minimum(at[:-1], at[1:])
        # The extremes of a candle belong to the minutes in which the path has them.
        for leg in (1, 2):
            when = (np.arange(len(self._places)) + self._places[:, leg]) * self._timeframe
            minute = (when // MINUTE_MS).astype(np.int64) - begin
            on = (minute >= 0) & (minute < len(highs))
            points = self._points[column][:, leg][on] * scale
            np.maximum.at(highs, minute[on], points)
            np.minimum.at(lows, minute[on], points)
        ticks = np.floor(at).astype(np.int64)
        low_ticks, high_ticks = np.floor(lows).astype(np.int64), np.floor(highs).astype(np.int64)
        return Past(ticks[:-1], high_ticks, low_ticks, ticks[1:], np.ones(len(highs)))

    def distant(self, row: int, column: int, tick: float) -> Past:
        """Return nothing: what is played comes with its minutes."""
        none = np.zeros(0, np.int64)
        return Past(none, none, none, none, np.zeros(0))

    def index(self, row: int, column: int, tick: float) -> tuple[Floats, Floats]:
        """Return the path at all bounds of the minutes: it is the fair price."""
        minutes = self._opens_at * self._timeframe // MINUTE_MS - WARM_BLOCKS
        begin = max(minutes - _MOST_PAST, 0)
        bounds = (np.arange(begin, minutes + 1) * MINUTE_MS).astype(np.float64)
        return self._prices_at(column, bounds), np.zeros(0)

    def status(self) -> dict[str, Any]:
        """Return what is played and how far."""
        return {
            "kind": "candles",
            "name": self._name,
            "span_seconds": self.span_ms / 1000,
            "candles": self._played_ms // self._timeframe,
            "candles_total": self.span_ms // self._timeframe,
        }


def _way_points(prices: Floats) -> Floats:
    """Return open, nearer extreme, farther extreme, close of each candle."""
    opened, high, low, close = prices.T
    up_first = high - opened < opened - low
    return np.column_stack(
        [opened, np.where(up_first, high, low), np.where(up_first, low, high), close]
    )


def _align(series: list[Series], name: str) -> list[Series]:
    """Cut the series to the span they share.

    Raises:
        RecordingError: different timeframes, or nothing shared.
    """
    first = series[0]
    for one in series:
        if one.timeframe_ms != first.timeframe_ms:
            raise RecordingError(f"{one.path}: another timeframe than {first.path.name}")
        if (one.ts_ms[0] - first.ts_ms[0]) % first.timeframe_ms:
            raise RecordingError(
                f"{one.path}: its candles begin between those of {first.path.name}"
            )
    begin = max(int(one.ts_ms[0]) for one in series)
    end = min(int(one.ts_ms[-1]) for one in series)
    if end <= begin:
        raise RecordingError(f"{name}: the files have no time in common")
    cut = []
    for one in series:
        rows = (one.ts_ms >= begin) & (one.ts_ms <= end)
        cut.append(Series(one.path, one.base, one.ts_ms[rows], one.prices[rows], one.timeframe_ms))
    return cut


def _listing_of(series: Series, row: int) -> Listing:
    known = {listing.base: listing for listing in LISTINGS}.get(series.base)
    return make_listing(series.base, float(series.prices[row, 0]), known)


def open_candles(files: Sequence[Path], name: str, seed: int) -> PathMarket:
    """Open candle files as one market.

    Raises:
        RecordingError: a file does not parse, or they do not fit together.
    """
    series = _align([read_series(file) for file in files], name)
    rows, timeframe = len(series[0].ts_ms), series[0].timeframe_ms
    most = HISTORY_DAYS * 86_400_000 // timeframe
    warm = -(-WARM_BLOCKS * MINUTE_MS // timeframe)
    played_from = max(min(most, rows // 2), warm)
    if rows <= played_from:
        raise RecordingError(
            f"{series[0].path}: {rows} candles are too few: half an hour of past and one to play"
        )
    paths = CandlePaths(series, seed, played_from, name)
    listings = [_listing_of(one, played_from) for one in series]
    symbols = "+".join(one.base for one in series)
    days = paths.span_ms / 86_400_000
    return PathMarket(seed, listings, paths, f"recording {name} ({symbols}, {days:.1f} days)")
