"""The depth ladder: what could be bought and sold at which price, and where our orders stand."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import ceil, floor
from typing import NamedTuple

from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.order import OrderKind
from core.model.snapshot import DepthView, OrderView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.focus import Focus
from tui.views.table import Cell, Column, Row, Tone

COLUMNS = (
    Column("ours", 8, 2, right=True),
    Column("price", 11, 0, right=True),
    Column("size", 9, 0, right=True),
    Column("sum", 9, 3, right=True),
    Column("", 6, 1, grow=1),
    Column("at", 8, 1),
)
BAR = 4
"""Place of the bar among the columns."""

EMPTY = "No book yet. The cursor in markets chooses the symbol, o the venue."


class Level(NamedTuple):
    """One price of the ladder."""

    price: float
    qty: float
    venues: tuple[str, ...]


def view_depth(snapshot: Snapshot, focus: Focus, levels: int, bar: int) -> tuple[Row, ...]:
    """Return the ladder: asks above, the spread, bids below; best prices in the middle.

    Args:
        levels: at most so many a side.
        bar: cells that the longest bar takes.
    """
    if focus.watch is None:
        return ()
    books = [d for d in focus.watch.depths if focus.venue in ("", d.venue)]
    ticks = {m.venue: m.tick for m in snapshot.markets if m.symbol == focus.symbol}
    # Prices of several venues meet on the coarsest of their steps.
    step = max((ticks[d.venue] for d in books if d.venue in ticks), default=None)
    if step is None:
        return ()
    bids = merge((d for d in books), step, Side.BUY)[:levels]
    asks = merge((d for d in books), step, Side.SELL)[:levels]
    most = max((level.qty for level in (*bids, *asks)), default=0.0)
    ours = own_orders(snapshot, focus, step)
    rows = [*reversed(_side(asks, Side.SELL, step, most, bar, ours)), _middle(bids, asks, step)]
    return (*rows, *_side(bids, Side.BUY, step, most, bar, ours))


def note_depth(snapshot: Snapshot, focus: Focus) -> str:
    """Return what stands at the right of the title."""
    listed = [clean(m.venue) for m in snapshot.markets if m.symbol == focus.symbol]
    where = clean(focus.venue) if focus.venue else " ".join(sorted(listed))
    return f"{clean(short_symbol(focus.symbol))} · {where} · o next"


def merge(books: Iterable[DepthView], step: Decimal, side: Side) -> list[Level]:
    """Add up the books of several venues, best price first.

    A bid is counted at the step below its price and an ask at the one above: never better than it
    is.
    """
    size = float(step)
    places = numbers.decimals(step)
    found: dict[float, tuple[float, tuple[str, ...]]] = {}
    for book in books:
        for price, qty in book.bids if side is Side.BUY else book.asks:
            # A quotient a hair below a whole number is that number: 0.3 / 0.1 is 2.9999999999999996
            steps = round(price / size, 6)
            on = round((floor(steps) if side is Side.BUY else ceil(steps)) * size, places)
            known, venues = found.get(on, (0.0, ()))
            if book.venue not in venues:
                venues = (*venues, book.venue)
            found[on] = (known + qty, venues)
    levels = [Level(price, qty, venues) for price, (qty, venues) in found.items()]
    return sorted(levels, key=lambda level: -level.price * side.sign)


def own_orders(snapshot: Snapshot, focus: Focus, step: Decimal) -> dict[float, str]:
    """Return where our working orders stand: price to mark and quantity; stops have an ``s``."""
    places = numbers.decimals(step)
    totals: dict[tuple[float, str], Decimal] = {}
    for order in snapshot.orders:
        price = _level_of(order)
        if order.symbol != focus.symbol or focus.venue not in ("", order.venue) or price is None:
            continue
        mark = "s" if order.kind is OrderKind.STOP else "▲" if order.side is Side.BUY else "▼"
        at = (round(float(round(price / step) * step), places), mark)
        totals[at] = totals.get(at, Decimal(0)) + order.qty - order.filled
    marks: dict[float, str] = {}
    for (at_price, mark), qty in totals.items():
        text = mark + numbers.quantity(qty)
        marks[at_price] = f"{marks[at_price]} {text}" if at_price in marks else text
    return marks


def _level_of(order: OrderView) -> Decimal | None:
    if order.status.terminal:
        return None
    return order.trigger if order.kind is OrderKind.STOP else order.price


def _side(
    levels: list[Level], side: Side, step: Decimal, most: float, bar: int, ours: dict[float, str]
) -> list[Row]:
    tone: Tone = "up" if side is Side.BUY else "down"
    rows = []
    total = 0.0
    for level in levels:
        total += level.qty
        mark = ours.get(level.price, "")
        letters = " ".join(sorted(clean(venue)[:2] for venue in level.venues))
        rows.append(
            Row(
                f"{side.value}|{level.price}",
                (
                    Cell(mark, "key"),
                    Cell(numbers.price(level.price, step), tone),
                    Cell(size_text(level.qty)),
                    Cell(size_text(total), "dim"),
                    Cell(_bar(level.qty, most, bar), tone),
                    Cell(letters, "dim"),
                ),
            )
        )
    return rows


def _middle(bids: list[Level], asks: list[Level], step: Decimal) -> Row:
    text, tone = "", ""
    if bids and asks:
        gap = asks[0].price - bids[0].price
        share = gap / (asks[0].price + bids[0].price) * 2
        text = f"{numbers.basis_points(share)} bp"
        tone = "warn" if gap < 0 else "dim"
    cells = (
        Cell(""),
        Cell(numbers.price(asks[0].price - bids[0].price, step) if text else "", "dim"),
        Cell(text, "warn" if tone == "warn" else "dim"),
        Cell(""),
        Cell("cross" if tone == "warn" else "spread", "warn" if tone == "warn" else "dim"),
        Cell(""),
    )
    return Row("middle", cells)


def _bar(qty: float, most: float, width: int) -> str:
    return numbers.bar(qty / most, width).replace("·", " ").rstrip() if most else ""


def size_text(qty: float) -> str:
    """Write a book size in at most eight characters: 0.018, 12.45, 18,230, 1.2M."""
    if qty >= 100_000:
        return numbers.compact(qty)
    places = 0 if qty >= 1_000 else 1 if qty >= 100 else 2 if qty >= 10 else 3
    return f"{qty:,.{places}f}"
