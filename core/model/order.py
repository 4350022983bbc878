"""Orders, what the venue says of them, and fills. All money and quantities are Decimal.

Quantities are positive base units, the side says which way; prices are quote per base. ``ts`` and
``received`` are as in ``core.model.market``: the venue's time and ours, nanoseconds UTC.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from core.model.market import Side


class OrderKind(StrEnum):
    """How an order executes. STOP is a reduce-only stop-market, triggered on the mark price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class TimeInForce(StrEnum):
    """How long a limit order lives."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class Purpose(StrEnum):
    """Why an order exists. One letter of it goes into the client order id."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    MANUAL = "manual"
    KILL = "kill"


class OrderStatus(StrEnum):
    """Where an order stands, as far as evidence goes.

    ``UNKNOWN`` means the venue may or may not have it: it counts as open risk until the venue's
    own word resolves it. ``DENIED`` never left this machine; ``REJECTED`` is the venue's refusal.
    """

    JOURNALED = "journaled"
    ACKED = "acked"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Whether the order can never trade again (late fills are still booked)."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.DENIED,
    }
)


class Order(Struct, frozen=True, gc=False, tag=True):
    """An order as this desk intends it; immutable. Its life is in ``core.orders``."""

    client_id: str
    """24 characters of [A-Z0-9], valid on all three venues; see ``core.orders.ids``."""
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    qty: Decimal
    """Base units, positive, a multiple of the lot."""
    created: int
    """Nanoseconds UTC, engine time."""
    price: Decimal | None = None
    """Limit price; None unless kind is LIMIT."""
    trigger: Decimal | None = None
    """Stop price; None unless kind is STOP."""
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    purpose: Purpose = Purpose.MANUAL
    strategy: str = ""
    """Name of the strategy, or the actor of a manual order."""


class Outcome(StrEnum):
    """What is known about a request after it was made. Anything not proved is UNKNOWN."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


class OrderSent(Struct, frozen=True, gc=False, tag=True):
    """The result of one submit request."""

    venue: str
    symbol: str
    client_id: str
    outcome: Outcome
    received: int
    venue_id: str = ""
    code: str = ""
    """The venue's raw code, or a transport word such as ``timeout``."""
    reason: str = ""


class CancelSent(Struct, frozen=True, gc=False, tag=True):
    """The result of one cancel request. ACCEPTED is a promise, not a cancelled order."""

    venue: str
    symbol: str
    client_id: str
    outcome: Outcome
    received: int
    code: str = ""
    reason: str = ""


class OrderReport(Struct, frozen=True, gc=False, tag=True):
    """What a venue says of an order: from the private stream, a sweep or a query."""

    venue: str
    symbol: str
    client_id: str
    """Empty for an order that was placed without one."""
    venue_id: str
    side: Side
    kind: OrderKind
    status: OrderStatus
    qty: Decimal
    filled: Decimal
    """Cumulative, base units."""
    ts: int
    received: int
    price: Decimal | None = None
    trigger: Decimal | None = None
    average: Decimal | None = None
    reduce_only: bool = False
    reason: str = ""
    """Why it was cancelled or rejected, in the venue's words."""
    source: str = "stream"
    """``stream``, ``sweep`` or ``query``."""


class OrderAbsent(Struct, frozen=True, gc=False, tag=True):
    """The venue was asked for an order by client id and knows none, asked at ``received``.

    Final for an UNKNOWN order only after the request's validity window plus margin, and only
    with a second source (a sweep after the same deadline).
    """

    venue: str
    symbol: str
    client_id: str
    received: int


class Fill(Struct, frozen=True, gc=False, tag=True):
    """One execution of our own. Unique on (venue, symbol, trade_id)."""

    venue: str
    symbol: str
    trade_id: str
    client_id: str
    """Empty when the order was not ours, or the venue does not say."""
    venue_id: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    """Settlement currency; positive when paid, negative for a rebate."""
    maker: bool
    ts: int
    received: int
    source: str = "stream"
