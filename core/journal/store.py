"""The SQL store: history for the panes, reports and other programs. It never holds up trading.

The desk puts rows with one list operation; a thread with an event loop of its own batches them
through SQLAlchemy Core, because binding parameters costs about 10 us a row of Python that the
trading loop must not pay in lumps. The libraries take a second of processor time to import, so a
SQLite file is only looked at by ``check`` while the desk boots, and opened when it is ready.

One connection, one writer. Rows that the database does not take at once wait in memory while it
is retried; the write-ahead log is what positions are rebuilt from, so a store that is down costs
history, not safety. The desk stops opening risk only when history is about to be lost: see
``SPOOL``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from core.errors import StoreDamaged, StoreError
from core.journal.database import (
    explain,
    is_outage,
    look_through,
    migrate,
    normal_url,
    probe,
    tune,
    upsert,
)

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncEngine

SPOOL = 200_000
"""Most rows that wait for a database that is down; then the oldest are dropped and counted."""
_BATCH = 2_000
Row = Mapping[str, Any]


class StoreStats(Struct):
    """Counters; changed in place by the store's thread."""

    rows: int = 0
    waiting: int = 0
    dropped: int = 0
    refused: int = 0
    """Rows that the database would never take."""
    failure: str = ""
    """Why rows are waiting; empty while all is well."""
    damaged: bool = False
    """Whether that is damage: nothing more is written."""


class Numbers:
    """Row ids that rise with time and stay unique over restarts."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the next id: nanoseconds UTC, or one more than the last."""
        self._last = max(self._last + 1, time.time_ns())
        return self._last


