"""``killcord drill``: pull the cord, or die, on a practice exchange of its own; report with times.

The exchange runs in this process and is filled directly, so that what it says at the end is the
venue's own word; the desk is the real one, in a process of its own and a home made for it.
"""

from __future__ import annotations

import argparse
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

from core.errors import KillcordError, NoDesk, StateError
from core.home import Home
from core.model.instrument import VENUES
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
DEAD_LIMIT = 45.0
"""Seconds after which a dead-man timer of 30 s has certainly fired."""
_SCRUBBED = ("TRADING_ENVIRONMENT", "ALLOW_LIVE_TRADING", "DATABASE_URL")


class Scene:
    """A practice exchange with a desk on it."""

    def __init__(self, home: Home, server: Server, desk: subprocess.Popen[bytes]) -> None:
        self.home = home
        self.server = server
        self.desk = desk

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
        """Wait until the first fault is at work."""
        trouble = self.server.trouble
        if trouble is not None:
            begin = min(fault.begin for fault in trouble.script.fault)
            await asyncio.sleep(max(0.0, begin + 1.0 - trouble.age))

    def books(self) -> dict[str, Any]:
        """Return the venues' own books."""
        return {name: venue.books() for name, venue in self.server.venues.items()}


@asynccontextmanager
async def stage(faults: str, *, filled: bool, arm: bool) -> AsyncIterator[Scene]:
    """Start exchange and desk in a folder of their own; end both.

    Args:
        faults: script's name or path; empty for none.
        filled: put resting orders and positions on every venue first.
        arm: let the desk trade.
    """
    with tempfile.TemporaryDirectory(prefix="killcord-drill-") as folder:
        home = Home(Path(folder))
        home.make("practice")
        home.config_file.write_text(
            f"arm_on_start = {str(arm).lower()}\n[limits]\n"
            # A drill that places its own orders wants no strategy to add some: an hour is quiet.
            f"[strategy]\ntimeframe = '{'1s' if arm else '1h'}'\n"
            f"[practice]\nseed = 7\nfaults = {json.dumps(faults)}\n[storage]\nrecord = false\n"
        )
        server = await serve(Options(seed=7, faults=faults, ready_file=home.practice))
        if filled:
            for venue in server.venues.values():
                fill(venue)
        environ = {name: text for name, text in os.environ.items() if name not in _SCRUBBED}
        desk = start_desk(home, environ | {"KILLCORD_HOME": folder})
        try:
            yield Scene(home, server, desk)
        finally:
            desk.kill()
            await asyncio.to_thread(desk.wait)
            await server.close()


