"""The chart pane."""

from __future__ import annotations

from textual.strip import Strip

from core.model.snapshot import Snapshot
from tui.views.chart import EMPTY, note_chart, view_chart
from tui.views.focus import Focus
from tui.views.table import Cell, Line
from tui.widgets.board import Board
from tui.widgets.ink import draw_line


class ChartPane(Board):
    """Draws bars; only lines that changed are painted."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, number)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is drawn, below the title."""
        return self._lines

    def picture(self, snapshot: Snapshot, focus: Focus) -> None:
        """Show what there is."""
        lines = view_chart(snapshot, focus, self.size.width, self.size.height - 1)
        note = note_chart(snapshot, focus)
        if note != self._note:
            self._note = note
            self.repaint(0)
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.repaint()
            return
        for y, line in enumerate(lines):
            if line != old[y]:
                self.repaint(y + 1)

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``."""
        if y == 0:
            return self.draw_title(width)
        if not self._lines:
            return draw_line((Cell(f" {EMPTY}" if y == 2 else "", "dim"),), self.inks, width)
        line = self._lines[y - 1] if y <= len(self._lines) else ()
        return draw_line(line, self.inks, width)
