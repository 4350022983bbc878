"""``killcord verify``: is the journal what the desk wrote?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec

from core.errors import JournalCorrupt, UsageError
from core.home import Home
from core.journal import frames
from tui.output import reply

_TRIES = 5
"""A running desk may be in the middle of a record; the next look finds it whole."""


def run(arguments: argparse.Namespace) -> int:
    """Check the hash chain of a journal and print what it holds.

    Raises:
        JournalCorrupt: naming file, record and byte.
        UsageError: there is no journal there.
    """
    path = Path(arguments.path) if arguments.path else _find(arguments)
    if not path.exists() or (path.is_dir() and not frames.files(path)):
        raise UsageError(f"{path}: no journal here; a desk begins one when it starts")
    found = frames.verify(path)
    for _ in range(_TRIES):
        if not found.tail:
            break
        time.sleep(0.1)
        found = frames.verify(path)
    if found.tail:
        raise JournalCorrupt(
            f"{found.tail}; a crash while writing leaves this, and the next start cuts it off; "
            "after an orderly end it means that the file was changed"
        )
    line = (
        f"{path}: {found.records} records in {found.files} files follow from one another; "
        f"head {found.head}"
    )
    facts = {"type": "verified", "path": str(path), **msgspec.to_builtins(found)}
    reply(arguments, facts, [line])
    return 0


def _find(arguments: argparse.Namespace) -> Path:
    from tui.settings import read

    home = Home.find()
    return home.state(arguments.env or read(arguments, home).environment) / "journal"
