"""How Binance USDⓈ-M writes orders and fills; ``holdings.py`` has positions and money.

Prices and quantities are text, times and ids are integers, flags are JSON booleans.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.contracts import Contract
from exchanges.practice.state import (
    Cause,
    PracticeFill,
    PracticeOrder,
    Status,
    TriggerBy,
)
from exchanges.practice.wire import fixed, places, plain

Row = dict[str, Any]

SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
TIFS = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
WORKING = {
    TriggerBy.MARK: "MARK_PRICE",
    TriggerBy.LAST: "CONTRACT_PRICE",
    TriggerBy.INDEX: "CONTRACT_PRICE",
}
_STATUSES = {
    Status.NEW: "NEW",
    Status.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELED",
    Status.REJECTED: "EXPIRED",
    Status.UNTRIGGERED: "NEW",
    Status.TRIGGERED: "NEW",
}
_EXPIRED = frozenset(
    {Cause.IOC, Cause.FOK, Cause.REDUCE_ONLY, Cause.LIQUIDATION, Cause.MARGIN, Cause.POST_ONLY}
)


def number_of(text: str) -> int:
    """Read an id that the venue writes as an integer."""
    return int(text) if text.isdigit() else 0


def status_of(order: PracticeOrder) -> str:
    """Return the venue's status; an unfilled IOC remainder is EXPIRED, not CANCELED."""
    if order.status is Status.CANCELLED:
        if order.cause is Cause.SELF_TRADE:
            return "EXPIRED_IN_MATCH"
        if order.cause in _EXPIRED:
            return "EXPIRED"
    return _STATUSES[order.status]


def type_of(order: PracticeOrder) -> str:
    """Return ``LIMIT`` or ``MARKET``."""
    return "MARKET" if order.kind is OrderKind.MARKET else "LIMIT"


def tif_of(order: PracticeOrder) -> str:
    """Return the time in force; the venue says GTC of market orders."""
    return "GTC" if order.kind is OrderKind.MARKET else TIFS[order.tif]


def algo_type_of(order: PracticeOrder) -> str:
    """Return the conditional type: a stop fires against the position, a take-profit with it."""
    stop = order.trigger_above == (order.side is Side.BUY)
    name = "STOP" if stop else "TAKE_PROFIT"
    return f"{name}_MARKET" if order.kind is OrderKind.MARKET else name


