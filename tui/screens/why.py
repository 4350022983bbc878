"""Why an order was made or refused."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll

from core.model.why import Why
from tui.screens.dialog import Dialog
from tui.screens.help import Page
from tui.views.why import view_why


class WhyScreen(Dialog[None]):
    """Shows the chain of a decision."""

    BINDINGS: ClassVar[list[Any]] = [Binding("w,q,enter", "give_up", "Back", show=False)]

    def __init__(self, why: Why) -> None:
        super().__init__()
        self._why = why

    def compose(self) -> ComposeResult:
        """Place the page."""
        with VerticalScroll(id="box") as box:
            box.border_title = "why"
            box.border_subtitle = "esc goes back"
            yield Page(view_why(self._why))
