"""Entries that wait for a person, where the configuration asks for one.

The gate is asked twice: an order it refuses is never put before anybody, and what a person approves
is judged anew, with the prices and exposures of that moment. Exits and stops never wait. A restart
forgets what waited: nothing that was decided before it is sent after it.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from core.clock import SECOND
from core.engine.slot import Slot
from core.engine.world import World
from core.model.order import Order
from core.model.record import SignalAnswered, SignalHeld
from core.model.snapshot import HeldView
from core.risk.codes import Code

_OUTCOME = {
    "rejected": Code.NOT_APPROVED,
    "expired": Code.APPROVAL_EXPIRED,
    "withdrawn": Code.NOT_APPROVED,
}


class Waiting(Struct, frozen=True, gc=False):
    """An entry as it was drafted; ``expires`` in nanoseconds UTC."""

    order: Order
    price: Decimal
    expires: int


class Confirmation:
    """Holds entries back until somebody answers, at most one an instrument."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._patience = int(world.config.confirm_within * SECOND)
        self.on = world.config.confirm_signals
        self.waiting: dict[tuple[str, str], Waiting] = {}
        """By venue and symbol."""

    def hold(self, slot: Slot, order: Order, price: Decimal) -> str:
        """Keep an entry that the gate would let through; return the code that says so."""
        world = self._world
        expires = world.now + self._patience
        self.waiting[slot.key] = Waiting(order, price, expires)
        world.pending = True
        world.record(SignalHeld(order, price, expires))
        return Code.AWAITING_APPROVAL

    def find(self, client_id: str) -> Waiting | None:
        """Return what waits under an id."""
        return next((w for w in self.waiting.values() if w.order.client_id == client_id), None)

    def end(self, key: tuple[str, str], verdict: str, actor: str) -> None:
        """Let a waiting entry go.

        Args:
            verdict: ``approved``, ``rejected``, ``expired`` or ``withdrawn``.
            actor: whose word it was.
        """
        world = self._world
        order = self.waiting.pop(key).order
        world.record(
            SignalAnswered(order.client_id, order.venue, order.symbol, verdict, actor, world.now)
        )
        if verdict in _OUTCOME:
            world.slots[key].outcome = _OUTCOME[verdict]

    def withdraw(self, slot: Slot, actor: str) -> None:
        """Let go what waits here: whoever wanted it wants something else now."""
        if slot.key in self.waiting:
            self.end(slot.key, "withdrawn", actor)

    def forget(self, actor: str) -> None:
        """Let everything go: the desk no longer opens risk."""
        for key in tuple(self.waiting):
            self.end(key, "withdrawn", actor)

    def beat(self) -> None:
        """Let go what nobody answered in time."""
        now = self._world.now
        for key, waiting in tuple(self.waiting.items()):
            if now >= waiting.expires:
                self.end(key, "expired", "engine")

    def draft(self, waiting: Waiting, qty: Decimal | None) -> Order:
        """Return the order to send now, of another size where one was named."""
        order = waiting.order
        return replace(order, qty=order.qty if qty is None else qty, created=self._world.now)

    def view(self) -> tuple[HeldView, ...]:
        """Return what waits, the one that expires first on top."""
        held = sorted(self.waiting.values(), key=lambda waiting: waiting.expires)
        return tuple(_view(self._world.slots[w.order.venue, w.order.symbol], w) for w in held)


def _view(slot: Slot, waiting: Waiting) -> HeldView:
    order = waiting.order
    return HeldView(
        order.client_id,
        order.venue,
        order.symbol,
        order.side,
        order.qty,
        waiting.price,
        order.strategy,
        slot.signal.reason if slot.signal is not None else "",
        order.created,
        waiting.expires,
    )
