"""Bybit v5 public endpoints."""

from __future__ import annotations

from typing import Any

from exchanges.practice.bybit import codes, quotes
from exchanges.practice.bybit.orders import BybitNo, OrderDesk
from exchanges.practice.bybit.route import Params, Route
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.wire import plain

INTERVALS = {
    "1": 60, "3": 180, "5": 300, "15": 900, "30": 1800, "60": 3600, "120": 7200, "240": 14400,
    "360": 21600, "720": 43200, "D": 86400, "W": 604800,
}  # fmt: skip

PERIODS = {"5min": 300, "15min": 900, "30min": 1800, "1h": 3600, "4h": 14400, "1d": 86400}


class Market:
    """What anybody may ask."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/v5/market/time"): Route(self.time),
            ("GET", "/v5/system/status"): Route(self.status),
            ("GET", "/v5/market/instruments-info"): Route(self.instruments),
            ("GET", "/v5/market/orderbook"): Route(self.orderbook),
            ("GET", "/v5/market/kline"): Route(self.kline),
            ("GET", "/v5/market/index-price-kline"): Route(self.index_kline),
            ("GET", "/v5/market/tickers"): Route(self.tickers),
            ("GET", "/v5/market/recent-trade"): Route(self.recent_trades),
            ("GET", "/v5/market/funding/history"): Route(self.funding_history),
            ("GET", "/v5/market/open-interest"): Route(self.open_interest),
            ("GET", "/v5/market/risk-limit"): Route(self.risk_limit),
        }

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/market/time``."""
        now = self.venue.now_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def status(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/system/status``."""
        return {"list": []}

    def instruments(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/instruments-info``."""
        category, wanted = params.get("category"), params.get("symbol")
        rows = []
        if category == "linear" and params.get("status", "Trading") == "Trading":
            rows = [
                quotes.instrument_row(contract, self.venue.rules)
                for contract in self.venue.contracts.values()
                if not wanted or contract.venue_symbol == wanted
            ]
        return {"category": category, "list": rows, "nextPageCursor": ""}

    def orderbook(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/orderbook``."""
        contract = self.desk.contract(params)
        limit = int(params.get("limit") or 25)
        book = self.venue.depth(contract.symbol, min(limit, 500))
        return {
            "s": contract.venue_symbol,
            "b": [[contract.price_text(t), contract.qty_text(n)] for t, n in book.bids],
            "a": [[contract.price_text(t), contract.qty_text(n)] for t, n in book.asks],
            "ts": book.ts_ms,
            "u": book.update_id,
            "seq": book.update_id,
            "cts": book.ts_ms,
        }

    def kline(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/kline``."""
        contract = self.desk.contract(params)
        klines = self.venue.klines(contract.symbol, **_kline_query(params))
        rows = [quotes.kline_row(kline, contract) for kline in reversed(klines)]
        return {"symbol": contract.venue_symbol, "category": "linear", "list": rows}

    def index_kline(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/index-price-kline``."""
        contract = self.desk.contract(params)
        found = self.venue.index_klines(contract.symbol, **_kline_query(params))
        rows = [[str(opened), *prices] for opened, prices in reversed(found)]
        return {"symbol": contract.venue_symbol, "category": "linear", "list": rows}

    def tickers(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/tickers``."""
        wanted = params.get("symbol")
        states = [
            self.venue.ticker(contract.symbol)
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        if params.get("category") != "linear":
            return {"category": params.get("category"), "list": []}
        if not states:
            raise BybitNo(codes.BAD_REQUEST, f"params error: symbol invalid {wanted}")
        rows = [
            quotes.ticker_row(
                state, self.venue.contracts[state.symbol], self.hour_ago(state.symbol)
            )
            for state in states
        ]
        return {"category": "linear", "list": rows}

    def hour_ago(self, symbol: str) -> str:
        """Return the price an hour ago as text."""
        start = self.venue.now_ms() - 3_600_000
        klines = self.venue.klines(symbol, 60, start_ms=start - start % 60_000, limit=1)
        return self.venue.contracts[symbol].price_text(klines[0].open) if klines else ""

    def recent_trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/recent-trade``."""
        contract = self.desk.contract(params)
        limit = min(int(params.get("limit") or 500), 1000)
        trades = self.venue.recent_trades(contract.symbol, limit)
        rows = [quotes.trade_row(trade, contract) for trade in reversed(trades)]
        return {"category": "linear", "list": rows}

    def funding_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/funding/history``."""
        contract = self.desk.contract(params)
        start, end = params.get("startTime"), params.get("endTime")
        past = self.venue.funding_history(
            contract.symbol,
            start_ms=int(start) if start else None,
            end_ms=int(end) if end else None,
            limit=min(int(params.get("limit") or 200), 200),
        )
        rows = [
            {
                "symbol": contract.venue_symbol,
                "fundingRate": plain(rate),
                "fundingRateTimestamp": str(ts),
            }
            for ts, rate in reversed(past)
        ]
        return {"category": "linear", "list": rows}

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/open-interest``."""
        contract = self.desk.contract(params)
        seconds = PERIODS.get(str(params.get("intervalTime")))
        if seconds is None:
            raise BybitNo(codes.BAD_REQUEST, "params error: intervalTime invalid")
        start, end = params.get("startTime"), params.get("endTime")
        past = self.venue.interest_history(
            contract.symbol,
            seconds,
            start_ms=int(start) if start else None,
            end_ms=int(end) if end else None,
            limit=min(int(params.get("limit") or 50), 200),
        )
        rows = [
            {"openInterest": contract.qty_text(lots), "timestamp": str(ts)}
            for ts, lots in reversed(past)
        ]
        return {
            "symbol": contract.venue_symbol,
            "category": "linear",
            "list": rows,
            "nextPageCursor": "",
        }

    def risk_limit(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/risk-limit``."""
        wanted = params.get("symbol")
        rows = [
            {
                "id": 1,
                "symbol": contract.venue_symbol,
                "riskLimitValue": "2000000",
                "maintenanceMargin": plain(contract.maintenance),
                "initialMargin": plain(1 / contract.instrument.max_leverage),
                "isLowestRisk": 1,
                "maxLeverage": f"{contract.instrument.max_leverage:.2f}",
                "mmDeduction": "",
            }
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}


def _kline_query(params: Params) -> dict[str, Any]:
    """Read which candles are asked for."""
    seconds = INTERVALS.get(str(params.get("interval")))
    if seconds is None:
        raise BybitNo(codes.BAD_REQUEST, "Invalid period!")
    start, end = params.get("start"), params.get("end")
    return {
        "interval_s": seconds,
        "start_ms": int(start) if start else None,
        "end_ms": int(end) if end else None,
        "limit": min(int(params.get("limit") or 200), 1000),
    }
