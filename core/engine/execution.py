"""Turning a wanted direction into orders: entries through the gate, and exits."""

from __future__ import annotations

from decimal import Decimal
from math import inf

from core.clock import SECOND
from core.engine.confirmation import Confirmation, Waiting
from core.engine.invariants import GatePassed
from core.engine.protection import Protection
from core.engine.slot import Slot
from core.engine.tracking import Tracking
from core.engine.world import World
from core.model.effect import SubmitOrder
from core.model.event import TradingState
from core.model.market import Side
from core.model.news import MARKET, news_asset
from core.model.order import Order, OrderKind, OrderStatus, Purpose, TimeInForce
from core.model.record import Intent
from core.orders.machine import WorkingOrder
from core.risk.codes import Code
from core.risk.gate import Approved, Circumstances, Gate, Refused

_ZERO = Decimal(0)
_ONE = Decimal(1)
_FLIP_WITHIN = 10 * SECOND
"""An entry that waits for an exit is forgotten after this long: the signal is old by then."""
_REFUSED = frozenset({OrderStatus.REJECTED, OrderStatus.DENIED, OrderStatus.EXPIRED})
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_MARKET = OrderKind.MARKET
_GTC = TimeInForce.GTC
_ENTRY = Purpose.ENTRY
_EXIT = Purpose.EXIT
_BUY = Side.BUY
_SELL = Side.SELL
_ARMED = TradingState.ARMED
_DISARMED = TradingState.DISARMED
_HALTED = TradingState.HALTED
_CANCELLED = OrderStatus.CANCELLED


