"""The recording: every event, with its number, and what the engine decided on it.

An event is taken before the engine sees it. A session is a folder,
``recording/20261121T090212-000042``: ``session.json`` (what is needed to replay it), ``end.json``
(how it ended, missing after a crash) and segments named by the number of their first event. A
segment is written as a *spool*: zlib blocks of JSON lines, each with its length and checksum, so
that a killed desk loses at most the last second. A line that is an array holds the decisions on
the event before it. A full spool becomes a Parquet file (zstd; columns seq, received, type, venue,
symbol, event, decisions) in a short-lived child process: pyarrow costs 60 MB and several
milliseconds at a time in which Python does nothing else, and the desk has neither to spare.
``read_recording`` reads both.
"""

from __future__ import annotations

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
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from core.errors import RecordingError
from core.model.effect import Effect, Record
from core.model.event import Event, SentimentScored, encode

_BLOCK = struct.Struct("<II")
"""Length and crc32 of the compressed bytes that follow."""
_decode = msgspec.json.Decoder(Event).decode

_NEWS = b'{"type":"SentimentScored"'
_SESSION, _END = "session.json", "end.json"
_encode_effects = msgspec.json.Encoder().encode
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


class Session(Struct, frozen=True):
    """What a replay needs beside the events."""

    environment: str
    epoch: int
    """Number of the desk's start; part of its client order ids."""
    started: int
    """Nanoseconds UTC."""
    config: dict[str, Any]
    """Without ``storage``, which holds the address of a database."""
    instance: str
    """Of the client order ids, as the next; see ``core.desk.identity``."""
    key: bytes
    strategy: str
    """What the strategy's code or model was: hash of the file, id of the model; empty for a
    built-in one."""
    checkpoint: msgspec.Raw
    """The ledger at the start, see ``core.portfolio.checkpoint``."""


class End(Struct, frozen=True):
    """How a session ended."""

    events: int
    decision_hash: str
    """The engine's own, over all of them."""
    ended: int
    """Nanoseconds UTC."""


