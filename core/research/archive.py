"""Candles of venues, kept once: Parquet, a file a month, with what is missing known.

<folder>/<venue>/<BASE>USDT-<timeframe>/2026-03.parquet

A month's file is replaced whole by rename, so a program that is killed leaves what it had. The
columns are those of every candle file (``core.research.candles``). Not the SQL store: a year of
minutes of ten symbols is five million rows, which research reads as columns; Parquet gives them
seven times faster, in less than half the room. The store keeps what the desk saw itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from msgspec import Struct

from core.errors import RecordingError
from core.model.instrument import VENUES, short_symbol, unified_symbol
from core.research.candles import CandleFile, Floats, Ints, read_rows

COLUMNS = ("ts_ms", "open", "high", "low", "close", "volume")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Rows = Sequence[Sequence[float]]
"""Open time (ms), open, high, low, close, volume (base units); in any order."""


class Ask(Struct, frozen=True):
    """What is wanted of a venue next: the last ``count`` candles that open before ``before_ms``."""

    before_ms: int
    count: int


class Series:
    """The candles of one instrument at one venue, of one timeframe.

    Args:
        root: of the archive.
        venue: ``bybit``, ``binance`` or ``okx``.
        symbol: unified.
        timeframe: seconds.
    """

    def __init__(self, root: Path, venue: str, symbol: str, timeframe: int) -> None:
        self.venue = venue
        self.symbol = symbol
        self.timeframe = timeframe
        name = f"{short_symbol(symbol)}USDT-{timeframe_text(timeframe)}"
        self.folder = root / venue / name
        self._step = timeframe * 1000

    def write(self, rows: Rows) -> None:
        """Add candles; one that is known already is replaced."""
        if not rows:
            return
        table = np.array([list(row[:6]) for row in rows], np.float64)
        starts = table[:, 0].astype(np.int64)
        for month in sorted({_month(int(ts)) for ts in starts.tolist()}):
            path = self.folder / f"{month}.parquet"
            first, after = _bounds(month)
            mine = table[(starts >= first) & (starts < after)]
            if path.exists():
                mine = np.concatenate([_matrix(path), mine])
            # The newest word on a candle counts: it comes last.
            _, index = np.unique(mine[::-1, 0], return_index=True)
            _replace(path, mine[::-1][index])

    def matrix(self, start_ms: int = 0, end_ms: int = 1 << 62) -> Floats:
        """Return what is stored in ``[start_ms, end_ms)``: a row a candle, oldest first.

        Raises:
            RecordingError: a file is damaged.
        """
        parts = [
            _matrix(path)
            for path in self._files()
            if _bounds(path.stem)[0] < end_ms and _bounds(path.stem)[1] > start_ms
        ]
        whole = np.concatenate(parts) if parts else np.empty((0, len(COLUMNS)))
        return whole[(whole[:, 0] >= start_ms) & (whole[:, 0] < end_ms)]

    def missing(self, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the spans without candles: first open time and end, oldest first.

        Args:
            start_ms: on the timeframe's grid.
            end_ms: the same.
        """
        known = self.matrix(start_ms, end_ms)[:, 0].astype(np.int64)
        edges = np.concatenate([[start_ms - self._step], known, [end_ms]])
        holes = np.flatnonzero(np.diff(edges) > self._step)
        return [(int(edges[i]) + self._step, int(edges[i + 1])) for i in holes.tolist()]

    def read(self, start_ms: int = 0, end_ms: int = 1 << 62) -> CandleFile:
        """Return the newest stretch without a gap.

        Raises:
            RecordingError: a file is damaged or holds what is no candle, or fewer than two candles
                are stored.
        """
        table = self.matrix(start_ms, end_ms)
        gaps = np.flatnonzero(np.diff(table[:, 0]) != self._step)
        if len(gaps):
            table = table[gaps[-1] + 1 :]
        columns = [np.ascontiguousarray(table[:, i]) for i in range(len(COLUMNS))]
        return read_rows(self.folder, self.venue, self.symbol, columns)

    def forget(self) -> None:
        """Remove everything that is stored."""
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("????-??.parquet"))


class Holding(Struct, frozen=True):
    """What is stored of one series, for ``killcord history list``."""

    venue: str
    symbol: str
    timeframe: int
    candles: int
    from_ms: int
    to_ms: int
    """Open time of the newest candle."""
    gaps: int
    missing: int
    """Candles that are missing between the first and the last."""
    bytes: int


