"""How fast the kill cord is: 3 venues, 100 resting orders and 5 positions each, loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.config import Config
from core.desk.desk import Desk
from core.desk.kill_worker import VALIDITY
from core.desk.origin import MarketFacts
from core.home import Home
from core.model.event import Kill, KillMode, Resume, TradingState
from core.model.market import Side
from core.model.order import Order, OrderKind, TimeInForce
from exchanges.budget import Urgency
from exchanges.kill import open_kill_gateway
from exchanges.venue import open_gateway
from tests.core.desk.loopback import LoopGateway, LoopKillGateway, LoopVenue
from tests.exchanges.practice_server import PracticeProcess
from tui.control import ask, shut

ROOT = Path(__file__).parents[2]
_SLOW = "text = 'a distant venue'\n[[fault]]\ndo = 'delay'\nseconds = 0.05\n"
_PULLS = 300
_LOOK = f"a second look {VALIDITY:g} s later"
_BTC = "BTC/USDT:USDT"

TARGETS = {
    "command on the socket to closed gate, p99, ms": "<= 5",
    "command to durable latch, p99, ms": "<= 25",
    "kill file to closed gate, slowest of twenty, ms": "<= 250",
    "killcord kill in a second shell to closed gate, s": "<= 0.10",
    "killcord kill in a second shell to durable latch, s": "",
    "all 300 orders cancelled by query, s": "",
    "all flat by query, s": "",
    f"all flat, proved by {_LOOK}, s": "",
    "50 ms venues: all 300 orders cancelled by query, s": "<= 1.8",
    "50 ms venues: all flat by query, s": "",
    f"50 ms venues: all flat, proved by {_LOOK}, s": "<= 3.5",
    "one venue gone: the others proved, against all three, %": "<= 10 more",
    "one venue gone: what is said of it": "BLIND",
    "cancel behind 400 queued reads, slowest venue, ms": "<= 250",
    "guard: blocked loop to latch, s": "<= 1.2",
    "guard: SIGSTOP to latch, s": "<= 1.2",
    "guard: kill -9 to latch, s": "<= 1.2",
    "guard: all orders gone, worst of the three, s": "",
}


def gate() -> dict[str, float | str]:
    """Pull and release the cord of a desk three hundred times, as ``killcord kill`` does."""
    with tempfile.TemporaryDirectory() as folder:
        gates, latches, files = asyncio.run(_pull_often(Path(folder)))
    return {
        "command on the socket to closed gate, p99, ms": _p99(gates),
        "command to durable latch, p99, ms": _p99(latches),
        "kill file to closed gate, slowest of twenty, ms": max(files),
    }


async def _pull_often(folder: Path) -> tuple[list[float], list[float], list[float]]:
    venues = [LoopVenue(name) for name in ("bybit", "binance", "okx")]
    config = Config.model_validate(
        {"environment": "practice", "symbols": ["BTC"], "limits": {}, "arm_on_start": False}
    )
    home = Home(folder)
    desk = Desk(
        config,
        home,
        [LoopGateway(venue) for venue in venues],
        [LoopKillGateway(venue) for venue in venues],
        market=lambda: MarketFacts("loopback"),
        signals=False,
    )
    running = asyncio.create_task(desk.run())
    await desk.ready.wait()
    gates, latches = [], []
    body = {"type": "Kill", "mode": "halt", "cause": "bench", "actor": "bench"}
    for _ in range(_PULLS):
        asked = time.time_ns()
        closed = await asyncio.to_thread(shut, home.socket, body)
        assert closed is not None
        gates.append((closed["closed"] - asked) / 1e6)
        await asyncio.to_thread(ask, home.socket, "POST", "/v1/commands?wait=1", body)
        await _release(desk)
        started = time.perf_counter()
        desk.pump.sink(Kill(KillMode.HALT, "bench", "bench", desk.window.now()))
        await desk.pump.drain(5.0)
        latches.append((time.perf_counter() - started) * 1e3)
        await _release(desk)
    files = []
    for _ in range(20):
        started = time.perf_counter()
        (home.state("practice") / "KILL").write_text("halt")
        while desk.pump.state is not TradingState.HALTED:
            await asyncio.sleep(0.001)
        files.append((time.perf_counter() - started) * 1e3)
        await _release(desk)
    desk.request_stop("measured")
    await running
    return gates, latches, files


async def _release(desk: Desk) -> None:
    await desk.window.command(Resume("bench", desk.window.now()))
    await desk.pump.drain(5.0)
    assert desk.pump.state is TradingState.DISARMED


def _p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def drill(*arguments: str, what: str = "kill") -> dict[str, Any]:
    """Run a drill and return its report."""
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "drill", what, "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


def _worst(report: dict[str, Any], key: str, *but: str) -> float:
    venues = report["venues"].items()
    return max(float(venue[key]) for name, venue in venues if name not in but)


def near() -> dict[str, float | str]:
    """Pull the cord on venues that answer at once, best of three."""
    reports = [drill() for _ in range(3)]
    return {
        "killcord kill in a second shell to closed gate, s": min(
            r["shell_to_gate_s"] for r in reports
        ),
        "killcord kill in a second shell to durable latch, s": min(
            r["shell_to_latch_s"] for r in reports
        ),
        "all 300 orders cancelled by query, s": min(_worst(r, "cancelled_s") for r in reports),
        "all flat by query, s": min(_worst(r, "flat_s") for r in reports),
        f"all flat, proved by {_LOOK}, s": min(r["seconds"] for r in reports),
    }


def distant() -> dict[str, float | str]:
    """Pull it on venues that take 50 ms more for every answer; then with one of them gone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slow.toml"
        path.write_text(_SLOW)
        report = drill("--faults", str(path))
    return {
        "50 ms venues: all 300 orders cancelled by query, s": _worst(report, "cancelled_s"),
        "50 ms venues: all flat by query, s": _worst(report, "flat_s"),
        f"50 ms venues: all flat, proved by {_LOOK}, s": report["seconds"],
    }


