"""OKX v5 public endpoints."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import quotes
from exchanges.practice.okx.orders import OkxNo, OrderDesk, bad, require
from exchanges.practice.okx.route import Params, Route
from exchanges.practice.wire import fixed, plain

BARS = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1H": 3600, "2H": 7200, "4H": 14400,
    "6Hutc": 21600, "12Hutc": 43200, "1Dutc": 86400, "6H": 21600, "12H": 43200, "1D": 86400,
    "1W": 604800, "1Wutc": 604800,
}  # fmt: skip

PERIODS = {"5m": 300, "15m": 900, "30m": 1800, "1H": 3600, "2H": 7200, "4H": 14400, "1D": 86400,
           "1Dutc": 86400}  # fmt: skip
HELD = 1440
"""Values of open interest that are kept."""


class Market:
    """What anybody may ask."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/public/time"): Route(self.time, 10, False),
            ("GET", "/system/status"): Route(self.status, 2, False),
            ("GET", "/public/instruments"): Route(self.instruments, 20, False),
            ("GET", "/public/funding-rate"): Route(self.funding_rate, 20, False),
            ("GET", "/public/funding-rate-history"): Route(self.funding_history, 10, False),
            ("GET", "/public/mark-price"): Route(self.mark_price, 10, False),
            ("GET", "/public/open-interest"): Route(self.open_interest, 20, False),
            ("GET", "/public/position-tiers"): Route(self.tiers, 10, False),
            ("GET", "/public/price-limit"): Route(self.price_limit, 20, False),
            ("GET", "/market/index-tickers"): Route(self.index_tickers, 20, False),
            ("GET", "/market/ticker"): Route(self.ticker, 20, False),
            ("GET", "/market/tickers"): Route(self.tickers, 20, False),
            ("GET", "/market/books"): Route(self.books, 40, False),
            ("GET", "/market/candles"): Route(self.candles, 40, False),
            ("GET", "/market/history-candles"): Route(self.history_candles, 20, False),
            ("GET", "/market/index-candles"): Route(self.index_candles, 20, False),
            ("GET", "/market/history-index-candles"): Route(self.index_candles, 10, False),
            ("GET", "/rubik/stat/contracts/open-interest-history"): Route(
                self.interest_history, 10, False
            ),
            ("GET", "/market/trades"): Route(self.trades, 100, False),
            ("GET", "/market/history-trades"): Route(self.trades, 20, False),
            ("GET", "/account/instruments"): Route(self.instruments, 20),
        }

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/public/time``."""
        return [{"ts": str(self.venue.now_ms())}]

    def status(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/system/status``."""
        return []

    def instruments(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/instruments``."""
        kind, wanted = require(params, "instType"), params.get("instId")
        if kind not in {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}:
            raise bad("instType")
        return [
            quotes.instrument_row(contract, self.desk.code_of(contract))
            for contract in self.venue.contracts.values()
            if kind == "SWAP" and (not wanted or contract.venue_symbol == wanted)
        ]

    def funding_rate(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/funding-rate``."""
        contract = self.desk.contract(params)
        return [quotes.funding_row(self.venue.ticker(contract.symbol), contract)]

    def funding_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/funding-rate-history``."""
        contract = self.desk.contract(params)
        limit = min(int(params.get("limit") or 100), 400)
        before, after = int(params.get("before") or 0), params.get("after")
        past = self.venue.funding_history(
            contract.symbol,
            start_ms=before + 1 if before else None,
            end_ms=int(after) - 1 if after else None,
            limit=limit,
        )
        rows = [
            {
                "formulaType": "withRate",
                "fundingRate": plain(rate),
                "fundingTime": str(ts),
                "instId": contract.venue_symbol,
                "instType": "SWAP",
                "method": "current_period",
                "realizedRate": plain(rate),
            }
            for ts, rate in reversed(past)
        ]
        return rows

    def mark_price(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/mark-price``."""
        wanted = params.get("instId")
        return [
            quotes.mark_row(self.venue.ticker(contract.symbol), contract)
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]

    def index_tickers(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/index-tickers``: of one index, or of all quoted in USDT."""
        wanted, quote = params.get("instId"), params.get("quoteCcy")
        if not wanted and not quote:
            raise OkxNo("50014", "Either parameter quoteCcy or instId is required.")
        return [
            quotes.index_row(self.venue.ticker(contract.symbol), contract)
            for contract in self.venue.contracts.values()
            if (wanted in (None, "", quotes.index_name(contract))) and quote in (None, "", "USDT")
        ]

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/open-interest``."""
        wanted = params.get("instId")
        rows = []
        for contract in self.venue.contracts.values():
            if wanted and contract.venue_symbol != wanted:
                continue
            ticker = self.venue.ticker(contract.symbol)
            held = contract.qty(ticker.open_interest_lots)
            rows.append(
                {
                    "instType": "SWAP",
                    "instId": contract.venue_symbol,
                    "oi": contract.qty_text(ticker.open_interest_lots),
                    "oiCcy": plain(held),
                    "oiUsd": fixed(held * Decimal(ticker.mark), 2),
                    "ts": str(ticker.ts_ms),
                }
            )
        return rows

    def tiers(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/position-tiers``."""
        family = str(params.get("instFamily") or params.get("uly") or "")
        return [
            {
                "baseMaxLoan": "",
                "imr": plain(1 / contract.instrument.max_leverage),
                "instId": "",
                "instFamily": f"{contract.instrument.base}-USDT",
                "maxLever": plain(contract.instrument.max_leverage),
                "maxSz": "100000000",
                "minSz": "0",
                "mmr": plain(contract.maintenance),
                "optMgnFactor": "0",
                "quoteMaxLoan": "",
                "tier": "1",
                "uly": f"{contract.instrument.base}-USDT",
            }
            for contract in self.venue.contracts.values()
            if not family or family == f"{contract.instrument.base}-USDT"
        ]

    def price_limit(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/price-limit``."""
        contract = self.desk.contract(params)
        ticker = self.venue.ticker(contract.symbol)
        mark, band = Decimal(ticker.mark), self.venue.rules.price_band
        instrument = contract.instrument
        return [
            {
                "instType": "SWAP",
                "instId": contract.venue_symbol,
                "buyLmt": plain(instrument.round_price(mark * (1 + band))),
                "sellLmt": plain(instrument.round_price(mark * (1 - band))),
                "ts": str(ticker.ts_ms),
                "enabled": True,
            }
        ]

    def ticker(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/ticker``."""
        contract = self.desk.contract(params)
        return [quotes.ticker_row(self.venue.ticker(contract.symbol), contract)]

    def tickers(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/tickers``."""
        if params.get("instType") != "SWAP":
            return []
        return [
            quotes.ticker_row(ticker, self.venue.contracts[ticker.symbol])
            for ticker in self.venue.tickers()
        ]

    def books(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/books``."""
        contract = self.desk.contract(params)
        book = self.venue.depth(contract.symbol, min(int(params.get("sz") or 1), 400))
        return [
            {
                "asks": quotes.levels(book.asks, contract),
                "bids": quotes.levels(book.bids, contract),
                "ts": str(book.ts_ms),
                "seqId": book.update_id,
            }
        ]

    def candles(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/candles``."""
        return self._candles(params, 300, 100)

    def history_candles(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/history-candles``."""
        return self._candles(params, 300, 100)

    def _candles(self, params: Params, most: int, usual: int) -> Any:
        contract = self.desk.contract(params)
        seconds = BARS.get(str(params.get("bar") or "1m"))
        if seconds is None:
            raise bad("bar")
        after, before = params.get("after"), params.get("before")
        limit = min(int(params.get("limit") or usual), most)
        if before and not after:
            found = self.venue.klines(
                contract.symbol, seconds, start_ms=int(before) + 1, limit=most
            )
            found = found[-limit:]
        else:
            end = int(after) - 1 if after else None
            found = self.venue.klines(contract.symbol, seconds, end_ms=end, limit=limit)
            if before:
                found = [kline for kline in found if kline.start_ms > int(before)]
        return [quotes.kline_row(kline, contract) for kline in reversed(found)]

    def index_candles(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/index-candles`` and ``history-index-candles``."""
        wanted = require(params, "instId")
        seconds = BARS.get(str(params.get("bar") or "1m"))
        if seconds is None:
            raise bad("bar")
        for contract in self.venue.contracts.values():
            if quotes.index_name(contract) == wanted:
                break
        else:
            raise OkxNo("51001", "Instrument ID does not exist")
        after, before = params.get("after"), params.get("before")
        found = self.venue.index_klines(
            contract.symbol,
            seconds,
            start_ms=int(before) + 1 if before else None,
            end_ms=int(after) - 1 if after else None,
            limit=min(int(params.get("limit") or 100), 100),
        )
        now = self.venue.now_ms()
        return [
            [str(opened), *prices, str(int(opened + seconds * 1000 <= now))]
            for opened, prices in reversed(found)
        ]

    def interest_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/rubik/stat/contracts/open-interest-history``."""
        contract = self.desk.contract(params)
        seconds = PERIODS.get(str(params.get("period") or "5m"))
        if seconds is None:
            raise bad("period")
        begin, end = params.get("begin"), params.get("end")
        oldest = self.venue.now_ms() - HELD * seconds * 1000
        found = self.venue.interest_history(
            contract.symbol,
            seconds,
            start_ms=max(int(begin or 0) + 1, oldest),
            end_ms=int(end) - 1 if end else None,
            limit=min(int(params.get("limit") or 100), 100),
        )
        mark = Decimal(self.venue.ticker(contract.symbol).mark)
        return [
            [
                str(ts),
                contract.qty_text(lots),
                plain(contract.qty(lots)),
                fixed(contract.qty(lots) * mark, 2),
            ]
            for ts, lots in reversed(found)
        ]

    def trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/trades``."""
        contract = self.desk.contract(params)
        found = self.venue.recent_trades(contract.symbol, min(int(params.get("limit") or 100), 500))
        return [quotes.trade_row(trade, contract, stream=False) for trade in reversed(found)]
