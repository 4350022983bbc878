"""A few lines of free text: the strip, the banner, the footer."""

from __future__ import annotations

from textual.strip import Strip

from tui.views.table import Line
from tui.widgets.canvas import Canvas
from tui.widgets.ink import draw_line


class Lines(Canvas):
    """Shows lines of cells; ``fixed`` lines are always there, otherwise the height follows."""

    def __init__(self, id: str, fixed: int | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()
        self._fixed = fixed

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    @property
    def text(self) -> str:
        """What is shown, without its styles."""
        return "\n".join("".join(cell.text for cell in line) for line in self._lines)

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show these lines; only changed ones are painted."""
        if self._fixed is not None:
            lines = (*lines, *((),) * (self._fixed - len(lines)))[: self._fixed]
        old, self._lines = self._lines, lines
        if lines == old:
            return
        if self._fixed is None and len(lines) != len(old):
            self.styles.height = len(lines)
            self.display = bool(lines)
            self.repaint()
            return
        for y, line in enumerate(lines):
            if y >= len(old) or line != old[y]:
                self.repaint(y)

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``."""
        return draw_line(self._lines[y] if y < len(self._lines) else (), self.inks, width)


class RaisedLines(Lines):
    """Lines on a dialog's raised ground."""

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``."""
        return draw_line(self._lines[y] if y < len(self._lines) else (), self.raised_inks, width)
