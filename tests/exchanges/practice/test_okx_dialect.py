from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from ccxt.base import errors

from exchanges.practice.wire import Limits
from tests.exchanges.practice import scenes
from tests.exchanges.practice.connect import SYMBOL, connected, practice
from tests.waiting import until

NAME = "okx"


async def test_market_data_without_keys() -> None:
    async with practice() as server, connected(NAME, server, apiKey="", secret="") as exchange:
        await scenes.market_data(exchange)
        bids_asks = await exchange.watch_bids_asks([SYMBOL])
        assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
        assert (await exchange.watch_funding_rate(SYMBOL))["fundingRate"] is not None
        # ccxt asks for an index by its own name; its stream it would ask for by the swap's.
        index = (await exchange.publicGetMarketIndexTickers({"instId": "BTC-USDT"}))["data"]
        assert [row["instId"] for row in index] == ["BTC-USDT"]
        mark = await exchange.fetch_mark_price(SYMBOL)
        assert abs(float(index[0]["idxPx"]) / mark["markPrice"] - 1) < 0.01
        with pytest.raises(errors.ExchangeError, match="50014"):
            await exchange.publicGetMarketIndexTickers()


async def test_an_index_is_subscribed_by_its_own_name() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        url = f"ws://127.0.0.1:{server.port}/okx/ws/ws/v5/public"
        async with session.ws_connect(url) as socket:
            for name in ("BTC-USDT-SWAP", "BTC-USDT"):
                arg = {"channel": "index-tickers", "instId": name}
                await socket.send_json({"op": "subscribe", "args": [arg]})
            refused = await socket.receive_json()
            assert (refused["event"], refused["code"]) == ("error", "60018")
            assert (await socket.receive_json())["event"] == "subscribe"
            first, second = await socket.receive_json(), await socket.receive_json()
            assert first["arg"] == second["arg"] == arg
            assert first["data"][0]["instId"] == "BTC-USDT"
            assert int(second["data"][0]["ts"]) > int(first["data"][0]["ts"])


async def test_trading_round() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        await scenes.trade_round(exchange, 1.0)
        await scenes.socket_orders(exchange, 1.0)
        # Sizes on the wire are contracts: one of BTC is 0.01.
        trades = await exchange.privateGetTradeFillsHistory({"instType": "SWAP"})
        assert trades["data"][0]["fillSz"] == "1"
        fill = server.venues[NAME].fills(server.ready["accounts"][NAME])[0]
        assert fill.qty == Decimal("0.01")


async def test_wrong_keys_and_clock() -> None:
    async with (
        practice() as server,
        connected(NAME, server) as exchange,
        connected(NAME, server) as other,
        connected(NAME, server) as skewed,
        connected(NAME, server) as forgetful,
    ):
        exchange.secret = "0" * 48
        other.apiKey = "nobody"
        skewed.options["timeDifference"] = 40_000
        await scenes.wrong_keys(NAME, exchange, other, skewed)
        forgetful.password = "wrong"
        with pytest.raises(errors.AuthenticationError, match="50105"):
            await forgetful.fetch_balance()
        with pytest.raises(errors.AuthenticationError):
            await exchange.watch_orders(SYMBOL)


async def test_post_only_that_crosses_is_acknowledged_then_cancelled() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        row = await scenes.post_only_that_crosses(exchange, 1)
        assert row["info"]["cancelSource"] == "31"


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("symbol", {"instId": "NO-SUCH-SWAP"}, "51001"),
    ("price off the tick", {"px": "-0.05"}, "51000"),
    ("size off the lot", {"sz": "1.005"}, "51121"),
    ("size too small", {"sz": "0.001"}, "51121"),
    ("no margin", {"sz": "2000", "side": "sell", "px": "+4000"}, "51008"),
    ("nothing to reduce", {"reduceOnly": True}, "51169"),
    ("price far above", {"px": "+90000"}, "51137"),
    ("price far below", {"px": "-50000", "side": "sell"}, "51138"),
    ("client id with a dash", {"clOrdId": "not-valid"}, "51000"),
    ("client id too long", {"clOrdId": "x" * 33}, "51000"),
    ("isolated", {"tdMode": "isolated"}, "51000"),
    ("hedge side", {"posSide": "long"}, "51000"),
    ("no size", {"sz": ""}, "50014"),
    ("unknown type", {"ordType": "iceberg"}, "51000"),
]


