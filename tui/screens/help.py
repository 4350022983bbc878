"""Every key, made from the keymap."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.strip import Strip

from tui.bindings import display
from tui.keymap import PANE_HELP, Key
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


def view_help(keys: Iterable[Key], pane: str) -> tuple[Line, ...]:
    """Return the help as lines: the keys of the pane in use, those of everywhere, the rest."""
    keys = tuple(keys)
    lines = [*_section(pane, [key for key in keys if pane in key.panes], PANE_HELP[pane])]
    everywhere = sorted((key for key in keys if not key.panes), key=lambda key: _rank(key.group))
    for group, members in groupby(everywhere, lambda key: key.group):
        lines += _section(group, list(members))
    for other in PANE_HELP:
        mine = [key for key in keys if other in key.panes]
        if mine and other != pane:
            lines += _section(f"in {other}", mine)
    return (*lines, *LEGEND)


def _section(title: str, keys: list[Key], text: str = "") -> list[Line]:
    return [
        (Cell(f" {title}", "strong"), Cell(f"  {text}" if text else "", "dim")),
        *((Cell(f"   {display(key.keys):<9} ", "key"), Cell(key.help)) for key in keys),
        (),
    ]


def _rank(group: str) -> int:
    return ("kill cord", "trading", "replay", "panes", "rows", "program").index(group)


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
    """Shows the keymap in use, the keys of one pane first."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("question_mark,f1,q,enter", "give_up", "Back", show=False),
    ]

    def __init__(self, keys: tuple[Key, ...], pane: str) -> None:
        super().__init__()
        self._keys = keys
        self._pane = pane

    def compose(self) -> ComposeResult:
        """Place the page."""
        with VerticalScroll(id="box") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc goes back"
            yield Page(view_help(self._keys, self._pane))
