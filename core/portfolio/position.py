"""One net position on one venue: average cost, realised result, round trips."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

_ZERO = Decimal(0)


class Position(Struct, gc=False):
    """The sum of fills (and of a baseline) of a symbol on a venue, in one-way mode."""

    venue: str
    symbol: str
    qty: Decimal = _ZERO
    """Base units, negative when short."""
    entry: Decimal = _ZERO
    """Average entry price; 0 when flat."""
    realised: Decimal = _ZERO
    """Quote, before fees and funding, since the baseline."""
    fees: Decimal = _ZERO
    """Quote, positive when paid."""
    funding: Decimal = _ZERO
    """Quote, positive when received."""
    opened: int = 0
    """When it last left flat; nanoseconds UTC."""
    strategy: str = ""
    foreign: bool = False
    """Opened by others or before this desk looked: counted as exposure, not managed."""
    stop: Decimal | None = None
    """Planned trigger of its protective stop; None: the default distance from the entry."""
    trip: Decimal = _ZERO
    """Result of the present round trip after fees and funding."""
    trips: int = 0
    """Round trips finished."""
    losses: int = 0
    """Losing round trips in a row."""
    lost: int = 0
    """When the last losing round trip ended; nanoseconds UTC."""
    fills: int = 0
    size: float = 0.0
    """``qty`` as float, for marking to market many times a second."""
    cost: float = 0.0
    """``entry`` as float."""

    def book(self, qty: Decimal, price: Decimal, fee: Decimal, ts: int) -> Decimal:
        """Apply one fill; return the profit or loss it realised, before its fee.

        Args:
            qty: base units, negative for a sale.
            price: quote per base.
            fee: quote, positive when paid.
            ts: when, nanoseconds UTC.
        """
        held = self.qty
        self.fills += 1
        self.fees += fee
        total = held + qty
        realised = _ZERO
        if not held:
            self.entry = price
            self.opened = ts
            self.trip = -fee
        elif (held > _ZERO) == (qty > _ZERO):
            self.entry = (self.entry * held + price * qty) / total
            self.trip -= fee
        else:
            flips = total and (total > _ZERO) != (held > _ZERO)
            closed = held if flips or not total else -qty
            realised = (price - self.entry) * closed
            self.realised += realised
            self.trip += realised - fee
            if not total or flips:
                self._finish(ts)
                self.entry = price if flips else _ZERO
                self.opened = ts
        self.qty = total
        if total:
            self.size = float(total)
            self.cost = float(self.entry)
        else:
            self.size = self.cost = 0.0
        return realised

    def pay(self, amount: Decimal) -> None:
        """Book funding: positive when received."""
        self.funding += amount
        if self.qty:
            self.trip += amount

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the open profit or loss at a mark price, in quote."""
        return (mark - self.entry) * self.qty

    def _finish(self, ts: int) -> None:
        self.trips += 1
        if self.trip < _ZERO:
            self.losses += 1
            self.lost = ts
        else:
            self.losses = 0
        self.trip = _ZERO
        self.stop = None
