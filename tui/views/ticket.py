"""What an order would mean, before it is sent."""

from __future__ import annotations

from decimal import Decimal

from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.snapshot import MarketView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.strip import exposure
from tui.views.table import Cell, Line

_TAKER = Decimal("0.0006")
_MAKER = Decimal("0.0002")


def quote_of(snapshot: Snapshot, venue: str, symbol: str) -> MarketView | None:
    """Return the market of a venue's instrument."""
    return next((m for m in snapshot.markets if m.venue == venue and m.symbol == symbol), None)


def view_quote(quote: MarketView | None) -> Line:
    """Return the venue's best prices."""
    if quote is None:
        return (Cell("this venue does not list the symbol", "warn"),)
    return (
        Cell("bid ", "dim"),
        Cell(numbers.price(quote.bid, quote.tick)),
        Cell("   ask ", "dim"),
        Cell(numbers.price(quote.ask, quote.tick)),
        Cell("   mark ", "dim"),
        Cell(numbers.price(quote.mark, quote.tick)),
    )


def view_meaning(
    snapshot: Snapshot, venue: str, symbol: str, side: Side, qty: Decimal, price: Decimal | None
) -> tuple[Line, Line]:
    """Return value and fee of an order, and the position and exposure it would lead to.

    Args:
        price: of a limit order; None takes the other side's best price.
    """
    quote = quote_of(snapshot, venue, symbol)
    if price is None and quote is not None:
        best = quote.ask if side is Side.BUY else quote.bid
        price = Decimal(repr(best)) if best else None
        fee = _TAKER
    else:
        fee = _MAKER
    if price is None:
        return (Cell("no price to value it with", "warn"),), ()
    value = qty * price
    held = next(
        (p.qty for p in snapshot.positions if p.venue == venue and p.symbol == symbol), Decimal(0)
    )
    after = held + qty * side.sign
    change = (abs(after) - abs(held)) * price
    base = clean(short_symbol(symbol))
    share = (exposure(snapshot) + change) / snapshot.equity if snapshot.equity else None
    return (
        (
            Cell("value ", "dim"),
            Cell(f"{numbers.money(value)} USDT"),
            Cell("   fee about ", "dim"),
            Cell(numbers.money(value * fee)),
        ),
        (
            Cell("position ", "dim"),
            Cell(f"{numbers.quantity(held)} → {numbers.quantity(after)} {base}"),
            Cell("   exposed ", "dim"),
            Cell(numbers.percent(share, 1, sign=False)),
        ),
    )
