"""Orders: unknown ones first, then working ones, then what was done lately."""

from __future__ import annotations

from decimal import Decimal

from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.order import OrderKind, OrderStatus
from core.model.snapshot import OrderView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, Tone, ticks

COLUMNS = (
    Column("symbol", 6, 0),
    Column("venue", 7, 0),
    Column("side", 6, 0),
    Column("type", 6, 2),
    Column("qty", 9, 0, right=True),
    Column("done", 5, 2, right=True),
    Column("price", 10, 1, right=True),
    Column("state", 9, 0),
    Column("age", 4, 1, right=True),
    Column("average", 10, 4, right=True),
    Column("by", 10, 5),
    Column("why", 12, 3, grow=1),
    Column("id", 24, 6),
)

EMPTY = "No orders. Press b or s for an order ticket."

_TONES: dict[OrderStatus, Tone] = {
    OrderStatus.UNKNOWN: "alarm",
    OrderStatus.JOURNALED: "dim",
    OrderStatus.ACKED: "",
    OrderStatus.OPEN: "strong",
    OrderStatus.PARTIAL: "strong",
    OrderStatus.REJECTED: "warn",
    OrderStatus.DENIED: "warn",
    OrderStatus.EXPIRED: "dim",
    OrderStatus.CANCELLED: "dim",
    OrderStatus.FILLED: "",
}


def order_key(order: OrderView) -> str:
    """Return the key of an order's row; foreign orders may have no client id."""
    return order.client_id or f"{order.venue}|{order.venue_id}"


def view_orders(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row an order."""
    steps = ticks(snapshot)
    ordered = sorted(snapshot.orders, key=_rank)
    return tuple(_row(o, steps.get((o.venue, o.symbol)), snapshot.ts) for o in ordered)


def note_orders(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    working = sum(1 for order in snapshot.orders if not order.status.terminal)
    text = f"{working} working"
    return text + f" · {snapshot.unknown_orders} UNKNOWN" if snapshot.unknown_orders else text


def _rank(order: OrderView) -> tuple[int, int]:
    if order.status is OrderStatus.UNKNOWN:
        return 0, -order.created
    return (2, -order.updated) if order.status.terminal else (1, -order.created)


def _row(order: OrderView, tick: Decimal | None, now: int) -> Row:
    buy = order.side is Side.BUY
    price = order.trigger if order.kind is OrderKind.STOP else order.price
    done = order.filled / order.qty if order.qty else None
    dim: Tone = "dim" if order.status.terminal else ""
    state = order.status.value
    if order.status is OrderStatus.UNKNOWN:
        state = "UNKNOWN"
    who = "foreign" if order.foreign else clean(order.strategy)
    since = order.updated if order.status.terminal else order.created
    return Row(
        order_key(order),
        (
            Cell(clean(short_symbol(order.symbol)), "strong" if not dim else "dim"),
            Cell(clean(order.venue), dim),
            Cell("▲ buy" if buy else "▼ sell", dim or ("up" if buy else "down")),
            Cell(order.kind.value, dim),
            Cell(numbers.quantity(order.qty), dim),
            Cell(numbers.percent(done, 0, sign=False), dim),
            Cell(numbers.price(price, tick) if price is not None else "market", dim),
            Cell(state, _TONES[order.status]),
            Cell(numbers.age((now - since) / 1e9), "dim"),
            Cell(numbers.price(order.average, tick), dim),
            Cell(who, "warn" if order.foreign else "dim"),
            Cell(clean(order.reason), "dim"),
            Cell(clean(order.client_id or order.venue_id), "dim"),
        ),
    )
