"""A widget that paints prepared strips and repaints only the lines that changed."""

from __future__ import annotations

from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.theme import Inks, inks


class Canvas(Widget):
    """Paints lines without Textual's styles cache: no borders, no padding, no per-line CSS.

    Textual repaints every line of a region it is told is dirty, changed or not. A canvas keeps the
    strips it drew and names only the lines that differ (2.5 ms a frame, where a DataTable of the
    same size takes 40).
    """

    ALLOW_SELECT = False

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._strips: dict[int, Strip] = {}
        self._inks: Inks | None = None
        self._backdrop = Color.parse("#000000")

    @property
    def inks(self) -> Inks:
        """The styles of the theme in use."""
        if self._inks is None:
            self._inks = inks(self.app.theme, not self.app.no_color)
        return self._inks

    @property
    def raised_inks(self) -> Inks:
        """The same for a widget on a dialog's raised ground."""
        return self.inks._replace(tones=self.inks.cursor) if not self.app.no_color else self.inks

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``, ``width`` cells wide. For subclasses."""
        raise NotImplementedError

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips of a region, drawing those that are not known."""
        width = self.size.width
        lines = []
        filters = self.get_line_filters()
        for y in crop.line_range:
            strip = self._strips.get(y)
            if strip is None:
                strip = self.draw(y, width)
                for line_filter in filters:
                    strip = strip.apply_filter(line_filter, self._backdrop)
                self._strips[y] = strip
            lines.append(strip)
        if crop.x or crop.width != width:
            lines = [strip.crop(crop.x, crop.right) for strip in lines]
        return lines

    def repaint(self, first: int | None = None, count: int = 1) -> None:
        """Forget lines and paint them again; without arguments, all of them."""
        if first is None:
            self._strips.clear()
            self.refresh()
            return
        for y in range(first, first + count):
            self._strips.pop(y, None)
        self.refresh(Region(0, first, self.size.width, count))

    def reink(self) -> None:
        """Take the colours of a new theme."""
        self._inks = None
        self.repaint()

    def on_resize(self) -> None:
        """Forget every line: their width is another."""
        self._strips.clear()
