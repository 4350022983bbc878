"""Binance USDⓈ-M futures.

Stops live in a second order book, the "algo" orders, with its own endpoints and ids; a triggered
one becomes an ordinary order with another id (``ai`` in its updates), which is told under the
stop's client id here. Own trades can only be asked per symbol and do not carry a client id.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.json import Decoder

from core.errors import VenueError, VenueRefused
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, TimeInForce
from exchanges.access import ENTRY_WINDOW_MS
from exchanges.asking import ask_unless
from exchanges.binance_feed import BinanceFeed
from exchanges.binance_private import BinancePrivate
from exchanges.binance_queries import BinanceQueries, weight
from exchanges.budget import Pool, Urgency
from exchanges.outcome import Answer, Reply, codes
from exchanges.rules import Channel, Line, Penalty, Request, plain

_OUR_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
_TIF = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
_CANCEL_BATCH = 10
_FAST = ("depth@100ms", "bookTicker", "trade")
_SLOW = ("ticker", "markPrice@1s")
_USED = {
    "X-MBX-USED-WEIGHT-1M": "weight",
    "X-MBX-ORDER-COUNT-10S": "orders10",
    "X-MBX-ORDER-COUNT-1M": "orders60",
}


class _Head(Struct):
    code: int | str = 0
    msg: str = ""
    orderId: int | str = ""
    algoId: int | str = ""


class _Mode(Struct):
    dualSidePosition: bool


class _BatchRow(Struct):
    orderId: int | str = ""
    code: int = 0


class _Ack(Struct):
    id: int | None = None
    error: object = None


_head = Decoder(_Head).decode
_ack = Decoder(_Ack).decode
_mode = Decoder(_Mode).decode
_batch = Decoder(list[_BatchRow]).decode


class BinanceRules(BinanceQueries):
    """The facts of Binance, its commands and its sockets."""

    venue = "binance"
    market_frames = BinanceFeed
    private_frames = BinancePrivate
    pools: ClassVar[Mapping[str, Pool]] = {
        "weight": Pool(2400, 60),
        "funding": Pool(500, 300),
        "data": Pool(1000, 300),
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
    wrong_time = codes(-1021, -4188, -5028)
    misfits = codes(-1013, -1111, (-4005, -4001), (-4014, -4013), -4023, -4164)
    closed = codes(-1016)
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
            return Request("fapiPrivatePostAlgoOrder", params, weight(0.1, 1))
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
        else:
            params["recvWindow"] = ENTRY_WINDOW_MS
        return Request("fapiPrivatePostOrder", params, weight(0.1, 1))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """From whichever of the two order books it is in."""
        if stop:
            params = {"clientAlgoId": client_id} if client_id else {"algoId": venue_id}
            return Request("fapiPrivateDeleteAlgoOrder", params, weight(1))
        params = {"symbol": self.instrument(symbol).venue_symbol}
        params |= {"origClientOrderId": client_id} if client_id else {"orderId": venue_id}
        return Request("fapiPrivateDeleteOrder", params, weight(1))

    async def prepare(self, line: Line) -> None:
        """One-way mode; cross margin is per symbol and set with the leverage."""
        body = await line.ask(Request("fapiPrivateGetPositionSideDual", {}, weight(30)))
        if _mode(body).dualSidePosition:
            params = {"dualSidePosition": "false"}
            await ask_unless(
                line, Request("fapiPrivatePostPositionSideDual", params, weight(1)), "-4059"
            )

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Leverage, and cross margin (-4046 says that it is so already)."""
        name = self.instrument(symbol).venue_symbol
        params = {"symbol": name, "marginType": "CROSSED"}
        await ask_unless(line, Request("fapiPrivatePostMarginType", params, weight(1)), "-4046")
        query = {"symbol": name, "leverage": int(leverage)}
        await line.ask(Request("fapiPrivatePostLeverage", query, weight(1)))

    dead_man = "symbol"

    async def arm_dead_man(self, line: Line, symbol: str, seconds: int) -> None:
        """Of one symbol, in milliseconds; 0 disarms."""
        name = self.instrument(symbol).venue_symbol
        params = {"symbol": name, "countdownTime": seconds * 1000}
        request = Request("fapiPrivatePostCountdownCancelAll", params, weight(10))
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
        params = {"symbol": self.native(symbol), "orderidlist": ids}
        body = await line.ask(
            Request("fapiPrivateDeleteBatchOrders", params, weight(1)), Urgency.KILL
        )
        return sum(not row.code or str(row.code) in self.absent for row in _batch(body))

    async def _cancel_stop(self, line: Line, order: OrderReport) -> int:
        try:
            request = self.cancel(order.symbol, "", order.venue_id, stop=True)
            await line.ask(request, Urgency.KILL)
        except VenueRefused as error:
            return int(error.code in self.absent)
        return 1

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
        return Request("fapiPublicGetDepth", params, weight(10))

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
