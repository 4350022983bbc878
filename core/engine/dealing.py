"""Orders by hand: sent, closed, moved, cancelled, approved, resolved."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from core.clock import SECOND
from core.engine.execution import Execution
from core.engine.slot import Slot
from core.engine.tracking import WINDOW, Tracking
from core.engine.world import World
from core.model.effect import CancelOrder
from core.model.event import AnswerSignal, Cancel, Close, MoveStop, ResolveOrder, Submit, Verdict
from core.model.order import Order, OrderKind, OrderStatus, Purpose
from core.model.record import StopMoved
from core.orders.ids import ID_LENGTH
from core.risk.codes import Code
from core.risk.gate import Approved, Refused


class Dealing:
    """Takes a person's orders to the gate. Whatever reduces risk is accepted in every state."""

    def __init__(self, world: World, execution: Execution, tracking: Tracking) -> None:
        self._world = world
        self._execution = execution
        self._tracking = tracking

    def submit(self, event: Submit) -> None:
        """Put a person's order through the same gate as a strategy's."""
        world = self._world
        slot = self._listed(event.venue, event.symbol)
        if slot is None or slot.instrument is None:
            detail = f"{event.venue} lists no {event.symbol}"
            self._world.answer(event.request, False, Code.UNKNOWN_INSTRUMENT, detail)
            return
        order = self.draft(slot, event, world.ids.next(Purpose.MANUAL))
        verdict = self._judge(slot, order, event.stop)
        if type(verdict) is Refused:
            self._refuse(event.request, slot, verdict)
            return
        assert type(verdict) is Approved
        self._execution.send(slot, verdict)
        self._world.answer(event.request, True, Code.DONE, "sent", order.client_id)

    def _refuse(self, request: str, slot: Slot, refused: Refused) -> None:
        self._execution.refuse(slot, refused, request)
        self._world.answer(request, False, refused.code, refused.told)

    def draft(self, slot: Slot, event: Submit, client_id: str) -> Order:
        """Return the order that a person's wish means; prices on the tick."""
        world = self._world
        rules = slot.instrument
        assert rules is not None
        return Order(
            client_id,
            slot.venue,
            slot.symbol,
            event.side,
            event.kind,
            event.qty,
            world.now,
            rules.round_price(event.price) if event.price is not None else None,
            rules.round_price(event.trigger) if event.trigger is not None else None,
            event.tif,
            event.reduce_only or event.kind is OrderKind.STOP,
            Purpose.MANUAL,
            event.actor,
        )

    def _judge(self, slot: Slot, order: Order, stop: Decimal | None) -> Approved | Refused:
        unfit = self.unfit(slot, order)
        if unfit is not None:
            return unfit
        if order.reduce_only:
            return self._execution.gate.reduce(order, slot.position.qty)
        equity = self._world.equity()
        assert equity is not None
        return self._execution.judge(slot, order, equity, stop)

    def unfit(self, slot: Slot, order: Order) -> Refused | None:
        """Return why an order need not even be put before the gate; None when it may."""
        rules = slot.instrument
        assert rules is not None
        missing = (order.kind is OrderKind.LIMIT and order.price is None) or (
            order.kind is OrderKind.STOP and order.trigger is None
        )
        if missing or any(
            price is not None and price <= 0 for price in (order.price, order.trigger)
        ):
            return Refused(Code.BAD_PRICE, "", "", f"a {order.kind} order needs a price above 0")
        if order.qty <= 0 or order.qty % rules.lot:
            return Refused(
                Code.BAD_QUANTITY, f"lot {rules.lot}", str(order.qty), "not a multiple of the lot"
            )
        if not order.reduce_only and self._world.equity() is None:
            return Refused(Code.VENUE_NOT_READY, "ready", "", "no account is known yet")
        return None

    def _listed(self, venue: str, symbol: str) -> Slot | None:
        known = self._world.venues.get(venue)
        if known is None or symbol not in known.instruments:
            return None
        return self._world.slot(venue, symbol)

    def close(self, event: Close) -> None:
        """Close positions with reduce-only market orders, in every state."""
        if not 0 < event.fraction <= 1:
            self._world.answer(
                event.request, False, Code.BAD_QUANTITY, "a fraction in (0, 1] is expected"
            )
            return
        sent = []
        for slot in self._matching(event.venue, event.symbol):
            if slot.position.qty:
                slot.wanted = 0
                client_id = self._execution.close(slot, Purpose.MANUAL, event.actor, event.fraction)
                if len(client_id) == ID_LENGTH:
                    sent.append(client_id)
        if sent:
            self._world.answer(
                event.request, True, Code.DONE, _count(len(sent), "order") + " sent", *sent
            )
        else:
            self._world.answer(event.request, False, Code.NOTHING_TO_DO, "no position to close")

    def move_stop(self, event: MoveStop) -> None:
        """Move a position's protective stop, in every state; further away only within the limit."""
        world = self._world
        slot = world.active.get((event.venue, event.symbol))
        refused = self._unmovable(slot, event.price)
        if refused is not None:
            self._world.answer(event.request, False, refused.code, refused.told)
            return
        assert slot is not None
        assert slot.instrument is not None
        price = slot.instrument.round_price(event.price)
        world.record(StopMoved(slot.venue, slot.symbol, price, event.actor, world.now))
        risked = slot.risk_quote
        self._execution.protection.keep(slot)
        slot.risk_quote = risked  # R is what was risked at first, wherever the stop goes
        self._world.answer(event.request, True, Code.DONE, f"stop moves to {price}")

    def _unmovable(self, slot: Slot | None, wanted: Decimal) -> Refused | None:
        world = self._world
        if slot is None or not slot.position.qty or slot.instrument is None:
            return Refused(Code.NOTHING_TO_DO, "", "", "no position there")
        position = slot.position
        if position.foreign:
            return Refused(Code.FOREIGN_POSITION, "", "", "the position was opened by others")
        if slot.closing or world.venues[slot.venue].killing:
            return Refused(Code.NOTHING_TO_DO, "", "", "the position is being closed")
        price, stop = slot.value(), slot.stop
        if not price:
            return Refused(Code.STALE_DATA, "", "no price", "there is no price to compare with")
        if not wanted.is_finite() or wanted <= 0 or (price - wanted) * position.qty <= 0:
            return Refused(Code.BAD_STOP, str(price), str(wanted), "stop on the wrong side")
        if stop is not None and stop.status in (OrderStatus.JOURNALED, OrderStatus.UNKNOWN):
            return Refused(Code.SYMBOL_FROZEN, "", "", "the present stop is not settled yet")
        equity = world.equity()
        loss = (price - wanted) * position.qty
        allowed = world.limits.loss_to_stop * equity if equity is not None else loss
        before = (price - self._execution.protection.trigger(slot)) * position.qty
        # Closer is always allowed; further only while the loss stays within the limit.
        if loss > before and loss > allowed:
            return Refused(
                Code.LOSS_TO_STOP, f"{allowed:.2f}", f"{loss:.2f}", "too much would be lost"
            )
        return None

    def answer_signal(self, event: AnswerSignal) -> None:
        """Take a person's word on an entry that waits; a refused one goes on waiting."""
        waiting = self._execution.confirmation.find(event.client_id)
        if waiting is None:
            self._world.answer(
                event.request, False, Code.NO_SUCH_SIGNAL, "nothing waits under this id"
            )
            return
        slot = self._world.slot(waiting.order.venue, waiting.order.symbol)
        if event.verdict is Verdict.REJECT:
            self._execution.confirmation.end(slot.key, "rejected", event.actor)
            self._world.answer(event.request, True, Code.DONE, "rejected")
            return
        refused = self._execution.approve(slot, waiting, event.qty, event.actor)
        if refused is None:
            self._world.answer(event.request, True, Code.DONE, "sent", event.client_id)
            return
        self._refuse(event.request, slot, refused)

    def cancel(self, event: Cancel) -> None:
        """Cancel one order by id, or the entries of a venue or symbol; stops only by id."""
        asked = []
        for slot in self._matching(event.venue, event.symbol):
            for order in list(slot.working.values()):
                client_id = order.order.client_id
                one = event.client_id == client_id
                if one or (not event.client_id and order.order.purpose is not Purpose.STOP):
                    self._tracking.cancel(order)
                    asked.append(client_id)
        if event.client_id and not asked:
            asked = self._cancel_foreign(event.client_id)
        if asked:
            self._world.answer(
                event.request, True, Code.DONE, _count(len(asked), "cancel") + " asked", *asked
            )
        else:
            code = Code.NO_SUCH_ORDER if event.client_id else Code.NOTHING_TO_DO
            self._world.answer(event.request, False, code, "no such working order")

    def resolve(self, event: ResolveOrder) -> None:
        """Take a person's word for an order that no venue's word resolves; it is journalled."""
        order = self._world.ledger.working.get(event.client_id)
        if order is None:
            code, why = Code.NO_SUCH_ORDER, "no such working order"
        elif not event.status.terminal:
            code, why = Code.BAD_QUANTITY, f"{event.status.value} is not an end of an order"
        elif order.status is not OrderStatus.UNKNOWN:
            code = Code.NOTHING_TO_DO
            why = f"it is {order.status.value}: the venue's word stands, and cancel ends it"
        elif (wait := order.order.created + WINDOW - self._world.now) > 0:
            code = Code.NOTHING_TO_DO
            why = f"it may still arrive at the venue; again in {wait // SECOND + 1} s"
        else:
            self._tracking.resolve(order, event.status, f"operator {event.actor}")
            self._world.answer(event.request, True, Code.DONE, event.status.value, event.client_id)
            return
        self._world.answer(event.request, False, code, why)

    def _cancel_foreign(self, wanted: str) -> list[str]:
        """Cancel an order of others, named by either of its ids."""
        for venue in self._world.venues.values():
            for report in venue.foreign.values():
                if wanted in (report.client_id, report.venue_id):
                    self._world.out.append(
                        CancelOrder(venue.name, report.symbol, report.client_id, report.venue_id)
                    )
                    return [report.client_id or report.venue_id]
        return []

    def _matching(self, venue: str, symbol: str) -> Iterator[Slot]:
        for slot in list(self._world.active.values()):
            if venue in ("", slot.venue) and symbol in ("", slot.symbol):
                yield slot


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)
