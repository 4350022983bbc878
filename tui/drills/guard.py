"""Block, stop and kill the desk with orders out; time what its guard does each time.

A strategy blocks the desk's loop; then the desk is stopped (SIGSTOP), then killed (SIGKILL). It
must be HALTED each time it comes to, and when it is started anew; in between the latch is
released, the guard is back, and the venues are filled again.
"""

from __future__ import annotations

import asyncio
import time
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

from core.desk import latch
from core.errors import NoDesk
from tui.drills.stage import READY_LIMIT, Scene, rest, stage

LIMIT = 15.0
"""Seconds after which a guard that has not cancelled everything has failed."""
_BLOCK = 6.0
"""Seconds for which the strategy blocks the loop: longer than the guard takes."""
_STRATEGY = f'''
import time
from pathlib import Path


class Drilled:
    """Does nothing, until a file tells it to block the loop it runs in."""

    warmup = 0

    def __init__(self, settings):
        self.sign = Path(__file__).with_name("block")

    def on_candle(self, candle):
        if self.sign.exists():
            self.sign.unlink()
            time.sleep({_BLOCK})
        return None
'''


async def drill_guard(faults: str) -> dict[str, Any]:
    """Play it; see the module."""
    ways: dict[str, Any] = {}
    async with stage(faults, filled=True, guard=True, strategy=_STRATEGY) as scene:
        for way in ("blocked", "stopped", "killed"):
            if ways:
                await scene.ask("POST", "/v1/commands", {"type": "Resume", "actor": "drill"})
                for venue in scene.server.venues.values():
                    rest(venue, way)
            if not await scene.until(_guarded, READY_LIMIT):
                raise NoDesk("drill: no guard came to watch the desk")
            ways[way] = await _play(scene, way)
    return {"passed": all(facts["halted"] for facts in ways.values()), "ways": ways}


async def _play(scene: Scene, way: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"acted_s": None, "first_cancel_s": None, "orders_gone_s": None}
    path = scene.home.latch("practice")
    full = _entries(scene)
    if way == "blocked":
        await _block(scene)
    else:
        scene.desk.send_signal(SIGSTOP if way == "stopped" else SIGKILL)
    started = time.monotonic()
    while facts["orders_gone_s"] is None and time.monotonic() - started < LIMIT:
        await asyncio.sleep(0.005)
        age, left = round(time.monotonic() - started, 3), _entries(scene)
        if facts["acted_s"] is None and path.exists():
            facts["acted_s"] = age
        if facts["first_cancel_s"] is None and left < full:
            facts["first_cancel_s"] = age
        if not left:
            facts["orders_gone_s"] = age
    facts["halted"] = await _comes_back_halted(scene, way) and facts["orders_gone_s"] is not None
    found = latch.read(path)
    facts["cause"] = found.cause if found else ""
    return facts


async def _block(scene: Scene) -> None:
    """Have the strategy block the loop; return when it has begun."""
    sign = scene.home.strategies / "block"
    sign.touch()
    async with asyncio.timeout(READY_LIMIT):
        while True:
            await asyncio.sleep(0.002)
            if not sign.exists():
                return


async def _comes_back_halted(scene: Scene, way: str) -> bool:
    if way == "stopped":
        scene.desk.send_signal(SIGCONT)
    elif way == "killed":
        scene.desk.wait()
        scene.restart()
    return await scene.until(lambda picture: picture["state"] == "halted", READY_LIMIT)


def _entries(scene: Scene) -> int:
    """Count the ordinary orders on the venues' own books."""
    books = scene.books().values()
    return sum(order["kind"] == "limit" for each in books for order in each["open"])


def _guarded(picture: dict[str, Any]) -> bool:
    guard = picture["guard"] or {}
    return guard.get("state") == "watching" and picture["state"] == "disarmed"
