from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from ccxt.base import errors

from exchanges.practice.wire import Limits
from tests.exchanges.practice import scenes
from tests.exchanges.practice.connect import SYMBOL, connected, practice, watching
from tests.waiting import until

NAME = "binance"


async def test_market_data_without_keys() -> None:
    async with practice() as server, connected(NAME, server, apiKey="", secret="") as exchange:
        await scenes.market_data(exchange)
        bids_asks = await exchange.watch_bids_asks([SYMBOL])
        assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
        mark = await exchange.watch_mark_price(SYMBOL)
        assert mark["markPrice"] > 0


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
        other.options["hasAlreadyAuthenticatedSuccessfully"] = False
        skewed.options["timeDifference"] = 40_000
        await scenes.wrong_keys(NAME, exchange, other, skewed)


REFUSALS: list[tuple[str, dict[str, Any], int]] = [
    ("symbol", {"symbol": "NOSUCHUSDT"}, -1121),
    ("price off the tick", {"price": "-0.05"}, -1111),
    ("quantity off the lot", {"quantity": "0.0105"}, -1111),
    ("quantity zero", {"quantity": "0"}, -4003),
    ("value too small", {"symbol": "DOGEUSDT", "quantity": "1", "price": "0.3"}, -4164),
    ("no margin", {"quantity": "20", "side": "SELL", "price": "+4000"}, -2019),
    ("post-only would take", {"timeInForce": "GTX", "price": "+4000"}, -5022),
    ("nothing to reduce", {"reduceOnly": "true"}, -2022),
    ("price far above", {"price": "+90000"}, -4016),
    ("price far below", {"price": "-50000", "side": "SELL"}, -4024),
    ("client id with a space", {"newClientOrderId": "not valid"}, -4015),
    ("stop type", {"type": "STOP_MARKET"}, -4120),
    ("unknown type", {"type": "ICEBERG"}, -1116),
    ("unknown side", {"side": "HOLD"}, -1117),
    ("unknown time in force", {"timeInForce": "DAY"}, -1115),
    ("no price", {"price": ""}, -1102),
    ("hedge side", {"positionSide": "LONG"}, -4061),
]


async def test_refusals() -> None:
    order = {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01",
        "price": "-2000", "timeInForce": "GTC",
    }  # fmt: skip
    async with practice() as server, connected(NAME, server) as exchange:
        mark = round(float(server.venues[NAME].ticker(SYMBOL).mark))
        codes = {}
        for case, change, _ in REFUSALS:
            asked = order | change
            asked["price"] = scenes.beside(mark, asked["price"])
            with pytest.raises(errors.BaseError) as refused:
                await exchange.fapiPrivatePostOrder(asked)
            codes[case] = json.loads(str(refused.value).partition(" ")[2])["code"]
        assert codes == {case: code for case, _, code in REFUSALS}
        assert await exchange.fapiPrivateGetOpenOrders() == []


async def test_client_id_is_free_again_once_its_order_is_done() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        ask = {"clientOrderId": "ONCE1"}
        placed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, ask)
        with pytest.raises(errors.InvalidOrder, match="-4116"):
            await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, ask)
        await exchange.cancel_order(placed["id"], SYMBOL)
        again = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, ask)
        assert again["id"] != placed["id"]
        with pytest.raises(errors.OrderNotFound, match="-2011"):
            await exchange.cancel_order("123", SYMBOL)
        with pytest.raises(errors.OrderNotFound, match="-2013"):
            await exchange.fetch_order("123", SYMBOL)
        with pytest.raises(errors.MarginModeAlreadySet):
            await exchange.set_margin_mode("cross", SYMBOL)
        with pytest.raises(errors.OperationRejected, match="-4059"):
            await exchange.set_position_mode(False)
        reply = await exchange.sapiGetAccountApiRestrictions()
        assert reply["enableWithdrawals"] is False
        assert (await exchange.fapiPrivateV3GetBalance())[0]["accountAlias"] == (
            server.ready["accounts"][NAME]
        )


async def test_batch_cancel_and_countdown() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        orders = [
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": low}
        ] * 3
        placed = await exchange.create_orders(orders)
        assert len({row["id"] for row in placed}) == 3
        reply = await exchange.fapiPrivateDeleteBatchOrders(
            {"symbol": "BTCUSDT", "orderidlist": [placed[0]["id"], "99"]}
        )
        assert (reply[0]["status"], reply[1]["code"]) == ("CANCELED", -2011)
        assert len(await exchange.fetch_open_orders(SYMBOL)) == 2
        await exchange.fapiPrivatePostCountdownCancelAll(
            {"symbol": "BTCUSDT", "countdownTime": 300}
        )
        venue, account = server.venues[NAME], server.ready["accounts"][NAME]
        await until(lambda: not venue.open_orders(account), 5)
        assert (await exchange.fetch_order(placed[1]["id"], SYMBOL))["status"] == "canceled"


