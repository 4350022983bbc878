"""``killcord guard``: the process that pulls the cord when the desk cannot; and how one is started.

Imports what it needs to act and no more: no engine, no store, no configuration. What it must know
it hears from the desk, except the keys, which it reads itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from core.desk.guard import Guard
from core.desk.watchwords import Hello
from core.home import Home
from exchanges.kill import VenueKillGateway
from tui.access import practice_accesses, venue_accesses
from tui.build import build
from tui.output import say
from tui.practice import read_ready_file

CHILD_PATIENCE = 30.0
"""Seconds that a guard started by a desk waits for that desk."""


def run(arguments: argparse.Namespace) -> int:
    """Guard the home's desk until it ends; 1 when the cord had to be pulled."""
    os.umask(0o077)
    home = Home.find()
    home.make("practice")  # a supervisor may start the guard before the first desk
    guard = Guard(
        home,
        lambda hello: _reach(home, hello),
        _teller(as_json=arguments.json),
        CHILD_PATIENCE if arguments.child else None,
        build=build(),
    )
    return int(asyncio.run(guard.run()))


def start(home: Home) -> subprocess.Popen[bytes]:
    """Start a guard for the home's desk, in a session of its own: what ends the desk spares it."""
    command = [sys.executable, "-m", "tui.cli", "guard", "--child"]
    with home.guard_log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _reach(home: Home, hello: Hello) -> Sequence[VenueKillGateway]:
    if hello.environment == "practice":
        accesses = practice_accesses(hello.venues, read_ready_file(home.practice))
    else:
        accesses = venue_accesses(hello.venues, hello.environment, home)
    return [VenueKillGateway(venue, access) for venue, access in accesses.items()]


def _teller(*, as_json: bool) -> Callable[[str], None]:
    def tell(text: str) -> None:
        now = time.time()
        if as_json:
            line = json.dumps({"type": "guard", "ts": int(now * 1e9), "text": text})
        else:
            line = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}  {text}"
        say(line)

    return tell