class Archive:
    """All series under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def series(self, venue: str, symbol: str, timeframe: int) -> Series:
        """Return a series, stored or not."""
        return Series(self.folder, venue, symbol, timeframe)

    def all(self) -> Iterator[Series]:
        """Yield the series of which something is stored."""
        for path in sorted(self.folder.glob("*/*-*")):
            name, _, text = path.name.rpartition("-")
            if path.parent.name in VENUES and any(path.glob("????-??.parquet")):
                symbol = unified_symbol(name.removesuffix("USDT"))
                yield self.series(path.parent.name, symbol, timeframe_of(text))

    def describe(self, series: Series) -> Holding:
        """Return what is stored of a series."""
        starts = series.matrix()[:, 0].astype(np.int64)
        first, last = int(starts[0]), int(starts[-1])
        steps = np.diff(starts) // (series.timeframe * 1000) - 1
        return Holding(
            series.venue,
            series.symbol,
            series.timeframe,
            len(starts),
            first,
            last,
            int((steps > 0).sum()),
            int(steps.sum()),
            sum(path.stat().st_size for path in series.folder.glob("????-??.parquet")),
        )


class Download:
    """Fills what is missing in a span, newest first, page by page; says what the venue has not.

    Sans I/O: ``next`` says what to ask, ``take`` gets the answer and has stored it when it returns,
    so a download that was killed goes on where it was. Where candles are stored that should come
    just before or after the new ones, some are asked again: a venue whose past is another than the
    stored one (a practice exchange that was started anew) must not be joined to it.

    Args:
        series: where to.
        start_ms: open time of the first wanted candle, on the timeframe's grid.
        end_ms: after the last one, on the grid.
        page: candles a request.
        replace: throw away what is stored where the venue says otherwise now; else that is refused.
    """

    OVERLAP = 3

    def __init__(
        self,
        series: Series,
        start_ms: int,
        end_ms: int,
        page: int = 1000,
        *,
        replace: bool = False,
    ) -> None:
        self.replaced = 0
        """Stored candles that were not this venue's past and were thrown away."""
        self.got = 0
        self._series = series
        self._start, self._end = start_ms, end_ms
        self._page = page
        self._step = series.timeframe * 1000
        self._todo = series.missing(start_ms, end_ms)
        self._total = self._left()
        self._replace = replace
        self._checked = not len(series.matrix(start_ms, end_ms))

    @property
    def part(self) -> float:
        """How much is done, 0 to 1."""
        return 1.0 - self._left() / self._total if self._total else 1.0

    def next(self) -> Ask | None:
        """Return what to ask the venue next; None when all is asked."""
        if not self._todo:
            return None
        if not self._checked:
            return Ask(self._anchor(), self.OVERLAP)
        first, after = self._todo[-1]
        return Ask(after, min((after - first) // self._step, self._page))

    def take(self, rows: Rows) -> None:
        """Store an answer; an empty one means that the venue has nothing older.

        Raises:
            RecordingError: the venue sent what is no candle, or says otherwise than is stored.
        """
        if not self._checked:
            self._check(rows)
            return
        first, after = self._todo.pop()
        mine = [row for row in rows if first <= row[0] < after]
        _refuse_nonsense(self._series, mine)
        self._series.write(mine)
        self.got += len(mine)
        oldest = int(min((row[0] for row in rows), default=first))
        # A page that reaches before the span, or holds nothing: there is no more to be had.
        if rows and oldest > first and mine:
            self._todo.append((first, oldest))

    def gaps(self) -> list[tuple[int, int]]:
        """Return what is still missing; the span before the venue's first candle is not counted."""
        left = self._series.missing(self._start, self._end)
        return left[1:] if left and left[0][0] == self._start else left

    def _left(self) -> int:
        return sum(after - first for first, after in self._todo) // self._step

    def _anchor(self) -> int:
        """Return the end of the newest stored candle of the span."""
        return int(self._series.matrix(self._start, self._end)[-1, 0]) + self._step

    def _check(self, rows: Rows) -> None:
        self._checked = True
        told = {int(row[0]): np.array(row[1:5]) for row in rows}
        known = self._series.matrix(self._start, self._end)
        for row in known[-self.OVERLAP :]:
            # The newest must be among what the venue says; those before it may lie behind gaps.
            newest = row[0] == known[-1, 0]
            said = told.get(int(row[0]), None if newest else row[1:5])
            if said is not None and np.allclose(said, row[1:5], rtol=1e-9, atol=0.0):
                continue
            if not self._replace:
                raise RecordingError(
                    f"{self._series.folder}: the venue says another candle for"
                    f" {_day(int(row[0]))} than is stored; --replace downloads the whole anew"
                )
            self.replaced = len(self._series.matrix())
            self._series.forget()
            self._todo = [(self._start, self._end)]
            self._total = self._left()
            return


def grid(ms: int, timeframe: int) -> int:
    """Return the last candle's open time at or before an instant, milliseconds."""
    return ms - ms % (timeframe * 1000)


def timeframe_of(text: str) -> int:
    """Read ``1m``, ``5m``, ``1h``, ``1d`` as seconds.

    Raises:
        ValueError: it is none of the kind.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or not int(number):
        raise ValueError(f"{text!r}: expected a timeframe such as 1m, 5m, 1h, 4h or 1d")
    return int(number) * _UNITS[unit]


def timeframe_text(seconds: int) -> str:
    """Return ``1m``, ``4h``, ``1d``: the largest unit that fits."""
    for unit, size in reversed(_UNITS.items()):
        if not seconds % size:
            return f"{seconds // size}{unit}"
    raise ValueError(f"{seconds}: no whole number of seconds")


def _day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _month(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m}"


def _bounds(month: str) -> tuple[int, int]:
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    after = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000


def _matrix(path: Path) -> Floats:
    try:
        table = pyarrow.parquet.read_table(path, columns=list(COLUMNS))
        return np.column_stack([table[name].to_numpy().astype(np.float64) for name in COLUMNS])
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise RecordingError(f"{path}: {reason}; remove it and download it again") from error


def _replace(path: Path, rows: Floats) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.new")
    starts: Ints = rows[:, 0].astype(np.int64)
    columns = {name: rows[:, i] for i, name in enumerate(COLUMNS)}
    table = pyarrow.table(columns | {"ts_ms": starts})
    pyarrow.parquet.write_table(table, draft, compression="zstd")
    draft.replace(path)


def _refuse_nonsense(series: Series, rows: Rows) -> None:
    for row in rows:
        ts, open_, high, low, close, volume = row[:6]
        whole = 0 < low <= open_ <= high < float("inf") and low <= close <= high
        if not whole or not 0 <= volume < float("inf") or int(ts) % (series.timeframe * 1000):
            raise RecordingError(
                f"{series.venue} {series.symbol}: {_day(int(ts))}: not a candle: {list(row)}"
            )
