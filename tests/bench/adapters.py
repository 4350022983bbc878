"""What a frame, a book and an order cost in the adapters, beside ccxt.pro in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from aiohttp import web

from core.model.event import Event
from core.model.instrument import Instrument
from core.model.market import Side, Trade
from core.model.order import Order, OrderKind
from core.secrets import Secret
from exchanges.access import Access, build_exchange
from exchanges.budget import Budget, Pool
from exchanges.feed import Feed
from exchanges.tap import Tap, attach
from exchanges.venue import RULES, open_gateway
from tests.web import serving

TARGETS = {
    **{f"{v} {k} frame to event, us": "<= 1.5" for v in RULES for k in ("trade", "ticker")},
    **{f"{v} 20+20 depth frame to book, us": "<= 12" for v in RULES},
    **{f"{v} wire to signed order, p50 us": "<= 60" for v in RULES},
    **{f"{v} wire to signed order, p99 us": "<= 300" for v in RULES},
    "share of a core at 5,000 frames/s, tap and decoders": "<= 0.25 (whole desk)",
}
_IDS = {"bybit": "BTCUSDT", "binance": "BTCUSDT", "okx": "BTC-USDT-SWAP"}
_BASE = "http://127.0.0.1:9"
_MIDDLE = 650_000


def instrument(venue: str) -> Instrument:
    """Return BTC with each venue's usual steps."""
    contract = Decimal("0.01") if venue == "okx" else Decimal(1)
    return Instrument(venue, "BTC/USDT:USDT", _IDS[venue], "BTC", Decimal("0.1"),
                      Decimal("0.001"), Decimal("0.001"), Decimal(5), contract)  # fmt: skip


def access() -> Access:
    """Return a key of the right length that opens nothing."""
    return Access("practice", Secret("k" * 24), Secret("s" * 48), Secret("p" * 12), _BASE)


def feed_of(venue: str, sink: Callable[[Event], None]) -> Feed:
    """Return the venue's decoder."""
    rules = RULES[venue]()
    rules.adopt([instrument(venue)])
    return rules.feed(["BTC/USDT:USDT"], sink, lambda name, reason: None, {})


# --- frames -----------------------------------------------------------------------------------


def trade_frame(venue: str, n: int) -> str:
    """Return one public trade."""
    price = f"{65000 + n % 97 / 10:.1f}"
    if venue == "bybit":
        return (
            '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1786310819681,"data":[{"T":'
            f'1786310819680,"s":"BTCUSDT","S":"Sell","v":"0.004","p":"{price}","L":"MinusTick",'
            f'"i":"a9188a0a-82bc-50de-be60-{n:012d}","BT":false,"RPI":false,"seq":{n}}}]}}'
        )
    if venue == "binance":
        return (
            '{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":'
            f'{n},"p":"{price}","q":"0.006","X":"MARKET","m":false}}'
        )
    return (
        '{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP",'
        f'"tradeId":"{n}","px":"{price}","sz":"{n % 50 / 100 + 0.01:.2f}","side":"buy","ts":'
        '"1630048897897","count":"3"}]}'
    )


def ticker_frame(venue: str, n: int) -> str:
    """Return one ticker as the venue sends it."""
    price = f"{65000 + n % 97 / 10:.1f}"
    if venue == "bybit":
        return (
            '{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","tickDirection":'
            f'"ZeroPlusTick","price24hPcnt":"0.001624","lastPrice":"{price}","markPrice":"{price}",'
            '"indexPrice":"65137.76","openInterest":"59891.732","turnover24h":"1142118412.9021",'
            '"volume24h":"17573.9120","nextFundingTime":"1786320000000","fundingRate":"0.0001",'
            '"bid1Price":"65114.20","bid1Size":"5.954","ask1Price":"65114.30","ask1Size":"10.470"},'
            '"cs":24987956059,"ts":1673272861686}'
        )
    if venue == "binance":
        return (
            '{"e":"24hrTicker","E":1571889248277,"s":"BTCUSDT","p":"15.3","P":"2.500","w":"64000",'
            f'"c":"{price}","Q":"0.010","o":"64000.0","h":"66000.0","l":"63000.0","v":"10000",'
            '"q":"650000000.5","O":0,"C":86400000,"F":0,"L":18150,"n":18151}'
        )
    return (
        '{"arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":'
        f'"BTC-USDT-SWAP","last":"{price}","lastSz":"0.1","askPx":"{price}","askSz":"11","bidPx":'
        '"64999.9","bidSz":"5","open24h":"64000","high24h":"66000","low24h":"63000","volCcy24h":'
        '"2222","vol24h":"222200","sodUtc0":"2222","sodUtc8":"2222","ts":"1597026383085"}]}'
    )