def order_row(order: PracticeOrder, contract: Contract) -> Row:
    """Write an order as ``GET /fapi/v1/order`` does."""
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    kind = type_of(order)
    return {
        "orderId": number_of(order.order_id),
        "symbol": contract.venue_symbol,
        "status": status_of(order),
        "clientOrderId": order.client_id,
        "price": fixed(order.price or Decimal(0), price_digits),
        "avgPrice": fixed(order.average or Decimal(0), price_digits + 3),
        "origQty": fixed(order.qty, qty_digits),
        "executedQty": fixed(order.filled, qty_digits),
        "cumQuote": fixed(order.value, 5),
        "timeInForce": tif_of(order),
        "type": kind,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": SIDES[order.side],
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def reply_row(order: PracticeOrder, contract: Contract) -> Row:
    """Write an order as replies to placing, changing and cancelling do."""
    row = order_row(order, contract)
    del row["time"]
    row["cumQty"] = row["executedQty"]
    return row


def ack_row(order: PracticeOrder, contract: Contract) -> Row:
    """Write the ``ACK`` reply: the order as it arrived, before it could trade."""
    row = reply_row(order, contract)
    zero = fixed(0, places(contract.lot))
    row |= {"status": "NEW", "executedQty": zero, "cumQty": zero, "cumQuote": "0.00000"}
    row["avgPrice"] = fixed(0, 2)
    return row


def algo_row(order: PracticeOrder, contract: Contract, child: PracticeOrder | None) -> Row:
    """Write a conditional order as ``/fapi/v1/algoOrder`` does."""
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    filled = child is not None and child.filled > 0
    return {
        "algoId": number_of(order.order_id),
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo_type_of(order),
        "symbol": contract.venue_symbol,
        "side": SIDES[order.side],
        "positionSide": "BOTH",
        "timeInForce": tif_of(order),
        "quantity": fixed(order.qty, qty_digits),
        "algoStatus": algo_status_of(order, child),
        "actualOrderId": order.child_id,
        "actualPrice": fixed(child.average or Decimal(0), price_digits + 3) if child else "0.00000",
        "actualQty": fixed(child.filled, qty_digits) if filled and child else "",
        "actualType": type_of(child) if child else "",
        "triggerPrice": fixed(order.trigger or Decimal(0), price_digits),
        "price": fixed(order.price or Decimal(0), price_digits),
        "icebergQuantity": None,
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": WORKING[order.trigger_by],
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.updated_ms if order.status is Status.TRIGGERED else 0,
        "goodTillDate": 0,
    }


def algo_status_of(order: PracticeOrder, child: PracticeOrder | None) -> str:
    """Return the venue's status of a conditional order."""
    if order.status is Status.TRIGGERED:
        return "FINISHED" if child is not None and child.done else "TRIGGERED"
    if order.status is Status.CANCELLED:
        return "CANCELED" if order.cause not in _EXPIRED else "EXPIRED"
    return "REJECTED" if order.status is Status.REJECTED else "NEW"


def algo_event(order: PracticeOrder, contract: Contract, child: PracticeOrder | None) -> Row:
    """Write the ``o`` of ``ALGO_UPDATE``."""
    row = {
        "caid": order.client_id,
        "aid": number_of(order.order_id),
        "at": "CONDITIONAL",
        "o": algo_type_of(order),
        "s": contract.venue_symbol,
        "S": SIDES[order.side],
        "ps": "BOTH",
        "f": tif_of(order),
        "q": plain(order.qty),
        "X": algo_status_of(order, child),
        "ai": order.child_id,
        "ap": plain(child.average or Decimal(0)) if child else "0.00000",
        "aq": plain(child.filled) if child else "0.00000",
        "act": type_of(child) if child else "0",
        "tp": plain(order.trigger or Decimal(0)),
        "p": plain(order.price or Decimal(0)),
        "V": "EXPIRE_MAKER",
        "wt": WORKING[order.trigger_by],
        "pm": "NONE",
        "cp": order.close_position,
        "pP": False,
        "R": order.reduce_only,
        "tt": order.updated_ms if order.status is Status.TRIGGERED else 0,
        "gtd": 0,
    }
    if order.status is Status.REJECTED:
        row["rm"] = str(order.cause) or "rejected"
    return row


def order_event(
    order: PracticeOrder, contract: Contract, execution: str, fill: PracticeFill | None
) -> Row:
    """Write the ``o`` of ``ORDER_TRADE_UPDATE``; ``execution`` is its ``x``."""
    kind = type_of(order)
    row = {
        "s": contract.venue_symbol,
        "c": order.client_id,
        "S": SIDES[order.side],
        "o": kind,
        "f": tif_of(order),
        "q": plain(order.qty),
        "p": plain(order.price or Decimal(0)),
        "ap": plain(order.average or Decimal(0)),
        "sp": "0",
        "x": execution,
        "X": status_of(order),
        "i": number_of(order.order_id),
        "l": plain(fill.qty) if fill else "0",
        "z": plain(order.filled),
        "L": plain(fill.price) if fill else "0",
        "n": plain(fill.fee) if fill else "0",
        "N": "USDT",
        "T": fill.ts_ms if fill else order.updated_ms,
        "t": number_of(fill.trade_id) if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": kind,
        "ps": "BOTH",
        "cp": order.close_position,
        "rp": plain(fill.realised) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    if order.parent_id:
        row["st"] = "ALGO_CONDITION"
        row["si"] = number_of(order.parent_id)
    return row


def fill_row(fill: PracticeFill, contract: Contract) -> Row:
    """Write a fill as ``/fapi/v1/userTrades`` does."""
    return {
        "symbol": contract.venue_symbol,
        "id": number_of(fill.trade_id),
        "orderId": number_of(fill.order_id),
        "side": SIDES[fill.side],
        "price": fixed(fill.price, places(contract.tick)),
        "qty": fixed(fill.qty, places(contract.lot)),
        "realizedPnl": fixed(fill.realised, 8),
        "quoteQty": fixed(fill.price * fill.qty, 8),
        "commission": fixed(fill.fee, 8),
        "commissionAsset": "USDT",
        "time": fill.ts_ms,
        "positionSide": "BOTH",
        "buyer": fill.side is Side.BUY,
        "maker": fill.maker,
    }
