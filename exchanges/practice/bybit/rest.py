"""Bybit v5 REST: authentication, limits and the endpoints a linear trader uses."""

from __future__ import annotations

import time
import uuid
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from exchanges.practice.bybit import codes
from exchanges.practice.bybit.account import Account
from exchanges.practice.bybit.market import Market
from exchanges.practice.bybit.orders import BybitNo, OrderDesk
from exchanges.practice.bybit.route import Route
from exchanges.practice.bybit.trading import Trading
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import Refusal
from exchanges.practice.wire import Limits, Windows, dumps, loads, same, sign_hex

PUBLIC_RATE = (600, 5.0)
"""Requests of an address in 5 s before it is shut out with 403."""
BAN_SECONDS = 600.0


class BybitRest:
    """The REST side of the Bybit dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self.market = Market(venue, self.desk)
        self.account = Account(venue, self.desk)
        self.trading = Trading(venue, self.desk)
        self._routes: dict[tuple[str, str], Route] = {
            **self.market.routes(),
            **self.account.routes(),
            **self.trading.routes(),
        }
        self._windows = Windows()
        self._banned: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        shut = self._shut_out(request)
        if shut is not None:
            return shut
        path = request.path.removeprefix("/bybit")
        route = self._routes.get((request.method, path))
        if route is None:
            return self._reply(*codes.NOT_FOUND, {}, status=404)
        query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method == "POST" else ""
        headers: dict[str, str] = {}
        try:
            account = self._authenticate(request, query or body) if route.rate else ""
            if route.rate:
                headers = self.count(account, path, route.rate)
            params = loads(body) if body else dict(parse_qsl(query, keep_blank_values=True))
            if not isinstance(params, dict):
                raise BybitNo(codes.BAD_REQUEST, "params error: body is not an object")
            result = route.handler(account, params)
        except BybitNo as no:
            return self._reply(no.code, no.text, {}, headers=no.headers or headers)
        except Refusal as refusal:
            return self._reply(*codes.refusal_code(refusal), {}, headers=headers)
        except ValueError as error:
            return self._reply(codes.BAD_REQUEST, f"params error: {error}", {}, headers=headers)
        extra: Any = {}
        if isinstance(result, tuple):
            result, extra = result
        return self._reply(0, "OK", result, extra, headers=headers)

    def _shut_out(self, request: web.Request) -> web.Response | None:
        now, client = time.monotonic(), request.remote or ""
        limit = self.limits.allow(PUBLIC_RATE[0])
        window = self._windows.get(client, "ip", limit, PUBLIC_RATE[1])
        if not window.take(now):
            self._banned.setdefault(client, now + BAN_SECONDS * self.limits.ban)
        until = self._banned.get(client)
        if until is None:
            return None
        if now >= until:
            del self._banned[client]
            return None
        return web.Response(status=403, text="access too frequent", content_type="text/html")

    def _authenticate(self, request: web.Request, payload: str) -> str:
        headers = request.headers
        key, stamp = headers.get("X-BAPI-API-KEY"), headers.get("X-BAPI-TIMESTAMP", "")
        if not key:
            raise BybitNo(*codes.NO_KEY)
        window = headers.get("X-BAPI-RECV-WINDOW", "5000")
        now = self.venue.now_ms()
        if not stamp.isdigit() or not window.isdigit():
            raise BybitNo(codes.BAD_REQUEST, "params error: timestamp invalid")
        if not now - int(window) <= int(stamp) < now + 1000:
            raise BybitNo(
                codes.EXPIRED,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]",
            )
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise BybitNo(codes.BAD_KEY, "API key is invalid.")
        origin = f"{stamp}{key}{window}{payload}"
        if not same(sign_hex(credential.secret, origin), headers.get("X-BAPI-SIGN", "")):
            raise BybitNo(
                codes.BAD_SIGN,
                "error sign! please check your signature generation algorithm. "
                f"origin_string[{origin}]",
            )
        return credential.account

    def count(self, account: str, path: str, rate: int) -> dict[str, str]:
        """Count a request of an account; return the limit headers.

        Raises:
            BybitNo: 10006, over the limit of this endpoint.
        """
        limit = self.limits.allow(rate)
        window = self._windows.get(account, path, limit, 1.0)
        now = time.time()
        allowed = window.take(now)
        headers = {
            "X-Bapi-Limit": str(limit),
            "X-Bapi-Limit-Status": str(window.left),
            "X-Bapi-Limit-Reset-Timestamp": str(int(window.resets * 1000)),
        }
        if not allowed:
            raise BybitNo(*codes.TOO_MANY_VISITS, headers)
        return headers

    def _reply(
        self,
        code: int,
        text: str,
        result: Any,
        extra: Any = None,
        *,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> web.Response:
        now = self.venue.now_ms()
        message = {
            "retCode": code,
            "retMsg": text,
            "result": result,
            "retExtInfo": extra or {},
            "time": now,
        }
        return web.Response(
            body=dumps(message),
            status=status,
            content_type="application/json",
            headers={**(headers or {}), "Timenow": str(now), "Traceid": uuid.uuid4().hex},
        )
