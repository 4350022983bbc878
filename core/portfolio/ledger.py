"""Everything about money and orders that must survive a crash, as a function of the journal.

``apply`` is the only way in, live and at boot, so a ledger replayed from the journal equals the one
that wrote it. Nothing here knows the time, the configuration or a market price.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from core.clock import DAY
from core.model.account import FundingPaid
from core.model.event import TradingState
from core.model.order import Fill, OrderReport, OrderSent, Outcome
from core.model.record import (
    CashAdjusted,
    EquityMarked,
    Intent,
    JournalRecord,
    Resolved,
    SignalAnswered,
    SignalHeld,
    StateRecorded,
    StopMoved,
    SymbolFrozen,
    VenueBaseline,
)
from core.orders.ids import sequence
from core.orders.machine import WorkingOrder
from core.portfolio.position import Position

_ZERO = Decimal(0)
_ACCEPTED = Outcome.ACCEPTED
_DONE = 500
"""Finished orders kept for the screen and for late fills."""
_KEYS = 10_000
"""Fill keys kept a venue; a fill older than the last one forgotten is refused as too old."""
_RECENT = 200
"""Fills kept for the screen."""


class Account(Struct, gc=False):
    """The cash of one venue, and where its counting started."""

    venue: str
    account: str
    since: int
    """Baseline instant, venue clock; fills up to it are inside the baseline."""
    cash: Decimal
    """Settlement currency without unrealised P&L: baseline plus everything booked since."""
    cursor: int = 0
    """Venue time of the newest fill."""
    orders: int = 0
    fills: int = 0


class BookedFill(Struct, frozen=True, gc=False):
    """A fill and what it realised."""

    fill: Fill
    realised: Decimal
    strategy: str


class Ledger:
    """Orders, positions, cash and the marks that limits are measured from."""

    def __init__(self) -> None:
        self.working: dict[str, WorkingOrder] = {}
        """Client id to order, until it is terminal and all its fills are booked."""
        self.done: dict[str, WorkingOrder] = {}
        """The last finished orders, oldest first."""
        self.positions: dict[tuple[str, str], Position] = {}
        """(venue, symbol) to position, flat ones included."""
        self.open: dict[tuple[str, str], Position] = {}
        """The positions that are not flat."""
        self.accounts: dict[str, Account] = {}
        self.archived: list[Position] = []
        """Positions of accounts that were replaced."""
        self.recent: deque[BookedFill] = deque(maxlen=_RECENT)
        self.state = TradingState.DISARMED
        self.cause = ""
        self.equity: Decimal | None = None
        """At the last mark."""
        self.peak: Decimal | None = None
        self.day = 0
        """UTC day number of the last mark."""
        self.day_start: Decimal | None = None
        self.marks: deque[tuple[int, Decimal]] = deque()
        """(ts, equity) of the last 24 hours."""
        self.next_seq = 1
        """Sequence number for the next client id."""
        self.frozen: dict[tuple[str, str], str] = {}
        """Instrument to why no new risk is opened there until a person says so."""
        self.realised = _ZERO
        self.fees = _ZERO
        self.funding = _ZERO
        self.adjusted = _ZERO
        self.shifted = _ZERO
        """By how much the marks were moved with changes of capital, in total."""
        self.fills = 0
        self._finished: deque[str] = deque()
        """Ids in ``done``, oldest first: taking a dict's first key slows down as keys leave."""
        self._keys: dict[str, dict[tuple[str, str], Fill]] = {}
        self._arrived: dict[str, deque[tuple[str, str]]] = {}
        self._horizon: dict[str, int] = {}
        self._funded: dict[tuple[str, str, int], None] = {}
        self.take: dict[type, Callable[[Any], None]] = {
            Intent: self._intent,
            OrderSent: self._sent,
            OrderReport: self._reported,
            Resolved: self._resolved,
            Fill: self._filled,
            FundingPaid: self._paid,
            VenueBaseline: self._baseline,
            CashAdjusted: self._adjust,
            EquityMarked: self._mark,
            StateRecorded: self._state,
            StopMoved: self._move_stop,
            SymbolFrozen: self._freeze,
            SignalHeld: _nothing,
            SignalAnswered: _nothing,
        }

    @classmethod
    def replay(cls, records: Iterable[JournalRecord]) -> Ledger:
        """Rebuild a ledger from a journal's records, oldest first."""
        ledger = cls()
        for record in records:
            ledger.apply(record)
        return ledger

    def apply(self, record: JournalRecord) -> None:
        """Take one record into account. Total: a record that fits nothing changes nothing."""
        self.take[type(record)](record)

    def find(self, client_id: str) -> WorkingOrder | None:
        """Return an order of ours, working or recently done."""
        return self.working.get(client_id) or self.done.get(client_id)

    def known(self, fill: Fill) -> Fill | None:
        """Return the fill already held under the same key, whatever it says."""
        keys = self._keys.get(fill.venue)
        return keys.get((fill.symbol, fill.trade_id)) if keys else None

    def newest_fill(self, venue: str) -> Fill | None:
        """Return the venue's newest fill that is still held; looks through all of them."""
        keys = self._keys.get(venue, {})
        return max(keys.values(), key=lambda fill: fill.ts, default=None)

    def funded(self, paid: FundingPaid) -> bool:
        """Return whether this settlement is booked already, or older than the baseline."""
        account = self.accounts.get(paid.venue)
        return (
            account is None
            or paid.ts <= account.since
            or (paid.venue, paid.symbol, paid.ts) in self._funded
        )

    def forgotten(self, fill: Fill) -> bool:
        """Return whether a fill is too old to tell if it was booked."""
        return fill.ts <= self._horizon.get(fill.venue, 0)

    def position(self, venue: str, symbol: str) -> Position:
        """Return the position of a symbol on a venue, making a flat one when there is none."""
        key = (venue, symbol)
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position(venue, symbol)
        return position

    def _intent(self, record: Intent) -> None:
        order = record.order
        client_id = order.client_id
        if client_id in self.working or client_id in self.done:
            return
        self.working[client_id] = WorkingOrder(order, updated=order.created, stop=record.stop)
        following = sequence(client_id) + 1
        if following > self.next_seq:
            self.next_seq = following
        account = self.accounts.get(order.venue)
        if account is not None:
            account.orders += 1

    def _sent(self, record: OrderSent) -> None:
        order = self.working.get(record.client_id) or self.done.get(record.client_id)
        # What a venue takes is neither over nor new: it stays where it is.
        if order is not None and order.sent(record) and record.outcome is not _ACCEPTED:
            self._settle(order)

    def _reported(self, record: OrderReport) -> None:
        order = self.find(record.client_id)
        if order is not None and order.reported(record):
            self._settle(order)

    def _resolved(self, record: Resolved) -> None:
        order = self.working.get(record.client_id)
        if order is None:
            return
        if not order.terminal:
            order.status = record.status
            order.reason = record.evidence
            order.absent = True
            order.updated = record.ts
        self._settle(order)

    def _settle(self, order: WorkingOrder) -> None:
        client_id = order.order.client_id
        working = self.working
        if not order.settled:
            if client_id not in working:
                self.done.pop(client_id, None)
                working[client_id] = order
        elif client_id in working:
            del working[client_id]
            self.done[client_id] = order
            self._finished.append(client_id)
            if len(self._finished) > _DONE:
                self.done.pop(self._finished.popleft(), None)

    def _filled(self, record: Fill) -> None:
        venue, symbol, ts = record.venue, record.symbol, record.ts
        account = self.accounts.get(venue)
        if account is None or ts <= account.since or ts <= self._horizon.get(venue, 0):
            return
        keys = self._keys.get(venue)
        if keys is None:
            keys = self._keys[venue] = {}
            self._arrived[venue] = deque()
        key = (symbol, record.trade_id)
        if key in keys:
            return
        keys[key] = record
        order_of = self._arrived[venue]
        order_of.append(key)
        if len(order_of) > _KEYS:
            oldest = keys.pop(order_of.popleft())
            self._horizon[venue] = max(self._horizon.get(venue, 0), oldest.ts)
        where = (venue, symbol)
        position = self.positions.get(where) or self.position(venue, symbol)
        order = self.working.get(record.client_id) or self.done.get(record.client_id)
        held = position.qty
        fee = record.fee
        signed = record.qty if record.side == "buy" else -record.qty
        realised = position.book(signed, record.price, fee, ts)
        now = position.qty
        if now and (not held or (now > _ZERO) != (held > _ZERO)):
            position.foreign = order is None
            position.strategy = order.order.strategy if order is not None else ""
            position.stop = None
        strategy = position.strategy
        if order is not None:
            strategy = order.order.strategy
            if order.stop is not None and now:
                position.stop = order.stop
            order.book(record.qty, record.price, record.received)
            self._settle(order)
        if now:
            self.open[where] = position
        elif held:
            del self.open[where]
        account.cash += realised - fee
        account.fills += 1
        if ts > account.cursor:
            account.cursor = ts
        self.realised += realised
        self.fees += fee
        self.fills += 1
        self.recent.append(BookedFill(record, realised, strategy))

    def _paid(self, record: FundingPaid) -> None:
        if self.funded(record):
            return
        self._funded[record.venue, record.symbol, record.ts] = None
        if len(self._funded) > _KEYS:
            del self._funded[next(iter(self._funded))]
        self.position(record.venue, record.symbol).pay(record.amount)
        self.accounts[record.venue].cash += record.amount
        self.funding += record.amount

    def _baseline(self, record: VenueBaseline) -> None:
        venue = record.venue
        for key in [key for key in self.positions if key[0] == venue]:
            self.archived.append(self.positions.pop(key))
            self.open.pop(key, None)
        del self.archived[:-_DONE]
        self._keys.pop(venue, None)
        self._horizon.pop(venue, None)
        self.accounts[venue] = Account(venue, record.account, record.ts, record.balance)
        for held in record.positions:
            position = self.position(venue, held.symbol)
            position.qty, position.entry = held.qty, held.entry
            position.size, position.cost = float(held.qty), float(held.entry)
            position.opened, position.foreign = record.ts, True
            self.open[venue, held.symbol] = position
        self._shift(record.equity - record.equity_before)

    def _adjust(self, record: CashAdjusted) -> None:
        account = self.accounts.get(record.venue)
        if account is None:
            return
        account.cash += record.amount
        self.adjusted += record.amount
        if record.amount > 0:
            self._shift(record.amount)

    def _shift(self, amount: Decimal) -> None:
        """Move every mark that a limit is measured from: capital changed, nothing was earned."""
        if self.equity is None or self.peak is None or self.day_start is None:
            return
        self.shifted += amount
        self.equity += amount
        self.peak += amount
        self.day_start += amount
        self.marks = deque((ts, equity + amount) for ts, equity in self.marks)

    def _mark(self, record: EquityMarked) -> None:
        self.equity = record.equity
        self.peak = record.peak
        self.day = record.ts // DAY
        self.day_start = record.day_start
        marks = self.marks
        marks.append((record.ts, record.equity))
        horizon = record.ts - DAY
        while len(marks) > 1 and marks[1][0] <= horizon:
            marks.popleft()

    def _state(self, record: StateRecorded) -> None:
        self.state = record.state
        self.cause = record.cause

    def _move_stop(self, record: StopMoved) -> None:
        position = self.open.get((record.venue, record.symbol))
        if position is not None:
            position.stop = record.price

    def _freeze(self, record: SymbolFrozen) -> None:
        if record.reason:
            self.frozen[record.venue, record.symbol] = record.reason
        else:
            self.frozen.pop((record.venue, record.symbol), None)


def _nothing(record: SignalHeld | SignalAnswered) -> None:
    """What waits for a person is no order yet, and does not outlive the desk that asked."""
