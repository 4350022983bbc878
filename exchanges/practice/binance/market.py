"""Binance USDⓈ-M public endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchanges.practice.binance import quotes
from exchanges.practice.binance.orders import BinanceNo, OrderDesk, read_int, require
from exchanges.practice.binance.route import KEY_ONLY, PUBLIC, Params, Route, by_limit, by_symbol
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.wire import Limits, fixed

INTERVALS = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800,
}  # fmt: skip
PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
HELD_MS = 30 * 86_400_000
"""Milliseconds for which open interest is kept."""
WEIGHT = 2400
"""Request weight of an address in a minute."""
ORDERS_10S = 300
ORDERS_1M = 1200
_DEPTH = by_limit((50, 2), (100, 5), (500, 10), (1000, 20))
_KLINES = by_limit((99, 1), (499, 2), (1000, 5), (1500, 10))


class Market:
    """What anybody may ask."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk, limits: Limits) -> None:
        self.venue = venue
        self.desk = desk
        self.limits = limits

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/fapi/v1/ping"): Route(self.ping, PUBLIC),
            ("GET", "/fapi/v1/time"): Route(self.time, PUBLIC),
            ("GET", "/fapi/v1/exchangeInfo"): Route(self.exchange_info, PUBLIC),
            ("GET", "/fapi/v1/depth"): Route(self.depth, PUBLIC, _DEPTH),
            ("GET", "/fapi/v1/trades"): Route(self.trades, PUBLIC, 5),
            ("GET", "/fapi/v1/historicalTrades"): Route(self.trades, KEY_ONLY, 20),
            ("GET", "/fapi/v1/aggTrades"): Route(self.agg_trades, PUBLIC, 20),
            ("GET", "/fapi/v1/klines"): Route(self.klines, PUBLIC, _KLINES),
            ("GET", "/fapi/v1/ticker/24hr"): Route(self.day, PUBLIC, by_symbol(1, 40)),
            ("GET", "/fapi/v1/ticker/bookTicker"): Route(self.book_ticker, PUBLIC, by_symbol(2, 5)),
            ("GET", "/fapi/v1/ticker/price"): Route(self.price, PUBLIC, by_symbol(1, 2)),
            ("GET", "/fapi/v2/ticker/price"): Route(self.price, PUBLIC, by_symbol(1, 2)),
            ("GET", "/fapi/v1/premiumIndex"): Route(self.premium, PUBLIC, by_symbol(1, 10)),
            ("GET", "/fapi/v1/fundingInfo"): Route(self.funding_info, PUBLIC),
            ("GET", "/fapi/v1/fundingRate"): Route(self.funding_rates, PUBLIC),
            ("GET", "/fapi/v1/openInterest"): Route(self.open_interest, PUBLIC),
            ("GET", "/fapi/v1/indexPriceKlines"): Route(self.index_klines, PUBLIC, _KLINES),
            ("GET", "/futures/data/openInterestHist"): Route(self.interest_history, PUBLIC, 0),
            ("GET", "/api/v3/ping"): Route(self.ping, PUBLIC),
            ("GET", "/api/v3/time"): Route(self.time, PUBLIC),
            ("GET", "/api/v3/exchangeInfo"): Route(self.no_symbols, PUBLIC),
            ("GET", "/dapi/v1/exchangeInfo"): Route(self.no_symbols, PUBLIC),
        }

    def ping(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/ping``."""
        return {}

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/time``."""
        return {"serverTime": self.venue.now_ms()}

    def exchange_info(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/exchangeInfo``."""
        return {
            "timezone": "UTC",
            "serverTime": self.venue.now_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": rate_limits(self.limits),
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [
                quotes.symbol_row(contract, self.venue.rules)
                for contract in self.venue.contracts.values()
            ],
        }

    def no_symbols(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v3/exchangeInfo``."""
        return {
            "timezone": "UTC",
            "serverTime": self.venue.now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [],
        }

    def depth(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/depth``."""
        contract = self.desk.contract(params)
        limit = read_int(params, "limit", 500) or 500
        if limit not in {5, 10, 20, 50, 100, 500, 1000}:
            raise BinanceNo(-4021, f"{limit} is not valid depth limit.")
        return quotes.depth_row(self.venue.depth(contract.symbol, limit), contract)

    def trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/trades``."""
        contract = self.desk.contract(params)
        limit = min(read_int(params, "limit", 500) or 500, 1000)
        found = self.venue.recent_trades(contract.symbol, limit)
        return [quotes.trade_row(trade, contract) for trade in found]

    def agg_trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/aggTrades``."""
        contract = self.desk.contract(params)
        limit = min(read_int(params, "limit", 500) or 500, 1000)
        start, end = read_int(params, "startTime"), read_int(params, "endTime")
        rows = [
            {
                "a": trade.number,
                "p": contract.price_text(trade.tick),
                "q": contract.qty_text(trade.lots),
                "nq": contract.qty_text(trade.lots),
                "f": trade.number,
                "l": trade.number,
                "T": trade.ts_ms,
                "m": trade.side == "sell",
            }
            for trade in self.venue.recent_trades(contract.symbol, 100_000)
            if (start or 0) <= trade.ts_ms <= (end or trade.ts_ms)
        ]
        return rows[:limit] if start else rows[-limit:]

    def klines(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/klines``."""
        contract = self.desk.contract(params)
        query = _kline_query(params)
        found = self.venue.klines(contract.symbol, **query)
        return [quotes.kline_row(kline, contract, query["interval_s"]) for kline in found]

    def index_klines(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/indexPriceKlines``; what an index has no volume for is zero."""
        contract = self.desk.contract({**params, "symbol": require(params, "pair")})
        query = _kline_query(params)
        found = self.venue.index_klines(contract.symbol, **query)
        last = query["interval_s"] * 1000 - 1
        return [
            [opened, *prices, "0", opened + last, "0", 0, "0", "0", "0"] for opened, prices in found
        ]

    def interest_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /futures/data/openInterestHist``."""
        contract = self.desk.contract(params)
        period = require(params, "period")
        if period not in PERIODS:
            raise BinanceNo(-1130, "Data sent for parameter 'period' is not valid.")
        start, now = read_int(params, "startTime"), self.venue.now_ms()
        if start is not None and start < now - HELD_MS:
            raise BinanceNo(-1130, "parameter 'startTime' is invalid.")
        limit = min(read_int(params, "limit", 30) or 30, 500)
        found = self.venue.interest_history(
            contract.symbol,
            INTERVALS[period],
            start_ms=max(start or 0, now - HELD_MS),
            end_ms=read_int(params, "endTime"),
            limit=500,
        )
        mark = float(self.venue.ticker(contract.symbol).mark)
        return [
            {
                "symbol": contract.venue_symbol,
                "sumOpenInterest": contract.qty_text(lots),
                "sumOpenInterestValue": f"{float(contract.qty_text(lots)) * mark:.8f}",
                "timestamp": ts,
            }
            for ts, lots in (found[:limit] if start else found[-limit:])
        ]

    def day(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/24hr``."""
        return self._each(params, lambda c: quotes.day_row(self.venue.ticker(c.symbol), c))

    def premium(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/premiumIndex``."""
        return self._each(params, lambda c: quotes.premium_row(self.venue.ticker(c.symbol), c))

    def book_ticker(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/bookTicker``."""
        return self._each(params, lambda c: quotes.book_row(self.venue.ticker(c.symbol), c))

    def price(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/price``."""

        def row(contract: Contract) -> dict[str, Any]:
            ticker = self.venue.ticker(contract.symbol)
            return {
                "symbol": contract.venue_symbol,
                "price": contract.price_text(ticker.last_tick),
                "time": ticker.ts_ms,
            }

        return self._each(params, row)

    def _each(self, params: Params, row: Callable[[Contract], dict[str, Any]]) -> Any:
        if params.get("symbol"):
            return row(self.desk.contract(params))
        return [row(contract) for contract in self.venue.contracts.values()]

    def funding_info(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/fundingInfo``."""
        return [
            {
                "symbol": contract.venue_symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": self.venue.rules.funding_hours,
                "disclaimer": False,
            }
            for contract in self.venue.contracts.values()
        ]

    def funding_rates(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/fundingRate``."""
        contract = self.desk.contract(params)
        past = self.venue.funding_history(
            contract.symbol,
            start_ms=read_int(params, "startTime"),
            end_ms=read_int(params, "endTime"),
            limit=min(read_int(params, "limit", 100) or 100, 1000),
        )
        mark = self.venue.ticker(contract.symbol).mark
        return [
            {
                "symbol": contract.venue_symbol,
                "fundingTime": ts,
                "fundingRate": fixed(rate, 8),
                "markPrice": mark,
            }
            for ts, rate in past
        ]

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/openInterest``."""
        contract = self.desk.contract(params)
        ticker = self.venue.ticker(contract.symbol)
        return {
            "openInterest": contract.qty_text(ticker.open_interest_lots),
            "symbol": contract.venue_symbol,
            "time": ticker.ts_ms,
        }


def rate_limits(limits: Limits) -> list[dict[str, Any]]:
    """Return the limits as ``exchangeInfo`` announces them."""
    return [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.allow(WEIGHT),
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.allow(ORDERS_1M),
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": limits.allow(ORDERS_10S),
        },
    ]


def _kline_query(params: Params) -> dict[str, Any]:
    """Read which candles are asked for."""
    seconds = INTERVALS.get(require(params, "interval"))
    if seconds is None:
        raise BinanceNo(-1120, "Invalid interval.")
    return {
        "interval_s": seconds,
        "start_ms": read_int(params, "startTime"),
        "end_ms": read_int(params, "endTime"),
        "limit": min(read_int(params, "limit", 500) or 500, 1500),
    }
