"""A recorded session played to terminals: pause, speed, seek, jump, and every decision compared.

The engine decides again as the events go by; nothing is stored of what it showed. Forward is
running faster; back is a copy of the engine from before, kept every so often, and forward from
there. It serves the control socket in place of a desk, so that the same terminal looks at it.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from core.clock import SECOND
from core.desk.sight import explain, view_depths, view_symbol
from core.desk.terminals import Terminals
from core.desk.verdicts import KillReport
from core.errors import RecordingError, UsageError
from core.home import Home
from core.journal.recording import Recorded, last_moment, read_recording
from core.model.effect import Answer
from core.model.event import Command, KillMode, Submit
from core.model.replay import SPEEDS, Mark, ReplayView, Wish
from core.model.snapshot import BarView, DepthView, Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from core.research.replay import Rerun, compare
from core.research.stage import Stage

SLICE = 0.03
"""Seconds of work between two looks at the sockets."""
STEP = 0.03
"""Seconds between two steps at the speed of the clock."""
KEEP_EVERY = 20_000
"""Events between two kept copies of the engine: a tenth of a second of work."""
KEEP_MOST = 32
"""Copies; beyond it every second one goes, and the next ones are further apart."""


class Marked(NamedTuple):
    """A mark and where it is."""

    seq: int
    kind: Mark


class Goal(NamedTuple):
    """Where a jump leads; the first that is reached ends it."""

    start: int
    """Where it began, nanoseconds UTC."""
    ts: int = 0
    seq: int = 0
    kinds: tuple[Mark, ...] = ()


class Playback:
    """Plays one session to whoever looks. Serves ``core.desk.control.ControlSocket``.

    Args:
        path: the session's folder.
        home: where the user's own strategies and models are.

    Raises:
        RecordingError: it is not a session, is empty, or is of another version.
        ConfigError: the strategy it names is not there any more.
    """

    def __init__(self, path: Path, home: Home) -> None:
        self._path = path
        self._home = home
        self.terminals: Terminals | None = None  # nothing here needs control
        self.version = 0
        self.paused = False
        self.speed = SPEEDS[0]
        self._goal: Goal | None = None
        self._marks: list[Marked] = []
        self._counts: Counter[Mark] = Counter()
        self._kept: list[Stage] = []
        self._every = KEEP_EVERY
        self._seen = 0
        """Number of the furthest event so far: what lies before it has been compared and marked."""
        self._differs = 0
        self._note = ""
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stage = self._begin()
        self._reader = read_recording(path)
        self._next = next(self._reader, None)
        if self._next is None:
            raise RecordingError(f"{path}: holds no event")
        self._first = self._at = self._next.event.received
        self._last = max(last_moment(path), self._first)
        self._picture: tuple[int, bytes] = (-1, b"")

    # --- playing ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Play until ``request_stop``."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while not self._stopping.is_set():
            now = loop.time()
            if self._goal is not None:
                self._wind(self._goal)
                await asyncio.sleep(0.001)
            elif self.paused or self._next is None:
                self._wake.clear()
                # A desk speaks once a second even when nothing happens; so do we.
                try:
                    async with asyncio.timeout(1.0):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                now = loop.time()
            else:
                self._at = self._play(self._at + int((now - before) * self.speed * SECOND))
                await asyncio.sleep(STEP)
            before = now
            self.version += 1

    def direct(self, wish: Wish) -> None:
        """Do what a person wants.

        Raises:
            UsageError: a speed that there is not.
        """
        if wish.speed is not None:
            if not SPEEDS[0] <= wish.speed <= SPEEDS[-1]:
                raise UsageError(f"speed: expected {SPEEDS[0]:g} to {SPEEDS[-1]:g}")
            self.speed = wish.speed
        if wish.pause is not None:
            self.paused = wish.pause
        if wish.to is not None:
            self._seek(wish.to)
        elif wish.by is not None:
            self._seek(self._at + int(wish.by * SECOND))
        elif wish.jump is not None:
            self._jump(wish.jump, wish.back)
        self.version += 1
        self._wake.set()

    def _play(self, until: int) -> int:
        """Let happen what was received until then; return where that led."""
        end = time.perf_counter() + SLICE
        while self._next is not None and self._next.event.received <= until:
            self._take(self._next)
            if time.perf_counter() > end:
                return self._stage.time  # it cannot be played that fast
        return until if self._next is not None else self._stage.time

    def _wind(self, goal: Goal) -> None:
        end = time.perf_counter() + SLICE
        while self._next is not None:
            if goal.ts and self._next.event.received > goal.ts:
                self._arrive(goal.ts)
                return
            marks = self._take(self._next)
            if self._stage.seq == goal.seq or any(mark in goal.kinds for mark in marks):
                self._arrive(self._stage.time)
                return
            if time.perf_counter() > end:
                self._at = self._stage.time
                return
        self._arrive(self._stage.time)

    def _arrive(self, at: int) -> None:
        self._goal = None
        self._at = at

    def _take(self, recorded: Recorded) -> list[Mark]:
        stage = self._stage
        effects, marks = stage.take(recorded)
        if recorded.seq > self._seen:
            self._seen = recorded.seq
            if not self._differs and compare(recorded, effects) is not None:
                self._differs = recorded.seq
            for mark in marks:
                self._marks.append(Marked(recorded.seq, mark))
                self._counts[mark] += 1
            if recorded.seq - (self._kept[-1].seq if self._kept else 0) >= self._every:
                self._keep()
        try:
            self._next = next(self._reader, None)
        except RecordingError as error:
            self._next, self._note = None, str(error)
        return marks

    def _keep(self) -> None:
        if len(self._kept) >= KEEP_MOST:
            del self._kept[::2]
            self._every *= 2
        try:
            self._kept.append(deepcopy(self._stage))
        except Exception as error:  # a strategy of the user's own may hold anything
            self._every = 1 << 62
            self._note = f"going back starts anew: the strategy cannot be copied ({error})"

    # --- going elsewhere ----------------------------------------------------------------------

    def _seek(self, ts: int) -> None:
        ts = min(max(ts, self._first), self._last)
        if ts < self._stage.time:
            fitting = [stage for stage in self._kept if stage.time <= ts]
            self._return(fitting[-1] if fitting else None)
        self._goal = Goal(self._stage.time, ts=ts)

    def _jump(self, kinds: tuple[Mark, ...], back: bool) -> None:
        here = self._stage.seq
        known = [mark for mark in self._marks if mark.kind in kinds]
        numbers = [mark.seq for mark in known]
        if not back:
            at = bisect_right(numbers, here)
            seq = numbers[at] if at < len(numbers) else 0
            self._goal = Goal(self._stage.time, seq=seq, kinds=kinds)
            return
        at = bisect_left(numbers, here)
        if at:
            seq = numbers[at - 1]
            fitting = [stage for stage in self._kept if stage.seq <= seq]
            self._return(fitting[-1] if fitting else None)
            if self._stage.seq < seq:
                self._goal = Goal(self._stage.time, seq=seq)
            self._at = self._stage.time

    def _return(self, kept: Stage | None) -> None:
        """Take up a copy kept from before; the very beginning without one."""
        self._stage = self._begin() if kept is None else deepcopy(kept)
        self._reader = read_recording(self._path, self._stage.seq + 1)
        self._next = next(self._reader, None)

    def _begin(self) -> Stage:
        rerun = Rerun(self._path, self._home)
        self._note = rerun.note
        return Stage(rerun.engine, rerun.session.environment, rerun.session.started)

    # --- what terminals see -------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the picture now."""
        return msgspec.structs.replace(self._stage.snapshot(self._at), replay=self.view())

    def view(self) -> ReplayView:
        """Return where the replay stands."""
        counts = self._counts
        return ReplayView(
            self._path.name,
            self._first,
            self._last,
            self._at,
            self.speed,
            self.paused,
            self._next is None,
            self._share(),
            self._seen,
            self._differs,
            counts[Mark.ORDER],
            counts[Mark.REFUSAL],
            counts[Mark.ALARM],
            self._note,
        )

    def _share(self) -> float | None:
        goal = self._goal
        if goal is None:
            return None
        end = goal.ts or self._last
        return (self._stage.time - goal.start) / (end - goal.start) if end > goal.start else 1.0

    def picture(self) -> bytes:
        """Return the snapshot as JSON."""
        version, data = self._picture
        if version != self.version:
            data = msgspec.json.encode(self.snapshot())
            self._picture = (self.version, data)
        return data

    def depth(self, venue: str, symbol: str) -> tuple[DepthView, ...]:
        """Return book levels; empty strings mean any."""
        return view_depths(self._stage.depths, venue, symbol)

    def candles(self, venue: str, symbol: str, timeframe: int, count: int) -> tuple[BarView, ...]:
        """Return the last bars of an instrument."""
        return self._stage.charts.bars(venue, symbol, timeframe, count)

    def watch(self, venue: str, symbol: str, timeframe: int, count: int) -> WatchView:
        """Return books, public trades and bars of a symbol."""
        stage = self._stage
        return view_symbol(stage.depths, stage.charts, venue, symbol, timeframe, count)

    def weigh(self, order: Submit) -> WhatIf:
        """Return what an order would have done then."""
        return self._stage.engine.weigh(order)

    def why(self, name: str) -> Why | None:
        """Return what a decision rested on."""
        return explain(self._stage.engine, self._stage.trails, name)

    async def command(self, command: Command) -> Answer:
        """Refuse: what happened cannot be traded any more."""
        request = getattr(command, "request", "")
        return Answer(request, False, "REPLAY", "this is a recording: nothing is traded here")

    async def kill_report(self) -> KillReport:
        """Return that there is nothing to report."""
        return KillReport(KillMode.HALT, "a recording", "", self._at, 0.0, {})

    def request_stop(self, cause: str) -> None:
        """End the replay."""
        self._stopping.set()
        self._wake.set()

    def now(self) -> int:
        """Return where the replay is, nanoseconds UTC."""
        return self._at

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return that it plays."""
        return True, {"replay": self._path.name}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether nothing is being wound to."""
        return self._goal is None, {"replay": self._path.name}

    def metrics(self) -> Callable[[], bytes]:
        """Return what makes nothing: a recording is not monitored."""
        return bytes
