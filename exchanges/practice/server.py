"""The practice exchange as a process: one HTTP server on loopback, three venues, one market."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib
import json
import os
import secrets
import signal
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from msgspec import Struct

from core.errors import UsageError, VenueUnavailable
from core.files import write_whole
from core.model.instrument import VENUES
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import RULES
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.faults import read_script
from exchanges.practice.market import Market, choose_market
from exchanges.practice.trouble import Trouble

HOST = "127.0.0.1"
TURN_S = 0.1
"""How often the market moves and timers are looked at."""


class Options(Struct, frozen=True, kw_only=True):
    """How to run the practice exchange."""

    port: int = 0
    """0 takes any free port."""
    seed: int = 1
    market: str = "synthetic"
    """``synthetic`` or the path of a recording."""
    speed: float = 1.0
    """Market seconds per second, above 0 to 100."""
    balance: Decimal = Decimal(100_000)
    """USDT on each venue."""
    ready_file: Path | None = None
    """Written when connections are accepted, removed at the end."""
    idle_exit: float | None = None
    """Seconds without any connection after which the process ends; None for never."""
    fixed_keys: bool = False
    """Derive the keys from the seed, for tests that restart; account ids still differ."""
    limits: Any = None
    """Request limits (``exchanges.practice.wire.Limits``); None for those of the venues."""
    faults: str = ""
    """Name or path of a fault script; see ``exchanges.practice.faults``."""


class Server:
    """A running practice exchange.

    Attributes:
        port: where it listens.
        ready: what the ready file says: pid, port, url, urls, keys, accounts, market, seed, speed.
        venues: by name.
        market: where prices come from.
    """

    def __init__(self, options: Options, market: Market, app: web.Application) -> None:
        self.options = options
        self.market = market
        self.venues: dict[str, PracticeVenue] = {}
        self.port = 0
        self.ready: dict[str, Any] = {}
        self.trouble: Trouble | None = None
        """What goes wrong on purpose; None when all goes well."""
        self._app = app
        self._runner: web.AppRunner | None = None
        self._turns: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._started = 0.0
        self._busy_at = 0.0

    def stop(self) -> None:
        """Ask for the end; ``wait`` returns then."""
        self._stopped.set()

    async def wait(self) -> None:
        """Wait until told to stop, or idle for too long.

        Raises:
            Exception: what ended the market, when it failed.
        """
        assert self._turns is not None
        waiter = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait({waiter, self._turns}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if self._turns.done():
            self._turns.result()

    async def close(self) -> None:
        """Close every connection and remove the ready file."""
        if self._turns is not None:
            self._turns.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._turns
        if self._runner is not None:
            await self._runner.cleanup()
        if self.options.ready_file is not None:
            self.options.ready_file.unlink(missing_ok=True)

    async def _listen(self) -> None:
        # Sockets of clients that are still there at the end are cut, as an exchange would.
        self._runner = web.AppRunner(
            self._app, access_log=None, shutdown_timeout=0.2, handle_signals=False
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self.options.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise VenueUnavailable(
                f"{HOST}:{self.options.port}: cannot listen ({error.strerror}); "
                "choose another --port, or 0 for any"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def _turn(self) -> None:
        """Move the market and the venues' timers ten times a second."""
        loop = asyncio.get_running_loop()
        next_turn = loop.time()
        while True:
            now_ms = time.time_ns() // 1_000_000
            self.market.advance(now_ms)
            for venue in self.venues.values():
                venue.tick()
            if self.trouble is not None:
                self.trouble.turn()
            self._watch_idle(loop.time())
            next_turn = max(next_turn + TURN_S, loop.time())
            await asyncio.sleep(next_turn - loop.time())

    def _watch_idle(self, now: float) -> None:
        limit = self.options.idle_exit
        if limit is None or self._runner is None or self._runner.server is None:
            return
        if self._runner.server.connections or not self._busy_at:
            self._busy_at = now
        elif now - self._busy_at >= limit:
            self.stop()

    def status(self) -> dict[str, Any]:
        """Return the facts of ``GET /practice/status``."""
        return {
            "pid": os.getpid(),
            "market": self.market.description,
            "market_source": self.options.market,
            "seed": self.options.seed,
            "speed": self.options.speed,
            "seconds": round(time.monotonic() - self._started, 3),
            "recording": self.market.status(),
            "accounts": self.ready.get("accounts", {}),
            "venues": {name: venue.counts() for name, venue in self.venues.items()},
            "faults_source": self.options.faults,
            "faults": self.trouble.status() if self.trouble is not None else None,
        }


