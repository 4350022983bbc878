"""OKX v5, USDT-margined linear swaps on a unified account, net position mode, cross margin.

The venue counts contracts: every quantity is multiplied by the contract's size on the way in and
divided on the way out. Stops ("algo" orders) have their own endpoints, ids and socket; a
triggered one becomes an ordinary order with another id, told under the stop's client id here.
Fees are negative when paid in streams and queries alike; only ccxt's unified REST turns them.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar, cast

from msgspec import Struct
from msgspec.json import Decoder

from core.clock import DAY, HOUR, SECOND
from core.desk.ports import Sink
from core.errors import VenueRefused, VenueUnavailable
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, Side, Trade
from core.model.order import Fill, Order, OrderKind, OrderReport, OrderStatus, TimeInForce
from exchanges.access import RECV_WINDOW_MS
from exchanges.budget import Costs, Pool, Urgency
from exchanges.feed import MILLI, Feed, base_units
from exchanges.okx_feed import OkxFeed
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
    '{"arg":{"channel":"orders","instType":"SWAP"},"data":[{"accFillSz":"3","algoClOrdId":"",'
    '"algoId":"","avgPx":"103698.9","cTime":"1746947317401","cancelSource":"","clOrdId":'
    '"T1AAAA01000000001X7K2M9Q","execType":"M","fillFee":"-0.621","fillPx":"103698.9","fillSz":'
    '"3","fillTime":"1746947317402","instId":"BTC-USDT-SWAP","instType":"SWAP","ordId":'
    '"2497956918703120384","ordType":"limit","px":"103698.9","reduceOnly":"false","side":"buy",'
    '"state":"filled","sz":"3","tradeId":"1518905529","uTime":"1746947317402"}]}'
)
ALGO_SAMPLE = (
    '{"arg":{"channel":"orders-algo","instType":"SWAP"},"data":[{"algoId":"706620792746729472",'
    '"algoClOrdId":"T1AAAA01000000002X7K2M9Q","ordId":"","instId":"BTC-USDT-SWAP","ordType":'
    '"conditional","state":"live","side":"sell","sz":"3","slTriggerPx":"95000","slOrdPx":"-1",'
    '"slTriggerPxType":"mark","reduceOnly":"true","actualPx":"","actualSz":"0","cTime":'
    '"1737400000000","uTime":"1737400000000"}]}'
)
POSITION_SAMPLE = (
    '{"arg":{"channel":"positions","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","pos":'
    '"-3","posSide":"net","avgPx":"3320","markPx":"3353.6","liqPx":"5000.1","lever":"10","upl":'
    '"-1.008","uTime":"1619507761462"}]}'
)
WALLET_SAMPLE = (
    '{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"USDT","cashBal":"100.527","availBal"'
    ':"90.5","availEq":"90.5","eq":"100.6"},{"ccy":"BTC","cashBal":"0.1","availBal":"0.1"}]}]}'
)

_STATUS = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIAL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "mmp_canceled": OrderStatus.CANCELLED,
    # of algo orders; "effective" means triggered, what came of it is the child's affair:
    "pause": OrderStatus.OPEN,
    "partially_effective": OrderStatus.OPEN,
    "effective": OrderStatus.OPEN,
    "order_placed": OrderStatus.OPEN,
    "order_failed": OrderStatus.REJECTED,
    "partially_failed": OrderStatus.REJECTED,
}
_TYPES = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
_BARS = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1H", 7200: "2H",
         14400: "4H", 21600: "6Hutc", 43200: "12Hutc", 86400: "1Dutc"}  # fmt: skip
_CANCEL_BATCH = 20
_EXPIRING = frozenset({"trade/order", "trade/batch-orders", "trade/order-algo"})
_ALGO_TYPES = ("conditional,oco", "trigger", "move_order_stop")
_FUNDING_BILL = "8"

T = TypeVar("T")


class _Reply(Struct, Generic[T]):
    data: list[T]


class _Placed(Struct):
    sCode: str = "0"
    sMsg: str = ""
    ordId: str = ""
    algoId: str = ""


class _Code(Struct):
    code: str
    msg: str = ""


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


class OrderRow(Struct):
    """An order in a stream or a query; the fields of its last fill are in the stream only."""

    instId: str
    ordId: str
    side: Side
    ordType: str
    state: str
    sz: str
    accFillSz: str
    uTime: str
    clOrdId: str = ""
    px: str = ""
    avgPx: str = ""
    reduceOnly: str | bool = ""
    cancelSource: str = ""
    cancelSourceReason: str = ""
    algoClOrdId: str = ""
    algoId: str = ""
    tradeId: str = ""
    fillSz: str = ""
    fillPx: str = ""
    fillFee: str = ""
    fillTime: str = ""
    execType: str = ""


class AlgoRow(Struct):
    """A conditional order in a stream or a query."""

    instId: str
    algoId: str
    side: Side
    state: str
    sz: str
    uTime: str = ""
    cTime: str = ""
    algoClOrdId: str = ""
    ordId: str = ""
    ordIdList: list[str] = []
    slTriggerPx: str = ""
    tpTriggerPx: str = ""
    triggerPx: str = ""
    actualPx: str = ""
    actualSz: str = ""
    reduceOnly: str | bool = ""
    failCode: str = ""


class PositionRow(Struct):
    """A position in a stream or a query."""

    instId: str
    pos: str
    avgPx: str = ""
    markPx: str = ""
    liqPx: str = ""
    lever: str = ""
    upl: str = ""
    posSide: str = "net"


class CashRow(Struct):
    """One currency of the account."""

    ccy: str
    cashBal: str = ""
    availBal: str = ""
    availEq: str = ""


class WalletRow(Struct):
    """The account in a stream or a query."""

    details: list[CashRow]


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


class _Time(Struct):
    ts: str


class _Arg(Struct):
    channel: str = ""


class _Envelope(Struct):
    arg: _Arg | None = None
    event: str = ""


_code = Decoder(_Code).decode
_placed = Decoder(_Reply[_Placed]).decode
_listed = Decoder(_Reply[_Listed]).decode
_orders = Decoder(_Reply[OrderRow]).decode
_algos = Decoder(_Reply[AlgoRow]).decode
_positions = Decoder(_Reply[PositionRow]).decode
_wallets = Decoder(_Reply[WalletRow]).decode
_fills = Decoder(_Reply[FillRow]).decode
_bills = Decoder(_Reply[_Bill]).decode
_config = Decoder(_Reply[_Config]).decode
_public = Decoder(_Reply[_PublicRow], strict=False).decode
_candles = Decoder(_Reply[list[float]], strict=False).decode
_clock = Decoder(_Reply[_Time]).decode
_envelope = Decoder(_Envelope).decode


def _yes(value: str | bool) -> bool:
    return value is True or value == "true"


def read_order(
    row: OrderRow, item: Instrument, names: Names, received: int, source: str
) -> OrderReport:
    """Turn an order row into a report; a stop's child is told as the stop."""
    client_id = row.algoClOrdId or names.client(row.ordId, row.clOrdId)
    stop = bool(row.algoClOrdId) or names.is_stop(client_id)
    if stop:
        names.mark_stop(client_id)
    names.link(row.ordId, client_id)
    market = row.ordType in ("market", "optimal_limit_ioc")
    kind = OrderKind.STOP if stop else OrderKind.MARKET if market else OrderKind.LIMIT
    size = item.contract_size
    return OrderReport(
        "okx", item.symbol, client_id, row.ordId, row.side, kind,
        _STATUS.get(row.state, OrderStatus.UNKNOWN), number(row.sz) * size,
        number(row.accFillSz) * size, int(row.uTime) * MILLI, received,
        price=optional(row.px) if kind is OrderKind.LIMIT else None, average=optional(row.avgPx),
        reduce_only=_yes(row.reduceOnly),
        reason=row.cancelSourceReason or (row.cancelSource and f"cancelSource {row.cancelSource}"),
        source=source,
    )  # fmt: skip


