"""Open positions, largest first: what they are worth, and what protects them."""

from __future__ import annotations

from decimal import Decimal

from core.model.instrument import short_symbol
from core.model.snapshot import PositionView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, signed_cell, ticks

COLUMNS = (
    Column("symbol", 6, 0),
    Column("venue", 7, 0),
    Column("side", 7, 0),
    Column("qty", 9, 1, right=True),
    Column("entry", 10, 4, right=True),
    Column("mark", 10, 5, right=True),
    Column("P&L", 9, 0, right=True),
    Column("R", 6, 3, right=True),
    Column("stop", 10, 2, right=True),
    Column("to liq.", 7, 6, right=True),
    Column("value", 9, 7, right=True),
    Column("realised", 9, 8, right=True),
    Column("fees", 8, 9, right=True),
    Column("funding", 8, 9, right=True),
    Column("age", 4, 6, right=True),
    Column("strategy", 10, 10, grow=1),
)

EMPTY = "No open position. b or s open an order ticket; strategies open theirs while ARMED (a)."

UNPROTECTED = "! none"
"""Shown where a position has no working stop at the venue."""


def value_of(position: PositionView) -> Decimal:
    """Return the unsigned value of a position in quote currency, at mark, else at entry."""
    mark = position.mark if position.mark is not None else position.entry
    return abs(position.qty * mark)


def position_key(position: PositionView) -> str:
    """Return the key of a position's row: one position an instrument and venue."""
    return f"{position.venue}|{position.symbol}"


def view_positions(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a position, by symbol and venue, so that rows keep their place."""
    ordered = sorted(snapshot.positions, key=lambda p: (p.symbol, p.venue))
    steps = ticks(snapshot)
    return tuple(_row(p, steps.get((p.venue, p.symbol)), snapshot.ts) for p in ordered)


def note_positions(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    if not snapshot.positions:
        return ""
    total = sum((value_of(p) for p in snapshot.positions), Decimal(0))
    return (
        f"{len(snapshot.positions)} open · {numbers.money(total, 0)} USDT"
        f" · P&L {numbers.signed(snapshot.unrealised)}"
    )


def _row(position: PositionView, tick: Decimal | None, now: int) -> Row:
    r = None
    if position.unrealised is not None and position.risk_quote:
        r = position.unrealised / position.risk_quote
    away = None
    if position.liquidation and position.mark:
        away = abs(position.mark - position.liquidation) / position.mark
    long = position.qty > 0
    stop = Cell(numbers.price(position.stop, tick)) if position.stop else Cell(UNPROTECTED, "warn")
    return Row(
        position_key(position),
        (
            Cell(clean(short_symbol(position.symbol)), "strong"),
            Cell(clean(position.venue)),
            Cell("▲ long" if long else "▼ short", "up" if long else "down"),
            Cell(numbers.quantity(abs(position.qty))),
            Cell(numbers.price(position.entry, tick)),
            Cell(numbers.price(position.mark, tick)),
            signed_cell(numbers.signed(position.unrealised), position.unrealised),
            signed_cell(numbers.signed(r), r),
            stop,
            _away_cell(away),
            Cell(numbers.money(value_of(position), 0)),
            signed_cell(numbers.signed(position.realised), position.realised),
            Cell(numbers.money(position.fees), "dim"),
            Cell(numbers.signed(position.funding), "dim"),
            Cell(numbers.age((now - position.opened) / 1e9), "dim"),
            Cell(clean(position.strategy), "dim"),
        ),
    )


# A short that a price ten times as high would close is in no danger: how little does not matter.
def _away_cell(away: Decimal | None) -> Cell:
    if away is not None and away >= 10:
        return Cell(">999%", "dim")
    return Cell(numbers.percent(away, 1, sign=False), "warn" if away and away < 0.1 else "dim")
