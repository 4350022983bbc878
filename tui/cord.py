"""``killcord kill``: pull the cord of the running desk and print each venue's verdict.

It must reach the gate within 100 ms of the key that was pressed, of which the interpreter takes a
quarter to start: nothing is imported here that takes a millisecond and can be done without.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from core.errors import NoDesk, UsageError
from core.home import Home
from tui.control import ask, shut

PATIENCE = 90.0
"""Seconds to wait for a kill report; the executor goes on whatever happens here."""
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
    path = Home.find().socket
    closed = shut(path, command)
    try:
        report = ask(path, "POST", "/v1/commands?wait=1", command, timeout=PATIENCE)
    except NoDesk as error:
        if closed is None:
            raise
        raise NoDesk(f"the gate is closed and latched, but no verdict came: {error}") from None
    report["closed"] = closed
    venues = report.get("venues", {})
    text = json.dumps(report) if arguments.json else "\n".join(_lines(venues))
    sys.stdout.write(text + "\n")
    return int(any(facts["verdict"] in UNPROVED for facts in venues.values()))


def actor() -> str:
    """Return who gives a command from this shell."""
    return f"shell:{os.environ.get('USER') or os.getuid()}"


def _lines(venues: dict[str, Any]) -> list[str]:
    rows = [
        f"{name:9} {facts['verdict'] or 'RUNNING':15} {facts['seconds']:6.2f} s  cancelled"
        f" {facts['orders_cancelled']}, closed {facts['positions_closed']}  {facts['detail']}"
        for name, facts in venues.items()
    ]
    return [*rows, "HALTED until `killcord resume`"]
