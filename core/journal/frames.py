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

import os
import struct
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from core.errors import JournalCorrupt, StateError
from core.files import write_whole
from core.model.record import JournalRecord, decode
from core.portfolio.checkpoint import Checkpoint, restore
from core.portfolio.ledger import Ledger

FORMAT = 1
_MAGIC = b"\xabKW\x01"
_FRAME = struct.Struct("<4sII16s")
GENESIS = bytes(16)
"""The chain before the first record."""
_LARGEST = 16 * 1024 * 1024


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
    build: str = ""
    """Version and code of the desk that wrote it; empty when it did not say."""
    settings: dict[str, Any] = {}
    """What it traded by, see ``core.config.Config.rules``."""


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
    at, count, chain = 0, 0, GENESIS
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
        StateError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror})") from error
    epoch: Epoch | None = None
    records: list[JournalRecord] = []
    size, chain = 0, GENESIS
    for count, (end, link, body) in enumerate(_bodies(data, path)):
        try:
            if epoch is None:
                epoch = msgspec.json.decode(body, type=Epoch)
                if epoch.format > FORMAT:
                    raise JournalCorrupt(
                        f"{path}: was written by a newer Killcord; use that version"
                    )
            else:
                records.append(decode(body))
        except msgspec.MsgspecError as error:
            raise _corrupt(path, count, size, f"is not one this program knows ({error})") from error
        size, chain = end, link
    if epoch is None:
        raise _corrupt(path, 0, 0, "is missing")
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
        replay = read(each)
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

    What is cut is kept beside it, named after the byte where it began: it may have been more than
    a crash, and is all there is to tell.

    Raises:
        JournalCorrupt: as ``read``.
        StateError: the file cannot be read or changed.
    """
    paths = files(folder)
    if not paths:
        return None
    path = paths[-1]
    try:
        replay = read(path)
        if replay.torn:
            tail = path.read_bytes()[replay.size :]
            write_whole(path.with_suffix(f".torn-{replay.size}"), tail, durable=True)
            with path.open("r+b") as file:
                file.truncate(replay.size)
                os.fsync(file.fileno())
    except OSError as error:
        raise StateError(f"{path}: cannot be read or changed ({error.strerror})") from error
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
