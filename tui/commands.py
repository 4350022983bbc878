"""What a person can ask of the desk. One method a wish; each tells how it went.

No Textual here: the terminal gives three callbacks and shows what they say.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

from core.errors import KillcordError, NoDesk
from core.model.effect import Answer
from core.model.event import (
    AnswerSignal,
    Arm,
    Cancel,
    Close,
    Command,
    Disarm,
    Kill,
    KillMode,
    MoveStop,
    Pause,
    Resume,
    Submit,
    Verdict,
)
from core.model.instrument import LARGEST
from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from core.model.snapshot import HeldView, OrderView
from tui.client import DeskClient
from tui.text import clean
from tui.views.banner import WINDOW_S, Pull
from tui.views.table import Cell, Line

Say = Callable[[Line], None]
"""Shows one line of answer to the person."""

PATIENCE_S = 10.0
"""How long the kill cord keeps trying to reach the desk, seconds."""
KILL_TIMEOUT_S = 3.0
CANCEL_S = 5.0
"""How long a replacement waits for the venue's word on the cancel, seconds."""
REPEAT_S = 1.0
"""How long the same wish is not sent again, seconds."""


def new_request() -> str:
    """Return an id for a request, so that its answer can be told from others."""
    return uuid4().hex[:12]


class Commands:
    """Sends commands and reports the answers.

    Args:
        client: the way to the desk.
        actor: who asks; stands in the desk's journal.
        say: shows a line.
    """

    def __init__(self, client: DeskClient, actor: str, say: Say) -> None:
        self.client = client
        self.actor = actor
        self.pull: Pull | None = None
        """The last pull of the kill cord by this terminal."""
        self._say = say
        self._asked: dict[str, float] = {}
        self._since: dict[str, float] = {}

    @property
    def waiting(self) -> tuple[str, float] | None:
        """What has been waited for longest, and for how many seconds; None when nothing is."""
        if not self._since:
            return None
        wish, since = next(iter(self._since.items()))
        return wish, time.monotonic() - since

    @property
    def flatten_open(self) -> bool:
        """Whether the flatten key works now: within the window after this terminal's own pull."""
        pull = self.pull
        return (
            pull is not None
            and pull.mode is KillMode.CANCEL
            and time.monotonic() - pull.at <= WINDOW_S
        )

    async def kill(self, mode: KillMode) -> None:
        """Pull the kill cord; keep trying for ten seconds where the desk does not answer.

        Repeating is harmless: the kill is idempotent and can only reduce risk.
        """
        mine = self.pull = Pull(mode, time.monotonic())
        command = Kill(mode=mode, actor=self.actor, cause="kill key", received=0)
        while True:
            try:
                answer = await self.client.send(command, timeout=KILL_TIMEOUT_S)
            except KillcordError as error:
                if self.pull is not mine:
                    return
                if isinstance(error, NoDesk) and self._replaying():
                    self.pull = None
                    self._say((Cell(" no desk is running: there is nothing to stop", "warn"),))
                    return
                self.pull = mine = mine._replace(error=str(error))
            else:
                if self.pull is mine:
                    self.pull = mine._replace(delivered=True, error="")
                if not answer.ok:
                    self._tell("kill", answer)
                elif self._replaying():
                    self._say((Cell(" ✓ ", "up"), Cell("the running desk is halted", "alarm")))
                return
            if time.monotonic() - mine.at > PATIENCE_S:
                return
            await asyncio.sleep(0.25)

    def _replaying(self) -> bool:
        picture = self.client.latest
        return picture is not None and picture.replay is not None

    async def arm(self) -> None:
        """Allow opening risk."""
        await self._ask("arm", Arm(self.actor, 0))

    async def disarm(self) -> None:
        """Stop opening risk."""
        await self._ask("disarm", Disarm(self.actor, 0))

    async def resume(self) -> None:
        """Release the latch."""
        if (await self._ask("resume", Resume(self.actor, 0))) is not None:
            self.pull = None

    async def pause(self, symbol: str, on: bool) -> None:
        """Stop, or let again, strategies opening risk in a symbol."""
        base = symbol.partition("/")[0]
        await self._ask(
            f"{'pause' if on else 'go on with'} {base}", Pause(self.actor, symbol, on, 0)
        )

    async def cancel(self, client_id: str, venue: str, symbol: str) -> None:
        """Cancel one order."""
        command = Cancel(new_request(), self.actor, 0, client_id, venue, symbol)
        await self._ask(f"cancel {client_id}", command)

    async def close(self, venue: str, symbol: str, fraction: Decimal = Decimal(1)) -> None:
        """Close one position, or a part of it."""
        command = Close(new_request(), self.actor, 0, venue, symbol, fraction)
        word = "close" if fraction == 1 else f"close {fraction:.0%} of"
        await self._ask(f"{word} {symbol.partition('/')[0]} on {venue}", command)

    async def cancel_symbol(self, symbol: str) -> None:
        """Cancel every entry in a symbol, on all venues; protective stops stay."""
        command = Cancel(new_request(), self.actor, 0, symbol=symbol)
        await self._ask(f"cancel all {symbol.partition('/')[0]}", command)

    async def move_stop(self, venue: str, symbol: str, price: Decimal) -> Answer:
        """Move the protective stop of a position; the caller shows what comes back.

        Raises:
            NoDesk, KillcordError: as ``tui.client.send``.
        """
        command = MoveStop(new_request(), self.actor, venue, symbol, price, 0)
        return await self.client.send(command)

    async def submit(self, ticket: Ticket) -> Answer | KillcordError:
        """Send an order; the caller shows what comes back."""
        try:
            return await self.client.send(ticket.command(self.actor))
        except KillcordError as error:
            return error

    async def answer(self, held: HeldView, verdict: Verdict) -> None:
        """Approve or reject an entry that waits."""
        command = AnswerSignal(new_request(), self.actor, 0, held.client_id, verdict)
        await self._ask(f"{verdict.value} {_entry(held)}", command)

    async def resize(self, held: HeldView, qty: Decimal) -> Answer:
        """Approve an entry in another size; the caller shows what comes back.

        Raises:
            NoDesk, KillcordError: as ``tui.client.send``.
        """
        command = AnswerSignal(new_request(), self.actor, 0, held.client_id, Verdict.APPROVE, qty)
        return await self.client.send(command)

    async def replace(self, order: OrderView, ticket: Ticket) -> Answer | KillcordError:
        """Cancel an order, and place another once the venue says that it is gone.

        Nothing new is sent when the cancel is not confirmed in time, or when the old order was
        filled further meanwhile: the position would not be the one that was asked for.
        """
        cancel = Cancel(new_request(), self.actor, 0, order.client_id, order.venue, order.symbol)
        try:
            answer = await self.client.send(cancel)
        except KillcordError as error:
            return error
        if not answer.ok:
            return answer
        left = await self._gone(order.client_id)
        if left is None:
            return Answer("", False, "NOT_REPLACED", "cancel not confirmed; nothing was sent")
        if left.filled != order.filled:
            more = left.filled - order.filled
            detail = f"{more} was filled meanwhile; nothing was sent"
            return Answer("", False, "NOT_REPLACED", detail)
        return await self.submit(ticket)

    async def _gone(self, client_id: str) -> OrderView | None:
        """Wait until an order has ended; None when it has not within the patience."""
        deadline = time.monotonic() + CANCEL_S
        while time.monotonic() < deadline:
            orders = self.client.latest.orders if self.client.latest is not None else ()
            order = next((o for o in orders if o.client_id == client_id), None)
            if order is not None and order.status.terminal:
                return order
            await asyncio.sleep(0.05)
        return None

    # The same wish is not sent again while its answer is out, nor within a second of it: a key that
    # is held down repeats thirty times a second.
    async def _ask(self, wish: str, command: Command) -> Answer | None:
        if time.monotonic() < self._asked.get(wish, 0.0):
            return None
        self._asked[wish] = math.inf
        self._since[wish] = time.monotonic()
        self._say((Cell(f" {clean(wish)} …", "dim"),))
        try:
            answer = await self.client.send(command)
        except KillcordError as error:
            self._say((Cell(" ! ", "alarm"), Cell(f" {clean(wish)}: {clean(error)}", "warn")))
            return None
        finally:
            del self._since[wish]
            self._asked[wish] = time.monotonic() + REPEAT_S
        self._tell(wish, answer)
        return answer if answer.ok else None

    def _tell(self, wish: str, answer: Answer) -> None:
        self._say(answer_line(wish, answer))


