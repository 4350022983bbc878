"""The checks an order passes before it reaches the book; each raises ``Refusal`` or is silent."""

from __future__ import annotations

from decimal import Decimal

from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.accounts import Trader
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import OrderRequest, Refusal, RefusalKind


def check_shape(request: OrderRequest) -> None:
    """Refuse what no venue understands."""
    if request.qty <= 0 and not (request.close_position and request.trigger is not None):
        raise Refusal(RefusalKind.BAD_PARAMETER, f"quantity {request.qty} is not positive")
    if request.kind is OrderKind.LIMIT and (request.price is None or request.price <= 0):
        raise Refusal(RefusalKind.BAD_PARAMETER, "a limit order needs a positive price")
    if request.trigger is not None and request.trigger <= 0:
        raise Refusal(RefusalKind.BAD_PARAMETER, "the trigger price is not positive")
    if request.kind is OrderKind.STOP and request.trigger is None:
        raise Refusal(RefusalKind.BAD_PARAMETER, "a stop order needs a trigger price")


def check_client_id(rules: Rules, trader: Trader, client_id: str) -> None:
    """Refuse a client id of the wrong form, or one that is taken."""
    if not client_id:
        return
    if not rules.client_id.fullmatch(client_id):
        raise Refusal(RefusalKind.BAD_CLIENT_ID, f"client id {client_id!r} is not allowed")
    known = trader.find(None, "", client_id)
    if known is not None and (rules.client_id_once or not known.done):
        raise Refusal(RefusalKind.DUPLICATE_CLIENT_ID, f"client id {client_id} is taken")


def check_price(contract: Contract, price: Decimal | None) -> None:
    """Refuse a price off the tick."""
    tick = contract.instrument.tick
    if price is not None and price % tick:
        raise Refusal(RefusalKind.BAD_PRECISION_PRICE, f"price {price} is not a multiple of {tick}")


def check_qty(contract: Contract, qty: Decimal, market: bool) -> None:
    """Refuse a quantity off the lot, too small or too large."""
    instrument = contract.instrument
    if qty % instrument.lot:
        raise Refusal(
            RefusalKind.BAD_PRECISION_QTY, f"quantity {qty} is not a multiple of {instrument.lot}"
        )
    if qty < instrument.min_qty:
        raise Refusal(RefusalKind.BELOW_MIN_QTY, f"quantity {qty} < {instrument.min_qty}")
    most = instrument.max_market_qty
    if most is not None and qty > (most if market else most * 10):
        raise Refusal(RefusalKind.ABOVE_MAX_QTY, f"quantity {qty} > {most}")


def check_value(contract: Contract, qty: Decimal, price: Decimal) -> None:
    """Refuse an order worth too little."""
    least = contract.instrument.min_notional
    if qty * price < least:
        raise Refusal(RefusalKind.BELOW_MIN_NOTIONAL, f"value {qty * price} < {least} USDT")


def check_band(rules: Rules, side: Side, price: Decimal, mark: Decimal) -> None:
    """Refuse a limit price too far to the bad side of the mark."""
    worst = mark * (1 + rules.price_band * side.sign)
    if (price - worst) * side.sign > 0:
        raise Refusal(RefusalKind.PRICE_BAND, f"price {price} is beyond {worst} at mark {mark}")


def check_count(rules: Rules, trader: Trader, symbol: str, conditional: bool) -> None:
    """Refuse one order too many."""
    plain, stops = trader.counts(symbol)
    if (stops if conditional else plain) >= (rules.max_stops if conditional else rules.max_orders):
        raise Refusal(RefusalKind.TOO_MANY_ORDERS, f"{plain} orders and {stops} stops are open")


def check_reducing(trader: Trader, symbol: str, side: Side) -> None:
    """Refuse a reduce-only order that has nothing to reduce."""
    holding = trader.margin.holdings.get(symbol)
    if holding is None or holding.qty * side.sign >= 0:
        raise Refusal(RefusalKind.REDUCE_ONLY_REJECTED, "no position to reduce on that side")
