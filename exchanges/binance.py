"""Binance USDⓈ-M futures.

Stops live in a second order book, the "algo" orders, with its own endpoints and ids; a triggered
one becomes an ordinary order with another id (``ai`` in its updates), which is told under the
stop's client id here. Own trades can only be asked per symbol and do not carry a client id.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.json import Decoder

from core.clock import SECOND
from core.desk.ports import Sink
from core.errors import VenueError, VenueRefused
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, Side, Trade
from core.model.order import Fill, Order, OrderKind, OrderReport, OrderStatus, TimeInForce
from exchanges.binance_feed import BinanceFeed
from exchanges.budget import Costs, Pool, Urgency
from exchanges.feed import MILLI, Feed
from exchanges.outcome import Answer, Reply, codes
from exchanges.rules import (
    HISTORY,
    SETTLE,
    Account,
    Channel,
    Line,
    Names,
    Penalty,
    PrivateFeed,
    Request,
    Rules,
    number,
    optional,
    plain,
    read_candle,
)

ORDER_SAMPLE = (
    '{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT",'
    '"c":"T1AAAA01000000001X7K2M9Q","S":"SELL","o":"LIMIT","f":"GTC","q":"0.001","p":"7103.04",'
    '"ap":"7103.04","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,"l":"0.0005",'
    '"z":"0.0005","L":"7103.04","N":"USDT","n":"0.00071030","T":1568879465650,"t":71,"m":true,'
    '"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","rp":"0"}}'
)
ALGO_SAMPLE = (
    '{"e":"ALGO_UPDATE","T":1750515742297,"E":1750515742303,"o":{"caid":'
    '"T1AAAA01000000002X7K2M9Q","aid":2148719,"at":"CONDITIONAL","o":"STOP_MARKET","s":"BNBUSDT",'
    '"S":"SELL","ps":"BOTH","f":"GTC","q":"0.01","X":"TRIGGERED","ai":"8886999","ap":"0.00000",'
    '"aq":"0.00000","act":"0","tp":"750","p":"0","wt":"MARK_PRICE","R":true,"tt":1750515742290}}'
)
ACCOUNT_SAMPLE = (
    '{"e":"ACCOUNT_UPDATE","E":1564745798939,"T":1564745798938,"a":{"m":"ORDER","B":[{"a":"USDT",'
    '"wb":"122624.12345678","cw":"100.12345678","bc":"50.12345678"}],"P":[{"s":"BTCUSDT",'
    '"pa":"-0.002","ep":"7103.04","bep":"7103.00","cr":"200","up":"0.5","mt":"cross","iw":"0",'
    '"ps":"BOTH"}]}}'
)

_STATUS = {
    "NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.PARTIAL,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    # of algo orders:
    "TRIGGERING": OrderStatus.OPEN,
    "TRIGGERED": OrderStatus.OPEN,
}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_OUR_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
_KINDS = {"LIMIT": OrderKind.LIMIT, "MARKET": OrderKind.MARKET}
_TIF = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
_CANCEL_BATCH = 10
_FAST = ("depth@100ms", "bookTicker", "trade")
_SLOW = ("ticker", "markPrice@1s")
_INTERVALS = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 7200: "2h",
              14400: "4h", 21600: "6h", 28800: "8h", 43200: "12h", 86400: "1d"}  # fmt: skip


class _Head(Struct):
    code: int | str = 0
    msg: str = ""
    orderId: int | str = ""
    algoId: int | str = ""


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


class _OrderEvent(Struct):
    """``o`` of ORDER_TRADE_UPDATE."""

    s: str
    c: str
    S: str
    o: str
    q: str
    p: str
    ap: str
    x: str
    X: str
    i: int
    l: str  # noqa: E741 - the venue's name
    z: str
    L: str
    T: int
    t: int
    m: bool
    R: bool
    n: str = "0"
    ot: str = ""
    sp: str = ""


class _OrderFrame(Struct):
    o: _OrderEvent


class _AlgoEvent(Struct):
    """``o`` of ALGO_UPDATE."""

    caid: str
    aid: int
    s: str
    S: str
    o: str
    q: str
    X: str
    tp: str
    ai: str | int = ""
    ap: str = ""
    aq: str = ""
    p: str = ""
    R: bool = False
    rm: str = ""


class _AlgoFrame(Struct):
    T: int
    o: _AlgoEvent


class _CashEvent(Struct):
    a: str
    wb: str


class _PositionEvent(Struct):
    s: str
    pa: str
    ep: str
    up: str = ""


class _AccountEvent(Struct):
    B: list[_CashEvent] = field(default_factory=list)
    P: list[_PositionEvent] = field(default_factory=list)


class _AccountFrame(Struct):
    a: _AccountEvent


class OrderRow(Struct):
    """An ordinary order in a query."""

    symbol: str
    orderId: int
    clientOrderId: str
    side: str
    type: str
    status: str
    origQty: str
    executedQty: str
    price: str = ""
    avgPrice: str = ""
    reduceOnly: bool = False
    updateTime: int = 0
    stopPrice: str = ""


class AlgoRow(Struct):
    """A conditional order in a query."""

    algoId: int
    clientAlgoId: str
    symbol: str
    side: str
    quantity: str
    algoStatus: str
    triggerPrice: str
    orderType: str = ""
    price: str = ""
    reduceOnly: bool = False
    actualOrderId: str | int = ""
    actualPrice: str = ""
    actualQty: str = ""
    updateTime: int = 0


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


class _Rights(Struct):
    enableWithdrawals: bool = False
    enableInternalTransfer: bool = False


class _Mode(Struct):
    dualSidePosition: bool


class _Time(Struct):
    serverTime: int


class _BatchRow(Struct):
    orderId: int | str = ""
    code: int = 0


class _Event(Struct):
    e: str = ""


class _Ack(Struct):
    id: int | None = None
    error: object = None


_head = Decoder(_Head).decode
_info = Decoder(_Info).decode
_brackets = Decoder(list[_Brackets]).decode
_event = Decoder(_Event).decode
_ack = Decoder(_Ack).decode
_order_frame = Decoder(_OrderFrame).decode
_algo_frame = Decoder(_AlgoFrame).decode
_account_frame = Decoder(_AccountFrame).decode
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
_rights = Decoder(_Rights).decode
_mode = Decoder(_Mode).decode
_clock = Decoder(_Time).decode
_batch = Decoder(list[_BatchRow]).decode


def read_order(row: OrderRow, symbol: str, names: Names, received: int, source: str) -> OrderReport:
    """Turn an ordinary order's row into a report; a stop's child is told as the stop."""
    venue_id = str(row.orderId)
    client_id = names.client(venue_id, row.clientOrderId)
    names.link(venue_id, client_id)
    stop = names.is_child(venue_id)
    kind = OrderKind.STOP if stop else _KINDS.get(row.type, OrderKind.STOP)
    return OrderReport(
        "binance", symbol, client_id, venue_id, _SIDES[row.side], kind,
        _STATUS.get(row.status, OrderStatus.UNKNOWN), number(row.origQty),
        number(row.executedQty), row.updateTime * MILLI, received,
        price=optional(row.price) if kind is OrderKind.LIMIT else None,
        trigger=optional(row.stopPrice), average=optional(row.avgPrice),
        reduce_only=row.reduceOnly, source=source,
    )  # fmt: skip


def read_algo(row: AlgoRow, symbol: str, names: Names, received: int, source: str) -> OrderReport:
    """Turn a conditional order's row into a report."""
    venue_id = str(row.algoId)
    names.mark_stop(row.clientAlgoId, venue_id)
    names.link(venue_id, row.clientAlgoId)
    if row.actualOrderId:
        names.link(str(row.actualOrderId), row.clientAlgoId)
    filled = number(row.actualQty)
    return OrderReport(
        "binance", symbol, row.clientAlgoId, venue_id, _SIDES[row.side], OrderKind.STOP,
        _algo_status(row.algoStatus, filled), number(row.quantity), filled,
        row.updateTime * MILLI, received, trigger=optional(row.triggerPrice),
        average=optional(row.actualPrice), reduce_only=row.reduceOnly, source=source,
    )  # fmt: skip


