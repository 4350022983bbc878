"""How Binance USDⓈ-M writes orders, fills, positions, balances, symbols and tickers.

Prices and quantities are text, times and ids are integers, flags are JSON booleans.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import (
    Cause,
    DepthSnapshot,
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
FAR = 4133404800000
"""Delivery date of a perpetual, as the venue gives it."""


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


def risk_row(position: PositionState, contract: Contract) -> Row:
    """Write a position as ``/fapi/v3/positionRisk`` does."""
    qty_digits = places(contract.lot)
    value = position.qty * position.mark
    return {
        "symbol": contract.venue_symbol,
        "positionSide": "BOTH",
        "positionAmt": fixed(position.qty, qty_digits),
        "entryPrice": plain(position.entry) if position.qty else "0.0",
        "breakEvenPrice": plain(position.entry) if position.qty else "0.0",
        "markPrice": fixed(position.mark, 8),
        "unRealizedProfit": fixed(position.unrealised, 8),
        "liquidationPrice": plain(max(position.liquidation, Decimal(0))),
        "isolatedMargin": "0",
        "notional": fixed(value, 8),
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": fixed(position.initial_margin, 8),
        "maintMargin": fixed(position.maintenance_margin, 8),
        "positionInitialMargin": fixed(position.initial_margin, 8),
        "openOrderInitialMargin": "0",
        "adl": 2 if position.qty else 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def risk_row_v2(position: PositionState, contract: Contract) -> Row:
    """Write a position as ``/fapi/v2/positionRisk`` does: with leverage and margin type."""
    row = risk_row(position, contract)
    keep = (
        "symbol", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit",
        "liquidationPrice", "isolatedMargin", "positionSide", "notional", "isolatedWallet",
        "updateTime",
    )  # fmt: skip
    return {
        **{key: row[key] for key in keep},
        "leverage": plain(position.leverage),
        "maxNotionalValue": "20000000",
        "marginType": "cross",
        "isAutoAddMargin": "false",
    }


def asset_row(wallet: WalletState) -> Row:
    """Write USDT as ``/fapi/v3/account`` does."""
    return {
        "asset": "USDT",
        "walletBalance": fixed(wallet.balance, 8),
        "unrealizedProfit": fixed(wallet.unrealised, 8),
        "marginBalance": fixed(wallet.equity, 8),
        "maintMargin": fixed(wallet.maintenance_margin, 8),
        "initialMargin": fixed(wallet.position_margin + wallet.order_margin, 8),
        "positionInitialMargin": fixed(wallet.position_margin, 8),
        "openOrderInitialMargin": fixed(wallet.order_margin, 8),
        "crossWalletBalance": fixed(wallet.balance, 8),
        "crossUnPnl": fixed(wallet.unrealised, 8),
        "availableBalance": fixed(wallet.available, 8),
        "maxWithdrawAmount": fixed(wallet.available, 8),
        "updateTime": wallet.updated_ms,
    }


def account_row(wallet: WalletState, positions: list[tuple[PositionState, Contract]]) -> Row:
    """Write the account as ``/fapi/v3/account`` does."""
    asset = asset_row(wallet)
    return {
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "totalWalletBalance": asset["walletBalance"],
        "totalUnrealizedProfit": asset["unrealizedProfit"],
        "totalMarginBalance": asset["marginBalance"],
        "totalPositionInitialMargin": asset["positionInitialMargin"],
        "totalOpenOrderInitialMargin": asset["openOrderInitialMargin"],
        "totalCrossWalletBalance": asset["crossWalletBalance"],
        "totalCrossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
        "assets": [asset],
        "positions": [
            {
                "symbol": contract.venue_symbol,
                "positionSide": "BOTH",
                "positionAmt": fixed(position.qty, places(contract.lot)),
                "unrealizedProfit": fixed(position.unrealised, 8),
                "isolatedMargin": "0.00000000",
                "notional": fixed(position.qty * position.mark, 8),
                "isolatedWallet": "0",
                "initialMargin": fixed(position.initial_margin, 8),
                "maintMargin": fixed(position.maintenance_margin, 8),
                "updateTime": position.updated_ms,
            }
            for position, contract in positions
        ],
    }


def symbol_row(contract: Contract, rules: Rules) -> Row:
    """Write a symbol as ``/fapi/v1/exchangeInfo`` does."""
    instrument = contract.instrument
    lot, tick = format(contract.lot, "f"), format(contract.tick, "f")
    most = format(instrument.max_market_qty or contract.lot * 1_000_000, "f")
    return {
        "symbol": contract.venue_symbol,
        "pair": contract.venue_symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FAR,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": fixed(contract.maintenance * 100, 4),
        "requiredMarginPercent": fixed(100 / instrument.max_leverage, 4),
        "baseAsset": instrument.base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": places(contract.tick),
        "quantityPrecision": places(contract.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": format(contract.tick * 100_000_000, "f"),
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": most, "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": most, "stepSize": lot},
            {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": rules.max_stops},
            {"filterType": "MIN_NOTIONAL", "notional": format(instrument.min_notional, "f")},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": fixed(1 + rules.price_band, 4),
                "multiplierDown": fixed(1 - rules.price_band, 4),
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": [
            "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "permissionSets": ["GRID", "COPY"],
    }  # fmt: skip


def day_row(ticker: TickerState, contract: Contract) -> Row:
    """Write the 24 h statistics as ``/fapi/v1/ticker/24hr`` does; it has no bid and ask."""
    price = contract.price_text
    volume = ticker.lots_24h
    return {
        "symbol": contract.venue_symbol,
        "priceChange": _change(ticker, contract),
        "priceChangePercent": f"{ticker.change_24h * 100:.3f}",
        "weightedAvgPrice": _vwap(ticker, contract),
        "lastPrice": price(ticker.last_tick),
        "lastQty": contract.qty_text(ticker.last_lots),
        "openPrice": price(ticker.open_24h_tick),
        "highPrice": price(ticker.high_24h_tick),
        "lowPrice": price(ticker.low_24h_tick),
        "volume": contract.qty_text(volume),
        "quoteVolume": f"{ticker.turnover_24h:.2f}",
        "openTime": ticker.ts_ms - 86_400_000,
        "closeTime": ticker.ts_ms,
        "firstId": 1,
        "lastId": ticker.trades_24h,
        "count": ticker.trades_24h,
    }


def _change(ticker: TickerState, contract: Contract) -> str:
    ticks = ticker.last_tick - ticker.open_24h_tick
    text = contract.price_text(abs(ticks))
    return f"-{text}" if ticks < 0 else text


def _vwap(ticker: TickerState, contract: Contract) -> str:
    base = ticker.lots_24h * contract.lot_size
    return fixed(ticker.turnover_24h / base if base else 0.0, places(contract.tick) + 1)


def day_event(ticker: TickerState, contract: Contract) -> Row:
    """Write the 24 h statistics as stream ``@ticker`` does."""
    row = day_row(ticker, contract)
    return {
        "e": "24hrTicker",
        "E": ticker.ts_ms,
        "s": row["symbol"],
        "p": row["priceChange"],
        "P": row["priceChangePercent"],
        "w": row["weightedAvgPrice"],
        "c": row["lastPrice"],
        "Q": row["lastQty"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
        "O": row["openTime"],
        "C": row["closeTime"],
        "F": row["firstId"],
        "L": row["lastId"],
        "n": row["count"],
    }


def mini_event(ticker: TickerState, contract: Contract) -> Row:
    """Write stream ``@miniTicker``."""
    price = contract.price_text
    return {
        "e": "24hrMiniTicker",
        "E": ticker.ts_ms,
        "s": contract.venue_symbol,
        "c": price(ticker.last_tick),
        "o": price(ticker.open_24h_tick),
        "h": price(ticker.high_24h_tick),
        "l": price(ticker.low_24h_tick),
        "v": contract.qty_text(ticker.lots_24h),
        "q": f"{ticker.turnover_24h:.2f}",
    }


def mark_event(ticker: TickerState, contract: Contract) -> Row:
    """Write stream ``@markPrice``."""
    return {
        "e": "markPriceUpdate",
        "E": ticker.ts_ms,
        "s": contract.venue_symbol,
        "p": ticker.mark,
        "ap": ticker.mark,
        "P": ticker.index,
        "i": ticker.index,
        "r": ticker.funding_rate,
        "T": ticker.next_funding_ms,
    }


def premium_row(ticker: TickerState, contract: Contract) -> Row:
    """Write ``/fapi/v1/premiumIndex``."""
    return {
        "symbol": contract.venue_symbol,
        "markPrice": ticker.mark,
        "indexPrice": ticker.index,
        "estimatedSettlePrice": ticker.index,
        "lastFundingRate": ticker.funding_rate,
        "interestRate": "0.00010000",
        "nextFundingTime": ticker.next_funding_ms,
        "time": ticker.ts_ms,
    }


def book_row(ticker: TickerState, contract: Contract) -> Row:
    """Write ``/fapi/v1/ticker/bookTicker``."""
    return {
        "symbol": contract.venue_symbol,
        "bidPrice": contract.price_text(ticker.bid_tick),
        "bidQty": contract.qty_text(ticker.bid_lots),
        "askPrice": contract.price_text(ticker.ask_tick),
        "askQty": contract.qty_text(ticker.ask_lots),
        "time": ticker.ts_ms,
    }


def trade_row(trade: PublicTrade, contract: Contract) -> Row:
    """Write a trade as ``/fapi/v1/trades`` does."""
    price, qty = contract.price_text(trade.tick), contract.qty_text(trade.lots)
    return {
        "id": trade.number,
        "price": price,
        "qty": qty,
        "quoteQty": f"{float(price) * float(qty):.2f}",
        "time": trade.ts_ms,
        "isBuyerMaker": trade.side is Side.SELL,
    }


def levels(book: list[tuple[int, int]], contract: Contract) -> list[list[str]]:
    """Write book levels; a level that is gone has quantity zero in the venue's digits."""
    price, qty = contract.price_text, contract.qty_text
    return [[price(tick), qty(lots)] for tick, lots in book]


