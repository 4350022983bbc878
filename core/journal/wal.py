"""The write-ahead log: what the desk did about money, in order, on disk before it takes effect.

One file per start of the desk (an *epoch*), ``journal-000042.wal``. A file is a run of frames::

    magic 4 | length u32 | crc32 u32 | chain 16 | body (msgspec JSON), little endian

``chain`` is blake2b-128 of the previous frame's chain and the body, so that a record cannot be
changed, dropped or moved without breaking every later one; ``crc32`` covers chain and body. The
first frame is an ``Epoch``, which names the last chain of the file before and carries over the
state of the ledger that those files led to; then follows what happened. A file is complete in
itself: replay reads the newest only.

A file may end inside a frame, because a process or a machine may die while writing; such a torn
tail holds nothing that was reported durable and is cut off, and said. A bad frame with good ones
behind it is not a torn tail: that is ``JournalCorrupt``.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
from msgspec import Struct

from core.errors import JournalCorrupt, StateError
from core.orders.records import JournalRecord, decode, encode
from core.portfolio.checkpoint import Checkpoint, restore, take
from core.portfolio.ledger import Ledger

FORMAT = 1
_MAGIC = b"\xabKW\x01"
_FRAME = struct.Struct("<4sII16s")
_GENESIS = bytes(16)
_LARGEST = 16 * 1024 * 1024
_GROUP = 1000
"""Most records in one write: bounds how long a waiting intent shares its sync with others."""

_sync = getattr(os, "fdatasync", os.fsync)
"""Without the file's times, where the system can; macOS cannot."""

_encode_any = msgspec.json.Encoder().encode


class Epoch(Struct, frozen=True):
    """The first frame of a file."""

    format: int
    epoch: int
    environment: str
    created: int
    """Nanoseconds UTC."""
    previous: str
    """Hex of the last chain of the file before; empty for the first."""
    checkpoint: msgspec.Raw
    """The ledger at the start, see ``core.portfolio.checkpoint``."""


class _Turn(Struct, frozen=True):
    """Go on in a new file."""

    checkpoint: bytes
    now: int


_Item = tuple[JournalRecord | _Turn | None, asyncio.Future[None] | None]
"""A record and who waits for it; neither: stop."""


class Replay(Struct, frozen=True):
    """What one file holds."""

    path: Path
    epoch: Epoch
    records: tuple[JournalRecord, ...]
    chain: bytes
    size: int
    """Bytes up to the end of the last good frame."""
    torn: int
    """Bytes after it."""


class JournalStats(Struct):
    """Counters of the writer; changed in place by its thread."""

    records: int = 0
    bytes: int = 0
    groups: int = 0
    syncs: int = 0
    sync_ms: float = 0.0
    """Duration of the last fdatasync."""
    sync_max_ms: float = 0.0


