"""What a venue says of the account.

Money is in the settlement currency, prices in quote per base. Times are nanoseconds UTC: ``ts`` the
venue's, the others ours.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.model.order import Fill, OrderReport


class Balance(Struct, frozen=True, gc=False, tag=True):
    """Cash of the settlement currency at one venue, without unrealised P&L."""

    venue: str
    asset: str
    total: Decimal
    received: int
    free: Decimal | None = None
    """Available for new margin; None where the message does not say."""


class PositionReport(Struct, frozen=True, gc=False, tag=True):
    """A position as the venue sees it."""

    venue: str
    symbol: str
    qty: Decimal
    """Base units, negative when short, 0 when flat."""
    entry: Decimal
    """Average entry price; 0 when flat."""
    received: int
    mark: Decimal | None = None
    liquidation: Decimal | None = None
    leverage: Decimal | None = None
    unrealised: Decimal | None = None


class FundingPaid(Struct, frozen=True, gc=False, tag=True):
    """A funding settlement of one position. Unique on (venue, symbol, ts)."""

    venue: str
    symbol: str
    amount: Decimal
    """Settlement currency; positive when received, negative when paid."""
    rate: Decimal
    ts: int
    received: int


class VenueSwept(Struct, frozen=True, gc=False, tag=True):
    """A complete answer to "what do you have of mine?", from REST, never from a cache.

    ``started`` and ``received`` bracket the queries: what this desk did between the two may or
    may not be in the answer. A sweep in which any query failed is not sent at all.
    """

    venue: str
    account: str
    """The venue's own account id (uid)."""
    orders: tuple[OrderReport, ...]
    """All open orders, including conditional ones and those of others."""
    positions: tuple[PositionReport, ...]
    """All non-zero positions."""
    balance: Balance
    fills: tuple[Fill, ...]
    """Own trades since the cursor the sweep was asked for."""
    funding: tuple[FundingPaid, ...]
    started: int
    received: int
    clock_offset_ms: float | None = None
    """Venue clock minus ours as last measured; None: as before."""
