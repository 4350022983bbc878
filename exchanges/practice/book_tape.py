"""The format of recorded order books: Binance depth updates and trades, read and checked.

It is that of hftbacktest's collector, gzip: a line is the local receive time in nanoseconds, a
space, and one raw JSON frame: WebSocket frames as ``{"stream":"btcusdt@depth@0ms","data":{..}}``,
the REST snapshot bare as ``{"lastUpdateId":1,"bids":[["61800.1","2"]],"asks":[..]}``. Deltas that
came before the snapshot are kept, and those that overlap it applied, as the venue prescribes.
"""

from __future__ import annotations

import gzip
import zlib
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.errors import RecordingError, in_words
from exchanges.practice.tape import Ints

Levels = list[tuple[float, float]]


class _Snapshot(Struct):
    lastUpdateId: int  # noqa: N815 - the venue's name
    bids: Levels
    asks: Levels


class _Delta(Struct):
    s: str
    U: int
    u: int
    b: Levels
    a: Levels
    pu: int | None = None


class _Print(Struct):
    s: str
    p: float
    q: float
    m: bool
    X: str = "MARKET"


class _DeltaFrame(Struct):
    data: _Delta


class _PrintFrame(Struct):
    data: _Print


class _Other(Struct):
    stream: str


# strict=False reads the venue's number texts as floats in C; at 15 digits nothing is lost.
_SNAPSHOT = msgspec.json.Decoder(_Snapshot, strict=False)
_DELTA = msgspec.json.Decoder(_DeltaFrame, strict=False)
_PRINT = msgspec.json.Decoder(_PrintFrame, strict=False)
_OTHER = msgspec.json.Decoder(_Other)


class BookTape(Struct):
    """One instrument's recording, on its own grid.

    Messages are rows in the order received: ``at`` nanoseconds since the snapshot; ``begin`` and
    ``end`` the range of its levels, or -1 in ``begin`` for a trade, whose level is ``end``.
    """

    base: str
    perpetual: bool
    lines: int
    tick: Decimal
    lot: Decimal
    start: list[tuple[int, int, int]]
    """The book to begin with: ``(sign, tick, lots)``."""
    at: list[int]
    begin: list[int]
    end: list[int]
    signs: NDArray[np.int8]
    ticks: Ints
    lots: Ints
    span_ns: int


def read_book_tape(path: Path) -> BookTape:
    """Read one file.

    Raises:
        RecordingError: with file and line.
    """
    return _Reader(path).read()


