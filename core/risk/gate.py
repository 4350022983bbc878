"""The only door an order leaves by. What comes out is a type: ``Approved`` or ``Refused``."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from msgspec import Struct

from core.config import Limits
from core.model.event import TradingState, VenueState
from core.model.instrument import Instrument
from core.model.order import Order, OrderKind
from core.model.whatif import CheckView
from core.risk.codes import Code
from core.risk.portfolio import Cluster, Tail

# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_ARMED = TradingState.ARMED
_READY = VenueState.READY
_LIMIT = OrderKind.LIMIT
_MARKET = OrderKind.MARKET
_ZERO = Decimal(0)
_CODE: Any = SimpleNamespace(**Code.__members__)


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

    @property
    def told(self) -> str:
        """The reason as a person reads it, with each number once."""
        numbers = (("limit", self.limit), ("value", self.value))
        rest = [
            f"{what} {said}"
            for what, said in numbers
            if any(map(str.isdigit, said)) and said not in self.detail
        ]
        return f"{self.detail} ({', '.join(rest)})" if rest else self.detail


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
    """Seconds for which bad news on the asset still block this order; 0 for those that sell."""
    bad_market: float
    """The same for news on the whole market."""
    age: float
    """Seconds since the book was last seen; infinite when never."""
    skew: float
    """Seconds between our clock and the venue's."""
    lag: float
    """Seconds that the desk stood still lately; 0 when it keeps time."""
    unguarded: str
    """Why the guard's absence holds it back; empty when it does not."""
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
    minute_after: float
    """Notional of orders in the last minute that may open risk, this one included, in quote."""
    stop: Decimal
    """Trigger of the protective stop that will follow."""
    tail_after: Tail | None = None
    """Bad days of the book with this order; None while there is no history to tell from."""
    cluster_after: Cluster | None = None
    """What the symbol moves with, with this order; None as before."""


