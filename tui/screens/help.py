"""Every key, made from the keymap."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.strip import Strip

from tui.keymap import Key, display
from tui.screens.dialog import Dialog
from tui.views.table import Cell, Line
from tui.widgets.canvas import Canvas
from tui.widgets.ink import draw_line

LEGEND: tuple[Line, ...] = (
    (Cell(" signs", "strong"),),
    (Cell("   ▲ ▼", "key"), Cell("       up and down, long and short, buy and sell")),
    (Cell("   ~", "key"), Cell("         price older than 5 s")),
    (Cell("   ‖", "key"), Cell("         paused: strategies do not open risk here")),
    (Cell("   ●◐○✗", "key"), Cell("      venue ready, degraded, connecting, blind")),
    (Cell("   UNKNOWN", "key"), Cell("   the venue may have the order or not; it is risk")),
)


def view_help(keys: Iterable[Key]) -> tuple[Line, ...]:
    """Return the help as lines, grouped as in the keymap."""
    lines: list[Line] = []
    for group, members in groupby(
        sorted(keys, key=lambda key: _rank(key.group)), lambda k: k.group
    ):
        lines.append((Cell(f" {group}", "strong"),))
        lines.extend(
            (Cell(f"   {display(key.keys):<9} ", "key"), Cell(key.help)) for key in members
        )
        lines.append(())
    return (*lines, *LEGEND)


def _rank(group: str) -> int:
    return ("kill cord", "trading", "panes", "rows", "program").index(group)


class Page(Canvas):
    """Lines on a dialog's ground, as many as there are."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        super().__init__(id="text")
        self._lines = lines
        self.styles.height = len(lines)

    def draw(self, y: int, width: int) -> Strip:
        """Return line ``y``."""
        return draw_line(self._lines[y] if y < len(self._lines) else (), self.raised_inks, width)


class HelpScreen(Dialog[None]):
    """Shows the keymap in use."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("question_mark,f1,q,enter", "give_up", "Back", show=False),
    ]

    def __init__(self, keys: tuple[Key, ...]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Place the page."""
        with VerticalScroll(id="box") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc goes back"
            yield Page(view_help(self._keys))
