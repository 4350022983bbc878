"""Playing recorded order books on all three venues, re-based to now.

``book_tape.py`` reads them; ``candles.py`` plays recorded candles.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.errors import RecordingError
from exchanges.practice.book_tape import BookTape, read_book_tape
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
from exchanges.practice.tape import CandleHistory, IndexHistory

_REFILL_LEVELS = 20
_LEAD_NS = 60_000_000_000
"""How much of a recording is over when the exchange opens, a quarter of a short one: its trades are
the past that a strategy warms up on."""


class RecordedBookMarket:
    """Plays recorded books on all three venues, as their anonymous liquidity. A ``Market``.

    What users take out of a book is put back within a second, since the recording knows nothing
    of it. Best-price messages are counted and skipped: the deltas carry the same.
    """

    def __init__(self, tapes: list[BookTape], name: str) -> None:
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

    def _play(self, number: int, tape: BookTape, row: int) -> None:
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

    last_minute = hours = candles

    def index(self, venue: str, symbol: str) -> IndexHistory:
        """Return nothing, either."""
        return IndexHistory.empty()

    def trades(self, venue: str, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return nothing: the recording has no past."""
        return []

    def funding_rate(self, venue: str, symbol: str, interval: int) -> Decimal:
        """Return 1 bp, the usual rate: the recording has none."""
        return Decimal("0.0001")


def _clock(span_ns: int) -> str:
    minutes, seconds = divmod(span_ns // 1_000_000_000, 60)
    return f"{minutes:02}:{seconds:02}"


def _listing_of(tape: BookTape) -> Listing:
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
    tapes: dict[str, BookTape] = {}
    for file in books:
        tape = read_book_tape(file)
        if tape.base not in tapes or tape.perpetual:
            tapes[tape.base] = tape
    return RecordedBookMarket(list(tapes.values()), path.name)
