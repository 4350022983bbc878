"""Unmodified ccxt clients of a practice exchange: only URLs, keys and documented options differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from exchanges.practice.server import Options, Server, serve
from tests.waiting import until

SYMBOL = "BTC/USDT:USDT"


def bybit_urls(port: int) -> dict[str, Any]:
    rest, socket = f"http://127.0.0.1:{port}/bybit", f"ws://127.0.0.1:{port}/bybit/ws"
    categories = ("spot", "linear", "inverse", "option")
    return {
        **dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest),
        "ws": {
            "public": {category: f"{socket}/v5/public/{category}" for category in categories},
            "private": {
                "spot": {
                    "unified": f"{socket}/v5/private",
                    "nonUnified": f"{socket}/spot/private/v3",
                },
                "contract": f"{socket}/v5/private",
                "usdc": f"{socket}/trade/option/usdc/private/v1",
                "trade": f"{socket}/v5/trade",
            },
        },
    }


def binance_urls(port: int) -> dict[str, Any]:
    rest, socket = f"http://127.0.0.1:{port}/binance", f"ws://127.0.0.1:{port}/bnws"
    return {
        "public": f"{rest}/api/v3", "private": f"{rest}/api/v3", "v1": f"{rest}/api/v1",
        "sapi": f"{rest}/sapi/v1", "sapiV2": f"{rest}/sapi/v2", "sapiV3": f"{rest}/sapi/v3",
        "sapiV4": f"{rest}/sapi/v4", "fapiPublic": f"{rest}/fapi/v1",
        "fapiPublicV2": f"{rest}/fapi/v2", "fapiPublicV3": f"{rest}/fapi/v3",
        "fapiPrivate": f"{rest}/fapi/v1", "fapiPrivateV2": f"{rest}/fapi/v2",
        "fapiPrivateV3": f"{rest}/fapi/v3", "fapiData": f"{rest}/futures/data",
        "dapiPublic": f"{rest}/dapi/v1", "dapiPrivate": f"{rest}/dapi/v1",
        "dapiPrivateV2": f"{rest}/dapi/v2", "dapiData": f"{rest}/futures/data",
        "eapiPublic": f"{rest}/eapi/v1", "eapiPrivate": f"{rest}/eapi/v1",
        "papi": f"{rest}/papi/v1", "papiV2": f"{rest}/papi/v2",
        "ws": {
            "spot": f"{socket}/stream/ws", "margin": f"{socket}/stream/ws",
            "linear": f"{socket}/f/ws", "inverse": f"{socket}/d/ws", "stock": f"{socket}/s/ws",
            "option": f"{socket}/o/ws", "optionMarket": f"{socket}/om/ws",
            "optionPrivate": f"{socket}/op/ws", "papi": f"{socket}/pm/ws",
            "ws-api": {
                "spot": f"{socket}/spot-ws-api/v3", "linear": f"{socket}/ws-fapi/v1",
                "inverse": f"{socket}/ws-dapi/v1",
            },
        },
    }  # fmt: skip


def okx_urls(port: int) -> dict[str, Any]:
    return {"rest": f"http://127.0.0.1:{port}/okx", "ws": f"ws://127.0.0.1:{port}/okx/ws/ws/v5"}


def client(name: str, server: Server, **options: Any) -> Any:
    """Make a ccxt.pro client; ``options`` go on top, ``apiKey=""`` makes one without keys."""
    keys = server.ready["keys"][name]
    config: dict[str, Any] = {
        "apiKey": keys["api_key"],
        "secret": keys["secret"],
        "enableRateLimit": False,
    }
    if name == "bybit":
        return ccxt.pro.bybit(config | {"urls": {"api": bybit_urls(server.port)}} | options)
    if name == "binance":
        # ccxt picks the futures error classes by the production URL: a setting, as it documents.
        exact = ccxt.pro.binanceusdm().exceptions["linear"]["exact"]
        config |= {"urls": {"api": binance_urls(server.port)}, "exceptions": {"exact": exact}}
        return ccxt.pro.binanceusdm(config | options)
    config |= {"password": keys["passphrase"], "urls": {"api": okx_urls(server.port)}}
    return ccxt.pro.okx(config | {"options": {"defaultType": "swap"}} | options)


@asynccontextmanager
async def practice(**options: Any) -> AsyncIterator[Server]:
    """Run a practice exchange in this process."""
    server = await serve(Options(seed=7, **options))
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def connected(name: str, server: Server, **options: Any) -> AsyncIterator[Any]:
    """Connect a client and load its markets."""
    exchange = client(name, server, **options)
    try:
        await exchange.load_markets()
        yield exchange
    finally:
        await exchange.close()


class Watch:
    """Everything that a watch method returned, in order; rows are copied, as ccxt reuses them."""

    def __init__(self, method: Callable[[], Awaitable[Any]]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._method = method
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            found = await self._method()
            self.rows.extend(dict(row) for row in (found if isinstance(found, list) else [found]))

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def first(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for the first row that is wanted."""

        def found() -> dict[str, Any] | None:
            if self._task.done():
                self._task.result()
            return next((row for row in self.rows if wanted(row)), None)

        row: dict[str, Any] = await until(found)
        return row


@asynccontextmanager
async def watching(*methods: Callable[[], Awaitable[Any]]) -> AsyncIterator[list[Watch]]:
    """Watch several streams at once."""
    watches = [Watch(method) for method in methods]
    try:
        yield watches
    finally:
        for watch in watches:
            await watch.stop()