def start_desk(home: Home, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a desk as a terminal would."""
    command = [sys.executable, "-m", "tui.cli", "desk", "--env", "practice"]
    with home.desk_log.open("wb") as log:
        return subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
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
                client_id=f"drill{number}",
            ),
        )


def run(arguments: argparse.Namespace) -> int:
    """Run a drill, print its report, return 0 when it went as it must."""
    faults = arguments.faults or ""
    if faults and Path(faults).is_file():
        faults = str(Path(faults).resolve())
    drills = {"kill": drill_kill, "deadman": drill_deadman}
    report = asyncio.run(drills[arguments.what](faults))
    report = {"type": "drill", "drill": arguments.what, "faults": arguments.faults, **report}
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(report)) + "\n")
    return 0 if report["passed"] else 1


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"drill {report['drill']}: {'passed' if report['passed'] else 'NOT PASSED'}"]
    for name, facts in report["venues"].items():
        lines.append(f"{name:9}" + "  ".join(f"{key} {value}" for key, value in facts.items()))
    return lines + [
        f"{key}: {value}"
        for key, value in report.items()
        if key not in ("type", "drill", "venues", "passed") and value is not None
    ]


async def drill_kill(faults: str) -> dict[str, Any]:
    """Fill three venues, pull the cord from a second process, compare with the venues' books."""
    async with stage(faults, filled=True, arm=False) as scene:
        await scene.until(_asked, READY_LIMIT)
        await scene.reach_faults()
        latch = scene.home.latch("practice")
        started = time.monotonic()
        killer = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tui.cli", "kill", "--mode", "flatten", "--json",
            "--cause", "drill",
            env=os.environ | {"KILLCORD_HOME": str(scene.home.data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        waiter = asyncio.create_task(killer.communicate())
        latched = None
        while not waiter.done():
            if latched is None and latch.exists():
                latched = round(time.monotonic() - started, 3)
            await asyncio.sleep(0.002 if latched is None else 0.05)
        out, problems = waiter.result()
        if not out:
            raise StateError(f"drill: killcord kill failed: {problems.decode().strip()}")
        return _judge(json.loads(out), scene.books(), latched, latch.exists())


def _asked(picture: dict[str, Any]) -> bool:
    return all(venue["swept_age_s"] is not None for venue in picture["venues"])


def _judge(
    report: dict[str, Any], books: dict[str, Any], latched: float | None, held: bool
) -> dict[str, Any]:
    """Compare what the desk reports with what the venues have."""
    venues: dict[str, Any] = {}
    truthful = held
    for name, said in report["venues"].items():
        left = {"orders": len(books[name]["open"]), "positions": len(books[name]["positions"])}
        flat = said["verdict"] == "FLAT_VERIFIED"
        truthful &= not flat or not (left["orders"] or left["positions"])
        truthful &= flat or bool(said["detail"])
        keys = ("verdict", "seconds", "first_cancel_s", "flat_s", "orders_cancelled")
        facts = {
            key: round(said[key], 3) if isinstance(said[key], float) else said[key] for key in keys
        }
        venues[name] = {**facts, "left_at_venue": left, "detail": said["detail"]}
    flat_everywhere = all(v["verdict"] == "FLAT_VERIFIED" for v in venues.values())
    return {
        "passed": truthful and flat_everywhere,
        "truthful": truthful,
        "latched": held,
        "shell_to_latch_s": latched,
        "seconds": round(report["seconds"], 3),
        "venues": venues,
    }


async def drill_deadman(faults: str) -> dict[str, Any]:
    """Rest an order on each venue, kill the desk, time what the venues do by themselves."""
    async with stage(faults, filled=False, arm=False) as scene:
        if not await scene.until(_ready, READY_LIMIT):
            raise NoDesk("drill: the desk did not get ready")
        await scene.ask("POST", "/v1/commands", {"type": "Arm", "actor": "drill"})
        for venue in VENUES:
            await _rest(scene, venue)
        wanted = {name for name in VENUES if name != "bybit"}
        armed = await scene.until(lambda s: wanted <= _armed(s) and _protected(s), 20.0)
        stops = {name: _stops(books) for name, books in scene.books().items()}
        scene.desk.kill()
        started = time.monotonic()
        gone: dict[str, float] = {}
        while time.monotonic() - started < DEAD_LIMIT and wanted - set(gone):
            for name, books in scene.books().items():
                if name not in gone and not [o for o in books["open"] if o["kind"] == "limit"]:
                    gone[name] = round(time.monotonic() - started, 2)
            await asyncio.sleep(0.05)
        left = scene.books()
        venues = {
            name: {
                "orders_gone_s": gone.get(name),
                "timer": "none" if name == "bybit" else "armed",
                "stops_before": stops[name],
                "stops_after": _stops(left[name]),
            }
            for name in VENUES
        }
        kept = all(v["stops_after"] == v["stops_before"] == 1 for v in venues.values())
        return {"passed": armed and kept and wanted <= set(gone), "venues": venues}


async def _rest(scene: Scene, venue: str) -> None:
    """Have the desk open a position, which it protects by a stop, and rest an entry below it."""
    held = scene.server.venues[venue]
    item = held.instruments["BTC/USDT:USDT"]
    mark = Decimal(str(held.tapes["BTC/USDT:USDT"].mark))
    order = {
        "type": "Submit",
        "actor": "drill",
        "venue": venue,
        "symbol": "BTC/USDT:USDT",
        "side": "buy",
        "qty": str(item.floor_qty(Decimal(300) / mark)),
    }
    below = str(item.round_price(mark * Decimal("0.985")))
    for kind in ({"kind": "market"}, {"kind": "limit", "price": below}):
        request = {**order, **kind, "request": f"drill-{venue}-{kind['kind']}"}
        answer = await scene.ask("POST", "/v1/commands", request)
        if not answer["ok"]:
            raise StateError(f"drill: {venue} {kind['kind']}: {answer['code']} {answer['detail']}")


def _ready(picture: dict[str, Any]) -> bool:
    return all(venue["state"] == "ready" for venue in picture["venues"])


def _armed(picture: dict[str, Any]) -> set[str]:
    return {v["venue"] for v in picture["venues"] if v["dead_man_s"] is not None}


def _protected(picture: dict[str, Any]) -> bool:
    held = picture["positions"]
    return len(held) == len(VENUES) and all(position["stop"] is not None for position in held)


def _stops(books: dict[str, Any]) -> int:
    return sum(order["kind"] != "limit" for order in books["open"])
