"""How OKX v5 writes orders and fills; ``holdings.py`` has positions and money.

Everything is text, flags too; an empty text means that there is none. Sizes are contracts. Fees
are negative when paid.
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
from exchanges.practice.wire import plain

Row = dict[str, Any]

TYPES = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
TRIGGERS = {TriggerBy.MARK: "mark", TriggerBy.LAST: "last", TriggerBy.INDEX: "index"}
_STATES = {
    Status.NEW: "live",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELLED: "canceled",
    Status.REJECTED: "canceled",
    Status.UNTRIGGERED: "live",
    Status.TRIGGERED: "effective",
}
_SOURCES = {
    Cause.USER: "1",
    Cause.FOK: "13",
    Cause.IOC: "14",
    Cause.COUNTDOWN: "20",
    Cause.REDUCE_ONLY: "23",
    Cause.POST_ONLY: "31",
    Cause.SELF_TRADE: "32",
    Cause.LIQUIDATION: "6",
    Cause.MARGIN: "9",
}


def flag(value: bool) -> str:
    """Write a flag as OKX does."""
    return "true" if value else "false"


def size(contract: Contract, qty: Decimal) -> str:
    """Write base units as contracts."""
    return plain(contract.native(qty))


def order_row(
    order: PracticeOrder,
    contract: Contract,
    parent: PracticeOrder | None,
    fill: PracticeFill | None,
    leverage: Decimal,
) -> Row:
    """Write an order as ``trade/order`` does; ``fill`` is its last execution."""
    market = order.kind is OrderKind.MARKET
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "ccy": "USDT",
        "ordId": order.order_id,
        "clOrdId": order.client_id,
        "tag": "",
        "px": "" if market else plain(order.price or Decimal(0)),
        "pxUsd": "",
        "pxVol": "",
        "pxType": "",
        "sz": size(contract, order.qty),
        "ordType": "market" if market else TYPES[order.tif],
        "side": order.side.value,
        "posSide": "net",
        "tdMode": "cross",
        "tgtCcy": "",
        "accFillSz": size(contract, order.filled),
        "avgPx": plain(order.average.quantize(Decimal("1e-8"))) if order.average else "",
        "fillPx": plain(fill.price) if fill else "",
        "tradeId": fill.trade_id if fill else "",
        "fillSz": size(contract, fill.qty) if fill else "0",
        "fillTime": str(fill.ts_ms) if fill else "",
        "state": _STATES[order.status],
        "lever": plain(leverage),
        "fee": plain(-order.fee),
        "feeCcy": "USDT",
        "rebate": "0",
        "rebateCcy": "USDT",
        "pnl": plain(order.realised),
        "category": "full_liquidation" if order.liquidation else "normal",
        "reduceOnly": flag(order.reduce_only),
        "isTpLimit": "false",
        "cancelSource": _SOURCES.get(order.cause, "") if order.done else "",
        "cancelSourceReason": "",
        "source": "7" if parent else "",
        "algoId": order.parent_id,
        "algoClOrdId": parent.client_id if parent else "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "linkedAlgoOrd": {"algoId": ""},
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "stpId": "",
        "stpMode": "cancel_maker",
        "quickMgnType": "",
        "tradeQuoteCcy": "USDT",
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
    }


def order_push(
    order: PracticeOrder,
    contract: Contract,
    parent: PracticeOrder | None,
    fill: PracticeFill | None,
    leverage: Decimal,
    last: str,
) -> Row:
    """Write an order as channel ``orders`` does, with the execution that caused the push."""
    value = order.qty * (order.price or order.average or Decimal(last))
    return order_row(order, contract, parent, fill, leverage) | {
        "amendResult": "",
        "amendSource": "",
        "code": "0",
        "msg": "",
        "reqId": "",
        "execType": ("M" if fill.maker else "T") if fill else "",
        "fillFee": plain(-fill.fee) if fill else "0",
        "fillFeeCcy": "USDT" if fill else "",
        "fillNotionalUsd": plain(fill.qty * fill.price) if fill else "",
        "fillPnl": plain(fill.realised) if fill else "0",
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillMarkPx": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillIdxPx": "",
        "notionalUsd": plain(value),
        "lastPx": last,
    }


def algo_row(
    order: PracticeOrder, contract: Contract, kind: str, child: PracticeOrder | None, last: str
) -> Row:
    """Write a conditional order as ``orders-algo-pending`` does.

    Args:
        order: the conditional order.
        contract: its contract.
        kind: ``trigger``, ``sl`` or ``tp``: how it was asked for.
        child: the order it made when it fired.
        last: last price.
    """
    trigger = plain(order.trigger or Decimal(0))
    price = "-1" if order.kind is OrderKind.MARKET else plain(order.price or Decimal(0))
    by = TRIGGERS[order.trigger_by]
    failed = order.status is Status.REJECTED
    row = {
        "algoId": order.order_id,
        "algoClOrdId": order.client_id,
        "clOrdId": "",
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "ordType": "trigger" if kind == "trigger" else "conditional",
        "state": "order_failed" if failed else _STATES[order.status],
        "side": order.side.value,
        "posSide": "net",
        "tdMode": "cross",
        "ccy": "USDT",
        "tgtCcy": "",
        "sz": size(contract, order.qty) if order.qty else "",
        "closeFraction": "1" if order.close_position else "",
        "reduceOnly": flag(order.reduce_only),
        "lever": "",
        "last": last,
        "ordId": order.child_id,
        "ordIdList": [order.child_id] if order.child_id else [],
        "actualPx": plain(child.average) if child and child.average else "",
        "actualSz": size(contract, child.filled) if child else "0",
        "actualSide": kind if child and kind != "trigger" else "",
        "triggerTime": str(order.updated_ms) if order.status is Status.TRIGGERED else "",
        "triggerPx": "",
        "triggerPxType": "",
        "ordPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "slOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tpOrdPx": "",
        "activePx": "",
        "amendPxOnTriggerType": "0",
        "attachAlgoOrds": [],
        "callbackRatio": "",
        "callbackSpread": "",
        "failCode": "51169" if failed else "",
        "linkedOrd": {"ordId": ""},
        "moveTriggerPx": "",
        "pxLimit": "",
        "pxSpread": "",
        "pxVar": "",
        "quickMgnType": "",
        "szLimit": "",
        "tag": "",
        "timeInterval": "",
        "isTradeBorrowMode": "",
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
    }
    if kind == "trigger":
        row |= {"triggerPx": trigger, "triggerPxType": by, "ordPx": price}
    else:
        row |= {f"{kind}TriggerPx": trigger, f"{kind}TriggerPxType": by, f"{kind}OrdPx": price}
    return row


def fill_row(fill: PracticeFill, contract: Contract) -> Row:
    """Write a fill as ``trade/fills-history`` does."""
    rate = contract.instrument.maker_fee if fill.maker else contract.instrument.taker_fee
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "tradeId": fill.trade_id,
        "ordId": fill.order_id,
        "clOrdId": fill.client_id,
        "billId": fill.trade_id,
        "subType": ("1" if fill.side is Side.BUY else "2") if not fill.liquidation else "100",
        "tag": "",
        "fillPx": plain(fill.price),
        "fillSz": size(contract, fill.qty),
        "fillIdxPx": "",
        "fillPnl": plain(fill.realised),
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": "",
        "side": fill.side.value,
        "posSide": "net",
        "execType": "M" if fill.maker else "T",
        "feeCcy": "USDT",
        "fee": plain(-fill.fee),
        "feeRate": plain(-rate),
        "ts": str(fill.ts_ms),
        "fillTime": str(fill.ts_ms),
        "tradeQuoteCcy": "USDT",
    }
