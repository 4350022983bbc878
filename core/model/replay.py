"""Looking at a recorded session: where it stands, and what may be asked of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Recorded seconds a second."""


class Mark(StrEnum):
    """A moment worth jumping to."""

    ORDER = "order"
    """An order of ours went out."""
    REFUSAL = "refusal"
    """The gate refused one."""
    ALARM = "alarm"


class ReplayView(Struct, frozen=True, gc=False):
    """Where a replay stands. Times are nanoseconds UTC of the recorded session."""

    name: str
    first: int
    """When the first event was received."""
    last: int
    at: int
    speed: float
    paused: bool
    ended: bool
    """The last event has been shown."""
    winding: float | None
    """Share of the way to where a jump leads; None while nothing is under way."""
    compared: int
    """Events whose decisions were compared with the recorded ones."""
    differs: int
    """Number of the first event with other decisions; 0 while all are the same."""
    orders: int
    """Marks seen so far, as the next two."""
    refusals: int
    alarms: int
    note: str
    """What else a person should know; may be empty."""


class Wish(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person wants of a replay; fields that are not set change nothing."""

    pause: bool | None = None
    speed: float | None = None
    """1 to 60."""
    by: float | None = None
    """Seconds to go forward, or back when negative."""
    to: int | None = None
    """Nanoseconds UTC to go to."""
    jump: tuple[Mark, ...] | None = None
    """Go to the next of these."""
    back: bool = False
    """With ``jump``: to the one before."""
