"""How fast the kill cord is: 3 venues, 100 resting orders and 5 positions each, loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_SLOW = "text = 'a distant venue'\n[[fault]]\ndo = 'delay'\nseconds = 0.05\n"

TARGETS = {
    "killcord kill in a second shell to durable latch, s": "<= 0.10 to the gate",
    "all flat by query, s": "",
    "all flat, proved by a second look 3.5 s later, s": "",
    "50 ms venues: all flat by query, s": "<= 3.5",
    "50 ms venues: proved by a second look 3.5 s later, s": "",
    "one venue gone: the others flat by query, s": "within 10 % of all",
    "one venue gone: what is said of it": "BLIND",
}


def drill(*arguments: str) -> dict[str, Any]:
    """Run a kill drill and return its report."""
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "drill", "kill", "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


def _flat(report: dict[str, Any], *but: str) -> float:
    return max(
        float(venue["flat_s"]) for name, venue in report["venues"].items() if name not in but
    )


def near() -> dict[str, float | str]:
    """Pull the cord on venues that answer at once, best of three."""
    reports = [drill() for _ in range(3)]
    return {
        "killcord kill in a second shell to durable latch, s": min(
            r["shell_to_latch_s"] for r in reports
        ),
        "all flat by query, s": min(_flat(r) for r in reports),
        "all flat, proved by a second look 3.5 s later, s": min(r["seconds"] for r in reports),
    }


def distant() -> dict[str, float | str]:
    """Pull it on venues that take 50 ms more for every answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slow.toml"
        path.write_text(_SLOW)
        report = drill("--faults", str(path))
    return {
        "50 ms venues: all flat by query, s": _flat(report),
        "50 ms venues: proved by a second look 3.5 s later, s": report["seconds"],
    }


def gone() -> dict[str, float | str]:
    """Pull it while one venue answers nothing."""
    report = drill("--faults", "one-venue-gone")
    return {
        "one venue gone: the others flat by query, s": _flat(report, "bybit"),
        "one venue gone: what is said of it": report["venues"]["bybit"]["verdict"],
    }


BENCHES = (near, distant, gone)
