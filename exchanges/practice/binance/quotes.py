"""How Binance USDⓈ-M writes symbols, tickers, trades, candles and books."""

from __future__ import annotations

from typing import Any

from core.model.market import Side
from exchanges.practice.binance.shapes import Row
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import DepthSnapshot, Kline, PublicTrade, TickerState
from exchanges.practice.wire import fixed, places

FAR = 4133404800000
"""Delivery date of a perpetual, as the venue gives it."""


def symbol_row(contract: Contract, rules: Rules) -> Row:
    """Write a symbol as ``/fapi/v1/exchangeInfo`` does."""
    instrument = contract.instrument
    lot, tick = format(instrument.lot, "f"), format(instrument.tick, "f")
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
