"""What an order would cost on each venue's live book."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from core.model.instrument import Instrument, exact
from core.model.market import Depth, Side
from core.model.whatif import RouteView

_ZERO = Decimal(0)


def route(instrument: Instrument, depth: Depth | None, side: Side, qty: Decimal) -> RouteView:
    """Return what a market order would pay on one venue, by the levels that can be seen.

    Args:
        depth: the newest levels; None where there are none.
        qty: base units.
    """
    levels = () if depth is None else depth.asks if side is Side.BUY else depth.bids
    left, paid = qty, _ZERO
    for price, size in levels:
        part = min(left, exact(size))
        paid += part * exact(price)
        left -= part
        if left <= 0:
            break
    filled = qty - left
    if depth is None or not filled or not depth.bids or not depth.asks:
        return RouteView(instrument.venue, _ZERO, None, None, _ZERO)
    average = paid / filled
    middle = (exact(depth.bids[0][0]) + exact(depth.asks[0][0])) / 2
    slippage = (average - middle) / middle * side.sign
    return RouteView(instrument.venue, filled, average, slippage, paid * instrument.taker_fee)


def rank(routes: Iterable[RouteView], side: Side) -> tuple[RouteView, ...]:
    """Put the cheapest venue first: whole fills before partial ones, then price with fee."""

    def cost(found: RouteView) -> tuple[bool, Decimal, Decimal]:
        if found.average is None or not found.qty:
            return True, _ZERO, _ZERO
        return False, -found.qty, found.average * side.sign + found.fee / found.qty

    return tuple(sorted(routes, key=cost))
