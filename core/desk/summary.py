"""What a run of the desk came to, as its last line says it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from core.clock import SECOND
from core.desk.origin import MarketFacts
from core.desk.pulse import Pulse
from core.desk.pump import Pump
from core.model.snapshot import Snapshot


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


def sum_up(
    picture: Snapshot, facts: MarketFacts, pump: Pump, pulse: Pulse, ready_seconds: float
) -> DeskSummary:
    """Return what a run came to.

    Args:
        picture: the last one.
        facts: where its prices came from.
        pump: with the engine behind it.
        pulse: how well the loop ran.
        ready_seconds: from the start until the desk was ready; 0 when it never was.
    """
    venues = {v.venue: VenueSummary(v.orders, v.fills, v.state.value) for v in picture.venues}
    return DeskSummary(
        environment=picture.environment,
        seconds=round((picture.ts - picture.started) / SECOND, 3),
        market=picture.market,
        venues=venues,
        events=pump.events,
        signals=pump.signals,
        orders=sum(venue.orders for venue in venues.values()),
        fills=sum(venue.fills for venue in venues.values()),
        refusals=picture.refusals,
        equity_start=_float(picture.equity_start),
        equity_end=_float(picture.equity),
        realised=float(picture.realised),
        open_positions=len(picture.positions),
        unknown_orders=picture.unknown_orders,
        discrepancies=picture.discrepancies,
        state=picture.state.value,
        loop_lag_ms=round(pulse.worst_ms, 2),
        gc_pause_ms=round(pulse.gc_pause_ms, 2),
        ready_seconds=round(ready_seconds, 3),
        decision_hash=pump.engine.decision_hash,
        recording=facts.recording,
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