class Execution:
    """Decides which orders exist on each instrument. Reducing risk is never vetoed here."""

    def __init__(self, world: World, tracking: Tracking) -> None:
        self._world = world
        self._tracking = tracking
        self.gate = Gate(world.limits)
        self.confirmation = Confirmation(world)
        settings = world.config.strategy
        limits = world.limits
        self._part = min(
            limits.position_notional * settings.share / len(world.config.venues),
            limits.order_notional,
        )
        # The venues of a symbol are one bet.
        self._kelly = settings.kelly / len(world.config.venues)
        self._cooldown = int(limits.loss_streak_cooldown * SECOND)
        self.protection = Protection(
            world, tracking, self.gate, self.send, self.close, self._put_off
        )
        self.later: dict[tuple[str, str], None] = {}
        """Slots to look at again when time has passed."""

    # --- following a strategy -----------------------------------------------------------------

    def follow(self, slot: Slot, target: int) -> str:
        """Move towards a strategy's direction; return an order's client id, a code, or nothing."""
        world = self._world
        assert slot.strategy is not None
        self.confirmation.withdraw(slot, slot.strategy.name)
        if world.state in (_DISARMED, _HALTED):
            return Code.HALTED if world.state is _HALTED else Code.NOT_ARMED
        position = slot.position
        held = position.qty
        if held and (position.foreign or position.strategy != slot.strategy.name):
            return Code.FOREIGN_POSITION
        slot.wanted = 0
        if held and target and (held > 0) == (target > 0) and not slot.closing:
            return ""
        if held or slot.closing or slot.entry is not None:
            slot.wanted = target
            slot.wanted_until = world.now + _FLIP_WITHIN
            if held and slot.exit is None:
                return self.close(slot, _EXIT, slot.strategy.name)
            return ""
        return self.enter(slot, target) if target else ""

    def enter(self, slot: Slot, target: int) -> str:
        """Open a position of the configured size; return the client id or the refusing code."""
        world = self._world
        instrument = slot.instrument
        equity = world.equity()
        price = slot.touch(target)
        if instrument is None or equity is None or not price:
            return self.refuse(slot, Refused(Code.STALE_DATA, "", "", "no price or no equity"))
        assert slot.strategy is not None
        part = self._part
        if slot.kelly is not None:
            part = min(part, Decimal(f"{slot.kelly:.6f}") * self._kelly)
        order = Order(
            world.ids.next(_ENTRY),
            slot.venue,
            slot.symbol,
            _BUY if target > 0 else _SELL,
            _MARKET,
            instrument.floor_qty(equity * part / price),
            world.now,
            None,
            None,
            _GTC,
            False,
            _ENTRY,
            slot.strategy.name,
        )
        verdict = self.judge(slot, order, equity, None)
        world.reasons.sized(order, equity, part, price, slot.kelly)
        if type(verdict) is Refused:
            return self.refuse(slot, verdict)
        assert type(verdict) is Approved
        if self.confirmation.on:
            return self.confirmation.hold(slot, order, price)
        slot.entry = self.send(slot, verdict)
        return order.client_id

    def approve(
        self, slot: Slot, waiting: Waiting, qty: Decimal | None, actor: str
    ) -> Refused | None:
        """Send an entry that waited, if the gate still agrees; else return why not."""
        order = self.confirmation.draft(waiting, qty)
        equity = self._world.equity()
        if equity is None or slot.position.qty or slot.entry is not None or slot.closing:
            return Refused(Code.NOTHING_TO_DO, "", "", "there is a position here by now")
        verdict = self.judge(slot, order, equity, None)
        if type(verdict) is Refused:
            return verdict
        assert type(verdict) is Approved
        self.confirmation.end(slot.key, "approved", actor)
        slot.entry = self.send(slot, verdict)
        slot.outcome = order.client_id
        return None

    def judge(
        self, slot: Slot, order: Order, equity: Decimal, stop: Decimal | None
    ) -> Approved | Refused:
        """Put an order that may open risk before the gate."""
        assert slot.instrument is not None
        circumstances = self.circumstances(slot, order, equity, stop)
        verdict = self.gate.open(order, slot.instrument, circumstances, stop)
        refused = verdict.code if type(verdict) is Refused else None
        news = self._world.reading(slot.symbol)
        self._world.reasons.judged(order, slot.instrument, circumstances, refused, news)
        return verdict

    def circumstances(
        self, slot: Slot, order: Order, equity: Decimal, stop: Decimal | None
    ) -> Circumstances:
        """Return what the gate must know to decide on an order; changes nothing."""
        world = self._world
        venue = world.venues[slot.venue]
        mid = slot.middle()
        price = order.price if order.price is not None else mid
        trigger = stop
        if trigger is None:
            trigger = self.protection.default(price, long=order.side is _BUY)
        buys, sells = (order.qty, _ZERO) if order.side is _BUY else (_ZERO, order.qty)
        after = slot.exposure(buys, sells)
        symbol_after = venue_after = gross_after = max(after, order.qty * price)
        working = len(venue.foreign)
        for other in world.active.values():
            working += len(other.working)
            if other is slot:
                continue
            value = other.exposure()
            gross_after += value
            if other.symbol == slot.symbol:
                symbol_after += value
            if other.venue == slot.venue:
                venue_after += value
        now = world.now
        tail = cluster = None
        if world.portfolio.known:
            book = world.exposures(slot, slot.reach(buys, sells))
            tail = world.portfolio.tail(book)
            cluster = world.portfolio.cluster(slot.symbol, book)
        return Circumstances(
            world.state,
            venue.state,
            venue.reason,
            venue.rejects,
            slot.symbol in world.paused,
            slot.frozen if slot.working or slot.conflict else "",
            self.cooling(slot),
            *self._bad_news(slot, order),
            (now - slot.book_received) / SECOND if slot.book_received else inf,
            (venue.offset_ms or 0.0) / 1000.0,
            world.lag,
            world.unguarded,
            mid,
            slot.mark_exact(),
            equity,
            symbol_after,
            venue_after,
            gross_after,
            working,
            venue.pace.full(now),
            world.minute.full(now),
            world.turnover.total(now) + float(order.qty) * slot.price,
            trigger,
            tail,
            cluster,
        )

    def _bad_news(self, slot: Slot, order: Order) -> tuple[float, float]:
        """Return for how long news on the asset and on the market block an order, seconds."""
        if order.side != "buy" or slot.instrument is None:
            return 0.0, 0.0
        guard, now = self._world.guard, self._world.now
        return guard.left(news_asset(slot.instrument.base), now), guard.left(MARKET, now)

    def cooling(self, slot: Slot) -> float:
        """Return the seconds that a losing streak still pauses an instrument; 0 if it does not."""
        position = slot.position
        losses = position.losses
        if not losses or losses % self._world.limits.loss_streak:
            return 0.0
        return max(0, position.lost + self._cooldown - self._world.now) / SECOND

    def send(self, slot: Slot, approved: Approved) -> WorkingOrder:
        """Journal an approved order and ask the shell to send it."""
        world = self._world
        order = approved.order
        if not order.reduce_only and world.state is not _ARMED:
            raise GatePassed(f"{order.client_id} while {world.state}")
        world.record(Intent(order, approved.stop))
        world.out.append(SubmitOrder(order))
        working = world.ledger.working[order.client_id]
        slot.working[order.client_id] = working
        world.active[slot.key] = slot
        world.venues[slot.venue].pace.add(world.now)
        world.minute.add(world.now)
        if not order.reduce_only:
            world.turnover.add(world.now, float(order.qty) * slot.price)
        self._tracking.in_flight[order.client_id] = world.now
        world.pending = True
        return working

    def refuse(self, slot: Slot, refused: Refused, request: str = "") -> str:
        """Count and report a refusal; return its code."""
        world = self._world
        world.refusals += 1
        world.report(
            refused.code,
            slot.venue,
            slot.symbol,
            refused.detail,
            refused.limit,
            refused.value,
            request,
        )
        return refused.code

    # --- closing ------------------------------------------------------------------------------

    def close(self, slot: Slot, purpose: Purpose, actor: str, fraction: Decimal = _ONE) -> str:
        """Send a reduce-only market order; return its client id, empty when nothing can be sent.

        A whole close is kept at until the position is flat.
        """
        world = self._world
        instrument = slot.instrument
        held = slot.position.qty
        if not held or instrument is None:
            return ""
        qty = abs(held)
        if slot.exit is not None:
            qty -= slot.exit.remaining
        if fraction < _ONE:
            qty = instrument.floor_qty(qty * fraction)
        else:
            slot.closing = True
        if instrument.max_market_qty is not None:
            qty = min(qty, instrument.floor_qty(instrument.max_market_qty))
        if qty % instrument.lot:  # the venue's steps have grown since it was opened
            qty = instrument.floor_qty(qty)
        if qty <= _ZERO:
            return ""
        order = Order(
            world.ids.next(purpose),
            slot.venue,
            slot.symbol,
            _SELL if held > _ZERO else _BUY,
            _MARKET,
            qty,
            world.now,
            None,
            None,
            _GTC,
            True,
            purpose,
            actor,
        )
        verdict = self.gate.reduce(order, held)
        if type(verdict) is Refused:
            return self.refuse(slot, verdict)
        assert type(verdict) is Approved
        slot.exit = self.send(slot, verdict)
        return order.client_id

    # --- after anything happened to an instrument's orders ---------------------------------------

    def settle(self, slot: Slot) -> None:
        """Bring orders in line with the position: protection, pending exits, pending entries."""
        world = self._world
        if not world.venues[slot.venue].swept:
            # What the journal says of the venue may be over: ask first, act on the first sweep.
            self._put_off(slot)
            return
        order = slot.entry
        if order is not None and order.settled:
            self._finished(slot, order)
            slot.entry = None
        order = slot.exit
        if order is not None and order.settled:
            self._finished(slot, order)
            slot.exit = None
        order = slot.stop
        if order is not None and order.settled:
            self._finished(slot, order)
            slot.stop = None
        if not slot.position.qty:
            slot.closing = False
        elif slot.closing and slot.exit is None:
            if world.now >= slot.retry_at:
                self.close(slot, _EXIT, slot.position.strategy)
            else:
                self._put_off(slot)
        self.protection.keep(slot)
        if slot.wanted and slot.exit is None and slot.entry is None:
            self._flip(slot)
        if not slot.working and slot.idle:
            world.active.pop(slot.key, None)

    def _finished(self, slot: Slot, order: WorkingOrder) -> None:
        """Let a finished order go; slow down where a venue refuses to reduce, or has no depth."""
        unfilled = order.status is _CANCELLED and order.order.kind is _MARKET and not order.booked
        if (order.status in _REFUSED or unfilled) and order.order.reduce_only:
            slot.attempts += 1
            slot.retry_at = self._world.now + min(2**slot.attempts, 16) * SECOND // 4
            self._put_off(slot)
        else:
            slot.attempts = 0

    def _flip(self, slot: Slot) -> None:
        """Do what waited for the last entry or exit to end."""
        held = slot.position.qty
        wanted = slot.wanted
        if not held:
            slot.wanted = 0
            if self._world.now <= slot.wanted_until:
                slot.outcome = self.enter(slot, wanted)
        elif (held > 0) == (wanted > 0):
            slot.wanted = 0
        elif not slot.closing:
            self.close(slot, _EXIT, slot.position.strategy)

    # --- time ---------------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether anything here waits for time to pass."""
        return bool(self.later or self.protection.naked or self.confirmation.waiting)

    def _put_off(self, slot: Slot) -> None:
        self.later[slot.key] = None
        self._world.pending = True

    def beat(self) -> None:
        """Do what was put off, and close positions that stayed unprotected too long."""
        world = self._world
        if self.later:
            due, self.later = self.later, {}
            for key in due:
                self.settle(world.slots[key])
        if self.protection.naked:
            self.protection.beat()
        if self.confirmation.waiting:
            self.confirmation.beat()

    def forget(self, actor: str) -> None:
        """Drop queued work: entries waiting for exits or a person, closes being kept at."""
        self.confirmation.forget(actor)
        for slot in self._world.slots.values():
            slot.wanted = 0
            slot.closing = False
