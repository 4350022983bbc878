"""What is kept while the desk trades: the store beside it, and room on the disk for both.

Neither stops trading by failing; both stop new risk before anything is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.desk import disk
from core.desk.lines import Lines
from core.errors import StoreError
from core.journal.store import Store

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
            await self.store.open(self._told)

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

    def mind(self) -> None:
        """Stop opening risk when rows are being lost: a store may be late, never forgetful."""
        dropped = self.store.stats.dropped
        if dropped > self._dropped:
            self._lines.add("info", f"store: {dropped} rows are lost", "alarm")
            self._disarm("store")
        self._dropped = dropped

    def _told(self, reason: str) -> None:
        """Say that the store is down (a reason) or back (none); trading goes on."""
        level = "alarm" if reason else "info"
        self._lines.add("info", f"store: {reason or 'is back'}", level)


class DiskKeeper:
    """Stops opening risk before the disk is full, while there is room to close it."""

    def __init__(self, folder: Path, lines: Lines, disarm: Disarm) -> None:
        self._folder = folder
        self._lines = lines
        self._disarm = disarm
        self._tight = False

    def mind(self) -> None:
        """Look at the room that is left."""
        left = disk.free(self._folder)
        tight = left < disk.TRADE
        if tight and not self._tight:
            text = (
                f"{left // 2**20} MB free at {self._folder}: opening no risk; free some, then arm"
            )
            self._lines.add("info", text, "alarm")
        if tight:
            self._disarm("disk")
        self._tight = tight
