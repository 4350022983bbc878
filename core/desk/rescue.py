"""What the guard does when the desk cannot: latch, then the kill cord on every venue.

Two never work at once: a desk that is started anew takes the home's lock, at which this stops, and
goes on with the venues that the latch still lists.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from core.clock import SECOND, SystemClock
from core.desk import latch
from core.desk.identity import identity
from core.desk.kill import KillExecutor
from core.desk.kill_worker import Means
from core.desk.latch import Latched
from core.desk.lock import holder
from core.desk.ports import GuardGateway
from core.desk.verdicts import PROVED, RANK
from core.desk.watchwords import Hello
from core.errors import StateError
from core.home import Home
from core.model.event import Event, KillReported
from core.model.instrument import Instrument
from core.model.record import Intent
from core.model.record import encode as encode_record
from core.orders.ids import ClientIds

LOOK = 0.1
"""Seconds between looks at who asks for more, and at who goes on from here."""
LATCH_LIMIT = 0.25
"""Seconds for which a disk may hold up the cancel."""
FIRST_SEQ = 36**9 // 2
"""Where the guard's client ids begin: half of the numbers are out of the desk's reach."""

Tell = Callable[[str], None]
"""Takes lines for the guard's log."""


class Rescue:
    """One pull of the cord by the guard.

    Args:
        home: the desk's.
        hello: the desk's words about itself.
        gateways: the venues.
        instruments: (venue, symbol) to rules.
        why: what happened to the desk.
        validity: seconds between the sweeps that prove a kill; see ``core.desk.kill_worker``.
    """

    def __init__(
        self,
        home: Home,
        hello: Hello,
        gateways: Sequence[GuardGateway],
        instruments: Mapping[tuple[str, str], Instrument],
        why: str,
        validity: float,
    ) -> None:
        self._hello = hello
        self._latch_path = home.latch(hello.environment)
        self._lock_path = home.lock
        self._journal = home.state(hello.environment) / "guard.jsonl"
        self._clock = SystemClock()
        self._stirred = asyncio.Event()
        """Set when a venue has a verdict."""
        self._set = False
        """Whether the latch is on the disk."""
        found = latch.read(self._latch_path)
        cause = found.cause if found else f"guard: {why}"
        self._latched = Latched(
            cause,
            found.actor if found else "guard",
            self._clock.now(),
            max(hello.mode, found.mode if found else hello.mode, key=RANK.__getitem__),
            tuple(sorted(hello.venues)),
        )
        who = identity(home.state(hello.environment))
        # As a desk's own ids begin: never twice, whatever became of the journal.
        milliseconds = self._clock.now() * 1000 // SECOND
        self._executor = KillExecutor(
            gateways,
            Means(
                ClientIds(who.instance, hello.epoch, who.key, FIRST_SEQ + milliseconds),
                self._write,
                self._take,
                instruments,
                hello.worst,
                self._clock,
                validity,
            ),
            home.state(hello.environment),
        )

    async def run(self, tell: Tell) -> None:
        """Latch, then work on every venue until it is proved or the guard is relieved."""
        latched = self._latched
        tell(f"{latched.cause}: pulling the cord, {latched.mode}")
        setting = asyncio.create_task(self._set_latch(latched, tell))
        await asyncio.wait([setting], timeout=LATCH_LIMIT)
        self._executor.pull(latched.mode, latched.cause, "guard")
        try:
            while self._latched.pending and not (reason := self._relieved()):
                try:
                    async with asyncio.timeout(LOOK):
                        await self._stirred.wait()
                except TimeoutError:
                    self._escalate(tell)
                    continue
                self._stirred.clear()
                await self._note_progress(tell)
            if self._latched.pending:
                tell(f"relieved: {reason}; not proved: {', '.join(self._latched.pending)}")
        finally:
            await self._executor.close()
            await asyncio.wait([setting], timeout=LATCH_LIMIT)

    def _escalate(self, tell: Tell) -> None:
        """Go further where the latch asks for more: a person pulls the cord of a desk that hangs.

        The desk's cord has a thread of its own, which writes the latch when its loop does not.
        """
        found = latch.find(self._latch_path)
        if found is not None and RANK[found.mode] > RANK[self._latched.mode]:
            tell(f"{found.cause}: {found.mode} instead of {self._latched.mode}")
            pending = tuple(sorted({*self._latched.pending, *found.pending}))
            self._latched = msgspec.structs.replace(self._latched, mode=found.mode, pending=pending)
            for name in found.pending:
                self._executor.pull(found.mode, found.cause, found.actor, name)

    def _relieved(self) -> str:
        """Return why another goes on from here; empty while nobody does."""
        if holder(self._lock_path) not in (None, self._hello.pid):
            return "another desk took over"
        if self._set and not self._latch_path.exists():
            return "the latch was released"
        return ""

    async def _note_progress(self, tell: Tell) -> None:
        self._escalate(tell)  # what a person asked for is not written over
        runs = self._executor.runs
        for name in self._latched.pending:
            run = runs[name]
            if run.verdict:
                tell(f"{name}: {run.verdict} after {run.seconds:.2f} s {run.detail}".rstrip())
        left = tuple(n for n in self._latched.pending if runs[n].verdict not in PROVED)
        if left != self._latched.pending and not self._relieved():
            self._latched = msgspec.structs.replace(self._latched, pending=left)
            await self._set_latch(self._latched, tell)

    async def _set_latch(self, latched: Latched, tell: Tell) -> None:
        try:
            await asyncio.to_thread(latch.write, self._latch_path, latched)
            self._set = True
        except OSError as error:
            tell(f"{self._latch_path}: {error.strerror}; going on without the latch")

    def _take(self, event: Event) -> None:
        if isinstance(event, KillReported):
            self._stirred.set()

    async def _write(self, intent: Intent) -> None:
        """Note an order before it is sent; the desk's journal may have another writer."""
        try:
            await asyncio.to_thread(_append, self._journal, encode_record(intent))
        except OSError as error:
            raise StateError(f"{self._journal}: {error.strerror}") from error


def _append(path: Path, record: bytes) -> None:
    with open(path, "ab") as file:
        file.write(record + b"\n")
        file.flush()
        os.fsync(file.fileno())