async def serve(options: Options) -> Server:
    """Start a practice exchange; it accepts connections when this returns.

    Raises:
        RecordingError: the market is not a recording that can be played.
        UsageError: an option makes no sense, or the fault script does not parse.
        VenueUnavailable: the port is taken.
    """
    if not 0 < options.speed <= 100:
        raise UsageError(f"speed {options.speed}: must be above 0 and at most 100")
    if options.balance <= 0:
        raise UsageError(f"balance {options.balance}: must be above 0")
    if not 0 <= options.port <= 65535:
        raise UsageError(f"port {options.port}: must be 0 to 65535")
    script = read_script(options.faults) if options.faults else None
    market = choose_market(options.market, options.seed)
    app = web.Application(client_max_size=1 << 20)
    server = Server(options, market, app)
    start_ms = time.time_ns() // 1_000_000
    server._started = time.monotonic()
    server.venues = {
        name: PracticeVenue(
            name,
            market.contracts(name),
            market,
            FundingClock(start_ms, options.speed, RULES[name].funding_hours),
            _wall_ms,
        )
        for name in VENUES
    }
    market.open(server.venues, start_ms, options.speed)
    if script is not None:
        server.trouble = Trouble(script, server.venues)
        server.trouble.install(app)
    keys, accounts = _open_accounts(server.venues, options)
    app.router.add_get("/practice/status", _status_of(server))
    app.router.add_get("/practice/books", _books_of(server))
    app.router.add_post("/practice/stop", _stop_of(server))
    for name, venue in server.venues.items():
        importlib.import_module(f"exchanges.practice.{name}").mount(app, venue, options.limits)
    await server._listen()
    server.ready = _describe(server, keys, accounts)
    server._turns = asyncio.create_task(server._turn(), name="practice market")
    if options.ready_file is not None:
        # Readable by this user alone: it holds the keys.
        write_whole(options.ready_file, json.dumps(server.ready, indent=1).encode())
    return server


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _open_accounts(
    venues: dict[str, PracticeVenue], options: Options
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    keys: dict[str, dict[str, str]] = {}
    accounts: dict[str, str] = {}
    for name, venue in venues.items():
        # A fresh account has a fresh uid, so that a desk never mistakes it for the last one.
        uid = str(secrets.randbelow(900_000_000) + 100_000_000)
        key = _make_key(options, f"{name} key", 24)
        secret = _make_key(options, f"{name} secret", 48)
        passphrase = _make_key(options, f"{name} passphrase", 16) if name == "okx" else ""
        venue.add_account(uid, options.balance, key, secret, passphrase)
        accounts[name] = uid
        keys[name] = {"api_key": key, "secret": secret}
        if passphrase:
            keys[name]["passphrase"] = passphrase
    return keys, accounts


def _make_key(options: Options, name: str, length: int) -> str:
    if not options.fixed_keys:
        return secrets.token_hex(length // 2)
    text = f"killcord practice {options.seed} {name}"
    return hashlib.blake2b(text.encode(), digest_size=length // 2).hexdigest()


def _describe(
    server: Server, keys: dict[str, dict[str, str]], accounts: dict[str, str]
) -> dict[str, Any]:
    base, socket = f"http://{HOST}:{server.port}", f"ws://{HOST}:{server.port}"
    return {
        "pid": os.getpid(),
        "port": server.port,
        "url": base,
        "urls": {
            "bybit": {"rest": f"{base}/bybit", "ws": f"{socket}/bybit/ws"},
            "binance": {"rest": f"{base}/binance", "ws": f"{socket}/bnws"},
            "okx": {"rest": f"{base}/okx", "ws": f"{socket}/okx/ws/ws/v5"},
        },
        "keys": keys,
        "accounts": accounts,
        "market": server.market.description,
        "seed": server.options.seed,
        "speed": server.options.speed,
    }


def _status_of(server: Server) -> Any:
    async def status(_: web.Request) -> web.Response:
        return web.json_response(server.status())

    return status


def _books_of(server: Server) -> Any:
    async def books(_: web.Request) -> web.Response:
        return web.json_response({name: venue.books() for name, venue in server.venues.items()})

    return books


def _stop_of(server: Server) -> Any:
    async def stop(_: web.Request) -> web.Response:
        server.stop()
        return web.json_response({"stopping": True})

    return stop


async def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT, ``POST /practice/stop`` or idleness."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    # The ready file tells others whom to signal: from then on a signal ends this in order.
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    server = await serve(options)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    if asked.is_set():
        server.stop()
    # What start-up made lives as long as the process: keep the collector away from it.
    gc.collect()
    gc.freeze()
    try:
        await server.wait()
    finally:
        await server.close()
