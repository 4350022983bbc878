"""Kill the desk with orders out; time what the venues do by themselves."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

from core.errors import NoDesk, StateError
from core.model.instrument import VENUES
from tui.drills.stage import READY_LIMIT, Scene, ready, stage

SYMBOL = "BTC/USDT:USDT"
DEAD_LIMIT = 45.0
"""Seconds after which a dead-man timer of 30 s has certainly fired."""


async def drill_deadman(faults: str) -> dict[str, Any]:
    """Rest an order on each venue and play it; see the module."""
    async with stage(faults, filled=False) as scene:
        if not await scene.until(ready, READY_LIMIT):
            raise NoDesk("drill: the desk did not get ready")
        await scene.ask("POST", "/v1/commands", {"type": "Arm", "actor": "drill"})
        for venue in VENUES:
            await _rest(scene, venue)
        wanted = {name for name in VENUES if name != "bybit"}
        armed = await scene.until(lambda s: wanted <= _armed(s) and _protected(s, scene), 20.0)
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
    mark = Decimal(str(held.tapes[SYMBOL].mark))
    below = str(held.instruments[SYMBOL].round_price(mark * Decimal("0.985")))
    for kind in ({}, {"kind": "limit", "price": below}):
        answer = await scene.ask("POST", "/v1/commands", market_order(scene, venue) | kind)
        if not answer["ok"]:
            raise StateError(f"drill: {venue} {kind}: {answer['code']} {answer['detail']}")


def market_order(scene: Scene, venue: str) -> dict[str, Any]:
    """Return the command that buys 300 USDT worth."""
    held = scene.server.venues[venue]
    mark = Decimal(str(held.tapes[SYMBOL].mark))
    return {
        "type": "Submit",
        "actor": "drill",
        "request": uuid4().hex[:12],
        "venue": venue,
        "symbol": SYMBOL,
        "side": "buy",
        "kind": "market",
        "qty": str(held.instruments[SYMBOL].floor_qty(Decimal(300) / mark)),
    }


def _armed(picture: dict[str, Any]) -> set[str]:
    return {v["venue"] for v in picture["venues"] if v["dead_man_s"] is not None}


def _protected(picture: dict[str, Any], scene: Scene) -> bool:
    """Whether each position has its stop, by the desk's word and by the venue's books."""
    held = picture["positions"]
    said = len(held) == len(VENUES) and all(position["stop"] is not None for position in held)
    return said and all(_stops(books) for books in scene.books().values())


def _stops(books: dict[str, Any]) -> int:
    return sum(order["kind"] != "limit" for order in books["open"])
