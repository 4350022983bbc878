"""Confirmation by typing a word: it cannot be given by leaning on a key."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from core.model.event import VenueState
from core.model.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.text import clean


def arm_text(snapshot: Snapshot) -> str:
    """Return what a person should know before arming."""
    ready = [clean(v.venue) for v in snapshot.venues if v.state is VenueState.READY]
    others = [
        f"{clean(v.venue)} {v.state}" for v in snapshot.venues if v.state is not VenueState.READY
    ]
    broken = [clean(limit.name) for limit in snapshot.limits if limit.breached]
    lines = [
        f"Lets {clean(snapshot.strategy)} open positions, environment"
        f" {clean(snapshot.environment).upper()}.",
        f"Ready: {', '.join(ready) or 'no venue'}."
        + (f" Not ready: {', '.join(others)}." if others else ""),
        f"Limits: {len(snapshot.limits)} set"
        + (f", broken: {', '.join(broken)}." if broken else ", none broken."),
    ]
    if snapshot.unknown_orders:
        lines.append(f"{snapshot.unknown_orders} orders are UNKNOWN; their symbols stay frozen.")
    return "\n".join(lines)


class TypedScreen(Dialog[bool]):
    """Asks for a word; returns True when it was typed.

    Args:
        word: what must be typed.
        text: what it will do.
    """

    def __init__(self, word: str, text: str) -> None:
        super().__init__()
        self._word = word
        self._text = text

    def compose(self) -> ComposeResult:
        """Place the text and the field."""
        with Vertical(id="box") as box:
            box.border_title = self._word
            yield Static(self._text, markup=False)
            yield Input(placeholder=f"type {self._word} and press enter")
            yield Static("esc goes back", classes="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the word, and nothing else."""
        if event.value.strip().lower() == self._word:
            self.dismiss(True)
        else:
            self.query_one(".hint", Static).update(
                f"That is not the word {self._word}; esc goes back"
            )
