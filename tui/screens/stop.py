"""Move the protective stop of a position."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from core.errors import KillcordError
from core.model.instrument import short_symbol
from core.model.snapshot import PositionView
from tui import numbers
from tui.commands import answer_line, positive
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.views.table import Cell, Line
from tui.views.ticket import view_stop
from tui.widgets.lines import RaisedLines

if TYPE_CHECKING:
    from tui.dealing import DealingApp


class StopScreen(Dialog[None]):
    """Asks for the new trigger; stays open when the desk refuses, with the reason.

    Args:
        position: whose stop; as it was when the dialog opened.
        tick: price step, None where it is not known.
    """

    def __init__(self, position: PositionView, tick: Decimal | None) -> None:
        super().__init__()
        self._position = position
        self._tick = tick
        self._sending = False
        self._answer: Line = ()

    def compose(self) -> ComposeResult:
        """Place the field."""
        held = self._position
        stop = held.stop
        with Vertical(id="box") as box:
            box.border_title = "move stop"
            side = "long" if held.qty > 0 else "short"
            what = f"{side} {numbers.quantity(abs(held.qty))} {clean(short_symbol(held.symbol))}"
            yield Static(f"{what} on {clean(held.venue)}", markup=False)
            yield Horizontal(
                Static("trigger", classes="label", markup=False),
                Input(str(stop) if stop is not None else "", id="price"),
                classes="field",
            )
            yield RaisedLines("meaning", fixed=4)
            yield Static(
                "the new stop is placed before the old one is cancelled · enter sends · esc goes"
                " back",
                classes="hint",
                markup=False,
            )

    def on_mount(self) -> None:
        """Start in the field."""
        self.query_one(Input).focus()
        self._show()

    @on(Input.Changed)
    def _edited(self) -> None:
        self._answer = ()
        self._show()

    def _show(self) -> None:
        if not self.query(Input) or not self.query(RaisedLines):
            return  # an answer may come while the dialog is being taken down
        try:
            price = positive(self.query_one(Input).value, "trigger")
        except ValueError as error:
            lines: tuple[Line, ...] = ((Cell(str(error), "dim"),), ())
        else:
            lines = view_stop(self._position, price, self._tick)
        self.query_one(RaisedLines).show((*lines, (), self._answer))

    @on(Input.Submitted)
    def _entered(self) -> None:
        try:
            price = positive(self.query_one(Input).value, "trigger")
        except ValueError:
            return
        if not self._sending:
            self._sending = True
            self._answer = (Cell(" … sent, waiting for the desk", "dim"),)
            self._show()
            self.run_worker(self._send(price))

    async def _send(self, price: Decimal) -> None:
        app = cast("DealingApp", self.app)
        held = self._position
        what = f"stop of {short_symbol(held.symbol)} on {held.venue} to {price}"
        try:
            answer = await app.commands.move_stop(held.venue, held.symbol, price)
        except KillcordError as error:
            self._sending = False
            self._answer = (Cell(" UNKNOWN ", "alarm"), Cell(f" {clean(error)}"))
        else:
            if answer.ok:
                app.say(answer_line(what, answer))
                self.dismiss(None)
                return
            self._sending = False
            self._answer = answer_line("refused", answer)
        self._show()
