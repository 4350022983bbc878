"""Playing a recorded order book: Binance depth updates and trades, re-based to now.

The format is that of hftbacktest's collector, gzip: a line is the local receive time in
nanoseconds, a space, and one raw JSON frame: WebSocket frames as
``{"stream":"btcusdt@depth@0ms","data":{..}}``, the REST snapshot bare as
``{"lastUpdateId":1,"bids":[["61800.1","2"]],"asks":[..]}``. Deltas that came before the snapshot
are kept, and those that overlap it applied, as the venue prescribes.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.errors import RecordingError
from exchanges.practice.contracts import (
    LISTINGS,
    VENUE_COLUMN,
    Contract,
    Listing,
    list_contracts,
    make_listing,
)
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.market import Market
from exchanges.practice.tape import CandleHistory, Ints

_REFILL_LEVELS = 20
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


class Tape(Struct):
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

    def read(self) -> Tape:
        """Read it all.

        Raises:
            RecordingError: with file and line.
        """
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
            raise self._fail(f"cannot be read: {error}") from error
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

    def _finish(self, now_ns: int) -> Tape:
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
        return Tape(
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


_LEAD_NS = 60_000_000_000
"""How much of a recording is over when the exchange opens, a quarter of a short one: its trades are
the past that a strategy warms up on."""


class RecordedBookMarket:
    """Plays recorded books on all three venues, as their anonymous liquidity. A ``Market``.

    What users take out of a book is put back within a second, since the recording knows nothing
    of it. Best-price messages are counted and skipped: the deltas carry the same.
    """

    def __init__(self, tapes: list[Tape], name: str) -> None:
        self._tapes = tapes
        self._span_ns = max(tape.span_ns for tape in tapes)
        self._lead_ns = min(_LEAD_NS, self._span_ns // 4)
        self._name = name.removesuffix(".gz")
        self._listings = tuple(_listing_of(tape) for tape in tapes)
        self._contracts = {venue: list_contracts(venue, self._listings) for venue in VENUE_COLUMN}
        self._symbols = list(next(iter(self._contracts.values())))
        self._venues: list[PracticeVenue] = []
        self._next = [0] * len(tapes)
        self._books: list[dict[tuple[int, int], int]] = [{} for _ in tapes]
        self._played = 0
        self._trades = 0
        self._start_ms = 0
        self._speed = 1.0
        self._elapsed_ns = 0
        self._next_second = 0

    def contracts(self, venue: str) -> dict[str, Contract]:
        """Return the recorded instruments, on the recording's own grid."""
        return self._contracts[venue]

    def open(self, venues: Mapping[str, PracticeVenue], start_ms: int, speed: float) -> None:
        """Set the recorded snapshot, with the deltas that overlap it."""
        self._venues = list(venues.values())
        self._start_ms = start_ms - int(self._lead_ns / 1e6 / speed)
        self._speed = speed
        for number, tape in enumerate(self._tapes):
            self._set_levels(number, tape.start)
            self._refill(number)
            for venue in self._venues:
                best = venue.tapes[self._symbols[number]].book.best(1)
                venue.tapes[self._symbols[number]].last_tick = best or 0
                venue.publish(self._symbols[number])
        self.advance(start_ms)

    @property
    def description(self) -> str:
        """What is played, and how far: ``recording NAME 02:10/05:44``."""
        done = min(self._elapsed_ns, self._span_ns)
        return f"recording {self._name} {_clock(done)}/{_clock(self._span_ns)}"

    def advance(self, now_ms: int) -> None:
        """Play what was received up to the time that matches ``now_ms``."""
        self._elapsed_ns = int((now_ms - self._start_ms) * 1_000_000 * self._speed)
        second = now_ms >= self._next_second
        if second:
            self._next_second = now_ms + 1000
        for number, tape in enumerate(self._tapes):
            while (
                self._next[number] < len(tape.at)
                and tape.at[self._next[number]] <= self._elapsed_ns
            ):
                self._play(number, tape, self._next[number])
                self._next[number] += 1
                self._played += 1
            if second:
                self._refill(number)
            for venue in self._venues:
                venue.publish(self._symbols[number])

    def _play(self, number: int, tape: Tape, row: int) -> None:
        begin, end = tape.begin[row], tape.end[row]
        if begin == end:
            return
        if begin >= 0:
            part = slice(begin, end)
            self._set_levels(
                number,
                zip(
                    tape.signs[part].tolist(),
                    tape.ticks[part].tolist(),
                    tape.lots[part].tolist(),
                    strict=True,
                ),
            )
            return
        self._trades += 1
        tick, lots, sign = int(tape.ticks[end]), int(tape.lots[end]), int(tape.signs[end])
        ts_ms = self._start_ms + int(tape.at[row] / 1e6 / self._speed)
        for venue in self._venues:
            venue.market_trade(self._symbols[number], tick, lots, sign, ts_ms)

    def _set_levels(self, number: int, levels: Any) -> None:
        book = self._books[number]
        books = [venue.tapes[self._symbols[number]].book for venue in self._venues]
        # What leaves goes first, so that no side is ever set across the other.
        for sign, tick, lots in sorted(levels, key=lambda level: level[2] > 0):
            if lots:
                book[sign, tick] = lots
            else:
                book.pop((sign, tick), None)
            for one in books:
                one.set_level(sign, tick, lots)

    def _refill(self, number: int) -> None:
        """Put back what users took near the touch; mark to the middle of the recorded book."""
        recorded, symbol = self._books[number], self._symbols[number]
        bids = heapq.nlargest(_REFILL_LEVELS, (tick for side, tick in recorded if side > 0))
        asks = heapq.nsmallest(_REFILL_LEVELS, (tick for side, tick in recorded if side < 0))
        for venue in self._venues:
            book = venue.tapes[symbol].book
            for sign, ticks in ((1, bids), (-1, asks)):
                for tick in ticks:
                    if book.anonymous_at(sign, tick) != recorded[sign, tick]:
                        book.set_level(sign, tick, recorded[sign, tick])
            if bids and asks:
                middle = (bids[0] + asks[0]) / 2 * venue.tapes[symbol].contract.tick_size
                venue.set_mark(symbol, middle, middle)

    def status(self) -> dict[str, Any]:
        """Return facts for ``/practice/status``."""
        return {
            "kind": "book",
            "name": self._name,
            "symbols": self._symbols,
            "span_seconds": round(self._span_ns / 1e9, 3),
            "market_seconds": round(min(self._elapsed_ns, self._span_ns) / 1e9, 3),
            "messages": self._played,
            "messages_total": sum(len(tape.at) for tape in self._tapes),
            "trades": self._trades,
            "finished": self._elapsed_ns >= self._span_ns,
        }

    def candles(self, venue: str, symbol: str) -> CandleHistory:
        """Return nothing: the recording has no past."""
        return CandleHistory.empty()

    def hours(self, venue: str, symbol: str) -> CandleHistory:
        """Return nothing: the recording has no past."""
        return CandleHistory.empty()

    def trades(self, venue: str, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return nothing: the recording has no past."""
        return []

    def funding_rate(self, venue: str, symbol: str, interval: int) -> Decimal:
        """Return 1 bp, the usual rate: the recording has none."""
        return Decimal("0.0001")


def _clock(span_ns: int) -> str:
    minutes, seconds = divmod(span_ns // 1_000_000_000, 60)
    return f"{minutes:02}:{seconds:02}"


def _listing_of(tape: Tape) -> Listing:
    prices = [tick for sign, tick, _ in tape.start if sign > 0]
    price = max(prices, default=1) * float(tape.tick)
    known = {listing.base: listing for listing in LISTINGS}.get(tape.base)
    return make_listing(tape.base, price, known, tick=tape.tick, lot=tape.lot)


def open_recording(path: Path, seed: int) -> Market:
    """Open a recording: ``.gz`` books or ``.parquet`` candles, one file or a folder of them.

    A folder that has a perpetual and a spot recording of the same asset plays the perpetual.

    Raises:
        RecordingError: there is nothing to play there, or it does not parse.
    """
    if not path.exists():
        raise RecordingError(f"{path}: no such file or folder; give a recording, or `synthetic`")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    candles = [file for file in files if file.suffix == ".parquet"]
    books = [file for file in files if file.suffix == ".gz"]
    if candles:
        from exchanges.practice.candles import open_candles

        return open_candles(candles, path.name, seed)
    if not books:
        raise RecordingError(f"{path}: neither .gz book recordings nor .parquet candles")
    tapes: dict[str, Tape] = {}
    for file in books:
        tape = _Reader(file).read()
        if tape.base not in tapes or tape.perpetual:
            tapes[tape.base] = tape
    return RecordedBookMarket(list(tapes.values()), path.name)