def side_levels(venue: str, sign: int, dice: random.Random) -> list[list[str]]:
    """Return 20 changes near the middle: a third new or removed, the rest sizes."""
    start = _MIDDLE if sign < 0 else _MIDDLE + 1
    rows = []
    for _ in range(20):
        tick = start + sign * (1 + int(dice.expovariate(1 / 40)))
        size = "0" if dice.random() < 0.2 else f"{dice.random() * 3 + 0.001:.3f}"
        row = [f"{tick / 10:.1f}", size]
        rows.append([*row, "0", "4"] if venue == "okx" else row)
    return rows


def depth_frame(venue: str, n: int, dice: random.Random) -> str:
    """Return the change number ``n`` of a book."""
    bids, asks = side_levels(venue, -1, dice), side_levels(venue, 1, dice)
    frame: dict[str, Any]
    if venue == "bybit":
        frame = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": 1786310818129 + n,
                 "data": {"s": "BTCUSDT", "b": bids, "a": asks, "u": n + 1, "seq": n},
                 "cts": 1786310818128}  # fmt: skip
    elif venue == "binance":
        frame = {"e": "depthUpdate", "E": 1723161256299, "T": 1723161256298, "s": "BTCUSDT",
                 "U": n * 10 + 1, "u": n * 10 + 10, "pu": n * 10, "b": bids, "a": asks}  # fmt: skip
    else:
        frame = {"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": "update",
                 "data": [{"asks": asks, "bids": bids, "ts": "1597026383085", "checksum": 0,
                           "prevSeqId": n, "seqId": n + 1}]}  # fmt: skip
    return json.dumps(frame, separators=(",", ":"))


def snapshot_frame(venue: str) -> str:
    """Return 400 levels a side that change number 1 follows."""
    rows = [[[f"{(_MIDDLE - k) / 10:.1f}", "1.5"] for k in range(1, 401)],
            [[f"{(_MIDDLE + k) / 10:.1f}", "1.5"] for k in range(2, 402)]]  # fmt: skip
    bids, asks = rows
    if venue == "okx":
        bids, asks = ([[*row, "0", "4"] for row in side] for side in rows)
    frame: dict[str, Any]
    if venue == "bybit":
        frame = {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1786310818129,
                 "data": {"s": "BTCUSDT", "b": bids, "a": asks, "u": 1, "seq": 1}}  # fmt: skip
    elif venue == "binance":
        frame = {"lastUpdateId": 10, "T": 1, "bids": bids, "asks": asks}
    else:
        frame = {"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": "snapshot",
                 "data": [{"asks": asks, "bids": bids, "ts": "1597026383085", "checksum": 0,
                           "prevSeqId": -1, "seqId": 1}]}  # fmt: skip
    return json.dumps(frame, separators=(",", ":"))


# --- the benches ------------------------------------------------------------------------------


