"""The picture of the desk that terminals see, built on demand from the engine's state."""

from __future__ import annotations

from msgspec import Struct

from core.model.snapshot import LogView


class VenueFacts(Struct, frozen=True, gc=False):
    """What only the adapter of a venue knows; see ``core.desk.ports.GatewayStats``."""

    messages: int = 0
    bad_messages: int = 0
    reconnects: int = 0
    last_message: dict[str, int] = {}
    """Channel to nanoseconds UTC."""
    latency_ms: float | None = None


class ShellFacts(Struct, frozen=True, gc=False):
    """What the engine cannot know and the picture needs; given by the desk with each request."""

    environment: str
    market: str
    """Where prices come from: ``synthetic, seed 7``, ``recording NAME 00:02:10/05:44``, ``live``."""
    started: int
    """When the desk started, nanoseconds UTC."""
    venues: dict[str, VenueFacts] = {}
    log: tuple[LogView, ...] = ()
    loop_lag_ms: float = 0.0