def frame(body: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """Return the frame of a body, and the chain after it."""
    chain = blake2b(chain + body, digest_size=16).digest()
    crc = zlib.crc32(body, zlib.crc32(chain))
    return _FRAME.pack(_MAGIC, len(body), crc, chain) + body, chain


def _frame_at(data: bytes, at: int) -> tuple[bytes, bytes] | None:
    """Return chain and body of the frame at an offset; None when there is no whole good one."""
    if at + _FRAME.size > len(data):
        return None
    magic, length, crc, chain = _FRAME.unpack_from(data, at)
    start = at + _FRAME.size
    if magic != _MAGIC or length > _LARGEST or start + length > len(data):
        return None
    body = data[start : start + length]
    return (chain, body) if zlib.crc32(body, zlib.crc32(chain)) == crc else None


def _bodies(data: bytes, path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (offset after, chain, body) of each frame up to a torn tail.

    Raises:
        JournalCorrupt: a bad frame with a good one behind it, or a broken chain.
    """
    at, count, chain = 0, 0, _GENESIS
    while at < len(data):
        found = _frame_at(data, at)
        if found is None:
            later = data.find(_MAGIC, at + 1)
            while later != -1:
                if _frame_at(data, later) is not None:
                    raise _corrupt(path, count, at, "fails its checksum")
                later = data.find(_MAGIC, later + 1)
            return
        stored, body = found
        chain = blake2b(chain + body, digest_size=16).digest()
        if stored != chain:
            raise _corrupt(path, count, at, "does not follow from the record before it")
        at += _FRAME.size + len(body)
        yield at, chain, body
        count += 1


def _corrupt(path: Path, count: int, at: int, what: str) -> JournalCorrupt:
    return JournalCorrupt(
        f"{path}: record {count} at byte {at} {what}; restore the file from a backup, or move it "
        f"away and start: the desk then takes its positions from the venues"
    )


def read(path: Path) -> Replay:
    """Read and check one file without changing it.

    Raises:
        JournalCorrupt: a record is damaged, out of chain, unknown to this program, or the file
            has no first frame.
    """
    data = path.read_bytes()
    epoch: Epoch | None = None
    records: list[JournalRecord] = []
    size, chain = 0, _GENESIS
    for count, (end, link, body) in enumerate(_bodies(data, path)):
        try:
            if epoch is None:
                epoch = msgspec.json.decode(body, type=Epoch)
            else:
                records.append(decode(body))
        except msgspec.MsgspecError as error:
            raise _corrupt(path, count, size, f"is not one this program knows ({error})") from error
        size, chain = end, link
    if epoch is None:
        raise JournalCorrupt(f"{path}: has no first record; move it away and start")
    if epoch.format > FORMAT:
        raise JournalCorrupt(f"{path}: was written by a newer Killcord; use that version")
    return Replay(path, epoch, tuple(records), chain, size, len(data) - size)


def files(folder: Path) -> list[Path]:
    """Return the journal files of a folder, oldest first."""
    return sorted(folder.glob("journal-*.wal"))


class Verified(Struct, frozen=True):
    """The result of ``verify``."""

    files: int
    records: int
    bytes: int
    torn: int
    head: str
    """Hex of the last chain."""
    tail: str = ""
    """Names the damage at the end of the newest file; empty when it ends with a whole record."""


def verify(path: Path) -> Verified:
    """Check a journal file, or all files of a folder and the links between them.

    Bytes at the end of the newest file that are no whole record are told in ``tail``: a crash
    while writing leaves such, and so does a change of its last record.

    Raises:
        JournalCorrupt: naming file, record and byte.
        StateError: a file cannot be read.
    """
    paths = files(path) if path.is_dir() else [path]
    records = size = torn = 0
    tail = ""
    before: Replay | None = None
    for each in paths:
        try:
            replay = read(each)
        except OSError as error:
            raise StateError(f"{each}: cannot be read ({error.strerror})") from error
        if before and tail:
            raise _corrupt(before.path, len(before.records) + 1, before.size, "is cut or changed")
        if before and (
            replay.epoch.epoch != before.epoch.epoch + 1
            or replay.epoch.previous != before.chain.hex()
        ):
            raise _corrupt(each, 0, 0, "does not continue the file before it")
        if replay.torn:
            number = len(replay.records) + 1
            tail = (
                f"{each}: record {number} at byte {replay.size} is cut or changed "
                f"({replay.torn} bytes)"
            )
        records += len(replay.records)
        size += replay.size
        torn += replay.torn
        before = replay
    return Verified(len(paths), records, size, torn, before.chain.hex() if before else "", tail)


def load(folder: Path) -> Replay | None:
    """Read the newest file and cut its torn tail; None when there is no journal yet.

    Raises:
        JournalCorrupt: as ``read``.
    """
    paths = files(folder)
    if not paths:
        return None
    replay = read(paths[-1])
    if replay.torn:
        with paths[-1].open("r+b") as file:
            file.truncate(replay.size)
            os.fsync(file.fileno())
    return replay


def rebuild(replay: Replay | None) -> Ledger:
    """Return the ledger that a file leads to; an empty one without a file.

    Raises:
        JournalCorrupt: the checkpoint is not one this program knows.
    """
    if replay is None:
        return Ledger()
    try:
        ledger = restore(msgspec.json.decode(replay.epoch.checkpoint, type=Checkpoint))
    except msgspec.MsgspecError as error:
        raise _corrupt(replay.path, 0, 0, f"is not one this program knows ({error})") from error
    for record in replay.records:
        ledger.apply(record)
    return ledger


def begin(
    folder: Path,
    environment: str,
    before: Replay | None,
    ledger: Ledger,
    now: int,
    keep: int = 50,
) -> Journal:
    """Write the file of a new epoch, durably, and return its journal, not yet started.

    Args:
        folder: made when missing.
        environment: practice, testnet or live.
        before: the epoch that this one follows.
        ledger: what is carried over.
        now: nanoseconds UTC.
        keep: how many older files stay.

    Raises:
        StateError: the file cannot be written.
    """
    number = before.epoch.epoch + 1 if before else 1
    previous = before.chain.hex() if before else ""
    checkpoint = msgspec.Raw(_encode_any(take(ledger)))
    epoch = Epoch(FORMAT, number, environment, now, previous, checkpoint)
    path, descriptor, chain = _create(folder, epoch, keep)
    return Journal(path, epoch, descriptor, chain, keep)


def _create(folder: Path, epoch: Epoch, keep: int) -> tuple[Path, int, bytes]:
    """Write the file of an epoch, durably; return where it is, its descriptor and its chain."""
    path = folder / f"journal-{epoch.epoch:06d}.wal"
    data, chain = frame(_encode_any(epoch), _GENESIS)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        with open(draft, "wb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(folder)
        for old in files(folder)[: -keep - 1]:
            old.unlink()
        return path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), chain
    except OSError as error:
        raise StateError(f"{path}: the journal cannot be written ({error.strerror})") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """The open file of this epoch, and the thread that writes it.

    Encoding, hashing and writing happen in the thread; the loop pays for one queue operation.
    Records reach the file in the order they were given. Make one with ``begin``.
    """

    def __init__(self, path: Path, epoch: Epoch, descriptor: int, chain: bytes, keep: int) -> None:
        self.path = path
        self.epoch = epoch.epoch
        """Of the present file; client ids carry that of the start."""
        self._first = epoch
        self._keep = keep
        self.stats = JournalStats()
        self.failure: str = ""
        """Why nothing is written any more; empty while all is well."""
        self._descriptor = descriptor
        self._chain = chain
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._put = self._queue.put
        self._thread = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed: Callable[[str], None] = lambda reason: None

    @property
    def checkpoint(self) -> msgspec.Raw:
        """The ledger as the present file began with it."""
        return self._first.checkpoint

    @property
    def head(self) -> str:
        """Hex of the chain after the last record written."""
        return self._chain.hex()

    def start(self, failed: Callable[[str], None]) -> None:
        """Start the writer; ``failed`` is called once on this loop if the disk refuses."""
        self._loop = asyncio.get_running_loop()
        self._failed = failed
        self._thread.start()

    def append(self, record: JournalRecord) -> None:
        """Add a record; it is written soon, in order, and not waited for."""
        self._put((record, None))

    def append_durable(self, record: JournalRecord) -> asyncio.Future[None]:
        """Add a record; the future is done when it would survive a power cut.

        Intents that wait at the same time share one sync. The future fails with ``StateError``
        when the journal cannot be written.
        """
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        self._put((record, future))
        return future

    def turn(self, ledger: Ledger, now: int) -> None:
        """Go on in a new file, so that the next start replays less.

        Call it between events, when every record given so far is in the ledger.
        """
        self._put((_Turn(_encode_any(take(ledger)), now), None))

    async def close(self) -> None:
        """Write and sync everything, then close the file."""
        if self._thread.is_alive():
            self._put((None, None))
            await asyncio.to_thread(self._thread.join)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write_on(self) -> None:
        """Write groups until told to stop."""
        last = False
        while not last:
            group = [self._queue.get()]
            with suppress(Empty):
                while len(group) < _GROUP:
                    group.append(self._queue.get_nowait())
            last = any(record is None and future is None for record, future in group)
            waiting = [future for _, future in group if future is not None]
            if not self.failure:
                try:
                    self._write_group([record for record, _ in group], bool(waiting) or last)
                except Exception as error:
                    # A record that cannot be encoded is as fatal as a full disk: what follows
                    # would not be a complete history.
                    self.failure = f"{self.path}: cannot be written ({error})"
                    self._call(self._failed, self.failure)
            if waiting:
                self._call(_finish, waiting, self.failure)

    def _write_group(self, items: list[JournalRecord | _Turn | None], sync: bool) -> None:
        """Write records, turning to a new file where that was asked."""
        records: list[JournalRecord] = []
        for item in items:
            if isinstance(item, _Turn):
                self._write(records, sync=True)
                records = []
                self._turn(item)
            elif item is not None:
                records.append(item)
        self._write(records, sync)

    def _turn(self, turn: _Turn) -> None:
        first = self._first
        epoch = Epoch(
            FORMAT,
            self.epoch + 1,
            first.environment,
            turn.now,
            self._chain.hex(),
            msgspec.Raw(turn.checkpoint),
        )
        path, descriptor, chain = _create(self.path.parent, epoch, self._keep)
        os.close(self._descriptor)
        self.path, self.epoch, self._descriptor, self._chain = path, epoch.epoch, descriptor, chain

    def _write(self, records: list[JournalRecord], sync: bool) -> None:
        parts = []
        chain = self._chain
        for record in records:
            data, chain = frame(encode(record), chain)
            parts.append(data)
        data = b"".join(parts)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._chain = chain
        stats = self.stats
        stats.records += len(records)
        stats.bytes += len(data)
        stats.groups += 1
        if sync:
            started = time.perf_counter()
            _sync(self._descriptor)
            stats.sync_ms = (time.perf_counter() - started) * 1000
            stats.sync_max_ms = max(stats.sync_max_ms, stats.sync_ms)
            stats.syncs += 1

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)


def _finish(waiting: list[asyncio.Future[None]], failure: str) -> None:
    for future in waiting:
        if not future.done():
            if failure:
                future.set_exception(StateError(failure))
            else:
                future.set_result(None)