def per_item(work: Callable[[str], object], items: list[str]) -> float:
    """Return microseconds of CPU per item, the best of several passes over parts."""
    part = max(1, len(items) // 8)
    best = float("inf")
    for start in range(0, len(items) - part + 1, part):
        began = time.process_time_ns()
        for item in items[start : start + part]:
            work(item)
        best = min(best, (time.process_time_ns() - began) / part)
    return best / 1000


def frames() -> dict[str, float | str]:
    """Measure frame to event, ours and ccxt's."""
    measured: dict[str, float | str] = {}
    for venue in RULES:
        for kind, make in (("trade", trade_frame), ("ticker", ticker_frame)):
            texts = [make(venue, n) for n in range(16_000)]
            feed = feed_of(venue, lambda event: None)
            ours = per_item(lambda text, take=feed.take: take(text, 1), texts)
            theirs = per_item(ccxt_parser(venue), texts[:4000])
            measured[f"{venue} {kind} frame to event, us"] = ours
            measured[f"{venue} {kind} frame, ccxt.pro / ours"] = theirs / ours
    return measured


def books() -> dict[str, float | str]:
    """Measure a change of 20 levels a side to the book and its top, ours and ccxt's."""
    measured: dict[str, float | str] = {}
    for venue in RULES:
        dice = random.Random(7)
        texts = [depth_frame(venue, n, dice) for n in range(1, 6001)]
        tops: list[Event] = []
        feed = feed_of(venue, tops.append)
        first = snapshot_frame(venue)
        if venue == "binance":
            feed.snapshot("BTCUSDT", first, 1)  # type: ignore[attr-defined]
        else:
            feed.take(first, 1)
        ours = per_item(lambda text, take=feed.take: take(text, 1), texts)
        if feed.bad or len(tops) < 100:
            raise RuntimeError(f"{venue}: the bench's book is not one: {feed.bad} bad")
        theirs = per_item(ccxt_parser(venue, first), texts[:2400])
        measured[f"{venue} 20+20 depth frame to book, us"] = ours
        measured[f"{venue} depth frame, ccxt.pro / ours"] = theirs / ours
    return measured


def ccxt_parser(venue: str, book: str = "") -> Callable[[str], object]:
    """Return ccxt.pro's own way from text to its caches for one venue."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    exchange = build_exchange(venue, access())
    exchange.asyncio_loop = loop
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(_open(exchange))
    exchange.set_markets([ccxt_market(exchange, venue)])
    if venue == "okx":
        url = exchange.get_url("books", "public")
    elif venue == "bybit":
        url = exchange.urls["api"]["ws"]["public"]["linear"]
    else:
        url = exchange.get_ws_url("linear", "public") + "/0"
    client = exchange.client(url)
    if book and venue == "binance":
        body = json.loads(book)
        levels = {s: [[float(p), float(q)] for p, q in body[s]] for s in ("bids", "asks")}
        exchange.orderbooks["BTC/USDT:USDT"] = exchange.order_book(
            {**levels, "nonce": body["lastUpdateId"], "symbol": "BTC/USDT:USDT"}, 1000
        )
    elif book:
        if venue == "okx":
            exchange.options["watchOrderBook"] = {"checksum": False, "depth": "books"}
        client.handle_text_or_binary_message(book)
    loop.run_until_complete(exchange.close())
    loop.close()
    return client.handle_text_or_binary_message  # type: ignore[no-any-return]


async def _open(exchange: Any) -> None:
    exchange.open()


def ccxt_market(exchange: Any, venue: str) -> Any:
    """Return ccxt's description of BTC, as its own market parser would have made it."""
    return exchange.safe_market_structure(
        {
            "id": _IDS[venue], "lowercaseId": _IDS[venue].lower(), "symbol": "BTC/USDT:USDT",
            "base": "BTC", "quote": "USDT", "settle": "USDT", "baseId": "BTC", "quoteId": "USDT",
            "settleId": "USDT", "type": "swap", "spot": False, "swap": True, "contract": True,
            "linear": True, "inverse": False, "active": True, "contractSize": 1,
            "precision": {"amount": 0.001, "price": 0.1}, "limits": {}, "info": {},
        }
    )  # fmt: skip


class _Signed(Exception):
    """The order is signed; the bench goes no further."""


def orders() -> dict[str, float | str]:
    """Measure trade frame in, trivial decision, signed order out, through the whole gateway."""
    return asyncio.run(_orders())


async def _orders() -> dict[str, float | str]:
    measured: dict[str, float | str] = {}
    for venue in RULES:
        gateway = open_gateway(venue, access())
        gateway.rules.adopt([instrument(venue)])
        line = gateway.line
        line.budget = Budget({name: Pool(1e9, 1) for name in gateway.rules.pools})
        sign = line.exchange.sign
        signed_at = 0

        def timed(*arguments: Any, sign: Any = sign) -> Any:
            nonlocal signed_at
            sign(*arguments)
            signed_at = time.perf_counter_ns()
            raise _Signed

        line.exchange.sign = timed
        wanted: list[Order] = []

        def decide(event: Event, venue: str = venue, wanted: list[Order] = wanted) -> None:
            if isinstance(event, Trade) and event.price > 0:
                wanted.append(
                    Order("T1AAAA01000000001X7K2M9Q", venue, event.symbol, Side.BUY,
                          OrderKind.LIMIT, Decimal("0.01"), event.received,
                          price=Decimal(repr(event.price)))
                )  # fmt: skip

        feed = feed_of(venue, decide)
        taken = []
        for n in range(4000):
            text = trade_frame(venue, n)
            began = time.perf_counter_ns()
            feed.take(text, began)
            await gateway.submit(wanted.pop())
            taken.append((signed_at - began) / 1000)
        await gateway.close()
        taken.sort()
        measured[f"{venue} wire to signed order, p50 us"] = statistics.median(taken)
        measured[f"{venue} wire to signed order, p99 us"] = taken[int(len(taken) * 0.99)]
    return measured


# --- the socket -------------------------------------------------------------------------------

_RATE = 5000
_SECONDS = 4


def socket() -> dict[str, float | str]:
    """Measure the CPU of 5,000 frames a second off a real socket, ours and ccxt.pro's."""
    ours = _drink(tapped=True)
    theirs = _drink(tapped=False)
    return {
        "share of a core at 5,000 frames/s, tap and decoders": ours[0],
        "frames received of those sent": ours[1],
        "share of a core at 5,000 frames/s, ccxt.pro / ours": theirs[0] / ours[0],
    }


def _drink(*, tapped: bool) -> tuple[float, float]:
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(child,), daemon=True)
    server.start()
    try:
        return uvloop.run(_receive(parent.recv(), tapped))
    finally:
        server.terminate()
        server.join()


