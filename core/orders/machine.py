"""The life of one order: how evidence from any source, in any order, becomes its state.

Three rules. What was filled never becomes less. A terminal order never reopens. Evidence from the
venue always beats ``UNKNOWN``, and nothing but evidence does.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.model.order import Order, OrderReport, OrderSent, OrderStatus, Outcome

_ZERO = Decimal(0)
_RANK = {
    OrderStatus.JOURNALED: 0,
    OrderStatus.UNKNOWN: 1,
    OrderStatus.ACKED: 2,
    OrderStatus.OPEN: 3,
    OrderStatus.PARTIAL: 4,
    OrderStatus.FILLED: 5,
    OrderStatus.CANCELLED: 5,
    OrderStatus.EXPIRED: 5,
    OrderStatus.REJECTED: 5,
    OrderStatus.DENIED: 5,
}
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_UNKNOWN = OrderStatus.UNKNOWN
_ACKED = OrderStatus.ACKED
_OPEN = OrderStatus.OPEN
_PARTIAL = OrderStatus.PARTIAL
_FILLED = OrderStatus.FILLED
_ACCEPTED = Outcome.ACCEPTED
_TERMINAL_RANK = 5
_UNPROVED = 1


class WorkingOrder(Struct, gc=False):
    """An order of ours with what is known of it. Changed in place by ``core.portfolio.ledger``."""

    order: Order
    status: OrderStatus = OrderStatus.JOURNALED
    venue_id: str = ""
    filled: Decimal = _ZERO
    """The venue's cumulative word, base units: a check on ``booked``, never a source."""
    booked: Decimal = _ZERO
    """Sum of the fills we hold, base units."""
    value: Decimal = _ZERO
    """Sum of price times quantity of those fills."""
    updated: int = 0
    reason: str = ""
    stop: Decimal | None = None
    """Planned protective trigger; see ``Intent``."""
    absent: bool = False
    """Ended because the venue knows nothing of it."""

    @property
    def terminal(self) -> bool:
        """Whether it can never trade again; late fills are still booked."""
        return _RANK[self.status] == _TERMINAL_RANK

    @property
    def settled(self) -> bool:
        """Terminal, with every fill the venue counted in hand."""
        return _RANK[self.status] == _TERMINAL_RANK and self.booked >= self.filled

    @property
    def remaining(self) -> Decimal:
        """Base units that may still change the position: open, or filled but not yet booked."""
        whole = self.filled if _RANK[self.status] == _TERMINAL_RANK else self.order.qty
        left = whole - self.booked
        return left if left > _ZERO else _ZERO

    @property
    def average(self) -> Decimal | None:
        """Average price of the booked fills."""
        return self.value / self.booked if self.booked else None

    def sent(self, event: OrderSent) -> bool:
        """Merge the outcome of the submit request; return whether anything changed."""
        changed = bool(event.venue_id) and not self.venue_id
        if changed:
            self.venue_id = event.venue_id
        rank = _RANK[self.status]
        outcome = event.outcome
        if outcome is _ACCEPTED:
            target = _ACKED if rank <= _UNPROVED else self.status
        elif outcome is Outcome.UNKNOWN:
            target = _UNKNOWN if rank == 0 else self.status
        elif rank > _RANK[_ACKED] or self.booked or self.filled:
            target = self.status  # alive by the venue's own word: a refusal proves nothing
        elif outcome is Outcome.NOT_SENT:
            target = OrderStatus.DENIED if rank == 0 else self.status
        else:
            target = OrderStatus.REJECTED
        if target is not self.status:
            self.status = target
            self.reason = event.reason or event.code
            changed = True
        if changed:
            self.updated = event.received
        return changed

    def target(self, report: OrderReport) -> OrderStatus:
        """Return the status this report leads to; the present one when it is no news."""
        status = report.status
        rank = _RANK[self.status]
        if rank == _TERMINAL_RANK or status is _UNKNOWN:
            return self.status
        if status is _OPEN and (self.filled or report.filled):
            status = _PARTIAL
        new = _RANK[status]
        return status if new >= rank and new > _UNPROVED else self.status

    def learns(self, report: OrderReport) -> bool:
        """Return whether a report would change anything."""
        return (
            report.filled > self.filled
            or (bool(report.venue_id) and not self.venue_id)
            or self.target(report) is not self.status
        )

    def reported(self, report: OrderReport) -> bool:
        """Merge a report of the venue; return whether anything changed."""
        changed = False
        status = self.target(report)
        if status is not self.status:
            self.status = status
            self.reason = report.reason
            changed = True
        if report.filled > self.filled:
            self.filled = report.filled
            changed = True
        if not self.venue_id and report.venue_id:
            self.venue_id = report.venue_id
            changed = True
        if changed:
            self.updated = report.received
        return changed

    def book(self, qty: Decimal, price: Decimal, received: int) -> None:
        """Add one of its fills. A quantity that completes the order makes it FILLED."""
        self.booked += qty
        self.value += qty * price
        self.updated = received
        if _RANK[self.status] < _TERMINAL_RANK:
            if self.booked >= self.order.qty:
                self.status = _FILLED
            else:
                self.status = _PARTIAL
        if self.booked > self.filled:
            self.filled = self.booked