class _Reader:
    """Reads one file; every problem names the file and the line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._symbol = ""
        self._book: dict[tuple[int, float], float] | None = None
        self._buffer: list[_Delta] = []
        self._last_id = 0
        self._opened = False
        self._perpetual = False
        self._start_ns = 0
        self._at: list[int] = []
        self._begin: list[int] = []
        self._end: list[int] = []
        self._levels: list[tuple[int, float, float]] = []

    def _fail(self, problem: str) -> RecordingError:
        return RecordingError(f"{self._path}: line {self._line}: {problem}")

    def read(self) -> BookTape:
        now_ns = 0
        try:
            with gzip.open(self._path, "rb") as file:
                for line in file:
                    self._line += 1
                    stamp, _, frame = line.partition(b" ")
                    if not stamp.isdigit() or not frame:
                        raise self._fail("not a receive time, a space and a JSON frame")
                    if int(stamp) < now_ns:
                        raise self._fail("the receive time goes backwards")
                    now_ns = int(stamp)
                    self._take(now_ns, frame)
        except (OSError, EOFError, zlib.error) as error:
            raise self._fail(f"cannot be read: {in_words(error)}") from error
        if self._book is None:
            raise self._fail("the recording ends without a book snapshot")
        return self._finish(now_ns)

    def _take(self, now_ns: int, frame: bytes) -> None:
        try:
            if b'"depthUpdate"' in frame:
                self._take_delta(now_ns, _DELTA.decode(frame).data)
            elif b'"trade"' in frame:
                self._take_print(now_ns, _PRINT.decode(frame).data)
            elif frame.startswith(b'{"lastUpdateId"'):
                self._take_snapshot(now_ns, _SNAPSHOT.decode(frame))
            else:
                _OTHER.decode(frame)  # best prices and the like: the deltas say as much
                self._note(now_ns, 0, 0)
        except msgspec.DecodeError as error:
            raise self._fail(str(error)) from error

    def _name(self, symbol: str) -> None:
        if not self._symbol:
            self._symbol = symbol
        elif symbol != self._symbol:
            raise self._fail(f"{symbol} in a recording of {self._symbol}")

    def _note(self, now_ns: int, begin: int, end: int) -> None:
        if self._book is not None:
            self._at.append(now_ns - self._start_ns)
            self._begin.append(begin)
            self._end.append(end)

    def _take_snapshot(self, now_ns: int, snapshot: _Snapshot) -> None:
        if self._book is not None:
            raise self._fail("a second snapshot; record sessions in files of their own")
        self._start_ns = now_ns
        self._last_id = snapshot.lastUpdateId
        book: dict[tuple[int, float], float] = {}
        book.update({(1, price): qty for price, qty in snapshot.bids})
        book.update({(-1, price): qty for price, qty in snapshot.asks})
        for delta in self._buffer:
            if self._follows(delta):
                book.update({(1, price): qty for price, qty in delta.b})
                book.update({(-1, price): qty for price, qty in delta.a})
        self._buffer.clear()
        self._book = book

    def _take_delta(self, now_ns: int, delta: _Delta) -> None:
        self._name(delta.s)
        self._perpetual = self._perpetual or delta.pu is not None
        if self._book is None:
            self._buffer.append(delta)
            return
        if not self._follows(delta):
            self._note(now_ns, 0, 0)
            return
        begin = len(self._levels)
        self._levels += [(1, price, qty) for price, qty in delta.b]
        self._levels += [(-1, price, qty) for price, qty in delta.a]
        self._note(now_ns, begin, len(self._levels))

    def _follows(self, delta: _Delta) -> bool:
        """Tell whether a delta is to be applied; False for one older than the snapshot.

        Binance: the first one applied spans the snapshot's id, each next one begins where the last
        ended (``pu`` on futures, ``U - 1`` on spot).
        """
        if not self._opened:
            oldest = self._last_id if delta.pu is not None else self._last_id + 1
            if delta.u < oldest:
                return False
            joins = delta.pu is not None and delta.pu <= self._last_id
            if oldest < delta.U and not joins:
                raise self._fail(
                    f"updates {oldest} to {delta.U - 1} after the snapshot are missing"
                )
            self._opened = True
        else:
            before = delta.pu if delta.pu is not None else delta.U - 1
            if before != self._last_id:
                raise self._fail(f"a gap in the updates: {self._last_id}, then {before}")
        self._last_id = delta.u
        return True

    def _take_print(self, now_ns: int, trade: _Print) -> None:
        self._name(trade.s)
        if trade.X != "MARKET" or trade.q <= 0 or trade.p <= 0:
            self._note(now_ns, 0, 0)  # insurance fund and the like never were in the book
            return
        if self._book is not None:
            self._levels.append((-1 if trade.m else 1, trade.p, trade.q))
            self._note(now_ns, -1, len(self._levels) - 1)

    def _finish(self, now_ns: int) -> BookTape:
        assert self._book is not None
        sides = [sign for sign, _ in self._book]
        prices = np.array([price for _, price in self._book] + [row[1] for row in self._levels])
        sizes = np.array(list(self._book.values()) + [row[2] for row in self._levels])
        signs = np.array(sides + [row[0] for row in self._levels], np.int8)
        tick, lot = _grid_of(prices), _grid_of(sizes)
        if tick is None or lot is None:
            raise self._fail("prices or quantities have more than ten decimals")
        ticks = np.rint(prices / float(tick)).astype(np.int64)
        lots = np.rint(sizes / float(lot)).astype(np.int64)
        count = len(sides)
        start = zip(sides, ticks[:count].tolist(), lots[:count].tolist(), strict=True)
        if not self._symbol.endswith("USDT"):
            raise self._fail(f"{self._symbol or 'it'} is not quoted in USDT")
        return BookTape(
            base=self._symbol.removesuffix("USDT"),
            perpetual=self._perpetual,
            lines=self._line,
            tick=tick,
            lot=lot,
            start=list(start),
            at=self._at,
            begin=self._begin,
            end=self._end,
            signs=signs[count:],
            ticks=ticks[count:],
            lots=lots[count:],
            span_ns=now_ns - self._start_ns,
        )


def _grid_of(values: NDArray[np.float64]) -> Decimal | None:
    """Return the coarsest power of ten that all values are multiples of, at most 1."""
    for digits in range(11):
        scaled = values * 10**digits
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)):
            return Decimal(1).scaleb(-digits)
    return None
