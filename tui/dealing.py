"""What the trading keys do: the kill cord, arming, orders, positions, signals."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, ClassVar

from textual.app import App
from textual.screen import ModalScreen, Screen

from core.errors import KillcordError
from core.model.event import KillMode, Verdict
from core.model.order import OrderKind
from core.model.snapshot import OrderView, PositionView, Snapshot
from tui import bindings
from tui.client import DeskClient
from tui.commands import Commands
from tui.cursor import Cursor
from tui.keymap import KEYS, Key
from tui.text import clean
from tui.views.learning import MODELS, view_learning
from tui.views.table import Cell, Line, ticks

PROGRESS_S = 1.0
"""From when on the seconds are counted that the desk takes to answer."""
SAY_S = 6.0
"""How long an answer covers the footer, seconds."""


class DealingApp(App[str], inherit_bindings=False):
    """Turns keys into commands for the desk, and says what became of them.

    Args:
        client: the way to the desk.
        actor: who gives the commands.
        keys: the keymap in use.
    """

    BINDINGS: ClassVar[list[Any]] = bindings.bindings(KEYS)

    def __init__(self, client: DeskClient, actor: str, keys: tuple[Key, ...]) -> None:
        super().__init__()
        self.client = client
        self.keys = keys
        self.commands = Commands(client, actor, self.say)
        self.said: Line = ()
        self._said_at = 0.0

    def frame(self) -> None:
        """Paint what changed. For the subclass."""
        raise NotImplementedError

    @property
    def cursor(self) -> Cursor | None:
        """What the keys would act on; None before the first picture. For the subclass."""
        raise NotImplementedError

    def expect_order(self, client_id: str) -> None:
        """Pick an order as soon as it is shown. For the subclass."""
        raise NotImplementedError

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest picture of the desk."""
        return self.client.latest

    @property
    def in_dialog(self) -> bool:
        """Whether a dialog or the palette is open."""
        return isinstance(self.screen, ModalScreen)

    def say(self, line: Line) -> None:
        """Show one line in place of the footer for a few seconds."""
        self.said = line
        self._said_at = time.monotonic()

    @property
    def saying(self) -> Line:
        """What is being said now; empty after a few seconds."""
        waiting = self.commands.waiting
        if waiting is not None and waiting[1] > PROGRESS_S:
            return (Cell(f" {clean(waiting[0])} … {waiting[1]:.0f} s", "warn"),)
        return self.said if time.monotonic() - self._said_at < SAY_S else ()

    # --- kill cord ----------------------------------------------------------------------------

    def action_kill(self) -> None:
        """Halt and cancel: first press, no question."""
        self._kill(KillMode.CANCEL)

    def action_flatten(self) -> None:
        """Close everything: a second, different key."""
        self._kill(KillMode.FLATTEN)

    # The banner must not wait for the next frame: the eye looks for it at once.
    def _kill(self, mode: KillMode) -> None:
        self.start(self.commands.kill(mode))
        self.bell()
        self.call_later(self.frame)

    def action_resume(self) -> None:
        """Ask for the word, then release the latch."""
        from tui.screens.typed import TypedScreen

        text = "Releases the latch. The desk becomes DISARMED: it does not trade until armed."
        self._ask(TypedScreen("resume", text), self.commands.resume)

    def action_arm(self) -> None:
        """Ask for the word, then arm."""
        from tui.screens.typed import TypedScreen, arm_text

        if self.snapshot is not None:
            self._ask(TypedScreen("arm", arm_text(self.snapshot)), self.commands.arm)

    def action_disarm(self) -> None:
        """Disarm, without a question: it only reduces risk."""
        self.start(self.commands.disarm())

    # --- positions ----------------------------------------------------------------------------

    def action_close(self) -> None:
        """Close the position under the cursor."""
        self._close(Decimal(1))

    def action_halve(self) -> None:
        """Close half of the position under the cursor."""
        self._close(Decimal("0.5"))

    def _close(self, fraction: Decimal) -> None:
        if self.cursor is not None and (position := self.cursor.position()) is not None:
            self.start(self.commands.close(position.venue, position.symbol, fraction))

    def action_move_stop(self) -> None:
        """Ask where the stop of the position under the cursor should be."""
        if self.cursor is not None and (position := self.cursor.position()) is not None:
            self._move_stop(self.cursor.snapshot, position)

    def _move_stop(self, snapshot: Snapshot, position: PositionView) -> None:
        from tui.screens.stop import StopScreen

        if not self.in_dialog:
            tick = ticks(snapshot).get((position.venue, position.symbol))
            self.push_screen(StopScreen(position, tick))

    # --- orders -------------------------------------------------------------------------------

    def action_ticket(self, side: str) -> None:
        """Open the order ticket."""
        from tui.screens.ticket import TicketScreen

        if self.cursor is not None and not self.in_dialog:
            venue, symbol = self.cursor.market()
            self.push_screen(TicketScreen(side, venue, symbol))

    def action_amend(self) -> None:
        """Open the ticket on the order under the cursor, to replace it; a stop is moved."""
        from tui.screens.ticket import TicketScreen

        cursor = self.cursor
        if cursor is None or self.in_dialog or (order := cursor.order()) is None:
            return
        if not order.client_id:
            self._warn("no client id: amend it at the venue")
        elif (position := _protected(cursor.snapshot, order)) is not None:
            self._move_stop(cursor.snapshot, position)
        else:
            self.push_screen(TicketScreen(order.side.value, order.venue, order.symbol, order))

    def action_cancel(self) -> None:
        """Cancel the order under the cursor."""
        if self.cursor is None or (order := self.cursor.order()) is None:
            return
        if order.client_id:
            self.start(self.commands.cancel(order.client_id, order.venue, order.symbol))
        else:
            self._warn("no client id: cancel it at the venue")

    def action_cancel_symbol(self) -> None:
        """Cancel all entries in the symbol under the cursor."""
        if self.cursor is not None and (symbol := self.cursor.symbol()):
            self.start(self.commands.cancel_symbol(symbol))

    def action_pause(self) -> None:
        """Pause the symbol under the cursor, or let it go on."""
        if self.cursor is None or not (symbol := self.cursor.symbol()):
            return
        paused = any(m.paused for m in self.cursor.snapshot.markets if m.symbol == symbol)
        self.start(self.commands.pause(symbol, not paused))

    # --- signals ------------------------------------------------------------------------------

    def action_approve(self) -> None:
        """Send the entry that waits under the cursor."""
        if self.cursor is not None and (held := self.cursor.held()) is not None:
            self.start(self.commands.answer(held, Verdict.APPROVE))

    def action_reject(self) -> None:
        """Let the entry that waits under the cursor go."""
        if self.cursor is not None and (held := self.cursor.held()) is not None:
            self.start(self.commands.answer(held, Verdict.REJECT))

    def action_resize(self) -> None:
        """Ask for another size of the entry that waits under the cursor."""
        from tui.screens.resize import ResizeScreen

        cursor = self.cursor
        if cursor is not None and (held := cursor.held()) is not None and not self.in_dialog:
            self.push_screen(ResizeScreen(held))

    def action_why(self) -> None:
        """Show what the signal, order or model under the cursor rests on."""
        if self.cursor is None or self.in_dialog or not (name := self.cursor.decision()):
            return
        if name == MODELS and self.snapshot is not None and self.snapshot.learning is not None:
            from tui.screens.why import WhyScreen

            lines = view_learning(self.snapshot.learning, self.snapshot.ts)
            self.push_screen(WhyScreen(lines))
        elif name != MODELS:
            self.start(self._show_why(name))

    async def _show_why(self, name: str) -> None:
        from tui.screens.why import WhyScreen
        from tui.views.why import view_why

        try:
            found = await self.client.why(name)
        except KillcordError as error:
            self._warn(clean(error))
            return
        if not self.in_dialog:
            self.push_screen(WhyScreen(view_why(found)))

    # --- asking -------------------------------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time."""
        self.run_worker(work, exit_on_error=True)

    def _warn(self, text: str) -> None:
        self.say((Cell(" ! ", "warn"), Cell(text, "warn")))

    def _ask(self, screen: Screen[bool], then: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.start(then())

        if not self.in_dialog:
            self.push_screen(screen, answered)


def _protected(snapshot: Snapshot, order: OrderView) -> PositionView | None:
    """Return the position whose protective stop an order is."""
    if order.kind is not OrderKind.STOP:
        return None
    return next(
        (
            p
            for p in snapshot.positions
            if (p.venue, p.symbol, p.stop) == (order.venue, order.symbol, order.trigger)
        ),
        None,
    )
