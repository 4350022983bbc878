"""Streams and connecting against venues that misbehave in ways the practice exchange does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from core.errors import KeyRefused
from core.model.event import FeedChanged, FeedState
from core.model.market import BadMessage, Trade
from core.secrets import Secret
from exchanges.access import Access
from exchanges.bybit_feed import TICKER_SAMPLE, TRADE_SAMPLE
from exchanges.outcome import Reply
from exchanges.venue import RULES, open_gateway
from tests.exchanges.market import Seen, instrument
from tests.waiting import until
from tests.web import serving

Handler = Callable[[web.WebSocketResponse], Awaitable[None]]


def bybit_socket(play: Handler, dials: list[float]) -> Callable[[web.Request], Awaitable[Any]]:
    """Return a Bybit stream that confirms everything and pongs; ``play`` decides what flows."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        dials.append(time.monotonic())
        playing: asyncio.Task[None] | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            reply = {"success": True, "ret_msg": "", "op": frame["op"], "conn_id": "c"}
            if frame["op"] == "ping":
                reply["ret_msg"] = "pong"
            await socket.send_json(reply)
            if frame["op"] == "subscribe" and playing is None:
                playing = asyncio.create_task(play(socket))  # type: ignore[arg-type]
        if playing is not None:
            playing.cancel()
        return socket

    return handle


@asynccontextmanager
async def streaming(play: Handler) -> AsyncIterator[tuple[Seen, list[float], Any]]:
    dials: list[float] = []

    async def nothing(socket: web.WebSocketResponse) -> None:
        await asyncio.Event().wait()  # until the socket is closed

    routes = {
        "/bybit/ws/v5/public/linear": bybit_socket(play, dials),
        "/bybit/ws/v5/private": bybit_socket(nothing, []),
    }
    async with serving(routes) as base:
        access = Access("practice", Secret("k" * 24), Secret("s" * 48), Secret(""), base)
        gateway = open_gateway("bybit", access)
        gateway.rules.adopt([instrument("bybit", "BTCUSDT")])
        seen = Seen()
        task = asyncio.create_task(gateway.run(["BTC/USDT:USDT"], seen))
        try:
            yield seen, dials, gateway
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await gateway.close()


async def test_no_frame_kills_the_socket() -> None:
    rubbish = [
        "{", "", "null", "[]", "pong", '{"topic":"publicTrade.BTCUSDT"}', '{"topic":"tickers.X"',
        '{"topic":"order","data":[{"symbol":"BTCUSDT"}]}', '{"op":"auth","success":false}',
        '{"topic":"kline.1.BTCUSDT","data":[{}]}', '{"retCode":10001,"ret_msg":"?"}',
        TRADE_SAMPLE[:-30], "\x00\x01", '{"topic":{"a":1}}', '{"op":"pong","args":{}}',
    ]  # fmt: skip

    async def play(socket: web.WebSocketResponse) -> None:
        for text in rubbish:
            await socket.send_str(text)
        await socket.send_bytes(b"\xff\xfe")
        for _ in range(500):
            await socket.send_str(TRADE_SAMPLE)

    async with streaming(play) as (seen, dials, gateway):
        await until(lambda: len(seen.of(Trade)) == 500)
        assert len(dials) == 1, "it must be the same socket"
        assert len(seen.of(BadMessage)) >= 5
        await until(lambda: gateway.stats.bad_messages >= 5)
        await until(lambda: gateway.stats.messages >= 500 + len(rubbish))


async def test_a_burst_loses_nothing_while_the_consumer_is_busy() -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        for n in range(20_000):
            await socket.send_str(TRADE_SAMPLE.replace("20f43950", f"{n:08d}"))

    async with streaming(play) as (seen, _, _):
        for _ in range(5):
            time.sleep(0.05)  # noqa: ASYNC251 - a desk that is busy elsewhere
            await asyncio.sleep(0)
        await until(lambda: len(seen.of(Trade)) == 20_000, 20)
        ids = [event.trade_id[:8] for event in seen.of(Trade)]
        assert ids == [f"{n:08d}" for n in range(20_000)]


