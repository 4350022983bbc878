"""What something on the screen rests on: an order, a refusal, the model that trades."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll

from tui.screens.dialog import Dialog
from tui.screens.help import Page
from tui.views.table import Line


class WhyScreen(Dialog[None]):
    """Shows the lines that explain it."""

    BINDINGS: ClassVar[list[Any]] = [Binding("w,q,enter", "give_up", "Back", show=False)]

    def __init__(self, lines: tuple[Line, ...]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Place the page."""
        with VerticalScroll(id="box") as box:
            box.border_title = "why"
            box.border_subtitle = "esc goes back"
            yield Page(self._lines)
