"""Routing: every URL of an environment stays in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.errors import ConfigError, UsageError
from core.model.instrument import VENUES
from core.secrets import Secret
from exchanges.access import Access, build_exchange, check_routes, practice_urls

BASE = "http://127.0.0.1:4321"


def access(environment: str) -> Access:
    base = BASE if environment == "practice" else ""
    return Access(environment, Secret("k"), Secret("s"), Secret("p"), base)


@pytest.mark.parametrize("venue", VENUES)
def test_practice_stays_on_this_machine(venue: str) -> None:
    exchange = build_exchange(venue, access("practice"))
    assert "127.0.0.1:4321" in str(exchange.urls["api"])
    assert exchange.enableRateLimit is False
    if venue == "okx":
        assert exchange.headers["x-simulated-trading"] == "1"


@pytest.mark.parametrize("venue", VENUES)
def test_testnet_and_live_are_different_places(venue: str) -> None:
    test = build_exchange(venue, access("testnet"))
    live = build_exchange(venue, access("live"))
    assert test.urls["api"]["ws"] != live.urls["api"]["ws"]
    assert "127.0.0.1" not in str(test.urls["api"]) + str(live.urls["api"])


@pytest.mark.parametrize("venue", VENUES)
def test_one_forgotten_url_is_refused(venue: str) -> None:
    urls = practice_urls(venue, BASE)
    urls["more"] = {"deep": "https://api.example.com"}
    with pytest.raises(ConfigError, match=r"urls\.more\.deep"):
        check_routes(venue, "practice", urls)
    with pytest.raises(ConfigError):
        check_routes(venue, "live", practice_urls(venue, BASE))


def test_live_refuses_a_testnet_host() -> None:
    with pytest.raises(ConfigError, match="not the real venue"):
        check_routes("bybit", "live", {"private": "https://api-testnet.bybit.com"})


def test_unknown_names_are_usage_errors() -> None:
    with pytest.raises(UsageError):
        build_exchange("kraken", access("practice"))
    with pytest.raises(UsageError):
        build_exchange("bybit", access("paper"))


def test_lean_import_leaves_the_rest_of_ccxt_alone_and_reachable() -> None:
    script = (
        "import sys, threading\n"
        "from exchanges.lean import exchange_class\n"
        "found = []\n"
        "threads = [threading.Thread(target=lambda v=v: found.append(exchange_class(v)))"
        " for v in ('bybit', 'binance', 'okx') * 3]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert len(found) == 9 and len(set(found)) == 3, found\n"
        "modules = [m for m in sys.modules if m.startswith('ccxt')]\n"
        "assert len(modules) < 60, len(modules)\n"
        "import ccxt.pro\n"
        "assert ccxt.pro.bybit in found and ccxt.pro.kraken().id == 'kraken'\n"
        "from ccxt import RequestTimeout\n"
        "assert ccxt.pro.RequestTimeout is RequestTimeout\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
