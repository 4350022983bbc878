"""The write-ahead log at work: the file of this epoch and the thread that writes it.

What the file looks like, and how it is read and checked, is in ``core.journal.frames``.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
from msgspec import Struct

from core.errors import StateError, in_words
from core.files import write_whole
from core.journal.frames import FORMAT, GENESIS, Epoch, Replay, files, frame
from core.model.record import JournalRecord, encode
from core.portfolio.checkpoint import take
from core.portfolio.ledger import Ledger

_GROUP = 1000
"""Most records in one write: bounds how long a waiting intent shares its sync with others."""

_sync = getattr(os, "fdatasync", os.fsync)
"""Without the file's times, where the system can; macOS cannot."""

_encode_any = msgspec.json.Encoder().encode


class _Turn(Struct, frozen=True):
    """Go on in a new file."""

    checkpoint: bytes
    now: int


_Item = tuple[JournalRecord | _Turn | None, asyncio.Future[None] | None]
"""A record and who waits for it; neither: stop."""


class JournalStats(Struct):
    """Counters of the writer; changed in place by its thread."""

    records: int = 0
    bytes: int = 0
    groups: int = 0
    syncs: int = 0
    sync_ms: float = 0.0
    """Duration of the last fdatasync."""
    sync_max_ms: float = 0.0


def begin(
    folder: Path,
    environment: str,
    before: Replay | None,
    ledger: Ledger,
    now: int,
    keep: int = 50,
    build: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Journal:
    """Write the file of a new epoch, durably, and return its journal, not yet started.

    Args:
        folder: made when missing.
        environment: practice, testnet or live.
        before: the epoch that this one follows.
        ledger: what is carried over.
        now: nanoseconds UTC.
        keep: how many older files stay.
        build: what writes it, see ``Epoch``.
        settings: what is traded by, see ``Epoch``.

    Raises:
        StateError: the file cannot be written.
    """
    number = before.epoch.epoch + 1 if before else 1
    previous = before.chain.hex() if before else ""
    checkpoint = msgspec.Raw(_encode_any(take(ledger)))
    rules = dict(settings or {})
    epoch = Epoch(FORMAT, number, environment, now, previous, checkpoint, build, rules)
    path, descriptor, chain = _create(folder, epoch, keep)
    return Journal(path, epoch, descriptor, chain, keep)


def _create(folder: Path, epoch: Epoch, keep: int) -> tuple[Path, int, bytes]:
    """Write the file of an epoch, durably; return where it is, its descriptor and its chain."""
    path = folder / f"journal-{epoch.epoch:06d}.wal"
    data, chain = frame(_encode_any(epoch), GENESIS)
    try:
        write_whole(path, data, durable=True)
        for old in files(folder)[: -keep - 1]:
            old.unlink()
        return path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), chain
    except OSError as error:
        raise StateError(f"{path}: the journal cannot be written ({error.strerror})") from error


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
        going = True
        while going:
            group = [self._queue.get()]
            with suppress(Empty):
                while len(group) < _GROUP:
                    group.append(self._queue.get_nowait())
            going = self._take_down(group)

    def _take_down(self, group: list[_Item]) -> bool:
        """Write what was given and tell who waits; return whether more is to come."""
        last = any(record is None and future is None for record, future in group)
        waiting = [future for _, future in group if future is not None]
        if not self.failure:
            try:
                self._write_group([record for record, _ in group], bool(waiting) or last)
            except Exception as error:
                # A record that cannot be encoded is as fatal as a full disk: what follows
                # would not be a complete history.
                self.failure = f"{self.path}: cannot be written ({in_words(error)})"
                self._call(self._failed, self.failure)
        if waiting:
            self._call(_finish, waiting, self.failure)
        return not last

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
            first.build,
            first.settings,
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