class Gate:
    """Checks every order that may open risk against every limit, in a fixed order."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._stale = float(limits.stale_data)
        self._skew = float(limits.clock_skew)
        self._lag = float(limits.loop_lag)
        self._turnover = float(limits.notional_per_minute)

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
        for code, passed, limit, value, detail in self._findings(order, instrument, now):
            if not passed:
                return _refused(code, limit, value, detail)
        return Approved(order, stop)

    def explain(
        self, order: Order, instrument: Instrument, now: Circumstances
    ) -> tuple[CheckView, ...]:
        """Return every check that ``open`` would make, with its numbers, failed or not.

        ``open`` refuses for the first that failed. Checks that mean nothing after an earlier
        failure (there is no price) are left out.
        """
        checks = []
        for code, passed, limit, value, detail in self._findings(order, instrument, now):
            told = _refused(code, limit, value, detail)
            checks.append(
                CheckView(code, passed, told.limit, told.value, "" if passed else told.detail)
            )
        return tuple(checks)

    def reduce(self, order: Order, held: Decimal) -> Approved | Refused:
        """Decide on a reduce-only order: never vetoed, as long as it does reduce.

        Args:
            order: reduce-only.
            held: position in base units, negative when short.
        """
        if not order.reduce_only or order.qty <= _ZERO:
            return Refused(Code.NOT_REDUCING, "reduce-only", str(order.qty), "not a reduction")
        if (held >= _ZERO) == (order.side == "buy") or order.qty > abs(held):
            return Refused(
                Code.NOT_REDUCING, str(abs(held)), str(order.qty), f"the position is {held}"
            )
        return Approved(order)

    # The one list of checks: what ``open`` refuses and what ``explain`` shows cannot differ. A
    # second, quicker form of it once missed a check that was added here.
    def _findings(self, order: Order, rules: Instrument, now: Circumstances) -> list[_Finding]:
        return [*self._conditions(now), *self._shape(order, rules, now), *self._sizes(order, now)]

    def _conditions(self, now: Circumstances) -> tuple[_Finding, ...]:
        limits = self.limits
        state = now.state
        armed = state is _ARMED
        code = _CODE.NOT_ARMED if armed else _CLOSED.get(state, _CODE.NOT_ARMED)
        ready = now.venue_state is _READY
        rejects = limits.rejects_in_a_row
        cooling, bad, worse = now.cooling, now.bad_news, now.bad_market
        cool = f"{cooling:.0f} s left" if cooling > 0.0 else ""
        calm = f"{bad:.0f} s left" if bad > 0.0 else ""
        calmer = f"{worse:.0f} s left" if worse > 0.0 else ""
        told = "strongly negative news on the whole market"
        burst = limits.news_market_burst
        return (
            (code, armed, "armed", state, "" if armed else f"the desk is {state}"),
            (_CODE.REJECTS_IN_A_ROW, now.rejects < rejects, rejects, now.rejects, _AGAINST),
            (_CODE.VENUE_NOT_READY, ready, "ready", now.venue_state, now.venue_reason),
            (_CODE.SYMBOL_PAUSED, not now.paused, "", "", "paused by hand"),
            (_CODE.SYMBOL_FROZEN, not now.frozen, "", "", now.frozen),
            (_CODE.COOLING_DOWN, cooling <= 0.0, limits.loss_streak, cool, "losing streak"),
            (_CODE.BAD_NEWS, bad <= 0.0, limits.news_burst, calm, "strongly negative news"),
            (_CODE.BAD_MARKET_NEWS, worse <= 0.0, burst, calmer, told),
            (_CODE.STALE_DATA, now.age <= self._stale, self._stale, now.age, _SECONDS),
            (_CODE.CLOCK_SKEW, abs(now.skew) <= self._skew, self._skew, now.skew, _SECONDS),
            (_CODE.LOOP_LAG, now.lag <= self._lag, self._lag, now.lag, _SECONDS),
            (_CODE.UNGUARDED, not now.unguarded, "", "", now.unguarded),
        )

    def _shape(self, order: Order, rules: Instrument, now: Circumstances) -> list[_Finding]:
        qty = order.qty
        whole = qty > _ZERO and not qty % rules.lot
        found: list[_Finding] = [(_CODE.BAD_QUANTITY, whole, rules.lot, qty, _LOT)]
        mid = now.mid
        if mid <= _ZERO:
            found.append((_CODE.STALE_DATA, False, f"{self._stale:g} s", "no price", _AGAINST))
            return found
        price = mid
        reference = now.mark
        if order.kind is _LIMIT:
            if order.price is None or order.price <= _ZERO:
                missing = "a limit order needs a price"
                found.append((_CODE.BAD_PRICE, False, "", order.price, missing))
                return found
            price, reference = order.price, mid
        if reference > _ZERO:
            distance = abs(price - reference) / reference
            collar = self.limits.price_collar
            found.append((_CODE.PRICE_COLLAR, distance <= collar, collar, distance, _SHARE))
        largest = rules.max_market_qty
        if order.kind is _MARKET and largest is not None:
            above = "above the largest order"
            found.append((_CODE.BAD_QUANTITY, qty <= largest, largest, qty, above))
        smallest = rules.min_qty
        value, least = qty * price, rules.min_notional
        stop = now.stop
        good = _ZERO < stop < price if order.side == "buy" else price < stop
        found += (
            (_CODE.BELOW_MINIMUM, qty >= smallest, smallest, qty, "quantity"),
            (_CODE.BELOW_MINIMUM, value >= least, least, value, _NOTIONAL),
            (_CODE.BAD_STOP, good, price, stop, "stop on the wrong side"),
        )
        return found

    def _sizes(self, order: Order, now: Circumstances) -> tuple[_Finding, ...]:
        limits = self.limits
        equity = now.equity
        price = order.price if order.price is not None else now.mid
        if price <= _ZERO:
            return ()
        value, most = order.qty * price, limits.order_notional * equity
        symbol, symbol_most = now.symbol_after, limits.position_notional * equity
        loss, loss_most = symbol * abs(price - now.stop) / price, limits.loss_to_stop * equity
        venue, venue_most = now.venue_after, limits.venue_notional * equity
        gross, gross_most = now.gross_after, limits.leverage * equity
        worth = float(equity)
        orders = limits.open_orders
        second, minute = limits.orders_per_second, limits.orders_per_minute
        full, filled = now.second_full, now.minute_full
        opened, bound = now.minute_after, self._turnover * worth
        return (
            (_CODE.ORDER_NOTIONAL, value <= most, most, value, _QUOTE),
            (_CODE.POSITION_NOTIONAL, symbol <= symbol_most, symbol_most, symbol, _QUOTE),
            (_CODE.LOSS_TO_STOP, loss <= loss_most, loss_most, loss, _QUOTE),
            (_CODE.VENUE_NOTIONAL, venue <= venue_most, venue_most, venue, _QUOTE),
            (_CODE.LEVERAGE, gross <= gross_most, gross_most, gross, _QUOTE),
            *self._portfolio(now, worth),
            # The protective stop that follows is counted with its entry.
            (_CODE.OPEN_ORDERS, now.working + 2 <= orders, orders, now.working, _AGAINST),
            (_CODE.ORDERS_PER_SECOND, not full, second, second if full else "", _AGAINST),
            (_CODE.ORDERS_PER_MINUTE, not filled, minute, minute if filled else "", _AGAINST),
            (_CODE.NOTIONAL_PER_MINUTE, opened <= bound, bound, opened, _QUOTE),
        )

    def _portfolio(self, now: Circumstances, equity: float) -> tuple[_Finding, ...]:
        limits = self.limits
        tail, cluster = now.tail_after, now.cluster_after
        found: tuple[_Finding, ...] = ()
        if tail is not None:
            for code, share, value in (
                (_CODE.VALUE_AT_RISK, limits.value_at_risk, tail.value_at_risk),
                (_CODE.EXPECTED_SHORTFALL, limits.expected_shortfall, tail.shortfall),
            ):
                allowed = float(share) * equity
                found += ((code, value <= allowed, allowed, value, _QUOTE),)
        if cluster is not None:
            allowed = float(limits.correlated_notional) * equity
            value = cluster.value
            found += ((_CODE.CORRELATED_NOTIONAL, value <= allowed, allowed, value, _QUOTE),)
        return found


_Finding = tuple[Code, bool, object, object, str]
"""Code, whether it passed, limit, value, and what to say of a failure (or how)."""
# How a failure is told. Texts are made only then: an order that passes costs no formatting.
_AGAINST = "against"
_QUOTE = "quote"
_SECONDS = "seconds"
_SHARE = "share"
_NOTIONAL = "notional"
_LOT = "lot"
_CLOSED = {TradingState.HALTED: Code.HALTED, TradingState.REDUCING: Code.REDUCING}


def _refused(code: Code, limit: object, value: object, detail: str) -> Refused:
    if detail is _QUOTE:
        allowed, amount = f"{limit:.2f}", f"{value:.2f}"
        return Refused(code, allowed, amount, f"{amount} USDT, limit {allowed}")
    if detail is _NOTIONAL:
        return Refused(code, str(limit), f"{value:.2f}", "notional")
    if detail is _LOT:
        return Refused(code, f"lot {limit}", str(value), "not a multiple")
    if detail is _SECONDS:
        limit, value, detail = f"{limit:g} s", f"{value:.3g} s", _AGAINST
    elif detail is _SHARE:
        value, detail = f"{value:.4f}", _AGAINST
    if detail is _AGAINST:
        detail = f"{value} against a limit of {limit}"
    return Refused(code, str(limit), str(value), detail)
