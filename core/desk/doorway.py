"""Unix sockets that only their owner can reach, and the commands that come in by them."""

from __future__ import annotations

import os
import socket
import struct
from decimal import Decimal
from pathlib import Path

import msgspec

from core.model.event import Command
from core.model.instrument import LARGEST


def listen(path: Path) -> socket.socket:
    """Return a Unix socket that only this user can reach; what was there before is removed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def peer_uid(peer: socket.socket) -> int | None:
    """Return the uid of the process at the other end; None where the system cannot say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", packed)[1])


def read_command(body: bytes, now: int) -> Command:
    """Read a command as a client sends it: without the time of receipt.

    Raises:
        msgspec.MsgspecError: it is not one; the text says which field is wrong.
    """
    fields = msgspec.json.decode(body)
    if not isinstance(fields, dict):
        raise msgspec.ValidationError("Expected a JSON object")
    fields["received"] = now
    fields.setdefault("actor", "socket")
    if fields.get("type") == "Kill":
        fields.setdefault("cause", "asked for")
    command: Command = msgspec.convert(fields, Command)
    for name in command.__struct_fields__:
        value = getattr(command, name)
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < LARGEST):
            raise msgspec.ValidationError(f"Expected a number below {LARGEST:,f} - at `$.{name}`")
    return command
