"""Spoil the market data of three venues; time when new risk stops, exits work, and it is over.

Three ways, one after another: the sockets answer pings and send nothing else (stall), books call
bids asks and asks bids (lie), and books fall silent while the rest goes on (gap). In each the desk
must refuse an entry on the venue, close the position it has there all the same, and trade again
when the fault is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import NoDesk, UsageError
from core.model.instrument import VENUES
from exchanges.practice.faults import Deed, Fault, Script
from tui.drills.deadman import market_order
from tui.drills.stage import READY_LIMIT, Scene, ready, stage

QUIET = Script("nothing goes wrong", ())
STOP_LIMIT = 20.0
"""Seconds within which spoiled data must have stopped new risk."""
RECOVERY_LIMIT = 60.0
_LOOK = 0.1
"""Seconds between questions whether an entry would be let through."""
_BOOKS = {
    "bybit": ("orderbook.",),
    "binance": ("depthUpdate", "bookTicker"),
    "okx": ('"books', "bbo-tbt"),
}
"""What a frame with a book contains."""
WAYS = {
    "stall": Script("stall", (Fault(do=Deed.STALL, at="WS *"),)),
    "lie": Script("lie", tuple(
        Fault(do=Deed.LIE, at="WS public", venue=venue, match=text)
        for venue, texts in _BOOKS.items() for text in texts
    )),
    "gap": Script("gap", tuple(
        Fault(do=Deed.DROP, at="WS public", venue=venue, match=text)
        for venue, texts in _BOOKS.items() for text in texts
    )),
}  # fmt: skip


async def drill_feed(faults: str) -> dict[str, Any]:
    """Play it; see the module."""
    if faults:
        raise UsageError("drill feed brings its own faults: leave out --faults")
    ways: dict[str, Any] = {}
    with TemporaryDirectory(prefix="killcord-drill-") as folder:
        quiet = Path(folder) / "quiet.toml"
        quiet.write_text(f"text = {QUIET.text!r}\nfault = []\n")
        async with stage(str(quiet), filled=False) as scene:
            if not await scene.until(ready, READY_LIMIT):
                raise NoDesk("drill: the desk did not get ready")
            await scene.ask("POST", "/v1/commands", {"type": "Arm", "actor": "drill"})
            for way, script in WAYS.items():
                for venue, facts in (await _play(scene, script)).items():
                    ways[f"{way} {venue}"] = facts
    return {"passed": all(facts["passed"] for facts in ways.values()), "ways": ways}


async def _play(scene: Scene, script: Script) -> dict[str, dict[str, Any]]:
    trouble = scene.server.trouble
    assert trouble is not None
    await _each(lambda venue: _buy(scene, venue))
    trouble.play(script)
    facts = await _each(lambda venue: _suffer(scene, venue))
    trouble.play(QUIET)
    recovered = await _each(lambda venue: _recover(scene, venue))
    for venue, found in facts.items():
        found["recovered_s"] = recovered[venue]
        times = (found["stopped_s"], found["exit_s"], found["recovered_s"])
        found["passed"] = found["refused"] and None not in times
    return facts


async def _suffer(scene: Scene, venue: str) -> dict[str, Any]:
    """See an entry refused and a position closed while the data is spoiled."""
    stopped, code = await _until(scene, venue, STOP_LIMIT, passes=False)
    answer = await scene.ask("POST", "/v1/commands", market_order(scene, venue))
    started = time.monotonic()
    close = {"type": "Close", "actor": "drill", "request": f"close-{venue}", "venue": venue}
    await scene.ask("POST", "/v1/commands", close)
    gone = await _wait(lambda: not scene.books()[venue]["positions"], STOP_LIMIT)
    return {
        "stopped_s": stopped,
        "why": code,
        "refused": not answer["ok"],
        "exit_s": round(time.monotonic() - started, 2) if gone else None,
    }


async def _recover(scene: Scene, venue: str) -> float | None:
    """Wait until the desk has seen its exit and would enter again; return after how long."""
    started = time.monotonic()

    def clear(picture: dict[str, Any]) -> bool:
        return not any(held["venue"] == venue for held in picture["positions"])

    if not await scene.until(clear, RECOVERY_LIMIT):
        return None
    if (await _until(scene, venue, RECOVERY_LIMIT, passes=True))[0] is None:
        return None
    return round(time.monotonic() - started, 2)


async def _buy(scene: Scene, venue: str) -> None:
    """Have a position to get out of later."""
    if (await _until(scene, venue, RECOVERY_LIMIT, passes=True))[0] is None:
        raise NoDesk(f"drill: {venue} does not take an entry")
    await scene.ask("POST", "/v1/commands", market_order(scene, venue))
    if not await _wait(lambda: scene.books()[venue]["positions"], STOP_LIMIT):
        orders = (await scene.ask("GET", "/v1/snapshot"))["orders"]
        last: dict[str, Any] = next(
            (o for o in orders if o["venue"] == venue and not o["reduce_only"]), {}
        )
        raise NoDesk(f"drill: {venue} did not fill an entry: {last}")


async def _until(
    scene: Scene, venue: str, limit: float, *, passes: bool
) -> tuple[float | None, str]:
    """Ask until an entry would be let through, or would not; return after how long, and why."""
    started = time.monotonic()
    while (age := time.monotonic() - started) < limit:
        found = await scene.ask("POST", "/v1/whatif", market_order(scene, venue))
        if found["passed"] is passes:
            return round(age, 2), found["code"]
        await asyncio.sleep(_LOOK)
    return None, ""


async def _wait(done: Callable[[], object], limit: float) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if done():
            return True
        await asyncio.sleep(0.02)
    return False


async def _each(work: Callable[[str], Coroutine[Any, Any, Any]]) -> dict[str, Any]:
    """Do something on all venues at once."""
    return dict(zip(VENUES, await asyncio.gather(*map(work, VENUES)), strict=True))
