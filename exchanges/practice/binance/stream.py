"""Binance USDⓈ-M WebSocket: market streams, the user stream, and the WebSocket API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from exchanges.practice.binance.market import INTERVALS, rate_limits
from exchanges.practice.binance.orders import BinanceNo
from exchanges.practice.binance.pushes import DEPTH_SPEEDS, PARTIAL_DEPTHS, BinancePushes
from exchanges.practice.binance.route import SIGNED, Route
from exchanges.practice.wire import Session, converse, loads

PUBLIC_STREAMS = ("trade", "depth", "bookTicker", "rpiDepth")
"""Streams of ``/public``; all others are of ``/market``."""
PING = 180.0
"""Seconds between the venue's pings."""


class BinanceStream(BinancePushes):
    """The WebSocket side of the Binance dialect: what clients ask for."""

    # --- sockets

    async def market(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/ws`` and ``/stream`` of ``/public``, ``/market`` or, as before 2026, neither."""
        category = request.match_info.get("category", "")
        wrapped = request.match_info["mode"] == "stream"
        tail = unquote(request.match_info.get("tail", ""))
        named = request.query.get("streams", "") if wrapped else tail
        streams = [name for name in named.split("/") if "@" in name or name.startswith("!")]

        def on_open(session: Session) -> None:
            session.login = {"category": category, "wrapped": wrapped}
            for name in streams:
                if self._known(name, category):
                    self.topics.add(self._key(session, name), session)

        return await converse(
            request, self.topics, self._market_text, on_open=on_open, heartbeat=PING
        )

    async def user(self, request: web.Request) -> web.StreamResponse:
        """Serve the user stream of a listen key."""
        name = request.query.get("listenKey") or request.match_info.get("tail", "")
        key = self.rest.account.listen_keys.get(name)
        if key is None or key.expires <= self.venue.now_ms():
            return web.Response(status=400, text='{"code":-1125,"msg":"Invalid listenKey."}')
        timers: list[asyncio.TimerHandle] = []

        def on_open(session: Session) -> None:
            session.account = key.account
            session.login = {"category": "private", "wrapped": False}
            self.topics.add(f"user@{key.account}", session)
            self._watch_key(session, name, timers)

        try:
            return await converse(
                request, self.topics, self._market_text, on_open=on_open, heartbeat=PING
            )
        finally:
            for timer in timers:
                timer.cancel()

    def _watch_key(self, session: Session, name: str, timers: list[asyncio.TimerHandle]) -> None:
        """Tell the client when its listen key has expired; look again if it was extended."""
        now = self.venue.now_ms()
        left = self.rest.account.listen_keys[name].expires - now
        timers.clear()
        if left > 0:
            loop = asyncio.get_running_loop()
            wait = min(left / 1000, 60.0)
            timers.append(loop.call_later(wait, self._watch_key, session, name, timers))
        else:
            session.send({"e": "listenKeyExpired", "E": now, "listenKey": name})
            self.topics.drop(session)

    async def api(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/ws-fapi/v1``: requests over a socket."""
        return await converse(request, self.topics, self._api_text, heartbeat=PING)

    # --- what clients say

    def _market_text(self, session: Session, text: str) -> None:
        try:
            message = loads(text)
            method, params, number = message["method"], message.get("params"), message.get("id")
        except (ValueError, KeyError, TypeError):
            session.send({"error": {"code": 3, "msg": "Invalid JSON: expected value"}})
            return
        names = params if isinstance(params, list) else []
        if method == "LIST_SUBSCRIPTIONS":
            found = sorted(topic.removeprefix("stream:") for topic in session.topics)
            session.send({"result": found, "id": number})
        elif method == "SUBSCRIBE":
            bad = [n for n in names if not self._known(n, session.login["category"])]
            if bad:
                error = {"code": 2, "msg": f"Invalid request: unknown stream {bad[0]}"}
                session.send({"error": error, "id": number})
                return
            for name in names:
                self.topics.add(self._key(session, name), session)
            session.send({"result": None, "id": number})
        elif method == "UNSUBSCRIBE":
            for name in names:
                self.topics.remove(self._key(session, name), session)
            session.send({"result": None, "id": number})
        else:
            error = {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}
            session.send({"error": error, "id": number})

    @staticmethod
    def _key(session: Session, name: str) -> str:
        return f"stream:{name}" if session.login["wrapped"] else name

    def _known(self, name: object, category: str) -> bool:
        if not isinstance(name, str):
            return False
        if name.startswith("!"):
            channel = name[1:].partition("@")[0]
            known = channel in {"miniTicker", "ticker", "markPrice", "bookTicker", "forceOrder"}
        else:
            symbol, _, channel = name.partition("@")
            known = self._contract(symbol.upper()) is not None and _is_channel(channel)
        public = channel.startswith(PUBLIC_STREAMS)
        return known and (not category or (category == "public") == public)

    def _api_text(self, session: Session, text: str) -> None:
        try:
            message = loads(text)
            number, method = message.get("id"), str(message.get("method"))
            params: dict[str, Any] = dict(message.get("params") or {})
        except (ValueError, AttributeError, TypeError):
            error = {"code": -1135, "msg": "Invalid JSON Request"}
            session.send({"id": None, "status": 400, "error": error})
            return
        act = self._api_methods().get(method)
        try:
            if act is None:
                raise BinanceNo(-1099, f"Unknown method {method}")
            weight = Route(lambda *_: None, SIGNED, 1)
            self.rest.weigh(session.request.remote or "", weight, params)
            account = ""
            if method != "time" and method != "ping":
                payload = "&".join(
                    f"{key}={_flat(value)}"
                    for key, value in sorted(params.items())
                    if key != "signature"
                )
                account = self.rest.verify(str(params.get("apiKey", "")), payload, params)
            if method in {"order.place", "order.modify", "algoOrder.place"}:
                self.rest.count_order(account)
            result = act(account, params)
        except BinanceNo as no:
            error = {"code": no.code, "msg": no.text}
            session.send({"id": number, "status": no.status, "error": error})
            return
        reply = {"id": number, "status": 200, "result": result}
        if params.get("returnRateLimits") is not False:
            reply["rateLimits"] = [{**row, "count": 1} for row in rate_limits(self.rest.limits)[:1]]
        session.send(reply)

    def _api_methods(self) -> dict[str, Callable[[str, dict[str, Any]], Any]]:
        desk, market, account = self.rest.desk, self.rest.market, self.rest.account
        return {
            "ping": market.ping,
            "time": market.time,
            "order.place": desk.create,
            "order.modify": desk.amend,
            "order.cancel": desk.cancel,
            "order.status": desk.find,
            "algoOrder.place": desk.create_algo,
            "algoOrder.cancel": desk.cancel_algo,
            "account.status": account.account,
            "v2/account.status": account.account,
            "account.balance": account.balance,
            "v2/account.balance": account.balance,
            "account.position": account.risk,
            "v2/account.position": account.risk,
        }


def _is_channel(channel: str) -> bool:
    head = channel.partition("@")[0]
    if channel in DEPTH_SPEEDS or channel in PARTIAL_DEPTHS:
        return True
    if head.startswith("kline_"):
        return head.removeprefix("kline_") in INTERVALS
    return head in {
        "trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "markPrice", "forceOrder",
    }  # fmt: skip


def _flat(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
