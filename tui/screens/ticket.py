"""The order ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from core.errors import KillcordError
from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.snapshot import Snapshot
from tui import numbers
from tui.commands import Ticket, answer_line
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.views.table import Cell, Line
from tui.views.ticket import quote_of, view_meaning, view_quote
from tui.widgets.choice import Choice
from tui.widgets.lines import RaisedLines

if TYPE_CHECKING:
    from tui.actions import ActingApp


class TicketScreen(Dialog[None]):
    """Fills in an order and sends it; stays open when the desk refuses, with the reason.

    Args:
        side: ``buy`` or ``sell``.
        venue, symbol: what the cursor was on; may be empty.
    """

    BINDINGS: ClassVar[list[Any]] = [
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Field before", show=False),
        Binding("enter", "send", "Send"),
    ]

    def __init__(self, side: str, venue: str, symbol: str) -> None:
        super().__init__()
        self._side, self._venue, self._symbol = side, venue, symbol
        self._sending = False
        self._names: dict[str, str] = {}

    @property
    def _app(self) -> ActingApp:
        return cast("ActingApp", self.app)

    @property
    def _snapshot(self) -> Snapshot:
        snapshot = self._app.snapshot
        assert snapshot is not None, "the ticket opens only on a snapshot"
        return snapshot

    def compose(self) -> ComposeResult:
        """Place the fields."""
        snapshot = self._snapshot
        venues = [clean(v.venue) for v in snapshot.venues]
        self._names = {clean(short_symbol(m.symbol)): m.symbol for m in snapshot.markets}
        with Vertical(id="box") as box:
            box.border_title = "order"
            yield _field("side", Choice("side", ("buy", "sell"), self._side))
            yield _field("symbol", Choice("symbol", tuple(self._names), short_symbol(self._symbol)))
            yield _field("venue", Choice("venue", venues, self._venue))
            yield _field("type", Choice("kind", Ticket.KINDS))
            yield _field("quantity", Input(id="qty", placeholder="base units, e.g. 0.01"))
            yield _field("price", Input(id="price", placeholder="not needed for market"))
            yield _field(
                "stop at", Input(id="stop", placeholder="empty: the desk's default distance")
            )
            yield _field("reduce only", Choice("reduce", ("no", "yes")))
            yield RaisedLines("meaning", fixed=4)
            yield Static(
                "↑ ↓ fields · ← → choices · enter sends · esc goes back",
                classes="hint",
                markup=False,
            )

    def on_mount(self) -> None:
        """Start at the quantity and keep the prices moving."""
        self.query_one("#qty").focus()
        self._show()
        self.set_interval(0.5, self._show)

    @on(Input.Changed)
    @on(Choice.Changed)
    def _show(self) -> None:
        if self._sending:
            return
        snapshot, symbol = self._snapshot, self._names.get(self._choice("symbol"), "")
        quote = quote_of(snapshot, self._choice("venue"), symbol)
        kind = self._choice("kind")
        price = self.query_one("#price", Input)
        price.disabled = kind == "market"
        lines: list[Line] = [(), view_quote(quote)]
        try:
            ticket = self._ticket()
        except ValueError as error:
            # While it is being filled in, say what is missing only once something was typed.
            typed = self.query_one("#qty", Input).value
            lines.append((Cell(str(error), "dim"),) if typed else ())
        else:
            lines.extend(
                view_meaning(snapshot, ticket.venue, symbol, ticket.side, ticket.qty, ticket.price)
            )
        self.query_one("#meaning", RaisedLines).show(tuple(lines))

    def _choice(self, name: str) -> str:
        return self.query_one(f"#{name}", Choice).value

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _ticket(self) -> Ticket:
        return Ticket(
            self._choice("venue"),
            self._names.get(self._choice("symbol"), ""),
            Side(self._choice("side")),
            kind=self._choice("kind"),
            qty=self._text("qty"),
            price=self._text("price"),
            stop=self._text("stop"),
            reduce_only=self._choice("reduce") == "yes",
        )

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_send()

    def action_send(self) -> None:
        """Send the order, once."""
        if self._sending:
            return
        try:
            ticket = self._ticket()
        except ValueError as error:
            self._answer((Cell(" ✗ ", "warn"), Cell(str(error), "warn")))
            return
        self._sending = True
        self._answer((Cell(" … ", "dim"), Cell("sent, waiting for the desk")))
        self.run_worker(self._send(ticket))

    async def _send(self, ticket: Ticket) -> None:
        base = short_symbol(ticket.symbol)
        what = f"{ticket.side.value} {numbers.quantity(ticket.qty)} {base} on {ticket.venue}"
        answer = await self._app.commands.submit(ticket)
        if isinstance(answer, KillcordError):
            # The request may have arrived: nothing here may say that it failed.
            line: Line = (
                Cell(" UNKNOWN ", "alarm"),
                Cell(f" {what}: {clean(answer)}; look at the orders"),
            )
            self._app.say(line)
            self._answer(line)
        elif answer.ok:
            self._app.say(answer_line(what, answer))
            self.dismiss(None)
        else:
            self._sending = False
            self._answer(answer_line(what, answer))

    def _answer(self, line: Line) -> None:
        lines = self.query_one("#meaning", RaisedLines)
        shown = [*lines.lines, (), (), (), ()][:4]
        lines.show((*shown[:2], line, ()))


def _field(label: str, widget: Widget) -> Horizontal:
    return Horizontal(Static(label, classes="label", markup=False), widget, classes="field")
