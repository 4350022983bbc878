"""The line in which words to look for are typed."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input


class SearchLine(Input):
    """Stands over the footer while it is open; enter keeps the words, escape drops them."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "drop", show=False)]

    class Closed(Message):
        """The line was left."""

    def __init__(self) -> None:
        super().__init__(placeholder="words to look for", id="search", compact=True)
        self.display = False

    def open(self, words: str) -> None:
        """Begin to type."""
        self.value = words
        self.display = True
        # At once, not when Textual comes to it: letters typed in one burst with the slash would
        # otherwise be taken for keys of the panes, and one of those closes positions.
        self.screen.set_focus(self)

    def action_drop(self) -> None:
        """Look for nothing."""
        self.value = ""
        self.close()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the words."""
        event.stop()
        self.close()

    def close(self) -> None:
        """Go away; the panes have the keys again."""
        self.display = False
        self.post_message(self.Closed())