def gone() -> dict[str, float | str]:
    """Pull it while one venue answers nothing, and compare the others with a pull on all."""
    both = [(drill(), drill("--faults", "one-venue-gone")) for _ in range(2)]
    more = min(
        _worst(less, "seconds", "bybit") / _worst(full, "seconds", "bybit") - 1
        for full, less in both
    )
    return {
        "one venue gone: the others proved, against all three, %": 100 * more,
        "one venue gone: what is said of it": both[0][1]["venues"]["bybit"]["verdict"],
    }


def queued() -> dict[str, float | str]:
    """Cancel an order on each venue while its trading side has four hundred reads in the queue."""
    with tempfile.TemporaryDirectory() as folder:
        practice = PracticeProcess(Path(folder))
        try:
            times = [
                asyncio.run(_cancel_behind(practice, venue))
                for venue in ("bybit", "binance", "okx")
            ]
        finally:
            practice.stop()
    return {"cancel behind 400 queued reads, slowest venue, ms": max(times)}


async def _cancel_behind(practice: PracticeProcess, venue: str) -> float:
    gateway = open_gateway(venue, practice.access(venue))
    await gateway.connect()
    kill = open_kill_gateway(gateway)
    await kill.open()
    item = gateway.rules.instrument(_BTC)
    trades = await gateway.recent_trades(_BTC)
    price = item.round_price(Decimal(str(trades[-1].price)) * Decimal("0.9"))
    order = Order(
        "K1BENCH00000000000000001", venue, _BTC, Side.BUY, OrderKind.LIMIT, item.min_qty * 10,
        time.time_ns(), price=price, tif=TimeInForce.GTC,
    )  # fmt: skip
    await gateway.submit(order)
    reads = [
        asyncio.create_task(gateway.rules.positions(gateway.line, Urgency.READ)) for _ in range(400)
    ]
    await asyncio.sleep(0)
    started = time.perf_counter()
    found = await kill.open_orders()
    await kill.cancel_orders(found)
    taken = (time.perf_counter() - started) * 1e3
    for read in reads:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    await kill.close()
    await gateway.close()
    return taken


def guard() -> dict[str, float | str]:
    """Block, stop and kill a desk, and time its guard."""
    ways = drill(what="guard")["ways"]
    return {
        "guard: blocked loop to latch, s": ways["blocked"]["acted_s"],
        "guard: SIGSTOP to latch, s": ways["stopped"]["acted_s"],
        "guard: kill -9 to latch, s": ways["killed"]["acted_s"],
        "guard: all orders gone, worst of the three, s": max(
            way["orders_gone_s"] for way in ways.values()
        ),
    }


BENCHES = (gate, near, distant, gone, queued, guard)
