"""What every pane has: a title line with its number key, tabs, a note, and the focus."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.views.table import Cell
from tui.widgets.canvas import Canvas
from tui.widgets.ink import Pen, size


class Board(Canvas, can_focus=True):
    """A canvas with a title line.

    Args:
        name_: title, in front of it the number key.
        number: the number key.
    """

    class Picked(Message):
        """A pane was double-clicked, or its title clicked: it wants the whole screen."""

        def __init__(self, board: Board) -> None:
            super().__init__()
            self.board = board

    class Tabbed(Message):
        """The tab of another pane was clicked.

        Args:
            number: the pane's place, from 0.
        """

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, name_: str, number: int) -> None:
        super().__init__(id=name_, classes="pane cell")
        self.title = name_
        self.number = number
        self.tabs: tuple[Cell, ...] = ()
        """Titles of all panes, in place of the own title while this pane fills the screen."""
        self._note = ""

    @property
    def selected(self) -> str | None:
        """Key of the picked row; None where there are none."""
        return None

    def step_cell(self, step: int) -> None:
        """Pick the cell beside the present one, where there are cells."""

    def picked_text(self, whole: bool) -> str:
        """Return the text of the cell picked, or of the row; empty where there is none."""
        return ""

    def move(self, step: int) -> None:
        """Move the cursor, where there is one."""

    def on_click(self, event: events.Click) -> None:
        """A click on a tab goes there; on the title, or twice, it asks for the whole screen."""
        if event.y == 0 and self.tabs:
            right = 0
            for number, cell in enumerate(self.tabs):
                right += size(cell.text)
                if event.x < right:
                    self.post_message(self.Tabbed(number))
                    return
        if event.y == 0 or event.chain == 2:
            self.post_message(self.Picked(self))

    def on_focus(self) -> None:
        """Show that the keys come here."""
        self.repaint()

    def on_blur(self) -> None:
        """Show that they no longer do."""
        self.repaint()

    def in_sight(self) -> str:
        """Return which rows are in sight, when not all are. For subclasses."""
        return ""

    def draw_title(self, width: int) -> Strip:
        """Return the title line."""
        inks = self.inks
        pen = Pen(inks.ground)
        style = inks.title_focus if self.has_focus else inks.title
        if self.tabs:
            for text, tone in self.tabs:
                pen.write(text, inks.tones[tone])
        else:
            pen.write(f" {self.number} {self.title} ", style)
        sight = self.in_sight()
        note = sight + (self._note + " " if self._note else "")
        if pen.width + size(note) + 2 > width:
            note = sight.removesuffix("· ")  # what hides rows is said before anything else
        rule = width - pen.width - size(note) - 1
        if rule >= 1:
            pen.write("─" * rule + " ", inks.rule)
            pen.write(note, inks.tones["dim"])
        elif width > pen.width:
            pen.write("─" * (width - pen.width), inks.rule)
        return pen.strip(width)
