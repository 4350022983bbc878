"""OKX v5 REST: authentication, limits and the endpoints a swap trader uses."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import codes
from exchanges.practice.okx.account import Account
from exchanges.practice.okx.market import Market
from exchanges.practice.okx.orders import OkxNo, OrderDesk
from exchanges.practice.okx.route import Route
from exchanges.practice.okx.trading import Trading, failure, overall
from exchanges.practice.state import Refusal
from exchanges.practice.wire import Limits, Windows, dumps, loads, same, sign_base64

WINDOW_MS = 30_000
"""A request's time may be this far from the venue's clock."""


class OkxRest:
    """The REST side of the OKX dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self.market = Market(venue, self.desk)
        self.account = Account(venue, self.desk)
        self.trading = Trading(venue, self.desk, limits)
        self._routes: dict[tuple[str, str], Route] = {
            **self.market.routes(),
            **self.account.routes(),
            **self.trading.routes(),
        }
        self._windows = Windows()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path.removeprefix("/okx")
        route = self._routes.get((request.method, path.removeprefix("/api/v5")))
        if route is None:
            return _reply("404", "Not Found", [], status=404)
        raw_query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method == "POST" else ""
        arrived = self.venue.now_ms()
        try:
            account = ""
            if route.private:
                account = self._authenticate(request, path, raw_query, body)
            self.count(account or request.remote or "", path, route.rate)
            params: Any = dict(parse_qsl(raw_query, keep_blank_values=True))
            if body:
                params = _read(body)
                if not route.many and not isinstance(params, dict):
                    raise OkxNo(*codes.BAD_JSON, 400)
            self._in_time(request)
            data = route.handler(account, params)
        except OkxNo as no:
            if route.many:
                return _verdicts([failure(no, {})], arrived)
            return _reply(no.code, no.text, [], status=no.status)
        except Refusal as refusal:
            return _reply(*codes.refusal_code(refusal), [])
        except ValueError:
            return _reply("51000", "Parameter error", [], status=400)
        return _verdicts(data, arrived) if route.many else _reply("0", "", data)

    def _in_time(self, request: web.Request) -> None:
        """Keep the deadline that a client gave an order with the ``expTime`` header.

        Raises:
            OkxNo: 51149 when it has passed.
        """
        deadline = request.headers.get("expTime", "")
        if deadline.isdigit() and self.venue.now_ms() > int(deadline):
            raise OkxNo(*codes.TOO_LATE)

    def _authenticate(self, request: web.Request, path: str, query: str, body: str) -> str:
        headers = request.headers
        key, sign = headers.get("OK-ACCESS-KEY", ""), headers.get("OK-ACCESS-SIGN", "")
        stamp = headers.get("OK-ACCESS-TIMESTAMP", "")
        phrase = headers.get("OK-ACCESS-PASSPHRASE", "")
        for value, words in (
            (key, codes.NO_KEY),
            (sign, codes.NO_SIGN),
            (stamp, codes.NO_TIMESTAMP),
            (phrase, codes.NO_PASSPHRASE),
        ):
            if not value:
                raise OkxNo(*words, 401)
        try:
            sent = datetime.fromisoformat(stamp).timestamp() * 1000
        except ValueError:
            raise OkxNo(*codes.BAD_TIMESTAMP, 401) from None
        if abs(self.venue.now_ms() - sent) > WINDOW_MS:
            raise OkxNo(*codes.EXPIRED, 401)
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise OkxNo(*codes.BAD_KEY, 401)
        if not same(credential.passphrase, phrase):
            raise OkxNo(*codes.BAD_PASSPHRASE, 401)
        text = f"{stamp}{request.method}{path}{'?' + query if query else ''}{body}"
        if not same(sign_base64(credential.secret, text), sign):
            raise OkxNo(*codes.BAD_SIGN, 401)
        return credential.account

    def count(self, client: str, path: str, rate: int) -> None:
        """Count a request.

        Raises:
            OkxNo: 50011 over the endpoint's limit, with HTTP status 429.
        """
        if not self._windows.get(client, path, self.limits.allow(rate), 2.0).take(time.time()):
            raise OkxNo(*codes.TOO_MANY, 429)


def _read(body: str) -> Any:
    try:
        return loads(body)
    except ValueError:
        raise OkxNo(*codes.BAD_JSON, 400) from None


def _verdicts(rows: list[dict[str, Any]], arrived: int) -> web.Response:
    code, text = overall(rows)
    message = {
        "code": code,
        "msg": text,
        "data": rows,
        "inTime": str(arrived * 1000),
        "outTime": str(time.time_ns() // 1000),
    }
    return web.Response(body=dumps(message), content_type="application/json")


def _reply(code: str, text: str, data: Any, status: int = 200) -> web.Response:
    body = dumps({"code": code, "msg": text, "data": data})
    return web.Response(body=body, status=status, content_type="application/json")