def depth_row(book: DepthSnapshot, contract: Contract) -> Row:
    """Write ``/fapi/v1/depth``."""
    return {
        "lastUpdateId": book.update_id,
        "E": book.ts_ms,
        "T": book.ts_ms,
        "bids": levels(book.bids, contract),
        "asks": levels(book.asks, contract),
    }


def kline_row(kline: Kline, contract: Contract, seconds: int) -> list[Any]:
    """Write a candle as ``/fapi/v1/klines`` does."""
    price, qty = contract.price_text, contract.qty_text
    share = kline.buy_lots / kline.lots if kline.lots else 0.0
    return [
        kline.start_ms,
        price(kline.open),
        price(kline.high),
        price(kline.low),
        price(kline.close),
        qty(kline.lots),
        kline.start_ms + seconds * 1000 - 1,
        f"{kline.turnover:.5f}",
        kline.trades,
        qty(kline.buy_lots),
        f"{kline.turnover * share:.5f}",
        "0",
    ]


def kline_event(kline: Kline, contract: Contract, interval: str, seconds: int, now: int) -> Row:
    """Write stream ``@kline_<interval>``."""
    row = kline_row(kline, contract, seconds)
    return {
        "e": "kline",
        "E": now,
        "s": contract.venue_symbol,
        "k": {
            "t": row[0],
            "T": row[6],
            "s": contract.venue_symbol,
            "i": interval,
            "f": -1,
            "L": -1,
            "o": row[1],
            "c": row[4],
            "h": row[2],
            "l": row[3],
            "v": row[5],
            "n": row[8],
            "x": kline.closed,
            "q": row[7],
            "V": row[9],
            "Q": row[10],
            "B": "0",
        },
    }
