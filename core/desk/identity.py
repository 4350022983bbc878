"""Who this installation is, in the client ids of its orders."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from core.errors import StateError, in_words
from core.files import write_whole

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Identity(Struct, frozen=True):
    """Made once for a state folder. Without it our own orders look like someone else's."""

    instance: str
    """Four characters of [A-Z0-9]."""
    key: bytes
    """Signs client ids; worthless to anyone else."""


def identity(folder: Path) -> Identity:
    """Return the identity of a state folder, making one at the first start.

    Raises:
        StateError: the file is damaged or cannot be written.
    """
    path = folder / "identity.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(
            f"{path}: cannot be read ({in_words(error)}); restore it from a backup, or"
            " move it away: then orders that this desk left at the venues count as someone else's"
        ) from error
    made = Identity("".join(secrets.choice(_ALPHABET) for _ in range(4)), secrets.token_bytes(32))
    try:
        write_whole(path, msgspec.json.encode(made), durable=True)
    except OSError as error:
        raise StateError(
            f"{path}: cannot be written ({error.strerror}); move the home with KILLCORD_HOME"
        ) from error
    return made
