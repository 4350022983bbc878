"""What Binance USDⓈ-M is asked: instruments, market history, and the state of the account.

Whatever concerns orders is asked of two books, the ordinary orders and the algo orders. Own
trades can only be asked per symbol and do not carry a client id.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from core.clock import DAY, HOUR
from core.errors import VenueRefused
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, FundingSettled, Side, Trade
from core.model.order import Fill, OrderReport
from exchanges.asking import (
    RATE_WINDOW,
    CandleRow,
    ask_known,
    closed_candles,
    history_start,
    settled_rates,
)
from exchanges.binance_private import SIDES, AlgoRow, OrderRow, read_algo, read_order
from exchanges.budget import Costs, Urgency
from exchanges.feed import MILLI
from exchanges.private import SETTLE, number, optional
from exchanges.rules import Account, Line, Request, Rules, StampedRow

_INTERVALS = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 7200: "2h",
              14400: "4h", 21600: "6h", 28800: "8h", 43200: "12h", 86400: "1d"}  # fmt: skip

_PERIODS = {300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 7200: "2h", 14400: "4h", 21600: "6h",
            43200: "12h", 86400: "1d"}  # fmt: skip
_HELD_FOR = (30 * DAY - HOUR) // MILLI
"""Milliseconds of open interest that can be asked for."""


class _Filter(Struct):
    filterType: str
    tickSize: str = ""
    stepSize: str = ""
    minQty: str = ""
    maxQty: str = ""
    notional: str = ""


class _Listed(Struct):
    symbol: str
    baseAsset: str
    quoteAsset: str
    marginAsset: str
    filters: list[_Filter]
    contractType: str = ""
    status: str = ""


class _Info(Struct):
    symbols: list[_Listed]


class _Bracket(Struct):
    initialLeverage: int


class _Brackets(Struct):
    symbol: str
    brackets: list[_Bracket]


class _PositionRow(Struct):
    symbol: str
    positionAmt: str
    entryPrice: str
    markPrice: str = ""
    liquidationPrice: str = ""
    leverage: str = ""
    unRealizedProfit: str = ""


class _CashRow(Struct):
    asset: str
    balance: str
    availableBalance: str
    accountAlias: str = ""


class FillRow(Struct):
    """An own trade in a query."""

    symbol: str
    id: int
    orderId: int
    side: str
    price: str
    qty: str
    commission: str
    maker: bool
    time: int


class _IncomeRow(Struct):
    symbol: str
    income: str
    time: int
    incomeType: str = ""


class _PublicRow(Struct):
    id: int
    price: float
    qty: float
    time: int
    isBuyerMaker: bool


class _RateRow(Struct):
    fundingTime: int
    fundingRate: float


class _InterestRow(Struct):
    openInterest: float
    time: int


class _HeldRow(Struct):
    sumOpenInterest: float
    timestamp: int


class _Rights(Struct):
    enableWithdrawals: bool = False
    enableInternalTransfer: bool = False


class _Time(Struct):
    serverTime: int


_info = Decoder(_Info).decode
_brackets = Decoder(list[_Brackets]).decode
_order = Decoder(OrderRow).decode
_orders = Decoder(list[OrderRow]).decode
_algo = Decoder(AlgoRow).decode
_algos = Decoder(list[AlgoRow]).decode
_positions = Decoder(list[_PositionRow]).decode
_cash = Decoder(list[_CashRow]).decode
_fills = Decoder(list[FillRow]).decode
_incomes = Decoder(list[_IncomeRow]).decode
_public = Decoder(list[_PublicRow], strict=False).decode
_klines = Decoder(list[list[float]], strict=False).decode
_settled = Decoder(list[_RateRow], strict=False).decode
_interest = Decoder(_InterestRow, strict=False).decode
_held = Decoder(list[_HeldRow], strict=False).decode
_rights = Decoder(_Rights).decode
_clock = Decoder(_Time).decode


def weight(units: float, orders: float = 0.0) -> Costs:
    """Return what a request takes from the address's weight and from the order counts."""
    if orders:
        return (("weight", units), ("orders10", orders), ("orders60", orders))
    return (("weight", units),)