async def test_a_stream_that_pongs_but_sends_no_books_is_opened_anew() -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        while True:
            await socket.send_str(TICKER_SAMPLE)
            await asyncio.sleep(0.5)  # how often this venue speaks; nothing waits for it

    async with streaming(play) as (seen, dials, _):
        await until(lambda: len(dials) >= 2, 15)
        assert 9.0 < dials[1] - dials[0] < 13.0
        states = [e.state for e in seen.of(FeedChanged) if e.channel == "books"]
        assert states[:3] == [FeedState.UP, FeedState.STALE, FeedState.DOWN]


KEYS_THAT_MAY_WITHDRAW = {
    "bybit": {
        "/bybit/v5/market/time": {"retCode": 0, "retMsg": "OK", "result": {"timeNano": "1"}},
        "/bybit/v5/market/instruments-info": {"retCode": 0, "result": {"list": []}},
        "/bybit/v5/user/query-api": {
            "retCode": 0,
            "result": {"userID": 7, "permissions": {"Wallet": ["AccountTransfer", "Withdraw"]}},
        },
    },
    "binance": {
        "/binance/fapi/v1/time": {"serverTime": 1},
        "/binance/fapi/v1/exchangeInfo": {"symbols": []},
        "/binance/fapi/v1/leverageBracket": [],
        "/binance/fapi/v3/balance": [
            {"asset": "USDT", "balance": "1", "availableBalance": "1", "accountAlias": "SgsR"}
        ],
        "/binance/sapi/v1/account/apiRestrictions": {"enableWithdrawals": True},
    },
    "okx": {
        "/okx/api/v5/public/time": {"code": "0", "data": [{"ts": "1"}]},
        "/okx/api/v5/public/instruments": {"code": "0", "data": []},
        "/okx/api/v5/account/config": {
            "code": "0",
            "data": [{"uid": "7", "posMode": "net_mode", "perm": "read_only,withdraw,trade"}],
        },
    },
}


@pytest.mark.parametrize("venue", list(KEYS_THAT_MAY_WITHDRAW))
async def test_a_key_that_can_withdraw_is_refused(venue: str) -> None:
    async with serving(dict(KEYS_THAT_MAY_WITHDRAW[venue])) as base:
        access = Access("practice", Secret("k"), Secret("s"), Secret("p"), base)
        gateway = open_gateway(venue, access)
        try:
            with pytest.raises(KeyRefused, match="withdraw"):
                await gateway.connect()
        finally:
            await gateway.close()


def test_what_rate_limiters_say() -> None:
    bybit, binance, okx = (RULES[venue]() for venue in ("bybit", "binance", "okx"))
    gone = bybit.penalty(Reply(True, 403, {}, "<html>access too frequent</html>"))
    assert gone is not None
    assert (gone.ban, gone.seconds) == (True, 600)
    reset = str(int(time.time() * 1000) + 3000)
    slow = bybit.penalty(
        Reply(True, 200, {"X-Bapi-Limit-Reset-Timestamp": reset}, '{"retCode":10006}')
    )
    assert slow is not None
    assert not slow.ban
    assert 2 < slow.seconds <= 3.1
    warned = binance.penalty(Reply(True, 429, {"Retry-After": "17"}, "{}"))
    assert warned is not None
    assert (warned.ban, warned.seconds) == (False, 17)
    banned = binance.penalty(Reply(True, 418, {"Retry-After": "120"}, "{}"))
    assert banned is not None
    assert banned.ban
    assert binance.remaining({"X-MBX-USED-WEIGHT-1M": "2300"}) == {"weight": 100}
    busy = okx.penalty(Reply(True, 429, {}, '{"code":"50011","msg":"Too Many Requests"}'))
    assert busy is not None
    assert not busy.ban
    for rules in (bybit, binance, okx):
        assert rules.penalty(Reply(True, 200, {}, "{}")) is None


def test_a_swap_without_an_index_keeps_no_other_channel_from_coming() -> None:
    rules = RULES["okx"]()
    said = '{"event":"error","code":"60018","msg":"Wrong channel:%s,instId:%s doesn\'t exist."}'
    assert rules.acknowledges(said % ("index-tickers", "NEW-USDT")) == 1
    assert rules.acknowledges(said % ("open-interest", "NEW-USDT-SWAP")) == 1
    assert rules.acknowledges(said % ("books", "NEW-USDT-SWAP")) == -1
    assert rules.acknowledges('{"event":"subscribe","arg":{"channel":"index-tickers"}}') == 1
