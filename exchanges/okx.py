"""OKX v5, USDT-margined linear swaps on a unified account, net position mode, cross margin.

The venue counts contracts: every quantity is multiplied by the contract's size on the way in and
divided on the way out. Stops ("algo" orders) have their own endpoints, ids and socket; a
triggered one becomes an ordinary order with another id, told under the stop's client id here.
Fees are negative when paid in streams and queries alike; only ccxt's unified REST turns them.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.json import Decoder

from core.errors import VenueUnavailable
from core.model.instrument import Instrument
from core.model.order import Order, OrderKind, OrderReport, TimeInForce
from exchanges.access import ENTRY_WINDOW_MS, RECV_WINDOW_MS
from exchanges.budget import Pool, Urgency
from exchanges.okx_feed import OkxFeed, index_of
from exchanges.okx_private import OkxPrivate, Rows
from exchanges.okx_queries import OkxQueries, cost
from exchanges.outcome import Answer, Reply, codes
from exchanges.rules import Channel, Line, Penalty, Request, plain, rejoin, subscribe

_TYPES = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
_SPARE = ("index-tickers", "open-interest")
"""Channels that a stream does without where the venue refuses them."""
TAG = "killcord"
"""What our orders bear, so that the venue's timer takes no one else's. At most 16 characters."""
_CANCEL_BATCH = 20
_EXPIRING = frozenset({"trade/order", "trade/batch-orders", "trade/order-algo"})


class _Placed(Struct):
    sCode: str = "0"
    sMsg: str = ""
    ordId: str = ""
    algoId: str = ""


class _Code(Struct):
    code: str
    msg: str = ""


class _Event(Struct):
    event: str = ""


_code = Decoder(_Code).decode
_placed = Decoder(Rows[_Placed]).decode
_event = Decoder(_Event).decode


class OkxRules(OkxQueries):
    """The facts of OKX, its commands and its sockets."""

    venue = "okx"
    market_frames = OkxFeed
    private_frames = OkxPrivate
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
        "rates": Pool(10, 2),
        "index": Pool(20, 2),
        "index-history": Pool(10, 2),
        "statistics": Pool(10, 2),
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
    wrong_time = codes(50102, 51149)
    misfits = codes(51000, 51020, 51120, 51121, 51202)
    closed = codes(50001)
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
                opens = path == "trade/order" and not params.get("reduceOnly")
                window = ENTRY_WINDOW_MS if opens else RECV_WINDOW_MS
                signed["headers"]["expTime"] = str(exchange.nonce() + window)
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
            "tag": TAG,
        }
        if order.kind is OrderKind.STOP:
            assert order.trigger is not None
            self.names.mark_stop(order.client_id)
            params |= {
                "ordType": "conditional", "algoClOrdId": order.client_id, "reduceOnly": True,
                "slTriggerPx": plain(order.trigger), "slTriggerPxType": "mark", "slOrdPx": "-1",
            }  # fmt: skip
            return Request("privatePostTradeOrderAlgo", params, cost("algo"))
        params["ordType"] = "market"
        if order.kind is OrderKind.LIMIT:
            assert order.price is not None
            params["ordType"] = _TYPES[order.tif]
            params["px"] = plain(order.price)
        if order.reduce_only:
            params["reduceOnly"] = True
        return Request("privatePostTradeOrder", params, cost("order"))

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """From whichever of the two order books it is in."""
        params = {"instId": self.instrument(symbol).venue_symbol}
        if stop:
            params |= {"algoId": venue_id} if venue_id else {"algoClOrdId": client_id}
            return Request("privatePostTradeCancelAlgos", [params], cost("cancel-algo"))
        params |= {"clOrdId": client_id} if client_id else {"ordId": venue_id}
        return Request("privatePostTradeCancelOrder", params, cost("cancel"))

    async def prepare(self, line: Line) -> None:
        """Net mode; cross margin is stated by each order."""
        if (await self._configuration(line)).posMode != "net_mode":
            params = {"posMode": "net_mode"}
            await line.ask(Request("privatePostAccountSetPositionMode", params, cost("config")))

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Of the cross position."""
        params = {
            "instId": self.instrument(symbol).venue_symbol,
            "lever": plain(leverage),
            "mgnMode": "cross",
        }
        await line.ask(Request("privatePostAccountSetLeverage", params, cost("leverage")))

    dead_man = "tag"

    async def arm_dead_man(self, line: Line, symbol: str, seconds: int) -> None:
        """Of the orders with our tag: 10 to 120 seconds, 0 disarms."""
        params = {"timeOut": str(seconds), "tag": TAG}
        request = Request("privatePostTradeCancelAllAfter", params, cost("cancel-after"))
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
        params = [{"instId": self.native(order.symbol), key: order.venue_id} for order in orders]
        # The limit is of one instrument: what counts is the one with most orders in the batch.
        most = max(Counter(order.symbol for order in orders).values())
        return Request(method, params, cost(pool, most))

    async def _cancel_batch(self, line: Line, request: Request) -> int:
        reply = await line.send(request, Urgency.KILL)
        if reply.status != 200 or _code(reply.body).code not in ("0", "1", "2"):
            raise VenueUnavailable(f"okx: {request.method}: {reply.fault or reply.body[:200]}")
        return sum(row.sCode == "0" or row.sCode in self.absent for row in _placed(reply.body).data)

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Everything on one socket."""
        ids = [self.instrument(symbol).venue_symbol for symbol in symbols]
        kinds = ("books", "bbo-tbt", "trades", "tickers", "mark-price", "funding-rate",
                 "open-interest")  # fmt: skip
        args = [{"channel": kind, "instId": name} for kind in kinds for name in ids]
        args += [{"channel": "index-tickers", "instId": index_of(name)} for name in ids]
        url = exchange.get_url("books", "public")
        feeds = ("trades", "books", "tickers")
        return [Channel("public", url, (subscribe(args),), False, feeds, acks=len(args))]

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
        return Channel(name, url, (subscribe(args),), True, ("private",), acks=len(args))

    async def log_in(self, exchange: Any, channel: Channel) -> None:
        """HMAC of the present second."""
        await exchange.authenticate({"access": channel.name})

    def resubscribe(self, venue_symbol: str) -> tuple[Any, ...]:
        """Leave and join again: the venue answers with a snapshot."""
        return rejoin({"channel": "books", "instId": venue_symbol})

    def acknowledges(self, text: str) -> int:
        """One reply for each channel of a subscription.

        Without an index there is no basis, without open interest no feature of it: a swap for
        which the venue has none must not keep the books and trades of all others from coming.
        """
        if not text.startswith("{"):
            return 0
        event = _event(text).event
        if event == "error" and any(name in text for name in _SPARE):
            return 1
        return {"subscribe": 1, "error": -1, "notice": -1}.get(event, 0)


def _split(orders: Sequence[OrderReport], size: int) -> list[Sequence[OrderReport]]:
    return [orders[start : start + size] for start in range(0, len(orders), size)]
