"""Where drills play: a practice exchange filled with orders and positions, and a desk on it.

The exchange runs in this process and is filled directly, so that what it says at the end is the
venue's own word; the desk is the real one, in a process of its own and a home made for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.desk.lock import Lock
from core.errors import AlreadyRunning, KillcordError, StateError
from core.home import Home
from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.server import Options, Server, serve
from exchanges.practice.state import OrderRequest
from tui.control import ask

ORDERS = 100
"""Resting orders on each venue."""
POSITIONS = 5
READY_LIMIT = 60.0
"""Seconds that a desk under faults may take until it answers and has asked every venue."""
GUARD_LIMIT = 20.0
"""Seconds within which a guard is done with a desk that is gone."""
_SCRUBBED = ("TRADING_ENVIRONMENT", "ALLOW_LIVE_TRADING", "DATABASE_URL")


class Scene:
    """A practice exchange with a desk on it."""

    def __init__(self, home: Home, server: Server) -> None:
        self.home = home
        self.server = server
        self.desk = _start_desk(home)

    def restart(self) -> None:
        """Start a desk anew where one has ended."""
        self.desk = _start_desk(self.home)

    async def ask(
        self, method: str, target: str, body: object = None, timeout: float = 10.0
    ) -> Any:
        """Ask the desk, off the loop that the exchange runs on."""
        return await asyncio.to_thread(ask, self.home.socket, method, target, body, timeout)

    async def until(self, ready: Callable[[dict[str, Any]], object], limit: float) -> bool:
        """Wait for the desk's picture to be so; return whether it came to be within the limit.

        Raises:
            StateError: the desk ended.
        """
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.desk.poll() is not None:
                text = self.home.desk_log.read_text(errors="replace").strip()
                raise StateError(f"drill: the desk ended: {text.splitlines()[-1:] or ''}")
            with suppress(KillcordError):
                if ready(await self.ask("GET", "/v1/snapshot")):
                    return True
            await asyncio.sleep(0.05)
        return False

    async def reach_faults(self) -> None:
        """Wait until the first fault is at work.

        Raises:
            StateError: all of them are over: what follows would show nothing.
        """
        trouble = self.server.trouble
        if trouble is None:
            return
        faults = trouble.script.fault
        await asyncio.sleep(max(0.0, min(fault.begin for fault in faults) + 1.0 - trouble.age))
        if all(fault.lasts and trouble.age > fault.begin + fault.lasts for fault in faults):
            raise StateError(
                "drill: the faults were over before the desk was ready; try again when this"
                " machine has less to do"
            )

    async def until_unguarded(self) -> None:
        """Wait for the end of a guard: it is another process, and writes into the folder."""
        deadline = time.monotonic() + GUARD_LIMIT
        while time.monotonic() < deadline:
            try:
                Lock(self.home.guard_lock, "the guard's place").release()
                return
            except AlreadyRunning:
                await asyncio.sleep(0.05)

    def books(self) -> dict[str, Any]:
        """Return the venues' own books."""
        return {name: venue.books() for name, venue in self.server.venues.items()}


@asynccontextmanager
async def stage(
    faults: str,
    *,
    filled: bool,
    guard: bool = False,
    strategy: str = "",
) -> AsyncIterator[Scene]:
    """Start exchange and desk in a folder of their own; end both.

    Args:
        faults: script's name or path; empty for none.
        filled: put resting orders and positions on every venue first.
        guard: let the desk start its guard.
        strategy: source of a strategy for the desk to run; empty: a built-in one.
    """
    with tempfile.TemporaryDirectory(prefix="killcord-drill-") as folder:
        home = Home(Path(folder))
        home.make("practice")
        if strategy:
            home.strategies.mkdir()
            (home.strategies / "drilled.py").write_text(strategy)
        home.config_file.write_text(
            f"arm_on_start = false\n[guard]\nstart = {str(guard).lower()}\n"
            # Exchange and desk share what is left of the machine: it is not the one on trial.
            "[limits]\nloop_lag = 60\n"
            # A drill that places its own orders wants no strategy to add some: an hour is quiet.
            f"[strategy]\ntimeframe = '{'1s' if strategy else '1h'}'\n"
            f"name = '{'drilled' if strategy else 'ema_cross'}'\n"
            f"[practice]\nseed = 7\nfaults = {json.dumps(faults)}\n[storage]\nrecord = false\n"
        )
        server = await serve(Options(seed=7, faults=faults, ready_file=home.practice))
        if filled:
            for venue in server.venues.values():
                fill(venue)
        scene = Scene(home, server)
        try:
            yield scene
        finally:
            scene.desk.kill()
            await asyncio.to_thread(scene.desk.wait)
            await scene.until_unguarded()
            await server.close()


def _start_desk(home: Home) -> subprocess.Popen[bytes]:
    """Start a desk as a terminal would."""
    environ = {name: text for name, text in os.environ.items() if name not in _SCRUBBED}
    command = [sys.executable, "-m", "tui.cli", "desk", "--env", "practice"]
    with home.desk_log.open("ab") as log:
        return subprocess.Popen(
            command,
            env=environ | {"KILLCORD_HOME": str(home.data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def fill(venue: PracticeVenue) -> None:
    """Open positions in five instruments, long and short, and rest a hundred orders around them."""
    account = next(iter(venue.api_keys.values())).account
    symbols = list(venue.instruments)[:POSITIONS]
    for number, symbol in enumerate(symbols):
        item, mark = venue.instruments[symbol], Decimal(str(venue.tapes[symbol].mark))
        side = Side.BUY if number % 2 else Side.SELL
        qty = item.floor_qty(Decimal(1000) / mark)
        venue.submit(
            account, OrderRequest(symbol=symbol, side=side, kind=OrderKind.MARKET, qty=qty)
        )
    rest(venue, "drill")


def rest(venue: PracticeVenue, name: str) -> None:
    """Rest a hundred orders around the first five instruments' prices.

    Args:
        name: what their client ids begin with.
    """
    account = next(iter(venue.api_keys.values())).account
    symbols = list(venue.instruments)[:POSITIONS]
    for number in range(ORDERS):
        symbol = symbols[number % POSITIONS]
        item, mark = venue.instruments[symbol], Decimal(str(venue.tapes[symbol].mark))
        side = Side.BUY if number % 2 else Side.SELL
        away = 1 - side.sign * (Decimal("0.02") + Decimal(number) / 10_000)
        venue.submit(
            account,
            OrderRequest(
                symbol=symbol,
                side=side,
                kind=OrderKind.LIMIT,
                qty=item.floor_qty(Decimal(200) / mark),
                price=item.round_price(mark * away),
                tif=TimeInForce.GTC,
                client_id=f"{name}{number}",
            ),
        )


def ready(picture: dict[str, Any]) -> bool:
    """Whether every venue may be traded."""
    return all(venue["state"] == "ready" for venue in picture["venues"])
