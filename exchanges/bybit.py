"""Bybit v5, USDT linear perpetuals on a unified account.

A stop is an ordinary order with a trigger: same endpoint, same ids before and after. The reply
to a submit only says "accepted"; what became of it comes by stream or query.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct, field
from msgspec.json import Decoder

from core.clock import SECOND
from core.desk.ports import Sink
from core.errors import VenueRefused, VenueUnavailable
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, Side, Trade
from core.model.order import Fill, Order, OrderKind, OrderReport, OrderStatus, TimeInForce
from exchanges.budget import Pool, Urgency
from exchanges.bybit_feed import BybitFeed
from exchanges.feed import MILLI, Feed
from exchanges.outcome import Answer, Reply, codes
from exchanges.rules import (
    HISTORY,
    SETTLE,
    Account,
    Channel,
    Line,
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
    '{"id":"5923240c6880ab-c59f-420b-9adb-3639adc9dd90","topic":"order","creationTime":'
    '1672364262474,"data":[{"symbol":"ETHUSDT","orderId":"5cf98598-39a7-459e-97bf-76ca765ee020",'
    '"side":"Sell","orderType":"Market","cancelType":"UNKNOWN","price":"72.5","qty":"1","timeInForce":'
    '"IOC","orderStatus":"Filled","orderLinkId":"T1AAAA01000000001X7K2M9Q","reduceOnly":false,'
    '"leavesQty":"0","cumExecQty":"1","avgPrice":"75","createdTime":"1672364262444",'
    '"updatedTime":"1672364262457","rejectReason":"EC_NoError","stopOrderType":"","tpslMode":"",'
    '"triggerPrice":"","category":"linear"}]}'
)
FILL_SAMPLE = (
    '{"topic":"execution","id":"386825804_BTCUSDT_140612148849382","creationTime":1746270400355,'
    '"data":[{"category":"linear","symbol":"BTCUSDT","execFee":"26.3725275","execId":'
    '"0ab1bdf7-4219-438b-b30a-32ec863018f7","execPrice":"95900.1","execQty":"0.5","execType":'
    '"Trade","feeRate":"0.00055","orderId":"9aac161b-8ed6-450d-9cab-c5cc67c21784","orderLinkId":'
    '"T1AAAA01000000001X7K2M9Q","side":"Sell","execTime":"1746270400353","isMaker":false}]}'
)
POSITION_SAMPLE = (
    '{"id":"1003076014fb7eedb","topic":"position","creationTime":1762199126022,"data":'
    '[{"positionIdx":0,"symbol":"ETHUSDT","side":"Sell","size":"0.01","entryPrice":"3641.075",'
    '"leverage":"30","markPrice":"3641.33","unrealisedPnl":"-0.00255","liqPrice":"51764.83",'
    '"category":"linear"}]}'
)
WALLET_SAMPLE = (
    '{"id":"592324d2bce751","topic":"wallet","creationTime":1700034722104,"data":[{"coin":'
    '[{"coin":"BTC","walletBalance":"0.001"},{"coin":"USDT","walletBalance":"9647.75537647",'
    '"totalOrderIM":"0","totalPositionIM":"127.85","locked":"0"}]}]}'
)

_STATUS = {
    "Created": OrderStatus.ACKED,
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIAL,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_OUR_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_TIF = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
_EXECUTIONS = frozenset({"Trade", "AdlTrade", "BustTrade", "Settle"})
_INTERVALS = {60: "1", 180: "3", 300: "5", 900: "15", 1800: "30", 3600: "60", 7200: "120",
              14400: "240", 21600: "360", 43200: "720", 86400: "D"}  # fmt: skip
_CANCEL_BATCH = 20
_TOPICS = ["order", "execution", "position", "wallet"]

T = TypeVar("T")


class _Reply(Struct, Generic[T]):
    result: T


class _Page(Struct, Generic[T]):
    rows: list[T] = field(name="list")
    nextPageCursor: str = ""


class _Placed(Struct):
    orderId: str = ""


class _Head(Struct):
    retCode: int
    retMsg: str = ""
    result: _Placed | None = None


class _Lot(Struct):
    qtyStep: str
    minOrderQty: str
    maxMktOrderQty: str = ""
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


class OrderRow(Struct):
    """An order in a stream or a query."""

    symbol: str
    orderId: str
    side: str
    orderType: str
    orderStatus: str
    qty: str
    cumExecQty: str
    updatedTime: str
    price: str = ""
    orderLinkId: str = ""
    avgPrice: str = ""
    triggerPrice: str = ""
    reduceOnly: bool = False
    rejectReason: str = ""
    category: str = "linear"


class FillRow(Struct):
    """An execution in a stream or a query."""

    symbol: str
    execId: str
    execType: str
    execQty: str
    execPrice: str
    execFee: str
    execTime: str
    orderId: str
    side: str
    orderLinkId: str = ""
    isMaker: bool = False
    feeRate: str = ""
    category: str = "linear"


class PositionRow(Struct):
    """A position in a stream or a query: the average price is named differently in each."""

    symbol: str
    side: str
    size: str
    entryPrice: str = ""
    avgPrice: str = ""
    leverage: str = ""
    markPrice: str = ""
    unrealisedPnl: str = ""
    liqPrice: str = ""


class CoinRow(Struct):
    """One currency of a wallet."""

    coin: str
    walletBalance: str
    totalOrderIM: str = ""
    totalPositionIM: str = ""
    locked: str = ""


class WalletRow(Struct):
    """A wallet in a stream or a query."""

    coin: list[CoinRow]


class _Topic(Struct):
    topic: str = ""


class _Frame(Struct, Generic[T]):
    data: list[T]


class _PublicRow(Struct):
    execId: str
    price: float
    size: float
    side: str
    time: int


class _Rights(Struct):
    userID: int | str
    permissions: dict[str, list[str]] = {}


class _AccountInfo(Struct):
    marginMode: str = ""


class _Time(Struct):
    timeNano: str


class _BatchRow(Struct):
    code: int
    msg: str = ""


class _BatchNotes(Struct):
    rows: list[_BatchRow] = field(default_factory=list, name="list")


class _BatchReply(Struct):
    retExtInfo: _BatchNotes = field(default_factory=_BatchNotes)


class _Control(Struct):
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""


_head = Decoder(_Head).decode
_topic = Decoder(_Topic).decode
_control = Decoder(_Control).decode
_batch = Decoder(_BatchReply).decode
_listed = Decoder(_Reply[_Page[_Listed]]).decode
_orders = Decoder(_Reply[_Page[OrderRow]]).decode
_fills = Decoder(_Reply[_Page[FillRow]]).decode
_positions = Decoder(_Reply[_Page[PositionRow]]).decode
_wallets = Decoder(_Reply[_Page[WalletRow]]).decode
_public = Decoder(_Reply[_Page[_PublicRow]], strict=False).decode
_klines = Decoder(_Reply[_Page[list[float]]], strict=False).decode
_rights = Decoder(_Reply[_Rights]).decode
_info = Decoder(_Reply[_AccountInfo]).decode
_clock = Decoder(_Reply[_Time]).decode
_order_frame = Decoder(_Frame[OrderRow]).decode
_fill_frame = Decoder(_Frame[FillRow]).decode
_position_frame = Decoder(_Frame[PositionRow]).decode
_wallet_frame = Decoder(_Frame[WalletRow]).decode


def read_order(row: OrderRow, symbol: str, received: int, source: str) -> OrderReport:
    """Turn an order row into a report."""
    trigger = optional(row.triggerPrice)
    limit = row.orderType == "Limit"
    kind = OrderKind.STOP if trigger else OrderKind.LIMIT if limit else OrderKind.MARKET
    reason = "" if row.rejectReason == "EC_NoError" else row.rejectReason
    return OrderReport(
        "bybit", symbol, row.orderLinkId, row.orderId, _SIDES[row.side], kind,
        _STATUS.get(row.orderStatus, OrderStatus.UNKNOWN), number(row.qty),
        number(row.cumExecQty), int(row.updatedTime) * MILLI, received,
        price=optional(row.price) if limit else None, trigger=trigger,
        average=optional(row.avgPrice), reduce_only=row.reduceOnly, reason=reason, source=source,
    )  # fmt: skip


def read_fill(row: FillRow, symbol: str, received: int, source: str) -> Fill:
    """Turn an execution row into a fill."""
    return Fill(
        "bybit", symbol, row.execId, row.orderLinkId, row.orderId, _SIDES[row.side],
        number(row.execQty), number(row.execPrice), number(row.execFee), row.isMaker,
        int(row.execTime) * MILLI, received, source,
    )  # fmt: skip


def read_position(row: PositionRow, symbol: str, received: int) -> PositionReport:
    """Turn a position row into a report."""
    size = number(row.size)
    return PositionReport(
        "bybit", symbol, -size if row.side == "Sell" else size,
        number(row.entryPrice or row.avgPrice), received, mark=optional(row.markPrice),
        liquidation=optional(row.liqPrice), leverage=optional(row.leverage),
        unrealised=number(row.unrealisedPnl),
    )  # fmt: skip


def read_wallet(rows: Sequence[WalletRow], received: int) -> Balance | None:
    """Find the settlement currency in a wallet."""
    for row in rows:
        for coin in row.coin:
            if coin.coin == SETTLE:
                total = number(coin.walletBalance)
                used = number(coin.totalOrderIM) + number(coin.totalPositionIM)
                return Balance(
                    "bybit", SETTLE, total, received, free=total - used - number(coin.locked)
                )
    return None


class BybitPrivate(PrivateFeed):
    """The topics order, execution, position and wallet."""

    venue = "bybit"

    def _route(self, text: str, received: int) -> bool:
        if '"topic"' not in text:
            return False
        topic = _topic(text).topic
        take = {
            "order": self._take_orders,
            "execution": self._take_fills,
            "position": self._take_positions,
            "wallet": self._take_wallet,
        }.get(topic)
        if take is None:
            return False
        take(text, received)
        return True

    def _take_orders(self, text: str, received: int) -> None:
        for row in _order_frame(text).data:
            if item := self.instruments.get(row.symbol):
                self.sink(read_order(row, item.symbol, received, "stream"))

    def _take_fills(self, text: str, received: int) -> None:
        for row in _fill_frame(text).data:
            item = self.instruments.get(row.symbol)
            if item and row.execType in _EXECUTIONS:
                self.sink(read_fill(row, item.symbol, received, "stream"))

    def _take_positions(self, text: str, received: int) -> None:
        for row in _position_frame(text).data:
            if item := self.instruments.get(row.symbol):
                self.sink(read_position(row, item.symbol, received))

    def _take_wallet(self, text: str, received: int) -> None:
        if balance := read_wallet(_wallet_frame(text).data, received):
            self.sink(balance)


def _cost(pool: str = "") -> tuple[tuple[str, float], ...]:
    return (("ip", 1.0), (pool, 1.0)) if pool else (("ip", 1.0),)


class BybitRules(Rules):
    """The facts of Bybit."""

    venue = "bybit"
    # 600 requests in 5 s an address; 10 a second each for create and cancel (linear, no VIP).
    pools: ClassVar[Mapping[str, Pool]] = {
        "ip": Pool(600, 5),
        "create": Pool(10, 1),
        "cancel": Pool(10, 1),
        "read": Pool(50, 1),
    }
    refusals = codes(
        (10001, 10005), 10006, 10008, 10009, 10010, 10017, 10018, 10024, (10027, 10029), 10404,
        33004, (110001, 110071), (110073, 110201), 170005, 181000, 3100116,
    ) - codes(10014, 10016, 110072)  # fmt: skip
    cancel_refusals = refusals
    absent = codes(110001, 110008, 110010)
    wrong_key = codes(10003, 10004, 10005, 10007, 10009, 10010, 33004)
    wrong_place = frozenset()
    unavailable = codes(10000, 10006, 10016, 10018, 10019, 10429)

    def read(self, body: str) -> Answer:
        """Read ``retCode`` and the order id, where there is one."""
        head = _head(body)
        placed = head.result.orderId if head.result else ""
        return Answer(str(head.retCode), head.retMsg, placed)

    def penalty(self, reply: Reply) -> Penalty | None:
        """Read 403 (the address, ten minutes) and 10006 (this endpoint, until the reset)."""
        if reply.status == 403 and "retCode" not in reply.body:
            return Penalty(600.0, ban=True)
        if '"retCode":10006' in reply.body or reply.status == 429:
            reset = reply.headers.get("X-Bapi-Limit-Reset-Timestamp", "")
            wait = int(reset) / 1000 - time.time() if reset.isdigit() else 1.0
            return Penalty(min(max(wait, 0.2), 60.0))
        return None

    def submit(self, order: Order) -> Request:
        """One endpoint for everything; a stop closes at market when the mark price passes it."""
        params: dict[str, Any] = {
            "category": "linear",
            "symbol": self.instrument(order.symbol).venue_symbol,
            "side": _OUR_SIDES[order.side],
            "orderType": "Limit" if order.kind is OrderKind.LIMIT else "Market",
            "qty": plain(order.qty),
            "orderLinkId": order.client_id,
            "positionIdx": 0,
        }
        if order.kind is OrderKind.LIMIT:
            assert order.price is not None
            params["price"] = plain(order.price)
            params["timeInForce"] = _TIF[order.tif]
        if order.kind is OrderKind.STOP:
            assert order.trigger is not None
            # 1: triggers when the price rises to it, 2: when it falls to it.
            params["triggerDirection"] = 1 if order.side is Side.BUY else 2
            params["triggerPrice"] = plain(order.trigger)
            params["triggerBy"] = "MarkPrice"
        if order.reduce_only or order.kind is OrderKind.STOP:
            params["reduceOnly"] = True
        return Request("privatePostV5OrderCreate", params, _cost("create"))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """By our id where there is one."""
        params = {"category": "linear", "symbol": self.instrument(symbol).venue_symbol}
        params |= {"orderLinkId": client_id} if client_id else {"orderId": venue_id}
        return Request("privatePostV5OrderCancel", params, _cost("cancel"))

    def time(self) -> Request:
        """The public clock."""
        return Request("publicGetV5MarketTime", {}, _cost())

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
            body = await line.ask(Request("publicGetV5MarketInstrumentsInfo", params, _cost()))
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
        body = await line.ask(Request("privateGetV5UserQueryApi", {}, _cost("read")))
        rights = _rights(body).result
        granted = {name.lower() for names in rights.permissions.values() for name in names}
        return Account(str(rights.userID), any("withdraw" in name for name in granted))

    async def prepare(self, line: Line) -> None:
        """Cross margin is the account's; one-way mode is the settlement coin's."""
        body = await line.ask(Request("privateGetV5AccountInfo", {}, _cost("read")))
        if _info(body).result.marginMode not in ("REGULAR_MARGIN", ""):
            params = {"setMarginMode": "REGULAR_MARGIN"}
            await line.ask(Request("privatePostV5AccountSetMarginMode", params, _cost("read")))
        mode = {"category": "linear", "coin": SETTLE, "mode": 0}
        await _unless(
            line, Request("privatePostV5PositionSwitchMode", mode, _cost("read")), "110025"
        )

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """At most 1000, newest first on the wire."""
        params = {"category": "linear", "symbol": instrument.venue_symbol, "limit": 1000}
        body = await line.ask(Request("publicGetV5MarketRecentTrade", params, _cost()))
        received = time.time_ns()
        return [
            Trade("bybit", instrument.symbol, row.price, row.size, _SIDES[row.side], row.execId,
                  row.time * MILLI, received)
            for row in reversed(_public(body).result.rows)
        ]  # fmt: skip

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int
    ) -> list[Candle]:
        """At most 1000 a request, newest first on the wire."""
        found: dict[int, Candle] = {}
        end = time.time_ns() // MILLI
        while len(found) < count:
            params = {
                "category": "linear", "symbol": instrument.venue_symbol,
                "interval": _INTERVALS[timeframe], "end": end, "limit": min(1000, count + 2),
            }  # fmt: skip
            body = await line.ask(Request("publicGetV5MarketKline", params, _cost()))
            rows = _klines(body).result.rows
            received = time.time_ns()
            fresh = False
            for row in rows:
                opened = int(row[0]) * MILLI
                fresh = fresh or opened not in found
                if opened + timeframe * SECOND <= received:
                    found[opened] = read_candle(instrument, timeframe, row, 5, received)
            if not fresh:
                break
            end = int(rows[-1][0]) - 1
        return [found[opened] for opened in sorted(found)][-count:]

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask the open and recent orders, then the history."""
        params = {
            "category": "linear",
            "symbol": self.instrument(symbol).venue_symbol,
            "orderLinkId": client_id,
        }
        for method in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            try:
                body = await line.ask(Request(method, params, _cost("read")))
            except VenueRefused as error:
                if error.code in self.absent:
                    continue
                raise
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
            if (item := self.by_venue.get(row.symbol))
            and not (report := read_order(row, item.symbol, received, "sweep")).status.terminal
        ]  # fmt: skip

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """All of the settlement coin."""
        rows = await self._pages(
            line, urgency, "privateGetV5PositionList", {"settleCoin": SETTLE, "limit": 200},
            _positions,
        )  # fmt: skip
        return [
            read_position(row, item.symbol, received)
            for row, received in rows
            if (item := self.by_venue.get(row.symbol)) and number(row.size)
        ]

    async def balance(self, line: Line) -> Balance:
        """The unified wallet."""
        params = {"accountType": "UNIFIED", "coin": SETTLE}
        body = await line.ask(Request("privateGetV5AccountWalletBalance", params, _cost("read")))
        balance = read_wallet(_wallets(body).result.rows, time.time_ns())
        if balance is None:
            return Balance("bybit", SETTLE, Decimal(0), time.time_ns(), free=Decimal(0))
        return balance

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """All symbols at once."""
        fills = [
            read_fill(row, item.symbol, received, "sweep")
            for row, received in await self._executions(line, since)
            if (item := self.by_venue.get(row.symbol)) and row.execType in _EXECUTIONS
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
        start = max(since, time.time_ns() - HISTORY + 60 * SECOND) // MILLI
        return await self._pages(
            line, Urgency.READ, "privateGetV5ExecutionList",
            {"startTime": start, "limit": 100, **more}, _fills,
        )  # fmt: skip

    async def _pages(
        self,
        line: Line,
        urgency: Urgency,
        method: str,
        params: Mapping[str, Any],
        decode: Callable[[str], _Reply[_Page[T]]],
    ) -> list[tuple[T, int]]:
        rows: list[tuple[T, int]] = []
        cursor = ""
        for _ in range(200):
            more = {"cursor": cursor} if cursor else {}
            body = await line.ask(
                Request(method, {"category": "linear", **params, **more}, _cost("read")), urgency
            )
            received = time.time_ns()
            page = decode(body).result
            rows += [(row, received) for row in page.rows]
            cursor = page.nextPageCursor
            if not cursor or not page.rows:
                return rows
        raise VenueUnavailable(f"bybit: {method} does not end")

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Both sides the same; 110043 says that it is so already."""
        text = plain(leverage)
        params = {
            "category": "linear", "symbol": self.instrument(symbol).venue_symbol,
            "buyLeverage": text, "sellLeverage": text,
        }  # fmt: skip
        await _unless(
            line, Request("privatePostV5PositionSetLeverage", params, _cost("read")), "110043"
        )

    async def cancel_many(self, line: Line, orders: Sequence[OrderReport]) -> int:
        """Twenty a request; each order has a verdict of its own in ``retExtInfo``.

        More than that would wait: each order of a batch counts toward ten a second. One request
        then takes all ordinary orders of the account; conditional ones, our stops, stay.
        """
        done = 0
        ordinary = [order for order in orders if order.kind is not OrderKind.STOP]
        if len(ordinary) > _CANCEL_BATCH:
            params = {"category": "linear", "settleCoin": SETTLE, "orderFilter": "Order"}
            request = Request("privatePostV5OrderCancelAll", params, _cost("cancel"))
            await line.ask(request, Urgency.KILL)
            done = len(ordinary)
            orders = [order for order in orders if order.kind is OrderKind.STOP]
        for start in range(0, len(orders), _CANCEL_BATCH):
            batch = [
                {"symbol": self.instrument(order.symbol).venue_symbol, "orderId": order.venue_id}
                for order in orders[start : start + _CANCEL_BATCH]
            ]
            body = await line.ask(
                Request(
                    "privatePostV5OrderCancelBatch",
                    {"category": "linear", "request": batch},
                    (("ip", 1.0), ("cancel", float(len(batch)))),
                ),
                Urgency.KILL,
            )
            for row in _batch(body).retExtInfo.rows:
                done += row.code == 0 or str(row.code) in self.absent
        return done

    def feed(
        self,
        symbols: Sequence[str],
        sink: Sink,
        resync: Callable[[str, str], None],
        last_message: dict[str, int],
    ) -> Feed:
        """Return the decoder of the public stream."""
        return BybitFeed([self.instrument(s) for s in symbols], sink, resync, last_message)

    def private_feed(self, sink: Sink) -> PrivateFeed:
        """Return the decoder of the private stream."""
        return BybitPrivate(self.by_venue, self.names, sink)

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Everything on one socket."""
        ids = [self.instrument(symbol).venue_symbol for symbol in symbols]
        kinds = ("orderbook.50", "publicTrade", "tickers")
        topics = [f"{kind}.{name}" for kind in kinds for name in ids]
        url = exchange.implode_hostname(exchange.urls["api"]["ws"]["public"]["linear"])
        feeds = ("trades", "books", "tickers")
        return [Channel("public", url, (_subscribe(topics),), False, feeds, acks=1)]

    async def private_channel(self, line: Line, name: str) -> Channel:
        """Everything on one socket, after ccxt's login."""
        api = line.exchange.urls["api"]["ws"]["private"]
        url = line.exchange.implode_hostname(api["contract"])
        return Channel(name, url, (_subscribe(_TOPICS),), True, ("private",), acks=1)

    async def log_in(self, exchange: Any, channel: Channel) -> None:
        """HMAC of an instant ten seconds ahead."""
        await exchange.authenticate(channel.url)

    def resubscribe(self, venue_symbol: str) -> tuple[Any, ...]:
        """Leave and join again: the venue answers with a snapshot."""
        topic = f"orderbook.50.{venue_symbol}"
        return ({"op": "unsubscribe", "args": [topic]}, _subscribe([topic]))

    def acknowledges(self, text: str) -> int:
        """One reply for a whole subscription."""
        control = _control(text)
        if control.op != "subscribe":
            return 0
        return 1 if control.success else -1


def _subscribe(topics: list[str]) -> dict[str, Any]:
    return {"op": "subscribe", "args": topics}


async def _unless(line: Line, request: Request, already: str) -> None:
    try:
        await line.ask(request)
    except VenueRefused as error:
        if error.code != already:
            raise


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
    )