class BinanceQueries(Rules):
    """The questions; ``BinanceRules`` adds the facts and the commands."""

    timeframes = _INTERVALS
    periods = _PERIODS

    def time(self) -> Request:
        """The public clock."""
        return Request("fapiPublicGetTime", {}, weight(1))

    def read_time(self, body: str) -> float:
        """Milliseconds."""
        return float(_clock(body).serverTime)

    async def load(self, line: Line) -> list[Instrument]:
        """One list of everything; the highest leverage is asked apart."""
        body, brackets = await asyncio.gather(
            line.ask(Request("fapiPublicGetExchangeInfo", {}, weight(1))),
            line.ask(Request("fapiPrivateGetLeverageBracket", {}, weight(1))),
        )
        highest = {
            row.symbol: max(bracket.initialLeverage for bracket in row.brackets)
            for row in _brackets(brackets)
            if row.brackets
        }
        return [
            _instrument(row, highest.get(row.symbol, 20))
            for row in _info(body).symbols
            if row.contractType == "PERPETUAL"
            and row.marginAsset == SETTLE
            and row.quoteAsset == SETTLE
            and row.status == "TRADING"
        ]

    async def account(self, line: Line, environment: str) -> Account:
        """The futures account's alias; rights are told by an endpoint that demo does not have."""
        body = await line.ask(Request("fapiPrivateV3GetBalance", {}, weight(5)))
        aliases = {row.accountAlias for row in _cash(body) if row.accountAlias}
        can_withdraw = None
        if environment != "testnet":
            rights = _rights(
                await line.ask(Request("sapiGetAccountApiRestrictions", {}, weight(1)))
            )
            can_withdraw = rights.enableWithdrawals or rights.enableInternalTransfer
        return Account(min(aliases, default=""), can_withdraw)

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 1000, oldest first."""
        params = {"symbol": instrument.venue_symbol, "limit": 1000}
        body = await line.ask(Request("fapiPublicGetTrades", params, weight(5)))
        received = time.time_ns()
        return [
            Trade("binance", instrument.symbol, row.price, row.qty,
                  Side.SELL if row.isBuyerMaker else Side.BUY, str(row.id), row.time * MILLI,
                  received)
            for row in _public(body)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, before: int | None
    ) -> list[Candle]:
        """At most 1500 a request, oldest first."""

        async def page(end: int | None) -> Sequence[CandleRow]:
            end = time.time_ns() // MILLI if end is None else end - 1
            params = {
                "symbol": instrument.venue_symbol, "interval": _INTERVALS[timeframe],
                "endTime": end, "limit": min(1500, count + 2),
            }  # fmt: skip
            return _klines(await line.ask(Request("fapiPublicGetKlines", params, weight(10))))

        return await closed_candles(instrument, timeframe, count, before, 5, page)

    async def settlements(
        self, line: Line, instrument: Instrument, count: int, before: int | None
    ) -> list[FundingSettled]:
        """At most 1000 a request, oldest first; they have a limit of their own, 500 in 5 min."""

        async def page(end: int | None) -> Sequence[StampedRow]:
            params = {"symbol": instrument.venue_symbol, "limit": min(1000, count)}
            if end is not None:  # of more than the limit it would give the oldest
                params |= {"startTime": end - RATE_WINDOW, "endTime": end - 1, "limit": 1000}
            costs = (*weight(1), ("funding", 1.0))
            rows = _settled(await line.ask(Request("fapiPublicGetFundingRate", params, costs)))
            return [(row.fundingTime, row.fundingRate) for row in rows]

        return await settled_rates(instrument, count, before, page)

    async def past_index(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """At most 1500 a request, oldest first; stamped with their opens."""
        step = timeframe * 1000
        params = {
            "pair": instrument.venue_symbol, "interval": _INTERVALS[timeframe],
            "limit": min(1500, count + 2),
        }  # fmt: skip
        if end is not None:
            params["endTime"] = end - step - 1
        body = await line.ask(Request("fapiPublicGetIndexPriceKlines", params, weight(10)))
        return [(int(row[0]) + step, row[4]) for row in _klines(body)]

    async def past_interest(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """At most 500 a request, oldest first; of the last 30 days. The limit is its own."""
        now = time.time_ns() // MILLI
        oldest = now - _HELD_FOR
        if end is not None and end <= oldest:
            return []
        params = {
            "symbol": instrument.venue_symbol, "period": _PERIODS[timeframe],
            "limit": min(500, count + 2),
        }  # fmt: skip
        if end is not None:  # of more than the limit it would give the oldest
            start = max(end - 500 * timeframe * 1000, oldest)
            params |= {"startTime": start, "endTime": end - 1, "limit": 500}
        body = await line.ask(Request("fapiDataGetOpenInterestHist", params, (("data", 1.0),)))
        return [(row.timestamp, row.sumOpenInterest) for row in _held(body)]

    def interest(self, instrument: Instrument) -> Request:
        """No stream has it."""
        return Request("fapiPublicGetOpenInterest", {"symbol": instrument.venue_symbol}, weight(1))

    def read_interest(self, body: str) -> tuple[float, int]:
        """Base units."""
        row = _interest(body)
        return row.openInterest, row.time

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the book it should be in first, then the other."""
        venue_symbol = self.instrument(symbol).venue_symbol
        plain_order = Request(
            "fapiPrivateGetOrder", {"symbol": venue_symbol, "origClientOrderId": client_id},
            weight(1),
        )  # fmt: skip
        algo_order = Request("fapiPrivateGetAlgoOrder", {"clientAlgoId": client_id}, weight(1))
        requests = [plain_order, algo_order]
        if self.names.is_stop(client_id):
            requests.reverse()
        for request in requests:
            body = await ask_known(line, request, self.absent)
            if body is None:
                continue
            received = time.time_ns()
            if request is plain_order:
                return read_order(_order(body), symbol, self.names, received, "query")
            return read_algo(_algo(body), symbol, self.names, received, "query")
        return None

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """Both order books."""
        orders, algos = await asyncio.gather(
            line.ask(Request("fapiPrivateGetOpenOrders", {}, weight(40)), urgency),
            line.ask(Request("fapiPrivateGetOpenAlgoOrders", {}, weight(40)), urgency),
        )
        received = time.time_ns()
        conditional = [
            read_algo(row, self.item(row.symbol).symbol, self.names, received, "sweep")
            for row in _algos(algos)
        ]
        return conditional + [
            read_order(row, self.item(row.symbol).symbol, self.names, received, "sweep")
            for row in _orders(orders)
        ]

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All symbols at once."""
        body = await line.ask(Request("fapiPrivateV3GetPositionRisk", {}, weight(5)), urgency)
        received = time.time_ns()
        return [
            PositionReport(
                "binance", self.item(row.symbol).symbol, number(row.positionAmt),
                number(row.entryPrice), received, mark=optional(row.markPrice),
                liquidation=optional(row.liquidationPrice), leverage=optional(row.leverage),
                unrealised=number(row.unRealizedProfit),
            )
            for row in _positions(body)
            if number(row.positionAmt)
        ]  # fmt: skip

    async def balance(self, line: Line) -> Balance:
        """The futures wallet."""
        body = await line.ask(Request("fapiPrivateV3GetBalance", {}, weight(5)))
        received = time.time_ns()
        for row in _cash(body):
            if row.asset == SETTLE:
                free = number(row.availableBalance)
                return Balance("binance", SETTLE, number(row.balance), received, free=free)
        return Balance("binance", SETTLE, Decimal(0), received, free=Decimal(0))

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """Symbol by symbol, a thousand trades a page, following the trade id."""
        start = history_start(since)
        lists = await asyncio.gather(
            *(self._fills_of(line, self.instrument(symbol), start) for symbol in symbols)
        )
        fills = [fill for part in lists for fill in part]
        fills.sort(key=lambda fill: fill.ts)
        return fills

    async def _fills_of(self, line: Line, item: Instrument, start: int) -> list[Fill]:
        rows: list[FillRow] = []
        params: dict[str, Any] = {"startTime": start}
        while True:
            query = {"symbol": item.venue_symbol, "limit": 1000, **params}
            body = await line.ask(Request("fapiPrivateGetUserTrades", query, weight(5)))
            page = _fills(body)
            rows += page
            if len(page) < 1000:
                break
            params = {"fromId": page[-1].id + 1}
        received = time.time_ns()
        return [
            Fill("binance", item.symbol, str(row.id), await self._owner(line, item, row.orderId),
                 str(row.orderId), SIDES[row.side], number(row.qty), number(row.price),
                 number(row.commission), row.maker, row.time * MILLI, received, "sweep")
            for row in rows
        ]  # fmt: skip

    async def _owner(self, line: Line, item: Instrument, order_id: int) -> str:
        """Return the client id behind an order id, asking the venue when memory has none."""
        client_id = self.names.client(item.symbol, str(order_id))
        if client_id:
            return client_id
        query = {"symbol": item.venue_symbol, "orderId": order_id}
        try:
            body = await line.ask(Request("fapiPrivateGetOrder", query, weight(1)))
        except VenueRefused:
            return ""  # too old to be kept; the fill still counts
        client_id = _order(body).clientOrderId
        self.names.link(item.symbol, str(order_id), client_id)
        return client_id

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Income of type FUNDING_FEE; the rate is not told."""
        params = {
            "incomeType": "FUNDING_FEE", "limit": 1000,
            "startTime": history_start(since),
        }  # fmt: skip
        body = await line.ask(Request("fapiPrivateGetIncome", params, weight(30)))
        received = time.time_ns()
        return [
            FundingPaid("binance", item.symbol, number(row.income), Decimal(0),
                        row.time * MILLI, received)
            for row in _incomes(body)
            if (item := self.by_venue.get(row.symbol)) and row.incomeType == "FUNDING_FEE"
        ]  # fmt: skip


def _instrument(row: _Listed, leverage: int) -> Instrument:
    filters = {item.filterType: item for item in row.filters}
    lot, market = filters["LOT_SIZE"], filters.get("MARKET_LOT_SIZE")
    notional = filters.get("MIN_NOTIONAL")
    return Instrument(
        "binance",
        f"{row.baseAsset}/{SETTLE}:{SETTLE}",
        row.symbol,
        row.baseAsset,
        tick=Decimal(filters["PRICE_FILTER"].tickSize),
        lot=Decimal(lot.stepSize),
        min_qty=Decimal(lot.minQty),
        min_notional=number(notional.notional) if notional else Decimal(5),
        max_leverage=Decimal(leverage),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0002"),
        max_market_qty=optional(market.maxQty) if market else None,
        max_limit_qty=optional(lot.maxQty),
    )
