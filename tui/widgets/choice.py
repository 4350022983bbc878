"""One of a few words, on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip

from tui.views.table import Cell, Tone
from tui.widgets.canvas import Canvas
from tui.widgets.ink import draw_line


class Choice(Canvas, can_focus=True):
    """Shows all options side by side, or the chosen one where they are many.

    Left, right and space change it; a letter jumps to the next option that starts with it.
    """

    BINDINGS: ClassVar[list[Any]] = [
        Binding("left", "step(-1)", "Before", show=False),
        Binding("right,space", "step(1)", "Next", show=False),
    ]

    class Changed(Message):
        """Another option was chosen."""

    def __init__(self, id: str, options: Sequence[str], value: str = "") -> None:
        super().__init__(id=id)
        self._options = tuple(options) or ("-",)
        self._at = self._options.index(value) if value in self._options else 0

    @property
    def value(self) -> str:
        """The chosen option."""
        return self._options[self._at]

    def action_step(self, step: int) -> None:
        """Choose the next or the previous option."""
        self._choose((self._at + step) % len(self._options))

    def on_key(self, event: events.Key) -> None:
        """Jump to the next option that starts with the letter."""
        letter = (event.character or "").lower()
        if not letter.isalnum():
            return
        count = len(self._options)
        for step in range(1, count + 1):
            at = (self._at + step) % count
            if self._options[at].lower().startswith(letter):
                event.stop()
                self._choose(at)
                return

    def on_click(self) -> None:
        """Choose the next option."""
        self.action_step(1)

    def _choose(self, at: int) -> None:
        self._at = at
        self.repaint()
        self.post_message(self.Changed())

    def on_focus(self) -> None:
        """Show that keys act here."""
        self.repaint()

    def on_blur(self) -> None:
        """Show that keys act elsewhere."""
        self.repaint()

    def draw(self, y: int, width: int) -> Strip:
        """Return the line."""
        focus = self.has_focus
        if sum(len(option) + 3 for option in self._options) > width:
            chosen_tone: Tone = "key" if focus else "strong"
            cells = [Cell("‹ ", "dim"), Cell(self.value, chosen_tone), Cell(" ›", "dim")]
        else:
            cells = []
            for option in self._options:
                chosen = option == self.value
                mark = "▸" if chosen else " "
                tone: Tone = ("key" if focus else "strong") if chosen else "dim"
                cells.append(Cell(f"{mark}{option}  ", tone))
        return draw_line(tuple(cells), self.raised_inks, width)
