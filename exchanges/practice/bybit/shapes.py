"""How Bybit v5 writes orders, fills, positions, wallets, instruments and tickers.

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
    FundingPayment,
    PositionState,
    PracticeFill,
    PracticeOrder,
    Status,
    TriggerBy,
    WalletState,
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


def funding_row(payment: FundingPayment, contract: Contract) -> Row:
    """Write a settlement as ``execution/list`` does; ``execFee`` is positive when paid."""
    qty = abs(payment.qty)
    digits = places(contract.lot)
    return {
        "category": "linear",
        "symbol": contract.venue_symbol,
        "execId": payment.payment_id,
        "orderId": f"{payment.ts_ms}-{payment.payment_id}",
        "orderLinkId": "",
        "side": "Buy" if payment.qty > 0 else "Sell",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "createType": "",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "execPrice": plain(payment.mark),
        "execQty": fixed(qty, digits),
        "execValue": plain(qty * payment.mark),
        "execFee": plain(-payment.amount),
        "feeRate": plain(payment.rate),
        "feeCurrency": "",
        "execType": "Funding",
        "execTime": str(payment.ts_ms),
        "isMaker": False,
        "isLeverage": "0",
        "markPrice": plain(payment.mark),
        "indexPrice": "",
        "underlyingPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "closedSize": "0",
        "seq": payment.ts_ms,
    }


def trade_log(fill: PracticeFill, contract: Contract, balance: Decimal) -> Row:
    """Write a fill as ``transaction-log`` does: what it changed in cash."""
    rate = contract.instrument.maker_fee if fill.maker else contract.instrument.taker_fee
    return {
        "id": f"{fill.account}_{contract.venue_symbol}_{fill.trade_id}",
        "symbol": contract.venue_symbol,
        "side": SIDES[fill.side],
        "funding": "",
        "orderLinkId": fill.client_id,
        "orderId": fill.order_id,
        "fee": plain(fill.fee),
        "change": plain(fill.realised - fill.fee),
        "cashFlow": plain(fill.realised),
        "transactionTime": str(fill.ts_ms),
        "type": "TRADE",
        "feeRate": plain(rate),
        "bonusChange": "",
        "size": "",
        "qty": fixed(fill.qty, places(contract.lot)),
        "cashBalance": plain(balance),
        "currency": "USDT",
        "category": "linear",
        "tradePrice": fixed(fill.price, places(contract.tick)),
        "tradeId": fill.trade_id,
    }


def funding_log(payment: FundingPayment, contract: Contract, balance: Decimal) -> Row:
    """Write a settlement as ``transaction-log`` does; ``funding`` is positive when received."""
    return {
        "id": f"{payment.account}_{contract.venue_symbol}_{payment.payment_id}",
        "symbol": contract.venue_symbol,
        "side": "Buy" if payment.qty > 0 else "Sell",
        "funding": plain(payment.amount),
        "orderLinkId": "",
        "orderId": payment.payment_id,
        "fee": "0",
        "change": plain(payment.amount),
        "cashFlow": "0",
        "transactionTime": str(payment.ts_ms),
        "type": "SETTLEMENT",
        "feeRate": plain(payment.rate),
        "bonusChange": "",
        "size": plain(payment.qty),
        "qty": plain(abs(payment.qty)),
        "cashBalance": plain(balance),
        "currency": "USDT",
        "category": "linear",
        "tradePrice": plain(payment.mark),
        "tradeId": payment.payment_id,
    }


def position_row(position: PositionState, contract: Contract, *, stream: bool) -> Row:
    """Write a position; the stream calls the average price ``entryPrice``, REST ``avgPrice``."""
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    size = abs(position.qty)
    liquidation = position.liquidation
    return {
        "positionIdx": 0,
        "tradeMode": 0,
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": contract.venue_symbol,
        "side": "" if not position.qty else ("Buy" if position.qty > 0 else "Sell"),
        "size": fixed(size, qty_digits) if size else "0",
        "entryPrice" if stream else "avgPrice": plain(position.entry),
        "leverage": plain(position.leverage),
        "positionValue": plain(size * position.entry) if size else ("0" if stream else ""),
        "positionBalance": "0",
        "markPrice": fixed(position.mark, price_digits),
        "positionIM": plain(position.initial_margin),
        "positionMM": plain(position.maintenance_margin),
        "positionIMByMp": plain(position.initial_margin),
        "positionMMByMp": plain(position.maintenance_margin),
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "unrealisedPnl": plain(position.unrealised),
        "curRealisedPnl": plain(position.realised),
        "cumRealisedPnl": plain(position.realised),
        "sessionAvgPrice": "",
        "liqPrice": fixed(liquidation, price_digits) if size and liquidation > 0 else "",
        "bustPrice": "",
        "category": "linear",
        "positionStatus": "Normal",
        "adlRankIndicator": 2 if size else 0,
        "autoAddMargin": 0,
        "isReduceOnly": False,
        "leverageSysUpdatedTime": "",
        "mmrSysUpdatedTime": "",
        "seq": position.updated_ms,
        "createdTime": str(position.opened_ms or position.updated_ms),
        "updatedTime": str(position.updated_ms),
    }


def wallet_row(wallet: WalletState) -> Row:
    """Write the unified account as ``wallet-balance`` and topic ``wallet`` do."""
    equity, used = wallet.equity, wallet.position_margin + wallet.order_margin
    rate = used / equity if equity > 0 else Decimal(0)
    keep = wallet.maintenance_margin / equity if equity > 0 else Decimal(0)
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": fixed(rate, 4),
        "accountMMRate": fixed(keep, 4),
        "totalEquity": plain(equity),
        "totalWalletBalance": plain(wallet.balance),
        "totalMarginBalance": plain(equity),
        "totalAvailableBalance": plain(wallet.available),
        "totalPerpUPL": plain(wallet.unrealised),
        "totalInitialMargin": plain(used),
        "totalMaintenanceMargin": plain(wallet.maintenance_margin),
        "coin": [
            {
                "coin": "USDT",
                "equity": plain(equity),
                "usdValue": plain(equity),
                "walletBalance": plain(wallet.balance),
                "availableToWithdraw": "",
                "availableToBorrow": "",
                "borrowAmount": "0",
                "accruedInterest": "0",
                "totalOrderIM": plain(wallet.order_margin),
                "totalPositionIM": plain(wallet.position_margin),
                "totalPositionMM": plain(wallet.maintenance_margin),
                "unrealisedPnl": plain(wallet.unrealised),
                "cumRealisedPnl": "0",
                "bonus": "0",
                "collateralSwitch": True,
                "marginCollateral": True,
                "locked": "0",
                "spotBorrow": "0",
                "spotHedgingQty": "0",
            }
        ],
    }
