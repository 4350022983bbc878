"""Another size for a strategy's entry that waits."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from core.errors import KillcordError
from core.model.event import Submit
from core.model.instrument import short_symbol
from core.model.snapshot import HeldView
from core.model.whatif import WhatIf
from tui import numbers
from tui.commands import answer_line, positive
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.views.table import Cell, Line
from tui.views.ticket import view_whatif
from tui.widgets.lines import RaisedLines

if TYPE_CHECKING:
    from tui.dealing import DealingApp

MEANING = 8


class ResizeScreen(Dialog[None]):
    """Asks for the quantity, shows what it would mean, and approves the entry in that size.

    Args:
        held: the entry; when it expires while the dialog is open, the desk says so.
    """

    def __init__(self, held: HeldView) -> None:
        super().__init__()
        self._held = held
        self._sending = False
        self._answer: Line = ()
        self._found: tuple[Submit, WhatIf | KillcordError] | None = None

    @property
    def _app(self) -> DealingApp:
        return cast("DealingApp", self.app)

    def compose(self) -> ComposeResult:
        """Place the field."""
        held = self._held
        with Vertical(id="box") as box:
            box.border_title = "resize"
            what = f"{held.side.value} {clean(short_symbol(held.symbol))} on {clean(held.venue)}"
            yield Static(f"{clean(held.strategy)} wants to {what}", markup=False)
            yield Horizontal(
                Static("quantity", classes="label", markup=False),
                Input(numbers.quantity(held.qty).replace(",", ""), id="qty"),
                classes="field",
            )
            yield RaisedLines("meaning", fixed=MEANING)
            yield Static("enter approves it · esc goes back", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Start in the field."""
        self.query_one(Input).focus()
        self._show()
        self.set_interval(1.0, self._weigh)

    @on(Input.Changed)
    def _edited(self) -> None:
        self._answer = ()
        self._show()
        self._weigh()

    def _question(self) -> Submit | None:
        held = self._held
        try:
            qty = positive(self.query_one(Input).value, "quantity")
        except ValueError:
            return None
        return Submit("", self._app.commands.actor, held.venue, held.symbol, held.side, qty, 0)

    def _weigh(self) -> None:
        order = self._question()
        if order is not None:
            self.run_worker(self._ask(order), exclusive=True, group="what-if")

    async def _ask(self, order: Submit) -> None:
        try:
            found: WhatIf | KillcordError = await self._app.client.weigh(order)
        except KillcordError as error:
            found = error
        self._found = (order, found)
        self._show()

    def _show(self) -> None:
        snapshot = self._app.snapshot
        if not self.query(RaisedLines) or not self.query(Input) or snapshot is None:
            return  # an answer may come while the dialog is being taken down
        left = max(0.0, (self._held.expires - snapshot.ts) / 1e9)
        lines: list[Line] = [(Cell(f"{left:.0f} s left to answer", "dim"),)]
        order = self._question()
        if order is None:
            lines.append((Cell("quantity: a number above 0 is expected", "dim"),))
        elif self._found is not None and self._found[0] == order:
            found = self._found[1]
            if isinstance(found, KillcordError):
                lines.append((Cell(clean(found), "warn"),))
            else:
                lines += view_whatif(found, snapshot, order)
        room = MEANING - 1
        self.query_one(RaisedLines).show(
            (*lines[:room], *((),) * (room - len(lines)), self._answer)
        )

    @on(Input.Submitted)
    def _entered(self) -> None:
        order = self._question()
        if order is not None and not self._sending:
            self._sending = True
            self._answer = (Cell(" … sent, waiting for the desk", "dim"),)
            self._show()
            self.run_worker(self._send(order.qty))

    async def _send(self, qty: Decimal) -> None:
        held = self._held
        what = f"{held.side.value} {qty} {short_symbol(held.symbol)} on {held.venue}"
        try:
            answer = await self._app.commands.resize(held, qty)
        except KillcordError as error:
            self._sending = False
            self._answer = (Cell(" UNKNOWN ", "alarm"), Cell(f" {clean(error)}; look at orders"))
        else:
            if answer.ok:
                self._app.say(answer_line(what, answer))
                self.dismiss(None)
                return
            self._sending = False
            self._answer = answer_line("refused", answer)
        self._show()
