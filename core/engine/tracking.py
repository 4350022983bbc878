"""Following orders: what was sent, what the venue says, fills, and orders of unknown outcome."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from core.clock import MINUTE, SECOND
from core.engine.slot import Slot
from core.engine.venue import Venue
from core.engine.world import World
from core.model.effect import CancelOrder, QueryOrder
from core.model.order import (
    CancelSent,
    Fill,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    Outcome,
    Purpose,
)
from core.model.record import Resolved
from core.orders.machine import WorkingOrder
from core.risk.codes import Code

WINDOW = 18 * SECOND
"""After this an order that has not arrived never will: 3 s receive window, 15 s margin."""
_NO_ANSWER = 10 * SECOND
"""A submit request without any result for this long has an unknown outcome."""
_QUERY_FIRST = SECOND
_QUERY_MOST = 15 * SECOND
_LONG = 10 * MINUTE
"""After this a person is called to an order whose outcome is still unknown."""
_CANCEL_AGAIN = 5 * SECOND
_CANCEL_TRIES = 3
"""After so many requests a person is told; from then on it is asked more seldom:"""
_CANCEL_LOST = 10 * SECOND
"""where nobody answers, because a venue that was away may come back,"""
_CANCEL_REFUSED = 60 * SECOND
"""and where the venue refuses, because what keeps it from it may pass."""
_GAP = 2 * SECOND
"""How long fills may lag behind the venue's count before a sweep is asked for."""
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_ACCEPTED = Outcome.ACCEPTED
_LOST = Outcome.UNKNOWN
_REJECTED = Outcome.REJECTED
_STOP = OrderKind.STOP
_UNKNOWN = OrderStatus.UNKNOWN
_REFUSED = OrderStatus.REJECTED
_JOURNALED = OrderStatus.JOURNALED


class Doubt(Struct, gc=False):
    """An order that must be asked about."""

    since: int
    due: int
    wait: int
    absent: int = 0
    """When, after its window, the venue said it knows no such order; 0: it has not."""
    told: bool = False
    """Whether a person was called."""


class Cancelling(Struct, gc=False):
    """An order that is to be cancelled."""

    tries: int
    at: int
    """When the last request went out; 0 while it waits for the order to be acknowledged."""
    refused: bool = False
    """Whether the last answer was a refusal."""
    told: bool = False
    """Whether a person was told."""


