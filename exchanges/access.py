"""Which venue, in which environment, with which key; and the ccxt instance that this makes.

Practice, testnet and live take the same path through ccxt: practice puts its loopback URLs into
the slot that ccxt's own sandbox or demo switch activates. ccxt merges URL tables deeply, so a
forgotten key would still point at production; every leaf is checked before the first request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from core.errors import ConfigError, UsageError
from core.model.instrument import VENUES
from core.secrets import Secret
from exchanges.lean import exchange_class
from exchanges.provenance import check_ccxt

SLOTS = {"bybit": "test", "binance": "demo", "okx": "test"}
"""The URL table that the venue's sandbox switch in ccxt puts in place of the real one.

Binance's futures testnet is refused by ccxt in sandbox mode; its demo trading is what is left.
"""
RECV_WINDOW_MS = 3000
"""How long a signed request stays valid at the venue."""
ENTRY_WINDOW_MS = 1500
"""The same for an order that can open risk: one that waited longer is an old order. It is also
what a kill waits for between its two proving looks (``core.desk.kill_worker.VALIDITY``), so that
nothing signed before the gate closed can arrive after the second one. All three venues let a client
choose it; what can only reduce keeps the longer window: there a refusal is the greater harm."""
TIMEOUT_MS = 8000
"""Total time of one HTTP request."""
DOMAINS = {
    "bybit": ("bybit.com",),
    "binance": ("binance.com", "binancefuture.com"),
    "okx": ("okx.com",),
}
"""Whose hosts a venue's are."""
_TEST_HOSTS = ("testnet", "demo", "sandbox", "binancefuture.com", "wspap.")


class Access(Struct, frozen=True):
    """The way into one venue.

    ``base`` is the practice exchange's ``http://127.0.0.1:PORT`` and empty everywhere else.
    """

    environment: str
    api_key: Secret
    secret: Secret
    passphrase: Secret = Secret("")
    base: str = ""


def practice_urls(venue: str, base: str) -> dict[str, Any]:
    """Return ccxt's URL table for a venue of the practice exchange at ``base``.

    The texts matter: ccxt finds the market type of a frame in the text of its URL.
    """
    sockets = "ws" + base.removeprefix("http")
    if venue == "bybit":
        rest, stream = f"{base}/bybit", f"{sockets}/bybit/ws"
        public = {kind: f"{stream}/v5/public/{kind}" for kind in _BYBIT_KINDS}
        private = {
            "spot": {"unified": f"{stream}/v5/private", "nonUnified": f"{stream}/spot/private/v3"},
            "contract": f"{stream}/v5/private",
            "usdc": f"{stream}/trade/option/usdc/private/v1",
            "trade": f"{stream}/v5/trade",
        }
        urls: dict[str, Any] = dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest)
        urls["ws"] = {"public": public, "private": private}
        return urls
    if venue == "binance":
        rest, stream = f"{base}/binance", f"{sockets}/bnws"
        urls = {key: rest + path for key, path in _BINANCE_REST.items()}
        urls["ws"] = {key: stream + path for key, path in _BINANCE_WS.items()}
        urls["ws"]["ws-api"] = {
            "spot": f"{stream}/spot-ws-api/v3",
            "linear": f"{stream}/ws-fapi/v1",
            "inverse": f"{stream}/ws-dapi/v1",
        }
        return urls
    return {"rest": f"{base}/okx", "ws": f"{sockets}/okx/ws/ws/v5"}


_BYBIT_KINDS = ("spot", "linear", "inverse", "option")
_BINANCE_REST = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
_BINANCE_WS = {
    "spot": "/stream/ws",
    "margin": "/stream/ws",
    "linear": "/f/ws",
    "inverse": "/d/ws",
    "stock": "/s/ws",
    "option": "/o/ws",
    "optionMarket": "/om/ws",
    "optionPrivate": "/op/ws",
    "papi": "/pm/ws",
}


def build_exchange(venue: str, access: Access) -> Any:
    """Return a ccxt.pro instance routed to the environment, without any network call.

    Raises:
        UsageError: unknown venue or environment.
        ConfigError: a URL points where the environment forbids.
        SafetyRefusal: ccxt is not the one that is pinned.
    """
    check_ccxt()
    if venue not in VENUES:
        raise UsageError(f"unknown venue {venue!r}: one of {', '.join(VENUES)}")
    if access.environment not in ("practice", "testnet", "live"):
        raise UsageError(f"unknown environment {access.environment!r}")
    config: dict[str, Any] = {
        "apiKey": access.api_key.reveal(),
        "secret": access.secret.reveal(),
        "enableRateLimit": False,
        "timeout": TIMEOUT_MS,
        # Ping every 5 s and give up after two that went unanswered: ccxt's own figures notice a
        # dead Binance socket after nine minutes.
        "streaming": {"keepAlive": 5000, "maxPingPongMisses": 2},
        "options": {
            "defaultType": "swap",
            "recvWindow": RECV_WINDOW_MS,
            "timeDifference": 0,
            "maxRetriesOnFailure": 0,
            "ws": {"compress": 0},
        },
    }
    if access.passphrase:
        config["password"] = access.passphrase.reveal()
    if access.environment == "practice":
        config["urls"] = {SLOTS[venue]: practice_urls(venue, access.base)}
    exchange = exchange_class(venue)(config)
    exchange.timeout_on_exit = 0
    if access.environment != "live":
        if SLOTS[venue] == "demo":
            exchange.enable_demo_trading(True)
        else:
            exchange.set_sandbox_mode(True)
    check_routes(venue, access.environment, exchange.urls["api"], exchange.hostname)
    return exchange


def check_routes(
    venue: str, environment: str, urls: Any, hostname: str | None = None
) -> frozenset[str]:
    """Refuse a URL table that leaves its environment or its venue.

    Returns:
        The hosts that it names.

    Raises:
        ConfigError: practice with a URL that is not loopback; another with one that is not the
            venue's; live with a testnet's.
    """
    problems = []
    hosts = set()
    for key, url in _leaves(urls):
        host = urlsplit(url.replace("{hostname}", hostname or "")).hostname or ""
        hosts.add(host)
        loopback = _is_loopback(host)
        test = any(word in host for word in _TEST_HOSTS)
        if environment == "practice" and not loopback:
            problems.append(f"{venue}: {key}: {url} is not on this machine, in practice")
        elif environment == "testnet" and loopback:
            problems.append(f"{venue}: {key}: {url} is on this machine, in testnet")
        elif environment == "live" and (loopback or test):
            problems.append(f"{venue}: {key}: {url} is not the real venue, in live")
        elif environment != "practice" and not f".{host}".endswith(
            tuple(f".{domain}" for domain in DOMAINS[venue])
        ):
            problems.append(f"{venue}: {key}: {url} is none of the venue's")
    if problems:
        raise ConfigError(problems)
    return frozenset(hosts)


def _leaves(table: Any, path: str = "urls") -> Iterator[tuple[str, str]]:
    if isinstance(table, str):
        yield path, table
    elif isinstance(table, dict):
        for key, value in table.items():
            yield from _leaves(value, f"{path}.{key}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
