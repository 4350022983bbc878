"""The only door an order leaves by. What comes out is a type: ``Approved`` or ``Refused``."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.config import Limits
from core.model.event import TradingState, VenueState
from core.model.instrument import Instrument
from core.model.order import Order, OrderKind
from core.risk.codes import Code

_ZERO = Decimal(0)
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_ARMED = TradingState.ARMED
_READY = VenueState.READY
_LIMIT = OrderKind.LIMIT
_MARKET = OrderKind.MARKET


class Approved(Struct, frozen=True, gc=False):
    """An order that passed the gate. Made only here; only this can be sent."""

    order: Order
    stop: Decimal | None = None
    """Planned trigger of the protective stop, when it was given."""


class Refused(Struct, frozen=True, gc=False):
    """Why not, with the numbers."""

    code: Code
    limit: str
    value: str
    detail: str


class Circumstances(Struct, frozen=True, gc=False):
    """What the gate must know of the world; exposures count unknown orders as filled."""

    state: TradingState
    venue_state: VenueState
    venue_reason: str
    rejects: int
    """Venue refusals in a row."""
    paused: bool
    frozen: str
    """Why the symbol is frozen on this venue; empty when it is not."""
    cooling: float
    """Seconds a losing streak still pauses the instrument."""
    bad_news: float
    """Seconds for which bad news still block this order; 0 for those that sell."""
    age: float
    """Seconds since the book was last seen; infinite when never."""
    skew: float
    """Seconds between our clock and the venue's."""
    mid: Decimal
    """Middle of the book, or the last price; 0 when unknown."""
    mark: Decimal
    """Mark price; 0 when unknown."""
    equity: Decimal
    symbol_after: Decimal
    """Worst-case notional of the symbol over all venues with this order."""
    venue_after: Decimal
    gross_after: Decimal
    working: int
    """Working orders of this desk and of others."""
    second_full: bool
    minute_full: bool
    stop: Decimal
    """Trigger of the protective stop that will follow."""