class Tracking:
    """Merges every word about our orders, and keeps asking where there is none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.settle: Callable[[Slot], None] = _nothing
        """Told of each instrument whose orders or position changed."""
        self.in_flight: dict[str, int] = {}
        """Client id to when its submit request was handed out, until its result is known."""
        self.doubts: dict[str, Doubt] = {}
        self.cancels: dict[str, Cancelling] = {}
        self.gaps: dict[str, int] = {}
        """Client id to since when the venue counts more filled than we hold fills for."""

    # --- requests and their results -------------------------------------------------------------

    def cancel(self, order: WorkingOrder) -> None:
        """Ask for a cancel, once; it is repeated until the order is terminal."""
        client_id = order.order.client_id
        if client_id in self.cancels or order.terminal:
            return
        self.cancels[client_id] = Cancelling(0, 0)
        self._world.pending = True
        if order.status is not _JOURNALED:
            self._press(order)

    def sent(self, event: OrderSent) -> None:
        """Take the result of a submit request."""
        world = self._world
        client_id = event.client_id
        order = world.ledger.find(client_id)
        if order is None:
            return
        self.in_flight.pop(client_id, None)
        world.record(event)
        venue = world.venues[event.venue]
        outcome = event.outcome
        if outcome is _ACCEPTED:
            venue.rejects = 0
            if order.order.kind is not _STOP and event.client_id not in self.cancels:
                return  # an accepted entry or exit changes neither position nor protection
        elif outcome is _LOST:
            if order.status is _UNKNOWN:
                self.doubt(order)
                world.report(
                    Code.ORDER_UNKNOWN,
                    event.venue,
                    event.symbol,
                    f"{event.client_id}: {event.code} {event.reason}".strip(),
                )
        else:
            if outcome is _REJECTED:
                venue.rejects += 1
            code = Code.ORDER_REJECTED if outcome is _REJECTED else Code.ORDER_NOT_SENT
            detail = f"{event.client_id}: {event.code} {event.reason}".strip()
            world.report(code, event.venue, event.symbol, detail)
        self.after(order)

    def cancelled(self, event: CancelSent) -> None:
        """Take the result of a cancel request: only a promise, and a refusal is a question."""
        order = self._world.ledger.working.get(event.client_id)
        if order is None or event.outcome is _ACCEPTED:
            return
        cancelling = self.cancels.get(event.client_id)
        if cancelling is not None:
            cancelling.refused = event.outcome is _REJECTED
        self.doubt(order)

    def doubt(self, order: WorkingOrder) -> Doubt:
        """Start asking the venue about an order."""
        client_id = order.order.client_id
        doubt = self.doubts.get(client_id)
        if doubt is None:
            now = self._world.now
            self._world.pending = True
            doubt = self.doubts[client_id] = Doubt(now, now + _QUERY_FIRST, 2 * _QUERY_FIRST)
            self._query(order)
        return doubt

    def _query(self, order: WorkingOrder) -> None:
        intent = order.order
        self._world.out.append(QueryOrder(intent.venue, intent.symbol, intent.client_id))

    def _press(self, order: WorkingOrder) -> None:
        intent = order.order
        cancelling = self.cancels[intent.client_id]
        cancelling.tries += 1
        cancelling.at = self._world.now
        self._world.out.append(
            CancelOrder(intent.venue, intent.symbol, intent.client_id, order.venue_id)
        )

    # --- the venue's word ---------------------------------------------------------------------

    def reported(self, event: OrderReport) -> None:
        """Take a report of an order, from the stream, a sweep or a query."""
        world = self._world
        order = world.ledger.find(event.client_id)
        if order is None:
            order = self.find_by_venue_id(event)
            if order is None:
                self._foreign(event)
                return
            event = msgspec.structs.replace(event, client_id=order.order.client_id)
        proved = event.status is not _UNKNOWN
        if order.absent and proved and not event.status.terminal:
            self._returned(order, event)
            return
        before = order.status
        if order.learns(event):
            world.record(event)
        if proved:
            self.in_flight.pop(event.client_id, None)
            doubt = self.doubts.get(event.client_id)
            if doubt is not None:
                doubt.absent = 0
                if event.source != "stream" or order.terminal:
                    del self.doubts[event.client_id]
            world.venues[event.venue].missing.discard(event.client_id)
        if order.status is _REFUSED and before is not _REFUSED:
            world.venues[event.venue].rejects += 1
            world.report(
                Code.ORDER_REJECTED,
                event.venue,
                event.symbol,
                f"{event.client_id}: {event.reason}",
            )
        self.after(order)

    def absent(self, event: OrderAbsent) -> None:
        """Take "no such order": proof only after the window, and only with a later sweep."""
        world = self._world
        order = world.ledger.working.get(event.client_id)
        doubt = self.doubts.get(event.client_id)
        if order is None or doubt is None or order.settled:
            return
        if event.received < order.order.created + WINDOW:
            return
        if not doubt.absent:
            doubt.absent = event.received
        world.ask_sweep(world.venues[event.venue], f"{event.client_id} is absent")

    def swept(self, client_ids: set[str], venue: Venue, started: int) -> None:
        """Take the second source: a sweep that began after the venue denied an order."""
        world = self._world
        for client_id, doubt in list(self.doubts.items()):
            if not doubt.absent or started < doubt.absent or client_id in client_ids:
                continue
            order = world.ledger.working.get(client_id)
            if order is None or order.order.venue != venue.name:
                continue
            status = OrderStatus.CANCELLED if order.booked else OrderStatus.EXPIRED
            evidence = "absent from order query and from a later sweep"
            self.resolve(order, status, evidence)

    def resolve(self, order: WorkingOrder, status: OrderStatus, evidence: str) -> None:
        """End an order by something other than a report of its own, on the record.

        Should it turn up at the venue nevertheless, it is cancelled; its fills count in any case.
        """
        world, intent = self._world, order.order
        client_id = intent.client_id
        world.record(Resolved(intent.venue, intent.symbol, client_id, status, evidence, world.now))
        world.report(Code.ORDER_ABSENT, intent.venue, intent.symbol, f"{client_id}: {evidence}")
        self.after(order)

    def _returned(self, order: WorkingOrder, event: OrderReport) -> None:
        """Cancel an order that was proved absent and lives nevertheless."""
        world = self._world
        client_id = order.order.client_id
        if client_id not in self.cancels:
            self.cancels[client_id] = Cancelling(1, world.now)
            world.pending = True
            world.report(Code.ORDER_RETURNED, event.venue, event.symbol, client_id)
            world.notify("alarm", f"{client_id} was believed absent and is live: cancelling")
            world.out.append(CancelOrder(event.venue, event.symbol, client_id, event.venue_id))

    def find_by_venue_id(self, event: OrderReport | Fill) -> WorkingOrder | None:
        """Return whose word this is, where a venue left our id out."""
        if not event.client_id and event.venue_id:
            for candidate in self._world.ledger.working.values():
                if candidate.venue_id == event.venue_id and candidate.order.venue == event.venue:
                    return candidate
        return None

    def _foreign(self, event: OrderReport) -> None:
        """Show an order of others and count it as exposure. The kill executor's are ours."""
        world = self._world
        parts = world.ids.read(event.client_id)
        if parts is not None and parts.purpose is Purpose.KILL:
            return
        venue = world.venues.get(event.venue)
        if venue is None:
            return
        known = venue.foreign.pop(event.venue_id, None)
        if not event.status.terminal:
            venue.foreign[event.venue_id] = event
            if known is None:
                detail = f"{event.side} {event.qty} {event.client_id or event.venue_id}"
                world.report(Code.FOREIGN_ORDER, event.venue, event.symbol, detail)
        elif known is None:
            return
        self.count_foreign(venue, event.symbol)

    def count_foreign(self, venue: Venue, symbol: str) -> None:
        """Recount the working orders of others on an instrument."""
        slot = self._world.slot(venue.name, symbol)
        slot.foreign_buys = slot.foreign_sells = slot.position.qty * 0
        for order in venue.foreign.values():
            if order.symbol == symbol and not order.reduce_only:
                if order.side == "buy":
                    slot.foreign_buys += order.qty - order.filled
                else:
                    slot.foreign_sells += order.qty - order.filled
        if slot.idle:
            self._world.active.pop(slot.key, None)
        else:
            self._world.active[slot.key] = slot

    # --- after each word ----------------------------------------------------------------------

    def after(self, order: WorkingOrder) -> None:
        """Bring everything kept about an order in line with what was just learned of it."""
        intent = order.order
        client_id = intent.client_id
        world = self._world
        slot = world.slots[intent.venue, intent.symbol]
        if order.settled:
            slot.working.pop(client_id, None)
            self.forget(client_id)
            world.venues[intent.venue].missing.discard(client_id)
        else:
            slot.working[client_id] = order
            if order.filled > order.booked:
                world.pending = True
                self.gaps.setdefault(client_id, world.now)
            elif self.gaps:
                self.gaps.pop(client_id, None)
            if self.cancels:
                cancelling = self.cancels.get(client_id)
                if (
                    cancelling is not None
                    and not cancelling.at
                    and order.status is not _JOURNALED
                    and not order.terminal
                ):
                    self._press(order)
        self.settle(slot)

    # --- time ---------------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether anything here waits for time to pass."""
        return bool(self.in_flight or self.doubts or self.cancels or self.gaps)

    def beat(self) -> None:
        """Ask again where an answer is overdue."""
        requests = self.in_flight
        if requests and self._world.now - next(iter(requests.values())) >= _NO_ANSWER:
            self._expire_requests()  # the oldest comes first
        if self.doubts:
            self._ask()
        if self.cancels:
            self._cancel_again()
        if self.gaps:
            self._seek_fills()

    def _expire_requests(self) -> None:
        world = self._world
        for client_id, since in list(self.in_flight.items()):
            if world.now - since < _NO_ANSWER:
                continue
            order = world.ledger.working.get(client_id)
            if order is None:
                del self.in_flight[client_id]
                continue
            intent = order.order
            self.sent(
                OrderSent(
                    intent.venue,
                    intent.symbol,
                    client_id,
                    _LOST,
                    world.now,
                    code="no result",
                )
            )

    def _ask(self) -> None:
        world = self._world
        for client_id, doubt in list(self.doubts.items()):
            if world.now < doubt.due:
                continue
            order = world.ledger.working.get(client_id)
            if order is None or order.settled:
                del self.doubts[client_id]
                continue
            if order.status is _UNKNOWN and world.now - doubt.since >= _LONG and not doubt.told:
                doubt.told = True
                text = f"{order.order.venue} {client_id}: outcome unknown for {_LONG // MINUTE}"
                world.notify("alarm", f"{text} minutes; see `killcord orders resolve`")
            doubt.due = world.now + doubt.wait
            doubt.wait = min(doubt.wait * 2, _QUERY_MOST)
            self._query(order)

    def _cancel_again(self) -> None:
        world = self._world
        for client_id, cancelling in list(self.cancels.items()):
            order = world.ledger.working.get(client_id)
            if order is None or order.terminal:
                del self.cancels[client_id]
                continue
            since = world.now - cancelling.at
            if not cancelling.at or since < _CANCEL_AGAIN:
                continue
            if cancelling.tries >= _CANCEL_TRIES:
                if not cancelling.told:
                    cancelling.told = True
                    intent = order.order
                    world.report(Code.CANCEL_FAILED, intent.venue, intent.symbol, client_id)
                if since < (_CANCEL_REFUSED if cancelling.refused else _CANCEL_LOST):
                    continue
            self.doubt(order)
            self._press(order)

    def _seek_fills(self) -> None:
        world = self._world
        for client_id, since in self.gaps.items():
            order = world.ledger.working.get(client_id)
            if order is not None and world.now - since > _GAP:
                self.gaps[client_id] = world.now
                world.ask_sweep(world.venues[order.order.venue], f"fills of {client_id} missing")

    def forget(self, client_id: str) -> None:
        """Stop asking about an order that is over."""
        if self.in_flight:
            self.in_flight.pop(client_id, None)
        if self.doubts:
            self.doubts.pop(client_id, None)
        if self.cancels:
            self.cancels.pop(client_id, None)
        if self.gaps:
            self.gaps.pop(client_id, None)

    def restore(self) -> None:
        """Take over the orders that the journal left unfinished: ask, never send again."""
        world = self._world
        for order in list(world.ledger.working.values()):
            intent = order.order
            if intent.venue not in world.venues:
                continue
            slot = world.slot(intent.venue, intent.symbol)
            slot.working[intent.client_id] = order
            world.active[slot.key] = slot
            if intent.purpose is Purpose.STOP:
                slot.stop = order
            elif intent.purpose is Purpose.ENTRY:
                slot.entry = order
            elif intent.reduce_only:
                slot.exit = order

    def reopen(self, venue: Venue) -> None:
        """Ask a venue, now that it is back, about requests whose result was never learned.

        What could not be cancelled while it was away is cancelled now.
        """
        now = self._world.now
        for client_id, cancelling in self.cancels.items():
            stuck = self._world.ledger.working.get(client_id)
            if stuck is None or stuck.terminal or stuck.order.venue != venue.name:
                continue
            if cancelling.at:
                cancelling.tries = 0
                self._press(stuck)
        for order in list(self._world.ledger.working.values()):
            intent = order.order
            if intent.venue != venue.name or intent.client_id in self.in_flight:
                continue
            if order.status is _JOURNALED:
                self.sent(
                    OrderSent(
                        intent.venue,
                        intent.symbol,
                        intent.client_id,
                        _LOST,
                        now,
                        code="restart",
                    )
                )
            elif order.status is _UNKNOWN:
                self.doubt(order)


def _nothing(slot: Slot) -> None:
    """Stand in until the engine is wired."""
