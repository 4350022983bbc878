"""Tables as values: what a view returns and a grid draws. No Textual here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from core.model.snapshot import Snapshot

Tone = Literal["", "dim", "strong", "up", "down", "warn", "alarm", "good", "key"]
"""What a text means, never how it looks; ``tui.theme`` maps tones to styles."""


class Cell(NamedTuple):
    """A piece of text and what it means."""

    text: str
    tone: Tone = ""


class Row(NamedTuple):
    """A line of a table; ``key`` stays the same while the row means the same thing."""

    key: str
    cells: tuple[Cell, ...]


class Column(NamedTuple):
    """How a column is placed.

    Columns are taken by ``level``, lowest first; all columns of a level are shown, or none.
    """

    name: str
    width: int
    level: int = 0
    right: bool = False
    grow: int = 0
    """Share of the width that is left over."""
    tail: bool = False
    """Keep the end of a text that is too long, not its beginning."""
    group: str = ""
    """Heading over neighbouring columns with the same group."""


Line = tuple[Cell, ...]
"""A line of free text."""

GAP = 2
"""Blank cells between columns."""


class Place(NamedTuple):
    """A column that fits: its place among all columns and the width it gets."""

    at: int
    column: Column
    width: int


def fit(columns: Sequence[Column], width: int) -> tuple[Place, ...]:
    """Choose the columns that fit into ``width`` cells and share out what is left.

    A level that does not fit is left out, later and narrower ones may still be taken.
    """
    taken: set[int] = set()
    used = -GAP
    for level in sorted({column.level for column in columns}):
        wanted = [i for i, column in enumerate(columns) if column.level == level]
        cost = sum(columns[i].width + GAP for i in wanted)
        if used + cost <= width or not taken:
            taken.update(wanted)
            used += cost
    shown = [i for i in range(len(columns)) if i in taken]
    spare = max(0, width - used)
    shares = sum(columns[i].grow for i in shown)
    places = []
    for i in shown:
        column = columns[i]
        extra = spare * column.grow // shares if shares else 0
        places.append(Place(i, column, column.width + extra))
    return tuple(places)


def ticks(snapshot: Snapshot) -> dict[tuple[str, str], Decimal]:
    """Return the price step of each instrument, by venue and symbol."""
    return {(market.venue, market.symbol): market.tick for market in snapshot.markets}


def tone_of(value: float | Decimal | None) -> Tone:
    """Return ``up``, ``down`` or nothing for a signed number."""
    if not value:
        return ""
    return "up" if value > 0 else "down"


def signed_cell(text: str, value: float | Decimal | None) -> Cell:
    """Return a number with the tone of its sign."""
    return Cell(text, tone_of(value))
