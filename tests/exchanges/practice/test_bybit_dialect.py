from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from ccxt.base import errors

from exchanges.practice.wire import Limits, sign_hex
from tests.exchanges.practice import scenes
from tests.exchanges.practice.connect import SYMBOL, connected, practice
from tests.waiting import until

NAME = "bybit"


async def test_market_data_without_keys() -> None:
    async with practice() as server, connected(NAME, server, apiKey="", secret="") as exchange:
        await scenes.market_data(exchange)


async def test_trading_round() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        await scenes.trade_round(exchange, 0.01)
        await scenes.socket_orders(exchange, 0.01)


async def test_wrong_keys_and_clock() -> None:
    async with (
        practice() as server,
        connected(NAME, server) as exchange,
        connected(NAME, server) as other,
        connected(NAME, server) as skewed,
    ):
        exchange.secret = "0" * 48
        other.apiKey = "nobody"
        skewed.options["timeDifference"] = 40_000
        await scenes.wrong_keys(NAME, exchange, other, skewed)


async def test_post_only_that_crosses_is_acknowledged_then_cancelled() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        row = await scenes.post_only_that_crosses(exchange, 0.01)
        assert row["info"]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


REFUSALS: list[tuple[str, dict[str, Any], int]] = [
    ("symbol", {"symbol": "NOSUCHUSDT"}, 10001),
    ("price off the tick", {"price": "90000.05"}, 10001),
    ("quantity off the lot", {"qty": "0.0105"}, 10001),
    ("quantity too small", {"qty": "0.0001"}, 10001),
    ("value too small", {"symbol": "DOGEUSDT", "qty": "1", "price": "0.3"}, 110094),
    ("no margin", {"qty": "20", "side": "Sell", "price": "100000"}, 110007),
    ("nothing to reduce", {"reduceOnly": True}, 110017),
    ("price far off", {"price": "190000"}, 110003),
    ("client id with a space", {"orderLinkId": "not valid"}, 10001),
    ("client id too long", {"orderLinkId": "x" * 37}, 10001),
    ("trigger already reached", {"triggerPrice": "1000", "triggerDirection": 1}, 110092),
    ("trigger without direction", {"triggerPrice": "1000"}, 10001),
    ("unknown side", {"side": "Hold"}, 10001),
    ("no price", {"price": ""}, 10001),
    ("hedge index", {"positionIdx": 1}, 10001),
    ("other category", {"category": "spot"}, 10001),
]


async def test_refusals() -> None:
    order = {
        "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit",
        "qty": "0.01", "timeInForce": "GTC",
    }  # fmt: skip
    async with practice(limits=Limits(10)) as server, connected(NAME, server) as exchange:
        mark = server.venues[NAME].ticker(SYMBOL).mark
        order["price"] = str(Decimal(mark).quantize(Decimal(1)) - 2000)
        codes = {}
        for case, change, _ in REFUSALS:
            with pytest.raises(errors.ExchangeError) as refused:
                await exchange.privatePostV5OrderCreate(order | change)
            codes[case] = json.loads(str(refused.value).partition(" ")[2])["retCode"]
        assert codes == {case: code for case, _, code in REFUSALS}
        open_orders = await exchange.privateGetV5OrderRealtime(
            {"category": "linear", "settleCoin": "USDT"}
        )
        assert open_orders["result"]["list"] == []


async def test_client_id_is_used_up_and_unknown_orders_are_named_so() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        ask = {"clientOrderId": "ONCE1"}
        placed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, ask)
        await exchange.cancel_order(placed["id"], SYMBOL)
        with pytest.raises(errors.InvalidOrder, match="110072"):
            await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, ask)
        with pytest.raises(errors.OrderNotFound, match="110001"):
            await exchange.cancel_order("nothing", SYMBOL)
        with pytest.raises(errors.OrderNotFound, match="110001"):
            await exchange.edit_order("nothing", SYMBOL, "limit", "buy", 0.01, low)
        await exchange.set_leverage(7, SYMBOL)
        with pytest.raises(errors.BadRequest, match="110043"):
            await exchange.set_leverage(7, SYMBOL)
        with pytest.raises(errors.ExchangeError, match="110025"):
            await exchange.set_position_mode(False, SYMBOL)
        with pytest.raises(errors.ExchangeError, match="110029"):
            await exchange.set_position_mode(True, SYMBOL)
        await exchange.set_margin_mode("cross")


