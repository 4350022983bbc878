"""The stop that every position has at its venue: placed, resized, moved, and missed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.clock import SECOND
from core.engine.slot import COVERING, Slot
from core.engine.tracking import Tracking
from core.engine.world import World
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderStatus, Purpose, TimeInForce
from core.model.record import StopMoved
from core.orders.machine import WorkingOrder
from core.risk.codes import Code
from core.risk.gate import Approved, Gate

_ZERO = Decimal(0)
_DEBOUNCE = SECOND // 2
"""While an entry is still filling, its stop is resized at most this often."""
_MOVE_TRIES = 3
"""Refusals of a stop in a row after which the one it was to replace is kept."""
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_STOP_KIND = OrderKind.STOP
_GTC = TimeInForce.GTC
_EXIT = Purpose.EXIT
_STOP = Purpose.STOP
_BUY = Side.BUY
_SELL = Side.SELL
_JOURNALED = OrderStatus.JOURNALED
_UNKNOWN = OrderStatus.UNKNOWN


class Protection:
    """Keeps exactly one protective stop of each position's size at its venue.

    Args:
        world: the engine's state.
        tracking: cancels stops that are too many.
        gate: approves what only reduces.
        send: journals an approved order and has it sent.
        close: sends a reduce-only market order: slot, purpose, actor.
        put_off: has a slot looked at again when time has passed.
    """

    def __init__(
        self,
        world: World,
        tracking: Tracking,
        gate: Gate,
        send: Callable[[Slot, Approved], WorkingOrder],
        close: Callable[[Slot, Purpose, str], str],
        put_off: Callable[[Slot], None],
    ) -> None:
        self._world = world
        self._tracking = tracking
        self._gate = gate
        self._send = send
        self._close = close
        self._put_off = put_off
        distance = world.config.strategy.stop_distance
        self._below = 1 - distance
        self._above = 1 + distance
        self._unprotected = int(world.limits.unprotected * SECOND)
        self.naked: dict[tuple[str, str], int] = {}
        """Position key to since when it has no working stop."""

    def keep(self, slot: Slot) -> None:
        """Keep exactly one protective stop of the position's size at the venue."""
        position = slot.position
        held = position.qty
        if not held:
            self.naked.pop(slot.key, None)
            slot.stop = None
            slot.risk_quote = None
            if slot.working:
                self._drop_stops(slot, None)
            return
        if position.foreign or self._world.venues[slot.venue].killing:
            self.naked.pop(slot.key, None)
            return
        stop = slot.stop
        need = abs(held)
        rules = slot.instrument
        if (
            rules is not None
            and (odd := need % rules.lot)
            and (stop is None or stop.remaining != need)
        ):
            need -= odd  # the venue's steps have grown: it takes no order for the rest
            if not need:
                self.naked.pop(slot.key, None)
                return
        if stop is not None and (stop.order.side == "sell") == (held > _ZERO):
            left = stop.remaining
            fits = left == need or (left > need and (slot.exit is not None or stop.booked))
            covered = left >= need and stop.status in COVERING
            # A planned stop can be moved; the default one stays where the first fill put it.
            if position.stop is not None and stop.order.trigger != self.trigger(slot):
                fits = False
        else:
            fits = covered = False
        if covered and fits and len(slot.working) > 1:
            self._drop_stops(slot, stop)
        if covered or slot.cover() is not None:
            self.naked.pop(slot.key, None)
        else:
            self.naked.setdefault(slot.key, self._world.now)
            self._world.pending = True
        if not fits and not (slot.closing and slot.exit is not None):
            self._renew_stop(slot, need)

    def _renew_stop(self, slot: Slot, need: Decimal) -> None:
        """Place a stop for the position, unless it is too early to or too late for one."""
        world = self._world
        stop = slot.stop
        if stop is not None and stop.status in (_JOURNALED, _UNKNOWN):
            return  # settled first: two stops of which one may exist tell us nothing
        if stop is None and slot.attempts >= _MOVE_TRIES and (old := slot.cover()) is not None:
            self._keep_stop(slot, old)
            return
        filling = slot.entry is not None and stop is not None
        if world.now < (slot.protect_at if filling else slot.retry_at):
            self._put_off(slot)
            return
        held = slot.position.qty
        instrument = slot.instrument
        if instrument is None:
            return
        trigger = self.trigger(slot)
        price = slot.value()
        if price and (price - trigger) * held <= _ZERO:
            if slot.exit is None:
                world.report(
                    Code.STOP_PASSED,
                    slot.venue,
                    slot.symbol,
                    f"price {price} is beyond the stop {trigger}",
                    str(trigger),
                    str(price),
                )
                self._close(slot, _EXIT, slot.position.strategy)
            return
        order = Order(
            world.ids.next(_STOP),
            slot.venue,
            slot.symbol,
            _SELL if held > _ZERO else _BUY,
            _STOP_KIND,
            need,
            world.now,
            None,
            trigger,
            _GTC,
            True,
            _STOP,
            slot.position.strategy,
        )
        verdict = self._gate.reduce(order, held)
        if type(verdict) is Approved:
            slot.stop = self._send(slot, verdict)
            slot.protect_at = world.now + _DEBOUNCE
            slot.risk_quote = abs(slot.position.entry - trigger) * need

    def _keep_stop(self, slot: Slot, old: WorkingOrder) -> None:
        """Leave a stop where it works when the venue does not take the one meant to replace it."""
        world, wanted = self._world, self.trigger(slot)
        slot.stop = old
        slot.attempts = 0
        trigger = old.order.trigger
        if trigger is not None and trigger != wanted:
            world.record(StopMoved(slot.venue, slot.symbol, trigger, "engine", world.now))
            text = f"the venue refuses a stop at {wanted}: the one at {trigger} stays"
            world.notify("warning", f"{slot.venue} {slot.symbol}: {text}")

    def trigger(self, slot: Slot) -> Decimal:
        """Return where the protective stop of a position belongs."""
        position = slot.position
        assert slot.instrument is not None
        if position.stop is not None:
            return slot.instrument.round_price(position.stop)
        default = self.default(position.entry, long=position.qty > _ZERO)
        return slot.instrument.round_price(default)

    def default(self, price: Decimal, *, long: bool) -> Decimal:
        """Return where the stop of a position opened at ``price`` belongs if none was planned."""
        return price * (self._below if long else self._above)

    def _drop_stops(self, slot: Slot, keep: WorkingOrder | None) -> None:
        for order in slot.working.values():
            if order.order.purpose is _STOP and order is not keep and not order.terminal:
                self._tracking.cancel(order)

    def beat(self) -> None:
        """Close positions that stayed unprotected too long."""
        world = self._world
        for key, since in list(self.naked.items()):
            if world.now - since <= self._unprotected:
                continue
            slot = world.slots[key]
            if not slot.position.qty:
                del self.naked[key]
                continue
            self.naked[key] = world.now
            waited = (world.now - since) / SECOND
            world.report(
                Code.UNPROTECTED,
                slot.venue,
                slot.symbol,
                f"no working stop for {waited:.0f} s: closing",
                f"{world.limits.unprotected:g} s",
                f"{waited:.1f} s",
            )
            if slot.exit is None:
                self._close(slot, _EXIT, slot.position.strategy)