def read_algo(
    row: AlgoRow, item: Instrument, names: Names, received: int, source: str
) -> OrderReport:
    """Turn a conditional order's row into a report."""
    names.mark_stop(row.algoClOrdId, row.algoId)
    names.link(row.algoId, row.algoClOrdId)
    for child in (row.ordId, *row.ordIdList):
        names.link(child, row.algoClOrdId)
    size = item.contract_size
    return OrderReport(
        "okx", item.symbol, row.algoClOrdId, row.algoId, row.side, OrderKind.STOP,
        _STATUS.get(row.state, OrderStatus.UNKNOWN), number(row.sz) * size, Decimal(0),
        int(row.uTime or row.cTime) * MILLI, received,
        trigger=optional(row.slTriggerPx or row.triggerPx or row.tpTriggerPx),
        reduce_only=_yes(row.reduceOnly),
        reason=f"failCode {row.failCode}" if row.failCode not in ("", "0") else "", source=source,
    )  # fmt: skip


def read_position(row: PositionRow, item: Instrument, received: int) -> PositionReport:
    """Turn a position row into a report."""
    qty = number(row.pos) * item.contract_size
    return PositionReport(
        "okx", item.symbol, -qty if row.posSide == "short" else qty, number(row.avgPx), received,
        mark=optional(row.markPx), liquidation=optional(row.liqPx), leverage=optional(row.lever),
        unrealised=number(row.upl),
    )  # fmt: skip