def _entry(held: HeldView) -> str:
    return f"{held.side.value} {held.qty} {held.symbol.partition('/')[0]} on {held.venue}"


def answer_line(wish: str, answer: Answer) -> Line:
    """Write the desk's answer as a line: what was asked, yes or no with the code, and why."""
    detail = clean(answer.detail)
    if answer.ok:
        ids = " ".join(clean(name, 24) for name in answer.client_ids[:3])
        text = " · ".join(part for part in (detail, ids) if part) or "done"
        return (Cell(" ✓ ", "up"), Cell(f"{clean(wish)}: {text}"))
    return (
        Cell(" ✗ ", "warn"),
        Cell(f"{clean(wish)}: "),
        Cell(clean(answer.code, 40), "warn"),
        Cell(f" {detail}"),
    )


class Ticket:
    """An order as a person filled it in.

    Args:
        venue, symbol, side: what and where.
        kind: ``market``, ``limit``, ``post-only`` or ``stop``.
        qty: base units, as typed.
        price: limit or trigger price, as typed; empty for market.
        stop: protective stop price, as typed; empty for the desk's default.
        reduce_only: only make a position smaller.

    Raises:
        ValueError: with a text for the person.
    """

    KINDS = ("market", "limit", "post-only", "stop")

    def __init__(
        self,
        venue: str,
        symbol: str,
        side: Side,
        *,
        kind: str,
        qty: str,
        price: str = "",
        stop: str = "",
        reduce_only: bool = False,
    ) -> None:
        self.venue, self.symbol, self.side, self.kind = venue, symbol, side, kind
        self.qty = positive(qty, "quantity")
        if kind == "market" and price.strip():
            raise ValueError("price: a market order has none; choose limit, or leave it empty")
        self.price = positive(price, "price") if kind != "market" else None
        self.stop = positive(stop, "stop") if stop.strip() else None
        self.reduce_only = reduce_only

    def command(self, actor: str) -> Submit:
        """Return the command for the desk."""
        stop_order = self.kind == "stop"
        return Submit(
            request=new_request(),
            actor=actor,
            venue=self.venue,
            symbol=self.symbol,
            side=self.side,
            qty=self.qty,
            received=0,
            kind={"market": OrderKind.MARKET, "stop": OrderKind.STOP}.get(
                self.kind, OrderKind.LIMIT
            ),
            price=None if stop_order else self.price,
            trigger=self.price if stop_order else None,
            tif=TimeInForce.POST_ONLY if self.kind == "post-only" else TimeInForce.GTC,
            reduce_only=self.reduce_only or stop_order,
            stop=self.stop,
        )


def positive(text: str, what: str) -> Decimal:
    """Read a positive number; thousands separators may be there.

    Raises:
        ValueError: it is not one; the text says what was expected.
    """
    try:
        value = Decimal(text.replace(",", "").replace("_", "").strip())
    except ArithmeticError:
        value = Decimal(0)
    if not value.is_finite() or not 0 < value < LARGEST:
        raise ValueError(f"{what}: expected a number above 0, was {clean(text, 20) or 'empty'}")
    return value
