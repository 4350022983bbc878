"""Candle and funding files: read whole, checked row by row, refused with the row that is wrong.

A candle file is Parquet or CSV with columns ``ts_ms`` (open time, UTC milliseconds), ``open, high,
low, close`` (USDT) and ``volume`` (base units), named ``<BASE>USDT.parquet``. Rows count from 1,
without the header of a CSV.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from msgspec import Struct
from numpy.typing import NDArray

from core.errors import RecordingError
from core.model.instrument import VENUES, unified_symbol

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("ts_ms", *_PRICES, "volume")
_FUNDING = ("symbol", "ts_ms", "funding_rate")
_STEPS = frozenset(hours * 3_600_000 for hours in (1, 2, 4, 8))
"""Milliseconds between settlements that venues have."""


class CandleFile(Struct, frozen=True):
    """The candles of one asset, oldest first, without a gap."""

    path: Path
    venue: str
    """From the folder's name (``binance_perp_1m``); empty when it names none."""
    symbol: str
    timeframe: int
    """Seconds."""
    ts: Ints
    """Open times, milliseconds UTC."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    """Base units."""

    @property
    def silent(self) -> int:
        """How many candles have no volume: a halt, or a venue's filler."""
        return int((self.volume == 0).sum())


def find_files(path: Path) -> list[Path]:
    """Return the candle files that a path means: itself, or all in the folder, by name.

    Raises:
        RecordingError: nothing there.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix in (".parquet", ".csv"))
        if not found:
            raise RecordingError(f"{path}: no .parquet or .csv files in this folder")
        return found
    if not path.exists():
        raise RecordingError(f"{path}: no such file")
    return [path]


def read_candles(path: Path) -> CandleFile:
    """Read one candle file.

    Raises:
        RecordingError: naming the file, and the row where a row is wrong: a candle that is missing,
            repeated or out of order, a number that is none, prices that make no candle.
    """
    table = _read_table(path, _COLUMNS)
    ts = _column(path, table, "ts_ms").astype(np.int64)
    prices = [_column(path, table, name) for name in _PRICES]
    volume = _column(path, table, "volume")
    venue = path.parent.name.partition("_")[0].lower()
    base = path.name.partition(".")[0].partition("_")[0]
    return read_rows(
        path, venue if venue in VENUES else "", unified_symbol(base), [ts, *prices, volume]
    )


def read_rows(
    path: Path, venue: str, symbol: str, columns: Sequence[NDArray[np.generic]]
) -> CandleFile:
    """Check columns and return them as candles.

    Args:
        path: where they came from, for the error.
        venue: empty for none.
        symbol: unified.
        columns: open times (ms), open, high, low, close, volume.

    Raises:
        RecordingError: as ``read_candles``.
    """
    ts = columns[0].astype(np.int64)
    *prices, volume = (column.astype(np.float64) for column in columns[1:])
    if len(ts) < 2:
        raise RecordingError(f"{path}: {len(ts)} candles; at least two are needed")
    timeframe = _check_times(path, ts)
    _check_prices(path, prices, volume)
    open_, high, low, close = prices
    return CandleFile(path, venue, symbol, timeframe, ts, open_, high, low, close, volume)


def read_funding(path: Path) -> dict[str, tuple[tuple[int, float], ...]]:
    """Read funding settlements: CSV, gzipped or not, with ``symbol, ts_ms, funding_rate``.

    Returns:
        By unified symbol, oldest first: time (milliseconds UTC, rounded to a second, as venues
        stamp settlements some milliseconds late) and rate (fraction of notional, longs pay when
        positive).

    Raises:
        RecordingError: naming the file, and the row where a row is wrong.
    """
    table = _read_table(path, _FUNDING)
    rates = _column(path, table, "funding_rate")
    times = _column(path, table, "ts_ms").astype(np.int64)
    if not np.isfinite(rates).all():
        row = int(np.argmin(np.isfinite(rates))) + 1
        raise RecordingError(f"{path}: row {row}: funding_rate is not a number")
    found: dict[str, dict[int, float]] = {}
    names = table["symbol"].to_pylist()
    for row, (name, ts, rate) in enumerate(
        zip(names, times.tolist(), rates.tolist(), strict=True), 1
    ):
        series = found.setdefault(unified_symbol(str(name)), {})
        ts = (ts + 500) // 1000 * 1000
        if ts in series:
            raise RecordingError(f"{path}: row {row}: a second settlement of {name} at {ts} ms")
        series[ts] = rate
    return {name: tuple(sorted(series.items())) for name, series in found.items()}


def read_settlements(
    path: Path, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[tuple[int, float], ...]]:
    """Read what funding was settled of some instruments.

    Args:
        path: a file, which is taken to be of every venue; or a folder of files whose names begin
            with a venue (``binance_usdm.csv.gz``).
        keys: venue and symbol.

    Returns:
        By venue and symbol, those that are there; see ``read_funding``.

    Raises:
        RecordingError: as ``read_funding``; or a folder without such a file.
    """
    files = [("", path)]
    if path.is_dir():
        named = [
            (one.name.partition(".")[0].partition("_")[0].lower(), one) for one in path.iterdir()
        ]
        kinds = (".parquet", ".csv", ".gz")
        files = sorted(one for one in named if one[0] in VENUES and one[1].suffix in kinds)
        if not files:
            raise RecordingError(f"{path}: no file of funding whose name begins with a venue's")
    wanted = tuple(keys)
    found = {}
    for venue, file in files:
        known = read_funding(file)
        for key in wanted:
            if key[1] in known and venue in ("", key[0]):
                _refuse_zones(file, key[1], known[key[1]])
                found[key] = known[key[1]]
    return found


def _refuse_zones(path: Path, symbol: str, settled: Sequence[tuple[int, float]]) -> None:
    """Refuse settlements in local time: each would be known some hours before it was."""
    times = np.array([ts for ts, _ in settled], np.int64)
    if len(times) < 10:
        return
    step = int(np.median(np.diff(times)))
    off = times % step if step in _STEPS else np.zeros(1)
    if float((off > 60_000).mean()) > 0.5:
        raise RecordingError(
            f"{path}: {symbol} is settled every {step // 3_600_000} h, but"
            f" {float(np.median(off)) / 3_600_000:g} h off the venues' hours, which count from"
            " 00:00 UTC; ts_ms is milliseconds UTC"
        )


def _read_table(path: Path, columns: Sequence[str]) -> Any:
    try:
        if path.suffix == ".parquet":
            # ``read_table`` would load all of Arrow's datasets for one file: 0.07 s.
            with pyarrow.parquet.ParquetFile(path) as file:
                table = file.read()
        else:
            nothing = pyarrow.csv.ConvertOptions(null_values=[""])  # keep nan a number
            table = pyarrow.csv.read_csv(path, convert_options=nothing)
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise RecordingError(f"{path}: cannot be read: {reason}") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise RecordingError(f"{path}: has no column {', '.join(missing)}")
    return table


def _column(path: Path, table: Any, name: str) -> Floats:
    """Return a column as floats; milliseconds since 1970 fit a float exactly."""
    column = table[name]
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise RecordingError(f"{path}: row {row}: {name} is empty")
    try:
        return np.ascontiguousarray(column.to_numpy(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: column {name} is not of numbers: {error}") from error


def _check_times(path: Path, ts: Ints) -> int:
    """Return the spacing, seconds."""
    steps = np.diff(ts)
    rising = steps > 0
    if not rising.all():
        row = int(np.argmin(rising)) + 2
        what = "repeats the time of" if steps[row - 2] == 0 else "lies before"
        raise RecordingError(f"{path}: row {row}: {what} the row above ({ts[row - 1]} ms)")
    step = int(steps.min())
    if step % 1000:
        raise RecordingError(
            f"{path}: candles are {step} ms apart, not whole seconds: is ts_ms in ms?"
        )
    if (steps != step).any():
        row = int(np.argmax(steps != step)) + 2
        missing = int(steps[row - 2]) / step - 1
        what = "a candle is" if missing == 1 else f"{missing:g} candles are"
        raise RecordingError(f"{path}: row {row}: {what} missing before it")
    return step // 1000


def _check_prices(path: Path, prices: Sequence[Floats], volume: Floats) -> None:
    open_, high, low, close = prices
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(high) & np.isfinite(volume) & (volume >= 0)
        whole = (low > 0) & (low <= open_) & (open_ <= high) & (low <= close) & (close <= high)
    good = finite & whole
    if good.all():
        return
    row = int(np.argmin(good))
    values = ", ".join(
        f"{name} {column[row]:g}"
        for name, column in zip((*_PRICES, "volume"), (*prices, volume), strict=True)
    )
    raise RecordingError(f"{path}: row {row + 1}: not a candle: {values}")
