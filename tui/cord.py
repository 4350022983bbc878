"""``killcord kill``: pull the cord of the running desk and print each venue's verdict.

It must reach the gate within 100 ms of the key that was pressed, of which the interpreter takes a
quarter to start: nothing is imported here that takes a millisecond and can be done without.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import NoDesk, UsageError
from core.home import Home
from tui.control import ask, shut

PATIENCE = 90.0
"""Seconds to wait for a kill report; the executor goes on whatever happens here."""
TAKE_LIMIT = 3.0
"""Seconds for a desk that cannot be spoken to, to take the kill file."""
POLL = 0.05
VENUES = ("bybit", "binance", "okx")
"""As ``core.model.instrument`` has them, whose import costs more than the cord may take."""
UNPROVED = ("", "INCOMPLETE", "BLIND")
"""Verdicts after which the command says that it failed."""


def pull(arguments: argparse.Namespace) -> int:
    """Pull the cord; return 0 when every venue proved what was asked.

    Raises:
        UsageError: there is no such venue.
    """
    if arguments.venue not in ("", *VENUES):
        raise UsageError(f"no venue {arguments.venue!r}: choose one of {', '.join(VENUES)}")
    command = {
        "type": "Kill",
        "mode": arguments.mode,
        "cause": arguments.cause,
        "venue": arguments.venue,
        "actor": actor(),
    }
    home = Home.find()
    done = shut(home.socket, command) or _signal(home, command)
    try:
        if done is not None and done["by"] != "desk":
            report = _follow(Path(done["folder"]), done.get("asked", 0))
        else:
            report = ask(home.socket, "POST", "/v1/commands?wait=1", command, timeout=PATIENCE)
    except NoDesk as error:
        if done is None:
            raise
        raise NoDesk(f"the gate is closed and latched, but no verdict came: {error}") from None
    if done is not None:
        report |= {"by": done["by"], "closed": done["closed"]}
    venues = report.get("venues", {})
    text = json.dumps(report) if arguments.json else "\n".join(_lines(report, venues))
    sys.stdout.write(text + "\n")
    return int(any(facts["verdict"] in UNPROVED for facts in venues.values()))


def _signal(home: Home, command: dict[str, Any]) -> dict[str, Any] | None:
    """Leave the kill file and signal the desk, where it lives and cannot be spoken to.

    Raises:
        NoDesk: it does not take the file either.
    """
    from core.desk.lock import living_holder

    if (found := living_holder(home.lock)) is None:
        return None
    pid, environment = found
    folder = home.state(environment)
    file, asked = folder / "KILL", time.time_ns()
    with suppress(OSError):  # a full disk: the signal is left
        file.write_text(command["mode"])
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + TAKE_LIMIT
    while file.exists():
        if time.monotonic() > deadline:
            raise NoDesk(
                f"the desk (process {pid}) does not answer and no guard is there: {file} waits for"
                f" it; end it with `kill -9 {pid}` and start it anew, it is HALTED then"
            )
        time.sleep(POLL)
    return {"by": "file", "closed": time.time_ns(), "folder": str(folder), "asked": asked}


def _follow(folder: Path, asked: int) -> dict[str, Any]:
    """Wait until the latch lists no venue any more; return the report of the kill.

    Args:
        folder: with the latch and the reports.
        asked: nanoseconds UTC; what the latch says is of this time or later.

    Raises:
        NoDesk: it still lists some; nobody may be at work.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            said = json.loads((folder / "HALTED").read_bytes())
            if said["ts"] >= asked and said["mode"] == "halt":
                return {"venues": {}}
            if said["ts"] >= asked and not said["pending"]:
                newest = max(folder.glob("kill-*.json"), key=os.path.getmtime)
                return dict(json.loads(newest.read_bytes()))
        except (OSError, ValueError, KeyError):
            pass  # it is being written
        time.sleep(POLL)
    raise NoDesk("not every venue proved it: see guard.log and `killcord status`")


def actor() -> str:
    """Return who gives a command from this shell."""
    return f"shell:{os.environ.get('USER') or os.getuid()}"


def _lines(report: dict[str, Any], venues: dict[str, Any]) -> list[str]:
    rows = ["the desk does not answer: its guard did it"] if report.get("by") == "guard" else []
    rows += [
        f"{name:9} {facts['verdict'] or 'RUNNING':15} {facts['seconds']:6.2f} s  cancelled"
        f" {facts['orders_cancelled']}, closed {facts['positions_closed']}  {facts['detail']}"
        for name, facts in venues.items()
    ]
    rows += [] if venues else [report.get("detail", "")]
    return [*filter(None, rows), "HALTED until `killcord resume`"]
