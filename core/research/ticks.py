"""Files of public trades and quotes: read whole, checked row by row, refused with the wrong row.

Parquet, CSV or JSON (gzipped or not). Columns are known by what exporters call them: time
``ts_ms``, ``timestamp`` or ``time`` (milliseconds UTC, or a timestamp); ``price``; ``qty``,
``quantity``, ``amount`` or ``size`` in base units; the taker's ``side``, or ``buyer_maker``. A file
with ``bid, bid_size, ask, ask_size`` holds quotes. A JSON file is a list of rows
``[ts_ms, id, type, side, price, amount, cost]``. The symbol and venue are in the name, as in
``binance_btcusdt_perp.parquet``. Rows count from 1, without the header of a CSV.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from msgspec import Struct
from numpy.typing import NDArray

from core.clock import SECOND
from core.errors import RecordingError
from core.model.instrument import VENUES, unified_symbol
from core.model.market import BookTop, Side, Trade

_MILLI = 1_000_000
_NAMES = {
    "ts": ("ts_ms", "timestamp", "time"),
    "price": ("price",),
    "qty": ("qty", "quantity", "amount", "size"),
    "side": ("side", "buyer_maker", "is_buyer_maker"),
    "bid": ("bid", "bid_price"),
    "bid_size": ("bid_size", "bid_qty"),
    "ask": ("ask", "ask_price"),
    "ask_size": ("ask_size", "ask_qty"),
}
_TRADES = ("ts", "price", "qty", "side")
_QUOTES = ("ts", "bid", "bid_size", "ask", "ask_size")
_ROW = ("timestamp", "id", "type", "side", "price", "amount", "cost")
DEEP = 1e6
"""Base units taken to stand on both sides of the last trade, where no book was recorded."""
_SYMBOL = re.compile(r"[a-z0-9]+usdt", re.IGNORECASE)


class TickFile(Struct, frozen=True):
    """Trades or quotes of one symbol, oldest first."""

    path: Path
    venue: str
    """Empty when the name says none."""
    symbol: str
    ts: NDArray[np.int64]
    """Milliseconds UTC."""
    columns: tuple[NDArray[np.float64], ...]
    """Price, quantity and taker's sign; or bid, its size, ask, its size."""

    @property
    def quotes(self) -> bool:
        """Whether it holds quotes instead of trades."""
        return len(self.columns) == 4

    @property
    def first(self) -> float:
        """A price."""
        return float(self.columns[0][0])


def read_ticks(path: Path) -> TickFile:
    """Read one file.

    Raises:
        RecordingError: naming the file, and the row where a row is wrong: out of order, a number
            that is none, a bid not below its ask.
    """
    found = _SYMBOL.search(path.name)
    if found is None:
        raise RecordingError(f"{path}: its name has no symbol quoted in USDT, such as btcusdt")
    venue = path.name.partition("_")[0].lower()
    table = _read(path)
    have = {key: next((n for n in names if n in table), "") for key, names in _NAMES.items()}
    wanted = _QUOTES if have["bid"] else _TRADES
    missing = [key for key in wanted if not have[key]]
    if missing:
        raise RecordingError(
            f"{path}: has no column {', '.join(_NAMES[one][0] for one in missing)}"
        )
    ts = _times(path, table[have["ts"]])
    columns = tuple(
        _signs(path, have["side"], table[have["side"]])
        if key == "side"
        else _numbers(path, have[key], table[have[key]])
        for key in wanted[1:]
    )
    _check(path, ts, columns)
    return TickFile(path, venue if venue in VENUES else "", unified_symbol(found[0]), ts, columns)


def _read(path: Path) -> dict[str, Any]:
    """Return the columns by name."""
    names = path.name.lower()
    try:
        if names.endswith(".parquet"):
            table = pyarrow.parquet.read_table(path)
            return {name: table[name] for name in table.column_names}
        if names.endswith((".json", ".json.gz")):
            data = (
                gzip.decompress(path.read_bytes()) if names.endswith(".gz") else path.read_bytes()
            )
            rows = json.loads(data)
            return {name: [row[at] for row in rows] for at, name in enumerate(_ROW)}
        table = pyarrow.csv.read_csv(path)
        return {name: table[name] for name in table.column_names}
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (
        OSError,
        EOFError,
        ValueError,
        IndexError,
        TypeError,
        zlib.error,
        pyarrow.ArrowException,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise RecordingError(f"{path}: cannot be read: {reason}") from error


def _values(column: Any) -> list[Any]:
    return list(column.to_pylist() if hasattr(column, "to_pylist") else column)


def _times(path: Path, column: Any) -> NDArray[np.int64]:
    if hasattr(column, "type") and pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("ms", tz=column.type.tz)).cast(pyarrow.int64())
    return _numbers(path, "time", column).astype(np.int64)


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    try:
        return np.array(_values(column), np.float64)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: column {name} is not of numbers: {error}") from error


_WORDS = {"buy": 1.0, "sell": -1.0, "b": 1.0, "s": -1.0, "true": -1.0, "false": 1.0}
"""The taker's side; a buyer that was the maker means a taker that sold."""


def _signs(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    values = _values(column)
    for row, value in enumerate(values, 1):
        if str(value).lower() not in _WORDS:
            raise RecordingError(f"{path}: row {row}: {name} {value!r} is neither buy nor sell")
    return np.array([_WORDS[str(value).lower()] for value in values])


def _check(path: Path, ts: NDArray[np.int64], columns: Sequence[NDArray[np.float64]]) -> None:
    if not len(ts):
        raise RecordingError(f"{path}: has no rows")
    with np.errstate(invalid="ignore"):
        good = np.all([np.isfinite(one) & (one != 0) for one in columns], axis=0)
        good &= (columns[0] > 0) & (columns[1] > 0)
        if len(columns) == 4:
            good &= (columns[2] > columns[0]) & (columns[3] > 0)
    good[1:] &= np.diff(ts) >= 0
    if not good.all():
        row = int(np.argmin(good)) + 1
        values = ", ".join(f"{one[row - 1]:g}" for one in columns)
        raise RecordingError(
            f"{path}: row {row}: out of order or not a price and quantity: {values}"
        )


def tick_events(file: TickFile, venue: str, quoted: bool, step: float) -> Iterator[Trade | BookTop]:
    """Yield a file's rows as events.

    Args:
        venue: where they are said to have happened.
        quoted: whether quotes of the symbol are played, too. Without any, each trade is followed by
            a book one ``step`` wide around it, so deep that nothing moves it: a taker pays the
            step, and an order that rests is filled when a trade goes through its price.
    """
    times = (file.ts * _MILLI).tolist()
    if file.quotes:
        quotes = zip(times, *(one.tolist() for one in file.columns), strict=True)
        for ts, bid, bid_size, ask, ask_size in quotes:
            yield BookTop(venue, file.symbol, bid, bid_size, ask, ask_size, ts, ts)
        return
    last, stale = (0.0, 0.0), 0
    rows = zip(times, *(one.tolist() for one in file.columns), strict=True)
    for number, (ts, price, qty, sign) in enumerate(rows, 1):
        side = Side.BUY if sign > 0 else Side.SELL
        yield Trade(venue, file.symbol, price, qty, side, str(number), ts, ts)
        book = (price - step, price) if sign > 0 else (price, price + step)
        # Said again after a while: a book that is not spoken of grows stale.
        if not quoted and (book != last or ts >= stale):
            last, stale = book, ts + SECOND
            yield BookTop(venue, file.symbol, book[0], DEEP, book[1], DEEP, ts, ts)