class Recorded(NamedTuple):
    """An event as it was recorded."""

    seq: int
    event: Event
    decisions: bytes
    """JSON array of the effects it had, records left out; empty when there were none."""


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
                _write_json(self.path / _END, self._end)
        except Exception as error:
            self.stats.failure = f"events are no longer recorded in {self.path}: {error}"
            self._failed(self.stats.failure)

    def _begin(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_json(self.path / _SESSION, self._session)
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
        os.write(self._file, _BLOCK.pack(len(block), zlib.crc32(block)) + block)
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


def encode_decisions(effects: tuple[Effect, ...]) -> bytes:
    """Write effects as they are recorded: records repeat what came in and are left out."""
    return _encode_effects([effect for effect in effects if type(effect) is not Record])


def read_session(path: Path) -> Session:
    """Read what a replay of a session folder needs beside the events.

    Raises:
        RecordingError: it is not a session, is damaged, or was recorded by another version.
    """
    try:
        return msgspec.json.decode((path / _SESSION).read_bytes(), type=Session)
    except OSError as error:
        raise RecordingError(f"{path}: is not a recorded session ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise RecordingError(
            f"{path / _SESSION}: is damaged, or of another version of Killcord: {error}"
        ) from error


def read_end(path: Path) -> End | None:
    """Return how a session ended; None while it runs, and after a crash.

    Raises:
        RecordingError: what is said of it cannot be read.
    """
    try:
        return msgspec.json.decode((path / _END).read_bytes(), type=End)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{path / _END}: cannot be read ({error})") from error


Line = tuple[bytes, bytes]
"""An event and the decisions on it, as JSON; decisions may be empty."""


def read_spool(path: Path) -> Iterator[tuple[int, list[Line]]]:
    """Yield blocks of a spool: number of the first event, and the events with their decisions.

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
            first, _, text = zlib.decompress(block).partition(b"\n")
            lines: list[Line] = []
            for line in text.split(b"\n"):
                if line.startswith(b"["):
                    lines[-1] = (lines[-1][0], b"" if line == b"[]" else line)
                else:
                    lines.append((line, b""))
            yield int(first), lines


def _read_parquet(path: Path, start: int) -> Iterator[tuple[int, list[Line]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            last = file.metadata.row_group(group).column(0).statistics
            if last is not None and last.max < start:
                continue
            batches = file.iter_batches(
                4096, row_groups=[group], columns=["seq", "event", "decisions"]
            )
            for batch in batches:
                events, decisions = batch.column(1).to_pylist(), batch.column(2).to_pylist()
                yield (
                    batch.column(0)[0].as_py(),
                    [
                        (event.encode(), (found or "").encode())
                        for event, found in zip(events, decisions, strict=True)
                    ],
                )
    except (OSError, ValueError, IndexError, pa.ArrowException) as error:
        raise RecordingError(f"{path}: is not a recording ({error})") from error


def read_recording(path: Path, start: int = 1) -> Iterator[Recorded]:
    """Yield the events of a session folder, or of one segment, in the order they were handled.

    Args:
        path: a session folder, or a segment.
        start: number of the first event wanted.

    Raises:
        RecordingError: a segment is damaged, an event is missing, or there is nothing to read.
    """
    segments = segments_of(path)
    if not segments:
        raise RecordingError(f"{path}: holds no recording")
    expected: int | None = None if path.is_file() else 1
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        if following is not None and _first(following) <= start:
            expected = _first(following)
            continue
        blocks = (
            read_spool(segment) if segment.suffix == ".spool" else _read_parquet(segment, start)
        )
        for first, lines in blocks:
            if expected not in (None, first) and max(first, expected or 0) > start:
                raise RecordingError(f"{segment}: event {expected} is missing, {first} follows")
            expected = first + len(lines)
            for number, (text, decisions) in enumerate(lines, first):
                if number < start:
                    continue
                try:
                    yield Recorded(number, _decode(text), decisions)
                except msgspec.MsgspecError as error:
                    raise RecordingError(f"{segment}: event {number}: {error}") from error


def read_news(path: Path) -> Iterator[SentimentScored]:
    """Yield what the news said in a session; other events are not even decoded.

    Raises:
        RecordingError: a segment is damaged, or there is nothing to read.
    """
    segments = segments_of(path)
    if not segments:
        raise RecordingError(f"{path}: holds no recording")
    for segment in segments:
        for _, lines in (
            read_spool(segment) if segment.suffix == ".spool" else _read_parquet(segment, 1)
        ):
            for text, _ in lines:
                if text.startswith(_NEWS):
                    event = _decode(text)
                    assert isinstance(event, SentimentScored)
                    yield event


def last_moment(path: Path) -> int:
    """Return when the last recorded event of a session was received, nanoseconds UTC; 0 if none.

    Raises:
        RecordingError: its last segment is damaged.
    """
    end = read_end(path)
    if end is not None:
        return end.ended
    last = 0
    for segment in segments_of(path)[-1:]:
        if segment.suffix == ".spool":
            for _, lines in read_spool(segment):
                last = _decode(lines[-1][0]).received
        else:
            start = _first(segment)
            for recorded in read_recording(segment, start):
                last = recorded.event.received
    return last


def segments_of(path: Path) -> list[Path]:
    """Return the segments of a session in order, a Parquet file before the spool it was made of."""
    if path.is_file():
        return [path]
    found: dict[str, Path] = {}
    for suffix in (".spool", ".parquet"):
        found |= {each.stem: each for each in path.glob(f"events-*{suffix}")}
    return [found[stem] for stem in sorted(found)]


def _first(segment: Path) -> int:
    """Return the number of a segment's first event, by its name."""
    return int(segment.stem.rpartition("-")[2])


def _write_json(path: Path, facts: Struct) -> None:
    text = msgspec.json.encode(facts)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(text)