async def test_refusals() -> None:
    order = {
        "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit",
        "sz": "1", "px": "-2000",
    }  # fmt: skip
    async with practice() as server, connected(NAME, server) as exchange:
        mark = round(float(server.venues[NAME].ticker(SYMBOL).mark))
        codes = {}
        for case, change, _ in REFUSALS:
            asked = order | change
            asked["px"] = scenes.beside(mark, asked["px"])
            with pytest.raises(errors.BaseError) as refused:
                await exchange.privatePostTradeOrder(asked)
            reply = json.loads(str(refused.value).partition(" ")[2])
            assert reply["code"] == "1"
            codes[case] = reply["data"][0]["sCode"]
        assert codes == {case: code for case, _, code in REFUSALS}
        assert (await exchange.privateGetTradeOrdersPending())["data"] == []


async def test_client_ids_bulk_verdicts_and_no_op_settings() -> None:
    async with practice() as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        ask = {"clientOrderId": "ONCE1"}
        placed = await exchange.create_order(SYMBOL, "limit", "buy", 1, low, ask)
        await exchange.cancel_order(placed["id"], SYMBOL)
        with pytest.raises(errors.InvalidOrder, match="51016"):
            await exchange.create_order(SYMBOL, "limit", "buy", 1, low, ask)
        with pytest.raises(errors.OrderNotFound, match="51400"):
            await exchange.cancel_order("123", SYMBOL)
        with pytest.raises(errors.OrderNotFound, match="51603"):
            await exchange.fetch_order("123", SYMBOL)
        with pytest.raises(errors.OrderNotFound, match="51503"):
            await exchange.edit_order("123", SYMBOL, "limit", "buy", 2, low)
        good = {
            "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit",
            "sz": "1", "px": str(low),
        }  # fmt: skip
        reply = await exchange.privatePostTradeBatchOrders([good, good | {"sz": "1.005"}])
        assert reply["code"] == "2"
        assert [row["sCode"] for row in reply["data"]] == ["0", "51121"]
        one = reply["data"][0]["ordId"]
        reply = await exchange.privatePostTradeCancelBatchOrders(
            [{"instId": "BTC-USDT-SWAP", "ordId": order} for order in (one, "99")]
        )
        assert [row["sCode"] for row in reply["data"]] == ["0", "51400"]
        await exchange.set_position_mode(False)
        with pytest.raises(errors.ExchangeError, match="59000"):
            await exchange.set_position_mode(True)
        config = (await exchange.privateGetAccountConfig())["data"][0]
        assert (config["uid"], config["perm"], config["posMode"]) == (
            server.ready["accounts"][NAME], "read_only,trade", "net_mode",
        )  # fmt: skip


async def test_algo_order_fires_and_names_the_order_it_made() -> None:
    async with practice(speed=50) as server, connected(NAME, server) as exchange:
        mark = float(server.venues[NAME].ticker(SYMBOL).mark)
        ids = {}
        for side, factor in (("buy", 1.0005), ("sell", 0.9995)):
            trigger = exchange.price_to_precision(SYMBOL, mark * factor)
            reply = await exchange.privatePostTradeOrderAlgo(
                {
                    "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": side, "sz": "1",
                    "ordType": "conditional", "slTriggerPx": trigger, "slOrdPx": "-1",
                    "slTriggerPxType": "mark", "algoClOrdId": f"ALGO{side}",
                }
            )  # fmt: skip
            ids[reply["data"][0]["algoId"]] = f"ALGO{side}"
        venue, account = server.venues[NAME], server.ready["accounts"][NAME]
        await until(lambda: venue.fills(account), 40)
        fill = (await exchange.privateGetTradeFillsHistory({"instType": "SWAP"}))["data"][0]
        order = (
            await exchange.privateGetTradeOrder({"instId": "BTC-USDT-SWAP", "ordId": fill["ordId"]})
        )["data"][0]
        assert (order["state"], order["algoClOrdId"]) == ("filled", ids[order["algoId"]])
        algo = (await exchange.privateGetTradeOrderAlgo({"algoClOrdId": order["algoClOrdId"]}))[
            "data"
        ][0]
        assert (algo["state"], algo["ordId"], algo["actualSz"]) == (
            "effective",
            order["ordId"],
            "1",
        )
        assert algo["slTriggerPx"]
        waiting = await exchange.privateGetTradeOrdersAlgoPending({"ordType": "conditional,oco"})
        assert {row["algoId"] for row in waiting["data"]} <= set(ids)
        for row in waiting["data"]:
            cancel = [{"instId": "BTC-USDT-SWAP", "algoId": row["algoId"]}]
            await exchange.privatePostTradeCancelAlgos(cancel)


