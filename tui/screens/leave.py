"""Leaving the terminal, and what becomes of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import KillcordError
from core.model.event import KillMode, TradingState
from core.model.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.widgets.choice import Choice

if TYPE_CHECKING:
    from tui.dealing import DealingApp

OPTIONS = ("leave it running", "stop it", "halt, then stop it")


def leave_text(snapshot: Snapshot) -> str:
    """Return what is at stake when the desk stops."""
    working = sum(1 for order in snapshot.orders if not order.status.terminal)
    bare = sum(1 for position in snapshot.positions if position.stop is None)
    text = (
        f"The desk is {snapshot.state.value.upper()}: {len(snapshot.positions)} positions,"
        f" {working} working orders."
    )
    if bare:
        text += f" {bare} positions have no stop at the venue!"
    elif snapshot.positions:
        text += " Stops at the venues stay working."
    return text + "\nWhat becomes of it when you leave?"


class LeaveScreen(Dialog[None]):
    """Asks what becomes of the desk; enter takes the choice, which starts at leaving it alone."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "take", "Take it"),
        Binding("down,tab", "move(1)", show=False),
        Binding("up,shift+tab", "move(-1)", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Place the text and the choice."""
        app = cast("DealingApp", self.app)
        with Vertical(id="box") as box:
            box.border_title = "leave"
            if app.snapshot is not None:
                yield Static(leave_text(app.snapshot), markup=False)
            yield Choice("leaving", OPTIONS)
            yield Static("← → choose · enter does it · esc goes back", classes="hint", markup=False)

    def action_move(self, step: int) -> None:
        """Choose another option."""
        self.query_one(Choice).action_step(step)

    async def action_take(self) -> None:
        """Do what was chosen."""
        app = cast("DealingApp", self.app)
        choice = self.query_one(Choice).value
        if choice == OPTIONS[0]:
            app.exit("the desk goes on; come back with: killcord attach")
            return
        hint = self.query_one(".hint", Static)
        hint.update("asking the desk to stop …")
        self.run_worker(self._stop(app, hint, halt=choice == OPTIONS[2]), exclusive=True)

    async def _stop(self, app: DealingApp, hint: Static, halt: bool) -> None:
        if halt and app.snapshot is not None and app.snapshot.state is not TradingState.HALTED:
            await app.commands.kill(KillMode.CANCEL)
        try:
            await app.client.stop()
        except KillcordError as error:
            hint.update(clean(error))
        else:
            app.exit("the desk is stopping")
