"""Everything about money and orders that must survive a crash, as a function of the journal.

``apply`` is the only way in, live and at boot, so a ledger replayed from the journal equals the one
that wrote it. Nothing here knows the time, the configuration or a market price.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from core.clock import DAY
from core.model.account import FundingPaid
from core.model.event import TradingState
from core.model.order import Fill, Order, OrderReport, OrderSent, OrderStatus
from core.orders.ids import sequence
from core.orders.machine import WorkingOrder
from core.orders.records import (
    CashAdjusted,
    EquityMarked,
    Intent,
    JournalRecord,
    Resolved,
    StateRecorded,
    VenueBaseline,
)
from core.portfolio.position import Position

_ZERO = Decimal(0)
_DONE = 500
"""Finished orders kept for the screen and for late fills."""
_KEYS = 20_000
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
        self.realised = _ZERO
        self.fees = _ZERO
        self.funding = _ZERO
        self.adjusted = _ZERO
        self.intents = 0
        self.fills = 0
        self._keys: dict[str, dict[tuple[str, str], int]] = {}
        self._horizon: dict[str, int] = {}
        self._funded: dict[tuple[str, str, int], None] = {}
        self._apply = {
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
        self._apply[type(record)](record)  # type: ignore[operator]
