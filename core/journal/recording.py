"""The recording: every event, with its sequence number, before the engine sees it.

A session is a folder, ``recording/20261121T090212-000042``: ``session.json`` (what is needed to
replay it) and segments named by the number of their first event. A segment is written as a
*spool*: zlib blocks of JSON lines, each with its length and checksum, so that a killed desk loses
at most the last second. A full spool becomes a Parquet file (zstd; columns seq, received, type,
venue, symbol, event) in a short-lived child process: pyarrow costs 60 MB and several
milliseconds at a time in which Python does nothing else, and the desk has neither to spare.
``read_recording`` reads both.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
from msgspec import Struct

from core.errors import RecordingError
from core.model.event import Event, encode

_BLOCK = struct.Struct("<II")
"""Length and crc32 of the compressed bytes that follow."""
_decode = msgspec.json.Decoder(Event).decode

BUFFER = 1000
"""Events that wait on the loop at most; also at most one second old."""
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
        facts: what a replay needs beside the events; JSON.
        days: how long sessions are kept.
        failed: told once, from the writing thread, when recording stops.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        facts: dict[str, Any],
        days: int,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.path = folder / name
        self.stats = RecordingStats()
        self._folder = folder
        self._facts = facts
        self._days = days
        self._failed = failed
        self._buffer: list[Event] = []
        self._count = 0
        self._queue: SimpleQueue[tuple[int, list[Event]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._file = -1
        self._spool: Path | None = None
        self._size = 0
        self._opened = 0.0

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def add(self, event: Event) -> int:
        """Take an event and return its number, from 1 on. Events never change: no copies."""
        self._buffer.append(event)
        self._count += 1
        if len(self._buffer) >= BUFFER:
            self.flush()
        return self._count

    def flush(self) -> None:
        """Hand what waits to the writer; the desk calls this once a second."""
        if self._buffer and not self.stats.failure:
            self._queue.put((self._count - len(self._buffer) + 1, self._buffer))
        self._buffer = []

    def close(self) -> None:
        """Write everything and turn the last spool into Parquet. Blocks: call it off the loop."""
        self.flush()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._begin()
            while (item := self._queue.get()) is not None:
                self._write(*item)
            self._rotate()
        except Exception as error:
            self.stats.failure = f"events are no longer recorded in {self.path}: {error}"
            self._failed(self.stats.failure)

    def _begin(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / "session.json").write_text(json.dumps(self._facts, indent=1, default=str))
        forget(self._folder, self._days, KEEP_BYTES, self.path)
        left = [path for path in self._folder.glob("*/*.spool") if path.parent != self.path]
        if left:
            pack(left)

    def _write(self, first: int, events: list[Event]) -> None:
        lines = b"\n".join([encode(event) for event in events])
        block = zlib.compress(b"%d\n%b" % (first, lines), 1)
        if self._file < 0:
            if shutil.disk_usage(self.path).free < MIN_FREE_BYTES:
                raise OSError("less than 1 GiB is free on the disk")
            self._spool = self.path / f"events-{first:012d}.spool"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._spool, flags, 0o600)
            self._size, self._opened = 0, time.monotonic()
        os.write(self._file, _BLOCK.pack(len(block), zlib.crc32(block)) + block)
        self._size += len(block)
        self.stats.events += len(events)
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


def read_spool(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield blocks of a spool: number of the first event, and the events as JSON.

    A last block cut short by a crash is left out.

    Raises:
        RecordingError: a block fails its checksum.
    """
    with path.open("rb") as file:
        while len(head := file.read(_BLOCK.size)) == _BLOCK.size:
            length, crc = _BLOCK.unpack(head)
            at = file.tell()
            block = file.read(length)
            if len(block) < length:
                return
            if zlib.crc32(block) != crc:
                raise RecordingError(f"{path}: the block at byte {at} is damaged")
            first, _, lines = zlib.decompress(block).partition(b"\n")
            yield int(first), lines.split(b"\n")


def _read_parquet(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(4096, columns=["seq", "event"]):
            numbers = batch.column(0)
            yield numbers[0].as_py(), [text.encode() for text in batch.column(1).to_pylist()]
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: is not a recording ({error})") from error


def read_recording(path: Path) -> Iterator[Event]:
    """Yield the events of a session folder, or of one segment, in the order they were handled.

    Raises:
        RecordingError: a segment is damaged, an event is missing, or there is nothing to read.
    """
    segments = _segments(path)
    if not segments:
        raise RecordingError(f"{path}: holds no recording")
    expected: int | None = None
    for segment in segments:
        blocks = read_spool(segment) if segment.suffix == ".spool" else _read_parquet(segment)
        for first, events in blocks:
            if expected is not None and first != expected:
                raise RecordingError(f"{segment}: event {expected} is missing, {first} follows")
            for number, text in enumerate(events, first):
                try:
                    yield _decode(text)
                except msgspec.MsgspecError as error:
                    raise RecordingError(f"{segment}: event {number}: {error}") from error
            expected = first + len(events)


def _segments(path: Path) -> list[Path]:
    """Return segments in order, a Parquet file before the spool it was made of."""
    if path.is_file():
        return [path]
    found: dict[str, Path] = {}
    for suffix in (".spool", ".parquet"):
        found |= {each.stem: each for each in path.glob(f"events-*{suffix}")}
    return [found[stem] for stem in sorted(found)]
