"""How far a kill is, venue by venue, and what it came to."""

from __future__ import annotations

from msgspec import Struct

from core.model.event import KillMode

RANK = {KillMode.HALT: 0, KillMode.CANCEL: 1, KillMode.FLATTEN: 2}
"""How far a mode goes."""
PROVED = frozenset({"FLAT_VERIFIED", "FLAT_DUST", "CANCELLED_ONLY", "HALTED_ONLY"})
"""Verdicts after which nothing is left to do."""


class VenueKill(Struct):
    """How far a venue is; changed in place."""

    venue: str
    mode: KillMode
    cause: str
    actor: str
    verdict: str = ""
    """Empty while running; see ``KillReported``."""
    orders_cancelled: int = 0
    """Of those it was asked to cancel, how many it no longer lists."""
    positions_closed: int = 0
    seconds: float = 0.0
    first_cancel_s: float | None = None
    """When the first cancel went out; seconds since the pull, like those below."""
    cancelled_s: float | None = None
    """When a look first showed no order that could add risk."""
    flat_s: float | None = None
    """When a look first showed no order and no position."""
    attempts: int = 0
    detail: str = ""
    blind: bool = False
    """Whether the last attempt ended because the venue did not answer."""


class KillReport(Struct, frozen=True):
    """What is written to disk and answered to who pulled the cord."""

    mode: KillMode
    cause: str
    actor: str
    started: int
    """Nanoseconds UTC."""
    seconds: float
    venues: dict[str, VenueKill]
