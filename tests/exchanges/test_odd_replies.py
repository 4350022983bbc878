"""Replies that parse and are not what they should be are no answer, and nobody's fault here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from core.errors import VenueUnavailable
from core.model.order import OrderAbsent
from core.secrets import Secret
from exchanges.access import Access
from exchanges.kill import open_kill_gateway
from exchanges.venue import VenueGateway, open_gateway
from tests.exchanges.market import instrument
from tests.web import EVERYTHING, serving

BTC = "BTC/USDT:USDT"
ODD = [
    ("binance", "[]"),
    ("binance", "{}"),
    ("binance", '[{"symbol":"BTCUSDT","positionAmt":"1,5","entryPrice":"1"}]'),
    ("bybit", '{"retCode":0}'),
    ("bybit", '{"retCode":0,"result":{}}'),
    ("bybit", '{"retCode":0,"result":{"timeNano":"soon"}}'),
    ("okx", '{"code":"0","data":[]}'),
    ("okx", '{"code":"0","data":[{"ts":"soon"}]}'),
]


@pytest.fixture(params=ODD, ids=[f"{venue} {body[:30]}" for venue, body in ODD])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[VenueGateway]:
    """A gateway to a venue that answers everything in one way."""
    venue, body = request.param

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with serving({EVERYTHING: answer}) as base:
        key = Secret("0" * 48)
        gateway = open_gateway(venue, Access("practice", key, key, key, base))
        name = "BTC-USDT-SWAP" if venue == "okx" else "BTCUSDT"
        gateway.rules.adopt([instrument(venue, name)])
        try:
            yield gateway
        finally:
            await gateway.close()


async def answered(work: Any) -> object:
    """Return the answer, or None where there was none."""
    try:
        return await work
    except VenueUnavailable:
        return None


async def test_an_odd_reply_is_no_answer(gateway: VenueGateway) -> None:
    assert await answered(gateway.connect()) is None
    assert await answered(gateway.sweep(time.time_ns())) is None
    found = await gateway.query(BTC, "K1TEST0000000000000000AA")
    assert found is None or isinstance(found, OrderAbsent)
    for ask in (
        gateway.recent_trades(BTC),
        gateway.candles(BTC, 60, 5),
        gateway.settlements(BTC, 5),
    ):
        await answered(ask)
    kill = open_kill_gateway(gateway)
    try:
        await answered(kill.prepare())
        await answered(kill.open_orders())
        await answered(kill.positions())
    finally:
        await kill.close()
