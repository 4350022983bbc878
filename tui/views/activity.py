"""What happened: the log, and the fills."""

from __future__ import annotations

from decimal import Decimal

from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.snapshot import FillView, LogView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, Tone, signed_cell, ticks

LOG_COLUMNS = (
    Column("time", 8, 0),
    Column("", 6, 1),
    Column("what", 30, 0, grow=1),
)
FILL_COLUMNS = (
    Column("time", 8, 0),
    Column("symbol", 6, 0),
    Column("venue", 7, 0),
    Column("side", 6, 0),
    Column("qty", 10, 0, right=True),
    Column("price", 11, 0, right=True),
    Column("realised", 10, 1, right=True),
    Column("fee", 8, 2, right=True),
    Column("", 5, 3),
    Column("by", 10, 4, grow=1),
)

EMPTY_LOG = "Nothing has happened yet."
EMPTY_FILLS = "No fills yet. Press v for the log."

_LEVELS: dict[str, Tone] = {"warning": "warn", "alarm": "alarm"}
_MARKS = {"warning": "! ", "alarm": "!! "}


def view_log(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a log line, newest first."""
    return tuple(_line(entry) for entry in reversed(snapshot.log))


def view_fills(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a fill, newest first."""
    newest_first = sorted(snapshot.fills, key=lambda fill: -fill.ts)
    steps = ticks(snapshot)
    return tuple(
        _fill(fill, steps.get((fill.venue, fill.symbol)), place)
        for place, fill in enumerate(newest_first)
    )


def note_log(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    return f"{numbers.compact(snapshot.events)} events · {snapshot.refusals} refused · v fills"


def note_fills(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    count = sum(venue.fills for venue in snapshot.venues)
    return f"{count} fills · realised {numbers.signed(snapshot.realised)} · v log"


def _line(entry: LogView) -> Row:
    tone = _LEVELS.get(entry.level, "")
    mark = _MARKS.get(entry.level, "")
    return Row(
        str(entry.seq),
        (
            Cell(numbers.clock(entry.ts), "dim"),
            Cell(clean(entry.kind, 8), "dim"),
            Cell(mark + clean(entry.text), tone),
        ),
    )


def _fill(fill: FillView, tick: Decimal | None, place: int) -> Row:
    buy = fill.side is Side.BUY
    return Row(
        f"{fill.venue}|{fill.symbol}|{fill.ts}|{place}",
        (
            Cell(numbers.clock(fill.ts), "dim"),
            Cell(clean(short_symbol(fill.symbol)), "strong"),
            Cell(clean(fill.venue)),
            Cell("▲ buy" if buy else "▼ sell", "up" if buy else "down"),
            Cell(numbers.quantity(fill.qty)),
            Cell(numbers.price(fill.price, tick)),
            signed_cell(numbers.signed(fill.realised), fill.realised),
            Cell(numbers.money(fill.fee), "dim"),
            Cell("maker" if fill.maker else "taker", "dim"),
            Cell(clean(fill.strategy), "dim"),
        ),
    )