class Store:
    """The writer. ``check``, ``open``, ``put``; ``close`` writes what waits. ``put`` works before.

    Args:
        url: as ``Storage.database_url``.
        folder: where SQLite goes without one.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = normal_url(url, folder)
        self.stats = StoreStats()
        self._rows: deque[tuple[str, Row]] = deque()
        self._engine: AsyncEngine | None = None
        self._statements: dict[str, Executable] = {}
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._opened: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: Callable[[str], None] = lambda reason: None
        self._stopping = threading.Event()
        self._cuts: dict[tuple[str, str], int] = {}

    @property
    def place(self) -> str:
        """The database as a person may read it: without a password."""
        head, _, tail = self.url.rpartition("@")
        return f"{head.partition('://')[0]}://{tail}" if head else self.url.partition(":///")[2]

    async def check(self) -> None:
        """See whether the store can be used, without the libraries that use it.

        Raises:
            StoreError: a SQLite file is damaged, locked, or of a newer program. A server is
                checked by ``open``.
        """
        if self.url.startswith("sqlite"):
            await asyncio.to_thread(probe, Path(self.url.partition(":///")[2]), self.place)

    @property
    def opened(self) -> bool:
        """Whether ``open`` was called."""
        return self._opened is not None

    @property
    def deferrable(self) -> bool:
        """Whether ``check`` says all that ``open`` would, so that opening can wait."""
        return self.url.startswith("sqlite")

    async def open(self, told: Callable[[str], None]) -> None:
        """Connect, bring the tables up to date, start writing.

        Args:
            told: called on this loop when the database fails (with the reason) and when it is
                back (with an empty text).

        Raises:
            StoreError: unreachable, locked, damaged, or written by a newer program; one line
                with the remedy. Unless it is damaged it is tried again until ``close``.
        """
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._told = told
        self._thread.start()
        await self._opened

    def put(self, table: str, row: Row) -> None:
        """Add a row, to be written within a fraction of a second. Never blocks, never raises."""
        self._rows.append((table, row))
        if len(self._rows) > SPOOL:
            self._rows.popleft()
            self.stats.dropped += 1

    def forget(self, table: str, column: str, before: int) -> None:
        """Have rows deleted whose ``column`` is below ``before``. Never blocks, never raises."""
        self._cuts[table, column] = before

    async def close(self, patience: float = 5.0) -> None:
        """Write what waits, for at most ``patience`` seconds, and disconnect."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, patience)

    def _run(self) -> None:
        with suppress(RuntimeError):  # the desk's loop closed while we finished
            asyncio.run(self._work())

    async def _work(self) -> None:
        if not await self._reach():
            return
        assert self._engine is not None
        try:
            await self._write_on()
        finally:
            await self._engine.dispose()

    async def _reach(self) -> bool:
        """Connect, and where that fails say so and try on; False: given up, or told to stop."""
        assert self._opened is not None
        pause = 0.1
        while True:
            try:
                await self._connect()
            except Exception as error:
                problem = self._fail(error)
                self._call(_fail, self._opened, problem)
                if self._stopping.is_set() or self.stats.damaged:
                    return False
                await asyncio.to_thread(self._stopping.wait, pause)
                pause = min(pause * 2, 5.0)
            else:
                self._call(_succeed, self._opened)
                self._recover()
                return True

    def _fail(self, error: Exception) -> StoreError:
        """Note why the database cannot be used."""
        problem = error if isinstance(error, StoreError) else explain(error, self.place)
        self.stats.failure = str(problem)
        self.stats.damaged = isinstance(problem, StoreDamaged)
        return problem

    def _recover(self) -> None:
        """Note, and say, that the database is back, where it was not."""
        if self.stats.failure:
            self.stats.failure = ""
            self._call(self._told, "")

    async def _connect(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.ext.asyncio import create_async_engine

        options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0}
        sqlite = self.url.startswith("sqlite")
        if sqlite:
            await asyncio.to_thread(look_through, Path(self.url.partition(":///")[2]), self.place)
        else:
            options |= {"pool_pre_ping": True, "connect_args": {"timeout": 5}}
        try:
            self._engine = create_async_engine(self.url, **options)
        except ImportError as error:
            raise StoreError(
                f"{self.place}: {error.name} is not installed: pip install {error.name}"
            ) from error
        if sqlite:
            event.listen(self._engine.sync_engine, "connect", tune)
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(migrate, self.place)
        except BaseException:
            await self._engine.dispose()
            raise

    async def _write_on(self) -> None:
        pause = 0.1
        while True:
            stop = self._stopping.is_set()
            try:
                while self._rows:
                    await self._write_batch()
                while self._cuts:
                    await self._cut(*self._cuts.popitem())
            except Exception as error:
                known = self.stats.failure
                problem = self._fail(error)
                if not known:
                    self._call(self._told, str(problem))
                if self.stats.damaged:
                    return
                pause = min(pause * 2, 5.0)
            else:
                pause = 0.1
                self._recover()
            self.stats.waiting = len(self._rows)
            if stop:
                return
            await asyncio.to_thread(self._stopping.wait, pause)

    async def _write_batch(self) -> None:
        """Write up to ``_BATCH`` rows in one transaction; on failure they stay where they were."""
        from sqlalchemy.exc import DataError, IntegrityError, StatementError

        count = min(len(self._rows), _BATCH)
        batch = [self._rows.popleft() for _ in range(count)]
        try:
            await self._insert(batch)
        except (DataError, IntegrityError) as error:
            await self._insert_singly(batch, error)
        except StatementError as error:
            # OperationalError and its like derive from StatementError too; those are the
            # database's trouble, not the row's.
            if getattr(error, "connection_invalidated", False) or is_outage(error):
                self._rows.extendleft(reversed(batch))
                raise
            await self._insert_singly(batch, error)
        except BaseException:
            self._rows.extendleft(reversed(batch))
            raise
        self.stats.rows += count

    async def _cut(self, place: tuple[str, str], before: int) -> None:
        from sqlalchemy import delete

        from core.journal.tables import Base

        assert self._engine is not None
        name, column = place
        table = Base.metadata.tables[name]
        async with self._engine.begin() as connection:
            await connection.execute(delete(table).where(table.c[column] < before))

    async def _insert(self, batch: Sequence[tuple[str, Row]]) -> None:
        assert self._engine is not None
        tables: dict[str, list[Row]] = {}
        for table, row in batch:
            tables.setdefault(table, []).append(row)
        async with self._engine.begin() as connection:
            for table, rows in tables.items():
                await connection.execute(self._statement(table), rows)

    async def _insert_singly(self, batch: Sequence[tuple[str, Row]], error: Exception) -> None:
        """Write a batch with a bad row in it: all but that row."""
        self._call(self._told, f"{self.place}: refused a row: {error}".splitlines()[0])
        for at, item in enumerate(batch):
            try:
                await self._insert([item])
            except Exception as problem:
                if is_outage(problem):  # no fault of the row's: it waits, as all do then
                    self._rows.extendleft(reversed(batch[at:]))
                    raise
                self.stats.refused += 1

    def _statement(self, table: str) -> Executable:
        if table not in self._statements:
            from core.journal.tables import Base

            self._statements[table] = upsert(Base.metadata.tables[table], self.url)
        return self._statements[table]

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
