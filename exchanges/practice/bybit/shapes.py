"""How Bybit v5 writes orders and fills; ``holdings.py`` has positions and money.

Every number is text; an empty text means that there is none.
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

SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
TIFS = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
TRIGGERS = {
    TriggerBy.MARK: "MarkPrice",
    TriggerBy.LAST: "LastPrice",
    TriggerBy.INDEX: "IndexPrice",
}
_STATUSES = {
    Status.UNTRIGGERED: "Untriggered",
    Status.TRIGGERED: "Triggered",
    Status.NEW: "New",
    Status.PARTIALLY_FILLED: "PartiallyFilled",
    Status.FILLED: "Filled",
    Status.CANCELLED: "Cancelled",
    Status.REJECTED: "Rejected",
}
_REJECTIONS = {
    Cause.USER: "EC_PerCancelRequest",
    Cause.COUNTDOWN: "EC_PerCancelRequest",
    Cause.POST_ONLY: "EC_PostOnlyWillTakeLiquidity",
    Cause.IOC: "EC_NoImmediateQtyToFill",
    Cause.FOK: "EC_CancelForNoFullFill",
    Cause.REDUCE_ONLY: "EC_Others",
    Cause.MARGIN: "EC_Others",
    Cause.SELF_TRADE: "EC_Others",
    Cause.LIQUIDATION: "EC_Others",
}
_CANCELS = {
    Cause.USER: "CancelByUser",
    Cause.COUNTDOWN: "CancelByDCP",
    Cause.REDUCE_ONLY: "CancelByReduceOnly",
    Cause.SELF_TRADE: "CancelBySmp",
    Cause.LIQUIDATION: "CancelAllBeforeLiq",
}


def order_row(order: PracticeOrder, contract: Contract) -> Row:
    """Write an order as ``order/realtime`` and topic ``order`` do.

    ``tpslMode`` is there even when it says nothing: clients tell a contract from spot by it.
    """
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    open_ = not order.done
    left = order.remaining if open_ else Decimal(0)
    deactivated = (
        order.conditional
        and order.status is Status.CANCELLED
        and order.cause in (Cause.USER, Cause.COUNTDOWN)
        and not order.filled
    )
    conditional = order.conditional
    return {
        "symbol": contract.venue_symbol,
        "orderId": order.order_id,
        "orderLinkId": order.client_id,
        "blockTradeId": "",
        "side": SIDES[order.side],
        "positionIdx": 0,
        "orderStatus": "Deactivated" if deactivated else _STATUSES[order.status],
        "orderType": "Market" if order.kind is OrderKind.MARKET else "Limit",
        "stopOrderType": "Stop" if conditional else "",
        "createType": "CreateByLiq" if order.liquidation else "CreateByUser",
        "cancelType": _CANCELS.get(order.cause, "UNKNOWN"),
        "rejectReason": _REJECTIONS.get(order.cause, "EC_NoError"),
        "timeInForce": "IOC" if order.kind is OrderKind.MARKET else TIFS[order.tif],
        "price": fixed(order.price or Decimal(0), price_digits) if order.price else "0",
        "qty": fixed(order.qty, qty_digits),
        "leavesQty": fixed(left, qty_digits),
        "leavesValue": plain(left * (order.price or Decimal(0))),
        "cumExecQty": fixed(order.filled, qty_digits),
        "cumExecValue": plain(order.value),
        "cumExecFee": plain(order.fee),
        "avgPrice": fixed(order.average, price_digits + 2).rstrip("0") if order.average else "",
        "lastPriceOnCreated": "",
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_position,
        "triggerPrice": fixed(order.trigger, price_digits) if order.trigger is not None else "",
        "triggerDirection": (1 if order.trigger_above else 2) if conditional else 0,
        "triggerBy": TRIGGERS[order.trigger_by] if conditional else "",
        "tpslMode": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "ocoTriggerBy": "",
        "orderIv": "",
        "marketUnit": "",
        "placeType": "",
        "isLeverage": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "feeCurrency": "",
        "extraFees": "",
        "cumFeeDetail": {"USDT": plain(order.fee)} if order.fee else {},
        "category": "linear",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def fill_row(fill: PracticeFill, contract: Contract, mark: str, closed: Decimal) -> Row:
    """Write a fill as ``execution/list`` and topic ``execution`` do."""
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    value = fill.price * fill.qty
    return {
        "category": "linear",
        "symbol": contract.venue_symbol,
        "execId": fill.trade_id,
        "orderId": fill.order_id,
        "orderLinkId": fill.client_id,
        "side": SIDES[fill.side],
        "orderType": "Market" if fill.kind is OrderKind.MARKET else "Limit",
        "stopOrderType": "UNKNOWN",
        "createType": "CreateByLiq" if fill.liquidation else "CreateByUser",
        "orderPrice": fixed(fill.order_price or Decimal(0), price_digits),
        "orderQty": fixed(fill.order_qty, qty_digits),
        "leavesQty": fixed(fill.remaining, qty_digits),
        "execPrice": fixed(fill.price, price_digits),
        "execQty": fixed(fill.qty, qty_digits),
        "execValue": plain(value),
        "execFee": plain(fill.fee),
        "execFeeV2": "",
        "execPnl": plain(fill.realised),
        "feeRate": plain(
            contract.instrument.maker_fee if fill.maker else contract.instrument.taker_fee
        ),
        "feeCurrency": "",
        "extraFees": "",
        "execType": "BustTrade" if fill.liquidation else "Trade",
        "execTime": str(fill.ts_ms),
        "isMaker": fill.maker,
        "isLeverage": "0",
        "markPrice": mark,
        "indexPrice": "",
        "underlyingPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "closedSize": fixed(closed, qty_digits),
        "seq": fill.ts_ms,
    }
