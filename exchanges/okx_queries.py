"""What OKX v5 is asked: instruments, market history, and the state of the account.

Whatever concerns orders is asked of two books, the ordinary orders and the conditional ones.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.json import Decoder

from core.clock import DAY, HOUR
from core.errors import VenueUnavailable
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, FundingSettled, Side, Trade
from core.model.order import Fill, OrderReport
from exchanges.asking import (
    CandleRow,
    ask_known,
    closed_candles,
    history_start,
    settled_rates,
)
from exchanges.budget import Costs, Urgency
from exchanges.feed import MILLI, base_units
from exchanges.okx_private import (
    AlgoRow,
    OrderRow,
    Rows,
    decode_algos,
    decode_orders,
    decode_positions,
    decode_wallets,
    read_algo,
    read_order,
    read_position,
    read_wallet,
)
from exchanges.private import SETTLE, number, optional
from exchanges.rules import Account, Line, Request, Rules, StampedRow

_BARS = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1H", 7200: "2H",
         14400: "4H", 21600: "6Hutc", 43200: "12Hutc", 86400: "1Dutc"}  # fmt: skip
_PERIODS = {300: "5m", 3600: "1H", 86400: "1Dutc"}
_ALGO_TYPES = ("conditional,oco", "trigger", "move_order_stop")
_FUNDING_BILL = "8"
_MOST_PAGES = 200

T = TypeVar("T")


class _Listed(Struct):
    instId: str
    ctValCcy: str
    settleCcy: str
    ctType: str
    ctVal: str
    tickSz: str
    lotSz: str
    minSz: str
    state: str
    lever: str = ""
    ctMult: str = "1"
    maxMktSz: str = ""
    maxLmtSz: str = ""


class FillRow(Struct):
    """An own trade in a query."""

    instId: str
    tradeId: str
    ordId: str
    side: Side
    fillSz: str
    fillPx: str
    fee: str
    ts: str
    billId: str
    clOrdId: str = ""
    execType: str = ""


class _Bill(Struct):
    billId: str
    instId: str
    balChg: str
    ts: str
    type: str


class _Config(Struct):
    uid: str
    posMode: str
    perm: str = ""


class _PublicRow(Struct):
    tradeId: str
    px: float
    sz: float
    side: Side
    ts: int


class _RateRow(Struct):
    fundingTime: int
    realizedRate: float


class _Time(Struct):
    ts: str


_listed = Decoder(Rows[_Listed]).decode
_fills = Decoder(Rows[FillRow]).decode
_bills = Decoder(Rows[_Bill]).decode
_config = Decoder(Rows[_Config]).decode
_public = Decoder(Rows[_PublicRow], strict=False).decode
_candles = Decoder(Rows[list[float]], strict=False).decode
_settled = Decoder(Rows[_RateRow], strict=False).decode
_clock = Decoder(Rows[_Time]).decode


def cost(pool: str, units: float = 1.0) -> Costs:
    """Return what a request takes from its endpoint's pool."""
    return ((pool, units),)