def _algo_status(text: str, filled: Decimal) -> OrderStatus:
    if text == "FINISHED":
        return OrderStatus.FILLED if filled else OrderStatus.CANCELLED
    return _STATUS.get(text, OrderStatus.UNKNOWN)


class BinancePrivate(PrivateFeed):
    """The events of a listen key."""

    venue = "binance"

    def _route(self, text: str, received: int) -> bool:
        event = _event(text).e if text.startswith("{") else ""
        if event == "ORDER_TRADE_UPDATE":
            self._take_order(_order_frame(text).o, received)
        elif event == "ALGO_UPDATE":
            self._take_algo(_algo_frame(text), received)
        elif event == "ACCOUNT_UPDATE":
            self._take_account(_account_frame(text).a, received)
        elif event == "listenKeyExpired":
            # ccxt ignores it and waits for ever on a socket that says nothing any more.
            self.expired("the listen key expired")
        else:
            return event in ("TRADE_LITE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL")
        return True

    def _take_order(self, row: _OrderEvent, received: int) -> None:
        item = self.instruments.get(row.s)
        if item is None:
            return
        venue_id = str(row.i)
        client_id = self.names.client(venue_id, row.c)
        if self.names.is_stop(row.c):
            client_id = row.c
        self.names.link(venue_id, client_id)
        stop = self.names.is_stop(client_id)
        kind = OrderKind.STOP if stop else _KINDS.get(row.o, OrderKind.STOP)
        ts = row.T * MILLI
        report = OrderReport(
            "binance", item.symbol, client_id, venue_id, _SIDES[row.S], kind,
            _STATUS.get(row.X, OrderStatus.UNKNOWN), number(row.q), number(row.z), ts, received,
            price=optional(row.p) if kind is OrderKind.LIMIT else None,
            trigger=optional(row.sp), average=optional(row.ap), reduce_only=row.R,
        )  # fmt: skip
        if row.x == "TRADE":
            # The fill first: it is what positions are made of, the report only checks it.
            self.sink(
                Fill("binance", item.symbol, str(row.t), client_id, venue_id, _SIDES[row.S],
                     number(row.l), number(row.L), number(row.n), row.m, ts, received)
            )  # fmt: skip
        self.sink(report)

    def _take_algo(self, frame: _AlgoFrame, received: int) -> None:
        row = frame.o
        item = self.instruments.get(row.s)
        if item is None:
            return
        self.sink(
            read_algo(
                AlgoRow(
                    row.aid, row.caid, row.s, row.S, row.q, row.X, row.tp, reduceOnly=row.R,
                    actualOrderId=row.ai, actualPrice=row.ap, actualQty=row.aq,
                    updateTime=frame.T,
                ),
                item.symbol, self.names, received, "stream",
            )
        )  # fmt: skip

    def _take_account(self, row: _AccountEvent, received: int) -> None:
        for cash in row.B:
            if cash.a == SETTLE:
                self.sink(Balance("binance", SETTLE, number(cash.wb), received))
        for position in row.P:
            if item := self.instruments.get(position.s):
                self.sink(
                    PositionReport(
                        "binance", item.symbol, number(position.pa), number(position.ep), received,
                        unrealised=number(position.up),
                    )
                )  # fmt: skip