async def _receive(base: str, tapped: bool) -> tuple[float, float]:
    exchange = build_exchange("bybit", access())
    exchange.set_markets([ccxt_market(exchange, "bybit")])
    exchange.ssl_context = False
    count = 0

    def sink(event: Event) -> None:
        nonlocal count
        count += 1

    feed = feed_of("bybit", sink)
    url = f"{base.replace('http', 'ws', 1)}/v5/public/linear"
    exchange.open()
    if tapped:
        client = attach(exchange, url, Tap(feed.take, lambda text: None))
    else:
        client = exchange.client(url)
    await client.connect(exchange.session)
    await asyncio.sleep(0.5)  # of the load's own time: its beginning is left out
    began = time.process_time()
    before = count
    await asyncio.sleep(_SECONDS - 1)  # as long as is measured
    used = (time.process_time() - began) / (_SECONDS - 1)
    arrived = (count - before) / (_RATE * (_SECONDS - 1))
    await exchange.close()
    return used, arrived


def _serve(pipe: Connection) -> None:
    """Send trades and books evenly over one socket, in a process of its own."""
    texts = itertools.cycle(
        [trade_frame("bybit", n) for n in range(500)]
        + [ticker_frame("bybit", n) for n in range(500)]
    )

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        started, sent = time.perf_counter(), 0
        with contextlib.suppress(ConnectionError):
            while (passed := time.perf_counter() - started) < _SECONDS + 1:
                while sent < passed * _RATE:
                    await socket.send_str(next(texts))
                    sent += 1
                await asyncio.sleep(0.001)  # the load's cadence
        return socket

    async def main() -> None:
        async with serving({"/v5/public/linear": stream}) as url:
            pipe.send(url)
            await asyncio.Event().wait()  # until it is terminated

    asyncio.run(main())


BENCHES = (frames, books, orders, socket)
