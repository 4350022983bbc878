"""Booking what moves money: fills and funding, each once, and what only the venue knows."""

from __future__ import annotations

import msgspec

from core.engine.slot import Slot
from core.engine.tracking import Tracking
from core.engine.world import World
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.order import Fill, Purpose
from core.risk.codes import Code


class Booking:
    """Books fills in whatever state their order is; tells ``tracking`` of those that are ours."""

    def __init__(self, world: World, tracking: Tracking) -> None:
        self._world = world
        self._tracking = tracking

    def filled(self, event: Fill) -> bool:
        """Book a fill, in whatever state its order is; return whether it was news."""
        world = self._world
        ledger = world.ledger
        known = ledger.known(event)
        if known is not None:
            if (known.qty, known.price, known.side) != (event.qty, event.price, event.side):
                self._conflict(known, event)
            return False
        account = ledger.accounts.get(event.venue)
        if account is None or event.ts <= account.since:
            return False  # the baseline holds it, or will
        if ledger.forgotten(event):
            world.report(Code.FILL_TOO_OLD, event.venue, event.symbol, event.trade_id)
            return False
        order = ledger.working.get(event.client_id) or ledger.done.get(event.client_id)
        if order is None:
            order = self._tracking.find_by_venue_id(event)
            if order is not None:
                event = msgspec.structs.replace(event, client_id=order.order.client_id)
        slot = world.slots.get((event.venue, event.symbol)) or world.slot(event.venue, event.symbol)
        trips = slot.position.trips
        world.record(event)
        world.reload(slot)
        world.active[slot.key] = slot
        slot.last_fill = event.received
        venue = world.venues.get(event.venue)
        if venue is not None:
            venue.last_fill = event.received
        if event.source == "sweep":
            world.report(Code.FILL_ADOPTED, event.venue, event.symbol, event.trade_id)
        position = slot.position
        if position.trips != trips and position.losses:
            self._count_losses(slot, position.losses)
        if order is None:
            self._unowned(event)
            self._tracking.settle(slot)
            return True
        if order.booked > order.order.qty:
            world.freeze(slot, f"{event.client_id} was filled beyond its quantity")
            world.discrepancies += 1
            world.report(
                Code.OVERFILL,
                event.venue,
                event.symbol,
                slot.conflict,
                str(order.order.qty),
                str(order.booked),
            )
        self._tracking.after(order)
        return True

    def _count_losses(self, slot: Slot, losses: int) -> None:
        world = self._world
        limit = world.limits.loss_streak
        if losses % limit == 0:
            detail = f"{losses} losing round trips in a row"
            world.report(Code.LOSS_STREAK, slot.venue, slot.symbol, detail, str(limit), str(losses))

    def _unowned(self, event: Fill) -> None:
        parts = self._world.ids.read(event.client_id)
        if parts is None or parts.purpose is not Purpose.KILL:
            self._world.notify(
                "warning",
                f"{event.venue} {event.symbol}: {event.side} {event.qty} filled by others",
            )

    def _conflict(self, known: Fill, event: Fill) -> None:
        world = self._world
        slot = world.slot(event.venue, event.symbol)
        reason = f"trade {event.trade_id} came with two contents"
        if slot.conflict == reason:
            return
        world.freeze(slot, reason)
        world.discrepancies += 1
        world.report(
            Code.FILL_CONFLICT,
            event.venue,
            event.symbol,
            slot.conflict,
            f"{known.side} {known.qty} at {known.price}",
            f"{event.side} {event.qty} at {event.price}",
        )

    def paid(self, event: FundingPaid) -> bool:
        """Book a funding settlement, once; return whether it was news."""
        if self._world.ledger.funded(event):
            return False
        world = self._world
        world.record(event)
        world.reload(world.slot(event.venue, event.symbol))
        return True

    def balance(self, event: Balance) -> None:
        """Remember the venue's own word on cash; it is compared in sweeps, never booked."""
        venue = self._world.venues.get(event.venue)
        if venue is not None:
            venue.balance = event.total

    def position(self, event: PositionReport) -> None:
        """Remember what only the venue knows of a position; quantities come from fills."""
        slot = self._world.slot(event.venue, event.symbol)
        slot.liquidation = event.liquidation
        if event.leverage is not None:
            slot.leverage = event.leverage
