"""The latch: a file whose presence means HALTED, whatever else is lost.

A disk that is full must not keep the cord from being latched, so room for the file is kept beside
it from the start: what is there already can be written over and renamed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from core.desk.verdicts import RANK
from core.errors import StateError, in_words
from core.files import sync_folder, write_whole
from core.model.event import Kill, KillMode

ROOM = 4096
"""Bytes kept for a latch."""


class Latched(Struct, frozen=True):
    """Why and by whom the cord was pulled."""

    cause: str
    actor: str
    ts: int
    """Nanoseconds UTC."""
    mode: KillMode = KillMode.HALT
    """How far the kill was to go."""
    pending: tuple[str, ...] = ()
    """Venues that have not proved it yet; the next start goes on with them."""


def read(path: Path) -> Latched | None:
    """Return what the latch says; None when there is none.

    A latch that cannot be read is a latch: its presence is the message.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Latched)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        return Latched(f"the latch {path} cannot be read ({in_words(error)})", "latch", 0)


def find(path: Path) -> Latched | None:
    """Return what ``read`` returns; cheap where there is no latch."""
    return read(path) if os.path.exists(path) else None


def write(path: Path, latched: Latched) -> None:
    """Set the latch durably. Blocks for about two disk syncs.

    Raises:
        OSError: the disk refused, and the room that was kept is used up.
    """
    data = msgspec.json.encode(latched)
    try:
        write_whole(path, data, durable=True)
    except OSError as error:
        try:
            # Once used, the room is the latch's own.
            room = _room(path) if _room(path).exists() else path
            if len(data) > room.stat().st_size:
                raise error
            with open(room, "r+b") as file:
                file.write(data.ljust(ROOM))
                file.flush()
                os.fsync(file.fileno())
            room.replace(path)
            sync_folder(path.parent)
        except OSError:
            raise error from None


def demand(path: Path, venues: Sequence[str], kill: Kill) -> None:
    """Have the latch ask for what a pull of the cord asks for, or for what it asked before if more.

    Args:
        path: the latch.
        venues: all there are.
        kill: the pull.

    Raises:
        OSError: as ``write``.
    """
    found = find(path)
    if found is not None and RANK[kill.mode] <= RANK[found.mode]:
        return
    pending: set[str] = set()
    if kill.mode is not KillMode.HALT:
        pending = {name for name in venues if kill.venue in ("", name)}
    if found is not None:
        pending |= set(found.pending)
    write(path, Latched(kill.cause, kill.actor, kill.received, kill.mode, tuple(sorted(pending))))


def keep_room(path: Path) -> None:
    """Keep room on the disk for a latch.

    Raises:
        StateError: the disk refused.
    """
    try:
        if not _room(path).exists():
            write_whole(_room(path), b" " * ROOM, durable=True)
    except OSError as error:
        raise StateError(f"{_room(path)}: cannot be written ({error.strerror})") from error


def _room(path: Path) -> Path:
    return path.with_name(f".{path.name}.room")


def clear(path: Path) -> None:
    """Release the latch durably.

    Raises:
        OSError: the disk refused.
    """
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
