"""What must hold at every moment, in one place; a breach closes the gate.

Some are asserted where the act happens, by code that cannot go on without them; the others are
looked at once a second while the desk runs (``Invariants``). The simulation judges the same ones
from outside, with the venues' books in hand (``tests/simulation``).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from core.clock import SECOND
from core.engine.slot import Slot
from core.engine.world import World
from core.model.event import TradingState


class Invariant(Struct, frozen=True):
    """One of them."""

    code: str
    """What ``InvariantBroken`` calls a breach."""
    says: str
    asserted: str
    """Where, and when."""


INVARIANTS = (
    Invariant(
        "EFFECT_FAILED",
        "No order is sent before its intent is durable.",
        "pump: an order without the promise of its fsync cannot be handed over",
    ),
    Invariant(
        "GATE_PASSED",
        "Nothing that adds risk is sent while the desk is not armed.",
        "engine, when an order is made; pump and adapter ask again just before its first byte",
    ),
    Invariant(
        "LATCH_FORGOTTEN",
        "The engine is HALTED exactly when the journal says so.",
        "engine, every second",
    ),
    Invariant(
        "FILLED_FELL",
        "What is filled of an order never becomes less.",
        "engine, every second",
    ),
    Invariant(
        "ORDER_REOPENED",
        "An order that has ended stays ended.",
        "engine, every second",
    ),
    Invariant(
        "POSITION_SPLIT",
        "A position is the sum of its fills in the ledger, and nothing else holds another.",
        "engine, every second; against the venue in every sweep",
    ),
    Invariant(
        "POSITION_NAKED",
        "A position of ours has a working stop, or is being closed.",
        "engine: closed after limits.unprotected, a breach a minute later",
    ),
    Invariant(
        "INTENT_MISSING",
        "An order at a venue that bears our signature has its intent in our journal.",
        "engine, every second: else a second desk trades with our identity, or orders were lost",
    ),
    Invariant(
        "JOURNAL_FAILED",
        "Every record of the journal is on the disk, chained to the one before.",
        "journal, at each write; the chain at every start and by killcord verify",
    ),
    Invariant(
        "ENGINE_FAILED",
        "Every event gets a decision.",
        "pump: a decision that raised is a breach",
    ),
    Invariant(
        "TASK_DIED",
        "Every task that safety rests on is running.",
        "supervisor and bulkheads",
    ),
    Invariant(
        "CLOCK_JUMPED",
        "Time passes evenly: the wall clock and the monotonic clock agree.",
        "desk, twice a second",
    ),
)

_HALTED = TradingState.HALTED
GRACE = 60 * SECOND
"""How long closing an unprotected position may take before it counts as a breach."""


class GatePassed(Exception):
    """An order that adds risk was about to be made while the desk is not armed."""


class Invariants:
    """Looks at the engine's state. Changes nothing, and tells each breach once while it lasts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._orders: dict[str, tuple[Decimal, bool]] = {}
        """Working orders: what was filled, and whether it had ended."""
        self._naked: dict[tuple[str, str], int] = {}
        self._told: set[tuple[str, str]] = set()

    def breaches(self) -> Iterator[tuple[str, str]]:
        """Look at everything; yield the code and the words of each new breach."""
        found = {*self._latch(), *self._follow_orders(), *self._positions(), *self._strays()}
        fresh = sorted(found - self._told)
        self._told = found
        yield from fresh

    def _latch(self) -> Iterator[tuple[str, str]]:
        world = self._world
        if (world.state is _HALTED) is not (world.ledger.state is _HALTED):
            yield "LATCH_FORGOTTEN", f"engine {world.state}, journal {world.ledger.state}"

    def _follow_orders(self) -> Iterator[tuple[str, str]]:
        before, now = self._orders, {}
        for client_id, order in self._world.ledger.working.items():
            now[client_id] = (order.filled, order.terminal)
            filled, ended = before.get(client_id, (order.filled, False))
            if order.filled < filled:
                yield "FILLED_FELL", f"{client_id}: {filled} became {order.filled}"
            if ended and not order.terminal:
                yield "ORDER_REOPENED", f"{client_id} is {order.status}"
        self._orders = now

    def _positions(self) -> Iterator[tuple[str, str]]:
        world, now = self._world, self._world.now
        naked = {}
        for slot in world.active.values():
            held = world.ledger.positions.get(slot.key)
            if held is not None and held.qty != slot.position.qty:
                yield "POSITION_SPLIT", f"{slot.key}: {slot.position.qty}, ledger {held.qty}"
            if self._is_naked(slot):
                since = naked[slot.key] = self._naked.get(slot.key, now)
                if now - since > world.limits.unprotected * SECOND + GRACE:
                    yield "POSITION_NAKED", f"{slot.venue} {slot.symbol} {slot.position.qty}"
        self._naked = naked

    def _strays(self) -> Iterator[tuple[str, str]]:
        ids = self._world.ids
        for venue in self._world.venues.values():
            for report in venue.foreign.values():
                if ids.read(report.client_id) is not None:
                    yield "INTENT_MISSING", f"{venue.name} {report.symbol} {report.client_id}"

    def _is_naked(self, slot: Slot) -> bool:
        venue = self._world.venues.get(slot.venue)
        ours = bool(slot.position.qty) and not slot.position.foreign
        return ours and venue is not None and not venue.killing and slot.cover() is None


def table() -> str:
    """Return them as a table for the documentation."""
    rows = [f"| {each.says} | `{each.code}` | {each.asserted} |" for each in INVARIANTS]
    head = ["| Invariant | A breach is told as | Asserted by |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])
