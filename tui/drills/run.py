"""``killcord drill WHAT``: play it, print the report."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from tui.drills.cord import drill_kill
from tui.drills.deadman import drill_deadman
from tui.drills.feed import drill_feed
from tui.drills.guard import drill_guard
from tui.output import reply

DRILLS = {
    "kill": drill_kill,
    "deadman": drill_deadman,
    "feed": drill_feed,
    "guard": drill_guard,
}


def run(arguments: argparse.Namespace) -> int:
    """Run a drill, print its report, return 0 when it went as it must."""
    faults = arguments.faults or ""
    if faults and Path(faults).is_file():
        faults = str(Path(faults).resolve())
    report = asyncio.run(DRILLS[arguments.what](faults))
    report = {"type": "drill", "drill": arguments.what, "faults": arguments.faults, **report}
    reply(arguments, report, _lines(report))
    return 0 if report["passed"] else 1


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"drill {report['drill']}: {'passed' if report['passed'] else 'NOT PASSED'}"]
    plain = []
    for key, value in report.items():
        if isinstance(value, dict):
            for name, facts in value.items():
                text = "  ".join(
                    f"{fact} {_plain(said)}" for fact, said in facts.items() if said != ""
                )
                lines.append(f"{name:14} {text}")
        elif key not in ("type", "drill", "passed") and value is not None:
            plain.append(f"{key}: {_plain(value)}")
    return lines + plain


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return str(value)
