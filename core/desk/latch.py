"""The latch: a file whose presence means HALTED, whatever else is lost."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from core.errors import in_words
from core.files import sync_folder, write_whole
from core.model.event import KillMode


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
        OSError: the disk refused.
    """
    write_whole(path, msgspec.json.encode(latched), durable=True)


def clear(path: Path) -> None:
    """Release the latch durably.

    Raises:
        OSError: the disk refused.
    """
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
