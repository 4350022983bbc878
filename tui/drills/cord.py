"""Pull the cord on three filled venues from a second process; compare with the venues' books."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any

from core.errors import StateError
from tui.drills.stage import READY_LIMIT, stage


async def drill_kill(faults: str) -> dict[str, Any]:
    """Play it; see the module."""
    async with stage(faults, filled=True) as scene:
        await scene.until(_asked, READY_LIMIT)
        await scene.reach_faults()
        latch = scene.home.latch("practice")
        started, pulled = time.monotonic(), time.time_ns()
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
        report = json.loads(out)
        times = {
            "shell_to_gate_s": round(((report["closed"] or report["started"]) - pulled) / 1e9, 3),
            "shell_to_latch_s": latched,
        }
        return _judge(report, scene.books(), latch.exists()) | times


def _asked(picture: dict[str, Any]) -> bool:
    return all(venue["swept_age_s"] is not None for venue in picture["venues"])


def _judge(report: dict[str, Any], books: dict[str, Any], held: bool) -> dict[str, Any]:
    """Compare what the desk reports with what the venues have."""
    venues: dict[str, Any] = {}
    truthful = held
    for name, said in report["venues"].items():
        left = {"orders": len(books[name]["open"]), "positions": len(books[name]["positions"])}
        flat = said["verdict"] == "FLAT_VERIFIED"
        truthful &= not flat or not (left["orders"] or left["positions"])
        truthful &= flat or bool(said["detail"])
        keys = (
            "verdict", "seconds", "first_cancel_s", "cancelled_s", "flat_s", "orders_cancelled",
        )  # fmt: skip
        facts = {
            key: round(said[key], 3) if isinstance(said[key], float) else said[key] for key in keys
        }
        venues[name] = {**facts, "left_at_venue": left, "detail": said["detail"]}
    flat_everywhere = all(v["verdict"] == "FLAT_VERIFIED" for v in venues.values())
    return {
        "passed": truthful and flat_everywhere,
        "truthful": truthful,
        "latched": held,
        "seconds": round(report["seconds"], 3),
        "venues": venues,
    }
