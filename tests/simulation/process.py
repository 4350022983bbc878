"""One life of a desk in the simulation: the real one, on a disk that tears and dies with it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from core.config import Config
from core.desk.desk import Desk, MarketFacts
from core.home import Home
from core.journal import wal
from core.journal.store import Row, Store
from core.model.event import TradingState
from core.model.record import Intent, JournalRecord, StateRecorded
from tests.simulation.virtual import LIFE, Life, VirtualLoop
from tests.simulation.watcher import Watcher
from tests.simulation.wire import Wire, WireGateway, WireKillGateway


class MortalLife(Life):
    """A life that ends at a named point, or when it is told to.

    Args:
        died: told once.
        deaths: counts those at a named point.
    """

    def __init__(self, died: Callable[[], None], deaths: Counter[str]) -> None:
        self._died = died
        self._deaths = deaths
        self.ends_at = ""
        """Name of the point at which it ends; empty: none."""
        self.countdown = 0
        """How many times the point is passed first."""
        self.journal: TornJournal | None = None

    def point(self, name: str) -> None:
        if self.alive and name == self.ends_at:
            self.countdown -= 1
            if self.countdown < 0:
                self._deaths[f"dies {name}"] += 1
                self.die()

    def die(self) -> None:
        """From here on nothing that the process does has any effect."""
        if self.alive:
            self.alive = False
            self._died()


class TornJournal(wal.Journal):
    """The journal without its thread: groups are written a little later, on the loop.

    What was written and not synced is on the file, and a power cut may take any part of it.
    """

    watcher: Watcher
    chance: Random
    slow = 0.0
    """Seconds that a write takes at most, while the disk is slow."""
    full = False
    """Whether the disk refuses."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        life = LIFE.get()
        assert isinstance(life, MortalLife)
        self.life = life
        life.journal = self
        self.synced = os.path.getsize(self.path)
        self._items: list[Any] = []
        self._unsynced: list[JournalRecord] = []
        self._put = self._take
        self._busy = False

    def start(self, failed: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._failed = failed

    def _take(self, item: Any) -> None:
        self._items.append(item)
        if not self._busy:
            self._busy = True
            delay = self.chance.uniform(0.0005, 0.004) + self.chance.uniform(0, self.slow)
            assert self._loop is not None
            self._loop.call_later(delay, self._write_some)

    def _write_some(self) -> None:
        self._busy = False
        group, self._items = self._items, []
        self.life.point("journal: before write")
        if self.life.alive and group:
            self._take_down(group)

    def _write(self, records: list[JournalRecord], sync: bool) -> None:
        if self.full and records:
            raise OSError(28, "No space left on device")
        super()._write(records, sync=False)
        self._unsynced += records
        if any(isinstance(record, Intent) for record in records):
            self.life.point("journal: between write and sync")
        if not self.life.alive:
            return
        if sync:
            self.synced = os.path.getsize(self.path)
            for record in self._unsynced:
                if isinstance(record, Intent):
                    self.watcher.durable.add(record.order.client_id)
                elif isinstance(record, StateRecorded) and record.state is TradingState.HALTED:
                    self.watcher.note("halted", "durable")
            self._unsynced.clear()
            self.life.point("journal: after sync")

    def _turn(self, turn: Any) -> None:
        self.life.point("journal: before turn")
        if self.life.alive:
            super()._turn(turn)
            self.synced = os.path.getsize(self.path)
            self.life.point("journal: after turn")

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        if function is not wal._finish:
            self.watcher.journal_well = False
        self._loop.call_soon(function, *arguments)

    async def close(self) -> None:
        if self.life.alive:
            self._take_down([*self._items, (None, None)])
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def tear(self, power: bool) -> None:
        """Leave on disk what a crash leaves: after a power cut, any part of what was not synced."""
        if power:
            size = os.path.getsize(self.path)
            os.truncate(self.path, self.chance.randint(min(self.synced, size), size))


class NoStore(Store):
    """No history: the store is never waited for, and not what is simulated."""

    async def check(self) -> None:
        return None

    async def open(self, told: Callable[[str], None]) -> None:
        self._opened = asyncio.get_running_loop().create_future()

    def put(self, table: str, row: Row) -> None:
        return None

    async def close(self, patience: float = 5.0) -> None:
        return None


class Deaf:
    """No control socket and no log file: commands come by ``Desk.command``."""

    def __init__(self, *_: object) -> None:
        pass

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None


class Slack(Deaf):
    """No cord's socket: it has a thread."""

    def start(self) -> None:  # type: ignore[override]
        return None

    close = start  # type: ignore[assignment]


class SilentLog:
    """In place of the log file, which has a thread."""

    def __init__(self, _: Path) -> None:
        pass

    def start(self) -> None:
        return None

    def open(self) -> None:
        return None

    def write(self, line: object) -> None:
        return None

    def close(self) -> None:
        return None


class Still:
    """In place of the pulse, which measures the machine that the simulation runs on."""

    lag_ms = worst_ms = gc_pause_ms = 0.0

    async def run(self) -> None:
        await asyncio.Event().wait()

    def settle(self) -> None:
        return None

    def close(self) -> None:
        return None


COMPOSITION: dict[str, Any] = {
    "core.desk.desk.Store": NoStore,
    "core.desk.desk.ControlSocket": Deaf,
    "core.desk.assembly.Cord": Slack,
    "core.desk.desk.LogFile": SilentLog,
    "core.journal.wal.Journal": TornJournal,
}
"""What the simulation puts in for what needs threads, sockets or the machine's time."""


class SimulatedDesk(Desk):
    """The desk, watched from the moment its engine is there."""

    def __init__(
        self,
        config: Config,
        home: Home,
        loop: VirtualLoop,
        wires: dict[str, Wire],
        life: MortalLife,
        watcher: Watcher,
        parts: tuple[type[WireGateway], type[WireKillGateway]],
        validity: float,
    ) -> None:
        gateway, kill_gateway = parts
        super().__init__(
            config,
            home,
            [gateway(wire, life, watcher) for wire in wires.values()],
            [kill_gateway(wire, life, watcher) for wire in wires.values()],
            market=lambda: MarketFacts("simulated"),
            clock=loop,
            validity=validity,
            signals=False,
        )
        self.pulse = Still()  # type: ignore[assignment]
        self.life = life
        self.watcher = watcher

    def _make(self, *args: Any) -> None:
        super()._make(*args)
        self.watcher.begin(self, self.life)
