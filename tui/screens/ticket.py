"""The order ticket."""

from __future__ import annotations

import time
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar, cast

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from core.errors import KillcordError
from core.model.event import Submit
from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.order import OrderKind
from core.model.snapshot import OrderView, Snapshot
from core.model.whatif import WhatIf
from tui import numbers
from tui.commands import Ticket, answer_line
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.views.table import Cell, Line, Tone
from tui.views.ticket import quote_of, view_quote, view_whatif
from tui.widgets.choice import Choice
from tui.widgets.lines import RaisedLines

if TYPE_CHECKING:
    from tui.dealing import DealingApp

MEANING = 9
"""Lines for what the order would do and for the answer."""
WEIGH_S = 1.0
"""How old the desk's answer to the same question may grow, seconds."""
LOOK_S = 0.4
"""Enter is not taken before, seconds: keys that came in one burst, over a slow link or pasted, may
have lost digits while the ticket opened."""


class TicketScreen(Dialog[None]):
    """Fills in an order and sends it; stays open when the desk refuses, with the reason.

    Args:
        side: ``buy`` or ``sell``.
        venue, symbol: what the cursor was on; may be empty.
        replaces: the order that is cancelled first.
    """

    BINDINGS: ClassVar[list[Any]] = [
        # With priority, or letters typed right after an arrow would still go to the field before:
        # the app hands keys to the focused field's queue, and an arrow would wait in that queue.
        Binding("down,tab", "app.focus_next", "Next field", show=False, priority=True),
        Binding("up,shift+tab", "app.focus_previous", "Field before", show=False, priority=True),
        Binding("enter", "send", "Send"),
    ]

    def __init__(
        self, side: str, venue: str, symbol: str, replaces: OrderView | None = None
    ) -> None:
        super().__init__()
        self._side, self._venue, self._symbol = side, venue, symbol
        self._replaces = replaces
        self._sending = False
        self._verdict: tuple[Line, ...] = ()
        self._opened = time.monotonic()
        self._names: dict[str, str] = {}
        self._weighed: tuple[Submit, WhatIf | KillcordError] | None = None
        """The desk's last answer to what-if, and what it was asked."""
        self._asked: Submit | None = None
        self._asked_at = 0.0

    @property
    def _app(self) -> DealingApp:
        return cast("DealingApp", self.app)

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
            box.border_title = "order" if self._replaces is None else "replace an order"
            yield _field("side", Choice("side", ("buy", "sell"), self._side))
            yield _field("symbol", Choice("symbol", tuple(self._names), short_symbol(self._symbol)))
            yield _field("venue", Choice("venue", venues, self._venue))
            kind, qty, price, reduce = _filled_in(self._replaces)
            yield _field("type", Choice("kind", Ticket.KINDS, kind))
            yield _field("quantity", Input(qty, id="qty", placeholder="base units, e.g. 0.01"))
            yield _field(
                "price", Input(price, id="price", placeholder="limit or trigger; none for market")
            )
            yield _field(
                "stop at", Input(id="stop", placeholder="empty: the desk's default distance")
            )
            yield _field("reduce only", Choice("reduce", ("no", "yes"), reduce))
            yield RaisedLines("meaning", fixed=MEANING)
            sends = "sends" if self._replaces is None else "replaces the old one"
            yield Static(
                f"↑ ↓ fields · ← → choices · enter {sends} · esc goes back",
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
    def _edited(self) -> None:
        self._verdict = ()
        self._show()

    def _show(self) -> None:
        if not self._open:
            return
        snapshot, symbol = self._snapshot, self._names.get(self._choice("symbol"), "")
        quote = quote_of(snapshot, self._choice("venue"), symbol)
        lines: list[Line] = [view_quote(quote)]
        try:
            order = self._question()
        except ValueError as error:
            # While it is being filled in, say what is missing only once something was typed.
            typed = self._text("qty")
            lines += [(Cell(str(error), "dim"),) if typed and not self._verdict else (), ()]
        else:
            self._weigh(order)
            lines += self._meaning(snapshot, order)
        # An answer stands on the last two lines, over the checks it rests on.
        room = MEANING - len(self._verdict)
        self.query_one("#meaning", RaisedLines).show(
            (*lines[:room], *((),) * (room - len(lines)), *self._verdict)
        )

    # Answers come when they come, also while the ticket is being taken down.
    @property
    def _open(self) -> bool:
        return bool(self.query("#meaning")) and bool(self.query("#symbol"))

    def _meaning(self, snapshot: Snapshot, order: Submit) -> tuple[Line, ...]:
        if self._weighed is None or self._weighed[0] != order:
            return ((Cell("asking the desk …", "dim"),),)
        found = self._weighed[1]
        if isinstance(found, KillcordError):
            return ((Cell(clean(found), "warn"),),)
        return view_whatif(found, snapshot, order)

    # The request id differs with every command; a question has none.
    def _question(self) -> Submit:
        return replace(self._ticket().command(self._app.commands.actor), request="")

    def _weigh(self, order: Submit) -> None:
        now = time.monotonic()
        if order == self._asked and now - self._asked_at < WEIGH_S:
            return
        self._asked, self._asked_at = order, now
        self.run_worker(self._ask(order), exclusive=True, group="what-if")

    async def _ask(self, order: Submit) -> None:
        try:
            found: WhatIf | KillcordError = await self._app.client.weigh(order)
        except KillcordError as error:
            found = error
        self._weighed = (order, found)
        self._show()

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
        if time.monotonic() - self._opened < LOOK_S:
            self._answer((Cell(" ! ", "warn"), Cell("look at it first, then press enter again")))
            return
        if any(field.message_queue_size for field in self.query(Input)):
            # Keys typed before enter are still on their way into a field.
            self.set_timer(0.01, self.action_send)
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
        commands, old = self._app.commands, self._replaces
        if old is None:
            answer = await commands.submit(ticket)
        else:
            answer = await commands.replace(old, ticket)
        if isinstance(answer, KillcordError):
            # The request may have arrived: nothing here may say that it failed.
            line: Line = (
                Cell(" UNKNOWN ", "alarm"),
                Cell(f" {what}: {clean(answer)}; look at the orders"),
            )
            self._app.say(line)
            self._answer(line)
        elif answer.ok:
            if old is not None and answer.client_ids:
                self._app.expect_order(answer.client_ids[0])
            self._app.say(answer_line(what, answer))
            self.dismiss(None)
        else:
            self._sending = False
            self._answer(answer_line(what, answer))

    # Stays until something is edited. The first cell is the mark; the rest may take two lines.
    def _answer(self, line: Line) -> None:
        if not self._open:
            self._app.say(line)
            return
        mark, *rest = line
        tone: Tone = next((cell.tone for cell in rest if cell.tone), "")
        room = max(20, self.query_one("#meaning").size.width - len(mark.text) - 1)
        words = wrap("".join(cell.text for cell in rest), room)[:2]
        indent = Cell(" " * len(mark.text))
        self._verdict = tuple(
            (mark if at == 0 else indent, Cell(text, tone)) for at, text in enumerate(words)
        )
        self._show()


def _filled_in(order: OrderView | None) -> tuple[str, str, str, str]:
    """Return type, quantity, price and reduce-only as the fields show them at first."""
    if order is None:
        return "market", "", "", "no"
    stop = order.kind is OrderKind.STOP
    price = order.trigger if stop else order.price
    return (
        "stop" if stop else "limit",
        numbers.quantity(order.qty - order.filled).replace(",", ""),
        "" if price is None else str(price),
        "yes" if order.reduce_only else "no",
    )


def _field(label: str, widget: Widget) -> Horizontal:
    return Horizontal(Static(label, classes="label", markup=False), widget, classes="field")