class OkxQueries(Rules):
    """The questions; ``OkxRules`` adds the facts and the commands."""

    timeframes = _BARS
    periods = _PERIODS

    def time(self) -> Request:
        """The public clock."""
        return Request("publicGetPublicTime", {}, cost("time"))

    def read_time(self, body: str) -> float:
        """Milliseconds as text."""
        return float(_clock(body).data[0].ts)

    async def load(self, line: Line) -> list[Instrument]:
        """One list of all swaps."""
        query = {"instType": "SWAP"}
        body = await line.ask(Request("publicGetPublicInstruments", query, cost("market")))
        return [
            _instrument(row)
            for row in _listed(body).data
            if row.settleCcy == SETTLE and row.ctType == "linear" and row.state == "live"
        ]

    async def account(self, line: Line, environment: str) -> Account:
        """The account's configuration names the key's rights."""
        config = await self._configuration(line)
        return Account(config.uid, "withdraw" in config.perm)

    async def _configuration(self, line: Line) -> _Config:
        body = await line.ask(Request("privateGetAccountConfig", {}, cost("config")))
        return _config(body).data[0]

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 500, newest first on the wire."""
        params = {"instId": instrument.venue_symbol, "limit": 500}
        body = await line.ask(Request("publicGetMarketTrades", params, cost("market")))
        received = time.time_ns()
        scale = base_units(instrument) or float
        return [
            Trade("okx", instrument.symbol, row.px, scale(row.sz), row.side, row.tradeId,
                  row.ts * MILLI, received)
            for row in reversed(_public(body).data)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, before: int | None
    ) -> list[Candle]:
        """The last 300 at once, older ones a hundred a request, newest first on the wire."""

        async def page(end: int | None) -> Sequence[CandleRow]:
            params: dict[str, Any] = {"instId": instrument.venue_symbol, "bar": _BARS[timeframe]}
            method, limit = "publicGetMarketCandles", 300
            if end is not None:
                method, limit = "publicGetMarketHistoryCandles", 100
                params["after"] = str(end)
            params["limit"] = min(limit, count + 2)
            return _candles(await line.ask(Request(method, params, cost("market")))).data

        # Column 5 is the volume in contracts, 6 in base units.
        return await closed_candles(instrument, timeframe, count, before, 6, page)

    async def settlements(
        self, line: Line, instrument: Instrument, count: int, before: int | None
    ) -> list[FundingSettled]:
        """A hundred a request, newest first on the wire; the venue keeps three months."""

        async def page(end: int | None) -> Sequence[StampedRow]:
            params: dict[str, Any] = {"instId": instrument.venue_symbol, "limit": min(100, count)}
            if end is not None:
                params["after"] = str(end)
            request = Request("publicGetPublicFundingRateHistory", params, cost("rates"))
            rows = _settled(await line.ask(request)).data
            return [(row.fundingTime, row.realizedRate) for row in rows]

        return await settled_rates(instrument, count, before, page)

    async def past_index(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """A hundred a request, newest first on the wire; stamped with their opens."""
        step = timeframe * 1000
        params: dict[str, Any] = {
            "instId": f"{instrument.base}-{SETTLE}", "bar": _BARS[timeframe],
            "limit": min(100, count + 2),
        }  # fmt: skip
        method, pool = "publicGetMarketIndexCandles", "index"
        if end is not None:
            method, pool = "publicGetMarketHistoryIndexCandles", "index-history"
            params["after"] = str(end - step)
        rows = _candles(await line.ask(Request(method, params, cost(pool)))).data
        return [(int(row[0]) + step, row[4]) for row in rows]

    async def past_interest(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """A hundred a request, newest first on the wire; the venue keeps 1440."""
        params: dict[str, Any] = {
            "instId": instrument.venue_symbol, "period": _PERIODS[timeframe],
            "limit": min(100, count + 2),
        }  # fmt: skip
        if end is not None:
            params["end"] = str(end)
        request = Request(
            "publicGetRubikStatContractsOpenInterestHistory", params, cost("statistics")
        )
        # Contracts, base units, USD.
        return [(int(row[0]), row[2]) for row in _candles(await line.ask(request)).data]

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the book it should be in first, then the other."""
        item = self.instrument(symbol)
        query = {"instId": item.venue_symbol, "clOrdId": client_id}
        ordinary = Request("privateGetTradeOrder", query, cost("query"))
        algo = Request("privateGetTradeOrderAlgo", {"algoClOrdId": client_id}, cost("query-algo"))
        requests = [ordinary, algo]
        if self.names.is_stop(client_id):
            requests.reverse()
        for request in requests:
            body = await ask_known(line, request, self.absent)
            if body is None:
                continue
            received = time.time_ns()
            if request is ordinary:
                for row in decode_orders(body).data:
                    return read_order(row, item, self.names, received, "query")
            else:
                for stop in decode_algos(body).data:
                    return await self._follow(line, stop, item, received)
        return None

    async def _follow(
        self, line: Line, row: AlgoRow, item: Instrument, received: int
    ) -> OrderReport:
        """Report a stop, or the order it turned into once it has triggered."""
        report = read_algo(row, item, self.names, received, "query")
        child = row.ordId or (row.ordIdList[0] if row.ordIdList else "")
        if row.state != "effective" or not child:
            return report
        query = {"instId": item.venue_symbol, "ordId": child}
        body = await line.ask(Request("privateGetTradeOrder", query, cost("query")))
        for order in decode_orders(body).data:
            return read_order(order, item, self.names, time.time_ns(), "query")
        return report

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """The ordinary orders, and each kind of conditional one."""
        method = "privateGetTradeOrdersPending"
        algo_method = "privateGetTradeOrdersAlgoPending"
        orders, *algos = await asyncio.gather(
            self._pages(
                line, urgency, method, {"instType": "SWAP"}, decode_orders, _order_id,
                cost("pending"),
            ),
            *(
                self._pages(
                    line, urgency, algo_method, {"instType": "SWAP", "ordType": kind}, decode_algos,
                    _algo_id, cost("pending-algo"),
                )
                for kind in _ALGO_TYPES
            ),
        )  # fmt: skip
        received = time.time_ns()
        # Conditional ones first: they say which of the others are children of a stop.
        reports = [
            read_algo(row, self.item(row.instId), self.names, received, "sweep")
            for part in cast("list[list[AlgoRow]]", algos)
            for row in part
        ]
        reports += [
            read_order(row, self.item(row.instId), self.names, received, "sweep")
            for row in cast("list[OrderRow]", orders)
        ]
        return reports

    async def _pages(
        self,
        line: Line,
        urgency: Urgency,
        method: str,
        params: Mapping[str, Any],
        decode: Callable[[str], Rows[T]],
        identify: Callable[[T], str],
        costs: Costs,
    ) -> list[T]:
        rows: list[T] = []
        after: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            query = {**params, "limit": 100, **after}
            page = decode(await line.ask(Request(method, query, costs), urgency)).data
            rows += page
            if len(page) < 100:
                return rows
            after = {"after": identify(page[-1])}
        raise VenueUnavailable(f"okx: {method}: more than {_MOST_PAGES} pages")

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All swaps at once."""
        request = Request("privateGetAccountPositions", {"instType": "SWAP"}, cost("positions"))
        body = await line.ask(request, urgency)
        received = time.time_ns()
        return [
            read_position(row, self.item(row.instId), received)
            for row in decode_positions(body).data
            if number(row.pos)
        ]

    async def balance(self, line: Line) -> Balance:
        """The trading account."""
        request = Request("privateGetAccountBalance", {"ccy": SETTLE}, cost("balance"))
        body = await line.ask(request)
        received = time.time_ns()
        balance = read_wallet(decode_wallets(body).data, received)
        return balance or Balance("okx", SETTLE, Decimal(0), received, free=Decimal(0))

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """All swaps at once, newest first on the wire.

        The last three days come from the live table; the history may lag behind it.
        """
        method, pool = "privateGetTradeFills", "fills"
        if since < time.time_ns() - 3 * DAY + HOUR:
            method, pool = "privateGetTradeFillsHistory", "fills-history"
        query = {"instType": "SWAP", "begin": history_start(since)}
        rows = await self._pages(line, Urgency.READ, method, query, _fills, _fill_id, cost(pool))
        received = time.time_ns()
        fills = [
            Fill("okx", item.symbol, row.tradeId,
                 self.names.client(item.symbol, row.ordId, row.clOrdId), row.ordId, row.side,
                 number(row.fillSz) * item.contract_size, number(row.fillPx), -number(row.fee),
                 row.execType == "M", int(row.ts) * MILLI, received, "sweep")
            for row in rows
            if (item := self.by_venue.get(row.instId))
        ]  # fmt: skip
        fills.sort(key=lambda fill: fill.ts)
        return fills

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Bills of type 8; the rate is not told."""
        rows = await self._pages(
            line, Urgency.READ, "privateGetAccountBills",
            {"instType": "SWAP", "type": _FUNDING_BILL, "begin": history_start(since)}, _bills,
            _bill_id, cost("bills"),
        )  # fmt: skip
        received = time.time_ns()
        return [
            FundingPaid("okx", item.symbol, number(row.balChg), Decimal(0), int(row.ts) * MILLI,
                        received)
            for row in rows
            if (item := self.by_venue.get(row.instId)) and row.type == _FUNDING_BILL
        ]  # fmt: skip


def _order_id(row: OrderRow) -> str:
    return row.ordId


def _algo_id(row: AlgoRow) -> str:
    return row.algoId


def _fill_id(row: FillRow) -> str:
    return row.billId


def _bill_id(row: _Bill) -> str:
    return row.billId


def _instrument(row: _Listed) -> Instrument:
    size = Decimal(row.ctVal) * Decimal(row.ctMult or "1")
    market, limit = optional(row.maxMktSz), optional(row.maxLmtSz)
    return Instrument(
        "okx",
        f"{row.ctValCcy}/{SETTLE}:{SETTLE}",
        row.instId,
        row.ctValCcy,
        tick=Decimal(row.tickSz),
        lot=Decimal(row.lotSz) * size,
        min_qty=Decimal(row.minSz) * size,
        min_notional=Decimal(0),
        contract_size=size,
        max_leverage=Decimal(row.lever or "20"),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0002"),
        max_market_qty=market * size if market else None,
        max_limit_qty=limit * size if limit else None,
    )
