"""From cells to strips: the one place where text meets style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.theme import Inks
from tui.views.table import GAP, Line, Place, Row

_PICKED = Style(reverse=True)


def size(text: str) -> int:
    """Return how many cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def shape(text: str, width: int, right: bool = False, tail: bool = False) -> tuple[int, str, int]:
    """Cut a text to a width.

    Returns:
        Blank cells before, the text, blank cells after; together ``width`` cells.
    """
    length = size(text)
    if length > width:
        if tail:
            text = text[len(text) - width :]
        elif width > 1:
            text = set_cell_size(text, width - 1).rstrip() + "…"
        else:
            text = set_cell_size(text, width)
        length = size(text)
    blank = width - length
    return (blank, text, 0) if right else (0, text, blank)


class Pen:
    """Collects text into segments; neighbours of equal style become one, which saves bytes."""

    def __init__(self, ground: Style) -> None:
        self._ground = ground
        self._parts: list[str] = []
        self._style = ground
        self._flat = True
        self._segments: list[Segment] = []
        self.width = 0

    def write(self, text: str, style: Style, flat: bool = True, width: int | None = None) -> None:
        """Add text; ``flat`` says that the style has no background, so blanks may join it."""
        if not text:
            return
        if style is not self._style:
            self._flush()
            self._style, self._flat = style, flat
        self._parts.append(text)
        self.width += size(text) if width is None else width

    def blank(self, count: int) -> None:
        """Add blank cells, in the running style where that makes no difference."""
        if count <= 0:
            return
        if not self._flat:
            self._flush()
            self._style, self._flat = self._ground, True
        self._parts.append(" " * count)
        self.width += count

    def strip(self, width: int) -> Strip:
        """Return what was written, cut or filled to ``width`` cells."""
        if self.width < width:
            self.blank(width - self.width)
        self._flush()
        strip = Strip(self._segments, self.width)
        return strip if self.width == width else strip.crop(0, width)

    def _flush(self) -> None:
        if self._parts:
            self._segments.append(Segment("".join(self._parts), self._style))
            self._parts = []


def draw_row(
    row: Row,
    places: Sequence[Place],
    inks: Inks,
    width: int,
    cursor: bool,
    cell: int | None = None,
) -> Strip:
    """Draw a row of a table; the cursor shows as a bar at the left and a raised ground.

    Args:
        cell: place of the cell picked within the row; it is drawn reversed.
    """
    tones = inks.cursor if cursor else inks.tones
    pen = Pen(tones[""])
    if cursor:
        pen.write("▌", tones["key"], width=1)
    else:
        pen.blank(1)
    for number, (index, column, room) in enumerate(places):
        if number:
            pen.blank(GAP)
        text, tone = row.cells[index]
        before, text, after = shape(text, room, column.right, column.tail)
        pen.blank(before)
        if number == cell:
            pen.write(text or " ", tones[tone] + _PICKED, False, max(1, room - before - after))
            pen.blank(after if text else after - 1)
            continue
        pen.write(text, tones[tone], tone not in inks.loud, room - before - after)
        pen.blank(after)
    return pen.strip(width)


def draw_line(line: Line, inks: Inks, width: int) -> Strip:
    """Draw free text."""
    pen = Pen(inks.tones[""])
    for text, tone in line:
        pen.write(text, inks.tones[tone], tone not in inks.loud)
    return pen.strip(width)


def draw_heads(places: Sequence[Place], inks: Inks, width: int) -> Strip:
    """Draw the column names."""
    pen = Pen(inks.tones[""])
    pen.blank(1)
    for number, (_, column, room) in enumerate(places):
        if number:
            pen.blank(GAP)
        before, text, after = shape(column.name, room, column.right)
        pen.blank(before)
        pen.write(text, inks.tones["dim"])
        pen.blank(after)
    return pen.strip(width)


def draw_groups(places: Sequence[Place], inks: Inks, width: int) -> Strip:
    """Draw the headings over neighbouring columns of one group, each with a rule to its left."""
    pen = Pen(inks.tones[""])
    pen.blank(1)
    for group, room in _spans(places):
        if pen.width > 1:
            pen.blank(GAP)
        if not group:
            pen.blank(room)
            continue
        _, text, _ = shape(group, room)
        rule = room - size(text) - 1
        if rule > 1:
            pen.write("─" * rule + " ", inks.rule)
        else:
            pen.blank(rule + 1 if rule >= 0 else 0)
        pen.write(text, inks.tones["dim"])
    return pen.strip(width)


def _spans(places: Sequence[Place]) -> Iterable[tuple[str, int]]:
    spans: list[tuple[str, int]] = []
    for _, column, room in places:
        if spans and column.group and spans[-1][0] == column.group:
            spans[-1] = (column.group, spans[-1][1] + GAP + room)
        else:
            spans.append((column.group, room))
    return spans
