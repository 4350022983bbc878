"""From a venue's market frame to our events: what the three venues have in common.

A ``Feed`` is synchronous and owns no socket. Frames come in as the text that left the wire, live
or from a recording; events go out through a sink. Each venue's subclass has typed decoders
(msgspec) for its own frames; ccxt never parses these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from core.desk.ports import Sink
from core.model.instrument import Instrument
from core.model.market import BadMessage, BookTop
from exchanges.book import Book, Crossed, Level

MILLI = 1_000_000
"""Nanoseconds in the unit that all three venues stamp with."""

LIES = 3
"""Times that a book may be crossed within ``SPAN`` before it is doubted."""
SPAN = 30_000 * MILLI
DOUBT = 5_000 * MILLI
"""How long a book that was crossed so often must then stay whole before it is shown again: a stream
that lies is right for a moment after each snapshot. A gap is no lie: the next snapshot is right."""

Resync = Callable[[str, str], None]
"""Asks for a fresh snapshot: venue symbol, reason. Called once until the snapshot came."""
FIRST_SNAPSHOT = "first snapshot"
"""Why a book is asked for that was never there; every other reason is a gap."""


class Lane:
    """What is kept of one instrument between its frames."""

    __slots__ = (
        "book", "doubted_until", "fresh", "instrument", "lies", "pending", "scale", "stale",
        "symbol", "top", "top_sequence",
    )  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.book = Book(instrument.venue, instrument.symbol)
        self.scale = base_units(instrument)
        self.top: tuple[float, float, float, float] | None = None
        self.top_sequence = 0
        self.lies: list[int] = []
        """When the book was crossed, the last ``LIES`` times, nanoseconds UTC."""
        self.doubted_until = 0
        """Before this nothing of the book is told."""
        self.stale = False
        """A snapshot was asked for and has not come."""
        self.fresh = False
        """The book is a snapshot that no change has followed yet."""
        self.pending: list[tuple[int, int, int, list[Level], list[Level], int]] = []
        """Changes that wait for a snapshot: first, last, previous id, bids, asks, ts."""


def base_units(instrument: Instrument) -> Callable[[float], float] | None:
    """Return what turns the venue's public quantities into base units; None for identity.

    Rounded to the lot's digits, so that ``repr`` still gives the digits a person would write:
    3 contracts of 0.1 are 0.3, not 0.30000000000000004. Sizes repeat, so results are kept.
    """
    if instrument.contract_size == 1:
        return None
    size = float(instrument.contract_size)
    exponent = instrument.lot.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    digits = max(0, -exponent) + 2

    @lru_cache(maxsize=8192)
    def scale(contracts: float) -> float:
        return round(contracts * size, digits)

    return scale


class Feed:
    """Decodes one venue's market frames.

    Args:
        instruments: the instruments to decode; frames of others are ignored.
        sink: takes the events.
        resync: asks for a fresh book.
        last_message: channel to nanoseconds of its last frame, kept up to date.
    """

    venue = ""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        sink: Sink,
        resync: Resync,
        last_message: dict[str, int],
    ) -> None:
        self.lanes = {item.venue_symbol: Lane(item) for item in instruments}
        self.sink = sink
        self.bad = 0
        """Frames that were refused."""
        self._resync = resync
        self.last_message = last_message

    def take(self, text: str, received: int) -> bool:
        """Decode one frame; return False when it is not market data.

        Never raises: a frame that does not decode is a ``BadMessage``.
        """
        try:
            return self._route(text, received)
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError) as error:
            self.refuse("market", f"{error} in {text[:120]}", received)
            return True

    def _route(self, text: str, received: int) -> bool:
        raise NotImplementedError

    def snapshot(self, venue_symbol: str, text: str, received: int) -> bool:
        """Take a book that was asked for, where ``Rules.snapshot`` has a request for one.

        Returns:
            Whether the book is synchronised; False asks for a later snapshot.

        Raises:
            msgspec.MsgspecError: the body is not a snapshot.
        """
        raise NotImplementedError

    def refuse(self, channel: str, reason: str, received: int) -> None:
        """Count and report a bad frame."""
        self.bad += 1
        self.sink(BadMessage(self.venue, channel, reason, received))

    def flush(self, received: int) -> None:
        """Send the depth of every book that changed; called ten times a second."""
        for lane in self.lanes.values():
            book = lane.book
            if book.dirty and book.sequence is not None and received >= lane.doubted_until:
                self.sink(book.depth(received, lane.scale))

    def unsynchronise(self) -> None:
        """Forget all books, because the connection is new."""
        for lane in self.lanes.values():
            lane.book.forget()
            lane.pending.clear()
            lane.stale = False
            lane.top_sequence = 0

    # --- for the subclasses -------------------------------------------------------------------

    def _snapshot(
        self,
        lane: Lane,
        bids: Iterable[Level],
        asks: Iterable[Level],
        sequence: int,
        ts: int,
        received: int,
    ) -> None:
        try:
            lane.book.reset(bids, asks, sequence, ts)
        except Crossed as error:
            lane.stale = False
            self._lie(lane, received)
            self._lost(lane, f"crossed snapshot: {error}", received)
            return
        lane.stale = False
        lane.top_sequence = sequence
        self._book_top(lane, ts, received)

    def _change(
        self,
        lane: Lane,
        bids: list[Level],
        asks: list[Level],
        sequence: int,
        ts: int,
        received: int,
    ) -> None:
        try:
            lane.book.change(bids, asks, sequence, ts)
        except Crossed as error:
            self._lie(lane, received)
            self._lost(lane, f"crossed: {error}", received)
            return
        if sequence >= lane.top_sequence:
            lane.top_sequence = sequence
            self._book_top(lane, ts, received)

    def _book_top(self, lane: Lane, ts: int, received: int) -> None:
        top = lane.book.top()
        if top is not None and top != lane.top:
            self._send_top(lane, top, ts, received)

    def _best(
        self,
        lane: Lane,
        top: tuple[float, float, float, float],
        sequence: int,
        ts: int,
        received: int,
    ) -> None:
        """Take best bid and offer from a venue's own channel for it."""
        if top == lane.top or sequence < lane.top_sequence or lane.stale:
            return  # a book that is lost is no market, though its best prices may be right
        if not 0.0 < top[0] < top[2]:
            self.refuse("books", f"{lane.symbol}: crossed or empty top {top!r}", received)
            return
        lane.top_sequence = sequence
        self._send_top(lane, top, ts, received)

    def _send_top(
        self, lane: Lane, top: tuple[float, float, float, float], ts: int, received: int
    ) -> None:
        if received < lane.doubted_until:
            return
        lane.top = top
        bid, bid_size, ask, ask_size = top
        scale = lane.scale
        if scale is not None:
            bid_size, ask_size = scale(bid_size), scale(ask_size)
        self.sink(BookTop(self.venue, lane.symbol, bid, bid_size, ask, ask_size, ts, received))

    @staticmethod
    def _lie(lane: Lane, received: int) -> None:
        """Count that a book was crossed without a gap, and doubt it when that goes on."""
        lane.lies = [*lane.lies, received][-LIES:]
        if len(lane.lies) == LIES and received - lane.lies[0] < SPAN:
            lane.doubted_until = received + DOUBT

    def _lost(self, lane: Lane, reason: str, received: int) -> None:
        """Report that a book is not the venue's any more, and ask for a new one, once."""
        lane.book.forget()
        if lane.stale:
            return
        lane.stale = True
        self.refuse("books", f"{lane.symbol}: {reason}", received)
        self._resync(lane.instrument.venue_symbol, reason)
