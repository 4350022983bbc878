"""The table that every pane is made of."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual import events
from textual.strip import Strip

from tui.views.table import Cell, Column, Place, Row, fit
from tui.widgets.board import Board
from tui.widgets.ink import draw_groups, draw_heads, draw_line, draw_row


class LiveGrid(Board):
    """A table that changes many times a second.

    The cursor holds on to a row's key, not to its place: rows that move take it along, and when its
    row goes away there is no cursor until it is moved. So a key never acts on a row that slipped
    under it.

    Args:
        name_: title, in front of it the number key.
        number: the number key.
        empty: what to say while there is no row.
        selects: whether a row can be picked; else the arrows only scroll.
    """

    def __init__(self, name_: str, number: int, empty: str, selects: bool = True) -> None:
        super().__init__(name_, number)
        self.empty = empty
        self.selects = selects
        self.cursor: str | None = None
        """Key of the row under the cursor."""
        self.filter = ""
        """Only rows that have each of these words are shown."""
        self.frozen = False
        """Whether the rows stay as they are, for somebody who reads them."""
        self._cell: int | None = None
        """Place among the columns shown of the cell picked; None for the whole row."""
        self._expected = ""
        self._of = 0
        """Rows there would be without the filter."""
        self._columns: tuple[Column, ...] = ()
        self._places: tuple[Place, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._top = 0
        self._grouped = False
        self._first = True

    # --- content ------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown, including rows scrolled out of sight."""
        return self._rows

    @property
    def head(self) -> int:
        """Lines above the first row: title, group names if any, column names."""
        return 3 if self._grouped else 2

    def show(self, columns: Sequence[Column], rows: tuple[Row, ...], note: str) -> None:
        """Show these rows; only changed lines are painted."""
        if self.frozen and self._rows:
            return
        self._of = len(rows)
        if self.filter:
            words = self.filter.casefold().split()
            rows = tuple(row for row in rows if _has(row, words))
        if self._expected and any(row.key == self._expected for row in rows):
            self.cursor, self._expected = self._expected, ""
            self.repaint()
        if self._first and rows:
            # The pane that has the focus from the start would otherwise wait for an arrow key.
            self._first = False
            self.cursor = rows[0].key
        if columns != self._columns:
            self._columns = tuple(columns)
            self._rows = rows
            self._note = note
            self._arrange()
            if self.cursor is None and self.has_focus and rows:
                self.cursor = rows[0].key  # another table: what was picked is not in it
            return
        old_top, old = self._top, self._rows
        self._rows = rows
        self._hold_place(old)
        if note != self._note or len(rows) != len(old) or self._top != old_top:
            self._note = note
            self.repaint(0)
        self._paint_changes(old, old_top)

    def _paint_changes(self, old: tuple[Row, ...], old_top: int) -> None:
        head, run = self.head, -1
        new = self._rows
        if not old or not new:
            self.repaint()
            return
        for line in range(self._room() + 1):
            before = old[old_top + line] if old_top + line < len(old) else None
            now = new[self._top + line] if self._top + line < len(new) else None
            changed = before != now and line < self._room()
            if changed and run < 0:
                run = line
            elif not changed and run >= 0:
                self.repaint(head + run, line - run)
                run = -1

    # Someone reading further down keeps the rows in front of their eyes when new ones come on top.
    def _hold_place(self, old: tuple[Row, ...]) -> None:
        last = max(0, len(self._rows) - self._room())
        if self._top and self._top < len(old):
            anchor = old[self._top].key
            self._top = next(
                (i for i, row in enumerate(self._rows) if row.key == anchor), self._top
            )
        self._top = min(self._top, last)
        if self.cursor is not None and self._index() is None:
            self.cursor = None

    def _arrange(self) -> None:
        self._places = fit(self._columns, max(1, self.size.width - 2))
        self._grouped = any(place.column.group for place in self._places)
        self._hold_place(self._rows)
        self.repaint()

    def _room(self) -> int:
        return max(0, self.size.height - self.head)

    def on_resize(self) -> None:
        """Choose the columns anew."""
        self._arrange()

    # --- cursor -------------------------------------------------------------------------------

    def _index(self) -> int | None:
        return next((i for i, row in enumerate(self._rows) if row.key == self.cursor), None)

    @property
    def selected(self) -> str | None:
        """Key of the picked row; None when there is none."""
        return self.cursor if self._picks and self._index() is not None else None

    # Rows that stay can be picked in every table.
    @property
    def _picks(self) -> bool:
        return self.selects or self.frozen

    def expect(self, key: str) -> None:
        """Pick a row as soon as it is there: it takes the place of the one picked now."""
        self._expected = key

    def narrow(self, words: str) -> None:
        """Show only the rows that have each of these words; none shows all of them again.

        The rows themselves follow with the next picture.
        """
        if words != self.filter:
            self.filter = words
            self._top = 0
            self.repaint(0)

    def freeze(self, on: bool) -> None:
        """Keep the rows as they are, and let them be picked; or let them go on."""
        self.frozen = on
        self._cell = None
        self.cursor = self._rows[self._top].key if on and self._rows else None
        self.repaint()

    def step_cell(self, step: int) -> None:
        """Pick the cell beside the present one; beyond the first, the whole row again."""
        at = -1 if self._cell is None else self._cell
        at = max(-1, min(len(self._places) - 1, at + step))
        self._cell = None if at < 0 else at
        if (index := self._index()) is not None:
            self.repaint(self.head + index - self._top)

    def picked_text(self, whole: bool) -> str:
        """Return the text of the cell picked, or of the row, cells apart by tabs; none: empty."""
        index = self._index() if self._picks else None
        if index is None:
            return ""
        cells = self._rows[index].cells
        if self._cell is None or whole:
            return "\t".join(cells[place.at].text.strip() for place in self._places)
        return cells[self._places[self._cell].at].text.strip()

    def move(self, step: int) -> None:
        """Move the cursor, or scroll where rows cannot be picked."""
        if not self._rows:
            return
        if not self._picks:
            self._scroll(self._top + step)
            return
        at = self._index()
        at = max(0, min(len(self._rows) - 1, (at + step) if at is not None else self._top))
        self._pick(at)

    def _pick(self, at: int) -> None:
        before = self._index()
        self.cursor = self._rows[at].key
        top = min(self._top, at)
        if room := self._room():  # none before the pane is laid out
            top = max(top, at - room + 1)
        if top != self._top:
            self._scroll(top)
            return
        for index in {before, at} - {None}:
            assert index is not None
            if 0 <= index - self._top < self._room():
                self.repaint(self.head + index - self._top)

    def _scroll(self, top: int) -> None:
        self._top = max(0, min(top, len(self._rows) - self._room()))
        self.repaint()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll."""
        event.stop()
        self._scroll(self._top + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll."""
        event.stop()
        self._scroll(self._top - 3)

    def on_click(self, event: events.Click) -> None:
        """Pick the row under the mouse; a double click gives the pane the whole screen."""
        at = event.y - self.head + self._top
        if event.y >= self.head and self._picks and at < len(self._rows):
            self._pick(at)
        super().on_click(event)

    def begin(self) -> None:
        """Pick the first row in sight if none is picked."""
        if self.cursor is None and self._rows:
            self.cursor = self._rows[min(self._top, len(self._rows) - 1)].key

    def on_focus(self) -> None:
        """Show the cursor; coming to the pane is the moment to give it one."""
        self.begin()
        self.repaint()

    # --- drawing ------------------------------------------------------------------------------

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``."""
        if y == 0:
            return self.draw_title(width)
        if not self._rows:
            said = f"Nothing has {self.filter!r}. esc shows all." if self.filter else self.empty
            text = wrap(said, max(8, width - 2))
            shown = text[y - 2] if 0 <= y - 2 < len(text) else ""
            return draw_line((Cell(f" {shown}", "dim"),), self.inks, width)
        if y < self.head:
            draw = draw_groups if y == 1 and self._grouped else draw_heads
            return draw(self._places, self.inks, width)
        index = y - self.head + self._top
        if index >= len(self._rows):
            return draw_line((), self.inks, width)
        row = self._rows[index]
        cursor = self.has_focus and self._picks and row.key == self.cursor
        cell = self._cell if cursor else None
        return draw_row(row, self._places, self.inks, width, cursor, cell)

    def in_sight(self) -> str:
        """Return which rows are in sight, when not all are, and why."""
        room, count = self._room(), len(self._rows)
        text = "FROZEN · " if self.frozen else ""
        if self.filter:
            text += f"/{self.filter} {count} of {self._of} · "
        if count <= room or not room:
            return text
        return f"{text}{self._top + 1}-{min(count, self._top + room)} of {count} · "


def _has(row: Row, words: Sequence[str]) -> bool:
    text = " ".join(cell.text for cell in row.cells).casefold()
    return all(word in text for word in words)
