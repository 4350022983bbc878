"""How OKX v5 writes orders, fills, positions, balances, instruments and tickers.

Everything is text, flags too; an empty text means that there is none. Sizes are contracts. Fees
are negative when paid.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

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
from exchanges.practice.wire import fixed, plain

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


def position_row(position: PositionState, contract: Contract, last: str) -> Row:
    """Write a position, net mode."""
    value = abs(position.qty) * position.mark
    margin = position.initial_margin
    ratio = position.unrealised / margin if margin else Decimal(0)
    liquidation = position.liquidation
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "mgnMode": "cross",
        "posId": str(crc32(position.symbol.encode())),
        "posSide": "net",
        "pos": size(contract, position.qty),
        "posCcy": "",
        "availPos": size(contract, abs(position.qty)) if position.qty else "",
        "avgPx": plain(position.entry) if position.qty else "",
        "upl": plain(position.unrealised),
        "uplRatio": fixed(ratio, 6),
        "uplLastPx": plain(position.unrealised),
        "uplRatioLastPx": fixed(ratio, 6),
        "lever": plain(position.leverage),
        "liqPx": plain(liquidation) if position.qty and liquidation > 0 else "",
        "markPx": plain(position.mark),
        "last": last,
        "idxPx": plain(position.mark),
        "imr": plain(margin),
        "mmr": plain(position.maintenance_margin),
        "margin": "",
        "mgnRatio": "",
        "notionalUsd": plain(value),
        "ccy": "USDT",
        "interest": "",
        "tradeId": "",
        "adl": "2" if position.qty else "",
        "liab": "",
        "liabCcy": "",
        "optVal": "",
        "bePx": plain(position.entry) if position.qty else "",
        "usdPx": "",
        "realizedPnl": plain(position.realised),
        "pnl": plain(position.realised),
        "fee": "0",
        "fundingFee": "0",
        "liqPenalty": "0",
        "closeOrderAlgo": [],
        "pendingCloseOrdLiabVal": "",
        "baseBal": "",
        "baseBorrowed": "",
        "baseInterest": "",
        "quoteBal": "",
        "quoteBorrowed": "",
        "quoteInterest": "",
        "bizRefId": "",
        "bizRefType": "",
        "spotInUseAmt": "",
        "spotInUseCcy": "",
        "clSpotInUseAmt": "",
        "maxSpotInUseAmt": "",
        "deltaBS": "",
        "deltaPA": "",
        "gammaBS": "",
        "gammaPA": "",
        "thetaBS": "",
        "thetaPA": "",
        "vegaBS": "",
        "vegaPA": "",
        "nonSettleAvgPx": "",
        "settledPnl": "",
        "cTime": str(position.opened_ms or position.updated_ms),
        "uTime": str(position.updated_ms),
        "pTime": str(position.updated_ms),
    }


def balance_row(wallet: WalletState) -> Row:
    """Write the account as ``account/balance`` and channel ``account`` do."""
    used = wallet.position_margin + wallet.order_margin
    ratio = (
        plain((wallet.equity / wallet.maintenance_margin).quantize(Decimal("1e-8")))
        if (wallet.maintenance_margin)
        else ""
    )
    equity, stamp = plain(wallet.equity), str(wallet.updated_ms)
    return {
        "uTime": stamp,
        "totalEq": equity,
        "adjEq": equity,
        "availEq": plain(wallet.available),
        "isoEq": "0",
        "ordFroz": plain(wallet.order_margin),
        "imr": plain(used),
        "mmr": plain(wallet.maintenance_margin),
        "mgnRatio": ratio,
        "notionalUsd": "",
        "notionalUsdForBorrow": "",
        "notionalUsdForFutures": "",
        "notionalUsdForOption": "",
        "notionalUsdForSwap": "",
        "borrowFroz": "",
        "upl": plain(wallet.unrealised),
        "details": [
            {
                "ccy": "USDT",
                "eq": equity,
                "cashBal": plain(wallet.balance),
                "uTime": stamp,
                "isoEq": "0",
                "availEq": plain(wallet.available),
                "disEq": equity,
                "fixedBal": "0",
                "availBal": plain(wallet.available),
                "frozenBal": plain(used),
                "ordFrozen": plain(wallet.order_margin),
                "liab": "",
                "upl": plain(wallet.unrealised),
                "uplLiab": "",
                "crossLiab": "",
                "isoLiab": "",
                "mgnRatio": ratio,
                "interest": "",
                "twap": "0",
                "maxLoan": "",
                "eqUsd": equity,
                "borrowFroz": "",
                "notionalLever": "0",
                "stgyEq": "0",
                "isoUpl": "0",
                "spotInUseAmt": "",
                "clSpotInUseAmt": "",
                "maxSpotInUseAmt": "",
                "spotIsoBal": "0",
                "imr": plain(used),
                "mmr": plain(wallet.maintenance_margin),
                "smtSyncEq": "0",
                "coinUsdPrice": "1",
                "collateralEnabled": False,
                "rewardBal": "0",
                "accAvgPx": "",
                "openAvgPx": "",
                "spotBal": "",
                "spotUpl": "",
                "spotUplRatio": "",
                "totalPnl": "",
                "totalPnlRatio": "",
                "spotCopyTradingEq": "0",
            }
        ],
    }


def funding_bill(payment: FundingPayment, contract: Contract, balance: Decimal) -> Row:
    """Write a settlement as ``account/bills`` does: type 8; subtype 173 paid, 174 received."""
    return _bill(contract) | {
        "bal": plain(balance),
        "balChg": plain(payment.amount),
        "billId": payment.payment_id,
        "pnl": plain(payment.amount),
        "px": plain(payment.mark),
        "sz": size(contract, abs(payment.qty)),
        "subType": "174" if payment.amount > 0 else "173",
        "type": "8",
        "ts": str(payment.ts_ms),
        "fillTime": str(payment.ts_ms),
    }


def trade_bill(fill: PracticeFill, contract: Contract, balance: Decimal) -> Row:
    """Write a fill as ``account/bills`` does: type 2."""
    return _bill(contract) | {
        "bal": plain(balance),
        "balChg": plain(fill.realised - fill.fee),
        "billId": fill.trade_id,
        "fee": plain(-fill.fee),
        "pnl": plain(fill.realised),
        "px": plain(fill.price),
        "sz": size(contract, fill.qty),
        "subType": "1" if fill.side is Side.BUY else "2",
        "type": "2",
        "execType": "M" if fill.maker else "T",
        "ordId": fill.order_id,
        "clOrdId": fill.client_id,
        "tradeId": fill.trade_id,
        "ts": str(fill.ts_ms),
        "fillTime": str(fill.ts_ms),
    }


def _bill(contract: Contract) -> Row:
    names = (
        "clOrdId", "execType", "fillFwdPx", "fillIdxPx", "fillMarkPx", "fillMarkVol", "fillPxUsd",
        "fillPxVol", "from", "notes", "ordId", "tag", "to", "tradeId",
    )  # fmt: skip
    return dict.fromkeys(names, "") | {
        "ccy": "USDT",
        "fee": "0",
        "instId": contract.venue_symbol,
        "instType": "SWAP",
        "interest": "0",
        "mgnMode": "cross",
        "posBal": "0",
        "posBalChg": "0",
    }