class Gate:
    """Checks every order that may open risk against every limit, in a fixed order."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._stale = float(limits.stale_data)
        self._skew = float(limits.clock_skew)

    def open(
        self, order: Order, instrument: Instrument, now: Circumstances, stop: Decimal | None = None
    ) -> Approved | Refused:
        """Decide on an order that may open risk.

        Args:
            order: not reduce-only.
            instrument: its rules.
            now: the circumstances.
            stop: the protective trigger a person gave, kept with the intent.
        """
        return (
            self._condition(now)
            or self._shape(order, instrument, now)
            or self._size(order, now)
            or Approved(order, stop)
        )

    def reduce(self, order: Order, held: Decimal) -> Approved | Refused:
        """Decide on a reduce-only order: never vetoed, as long as it does reduce.

        Args:
            order: reduce-only.
            held: position in base units, negative when short.
        """
        if not order.reduce_only or order.qty <= 0:
            return Refused(Code.NOT_REDUCING, "reduce-only", str(order.qty), "not a reduction")
        if (held >= 0) == (order.side == "buy") or order.qty > abs(held):
            return Refused(
                Code.NOT_REDUCING, str(abs(held)), str(order.qty), f"the position is {held}"
            )
        return Approved(order)

    def _condition(self, now: Circumstances) -> Refused | None:
        limits = self.limits
        if now.state is not _ARMED:
            code = {
                TradingState.HALTED: Code.HALTED,
                TradingState.REDUCING: Code.REDUCING,
            }.get(now.state, Code.NOT_ARMED)
            return Refused(code, "armed", now.state, f"the desk is {now.state}")
        if now.rejects >= limits.rejects_in_a_row:
            return _over(Code.REJECTS_IN_A_ROW, limits.rejects_in_a_row, now.rejects)
        if now.venue_state is not _READY:
            return Refused(Code.VENUE_NOT_READY, "ready", now.venue_state, now.venue_reason)
        if now.paused:
            return Refused(Code.SYMBOL_PAUSED, "", "", "paused by hand")
        if now.frozen:
            return Refused(Code.SYMBOL_FROZEN, "", "", now.frozen)
        if now.cooling > 0.0:
            return Refused(
                Code.COOLING_DOWN,
                str(limits.loss_streak),
                f"{now.cooling:.0f} s left",
                "losing streak",
            )
        if now.bad_news > 0.0:
            return Refused(
                Code.BAD_NEWS,
                str(limits.news_burst),
                f"{now.bad_news:.0f} s left",
                "a burst of strongly negative news",
            )
        if now.age > self._stale:
            return _over(Code.STALE_DATA, f"{self._stale:g} s", f"{now.age:.3g} s")
        if abs(now.skew) > self._skew:
            return _over(Code.CLOCK_SKEW, f"{self._skew:g} s", f"{now.skew:.3g} s")
        return None

    def _shape(self, order: Order, rules: Instrument, now: Circumstances) -> Refused | None:
        qty = order.qty
        if qty <= 0 or qty % rules.lot:
            return Refused(Code.BAD_QUANTITY, f"lot {rules.lot}", str(qty), "not a multiple")
        mid = now.mid
        if mid <= 0:
            return _over(Code.STALE_DATA, f"{self._stale:g} s", "no price")
        price = mid
        reference = now.mark
        if order.kind is _LIMIT:
            if order.price is None or order.price <= 0:
                return Refused(Code.BAD_PRICE, "", str(order.price), "a limit order needs a price")
            price, reference = order.price, mid
        if reference > 0:
            distance = abs(price - reference) / reference
            if distance > self.limits.price_collar:
                return _over(Code.PRICE_COLLAR, self.limits.price_collar, f"{distance:.4f}")
        largest = rules.max_market_qty
        if order.kind is _MARKET and largest is not None and qty > largest:
            return Refused(Code.BAD_QUANTITY, str(largest), str(qty), "above the largest order")
        if qty < rules.min_qty:
            return Refused(Code.BELOW_MINIMUM, str(rules.min_qty), str(qty), "quantity")
        if qty * price < rules.min_notional:
            return Refused(
                Code.BELOW_MINIMUM, str(rules.min_notional), f"{qty * price:.2f}", "notional"
            )
        if (price <= now.stop) if order.side == "buy" else (price >= now.stop):
            return Refused(Code.BAD_STOP, str(price), str(now.stop), "stop on the wrong side")
        return None

    def _size(self, order: Order, now: Circumstances) -> Refused | None:
        limits = self.limits
        equity = now.equity
        price = order.price if order.price is not None else now.mid
        allowed = limits.order_notional * equity
        value = order.qty * price
        if value > allowed:
            return _above(Code.ORDER_NOTIONAL, allowed, value)
        allowed = limits.position_notional * equity
        value = now.symbol_after
        if value > allowed:
            return _above(Code.POSITION_NOTIONAL, allowed, value)
        allowed = limits.loss_to_stop * equity
        distance = price - now.stop if price > now.stop else now.stop - price
        if now.symbol_after * distance > allowed * price:
            return _above(Code.LOSS_TO_STOP, allowed, now.symbol_after * distance / price)
        allowed = limits.venue_notional * equity
        value = now.venue_after
        if value > allowed:
            return _above(Code.VENUE_NOTIONAL, allowed, value)
        allowed = limits.leverage * equity
        value = now.gross_after
        if value > allowed:
            return _above(Code.LEVERAGE, allowed, value)
        # The protective stop that follows is counted with its entry.
        if now.working + 2 > limits.open_orders:
            return _over(Code.OPEN_ORDERS, limits.open_orders, now.working)
        if now.second_full:
            return _over(Code.ORDERS_PER_SECOND, limits.orders_per_second, limits.orders_per_second)
        if now.minute_full:
            return _over(Code.ORDERS_PER_MINUTE, limits.orders_per_minute, limits.orders_per_minute)
        return None


def _over(code: Code, limit: object, value: object) -> Refused:
    return Refused(code, str(limit), str(value), f"{value} against a limit of {limit}")


def _above(code: Code, limit: Decimal, value: Decimal) -> Refused:
    return Refused(code, f"{limit:.2f}", f"{value:.2f}", f"{value:.2f} USDT, limit {limit:.2f}")
