"""What a desk and its guard say to each other on ``run/guard.sock``: one JSON object a line.

The desk says ``Hello`` once, then ``Beat`` ten times a second from its own loop, and ``End`` when
it ends in order. The guard says ``Duty`` twice a second. The socket itself tells the rest: the
kernel closes it however a process ends.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from core.model.event import KillMode

BEAT = 0.1
"""Seconds between the desk's beats."""
DUTY = 0.5
"""Seconds between the guard's words."""


class Hello(Struct, frozen=True, tag=True):
    """Who is to be guarded, and how."""

    pid: int
    environment: str
    venues: tuple[str, ...]
    mode: KillMode
    """How far the guard goes; a kill that was to go further is finished as it was meant."""
    silence: float
    """Seconds without a beat after which the desk counts as gone."""
    worst: Decimal
    """Largest distance from the mark at which positions are closed, a fraction."""
    epoch: int
    """Number of this start, for client ids."""
    build: str = ""
    """Version and code of the desk."""


class Beat(Struct, frozen=True, tag=True):
    """The desk's loop turns."""


class End(Struct, frozen=True, tag=True):
    """The desk ends in order; there is nothing to guard."""


class Duty(Struct, frozen=True, tag=True):
    """The guard lives, and these venues answer it."""

    pid: int
    ready: tuple[str, ...]
    detail: str = ""
    """Why the others do not."""
    acting: bool = False
    """It has pulled the cord and is busy with that: it guards nothing more."""
    build: str = ""
    """Version and code of the guard."""


Word = Hello | Beat | End | Duty

_decoder: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


def write(word: Word) -> bytes:
    """Return a word as it goes over the socket."""
    return msgspec.json.encode(word) + b"\n"


def read(line: bytes) -> Word:
    """Read one line.

    Raises:
        msgspec.MsgspecError: it is none of the words.
    """
    return _decoder.decode(line)
