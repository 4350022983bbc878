"""Binance USDⓈ-M REST: authentication, weights and the endpoints a futures trader uses."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from exchanges.practice.binance import codes
from exchanges.practice.binance.account import Account
from exchanges.practice.binance.market import ORDERS_1M, ORDERS_10S, WEIGHT, Market
from exchanges.practice.binance.orders import BinanceNo, OrderDesk, read_int, require
from exchanges.practice.binance.route import KEY_ONLY, PUBLIC, Params, Route
from exchanges.practice.binance.trading import Trading
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.wire import Limits, Window, Windows, dumps, same, sign_hex

BAN_SECONDS = 120.0
PATIENCE = 20
"""Requests over the limit in one minute before 429 turns into a 418 ban."""


class BinanceRest:
    """The REST side of the Binance dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self.market = Market(venue, self.desk, limits)
        self.account = Account(venue, self.desk)
        self.trading = Trading(venue, self.desk)
        self._routes: dict[tuple[str, str], Route] = {
            **self.market.routes(),
            **self.account.routes(),
            **self.trading.routes(),
        }
        self._windows = Windows()
        self._over: dict[str, tuple[float, int]] = {}
        self._banned: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path.removeprefix("/binance")
        route = self._routes.get((request.method, path))
        if route is None:
            return web.Response(status=404, text="<html><body>404 Not found</body></html>")
        query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method in {"POST", "PUT"} else ""
        params = dict(parse_qsl(query, keep_blank_values=True))
        params.update(parse_qsl(body, keep_blank_values=True))
        headers: dict[str, str] = {}
        try:
            headers = self.weigh(request.remote or "", route, params)
            account = self._authenticate(request, route.security, query, body, params)
            if route.orders:
                headers |= self.count_order(account)
            result = route.handler(account, params)
        except BinanceNo as no:
            return web.Response(
                status=no.status,
                body=dumps({"code": no.code, "msg": no.text}),
                content_type="application/json",
                headers=headers | no.headers,
            )
        return web.Response(body=dumps(result), content_type="application/json", headers=headers)

    def weigh(self, client: str, route: Route, params: Params) -> dict[str, str]:
        """Count the weight of a request; return the headers.

        Raises:
            BinanceNo: 429 over the limit, 418 while banned.
        """
        now = time.time()
        until = self._banned.get(client)
        if until is not None and now < until:
            raise self._stop(418, codes.BANNED, until - now, ip=client, until=int(until * 1000))
        self._banned.pop(client, None)
        weight = route.weight if isinstance(route.weight, int) else route.weight(params)
        window = self._windows.get(client, "weight", self.limits.allow(WEIGHT), 60.0)
        if not window.take(now, weight):
            self._warn(client, window, now)
        return {"X-MBX-USED-WEIGHT-1M": self._used(window)}

    def _used(self, window: Window) -> str:
        # Clients know the venue's own allowance and read this against it.
        return str(int(window.used / self.limits.scale))

    def _warn(self, client: str, window: Window, now: float) -> None:
        start, warned = self._over.get(client, (window.start, 0))
        warned = warned + 1 if start == window.start else 1
        self._over[client] = window.start, warned
        if warned > PATIENCE:
            until = now + BAN_SECONDS * self.limits.ban
            self._banned[client] = until
            raise self._stop(418, codes.BANNED, until - now, ip=client, until=int(until * 1000))
        raise self._stop(
            429, codes.TOO_MANY_REQUESTS, window.resets - now, ip=client, limit=window.limit
        )

    @staticmethod
    def _stop(status: int, words: tuple[int, str], wait: float, **facts: object) -> BinanceNo:
        no = BinanceNo(words[0], words[1].format(**facts), status)
        no.headers = {"Retry-After": str(max(1, int(wait + 0.999)))}
        return no

    def count_order(self, account: str) -> dict[str, str]:
        """Count an order request; return the headers.

        Raises:
            BinanceNo: 429, code -1015.
        """
        now, headers = time.time(), {}
        for name, limit, seconds in (("10S", ORDERS_10S, 10.0), ("1M", ORDERS_1M, 60.0)):
            window = self._windows.get(account, name, self.limits.allow(limit), seconds)
            allowed = window.take(now)
            headers[f"X-MBX-ORDER-COUNT-{name}"] = self._used(window)
            if not allowed:
                interval = "10 SECOND" if name == "10S" else "MINUTE"
                words = codes.TOO_MANY_ORDERS
                raise self._stop(
                    429, words, window.resets - now, limit=window.limit, interval=interval
                )
        return headers

    def _authenticate(
        self, request: web.Request, security: str, query: str, body: str, params: Params
    ) -> str:
        if security == PUBLIC:
            return ""
        key = request.headers.get("X-MBX-APIKEY", "")
        payload = "&".join(
            part
            for text in (query, body)
            for part in text.split("&")
            if part and not part.startswith("signature=")
        )
        if security == KEY_ONLY:
            return self.account_of(key)
        return self.verify(key, payload, params)

    def account_of(self, key: str) -> str:
        """Return the account behind a key.

        Raises:
            BinanceNo: no key, or an unknown one.
        """
        if not key:
            raise BinanceNo(*codes.NO_KEY, 401)
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise BinanceNo(*codes.BAD_KEY, 401)
        return credential.account

    def verify(self, key: str, payload: str, params: Params) -> str:
        """Check timestamp and signature of a signed request; return the account."""
        account = self.account_of(key)
        stamp = read_int({"timestamp": require(params, "timestamp")}, "timestamp") or 0
        window = read_int(params, "recvWindow", 5000) or 5000
        if window > 60_000:
            raise BinanceNo(-1131, "recvWindow must be less than 60000")
        signature = require(params, "signature")
        now = self.venue.now_ms()
        if stamp >= now + 1000:
            raise BinanceNo(*codes.AHEAD)
        if now - stamp > window:
            raise BinanceNo(*codes.EXPIRED)
        if not same(sign_hex(self.venue.api_keys[key].secret, payload), unquote(signature)):
            raise BinanceNo(*codes.BAD_SIGN)
        return account
