"""What Bybit v5 is asked: instruments, market history, and the state of the account."""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

from msgspec import Struct, field
from msgspec.json import Decoder

from core.errors import VenueUnavailable
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, FundingSettled, Trade
from core.model.order import Fill, OrderReport
from exchanges.asking import (
    CandleRow,
    ask_known,
    closed_candles,
    history_start,
    settled_rates,
)
from exchanges.budget import Costs, Urgency
from exchanges.bybit_private import (
    EXECUTIONS,
    SIDES,
    FillRow,
    OrderRow,
    PositionRow,
    WalletRow,
    read_fill,
    read_order,
    read_position,
    read_wallet,
)
from exchanges.feed import MILLI
from exchanges.private import SETTLE, number, optional
from exchanges.rules import Account, Line, Request, Rules, StampedRow

_INTERVALS = {60: "1", 180: "3", 300: "5", 900: "15", 1800: "30", 3600: "60", 7200: "120",
              14400: "240", 21600: "360", 43200: "720", 86400: "D"}  # fmt: skip

_PERIODS = {300: "5min", 900: "15min", 1800: "30min", 3600: "1h", 14400: "4h", 86400: "1d"}
_MOST_PAGES = 200

T = TypeVar("T")


class Result(Struct, Generic[T]):
    """The envelope of every reply."""

    result: T


class _Page(Struct, Generic[T]):
    rows: list[T] = field(name="list")
    nextPageCursor: str = ""


class _Lot(Struct):
    qtyStep: str
    minOrderQty: str
    maxMktOrderQty: str = ""
    maxOrderQty: str = ""
    minNotionalValue: str = "5"


class _Price(Struct):
    tickSize: str


class _Leverage(Struct):
    maxLeverage: str


class _Listed(Struct):
    symbol: str
    status: str
    baseCoin: str
    settleCoin: str
    contractType: str
    lotSizeFilter: _Lot
    priceFilter: _Price
    leverageFilter: _Leverage


class _PublicRow(Struct):
    execId: str
    price: float
    size: float
    side: str
    time: int


class _RateRow(Struct):
    fundingRate: float
    fundingRateTimestamp: int


class _HeldRow(Struct):
    openInterest: float
    timestamp: int


class _Rights(Struct):
    userID: int | str
    permissions: dict[str, list[str]] = {}


class _Time(Struct):
    timeNano: str


_listed = Decoder(Result[_Page[_Listed]]).decode
_orders = Decoder(Result[_Page[OrderRow]]).decode
_fills = Decoder(Result[_Page[FillRow]]).decode
_positions = Decoder(Result[_Page[PositionRow]]).decode
_wallets = Decoder(Result[_Page[WalletRow]]).decode
_public = Decoder(Result[_Page[_PublicRow]], strict=False).decode
_klines = Decoder(Result[_Page[list[float]]], strict=False).decode
_settled = Decoder(Result[_Page[_RateRow]], strict=False).decode
_held = Decoder(Result[_Page[_HeldRow]], strict=False).decode
_rights = Decoder(Result[_Rights]).decode
_clock = Decoder(Result[_Time]).decode


def cost(pool: str = "") -> Costs:
    """Return what a request takes from the address's pool and from one of its own."""
    return (("ip", 1.0), (pool, 1.0)) if pool else (("ip", 1.0),)