def _weight(weight: float, orders: float = 0.0) -> Costs:
    if orders:
        return (("weight", weight), ("orders10", orders), ("orders60", orders))
    return (("weight", weight),)


class BinanceRules(Rules):
    """The facts of Binance."""

    venue = "binance"
    pools: ClassVar[Mapping[str, Pool]] = {
        "weight": Pool(2400, 60),
        "orders10": Pool(300, 10),
        "orders60": Pool(1200, 60),
    }
    # -1000 .. -1016 but these are about the venue, not about the order: unknown.
    refusals = (
        codes(-1002, -1003, -1015, (-1023, -1020), (-1199, -1100), (-2030, -2014), -2008, -2010,
              (-4199, -4000), (-5099, -5000))
        - codes(-4116)
    )  # fmt: skip
    cancel_refusals = refusals | codes(-2011, -2013)
    absent = codes(-2011, -2013)
    wrong_key = codes(-1002, -1022, -2008, -2014, -2015)
    wrong_place = frozenset()
    unavailable = codes(-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1016)
    two_books = True

    def read(self, body: str) -> Answer:
        """A refusal is an object with a negative code; anything else is the answer itself."""
        if body.startswith("["):
            return Answer("0")
        head = _head(body)
        code = str(head.code)
        return Answer("0" if code in ("0", "200") else code, head.msg,
                      str(head.orderId or head.algoId or ""))  # fmt: skip

    def penalty(self, reply: Reply) -> Penalty | None:
        """418 is a ban for as long as it says; 429 is the last warning before it."""
        if reply.status not in (418, 429):
            return None
        text = reply.headers.get("Retry-After", "")
        wait = float(text) if text.replace(".", "", 1).isdigit() else 0.0
        if reply.status == 418:
            return Penalty(wait or 120.0, ban=True)
        return Penalty(wait or 10.0)

    def remaining(self, headers: Mapping[str, str]) -> Mapping[str, float]:
        """Every reply says what was used."""
        left = {}
        for name, pool in _USED.items():
            used = headers.get(name, "")
            if used.isdigit():
                left[pool] = self.pools[pool].capacity - float(used)
        return left

    def submit(self, order: Order) -> Request:
        """An ordinary order, or a conditional one on the mark price."""
        symbol = self.instrument(order.symbol).venue_symbol
        side = _OUR_SIDES[order.side]
        if order.kind is OrderKind.STOP:
            assert order.trigger is not None
            self.names.mark_stop(order.client_id)
            params: dict[str, Any] = {
                "algoType": "CONDITIONAL", "symbol": symbol, "side": side, "type": "STOP_MARKET",
                "quantity": plain(order.qty), "triggerPrice": plain(order.trigger),
                "workingType": "MARK_PRICE", "reduceOnly": "true",
                "clientAlgoId": order.client_id,
            }  # fmt: skip
            return Request("fapiPrivatePostAlgoOrder", params, _weight(0.1, 1))
        params = {
            "symbol": symbol, "side": side, "type": order.kind.name, "quantity": plain(order.qty),
            "newClientOrderId": order.client_id, "newOrderRespType": "ACK",
        }  # fmt: skip
        if order.kind is OrderKind.LIMIT:
            assert order.price is not None
            params["price"] = plain(order.price)
            params["timeInForce"] = _TIF[order.tif]
        if order.reduce_only:
            params["reduceOnly"] = "true"
        return Request("fapiPrivatePostOrder", params, _weight(0.1, 1))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """From whichever of the two order books it is in."""
        if stop:
            params = {"clientAlgoId": client_id} if client_id else {"algoId": venue_id}
            return Request("fapiPrivateDeleteAlgoOrder", params, _weight(1))
        params = {"symbol": self.instrument(symbol).venue_symbol}
        params |= {"origClientOrderId": client_id} if client_id else {"orderId": venue_id}
        return Request("fapiPrivateDeleteOrder", params, _weight(1))

    def time(self) -> Request:
        """The public clock."""
        return Request("fapiPublicGetTime", {}, _weight(1))

    def read_time(self, body: str) -> float:
        """Milliseconds."""
        return float(_clock(body).serverTime)

    async def load(self, line: Line) -> list[Instrument]:
        """One list of everything; the highest leverage is asked apart."""
        body, brackets = await asyncio.gather(
            line.ask(Request("fapiPublicGetExchangeInfo", {}, _weight(1))),
            line.ask(Request("fapiPrivateGetLeverageBracket", {}, _weight(1))),
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
        body = await line.ask(Request("fapiPrivateV3GetBalance", {}, _weight(5)))
        aliases = {row.accountAlias for row in _cash(body) if row.accountAlias}
        can_withdraw = None
        if environment != "testnet":
            rights = _rights(
                await line.ask(Request("sapiGetAccountApiRestrictions", {}, _weight(1)))
            )
            can_withdraw = rights.enableWithdrawals or rights.enableInternalTransfer
        return Account(min(aliases, default=""), can_withdraw)

    async def prepare(self, line: Line) -> None:
        """One-way mode; cross margin is per symbol and set with the leverage."""
        body = await line.ask(Request("fapiPrivateGetPositionSideDual", {}, _weight(30)))
        if _mode(body).dualSidePosition:
            params = {"dualSidePosition": "false"}
            await _unless(
                line, Request("fapiPrivatePostPositionSideDual", params, _weight(1)), "-4059"
            )

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 1000, oldest first."""
        params = {"symbol": instrument.venue_symbol, "limit": 1000}
        body = await line.ask(Request("fapiPublicGetTrades", params, _weight(5)))
        received = time.time_ns()
        return [
            Trade("binance", instrument.symbol, row.price, row.qty,
                  Side.SELL if row.isBuyerMaker else Side.BUY, str(row.id), row.time * MILLI,
                  received)
            for row in _public(body)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int
    ) -> list[Candle]:
        """At most 1500 a request, oldest first."""
        found: dict[int, Candle] = {}
        end = time.time_ns() // MILLI
        while len(found) < count:
            params = {
                "symbol": instrument.venue_symbol, "interval": _INTERVALS[timeframe],
                "endTime": end, "limit": min(1500, count + 2),
            }  # fmt: skip
            body = await line.ask(Request("fapiPublicGetKlines", params, _weight(10)))
            rows = _klines(body)
            received = time.time_ns()
            fresh = False
            for row in rows:
                opened = int(row[0]) * MILLI
                fresh = fresh or opened not in found
                if opened + timeframe * SECOND <= received:
                    found[opened] = read_candle(instrument, timeframe, row, 5, received)
            if not fresh:
                break
            end = int(rows[0][0]) - 1
        return [found[opened] for opened in sorted(found)][-count:]

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the book it should be in first, then the other."""
        venue_symbol = self.instrument(symbol).venue_symbol
        plain_order = Request(
            "fapiPrivateGetOrder", {"symbol": venue_symbol, "origClientOrderId": client_id},
            _weight(1),
        )  # fmt: skip
        algo_order = Request("fapiPrivateGetAlgoOrder", {"clientAlgoId": client_id}, _weight(1))
        requests = [plain_order, algo_order]
        if self.names.is_stop(client_id):
            requests.reverse()
        for request in requests:
            try:
                body = await line.ask(request)
            except VenueRefused as error:
                if error.code in self.absent:
                    continue
                raise
            received = time.time_ns()
            if request is plain_order:
                return read_order(_order(body), symbol, self.names, received, "query")
            return read_algo(_algo(body), symbol, self.names, received, "query")
        return None

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """Both order books."""
        orders, algos = await asyncio.gather(
            line.ask(Request("fapiPrivateGetOpenOrders", {}, _weight(40)), urgency),
            line.ask(Request("fapiPrivateGetOpenAlgoOrders", {}, _weight(40)), urgency),
        )
        received = time.time_ns()
        conditional = [
            read_algo(row, item.symbol, self.names, received, "sweep")
            for row in _algos(algos)
            if (item := self.by_venue.get(row.symbol))
        ]
        return conditional + [
            read_order(row, item.symbol, self.names, received, "sweep")
            for row in _orders(orders)
            if (item := self.by_venue.get(row.symbol))
        ]

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All symbols at once."""
        body = await line.ask(Request("fapiPrivateV3GetPositionRisk", {}, _weight(5)), urgency)
        received = time.time_ns()
        return [
            PositionReport(
                "binance", item.symbol, number(row.positionAmt), number(row.entryPrice), received,
                mark=optional(row.markPrice), liquidation=optional(row.liquidationPrice),
                leverage=optional(row.leverage), unrealised=number(row.unRealizedProfit),
            )
            for row in _positions(body)
            if (item := self.by_venue.get(row.symbol)) and number(row.positionAmt)
        ]  # fmt: skip

    async def balance(self, line: Line) -> Balance:
        """The futures wallet."""
        body = await line.ask(Request("fapiPrivateV3GetBalance", {}, _weight(5)))
        received = time.time_ns()
        for row in _cash(body):
            if row.asset == SETTLE:
                free = number(row.availableBalance)
                return Balance("binance", SETTLE, number(row.balance), received, free=free)
        return Balance("binance", SETTLE, Decimal(0), received, free=Decimal(0))

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """Symbol by symbol, a thousand trades a page, following the trade id."""
        start = max(since, time.time_ns() - HISTORY + 60 * SECOND) // MILLI
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
            body = await line.ask(Request("fapiPrivateGetUserTrades", query, _weight(5)))
            page = _fills(body)
            rows += page
            if len(page) < 1000:
                break
            params = {"fromId": page[-1].id + 1}
        received = time.time_ns()
        return [
            Fill("binance", item.symbol, str(row.id), await self._owner(line, item, row.orderId),
                 str(row.orderId), _SIDES[row.side], number(row.qty), number(row.price),
                 number(row.commission), row.maker, row.time * MILLI, received, "sweep")
            for row in rows
        ]  # fmt: skip

    async def _owner(self, line: Line, item: Instrument, order_id: int) -> str:
        """Return the client id behind an order id, asking the venue when memory has none."""
        client_id = self.names.client(str(order_id))
        if client_id:
            return client_id
        query = {"symbol": item.venue_symbol, "orderId": order_id}
        try:
            body = await line.ask(Request("fapiPrivateGetOrder", query, _weight(1)))
        except VenueRefused:
            return ""  # too old to be kept; the fill still counts
        client_id = _order(body).clientOrderId
        self.names.link(str(order_id), client_id)
        return client_id

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Income of type FUNDING_FEE; the rate is not told."""
        params = {
            "incomeType": "FUNDING_FEE", "limit": 1000,
            "startTime": max(since, time.time_ns() - HISTORY + 60 * SECOND) // MILLI,
        }  # fmt: skip
        body = await line.ask(Request("fapiPrivateGetIncome", params, _weight(30)))
        received = time.time_ns()
        return [
            FundingPaid("binance", item.symbol, number(row.income), Decimal(0),
                        row.time * MILLI, received)
            for row in _incomes(body)
            if (item := self.by_venue.get(row.symbol)) and row.incomeType == "FUNDING_FEE"
        ]  # fmt: skip

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Leverage, and cross margin (-4046 says that it is so already)."""
        name = self.instrument(symbol).venue_symbol
        params = {"symbol": name, "marginType": "CROSSED"}
        await _unless(line, Request("fapiPrivatePostMarginType", params, _weight(1)), "-4046")
        query = {"symbol": name, "leverage": int(leverage)}
        await line.ask(Request("fapiPrivatePostLeverage", query, _weight(1)))

    dead_man = "symbol"

    async def arm_dead_man(self, line: Line, symbol: str, seconds: int) -> None:
        """Of one symbol, in milliseconds; 0 disarms."""
        name = self.instrument(symbol).venue_symbol
        params = {"symbol": name, "countdownTime": seconds * 1000}
        request = Request("fapiPrivatePostCountdownCancelAll", params, _weight(10))
        await line.ask(request, Urgency.CANCEL)

    async def cancel_many(self, line: Line, orders: Sequence[OrderReport]) -> int:
        """Ordinary ones ten a request and symbol; conditional ones have no batch."""
        stops = [order for order in orders if order.kind is OrderKind.STOP]
        groups: dict[str, list[str]] = {}
        for order in orders:
            if order.kind is not OrderKind.STOP:
                groups.setdefault(order.symbol, []).append(order.venue_id)
        batches = [
            (symbol, ids[start : start + _CANCEL_BATCH])
            for symbol, ids in groups.items()
            for start in range(0, len(ids), _CANCEL_BATCH)
        ]
        done = await asyncio.gather(
            *(self._cancel_batch(line, symbol, ids) for symbol, ids in batches),
            *(self._cancel_stop(line, order) for order in stops),
        )
        return sum(done)

    async def _cancel_batch(self, line: Line, symbol: str, ids: list[str]) -> int:
        # ccxt joins the ids itself and needs exactly this spelling of the key.
        params = {"symbol": self.instrument(symbol).venue_symbol, "orderidlist": ids}
        body = await line.ask(
            Request("fapiPrivateDeleteBatchOrders", params, _weight(1)), Urgency.KILL
        )
        return sum(not row.code or str(row.code) in self.absent for row in _batch(body))

    async def _cancel_stop(self, line: Line, order: OrderReport) -> int:
        try:
            request = self.cancel(order.symbol, "", order.venue_id, stop=True)
            await line.ask(request, Urgency.KILL)
        except VenueRefused as error:
            return int(error.code in self.absent)
        return 1

    def feed(
        self,
        symbols: Sequence[str],
        sink: Sink,
        resync: Callable[[str, str], None],
        last_message: dict[str, int],
    ) -> Feed:
        """Return the decoder of the public streams."""
        return BinanceFeed([self.instrument(s) for s in symbols], sink, resync, last_message)

    def private_feed(self, sink: Sink) -> PrivateFeed:
        """Return the decoder of the user stream."""
        return BinancePrivate(self.by_venue, self.names, sink)

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Two sockets: the venue serves books and trades, and the rest, at different addresses."""
        names = [self.instrument(symbol).venue_symbol.lower() for symbol in symbols]
        fast = [f"{name}@{kind}" for name in names for kind in _FAST]
        slow = [f"{name}@{kind}" for name in names for kind in _SLOW]
        channels = []
        for name, streams, feeds in (
            ("public", fast, ("trades", "books")),
            ("market", slow, ("tickers",)),
        ):
            base = exchange.get_ws_url("linear", name)
            url = f"{base}/{exchange.stream('linear', name, len(streams))}"
            frame = {"method": "SUBSCRIBE", "params": streams, "id": exchange.request_id(url)}
            channels.append(Channel(name, url, (frame,), False, feeds, acks=1))
        return channels

    def snapshot(self, venue_symbol: str) -> Request | None:
        """Five hundred levels a side: what we show is twenty, and a thousand weigh double."""
        params = {"symbol": venue_symbol, "limit": 500}
        return Request("fapiPublicGetDepth", params, _weight(10))

    async def private_channel(self, line: Line, name: str) -> Channel:
        """One socket whose address is the listen key; ccxt gets the key and keeps it alive."""
        exchange = line.exchange
        exchange.options["linear"] = {"lastAuthenticatedTime": 0}
        try:
            await exchange.authenticate({"type": "swap", "subType": "linear"})
        except Exception as error:
            raise VenueError(f"binance: no listen key: {error}") from None
        url = exchange.get_private_ws_url("linear", exchange.options["linear"]["listenKey"])
        return Channel(name, url, (), False, ("private",))

    def acknowledges(self, text: str) -> int:
        """``{"result":null,"id":1}``."""
        ack = _ack(text)
        if ack.error is not None:
            return -1
        return 1 if ack.id is not None else 0


_USED = {
    "X-MBX-USED-WEIGHT-1M": "weight",
    "X-MBX-ORDER-COUNT-10S": "orders10",
    "X-MBX-ORDER-COUNT-1M": "orders60",
}


async def _unless(line: Line, request: Request, already: str) -> None:
    try:
        await line.ask(request)
    except VenueRefused as error:
        if error.code != already:
            raise


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
    )
