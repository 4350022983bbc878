"""What a run of the desk came to, as its last line says it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class VenueSummary(Struct, frozen=True):
    """One venue's part of the summary."""

    orders: int
    fills: int
    state: str


class DeskSummary(Struct, frozen=True, tag_field="type", tag="summary"):
    """What a run came to; the last line of a headless run."""

    environment: str
    seconds: float
    market: str
    venues: dict[str, VenueSummary]
    events: int
    signals: int
    orders: int
    fills: int
    refusals: int
    equity_start: float | None
    equity_end: float | None
    realised: float
    open_positions: int
    unknown_orders: int
    discrepancies: int
    state: str
    loop_lag_ms: float
    """Worst of the run."""
    gc_pause_ms: float
    """Longest since the desk was ready."""
    ready_seconds: float
    decision_hash: str
    recording: dict[str, Any] = {}
