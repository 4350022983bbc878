"""The writer of recordings; ``core.journal.recording`` says what they are, and reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import msgspec
from msgspec import Struct

from core.files import write_whole
from core.journal.recording import BLOCK, END, SESSION, End, Session, encode_decisions
from core.model.effect import Effect
from core.model.event import Event, encode

_Block = tuple[int, int, list["Event | tuple[Effect, ...]"]]
"""Number of the first event, how many there are, events and decisions in order."""

BUFFER = 1000
"""Events and decisions that wait on the loop at most; also at most one second old."""
SPOOL_BYTES = 24 * 1024 * 1024
SPOOL_SECONDS = 600.0
KEEP_BYTES = 20 * 1024**3
"""Sessions beyond this total are removed, oldest first, whatever their age."""
MIN_FREE_BYTES = 1024**3
"""Recording stops, and says so, before it takes the last of the disk from the journal."""


class RecordingStats(Struct):
    """Counters; changed in place by the writing thread."""

    events: int = 0
    bytes: int = 0
    segments: int = 0
    failure: str = ""
    """Why events are no longer recorded; empty while all is well."""


class Recorder:
    """Records events from the loop; compresses and writes in a thread of its own.

    Args:
        folder: the folder of all sessions.
        name: of this session, sorting by start.
        session: what a replay needs beside the events.
        days: how long sessions are kept.
        failed: told once, from the writing thread, when recording stops.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        session: Session,
        days: int,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.path = folder / name
        self.stats = RecordingStats()
        self._folder = folder
        self._session = session
        self._days = days
        self._failed = failed
        self._buffer: list[Event | tuple[Effect, ...]] = []
        self._first = 1
        self._count = 0
        self._queue: SimpleQueue[_Block | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._end: End | None = None
        self._file = -1
        self._spool: Path | None = None
        self._size = 0
        self._opened = 0.0

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def add(self, event: Event) -> int:
        """Take an event and return its number, from 1 on. Events never change: no copies."""
        if len(self._buffer) >= BUFFER:
            self.flush()
        self._buffer.append(event)
        self._count += 1
        return self._count

    def decided(self, effects: tuple[Effect, ...]) -> None:
        """Take what the engine made of the event given last."""
        self._buffer.append(effects)

    def flush(self) -> None:
        """Hand what waits to the writer; the desk calls this once a second, between events."""
        if self._buffer and not self.stats.failure:
            self._queue.put((self._first, self._count - self._first + 1, self._buffer))
        self._buffer = []
        self._first = self._count + 1

    def close(self, decision_hash: str, now: int) -> None:
        """Write everything and turn the last spool into Parquet. Blocks: call it off the loop.

        Args:
            decision_hash: the engine's, after the last event given.
            now: nanoseconds UTC.
        """
        self.flush()
        self._end = End(self._count, decision_hash, now)
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._begin()
            while (item := self._queue.get()) is not None:
                self._write(*item)
            self._rotate()
            if self._end is not None:
                write_whole(self.path / END, msgspec.json.encode(self._end))
        except Exception as error:
            self.stats.failure = f"events are no longer recorded in {self.path}: {error}"
            self._failed(self.stats.failure)

    def _begin(self) -> None:
        write_whole(self.path / SESSION, msgspec.json.encode(self._session))
        forget(self._folder, self._days, KEEP_BYTES, self.path)
        left = [path for path in self._folder.glob("*/*.spool") if path.parent != self.path]
        if left:
            pack(left)

    def _write(self, first: int, count: int, items: list[Event | tuple[Effect, ...]]) -> None:
        lines = b"\n".join(
            [encode_decisions(item) if type(item) is tuple else encode(item) for item in items]
        )
        block = zlib.compress(b"%d\n%b" % (first, lines), 1)
        if self._file < 0:
            if shutil.disk_usage(self.path).free < MIN_FREE_BYTES:
                raise OSError("less than 1 GiB is free on the disk")
            self._spool = self.path / f"events-{first:012d}.spool"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._spool, flags, 0o600)
            self._size, self._opened = 0, time.monotonic()
        data = memoryview(BLOCK.pack(len(block), zlib.crc32(block)) + block)
        while data:
            data = data[os.write(self._file, data) :]
        self._size += len(block)
        self.stats.events += count
        self.stats.bytes += len(block)
        if self._size >= SPOOL_BYTES or time.monotonic() - self._opened >= SPOOL_SECONDS:
            self._rotate()

    def _rotate(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self.stats.segments += 1
            if self._spool is not None:
                pack([self._spool])


def forget(folder: Path, days: int, most: int, current: Path) -> None:
    """Remove sessions older than ``days``, then the oldest until ``most`` bytes fit."""
    oldest = time.time() - days * 86400
    total = 0
    for session in sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True):
        files = [path.stat() for path in session.iterdir()]
        total += sum(file.st_size for file in files)
        last = max((file.st_mtime for file in files), default=0.0)
        if session != current and (last < oldest or total > most):
            shutil.rmtree(session, ignore_errors=True)


def pack(spools: list[Path]) -> bool:
    """Turn spools into Parquet files in a child process; a spool that cannot be stays as it is."""
    command = [sys.executable, "-m", "core.journal.parquet", *map(str, spools)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd=root
    )
    return done.returncode == 0
