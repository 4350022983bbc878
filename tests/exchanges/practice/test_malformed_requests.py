"""Whatever a client sends, a venue answers in its own words: no 500, no socket lost over it."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from exchanges.practice.binance.rest import BinanceRest
from exchanges.practice.bybit.rest import BybitRest
from exchanges.practice.okx.rest import OkxRest
from exchanges.practice.server import Server
from exchanges.practice.wire import Limits, sign_base64, sign_hex
from tests.exchanges.practice.connect import practice

VALUES = (
    "", "abc", "-1", "0", "1", "99999999999999999999", "NaN", "1e9", "BTCUSDT", "BTC-USDT-SWAP",
    "true", "[]", "{}", "[1]", "é", " ",
)  # fmt: skip
NAMES = [
    "symbol",
    "instId",
    "category",
    "limit",
    "startTime",
    "endTime",
    "start",
    "end",
    "interval",
    "bar",
    "after",
    "before",
    "begin",
    "orderId",
    "orderLinkId",
    "ordId",
    "clOrdId",
    "algoId",
    "algoClOrdId",
    "clientAlgoId",
    "origClientOrderId",
    "quantity",
    "price",
    "type",
    "side",
    "timeInForce",
    "qty",
    "orderType",
    "triggerPrice",
    "triggerDirection",
    "settleCoin",
    "cursor",
    "execType",
    "sz",
    "px",
    "ordType",
    "tdMode",
    "instType",
    "lever",
    "leverage",
    "buyLeverage",
    "sellLeverage",
    "mgnMode",
    "posMode",
    "marginType",
    "dualSidePosition",
    "countdownTime",
    "timeOut",
    "timeWindow",
    "batchOrders",
    "orderIdList",
    "algoType",
    "request",
    "uly",
    "fromId",
    "incomeType",
    "newSz",
    "newPx",
    "slTriggerPx",
    "slOrdPx",
    "orderPx",
    "closeFraction",
]

BAD_SIGNATURE = {"bybit": '"retCode":10004,', "binance": '"code":-1022', "okx": '"code":"50113"'}
"""With the field: a time in milliseconds may hold any of the numbers."""

Request = tuple[str, str, str | None, dict[str, str]]


def bybit_request(keys: dict[str, str], method: str, params: dict[str, Any]) -> Request:
    query, body = (urlencode(params), None) if method == "GET" else ("", json.dumps(params))
    stamp = str(int(time.time() * 1000))
    sign = sign_hex(keys["secret"], f"{stamp}{keys['api_key']}5000{query or body}")
    return "/bybit", query, body, {
        "X-BAPI-API-KEY": keys["api_key"], "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000", "X-BAPI-SIGN": sign,
    }  # fmt: skip


def binance_request(keys: dict[str, str], method: str, params: dict[str, Any]) -> Request:
    text = urlencode({**params, "timestamp": int(time.time() * 1000)})
    text += "&signature=" + sign_hex(keys["secret"], text)
    headers = {"X-MBX-APIKEY": keys["api_key"]}
    if method in {"GET", "DELETE"}:
        return "/binance", text, None, headers
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return "/binance", "", text, headers


def okx_request(keys: dict[str, str], method: str, path: str, body: Any) -> Request:
    query = urlencode(body) if method == "GET" else ""
    text = None if method == "GET" else json.dumps(body)
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    signed = f"{stamp}{method}/api/v5{path}{'?' + query if query else ''}{text or ''}"
    return "/okx/api/v5", query, text, {
        "OK-ACCESS-KEY": keys["api_key"], "OK-ACCESS-PASSPHRASE": keys["passphrase"],
        "OK-ACCESS-TIMESTAMP": stamp, "OK-ACCESS-SIGN": sign_base64(keys["secret"], signed),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["bybit", "binance", "okx"])
async def test_every_endpoint_answers_nonsense(name: str) -> None:
    chance = random.Random(11)
    dialect: Any = {"bybit": BybitRest, "binance": BinanceRest, "okx": OkxRest}[name]
    async with practice(limits=Limits(1e6)) as server, aiohttp.ClientSession() as session:
        keys = server.ready["keys"][name]
        routes = dialect(server.venues[name], Limits())._routes
        failed = []
        for method, path in [route for route in routes for _ in range(12)]:
            params: dict[str, Any] = {
                key: chance.choice(VALUES) for key in chance.sample(NAMES, chance.randint(1, 12))
            }
            if chance.random() < 0.7:
                params |= {"symbol": "BTCUSDT", "instId": "BTC-USDT-SWAP", "category": "linear"}
            if name == "okx":
                odd = chance.choice([params, [params], [params, 1], "x", [[]], 5, []])
                body: Any = params if method == "GET" else odd
                base, query, text, headers = okx_request(keys, method, path, body)
            else:
                if name == "bybit" and chance.random() < 0.3:
                    params["request"] = chance.choice([[1], ["x"], [{}], 5])
                make = bybit_request if name == "bybit" else binance_request
                base, query, text, headers = make(keys, method, params)
            url = f"http://127.0.0.1:{server.port}{base}{path}{'?' + query if query else ''}"
            data = text.encode() if text is not None else None
            async with session.request(
                method, URL(url, encoded=True), data=data, headers=headers
            ) as reply:
                said = await reply.text()
            if reply.status >= 500:
                failed.append((method, path, params))
            assert BAD_SIGNATURE[name] not in said
        assert failed == []


MESSAGES = (
    "{", "[]", "5", "null", '{"op":5}', '{"op":"subscribe"}', '{"op":"subscribe","args":5}',
    '{"op":"subscribe","args":[5,null,{}]}', '{"op":"auth","args":[{}]}', '{"op":"auth","args":5}',
    '{"op":"login","args":[5]}', '{"op":"login","args":[{}]}', '{"op":"order","id":{},"args":[5]}',
    '{"method":"SUBSCRIBE","params":5,"id":1}', '{"method":"SUBSCRIBE","params":[5,{}],"id":[]}',
    '{"id":{},"method":"order.place","params":5}', '{"id":1,"method":"order.place","params":{}}',
    '{"op":"order.create","args":[5],"header":5}', '{"op":"subscribe","args":[{"channel":[1]}]}',
    '{"op":"order.create","args":[{}],"header":{"X-BAPI-RECV-WINDOW":"x"}}',
)  # fmt: skip
SOCKETS = (
    "/bybit/ws/v5/public/linear", "/bybit/ws/v5/private", "/bybit/ws/v5/trade",
    "/bnws/f/public/ws/1", "/bnws/f/market/stream", "/bnws/ws-fapi/v1",
    "/okx/ws/ws/v5/public", "/okx/ws/ws/v5/private", "/okx/ws/ws/v5/business",
)  # fmt: skip


async def log_in(socket: aiohttp.ClientWebSocketResponse, path: str, server: Server) -> None:
    now = time.time()
    if "bybit" in path and "public" not in path:
        keys, expires = server.ready["keys"]["bybit"], str(int(now * 1000) + 9000)
        sign = sign_hex(keys["secret"], f"GET/realtime{expires}")
        await socket.send_json({"op": "auth", "args": [keys["api_key"], expires, sign]})
        await socket.receive_json()
    elif "okx" in path and "public" not in path:
        keys, stamp = server.ready["keys"]["okx"], str(int(now))
        login = {
            "apiKey": keys["api_key"], "passphrase": keys["passphrase"], "timestamp": stamp,
            "sign": sign_base64(keys["secret"], f"{stamp}GET/users/self/verify"),
        }  # fmt: skip
        await socket.send_json({"op": "login", "args": [login]})
        assert (await socket.receive_json())["event"] == "login"


@pytest.mark.parametrize("known", [False, True], ids=["stranger", "logged in"])
async def test_every_socket_answers_nonsense(known: bool) -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        for path in SOCKETS:
            async with session.ws_connect(f"ws://127.0.0.1:{server.port}{path}") as socket:
                if known:
                    await log_in(socket, path, server)
                for text in MESSAGES:
                    await socket.send_str(text)
                    reply = await socket.receive(timeout=5)
                    assert reply.type is aiohttp.WSMsgType.TEXT, (path, text)