async def test_algo_order_fires_and_names_the_order_it_made() -> None:
    async with practice(speed=50) as server, connected(NAME, server) as exchange:
        mark = float(server.venues[NAME].ticker(SYMBOL).mark)
        async with watching(lambda: exchange.watch_orders(SYMBOL)) as (orders,):
            await scenes.settle_subscriptions(exchange, orders)
            ids = []
            for side, factor in (("buy", 1.0005), ("sell", 0.9995)):
                trigger = float(exchange.price_to_precision(SYMBOL, mark * factor))
                ask = {"triggerPrice": trigger, "workingType": "MARK_PRICE"}
                placed = await exchange.create_order(SYMBOL, "market", side, 0.01, None, ask)
                ids.append(placed["id"])
            listed = await exchange.fetch_open_orders(SYMBOL, params={"trigger": True})
            assert {row["id"] for row in listed} <= set(ids)
            assert await exchange.fapiPrivateGetOpenOrders() == []
            fired = await orders.first(lambda row: row["info"].get("X") == "FINISHED")
        assert fired["id"] in ids
        child = await exchange.fetch_order(fired["info"]["ai"], SYMBOL)
        assert (child["status"], child["filled"]) == ("closed", 0.01)
        asked = await exchange.fapiPrivateGetAlgoOrder({"algoId": fired["id"]})
        assert (asked["algoStatus"], asked["actualOrderId"]) == ("FINISHED", child["id"])


async def test_limits_have_the_venues_headers_and_codes() -> None:
    async with practice(limits=Limits(scale=0.02)) as server, connected(NAME, server) as exchange:
        refused = await scenes.pushed_out(exchange, 0.01, 8)
        assert refused
        assert all(isinstance(error, errors.DDoSProtection) for error in refused)
        assert "-1015" in str(refused[0])
        headers = {key.lower(): value for key, value in exchange.last_response_headers.items()}
        assert int(headers["retry-after"]) >= 1
        url = f"http://127.0.0.1:{server.port}/binance/fapi/v1/time"
        seen: list[int] = []
        async with aiohttp.ClientSession() as session:
            while len(seen) < 120 and 418 not in seen:
                async with session.get(url) as reply:
                    seen.append(reply.status)
                    if reply.status == 200:
                        assert int(reply.headers["X-MBX-USED-WEIGHT-1M"]) <= 2400
                    else:
                        assert int(reply.headers["Retry-After"]) >= 1
                        assert (await reply.json())["code"] == -1003
        assert seen.index(429) < seen.index(418)


async def test_depth_stream_follows_the_snapshot_as_the_venue_documents() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        base = f"127.0.0.1:{server.port}"
        async with session.ws_connect(f"ws://{base}/bnws/f/public/ws/1") as socket:
            await socket.send_json(
                {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1}
            )
            assert await socket.receive_json() == {"result": None, "id": 1}
            buffered = [await socket.receive_json(timeout=5) for _ in range(3)]
            url = f"http://{base}/binance/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
            async with session.get(url) as reply:
                snapshot = await reply.json()
            bids, asks = dict(snapshot["bids"]), dict(snapshot["asks"])
            last_id, applied, gaps = snapshot["lastUpdateId"], 0, 0
            previous = None
            while applied < 30:
                event = buffered.pop(0) if buffered else await socket.receive_json(timeout=5)
                if previous is not None:
                    assert event["pu"] == previous
                    gaps += event["U"] != previous + 1
                previous = event["u"]
                if event["u"] < last_id:
                    continue
                if not applied:
                    assert event["U"] <= last_id or event["pu"] == last_id
                for side, levels in ((bids, event["b"]), (asks, event["a"])):
                    for price, size in levels:
                        side.pop(price, None) if float(size) == 0 else side.update({price: size})
                applied += 1
                assert max(map(float, bids)) < min(map(float, asks))
            assert gaps > 0, "ids are of the whole venue, so they skip"
            contract = server.venues[NAME].contracts[SYMBOL]
            while True:
                book = server.venues[NAME].depth(SYMBOL, 1000)
                if book.update_id == previous:
                    break
                event = await socket.receive_json(timeout=5)
                for side, levels in ((bids, event["b"]), (asks, event["a"])):
                    for price, size in levels:
                        side.pop(price, None) if float(size) == 0 else side.update({price: size})
                previous = event["u"]
            assert bids == {contract.price_text(t): contract.qty_text(n) for t, n in book.bids}
            assert asks == {contract.price_text(t): contract.qty_text(n) for t, n in book.asks}


async def test_streams_of_the_other_endpoint_and_dead_listen_keys_are_refused() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        base = f"ws://127.0.0.1:{server.port}/bnws/f"
        async with session.ws_connect(f"{base}/public/ws/1") as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@ticker"], "id": 5})
            reply = await socket.receive_json()
            assert (reply["id"], reply["error"]["code"]) == (5, 2)
        names = "btcusdt@aggTrade/btcusdt@markPrice@1s"
        async with session.ws_connect(f"{base}/market/stream?streams={names}") as socket:
            message = await socket.receive_json(timeout=5)
            assert message["stream"] in names
            assert message["data"]["s"] == "BTCUSDT"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{base}/private/ws?listenKey=gone")
