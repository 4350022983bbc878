"""How Bybit v5 writes orders, fills, positions, wallets, instruments and tickers.

Every number is text; an empty text means that there is none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import (
    Cause,
    FundingPayment,
    Kline,
    PositionState,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    Status,
    TickerState,
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
    """Write an order as ``order/realtime`` and topic ``order`` do; ``tpslMode`` included, by
    which ccxt tells a contract from a spot order.
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


def instrument_row(contract: Contract, rules: Rules) -> Row:
    """Write an instrument as ``instruments-info`` does."""
    instrument = contract.instrument
    largest = format(instrument.max_market_qty or contract.lot * 1_000_000, "f")
    return {
        "symbol": contract.venue_symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": instrument.base,
        "quoteCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(places(contract.tick)),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": fixed(instrument.max_leverage, 2),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": format(contract.tick, "f"),
            "maxPrice": format(contract.tick * 19_999_998, "f"),
            "tickSize": format(contract.tick, "f"),
        },
        "lotSizeFilter": {
            "maxOrderQty": largest,
            "minOrderQty": format(instrument.min_qty, "f"),
            "qtyStep": format(contract.lot, "f"),
            "postOnlyMaxOrderQty": largest,
            "maxMktOrderQty": largest,
            "minNotionalValue": format(instrument.min_notional, "f"),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": rules.funding_hours * 60,
        "settleCoin": "USDT",
        "copyTrading": "both",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": plain(rules.price_band),
            "priceLimitRatioY": plain(rules.price_band * 2),
        },
        "displayName": "",
        "symbolType": "",
        "forbidUplWithdrawal": False,
    }


def ticker_row(ticker: TickerState, contract: Contract, hour_ago: str) -> Row:
    """Write a ticker as REST does; the stream sends the changed fields of the same."""
    interest = contract.qty(ticker.open_interest_lots)
    return {
        "symbol": contract.venue_symbol,
        "lastPrice": contract.price_text(ticker.last_tick),
        "indexPrice": ticker.index,
        "markPrice": ticker.mark,
        "prevPrice24h": contract.price_text(ticker.open_24h_tick),
        "price24hPcnt": f"{ticker.change_24h:.6f}",
        "highPrice24h": contract.price_text(ticker.high_24h_tick),
        "lowPrice24h": contract.price_text(ticker.low_24h_tick),
        "prevPrice1h": hour_ago,
        "openInterest": plain(interest),
        "openInterestValue": fixed(interest * Decimal(ticker.mark), 2),
        "singleOpenInterest": plain(interest / 2),
        "singleOpenInterestValue": fixed(interest / 2 * Decimal(ticker.mark), 2),
        "turnover24h": f"{ticker.turnover_24h:.4f}",
        "volume24h": plain(contract.qty(ticker.lots_24h)),
        "fundingRate": ticker.funding_rate,
        "nextFundingTime": str(ticker.next_funding_ms),
        "bid1Price": contract.price_text(ticker.bid_tick),
        "bid1Size": contract.qty_text(ticker.bid_lots),
        "ask1Price": contract.price_text(ticker.ask_tick),
        "ask1Size": contract.qty_text(ticker.ask_lots),
        "fundingIntervalHour": str(ticker.funding_interval_ms // 3_600_000),
        "fundingCap": "0.005",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def kline_row(kline: Kline, contract: Contract) -> list[str]:
    """Write a candle as ``market/kline`` does."""
    return [
        str(kline.start_ms),
        contract.price_text(kline.open),
        contract.price_text(kline.high),
        contract.price_text(kline.low),
        contract.price_text(kline.close),
        contract.qty_text(kline.lots),
        f"{kline.turnover:.4f}",
    ]


def kline_push(kline: Kline, contract: Contract, interval: str, seconds: int, now: int) -> Row:
    """Write a candle as topic ``kline`` does."""
    return {
        "start": kline.start_ms,
        "end": kline.start_ms + seconds * 1000 - 1,
        "interval": interval,
        "open": contract.price_text(kline.open),
        "close": contract.price_text(kline.close),
        "high": contract.price_text(kline.high),
        "low": contract.price_text(kline.low),
        "volume": contract.qty_text(kline.lots),
        "turnover": f"{kline.turnover:.4f}",
        "confirm": kline.closed,
        "timestamp": now,
    }


def trade_row(trade: PublicTrade, contract: Contract) -> Row:
    """Write a trade as ``recent-trade`` does."""
    return {
        "execId": trade.trade_id,
        "symbol": contract.venue_symbol,
        "price": contract.price_text(trade.tick),
        "size": contract.qty_text(trade.lots),
        "side": SIDES[trade.side],
        "time": str(trade.ts_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.number),
    }
