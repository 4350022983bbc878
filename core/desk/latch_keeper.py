"""The desk's hold on its latch: written off the loop, in the order it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from core.clock import Clock
from core.desk import latch
from core.desk.latch import Latched
from core.desk.lines import Lines
from core.desk.verdicts import PROVED, RANK
from core.errors import StateError
from core.model.event import KillMode, KillReported

AGAIN = 1.0
"""Seconds until a write that the disk refused is tried again."""

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a task that the desk waits for when it ends."""


class LatchKeeper:
    """Keeps the latch.

    Args:
        path: the file that means HALTED.
        said: what it says now; None: there is none.
        lines: told when the disk refuses.
        clock: wall time.
        spawn: runs the writes.
    """

    def __init__(
        self, path: Path, said: Latched | None, lines: Lines, clock: Clock, spawn: Spawn
    ) -> None:
        self.said = said
        """What the file says, or will when the disk has it."""
        self._path = path
        self._lines = lines
        self._clock = clock
        self._spawn = spawn
        self._releasing: asyncio.Task[None] | None = None
        # One thread, so that setting and clearing happen in the order they were asked.
        self._disk = ThreadPoolExecutor(1, "latch")

    def find(self) -> Latched | None:
        """Return what another wrote: the guard while this loop stood still, or a person."""
        if self._releasing is not None and not self._releasing.done():
            return None
        if (found := latch.find(self._path)) is not None:
            self.said = found
        return found

    def set(self, cause: str, actor: str, mode: KillMode, pending: set[str]) -> None:
        """Set the latch, or add to what it says; the journal says HALTED too.

        Args:
            cause: why; what it says already stands.
            actor: by whom; likewise.
            mode: how far the kill is to go.
            pending: venues that have to prove it.
        """
        before = self.said
        if before is not None:
            cause, actor = before.cause, before.actor
            pending |= set(before.pending)
            mode = max(mode, before.mode, key=RANK.__getitem__)
        self._write(Latched(cause, actor, self._clock.now(), mode, tuple(sorted(pending))))

    def report(self, event: KillReported) -> None:
        """Take a venue that proved it, as far as the latch asks, off its list."""
        said = self.said
        if said is None or RANK[event.mode] < RANK[said.mode]:
            return
        if event.venue in said.pending and event.verdict in PROVED:
            left = tuple(venue for venue in said.pending if venue != event.venue)
            self._write(msgspec.structs.replace(said, pending=left))

    def release(self) -> None:
        """Take the latch away."""
        self.said = None
        self._releasing = self._spawn(self._clear())

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.to_thread(self._disk.shutdown)

    def _write(self, said: Latched) -> None:
        self.said = said
        self._spawn(self._set_in_the_end(said))

    async def _set_in_the_end(self, said: Latched) -> None:
        """Write it; where the disk refuses, try until it takes it, or something else is to be."""
        refused = ""
        while self.said is said:
            try:
                await self._on_disk(latch.write, said)
                break
            except OSError as error:
                if not refused:
                    refused = str(error.strerror)
                    text = f"{self._path}: the latch cannot be written ({refused}): make it"
                    text += " possible; a desk that is started before may not be HALTED"
                    self._lines.add("risk", text, "alarm")
            await asyncio.sleep(AGAIN)
        else:
            return
        if refused:
            self._lines.add("risk", f"{self._path}: the latch is written", "info")

    async def _clear(self) -> None:
        try:
            await self._on_disk(latch.clear)
            with suppress(StateError):
                await self._on_disk(latch.keep_room)
        except OSError as error:
            text = f"{self._path}: the latch cannot be taken away ({error.strerror}):"
            self._lines.add("risk", f"{text} the next start is HALTED", "alarm")

    async def _on_disk(self, work: Callable[..., None], *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._disk, work, self._path, *arguments)