async def test_conditional_order_fires_and_goes_on_as_itself() -> None:
    async with practice(speed=50) as server, connected(NAME, server) as exchange:
        mark = float(server.venues[NAME].ticker(SYMBOL).mark)
        ids = []
        both = (("buy", "ascending", 1.0005), ("sell", "descending", 0.9995))
        for side, direction, factor in both:
            trigger = float(exchange.price_to_precision(SYMBOL, mark * factor))
            ask = {"triggerPrice": trigger, "triggerDirection": direction, "triggerBy": "MarkPrice"}
            placed = await exchange.create_order(SYMBOL, "market", side, 0.01, None, ask)
            ids.append(placed["id"])
        stops = await exchange.privateGetV5OrderRealtime(
            {"category": "linear", "symbol": "BTCUSDT", "orderFilter": "StopOrder"}
        )
        assert {row["orderStatus"] for row in stops["result"]["list"]} == {"Untriggered"}
        venue, account = server.venues[NAME], server.ready["accounts"][NAME]
        await until(lambda: venue.fills(account), 40)
        fill = (await exchange.fetch_my_trades(SYMBOL))[0]
        assert fill["order"] in ids
        done = await exchange.privateGetV5OrderHistory(
            {"category": "linear", "orderId": fill["order"]}
        )
        assert done["result"]["list"][0]["orderStatus"] == "Filled"


async def test_limits_have_the_venues_headers_and_codes() -> None:
    async with practice(limits=Limits(scale=0.1)) as server, connected(NAME, server) as exchange:
        refused = await scenes.pushed_out(exchange, 0.01, 8)
        assert refused
        assert all(isinstance(error, errors.RateLimitExceeded) for error in refused)
        assert "10006" in str(refused[0])
        headers = {key.lower(): value for key, value in exchange.last_response_headers.items()}
        assert headers["x-bapi-limit"] == "1"
        assert int(headers["x-bapi-limit-reset-timestamp"]) > time.time() * 1000 - 5000
        url = f"http://127.0.0.1:{server.port}/bybit/v5/market/time"
        async with aiohttp.ClientSession() as session:

            async def ask() -> tuple[int, str]:
                async with session.get(url) as reply:
                    return reply.status, reply.headers["Content-Type"]

            replies = dict(await asyncio.gather(*(ask() for _ in range(200))))
            assert "json" not in replies[403]
        with pytest.raises(errors.RateLimitExceeded):
            await exchange.fetch_time()


async def test_book_topic_stays_equal_to_the_book() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        url = f"ws://127.0.0.1:{server.port}/bybit/ws/v5/public/linear"
        views: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        async with session.ws_connect(url) as socket:
            topics = ["orderbook.50.BTCUSDT"]
            await socket.send_json({"op": "subscribe", "req_id": "1", "args": topics})
            ack = await socket.receive_json()
            assert ack["success"]
            assert ack["req_id"] == "1"
            bids: dict[str, str] = {}
            asks: dict[str, str] = {}
            last = 0
            while len(views) < 30:
                message = await socket.receive_json(timeout=5)
                data = message["data"]
                if message["type"] == "snapshot":
                    assert not views
                    bids, asks = dict(data["b"]), dict(data["a"])
                    assert len(bids) == len(asks) == 50
                else:
                    assert data["u"] == last + 1
                    for side, levels in ((bids, data["b"]), (asks, data["a"])):
                        for price, size in levels:
                            side.pop(price, None) if size == "0" else side.update({price: size})
                last = data["u"]
                assert max(map(float, bids)) < min(map(float, asks))
                # Asked in process, so that nothing can move between the frame and the answer.
                book = server.venues[NAME].depth(SYMBOL, 50)
                contract = server.venues[NAME].contracts[SYMBOL]
                if book.update_id == data["seq"]:
                    texts = [
                        {contract.price_text(t): contract.qty_text(n) for t, n in side}
                        for side in (book.bids, book.asks)
                    ]
                    assert [bids, asks] == texts
                    views[data["seq"]] = (dict(bids), dict(asks))


async def test_dead_man_fires_when_the_watching_stream_is_gone() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        await exchange.privatePostV5OrderDisconnectedCancelAll({"timeWindow": 3})
        await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low)
        keys = server.ready["keys"][NAME]
        expires = str(int(time.time() * 1000) + 10_000)
        login = [keys["api_key"], expires, sign_hex(keys["secret"], f"GET/realtime{expires}")]
        url = f"ws://127.0.0.1:{server.port}/bybit/ws/v5/private"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_json({"op": "auth", "args": login})
            assert (await socket.receive_json())["success"]
            await socket.send_json({"op": "subscribe", "args": ["dcp.future"]})
            assert (await socket.receive_json())["success"]
            assert len(await exchange.fetch_open_orders(SYMBOL)) == 1
        venue, account = server.venues[NAME], server.ready["accounts"][NAME]
        await until(lambda: not venue.open_orders(account), 8)


async def test_socket_login_with_a_wrong_signature_is_refused() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        keys = server.ready["keys"][NAME]
        expires = str(int(time.time() * 1000) + 10_000)
        url = f"ws://127.0.0.1:{server.port}/bybit/ws/v5/private"
        async with session.ws_connect(url) as socket:
            await socket.send_json({"op": "auth", "args": [keys["api_key"], expires, "0" * 64]})
            reply = await socket.receive_json()
            assert (reply["success"], reply["op"]) == (False, "auth")
            await socket.send_json({"op": "subscribe", "args": ["order"]})
            assert not (await socket.receive_json())["success"]
