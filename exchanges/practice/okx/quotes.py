"""How OKX v5 writes instruments, tickers, trades, candles and books."""

from __future__ import annotations

from exchanges.practice.contracts import Contract
from exchanges.practice.okx.shapes import Row
from exchanges.practice.state import Kline, PublicTrade, TickerState
from exchanges.practice.wire import plain


def instrument_row(contract: Contract, code: int) -> Row:
    """Write an instrument as ``public/instruments`` does; ``code`` names it in socket orders."""
    instrument = contract.instrument
    base = instrument.base
    lot = plain(contract.native(instrument.lot))
    most = plain(contract.native(instrument.max_market_qty or contract.lot * 1_000_000))
    return {
        "alias": "",
        "auctionEndTime": "",
        "baseCcy": "",
        "category": "1",
        "contTdSwTime": "",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": plain(instrument.contract_size),
        "ctValCcy": base,
        "expTime": "",
        "futureSettlement": False,
        "instFamily": f"{base}-USDT",
        "instId": contract.venue_symbol,
        "instIdCode": code,
        "instType": "SWAP",
        "lever": plain(instrument.max_leverage),
        "listTime": "1573557408000",
        "lotSz": lot,
        "maxIcebergSz": "100000000",
        "maxLmtAmt": "20000000",
        "maxLmtSz": "100000000",
        "maxMktAmt": "",
        "maxMktSz": most,
        "maxPlatOILmt": "",
        "maxStopSz": most,
        "maxTriggerSz": "100000000",
        "maxTwapSz": "100000000",
        "minSz": plain(contract.native(instrument.min_qty)),
        "openType": "",
        "optType": "",
        "posLmtAmt": "",
        "posLmtPct": "",
        "preMktSwTime": "",
        "quoteCcy": "",
        "ruleType": "normal",
        "settleCcy": "USDT",
        "state": "live",
        "stk": "",
        "tickSz": plain(instrument.tick),
        "tradeQuoteCcyList": [],
        "uly": f"{base}-USDT",
    }


def ticker_row(ticker: TickerState, contract: Contract) -> Row:
    """Write a ticker."""
    price, qty = contract.price_text, contract.qty_text
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "last": price(ticker.last_tick),
        "lastSz": qty(ticker.last_lots),
        "askPx": price(ticker.ask_tick),
        "askSz": qty(ticker.ask_lots),
        "bidPx": price(ticker.bid_tick),
        "bidSz": qty(ticker.bid_lots),
        "open24h": price(ticker.open_24h_tick),
        "high24h": price(ticker.high_24h_tick),
        "low24h": price(ticker.low_24h_tick),
        "volCcy24h": plain(contract.qty(ticker.lots_24h)),
        "vol24h": qty(ticker.lots_24h),
        "sodUtc0": price(ticker.open_24h_tick),
        "sodUtc8": price(ticker.open_24h_tick),
        "ts": str(ticker.ts_ms),
    }


def mark_row(ticker: TickerState, contract: Contract) -> Row:
    """Write a mark price."""
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "markPx": ticker.mark,
        "ts": str(ticker.ts_ms),
    }


def index_name(contract: Contract) -> str:
    """Return the name of the index that a swap is tied to."""
    return f"{contract.instrument.base}-USDT"


def index_row(ticker: TickerState, contract: Contract) -> Row:
    """Write an index price; its day is that of the swap, which is tied to it."""
    price = contract.price_text
    return {
        "instId": index_name(contract),
        "idxPx": ticker.index,
        "high24h": price(ticker.high_24h_tick),
        "low24h": price(ticker.low_24h_tick),
        "open24h": price(ticker.open_24h_tick),
        "sodUtc0": price(ticker.open_24h_tick),
        "sodUtc8": price(ticker.open_24h_tick),
        "ts": str(ticker.ts_ms),
    }


def funding_row(ticker: TickerState, contract: Contract) -> Row:
    """Write the funding rate that the next settlement will use."""
    return {
        "formulaType": "withRate",
        "fundingRate": ticker.funding_rate,
        "fundingTime": str(ticker.next_funding_ms),
        "impactValue": "",
        "instId": contract.venue_symbol,
        "instType": "SWAP",
        "interestRate": "",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(ticker.next_funding_ms + ticker.funding_interval_ms),
        "premium": "",
        "prevFundingTime": str(ticker.next_funding_ms - ticker.funding_interval_ms),
        "settFundingRate": ticker.funding_rate,
        "settState": "settled",
        "ts": str(ticker.ts_ms),
    }


def trade_row(trade: PublicTrade, contract: Contract, *, stream: bool) -> Row:
    """Write a public trade; the stream adds how many were merged."""
    row = {
        "instId": contract.venue_symbol,
        "tradeId": str(trade.number),
        "px": contract.price_text(trade.tick),
        "sz": contract.qty_text(trade.lots),
        "side": trade.side.value,
        "ts": str(trade.ts_ms),
        "source": "0",
    }
    if stream:
        row |= {"count": "1", "seqId": trade.number}  # type: ignore[dict-item]
    return row


def kline_row(kline: Kline, contract: Contract) -> list[str]:
    """Write a candle: contracts, then base units, then USDT."""
    price = contract.price_text
    return [
        str(kline.start_ms),
        price(kline.open),
        price(kline.high),
        price(kline.low),
        price(kline.close),
        contract.qty_text(kline.lots),
        plain(contract.qty(kline.lots)),
        f"{kline.turnover:.4f}",
        "1" if kline.closed else "0",
    ]


def levels(book: list[tuple[int, int]], contract: Contract) -> list[list[str]]:
    """Write book levels: price, contracts, a retired field, and how many orders are there."""
    price, qty = contract.price_text, contract.qty_text
    return [[price(t), qty(n) if n else "0", "0", "1" if n else "0"] for t, n in book]
