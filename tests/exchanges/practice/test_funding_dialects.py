"""Funding as each venue tells it: a dialect on a venue whose funding clock runs fast."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.clock import FundingClock
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.market import choose_market
from exchanges.practice.state import OrderRequest
from tests.exchanges.practice.connect import SYMBOL, connected, watching
from tests.waiting import until
from tests.web import serving_app

ACCOUNT = "700000001"
FAST = 15_000.0
"""Eight hours pass in about two seconds."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Mounted:
    """One dialect on one venue, with what ``connect.client`` needs to know."""

    def __init__(self, name: str, venue: PracticeVenue, port: int) -> None:
        self.venue = venue
        self.port = port
        keys = {"api_key": "key", "secret": "secret", "passphrase": "phrase"}
        self.ready: dict[str, Any] = {"keys": {name: keys}}


@asynccontextmanager
async def mounted(name: str) -> AsyncIterator[Mounted]:
    market = choose_market("synthetic", 7)
    start = now_ms()
    clock = FundingClock(start, FAST, 8)
    venue = PracticeVenue(name, market.contracts(name), market, clock, now_ms)
    market.open({name: venue}, start, 1.0)
    venue.add_account(ACCOUNT, Decimal(100_000), "key", "secret", "phrase")
    app = web.Application()
    importlib.import_module(f"exchanges.practice.{name}").mount(app, venue)

    async def turn() -> None:
        while True:
            market.advance(now_ms())
            venue.tick()
            await asyncio.sleep(0.1)  # the server's own turn; the tests wait for what follows

    turns = asyncio.create_task(turn())
    try:
        async with serving_app(app) as url:
            yield Mounted(name, venue, urlsplit(url).port or 0)
    finally:
        turns.cancel()
        await asyncio.gather(turns, return_exceptions=True)


@pytest.mark.parametrize("name", ["bybit", "binance", "okx"])
async def test_funding_is_told_and_listed(name: str) -> None:
    async with mounted(name) as server, connected(name, server) as exchange:  # type: ignore[arg-type]
        venue = server.venue
        async with watching(lambda: exchange.watch_balance()) as (balances,):
            await until(lambda: exchange.clients)
            qty = Decimal("0.5")
            order = OrderRequest(symbol=SYMBOL, side=Side.BUY, kind=OrderKind.MARKET, qty=qty)
            venue.submit(ACCOUNT, order)
            paid = await until(lambda: venue.funding_payments(ACCOUNT))
            after = venue.wallet(ACCOUNT).balance
            near = abs(float(paid[0].amount)) + 50
            await balances.first(lambda row: abs(row["USDT"]["total"] - float(after)) < near)
        listed = await exchange.fetch_funding_history(SYMBOL)
        payments = {payment.payment_id: payment for payment in venue.funding_payments(ACCOUNT)}
        assert listed
        for row in listed:
            payment = payments[row["id"]]
            # Bybit's execFee is positive when paid, and ccxt hands it on as it is.
            sign = -1 if name == "bybit" else 1
            assert row["amount"] * sign == pytest.approx(float(payment.amount), abs=1e-8)
            assert row["timestamp"] == payment.ts_ms
            # Longs pay when the rate is positive.
            assert (payment.amount < 0) == (payment.rate > 0)