async def test_cancel_all_after_fires_and_can_be_called_off() -> None:
    async with practice(limits=Limits(scale=10)) as server, connected(NAME, server) as exchange:
        price = (await exchange.fetch_ticker(SYMBOL))["last"]
        low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
        placed = await exchange.create_order(SYMBOL, "limit", "buy", 1, low)
        reply = await exchange.cancel_all_orders_after(10_000)
        assert int(reply["data"][0]["triggerTime"]) > exchange.milliseconds()
        await exchange.cancel_all_orders_after(0)
        with pytest.raises(errors.ExchangeError, match="51000"):
            await exchange.privatePostTradeCancelAllAfter({"timeOut": "5"})
        await exchange.cancel_all_orders_after(10_000)
        venue, account = server.venues[NAME], server.ready["accounts"][NAME]
        await until(lambda: not venue.open_orders(account), 15)
        done = await exchange.privateGetTradeOrder(
            {"instId": "BTC-USDT-SWAP", "ordId": placed["id"]}
        )
        assert (done["data"][0]["state"], done["data"][0]["cancelSource"]) == ("canceled", "20")


async def test_limits_have_the_venues_codes() -> None:
    options = {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}}
    async with (
        practice(limits=Limits(scale=0.02)) as server,
        connected(NAME, server, options=options) as exchange,
    ):
        refused = await scenes.pushed_out(exchange, 1, 12)
        assert refused
        assert all(isinstance(error, errors.RateLimitExceeded) for error in refused)
        assert "50011" in str(refused[0])


async def test_book_channel_chains_its_sequence_numbers() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        venue = server.venues[NAME]
        contract = venue.contracts[SYMBOL]
        url = f"ws://127.0.0.1:{server.port}/okx/ws/ws/v5/public"
        async with session.ws_connect(url) as socket:
            await socket.send_str("ping")
            assert await socket.receive_str() == "pong"
            arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
            await socket.send_json({"op": "subscribe", "args": [arg]})
            assert (await socket.receive_json())["event"] == "subscribe"
            bids: dict[str, str] = {}
            asks: dict[str, str] = {}
            sequence, same, updates = 0, 0, 0
            while updates < 30 or not same:
                message = await socket.receive_json(timeout=5)
                data = message["data"][0]
                assert data["checksum"] == 0
                if message["action"] == "snapshot":
                    assert data["prevSeqId"] == -1
                    assert not updates
                else:
                    assert data["prevSeqId"] == sequence
                    assert data["seqId"] > sequence
                    updates += 1
                sequence = data["seqId"]
                for side, levels in ((bids, data["bids"]), (asks, data["asks"])):
                    for price, size, _, count in levels:
                        assert (size == "0") == (count == "0")
                        side.pop(price, None) if size == "0" else side.update({price: size})
                assert max(map(float, bids)) < min(map(float, asks))
                book = venue.depth(SYMBOL, 400)
                if book.update_id == sequence:
                    same += 1
                    texts = [
                        {contract.price_text(t): contract.qty_text(n) for t, n in side}
                        for side in (book.bids, book.asks)
                    ]
                    assert [bids, asks] == texts
            await socket.send_json({"op": "unsubscribe", "args": [arg]})
            while "event" not in (message := await socket.receive_json(timeout=5)):
                pass
            assert (message["event"], message["arg"]) == ("unsubscribe", arg)


async def test_channels_of_another_socket_and_orders_without_login_are_refused() -> None:
    async with practice() as server, aiohttp.ClientSession() as session:
        base = f"ws://127.0.0.1:{server.port}/okx/ws/ws/v5"
        async with session.ws_connect(f"{base}/public") as socket:
            arg = {"channel": "candle1m", "instId": "BTC-USDT-SWAP"}
            await socket.send_json({"op": "subscribe", "args": [arg]})
            assert (await socket.receive_json())["code"] == "60018"
        async with session.ws_connect(f"{base}/private") as socket:
            await socket.send_json({"op": "subscribe", "args": [{"channel": "orders"}]})
            assert (await socket.receive_json())["code"] == "60011"
            await socket.send_json({"id": "7", "op": "order", "args": [{}]})
            reply = await socket.receive_json()
            assert (reply["id"], reply["code"]) == ("7", "60011")
