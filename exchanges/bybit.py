"""Bybit v5, USDT linear perpetuals on a unified account.

A stop is an ordinary order with a trigger: same endpoint, same ids before and after. The reply
to a submit only says "accepted"; what became of it comes by stream or query.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from msgspec import Struct, field
from msgspec.json import Decoder

from core.errors import VenueError
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, TimeInForce
from exchanges.access import ENTRY_WINDOW_MS, RECV_WINDOW_MS
from exchanges.asking import ask_unless
from exchanges.budget import Pool, Urgency
from exchanges.bybit_feed import BybitFeed
from exchanges.bybit_private import BybitPrivate
from exchanges.bybit_queries import BybitQueries, Result, cost
from exchanges.outcome import Answer, Reply, codes
from exchanges.private import SETTLE
from exchanges.rules import Channel, Line, Penalty, Request, plain, rejoin, subscribe

_OUR_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_TIF = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
_CANCEL_BATCH = 20
_CREATE = "v5/order/create"
_TOPICS = ["order", "execution", "position", "wallet"]


class _Placed(Struct):
    orderId: str = ""


class _Head(Struct):
    retCode: int
    retMsg: str = ""
    result: _Placed | None = None


class _AccountInfo(Struct):
    marginMode: str = ""


class _Timer(Struct):
    product: str = ""
    dcpStatus: str = ""


class _Timers(Struct):
    dcpInfos: list[_Timer] = []


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


_head = Decoder(_Head).decode
_control = Decoder(_Control).decode
_batch = Decoder(_BatchReply).decode
_timers = Decoder(Result[_Timers]).decode
_info = Decoder(Result[_AccountInfo]).decode


class BybitRules(BybitQueries):
    """The facts of Bybit, its commands and its sockets."""

    venue = "bybit"
    market_frames = BybitFeed
    private_frames = BybitPrivate
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
    wrong_time = codes(10002)
    misfits = codes(10001, 110094)
    unavailable = codes(10000, 10006, 10016, 10018, 10019, 10429)

    def dress(self, exchange: Any) -> None:
        """Let an order that can open risk expire sooner: ccxt has one window for everything."""
        sign = exchange.sign

        def sign_with_window(
            path: str, api: Any = "public", method: str = "GET", params: Any = None, *more: Any
        ) -> Any:
            opens = path == _CREATE and not params.get("reduceOnly")
            exchange.options["recvWindow"] = ENTRY_WINDOW_MS if opens else RECV_WINDOW_MS
            return sign(path, api, method, params, *more)

        exchange.sign = sign_with_window

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
        return Request("privatePostV5OrderCreate", params, cost("create"))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """By our id where there is one."""
        params = {"category": "linear", "symbol": self.instrument(symbol).venue_symbol}
        params |= {"orderLinkId": client_id} if client_id else {"orderId": venue_id}
        return Request("privatePostV5OrderCancel", params, cost("cancel"))

    async def prepare(self, line: Line) -> None:
        """Cross margin is the account's; one-way mode is the settlement coin's."""
        body = await line.ask(Request("privateGetV5AccountInfo", {}, cost("read")))
        if _info(body).result.marginMode not in ("REGULAR_MARGIN", ""):
            params = {"setMarginMode": "REGULAR_MARGIN"}
            await line.ask(Request("privatePostV5AccountSetMarginMode", params, cost("read")))
        await self._find_timer(line)
        mode = {"category": "linear", "coin": SETTLE, "mode": 0}
        await ask_unless(
            line, Request("privatePostV5PositionSwitchMode", mode, cost("read")), "110025"
        )

    async def _find_timer(self, line: Line) -> None:
        """See whether the venue switched its disconnection protection on for this account.

        It does that for institutions that ask for it. Then it cancels orders when a private stream
        that has subscribed to ``dcp.future`` is gone; nothing has to be renewed.
        """
        self.dead_man = ""
        try:
            body = await line.ask(Request("privateGetV5AccountQueryDcpInfo", {}, cost("read")))
            rows = _timers(body).result.dcpInfos
        except (VenueError, msgspec.MsgspecError):
            return
        if any(row.product == "DERIVATIVES" and row.dcpStatus == "ON" for row in rows):
            self.dead_man = "connection"

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Both sides the same; 110043 says that it is so already."""
        text = plain(leverage)
        params = {
            "category": "linear", "symbol": self.instrument(symbol).venue_symbol,
            "buyLeverage": text, "sellLeverage": text,
        }  # fmt: skip
        await ask_unless(
            line, Request("privatePostV5PositionSetLeverage", params, cost("read")), "110043"
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
            request = Request("privatePostV5OrderCancelAll", params, cost("cancel"))
            await line.ask(request, Urgency.KILL)
            done = len(ordinary)
            orders = [order for order in orders if order.kind is OrderKind.STOP]
        for start in range(0, len(orders), _CANCEL_BATCH):
            batch = [
                {"symbol": self.native(order.symbol), "orderId": order.venue_id}
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

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Everything on one socket."""
        ids = [self.instrument(symbol).venue_symbol for symbol in symbols]
        kinds = ("orderbook.50", "publicTrade", "tickers")
        topics = [f"{kind}.{name}" for kind in kinds for name in ids]
        url = exchange.implode_hostname(exchange.urls["api"]["ws"]["public"]["linear"])
        feeds = ("trades", "books", "tickers")
        return [Channel("public", url, (subscribe(topics),), False, feeds, acks=1)]

    async def private_channel(self, line: Line, name: str) -> Channel:
        """Everything on one socket, after ccxt's login."""
        api = line.exchange.urls["api"]["ws"]["private"]
        url = line.exchange.implode_hostname(api["contract"])
        topics = [*_TOPICS, "dcp.future"] if self.dead_man else _TOPICS
        return Channel(name, url, (subscribe(topics),), True, ("private",), acks=1)

    async def log_in(self, exchange: Any, channel: Channel) -> None:
        """HMAC of an instant ten seconds ahead."""
        await exchange.authenticate(channel.url)

    def resubscribe(self, venue_symbol: str) -> tuple[Any, ...]:
        """Leave and join again: the venue answers with a snapshot."""
        return rejoin(f"orderbook.50.{venue_symbol}")

    def acknowledges(self, text: str) -> int:
        """One reply for a whole subscription."""
        control = _control(text)
        if control.op != "subscribe":
            return 0
        return 1 if control.success else -1
