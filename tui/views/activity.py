"""What happened: the log, our fills, and the public trades of one symbol."""

from __future__ import annotations

from decimal import Decimal

from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.snapshot import FillView, LogView, PrintView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.focus import Focus
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

PRINT_COLUMNS = (
    Column("time", 8, 0),
    Column("venue", 7, 0),
    Column("side", 6, 0),
    Column("price", 11, 0, right=True),
    Column("qty", 10, 0, right=True),
    Column("value", 10, 1, right=True),
)

EMPTY_LOG = "Nothing has happened yet."
EMPTY_FILLS = "No fills yet. Press v for public trades."
EMPTY_PRINTS = "No public trades yet. Press v for the log."

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
    return f"{count} fills · realised {numbers.signed(snapshot.realised)} · v trades"


def view_prints(snapshot: Snapshot, focus: Focus) -> tuple[Row, ...]:
    """Return one row a public trade of the symbol looked at, newest first."""
    if focus.watch is None:
        return ()
    steps = {m.venue: m.tick for m in snapshot.markets if m.symbol == focus.symbol}
    return tuple(
        _print(trade, steps.get(trade.venue), place)
        for place, trade in enumerate(focus.watch.prints)
        if focus.venue in ("", trade.venue)
    )


def note_prints(snapshot: Snapshot, focus: Focus) -> str:
    """Return what stands at the right of the title."""
    where = clean(focus.venue) if focus.venue else "all venues"
    return f"{clean(short_symbol(focus.symbol))} · {where} · v log"


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


def _print(trade: PrintView, tick: Decimal | None, place: int) -> Row:
    buy = trade.side is Side.BUY
    tone: Tone = "up" if buy else "down"
    return Row(
        f"{trade.venue}|{trade.ts}|{place}",
        (
            Cell(numbers.clock(trade.ts), "dim"),
            Cell(clean(trade.venue)),
            Cell("▲ buy" if buy else "▼ sell", tone),
            Cell(numbers.price(trade.price, tick), tone),
            Cell(numbers.quantity(trade.qty)),
            Cell(numbers.compact(trade.price * trade.qty), "dim"),
        ),
    )
