"""What there is to see of one symbol or one decision: the same for a desk and for a replay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.desk.charts import Charts
from core.desk.trails import Trails
from core.engine.engine import Engine
from core.model.market import Depth
from core.model.snapshot import DepthView, WatchView
from core.model.why import Why

Depths = Mapping[tuple[str, str], Depth]
"""The newest book by venue and symbol."""


def view_depths(depths: Depths, venue: str, symbol: str) -> tuple[DepthView, ...]:
    """Return the newest book levels; empty strings mean any."""
    return tuple(
        DepthView(depth.venue, depth.symbol, depth.bids, depth.asks)
        for depth in depths.values()
        if venue in ("", depth.venue) and symbol in ("", depth.symbol)
    )


def view_symbol(
    depths: Depths, charts: Charts, venue: str, symbol: str, timeframe: int, count: int
) -> WatchView:
    """Return books and public trades of a symbol on all venues, and one venue's bars."""
    return WatchView(
        symbol,
        venue,
        timeframe,
        view_depths(depths, "", symbol),
        charts.bars(venue, symbol, timeframe, count),
        charts.prints(symbol),
    )


def explain(engine: Engine, trails: Trails, name: str) -> Why | None:
    """Return what a decision rested on and what became of it; None when it is not known."""
    found = engine.why(name)
    if found is None:
        order = engine.ledger.find(name)
        if order is None:
            return None
        intent = order.order
        words = f"{intent.side} {intent.qty} {intent.kind}, reduces: never vetoed"
        found = Why(
            name, intent.venue, intent.symbol, intent.created, words, None, "DONE", None, ()
        )
    return msgspec.structs.replace(found, happenings=trails.of(found.client_id))
