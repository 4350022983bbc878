"""Our frames against frames recorded at the venues, and against the venues' documented examples.

Every key of theirs must be in ours, with a value of the same JSON type. What the recordings are
is written in the README beside them; the tests are skipped where they are absent.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.exchanges.practice import scenes
from tests.exchanges.practice.connect import SYMBOL, connected, practice, watching

ROOT = Path(__file__).parents[3]
WIRE = Path(os.environ.get("KILLCORD_SHARED_DATA", ROOT.parent / "shared" / "data")) / "wire"

pytestmark = pytest.mark.skipif(not WIRE.is_dir(), reason=f"no recorded frames in {WIRE}")

Message = Any


def kind(value: Any) -> str:
    """Name the JSON type; integers and fractions are one."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def differ(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """List what theirs has that ours lacks, or has with another type."""
    if theirs is None or ours is None:
        return []
    if kind(ours) != kind(theirs):
        return [f"{path}: ours is {kind(ours)} {ours!r}, theirs {kind(theirs)} {theirs!r}"]
    if isinstance(theirs, dict):
        found = [f"{path}.{key}: missing" for key in theirs if key not in ours]
        for key in theirs:
            if key in ours:
                found += differ(ours[key], theirs[key], f"{path}.{key}")
        return found
    if isinstance(theirs, list) and theirs and ours:
        if isinstance(theirs[0], list) and len(ours[0]) != len(theirs[0]):
            return [f"{path}: ours has {len(ours[0])} fields, theirs {len(theirs[0])}"]
        return differ(ours[0], theirs[0], f"{path}[0]")
    return []


def recorded(path: str) -> list[Message]:
    """Read the messages of a recording, REST bodies included."""
    found = []
    with gzip.open(WIRE / path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["t"] in {"recv", "http"}:
                message = json.loads(record["data"])
                message["_url"] = record.get("url", "")
                found.append(message)
    return found


def example(path: str) -> Message:
    """Read an example: plain JSON, or the body or push of a described exchange."""
    text = (WIRE / path).read_text(encoding="utf-8")
    if path.endswith(".json"):
        return json.loads(text)
    if "/Subscriptions/" in path:
        text = text.rpartition("\n=")[2]
        return json.loads(text[text.index("{") :])
    body = text.split("\n", 3)[3]
    return json.loads(re.sub(r"^﻿", "", body))


async def listen(
    url: str, requests: list[Any], wanted: dict[str, Callable[[Message], bool]]
) -> dict[str, Message]:
    """Subscribe and wait for one message of each kind."""
    found: dict[str, Message] = {}
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for request in requests:
            await socket.send_json(request)
        async with asyncio.timeout(20):
            while len(found) < len(wanted):
                message = await socket.receive_json()
                for name, test in wanted.items():
                    if name not in found and test(message):
                        found[name] = message
    return found


def pick(messages: list[Message], test: Callable[[Message], bool]) -> Message:
    return next(message for message in messages if test(message))


async def test_bybit_public_frames_are_as_recorded() -> None:
    def is_kind(topic: str, shape: str) -> Callable[[Message], bool]:
        return lambda m: m.get("topic", "") == topic and m.get("type") == shape

    wanted = {
        "ack": lambda m: m.get("op") == "subscribe",
        "ticker": is_kind("tickers.BTCUSDT", "snapshot"),
        "book": is_kind("orderbook.200.BTCUSDT", "snapshot"),
        "change": is_kind("orderbook.200.BTCUSDT", "delta"),
        "trade": is_kind("publicTrade.BTCUSDT", "snapshot"),
        "kline": is_kind("kline.1.BTCUSDT", "snapshot"),
    }
    theirs = recorded("bybit/cryptofeed_v5_20260809.jsonl.gz")
    topics = ["tickers.BTCUSDT", "orderbook.200.BTCUSDT", "publicTrade.BTCUSDT", "kline.1.BTCUSDT"]
    async with practice() as server, connected("bybit", server) as exchange:
        url = f"ws://127.0.0.1:{server.port}/bybit/ws/v5/public/linear"
        ours = await listen(url, [{"op": "subscribe", "args": topics}], wanted)
        info = await exchange.publicGetV5MarketInstrumentsInfo({"category": "linear"})
    found = [
        d
        for name, test in wanted.items()
        for d in differ(ours[name], _clean(pick(theirs, test)), name)
    ]
    instruments = pick(theirs, lambda m: "category=linear" in m["_url"])
    found += differ(info["result"]["list"][0], instruments["result"]["list"][0], "instrument")
    # Identifiers of the real venue's own book-keeping.
    assert [d for d in found if "symbolId" not in d] == []


async def test_binance_public_frames_are_as_recorded() -> None:
    theirs = recorded("binance/cryptofeed_usdm_20210722.jsonl.gz")
    names = {"public": ["depth@100ms", "bookTicker"], "market": ["aggTrade", "kline_1m"]}
    found: list[str] = []
    async with practice() as server, connected("binance", server) as exchange:
        for category, channels in names.items():
            wanted = {
                channel: (lambda m, c=channel: m.get("stream", "").endswith(f"@{c}"))
                for channel in channels
            }
            streams = "/".join(f"btcusdt@{channel}" for channel in channels)
            base = f"ws://127.0.0.1:{server.port}/bnws/f/{category}/stream?streams={streams}"
            ours = await listen(base, [], wanted)
            for name, test in wanted.items():
                found += differ(ours[name], _clean(pick(theirs, test)), name)
        info = await exchange.fapiPublicGetExchangeInfo()
        depth = await exchange.fapiPublicGetDepth({"symbol": "BTCUSDT", "limit": 1000})
    found += differ(depth, _clean(pick(theirs, lambda m: "depth?" in m["_url"])), "depth")
    real = pick(theirs, lambda m: "exchangeInfo" in m["_url"])
    found += differ(info["symbols"][0], real["symbols"][0], "symbol")
    filters = {row["filterType"]: row for row in info["symbols"][0]["filters"]}
    for row in real["symbols"][0]["filters"]:
        found += differ(filters[row["filterType"]], row, row["filterType"])
    # Retired since 2021.
    assert [d for d in found if "settlePlan" not in d] == []


async def test_okx_public_frames_are_as_recorded() -> None:
    theirs = recorded("okx/cryptofeed_v5_20220513.jsonl.gz")

    def is_kind(channel: str, action: str | None = None) -> Callable[[Message], bool]:
        def test(message: Message) -> bool:
            arg = message.get("arg") or {}
            wanted = arg.get("channel") == channel and "data" in message
            return wanted and (action is None or message.get("action") == action)

        return test

    wanted = {
        "tickers": is_kind("tickers"),
        "trades": is_kind("trades"),
        "snapshot": is_kind("books", "snapshot"),
        "update": is_kind("books", "update"),
    }
    args = [{"channel": name, "instId": "BTC-USDT-SWAP"} for name in ("tickers", "trades", "books")]
    async with practice() as server:
        url = f"ws://127.0.0.1:{server.port}/okx/ws/ws/v5/public"
        ours = await listen(url, [{"op": "subscribe", "args": args}], wanted)
    found = [
        d
        for name, test in wanted.items()
        for d in differ(ours[name], _clean(pick(theirs, test)), name)
    ]
    assert found == []


def _clean(message: Message) -> Message:
    return {key: value for key, value in message.items() if key != "_url"}


async def _private_rows(name: str, server: Any, exchange: Any, amount: float) -> dict[str, Any]:
    """Trade once and keep what the private streams said, raw."""
    async with watching(
        lambda: exchange.watch_orders(SYMBOL),
        lambda: exchange.watch_my_trades(SYMBOL),
        lambda: exchange.watch_positions(),
        lambda: exchange.watch_balance(),
    ) as (orders, fills, positions, balances):
        await scenes.settle_subscriptions(exchange, orders)
        bought = await exchange.create_order(SYMBOL, "market", "buy", amount)
        fill = await fills.first(lambda row: row["order"] == bought["id"])
        order = await orders.first(lambda r: r["id"] == bought["id"] and r["status"] == "closed")
        position = await positions.first(lambda row: bool(row["contracts"]))
        balance = await balances.first(lambda row: bool(row.get("info")))
    return {
        "order": order["info"],
        "fill": fill["info"],
        "position": position["info"],
        "balance": balance["info"],
    }


async def test_bybit_private_frames_are_as_documented() -> None:
    async with practice() as server, connected("bybit", server) as exchange:
        rows = await _private_rows("bybit", server, exchange, 0.01)
        listed = await exchange.privateGetV5PositionList(
            {"category": "linear", "symbol": "BTCUSDT"}
        )
        fills = await exchange.privateGetV5ExecutionList({"category": "linear"})
        orders = await exchange.privateGetV5OrderHistory({"category": "linear"})
        wallet = await exchange.privateGetV5AccountWalletBalance({"accountType": "UNIFIED"})
        key = await exchange.privateGetV5UserQueryApi()
        log = await exchange.privateGetV5AccountTransactionLog()
        ticker = await exchange.publicGetV5MarketTickers(
            {"category": "linear", "symbol": "BTCUSDT"}
        )
    base = "bybit/jkorf"
    private, rest = f"{base}/Subscriptions/V5/Private", f"{base}/Endpoints/V5Api"
    stream = {
        "order": (rows["order"], f"{private}/Order.txt"),
        "fill": (rows["fill"], f"{private}/UserTrades.txt"),
        "position": (rows["position"], f"{private}/Position.txt"),
    }
    found: list[str] = []
    for name, (ours, path) in stream.items():
        found += differ(ours, example(path)["data"][0], name)
    for name, ours, path in (
        ("positions", listed, "Trading/GetPositions.txt"),
        ("executions", fills, "Trading/GetUserTrades.txt"),
        ("history", orders, "Trading/GetOrderHistory.txt"),
        ("key", key, "Account/GetApiKeyInfo.txt"),
        ("log", log, "Account/GetTransactionHistory.txt"),
    ):
        found += differ(ours, example(f"{rest}/{path}"), name)
    found += differ(wallet, example("bybit/nautilus/http_get_wallet_balance.json"), "wallet")
    found += differ(rows["balance"], example(f"{private}/Balance.txt")["data"], "balance")
    theirs = example(f"{rest}/ExchangeData/GetLinearInverseTickers.txt")
    found += differ(ticker, theirs, "ticker")
    # Of dated futures, and a misspelling in the venue's own older example.
    old = ("predictedDeliveryPrice", "basis", "delivery", "mmrSysUpdateTime", "spotHedgingQty")
    assert [d for d in found if not any(word in d for word in old)] == []


async def test_binance_private_frames_are_as_documented() -> None:
    async with practice() as server, connected("binance", server) as exchange:
        rows = await _private_rows("binance", server, exchange, 0.01)
        mark = float(server.venues["binance"].ticker(SYMBOL).mark)
        trigger = exchange.price_to_precision(SYMBOL, mark * 0.9)
        algo = await exchange.fapiPrivatePostAlgoOrder(
            {
                "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01",
                "algoType": "CONDITIONAL", "triggerPrice": trigger, "reduceOnly": "true",
            }
        )  # fmt: skip
        asked = {
            "Trading/GetOpenConditionalOrders.txt": await exchange.fapiPrivateGetOpenAlgoOrders(),
            "Trading/GetUserTrades.txt": await exchange.fapiPrivateGetUserTrades(
                {"symbol": "BTCUSDT"}
            ),
            "Account/GetBalances.txt": await exchange.fapiPrivateV3GetBalance(),
            "Account/GetAccountInfoV3.txt": await exchange.fapiPrivateV3GetAccount(),
            "Account/GetPositionInformation.txt": await exchange.fapiPrivateV2GetPositionRisk(),
            "Account/GetBrackets.txt": await exchange.fapiPrivateGetLeverageBracket(),
            "Account/GetIncomeHistory.txt": await exchange.fapiPrivateGetIncome(),
            "ExchangeData/GetTicker.txt": await exchange.fapiPublicGetTicker24hr(
                {"symbol": "BTCUSDT"}
            ),
            "ExchangeData/GetMarkPrice.txt": await exchange.fapiPublicGetPremiumIndex(
                {"symbol": "BTCUSDT"}
            ),
            "ExchangeData/GetRecentTrades.txt": await exchange.fapiPublicGetTrades(
                {"symbol": "BTCUSDT"}
            ),
            "ExchangeData/GetKlines.txt": await exchange.fapiPublicGetKlines(
                {"symbol": "BTCUSDT", "interval": "1m"}
            ),
            "Trading/GetOrders.txt": await exchange.fapiPrivateGetAllOrders({"symbol": "BTCUSDT"}),
            "Trading/PlaceConditionalOrder.txt": algo,
        }
    base = "binance/jkorf/Endpoints/UsdFutures"
    found = [
        d for path, ours in asked.items() for d in differ(ours, example(f"{base}/{path}"), path)
    ]
    user = "binance/nautilus/futures/user_data_json"
    found += differ(rows["order"], example(f"{user}/order_update_trade.json")["o"], "order")
    found += differ(rows["balance"], example(f"{user}/account_update.json"), "account")
    # Of trailing orders; and an id that the example writes as text, the venue as a number.
    other = (".AP", ".cr:", "activat", "priceRate", "callbackRate", "tranId")
    assert [d for d in found if not any(word in d for word in other)] == []


async def test_okx_private_frames_are_as_documented() -> None:
    async with practice() as server, connected("okx", server) as exchange:
        rows = await _private_rows("okx", server, exchange, 1)
        mark = float(server.venues["okx"].ticker(SYMBOL).mark)
        await exchange.privatePostTradeOrderAlgo(
            {
                "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "sz": "1",
                "ordType": "trigger", "orderPx": "-1", "reduceOnly": True,
                "triggerPx": exchange.price_to_precision(SYMBOL, mark * 0.9),
            }
        )  # fmt: skip
        asked = {
            "Account/GetAccountPositions.txt": await exchange.privateGetAccountPositions(),
            "Account/GetAccountConfiguration.txt": await exchange.privateGetAccountConfig(),
            "Account/GetBillHistory.txt": await exchange.privateGetAccountBills(),
            "Trading/GetUserTradesArchive.txt": await exchange.privateGetTradeFillsHistory(),
            "Trading/GetOrderHistory.txt": await exchange.privateGetTradeOrdersHistory(
                {"instType": "SWAP"}
            ),
            "Trading/GetAlgoOrderList.txt": await exchange.privateGetTradeOrdersAlgoPending(
                {"ordType": "trigger"}
            ),
            "ExchangeData/GetTicker.txt": await exchange.publicGetMarketTicker(
                {"instId": "BTC-USDT-SWAP"}
            ),
            "ExchangeData/GetFundingRates.txt": await exchange.publicGetPublicFundingRate(
                {"instId": "BTC-USDT-SWAP"}
            ),
        }
        asked |= {
            "ExchangeData/GetIndexTickers.txt": await exchange.publicGetMarketIndexTickers(
                {"instId": "BTC-USDT"}
            ),
            "ExchangeData/GetOpenInterests.txt": await exchange.publicGetPublicOpenInterest(
                {"instType": "SWAP"}
            ),
            "ExchangeData/GetFundingRateHistory.txt": (
                await exchange.publicGetPublicFundingRateHistory({"instId": "BTC-USDT-SWAP"})
            ),
        }
        instruments = await exchange.publicGetPublicInstruments({"instType": "SWAP"})
        balance = await exchange.privateGetAccountBalance()
    base = "okx/jkorf/Endpoints/UnifiedApi"
    found = [
        d for path, ours in asked.items() for d in differ(ours, example(f"{base}/{path}"), path)
    ]
    pushes = "okx/jkorf/Subscriptions/Unified"
    for name, path in (("order", "Trading/Order.txt"), ("position", "Trading/Position.txt")):
        found += differ(rows[name], example(f"{pushes}/{path}")["data"][0], name)
    found += differ(rows["fill"], example("okx/nautilus/ws_orders.json")["data"][0], "fill")
    found += differ(instruments, example("okx/nautilus/http_get_instruments_swap.json"), "swap")
    found += differ(balance, example("okx/nautilus/http_get_account_balance.json"), "balance")
    assert found == []
