"""What an order would do: the real gate asked, nothing sent. Reads everything, changes nothing."""

from __future__ import annotations

from decimal import Decimal

from core.engine.dealing import Dealing
from core.engine.execution import Execution
from core.engine.slot import Slot
from core.engine.world import World
from core.model.event import Submit
from core.model.order import Order, OrderKind, TimeInForce
from core.model.whatif import CheckView, WhatIf
from core.portfolio.position import Position
from core.risk.codes import Code
from core.risk.gate import Refused

MAINTENANCE = Decimal("0.005")
"""Maintenance margin taken for the liquidation price, as a fraction of notional: the lowest tier of
large contracts. Venues' tiers differ and grow with size, so the price is approximate."""
_ZERO = Decimal(0)


class Weigher:
    """Answers what-if questions from the engine's state."""

    def __init__(self, world: World, dealing: Dealing, execution: Execution) -> None:
        self._world = world
        self._dealing = dealing
        self._execution = execution

    def weigh(self, event: Submit) -> WhatIf:
        """Return the gate's verdict on an order and what it would lead to."""
        slot = self._slot(event.venue, event.symbol)
        if slot is None or slot.instrument is None:
            detail = f"{event.venue} lists no {event.symbol}"
            return _refusal(Refused(Code.UNKNOWN_INSTRUMENT, "", "", detail))
        order = self._dealing.draft(slot, event, "")
        unfit = self._dealing.unfit(slot, order)
        if unfit is not None:
            return _refusal(unfit, slot.position.qty)
        if order.reduce_only:
            return self._reducing(slot, order)
        return self._opening(slot, order, event.stop)

    def _opening(self, slot: Slot, order: Order, stop: Decimal | None) -> WhatIf:
        world, execution = self._world, self._execution
        assert slot.instrument is not None
        equity = world.equity()
        assert equity is not None
        seen = execution.circumstances(slot, order, equity, stop)
        checks = execution.gate.explain(order, slot.instrument, seen)
        failed = next((check for check in checks if not check.passed), None)
        price = order.price if order.price is not None else seen.mid
        position = slot.position.qty + order.qty * order.side.sign
        return WhatIf(
            failed is None,
            failed.code if failed else Code.DONE,
            failed.detail if failed else "would be sent",
            checks,
            position,
            seen.gross_after,
            seen.gross_after / equity if equity > 0 else None,
            seen.stop,
            seen.symbol_after * abs(price - seen.stop) / price if price else None,
            self._liquidation(slot, position, price),
            _fee(slot, order, price),
        )

    def _reducing(self, slot: Slot, order: Order) -> WhatIf:
        world = self._world
        held = slot.position.qty
        verdict = self._execution.gate.reduce(order, held)
        price = order.price or order.trigger or slot.middle()
        if type(verdict) is Refused:
            return _refusal(verdict, held)
        position = held + order.qty * order.side.sign
        total = sum((other.exposure() for other in world.active.values()), _ZERO)
        total -= order.qty * slot.value()
        equity = world.equity()
        check = CheckView(Code.NOT_REDUCING, True, str(abs(held)), str(order.qty), "")
        return WhatIf(
            True,
            Code.DONE,
            "reduces: never vetoed",
            (check,),
            position,
            max(total, _ZERO),
            max(total, _ZERO) / equity if equity else None,
            None,
            None,
            self._liquidation(slot, position, price),
            _fee(slot, order, price),
        )

    # At cross margin the whole equity of the venue stands behind the position; other positions are
    # taken to stay where they are.
    def _liquidation(self, slot: Slot, position: Decimal, price: Decimal) -> Decimal | None:
        if not position or not price or slot.instrument is None:
            return None
        equity = self._world.venue_equity(slot.venue)
        size = abs(position)
        if position > 0:
            level = (size * price - equity) / (size * (1 - MAINTENANCE))
        else:
            level = (size * price + equity) / (size * (1 + MAINTENANCE))
        return slot.instrument.round_price(level) if level > 0 else None

    # A what-if must leave no trace, so an instrument not looked at before gets a slot of its own.
    def _slot(self, venue: str, symbol: str) -> Slot | None:
        known = self._world.venues.get(venue)
        if known is None or symbol not in known.instruments:
            return None
        slot = self._world.slots.get((venue, symbol))
        if slot is None:
            slot = Slot(venue, symbol, Position(venue, symbol))
            slot.instrument = known.instruments[symbol]
        return slot


def _fee(slot: Slot, order: Order, price: Decimal) -> Decimal:
    assert slot.instrument is not None
    resting = order.kind is OrderKind.LIMIT and order.tif is TimeInForce.POST_ONLY
    rate = slot.instrument.maker_fee if resting else slot.instrument.taker_fee
    return order.qty * price * rate


def _refusal(refused: Refused, held: Decimal = _ZERO) -> WhatIf:
    check = CheckView(refused.code, False, refused.limit, refused.value, refused.detail)
    return WhatIf(
        False, refused.code, refused.detail, (check,), held, _ZERO, None, None, None, None, _ZERO
    )