def read_wallet(rows: Sequence[WalletRow], received: int) -> Balance | None:
    """Find the settlement currency in the account."""
    for row in rows:
        for cash in row.details:
            if cash.ccy == SETTLE:
                free = number(cash.availEq or cash.availBal)
                return Balance("okx", SETTLE, number(cash.cashBal), received, free=free)
    return None


class OkxPrivate(PrivateFeed):
    """The channels orders, orders-algo, positions and account."""

    venue = "okx"

    def _route(self, text: str, received: int) -> bool:
        if not text.startswith("{"):
            return False
        envelope = _envelope(text)
        channel = envelope.arg.channel if envelope.arg and not envelope.event else ""
        if channel == "orders":
            for order in _orders(text).data:
                self._take_order(order, received)
        elif channel == "orders-algo":
            for algo in _algos(text).data:
                if item := self.instruments.get(algo.instId):
                    self.sink(read_algo(algo, item, self.names, received, "stream"))
        elif channel == "positions":
            for position in _positions(text).data:
                if item := self.instruments.get(position.instId):
                    self.sink(read_position(position, item, received))
        elif channel == "account":
            if balance := read_wallet(_wallets(text).data, received):
                self.sink(balance)
        else:
            return False
        return True

    def _take_order(self, row: OrderRow, received: int) -> None:
        item = self.instruments.get(row.instId)
        if item is None:
            return
        report = read_order(row, item, self.names, received, "stream")
        filled = number(row.fillSz)
        if filled and row.tradeId:
            self.sink(
                Fill("okx", item.symbol, row.tradeId, report.client_id, row.ordId, row.side,
                     filled * item.contract_size, number(row.fillPx), -number(row.fillFee),
                     row.execType == "M", int(row.fillTime) * MILLI, received)
            )  # fmt: skip
        self.sink(report)


def _cost(pool: str, units: float = 1.0) -> Costs:
    return ((pool, units),)


