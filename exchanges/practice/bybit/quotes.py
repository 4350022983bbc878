"""How Bybit v5 writes instruments, tickers, trades and candles."""

from __future__ import annotations

from decimal import Decimal

from exchanges.practice.bybit.shapes import SIDES, Row
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import Kline, PublicTrade, TickerState
from exchanges.practice.wire import fixed, places, plain


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
            "minPrice": format(instrument.tick, "f"),
            "maxPrice": format(contract.tick * 19_999_998, "f"),
            "tickSize": format(instrument.tick, "f"),
        },
        "lotSizeFilter": {
            "maxOrderQty": largest,
            "minOrderQty": format(instrument.min_qty, "f"),
            "qtyStep": format(instrument.lot, "f"),
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