class BybitQueries(Rules):
    """The questions; ``BybitRules`` adds the facts and the commands."""

    timeframes = _INTERVALS
    periods = _PERIODS

    def time(self) -> Request:
        """The public clock."""
        return Request("publicGetV5MarketTime", {}, cost())

    def read_time(self, body: str) -> float:
        """Nanoseconds as text, to milliseconds."""
        return int(_clock(body).result.timeNano) / 1e6

    async def load(self, line: Line) -> list[Instrument]:
        """Page through ``instruments-info``."""
        found: list[Instrument] = []
        cursor = ""
        while True:
            params: dict[str, Any] = {"category": "linear", "limit": 1000}
            if cursor:
                params["cursor"] = cursor
            body = await line.ask(Request("publicGetV5MarketInstrumentsInfo", params, cost()))
            page = _listed(body).result
            for row in page.rows:
                perpetual = row.contractType == "LinearPerpetual" and row.settleCoin == SETTLE
                if perpetual and row.status == "Trading":
                    found.append(_instrument(row))
            cursor = page.nextPageCursor
            if not cursor or not page.rows:
                return found

    async def account(self, line: Line, environment: str) -> Account:
        """Any key may ask what it may do."""
        body = await line.ask(Request("privateGetV5UserQueryApi", {}, cost("read")))
        rights = _rights(body).result
        granted = {name.lower() for names in rights.permissions.values() for name in names}
        return Account(str(rights.userID), any("withdraw" in name for name in granted))

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 1000, newest first on the wire."""
        params = {"category": "linear", "symbol": instrument.venue_symbol, "limit": 1000}
        body = await line.ask(Request("publicGetV5MarketRecentTrade", params, cost()))
        received = time.time_ns()
        return [
            Trade("bybit", instrument.symbol, row.price, row.size, SIDES[row.side], row.execId,
                  row.time * MILLI, received)
            for row in reversed(_public(body).result.rows)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, before: int | None
    ) -> list[Candle]:
        """At most 1000 a request, newest first on the wire."""

        async def page(end: int | None) -> Sequence[CandleRow]:
            end = time.time_ns() // MILLI if end is None else end - 1
            params = {
                "category": "linear", "symbol": instrument.venue_symbol,
                "interval": _INTERVALS[timeframe], "end": end, "limit": min(1000, count + 2),
            }  # fmt: skip
            body = await line.ask(Request("publicGetV5MarketKline", params, cost()))
            return _klines(body).result.rows

        return await closed_candles(instrument, timeframe, count, before, 5, page)

    async def settlements(
        self, line: Line, instrument: Instrument, count: int, before: int | None
    ) -> list[FundingSettled]:
        """At most 200 a request, newest first on the wire."""

        async def page(end: int | None) -> Sequence[StampedRow]:
            params: dict[str, Any] = {
                "category": "linear", "symbol": instrument.venue_symbol, "limit": min(200, count),
            }  # fmt: skip
            if end is not None:
                params["endTime"] = end - 1
            body = await line.ask(Request("publicGetV5MarketFundingHistory", params, cost()))
            rows = _settled(body).result.rows
            return [(row.fundingRateTimestamp, row.fundingRate) for row in rows]

        return await settled_rates(instrument, count, before, page)

    async def past_index(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """At most 1000 a request, newest first on the wire; stamped with their opens."""
        step = timeframe * 1000
        params = {
            "category": "linear", "symbol": instrument.venue_symbol,
            "interval": _INTERVALS[timeframe], "limit": min(1000, count + 2),
        }  # fmt: skip
        if end is not None:
            params["end"] = end - step - 1
        body = await line.ask(Request("publicGetV5MarketIndexPriceKline", params, cost()))
        return [(int(row[0]) + step, row[4]) for row in _klines(body).result.rows]

    async def past_interest(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """At most 200 a request, newest first on the wire."""
        params = {
            "category": "linear", "symbol": instrument.venue_symbol,
            "intervalTime": _PERIODS[timeframe], "limit": min(200, count + 2),
        }  # fmt: skip
        if end is not None:
            params["endTime"] = end - 1
        body = await line.ask(Request("publicGetV5MarketOpenInterest", params, cost()))
        return [(row.timestamp, row.openInterest) for row in _held(body).result.rows]

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the open and recent orders, then the history."""
        params = {
            "category": "linear",
            "symbol": self.instrument(symbol).venue_symbol,
            "orderLinkId": client_id,
        }
        for method in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            body = await ask_known(line, Request(method, params, cost("read")), self.absent)
            if body is None:
                continue
            received = time.time_ns()
            for row in _orders(body).result.rows:
                if row.orderLinkId == client_id:
                    return read_order(row, symbol, received, "query")
        return None

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """All kinds at once: without a filter the unified account lists conditional ones too."""
        return [
            report
            for row, received in await self._pages(
                line, urgency, "privateGetV5OrderRealtime", {"settleCoin": SETTLE, "limit": 50},
                _orders,
            )
            for report in (read_order(row, self.item(row.symbol).symbol, received, "sweep"),)
            if not report.status.terminal
        ]  # fmt: skip

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All of the settlement coin."""
        rows = await self._pages(
            line, urgency, "privateGetV5PositionList", {"settleCoin": SETTLE, "limit": 200},
            _positions,
        )  # fmt: skip
        return [
            read_position(row, self.item(row.symbol).symbol, received)
            for row, received in rows
            if number(row.size)
        ]

    async def balance(self, line: Line) -> Balance:
        """The unified wallet."""
        params = {"accountType": "UNIFIED", "coin": SETTLE}
        body = await line.ask(Request("privateGetV5AccountWalletBalance", params, cost("read")))
        balance = read_wallet(_wallets(body).result.rows, time.time_ns())
        if balance is None:
            return Balance("bybit", SETTLE, Decimal(0), time.time_ns(), free=Decimal(0))
        return balance

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """All symbols at once."""
        fills = [
            read_fill(row, item.symbol, received, "sweep")
            for row, received in await self._executions(line, since)
            if (item := self.by_venue.get(row.symbol)) and row.execType in EXECUTIONS
        ]
        fills.sort(key=lambda fill: fill.ts)
        return fills

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Executions of type Funding; the fee is positive when paid."""
        return [
            FundingPaid("bybit", item.symbol, -number(row.execFee), number(row.feeRate),
                        int(row.execTime) * MILLI, received)
            for row, received in await self._executions(line, since, execType="Funding")
            if (item := self.by_venue.get(row.symbol)) and row.execType == "Funding"
        ]  # fmt: skip

    async def _executions(self, line: Line, since: int, **more: str) -> list[tuple[FillRow, int]]:
        return await self._pages(
            line, Urgency.READ, "privateGetV5ExecutionList",
            {"startTime": history_start(since), "limit": 100, **more}, _fills,
        )  # fmt: skip

    async def _pages(
        self,
        line: Line,
        urgency: Urgency,
        method: str,
        params: Mapping[str, Any],
        decode: Callable[[str], Result[_Page[T]]],
    ) -> list[tuple[T, int]]:
        rows: list[tuple[T, int]] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            more = {"cursor": cursor} if cursor else {}
            body = await line.ask(
                Request(method, {"category": "linear", **params, **more}, cost("read")), urgency
            )
            received = time.time_ns()
            page = decode(body).result
            rows += [(row, received) for row in page.rows]
            cursor = page.nextPageCursor
            if not cursor or not page.rows:
                return rows
        raise VenueUnavailable(f"bybit: {method}: more than {_MOST_PAGES} pages")


def _instrument(row: _Listed) -> Instrument:
    return Instrument(
        "bybit",
        f"{row.baseCoin}/{SETTLE}:{SETTLE}",
        row.symbol,
        row.baseCoin,
        tick=Decimal(row.priceFilter.tickSize),
        lot=Decimal(row.lotSizeFilter.qtyStep),
        min_qty=Decimal(row.lotSizeFilter.minOrderQty),
        min_notional=number(row.lotSizeFilter.minNotionalValue),
        max_leverage=Decimal(row.leverageFilter.maxLeverage),
        taker_fee=Decimal("0.00055"),
        maker_fee=Decimal("0.0002"),
        max_market_qty=optional(row.lotSizeFilter.maxMktOrderQty),
        max_limit_qty=optional(row.lotSizeFilter.maxOrderQty),
    )
