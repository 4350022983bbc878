"""What the outside sees of the desk: pictures, prices, reasons and health.

The control socket serves this; nothing here changes anything except ``command``, which hands a
command to the engine, and ``request_stop``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from core.clock import Clock
from core.desk.deadman import DeadMan
from core.desk.guardpost import GuardPost
from core.desk.kill import KillExecutor
from core.desk.lines import Lines
from core.desk.metrics import exposition
from core.desk.origin import Origin
from core.desk.ports import Gateway
from core.desk.pulse import Pulse
from core.desk.pump import Pump
from core.desk.routes import rank, route
from core.desk.sight import explain, view_depths, view_symbol
from core.desk.terminals import Terminals
from core.desk.verdicts import KillReport
from core.engine.picture import ShellFacts, VenueFacts
from core.journal.store import Store
from core.journal.wal import Journal
from core.model.effect import Answer
from core.model.event import Command, Submit, VenueState
from core.model.instrument import Instrument
from core.model.snapshot import BarView, DepthView, Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why

PICTURE_AGE = 45_000_000
"""Nanoseconds for which a picture is shared between readers."""


class Window:
    """Looks into a desk that has booted.

    Args:
        environment: practice, testnet or live.
        started: nanoseconds UTC.
        pump: with the engine behind it.
        kill: has the verdicts of the last kill.
        gateways: one for each venue.
        timers: dead-man timers by venue.
        guard: the desk's end of the guard.
        instruments: filled by the venues as they answer.
        origin: where prices come from.
        lines: the log.
        pulse: how well the loop runs.
        journal: its failures make the desk unhealthy.
        store: likewise told, but the desk trades without it.
        clock: wall time.
        request_stop: ends the desk in order; the argument is the cause.
    """

    def __init__(
        self,
        environment: str,
        started: int,
        pump: Pump,
        kill: KillExecutor,
        gateways: Sequence[Gateway],
        timers: Mapping[str, DeadMan],
        guard: GuardPost,
        instruments: Mapping[tuple[str, str], Instrument],
        origin: Origin,
        lines: Lines,
        pulse: Pulse,
        journal: Journal,
        store: Store,
        clock: Clock,
        request_stop: Callable[[str], None],
    ) -> None:
        self.request_stop = request_stop
        self.terminals = Terminals(lines)
        self._environment = environment
        self._started = started
        self._pump = pump
        self._kill = kill
        self._engine = pump.engine
        self._gateways = gateways
        self._timers = timers
        self._guard = guard
        self._instruments = instruments
        self._origin = origin
        self._lines = lines
        self._pulse = pulse
        self._journal = journal
        self._store = store
        self._clock = clock
        self._picture: tuple[int, int, int, bytes] = (-1, -1, 0, b"")

    @property
    def version(self) -> int:
        """A number that changes when the picture does."""
        return self._pump.events + self.terminals.changes

    def now(self) -> int:
        """Return nanoseconds UTC."""
        return self._clock.now()

    def snapshot(self) -> Snapshot:
        """Return the picture now."""
        trainer = self._pump.trainer
        return self._engine.snapshot(
            self._clock.now(),
            ShellFacts(
                environment=self._environment,
                market=self._origin.facts.text,
                started=self._started,
                venues={g.venue: _facts(g, self._timers.get(g.venue)) for g in self._gateways},
                log=self._lines.last(100),
                loop_lag_ms=self._pulse.lag_ms,
                training=trainer.view if trainer is not None else None,
                guard=self._guard.view,
                control=self.terminals.view,
            ),
        )

    def picture(self) -> bytes:
        """Return the snapshot as JSON, shared between readers for 45 ms."""
        version, changes, made, data = self._picture
        now, new = self._clock.now(), self.terminals.changes
        # Who has control is never told late: a key that does nothing would be taken for a fault.
        if changes != new or (version != self.version and now - made > PICTURE_AGE):
            data = msgspec.json.encode(self.snapshot())
            self._picture = (self.version, new, now, data)
        return data

    def depth(self, venue: str, symbol: str) -> tuple[DepthView, ...]:
        """Return book levels; empty strings mean any."""
        return view_depths(self._pump.depths, venue, symbol)

    def candles(self, venue: str, symbol: str, timeframe: int, count: int) -> tuple[BarView, ...]:
        """Return the last bars of an instrument, oldest first, the running one included."""
        return self._pump.charts.bars(venue, symbol, timeframe, count)

    def watch(self, venue: str, symbol: str, timeframe: int, count: int) -> WatchView:
        """Return books and public trades of a symbol on all venues, and one venue's bars."""
        return view_symbol(self._pump.depths, self._pump.charts, venue, symbol, timeframe, count)

    def weigh(self, order: Submit) -> WhatIf:
        """Return what an order would do, and what it would cost on each venue's live book."""
        routes = [
            route(instrument, self._pump.depths.get(key), order.side, order.qty)
            for key, instrument in self._instruments.items()
            if key[1] == order.symbol
        ]
        found = self._engine.weigh(order)
        return msgspec.structs.replace(found, routes=rank(routes, order.side))

    def why(self, name: str) -> Why | None:
        """Return what a decision rested on and what became of it; None when it is not known."""
        return explain(self._engine, self._pump.trails, name)

    async def command(self, command: Command) -> Answer:
        """Hand a command to the engine and return its answer."""
        return await self._pump.command(command)

    async def kill_report(self) -> KillReport:
        """Wait for the verdicts of the running or last kill."""
        return await self._kill.report()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the desk lives: its loop turns and its journal is written."""
        lag = self._pulse.lag_ms
        good = lag < 250 and not self._journal.failure
        return good, {
            "loop_lag_ms": round(lag, 2),
            "journal": self._journal.failure or "ok",
            "store": self._store.stats.failure or "ok",
            "pid": os.getpid(),
        }

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every venue is ready, and which is not."""
        states = {venue.venue: venue.state.value for venue in self.snapshot().venues}
        good = all(state == VenueState.READY.value for state in states.values())
        return good, {"venues": states, "state": self._pump.state.value}

    def metrics(self) -> Callable[[], bytes]:
        """Return what makes Prometheus text of the picture as it is now; it may block."""
        journal, store = self._journal.stats, self._store.stats
        return partial(exposition, self.snapshot(), journal, store, self._pulse)


def _facts(gateway: Gateway, timer: DeadMan | None) -> VenueFacts:
    stats = gateway.stats
    return VenueFacts(
        messages=stats.messages,
        bad_messages=stats.bad_messages,
        reconnects=stats.reconnects,
        gaps=stats.gaps,
        budget_used=stats.budget_used,
        last_message=dict(stats.last_message),
        latency_ms=stats.latency_ms,
        dead_man=timer.scope if timer is not None else "",
        dead_man_s=timer.remaining if timer is not None else None,
    )
