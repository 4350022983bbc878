"""The bottom line: keys that do something now, which can be clicked; or what is being said."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tui.views.footer import Foot
from tui.widgets.lines import Lines


class Footer(Lines):
    """Shows one line, and says which action a click meant."""

    class Pressed(Message):
        """A key was clicked.

        Args:
            action: as in the keymap.
        """

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, id: str) -> None:
        super().__init__(id, fixed=1)
        self._spots: tuple[tuple[int, int, str], ...] = ()

    def offer(self, foot: Foot) -> None:
        """Show the line with its keys."""
        self._spots = foot.spots
        self.show((foot.line,))

    def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        for first, end, action in self._spots:
            if first <= event.x < end:
                self.post_message(self.Pressed(action))