class OkxRules(Rules):
    """The facts of OKX."""

    venue = "okx"
    # Each endpoint has a limit of its own, in any two seconds.
    pools: ClassVar[Mapping[str, Pool]] = {
        "order": Pool(60, 2),
        "algo": Pool(20, 2),
        "cancel-after": Pool(2, 2),
        "cancel": Pool(60, 2),
        "cancel-batch": Pool(300, 2),
        "cancel-algo": Pool(20, 2),
        "query": Pool(60, 2),
        "query-algo": Pool(20, 2),
        "pending": Pool(60, 2),
        "pending-algo": Pool(20, 2),
        "positions": Pool(10, 2),
        "balance": Pool(10, 2),
        "fills": Pool(60, 2),
        "fills-history": Pool(10, 2),
        "bills": Pool(10, 2),
        "config": Pool(5, 2),
        "leverage": Pool(20, 2),
        "time": Pool(10, 2),
        "market": Pool(20, 2),
    }
    refusals = (
        codes(50000, 50002, 50006, 50011, (50014, 50025), 50027, 50028, 50030, 50035, 50061,
              (50100, 50120), (51000, 51299), (51301, 51399), (51500, 51599), (54000, 54099),
              (59000, 59999), 58350)
        - codes(51016, 51054, 51065, 51149, 50026)
    )  # fmt: skip
    cancel_refusals = refusals | codes((51400, 51499), 51603)
    absent = codes(51603, 51400, 51401, 51402, 51410, 51503)
    wrong_key = codes((50102, 50114), 50119, 50120) - codes(50102)
    wrong_place = codes(50101)
    unavailable = codes(50001, 50004, 50005, 50011, 50013, 50026, 50040, 50061, 50102)
    two_books = True
    private_sockets = ("private", "business")

    def dress(self, exchange: Any) -> None:
        """Give orders a deadline: ccxt signs OKX requests without ``expTime``."""
        sign = exchange.sign

        def sign_with_deadline(
            path: str, api: Any = "public", method: str = "GET", params: Any = None, *more: Any
        ) -> Any:
            signed = sign(path, api, method, params, *more)
            if path in _EXPIRING:
                signed["headers"]["expTime"] = str(exchange.nonce() + RECV_WINDOW_MS)
            return signed

        exchange.sign = sign_with_deadline

    def read(self, body: str) -> Answer:
        """Code 1 or 2 means "look at each order's own code"."""
        head = _code(body)
        if head.code not in ("0", "1", "2"):
            return Answer(head.code, head.msg)
        if '"sCode"' not in body:
            return Answer(head.code, head.msg)
        row = _placed(body).data[0]
        if row.sCode != "0":
            return Answer(row.sCode, row.sMsg)
        return Answer("0", "", row.ordId or row.algoId)

    def penalty(self, reply: Reply) -> Penalty | None:
        """429 with 50011 or 50061: this endpoint is used up for its window of two seconds."""
        if reply.status == 429 or '"50011"' in reply.body or '"50061"' in reply.body:
            return Penalty(2.0)
        return None

    def _contracts(self, item: Instrument, qty: Decimal) -> str:
        return plain(qty / item.contract_size)

    def submit(self, order: Order) -> Request:
        """An ordinary order, or a one-sided conditional one on the mark price."""
        item = self.instrument(order.symbol)
        params: dict[str, Any] = {
            "instId": item.venue_symbol,
            "tdMode": "cross",
            "side": order.side.value,
            "sz": self._contracts(item, order.qty),
            # ccxt would put its broker's id here if this were missing.
            "clOrdId": order.client_id,
        }
        if order.kind is OrderKind.STOP:
            assert order.trigger is not None
            self.names.mark_stop(order.client_id)
            params |= {
                "ordType": "conditional", "algoClOrdId": order.client_id, "reduceOnly": True,
                "slTriggerPx": plain(order.trigger), "slTriggerPxType": "mark", "slOrdPx": "-1",
            }  # fmt: skip
            return Request("privatePostTradeOrderAlgo", params, _cost("algo"))
        params["ordType"] = "market"
        if order.kind is OrderKind.LIMIT:
            assert order.price is not None
            params["ordType"] = _TYPES[order.tif]
            params["px"] = plain(order.price)
        if order.reduce_only:
            params["reduceOnly"] = True
        return Request("privatePostTradeOrder", params, _cost("order"))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """From whichever of the two order books it is in."""
        params = {"instId": self.instrument(symbol).venue_symbol}
        if stop:
            params |= {"algoId": venue_id} if venue_id else {"algoClOrdId": client_id}
            return Request("privatePostTradeCancelAlgos", [params], _cost("cancel-algo"))
        params |= {"clOrdId": client_id} if client_id else {"ordId": venue_id}
        return Request("privatePostTradeCancelOrder", params, _cost("cancel"))

    def time(self) -> Request:
        """The public clock."""
        return Request("publicGetPublicTime", {}, _cost("time"))

    def read_time(self, body: str) -> float:
        """Milliseconds as text."""
        return float(_clock(body).data[0].ts)

    async def load(self, line: Line) -> list[Instrument]:
        """One list of all swaps."""
        query = {"instType": "SWAP"}
        body = await line.ask(Request("publicGetPublicInstruments", query, _cost("market")))
        return [
            _instrument(row)
            for row in _listed(body).data
            if row.settleCcy == SETTLE and row.ctType == "linear" and row.state == "live"
        ]

    async def account(self, line: Line, environment: str) -> Account:
        """The account's configuration names the key's rights."""
        body = await line.ask(Request("privateGetAccountConfig", {}, _cost("config")))
        config = _config(body).data[0]
        return Account(config.uid, "withdraw" in config.perm)

    async def prepare(self, line: Line) -> None:
        """Net mode; cross margin is stated by each order."""
        body = await line.ask(Request("privateGetAccountConfig", {}, _cost("config")))
        if _config(body).data[0].posMode != "net_mode":
            params = {"posMode": "net_mode"}
            await line.ask(Request("privatePostAccountSetPositionMode", params, _cost("config")))

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 500, newest first on the wire."""
        params = {"instId": instrument.venue_symbol, "limit": 500}
        body = await line.ask(Request("publicGetMarketTrades", params, _cost("market")))
        received = time.time_ns()
        scale = base_units(instrument) or float
        return [
            Trade("okx", instrument.symbol, row.px, scale(row.sz), row.side, row.tradeId,
                  row.ts * MILLI, received)
            for row in reversed(_public(body).data)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int
    ) -> list[Candle]:
        """The last 300 at once, older ones a hundred a request, newest first on the wire."""
        found: dict[int, Candle] = {}
        method, limit, after = "publicGetMarketCandles", 300, ""
        while len(found) < count:
            params: dict[str, Any] = {
                "instId": instrument.venue_symbol, "bar": _BARS[timeframe],
                "limit": min(limit, count + 2),
            }  # fmt: skip
            if after:
                params["after"] = after
            body = await line.ask(Request(method, params, _cost("market")))
            rows = _candles(body).data
            received = time.time_ns()
            fresh = False
            for row in rows:
                opened = int(row[0]) * MILLI
                fresh = fresh or opened not in found
                if opened + timeframe * SECOND <= received:
                    # Column 5 is the volume in contracts, 6 in base units.
                    found[opened] = read_candle(instrument, timeframe, row, 6, received)
            if not fresh:
                break
            method, limit, after = "publicGetMarketHistoryCandles", 100, str(int(rows[-1][0]))
        return [found[opened] for opened in sorted(found)][-count:]

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the book it should be in first, then the other."""
        item = self.instrument(symbol)
        query = {"instId": item.venue_symbol, "clOrdId": client_id}
        ordinary = Request("privateGetTradeOrder", query, _cost("query"))
        algo = Request("privateGetTradeOrderAlgo", {"algoClOrdId": client_id}, _cost("query-algo"))
        requests = [ordinary, algo]
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
            if request is ordinary:
                for row in _orders(body).data:
                    return read_order(row, item, self.names, received, "query")
            else:
                for stop in _algos(body).data:
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
        body = await line.ask(Request("privateGetTradeOrder", query, _cost("query")))
        for order in _orders(body).data:
            return read_order(order, item, self.names, time.time_ns(), "query")
        return report

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """The ordinary orders, and each kind of conditional one."""
        method = "privateGetTradeOrdersPending"
        algo_method = "privateGetTradeOrdersAlgoPending"
        orders, *algos = await asyncio.gather(
            self._pages(
                line, urgency, method, {"instType": "SWAP"}, _orders, _order_id, _cost("pending")
            ),
            *(
                self._pages(
                    line, urgency, algo_method, {"instType": "SWAP", "ordType": kind}, _algos,
                    _algo_id, _cost("pending-algo"),
                )
                for kind in _ALGO_TYPES
            ),
        )  # fmt: skip
        received = time.time_ns()
        # Conditional ones first: they say which of the others are children of a stop.
        reports = [
            read_algo(row, item, self.names, received, "sweep")
            for part in cast("list[list[AlgoRow]]", algos)
            for row in part
            if (item := self.by_venue.get(row.instId))
        ]
        reports += [
            read_order(row, item, self.names, received, "sweep")
            for row in cast("list[OrderRow]", orders)
            if (item := self.by_venue.get(row.instId))
        ]
        return reports

    async def _pages(
        self,
        line: Line,
        urgency: Urgency,
        method: str,
        params: Mapping[str, Any],
        decode: Callable[[str], _Reply[T]],
        identify: Callable[[T], str],
        costs: Costs,
    ) -> list[T]:
        rows: list[T] = []
        after: dict[str, str] = {}
        for _ in range(200):
            query = {**params, "limit": 100, **after}
            page = decode(await line.ask(Request(method, query, costs), urgency)).data
            rows += page
            if len(page) < 100:
                return rows
            after = {"after": identify(page[-1])}
        raise VenueUnavailable(f"okx: {method} does not end")

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All swaps at once."""
        request = Request("privateGetAccountPositions", {"instType": "SWAP"}, _cost("positions"))
        body = await line.ask(request, urgency)
        received = time.time_ns()
        return [
            read_position(row, item, received)
            for row in _positions(body).data
            if (item := self.by_venue.get(row.instId)) and number(row.pos)
        ]

    async def balance(self, line: Line) -> Balance:
        """The trading account."""
        request = Request("privateGetAccountBalance", {"ccy": SETTLE}, _cost("balance"))
        body = await line.ask(request)
        received = time.time_ns()
        balance = read_wallet(_wallets(body).data, received)
        return balance or Balance("okx", SETTLE, Decimal(0), received, free=Decimal(0))

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """All swaps at once, newest first on the wire.

        The last three days come from the live table; the history may lag behind it.
        """
        now = time.time_ns()
        begin = max(since, now - HISTORY + 60 * SECOND) // MILLI
        method, pool = "privateGetTradeFills", "fills"
        if since < now - 3 * DAY + HOUR:
            method, pool = "privateGetTradeFillsHistory", "fills-history"
        query = {"instType": "SWAP", "begin": begin}
        rows = await self._pages(line, Urgency.READ, method, query, _fills, _fill_id, _cost(pool))
        received = time.time_ns()
        fills = [
            Fill("okx", item.symbol, row.tradeId, self.names.client(row.ordId, row.clOrdId),
                 row.ordId, row.side, number(row.fillSz) * item.contract_size,
                 number(row.fillPx), -number(row.fee), row.execType == "M",
                 int(row.ts) * MILLI, received, "sweep")
            for row in rows
            if (item := self.by_venue.get(row.instId))
        ]  # fmt: skip
        fills.sort(key=lambda fill: fill.ts)
        return fills

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Bills of type 8; the rate is not told."""
        begin = max(since, time.time_ns() - HISTORY + 60 * SECOND) // MILLI
        rows = await self._pages(
            line, Urgency.READ, "privateGetAccountBills",
            {"instType": "SWAP", "type": _FUNDING_BILL, "begin": begin}, _bills, _bill_id,
            _cost("bills"),
        )  # fmt: skip
        received = time.time_ns()
        return [
            FundingPaid("okx", item.symbol, number(row.balChg), Decimal(0), int(row.ts) * MILLI,
                        received)
            for row in rows
            if (item := self.by_venue.get(row.instId)) and row.type == _FUNDING_BILL
        ]  # fmt: skip

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Of the cross position."""
        params = {
            "instId": self.instrument(symbol).venue_symbol,
            "lever": plain(leverage),
            "mgnMode": "cross",
        }
        await line.ask(Request("privatePostAccountSetLeverage", params, _cost("leverage")))

    dead_man = "account"

    async def arm_dead_man(self, line: Line, symbol: str, seconds: int) -> None:
        """Of the whole account: 10 to 120 seconds, 0 disarms."""
        request = Request(
            "privatePostTradeCancelAllAfter", {"timeOut": str(seconds)}, _cost("cancel-after")
        )
        await line.ask(request, Urgency.CANCEL)

    async def cancel_many(self, line: Line, orders: Sequence[OrderReport]) -> int:
        """Twenty ordinary ones a request, ten conditional ones."""
        stops = [order for order in orders if order.kind is OrderKind.STOP]
        plain_orders = [order for order in orders if order.kind is not OrderKind.STOP]
        requests = [
            self._batch("privatePostTradeCancelBatchOrders", "ordId", "cancel-batch", part)
            for part in _split(plain_orders, _CANCEL_BATCH)
        ] + [
            self._batch("privatePostTradeCancelAlgos", "algoId", "cancel-algo", part)
            for part in _split(stops, 10)
        ]
        return sum(
            await asyncio.gather(*(self._cancel_batch(line, request) for request in requests))
        )

    def _batch(self, method: str, key: str, pool: str, orders: Sequence[OrderReport]) -> Request:
        params = [
            {"instId": self.instrument(order.symbol).venue_symbol, key: order.venue_id}
            for order in orders
        ]
        # The limit is of one instrument: what counts is the one with most orders in the batch.
        most = max(Counter(order.symbol for order in orders).values())
        return Request(method, params, _cost(pool, most))

    async def _cancel_batch(self, line: Line, request: Request) -> int:
        reply = await line.send(request, Urgency.KILL)
        if reply.status != 200 or _code(reply.body).code not in ("0", "1", "2"):
            raise VenueUnavailable(f"okx: {request.method}: {reply.fault or reply.body[:200]}")
        return sum(row.sCode == "0" or row.sCode in self.absent for row in _placed(reply.body).data)

    def feed(
        self,
        symbols: Sequence[str],
        sink: Sink,
        resync: Callable[[str, str], None],
        last_message: dict[str, int],
    ) -> Feed:
        """Return the decoder of the public stream."""
        return OkxFeed([self.instrument(s) for s in symbols], sink, resync, last_message)

    def private_feed(self, sink: Sink) -> PrivateFeed:
        """Return the decoder of the private streams."""
        return OkxPrivate(self.by_venue, self.names, sink)

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Everything on one socket."""
        ids = [self.instrument(symbol).venue_symbol for symbol in symbols]
        kinds = ("books", "bbo-tbt", "trades", "tickers", "mark-price", "funding-rate")
        args = [{"channel": kind, "instId": name} for kind in kinds for name in ids]
        url = exchange.get_url("books", "public")
        feeds = ("trades", "books", "tickers")
        return [Channel("public", url, (_subscribe(args),), False, feeds, acks=len(args))]

    async def private_channel(self, line: Line, name: str) -> Channel:
        """Two sockets, each with ccxt's login: conditional orders are at another address."""
        args = [{"channel": "orders-algo", "instType": "SWAP"}]
        if name == "private":
            args = [
                {"channel": "orders", "instType": "SWAP"},
                {"channel": "positions", "instType": "SWAP"},
                {"channel": "account"},
            ]
        url = line.exchange.get_url("users", name)
        return Channel(name, url, (_subscribe(args),), True, ("private",), acks=len(args))

    async def log_in(self, exchange: Any, channel: Channel) -> None:
        """HMAC of the present second."""
        await exchange.authenticate({"access": channel.name})

    def resubscribe(self, venue_symbol: str) -> tuple[Any, ...]:
        """Leave and join again: the venue answers with a snapshot."""
        args = [{"channel": "books", "instId": venue_symbol}]
        return ({"op": "unsubscribe", "args": args}, _subscribe(args))

    def acknowledges(self, text: str) -> int:
        """One reply for each channel of a subscription."""
        if not text.startswith("{"):
            return 0
        event = _envelope(text).event
        return {"subscribe": 1, "error": -1, "notice": -1}.get(event, 0)


def _subscribe(args: list[dict[str, str]]) -> dict[str, Any]:
    return {"op": "subscribe", "args": args}


def _order_id(row: OrderRow) -> str:
    return row.ordId


def _algo_id(row: AlgoRow) -> str:
    return row.algoId


def _fill_id(row: FillRow) -> str:
    return row.billId


def _bill_id(row: _Bill) -> str:
    return row.billId


def _split(orders: Sequence[OrderReport], size: int) -> list[Sequence[OrderReport]]:
    return [orders[start : start + size] for start in range(0, len(orders), size)]


def _instrument(row: _Listed) -> Instrument:
    size = Decimal(row.ctVal) * Decimal(row.ctMult or "1")
    largest = optional(row.maxMktSz)
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
        max_market_qty=largest * size if largest else None,
    )
