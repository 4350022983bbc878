"""What is kept while the desk trades, minded once a second: store, journal, recording, disk.

None stops trading by failing; store and disk stop new risk before anything is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from core.clock import SECOND, Clock
from core.desk import disk
from core.desk.lines import Lines
from core.errors import StoreError
from core.journal.recorder import Recorder
from core.journal.recording import Session
from core.journal.store import Store
from core.journal.wal import Journal
from core.portfolio.ledger import Ledger

TURN_AFTER = 200_000
"""Journal records after which a new file is begun: a start replays about 160,000 a second."""

Disarm = Callable[[str], None]
"""Stops opening risk while the desk is armed; the argument names who asked."""


class StoreKeeper:
    """Opens and closes the store, and minds that it forgets nothing."""

    def __init__(self, store: Store, lines: Lines, disarm: Disarm) -> None:
        self.store = store
        self._lines = lines
        self._disarm = disarm
        self._dropped = 0

    async def check(self) -> None:
        """Look at the store before anything is sent; open it now when its rows cannot wait.

        Raises:
            StoreError: it cannot be used.
        """
        await self.store.check()
        if not self.store.deferrable:
            try:
                await self.store.open(self._told)
            except StoreError:
                await self.store.close()
                raise

    async def open(self) -> None:
        """Open it if ``check`` did not; a failure is said, and tried again with the next rows."""
        if not self.store.opened:
            try:
                await self.store.open(self._told)
            except StoreError as error:
                self._told(str(error))

    async def close(self) -> None:
        """Write what the run left, also when it ended before it was ready."""
        await self.open()
        await self.store.close()

    @property
    def hindrance(self) -> str:
        """Why the desk may not be armed; empty when it may."""
        return self.store.stats.failure if self.store.stats.damaged else ""

    def mind(self) -> None:
        """Stop opening risk when rows are being lost, or the file is damaged.

        A store may be late, never forgetful.
        """
        if self.store.stats.damaged:
            self._disarm("store")
        dropped = self.store.stats.dropped
        if dropped > self._dropped:
            text = f"store: {dropped} rows of history are lost: opening no risk; mend it, then arm"
            self._lines.add("info", text, "alarm")
            self._disarm("store")
        self._dropped = dropped

    def _told(self, reason: str) -> None:
        """Say that the store is down (a reason) or back (none); trading goes on."""
        level = "alarm" if reason else "info"
        self._lines.add("info", f"store: {reason or 'is back'}", level)


class JournalKeeper:
    """Begins a new journal file in time, so that a start need not replay a long one."""

    def __init__(self, journal: Journal, ledger: Ledger, clock: Clock) -> None:
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._turned = 0

    def mind(self) -> None:
        """Turn to a new file when the present one is long."""
        records = self._journal.stats.records
        if records - self._turned >= TURN_AFTER:
            self._turned = records
            self._journal.turn(self._ledger, self._clock.now())


class RecordingKeeper:
    """Records the session; when that fails it is said, and trading goes on.

    Args:
        folder: of all sessions.
        session: what a replay needs beside the events.
        days: how long sessions are kept.
        lines: the log.
    """

    def __init__(self, folder: Path, session: Session, days: int, lines: Lines) -> None:
        loop = asyncio.get_running_loop()

        def failed(reason: str) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lines.add, "info", reason, "alarm")

        start = datetime.fromtimestamp(session.started / SECOND, UTC)
        name = f"{start:%Y%m%dT%H%M%S}-{session.epoch:06d}"
        self.recorder = Recorder(folder, name, session, days, failed)
        self.recorder.start()

    def mind(self) -> None:
        """Hand what waits to the writer: what a crash may lose is one second old."""
        self.recorder.flush()

    async def close(self, decision_hash: str, now: int) -> None:
        """Write everything; see ``Recorder.close``."""
        await asyncio.to_thread(self.recorder.close, decision_hash, now)


class DiskKeeper:
    """Stops opening risk before the disk is full, while there is room to close it."""

    def __init__(self, folder: Path, lines: Lines, disarm: Disarm) -> None:
        self._folder = folder
        self._lines = lines
        self._disarm = disarm
        self._told = False

    @property
    def hindrance(self) -> str:
        """Why the desk may not be armed; empty when it may."""
        left = disk.free(self._folder)
        if left >= disk.TRADE:
            return ""
        return f"{left // 2**20} MB free at {self._folder}: opening no risk; free some, then arm"

    def mind(self) -> None:
        """Look at the room that is left."""
        hindrance = self.hindrance
        if hindrance and not self._told:
            self._lines.add("info", hindrance, "alarm")
        if hindrance:
            self._disarm("disk")
        self._told = bool(hindrance)
