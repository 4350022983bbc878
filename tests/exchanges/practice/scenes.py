"""What must work the same through ccxt on every venue."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ccxt.base import errors

from tests.exchanges.practice.connect import SYMBOL, watching
from tests.waiting import until

CANCEL_ID = {"bybit": "orderLinkId", "binance": "clientOrderId", "okx": "clientOrderId"}


async def market_data(exchange: Any) -> None:
    """Read and watch the market without keys."""
    ticker = await exchange.fetch_ticker(SYMBOL)
    book = await exchange.fetch_order_book(SYMBOL)
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    assert bid < ask
    assert abs(ticker["last"] / bid - 1) < 0.01
    assert len(book["bids"]) >= 25
    assert len(book["asks"]) >= 25
    trades = await exchange.fetch_trades(SYMBOL, limit=100)
    assert len(trades) == 100
    assert all(a["timestamp"] <= b["timestamp"] for a, b in pairwise(trades))
    candles = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=50)
    assert [b[0] - a[0] for a, b in pairwise(candles)] == [60_000] * 49
    assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in candles)
    hours = await exchange.fetch_ohlcv(SYMBOL, "1h", limit=30)
    assert hours[-1][0] % 3_600_000 == 0
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert abs(funding["fundingRate"]) < 0.005
    settled = await exchange.fetch_funding_rate_history(SYMBOL, None, 20)
    assert {b["timestamp"] - a["timestamp"] for a, b in pairwise(settled)} == {8 * 3_600_000}
    held = await exchange.fetch_open_interest(SYMBOL)
    assert held["openInterestAmount"] > 0
    past = await exchange.fetch_open_interest_history(SYMBOL, "1h", limit=20)
    assert {b["timestamp"] - a["timestamp"] for a, b in pairwise(past)} == {3_600_000}
    amounts = [one["openInterestAmount"] or one["openInterestValue"] for one in past]
    assert len(set(amounts)) > 10
    assert 0.5 < amounts[-1] / amounts[0] < 2
    index = await exchange.fetch_index_ohlcv(SYMBOL, "1h", limit=30)
    assert [a[0] for a in index][-20:] == [a[0] for a in hours][-20:]
    assert all(abs(a[4] / b[4] - 1) < 0.002 for a, b in zip(index[-20:], hours[-20:], strict=True))
    assert abs(await exchange.fetch_time() - exchange.milliseconds()) < 1000

    async with watching(
        lambda: exchange.watch_trades(SYMBOL),
        lambda: exchange.watch_ticker(SYMBOL),
        lambda: exchange.watch_ohlcv(SYMBOL, "1m"),
    ) as (trade, tick, _):
        row = await trade.first(lambda row: row["price"] > 0)
        assert row["side"] in ("buy", "sell")
        assert (await tick.first(lambda row: row["last"] is not None))["symbol"] == SYMBOL
    live = await exchange.watch_order_book(SYMBOL)
    for _ in range(10):
        live = await exchange.watch_order_book(SYMBOL)
        assert live["bids"][0][0] < live["asks"][0][0]
    assert len(live["bids"]) >= 40


async def trade_round(exchange: Any, amount: float) -> None:
    """Rest, amend, cancel, buy, see it everywhere, close: by REST and by stream."""
    contracts = exchange.market(SYMBOL)["contractSize"] * amount
    start = await exchange.fetch_balance()
    assert start["USDT"]["total"] == pytest.approx(100_000)
    assert not [row for row in await exchange.fetch_positions() if row["contracts"]]
    price = (await exchange.fetch_ticker(SYMBOL))["last"]
    low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
    lower = float(exchange.price_to_precision(SYMBOL, price * 0.975))
    async with watching(
        lambda: exchange.watch_orders(SYMBOL),
        lambda: exchange.watch_my_trades(SYMBOL),
        lambda: exchange.watch_positions(),
        lambda: exchange.watch_balance(),
    ) as (orders, fills, positions, balances):
        await until(lambda: len(exchange.clients) > 0)
        await settle_subscriptions(exchange, orders)

        placed = await exchange.create_order(
            SYMBOL, "limit", "buy", amount, low, {"clientOrderId": "KCROUND0001"}
        )
        row = await orders.first(lambda row: row["clientOrderId"] == "KCROUND0001")
        assert (row["id"], row["status"], row["price"], row["amount"]) == (
            placed["id"], "open", low, amount,
        )  # fmt: skip
        listed = await exchange.fetch_open_orders(SYMBOL)
        assert [(row["id"], row["clientOrderId"]) for row in listed] == [
            (placed["id"], "KCROUND0001")
        ]
        await exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", amount * 2, lower)
        row = await orders.first(lambda row: row["amount"] == amount * 2)
        assert (row["id"], row["price"]) == (placed["id"], lower)
        await exchange.cancel_order(placed["id"], SYMBOL)
        await orders.first(lambda row: row["status"] == "canceled" and row["id"] == placed["id"])
        with pytest.raises(errors.OrderNotFound):
            await exchange.cancel_order(placed["id"], SYMBOL)
        found = await exchange.fetch_order(placed["id"], SYMBOL, {"acknowledged": True})
        assert (found["status"], found["filled"]) == ("canceled", 0)

        bought = await exchange.create_order(
            SYMBOL, "market", "buy", amount, None, {"clientOrderId": "KCROUND0002"}
        )
        fill = await fills.first(lambda row: row["order"] == bought["id"])
        assert fill["side"] == "buy"
        assert fill["takerOrMaker"] == "taker"
        done = await orders.first(lambda r: r["id"] == bought["id"] and r["status"] == "closed")
        assert done["filled"] == amount
        held = await positions.first(lambda row: bool(row["contracts"]))
        assert (held["symbol"], held["side"], held["contracts"]) == (SYMBOL, "long", amount)
        by_rest = [row for row in await exchange.fetch_positions([SYMBOL]) if row["contracts"]]
        assert [(row["side"], row["contracts"]) for row in by_rest] == [("long", amount)]
        cost = fill["price"] * contracts
        trades = await exchange.fetch_my_trades(SYMBOL)
        assert sum(row["amount"] for row in trades) == pytest.approx(amount)
        fee = sum(row["fee"]["cost"] for row in trades)
        assert fee == pytest.approx(cost * 0.0005, rel=0.2)
        await balances.first(lambda row: row["USDT"]["total"] < 100_000)

        await exchange.create_order(SYMBOL, "market", "sell", amount, None, {"reduceOnly": True})
        await until(lambda: len({row["order"] for row in fills.rows}) == 2)
        left = await exchange.fetch_positions([SYMBOL])
        assert not [row for row in left if row["contracts"]]
        end = await exchange.fetch_balance()
        assert end["USDT"]["total"] < start["USDT"]["total"]


async def post_only_that_crosses(exchange: Any, amount: float) -> dict[str, Any]:
    """Send a post-only order that would take: acknowledged, then cancelled; its last row."""
    price = (await exchange.fetch_ticker(SYMBOL))["last"]
    async with watching(lambda: exchange.watch_orders(SYMBOL)) as (orders,):
        await settle_subscriptions(exchange, orders)
        high = float(exchange.price_to_precision(SYMBOL, price * 1.01))
        placed = await exchange.create_order(
            SYMBOL, "limit", "buy", amount, high, {"postOnly": True}
        )
        assert placed["id"]
        row = await orders.first(lambda r: r["id"] == placed["id"] and r["status"] != "open")
        assert row["status"] == "canceled"
        return dict(row)


def beside(mark: int, price: str) -> str:
    """Return a price that is given by its sign and distance from the mark; others as they are."""
    if price[:1] not in {"+", "-"}:
        return price
    return f"{mark + float(price):.2f}" if "." in price else str(mark + int(price))


async def settle_subscriptions(exchange: Any, orders: Any) -> None:
    """Make sure the order stream is live: an order at a time until one is seen."""
    price = (await exchange.fetch_ticker(SYMBOL))["last"]
    low = float(exchange.price_to_precision(SYMBOL, price * 0.97))
    amount = exchange.market(SYMBOL)["limits"]["amount"]["min"] * 10
    for _ in range(20):
        probe = await exchange.create_order(SYMBOL, "limit", "buy", amount, low)
        await exchange.cancel_order(probe["id"], SYMBOL)
        try:
            await until(lambda: bool(orders.rows), 0.5)
        except AssertionError:
            continue
        return
    raise AssertionError("the order stream never came up")


async def socket_orders(exchange: Any, amount: float) -> None:
    """Place and cancel over the venue's order socket."""
    price = (await exchange.fetch_ticker(SYMBOL))["last"]
    low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
    placed = await exchange.create_order_ws(SYMBOL, "limit", "buy", amount, low)
    assert [row["id"] for row in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    await exchange.cancel_order_ws(placed["id"], SYMBOL)
    assert await exchange.fetch_open_orders(SYMBOL) == []


async def wrong_keys(name: str, exchange: Any, other: Any, skewed: Any) -> None:
    """Refuse a wrong secret, an unknown key and a clock that is off."""
    with pytest.raises(errors.AuthenticationError):
        await exchange.fetch_balance()
    with pytest.raises(errors.AuthenticationError):
        await other.fetch_balance()
    with pytest.raises(errors.InvalidNonce):
        await skewed.fetch_balance()


async def pushed_out(exchange: Any, amount: float, tries: int) -> list[BaseException]:
    """Ask for orders faster than allowed; the errors."""
    price = (await exchange.fetch_ticker(SYMBOL))["last"]
    low = float(exchange.price_to_precision(SYMBOL, price * 0.98))
    refused: list[BaseException] = []
    for _ in range(tries):
        try:
            await exchange.create_order(SYMBOL, "limit", "buy", amount, low)
        except errors.BaseError as error:
            refused.append(error)
    return refused
