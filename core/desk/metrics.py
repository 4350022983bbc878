"""The desk in numbers, for Prometheus. No secrets, no order texts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from core.desk.pulse import LATENESS_MS, Pulse
from core.journal.store import StoreStats
from core.journal.wal import JournalStats
from core.model.event import TradingState
from core.model.snapshot import Snapshot, VenueView

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_GATE = {state: number for number, state in enumerate(TradingState)}


def exposition(picture: Snapshot, journal: JournalStats, store: StoreStats, pulse: Pulse) -> bytes:
    """Return the metrics as Prometheus text."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Now:
        def collect(self) -> Iterator[Metric]:
            yield from _desk(picture, journal, store, pulse)
            yield from _venues(picture)

    registry = CollectorRegistry()
    registry.register(Now())
    return generate_latest(registry)


def _desk(
    picture: Snapshot, journal: JournalStats, store: StoreStats, pulse: Pulse
) -> Iterator[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    gauges = {
        "gate_state": ("0 disarmed, 1 armed, 2 reducing, 3 halted", _GATE[picture.state]),
        "kill_latched": ("1 when halted until resumed", picture.state is TradingState.HALTED),
        "order_unknown": ("orders whose outcome is not known", picture.unknown_orders),
        "position_discrepancy": ("differences from a venue", picture.discrepancies),
        "equity": ("USDT over all venues", picture.equity),
        "drawdown_ratio": ("below the persisted peak", picture.drawdown),
        "open_positions": ("positions", len(picture.positions)),
        "loop_lag_seconds": ("worst of the last second", pulse.lag_ms / 1000),
        "gc_pause_seconds": ("longest since ready", pulse.gc_pause_ms / 1000),
        "journal_fsync_seconds": ("last", journal.sync_ms / 1000),
        "journal_fsync_max_seconds": ("longest", journal.sync_max_ms / 1000),
        "store_waiting_rows": ("rows not yet in the database", store.waiting),
        "rss_bytes": ("resident memory", _resident()),
        "fds": ("open files", _open_files()),
        "uptime_seconds": ("since the desk started", time.time() - picture.started / 1e9),
    }
    for name, (text, value) in gauges.items():
        if value is not None:
            yield GaugeMetricFamily(f"killcord_{name}", text, value=float(value))
    bounds = [*(f"{bound / 1000:g}" for bound in LATENESS_MS), "+Inf"]
    yield HistogramMetricFamily(
        "killcord_loop_lateness_seconds",
        "how late the loop woke, twenty looks a second",
        buckets=list(zip(bounds, accumulate(pulse.lags), strict=True)),
        sum_value=pulse.lags_ms / 1000,
    )
    counters = {
        "events": ("events handled", picture.events),
        "refusals": ("orders the risk gate refused", picture.refusals),
        "journal_records": ("records written", journal.records),
        "journal_syncs": ("disk syncs", journal.syncs),
        "store_rows": ("rows written", store.rows),
        "store_dropped_rows": ("rows lost", store.dropped + store.refused),
    }
    for name, (text, count) in counters.items():
        yield CounterMetricFamily(f"killcord_{name}", text, value=float(count))


def _venues(picture: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    gauges: dict[str, tuple[str, Callable[[VenueView], float | None]]] = {
        "venue_ready": ("1 when it may open risk", lambda v: v.state.value == "ready"),
        "recon_age_seconds": ("since the last sweep", lambda v: v.swept_age_s),
        "clock_offset_ms": ("venue minus ours", lambda v: v.clock_offset_ms),
        "submit_latency_ms": ("median of order round trips", lambda v: v.latency_ms),
    }
    for name, (text, read) in gauges.items():
        family = GaugeMetricFamily(f"killcord_{name}", text, labels=["venue"])
        for venue in picture.venues:
            value = read(venue)
            if value is not None:
                family.add_metric([venue.venue], float(value))
        yield family
    counters: dict[str, tuple[str, Callable[[VenueView], int]]] = {
        "orders": ("orders sent", lambda v: v.orders),
        "fills": ("fills booked", lambda v: v.fills),
        "messages": ("market and account messages", lambda v: v.messages),
        "bad_messages": ("messages that failed validation", lambda v: v.bad_messages),
        "ws_reconnects": ("streams made anew", lambda v: v.reconnects),
    }
    for name, (text, read) in counters.items():
        counter = CounterMetricFamily(f"killcord_{name}", text, labels=["venue"])
        for venue in picture.venues:
            counter.add_metric([venue.venue], float(read(venue)))
        yield counter
    ages = GaugeMetricFamily(
        "killcord_ws_data_age_seconds", "since the last message", labels=["venue", "channel"]
    )
    for venue in picture.venues:
        for feed in venue.feeds:
            if feed.age_ms is not None:
                ages.add_metric([venue.venue, feed.channel], feed.age_ms / 1000)
    yield ages


def _resident() -> float:
    try:
        with open("/proc/self/statm", "rb") as file:
            return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except OSError:  # macOS
        import resource

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _open_files() -> float | None:
    try:
        return float(len(os.listdir("/proc/self/fd")))
    except OSError:  # macOS
        return None
