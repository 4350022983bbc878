"""The SQL store, on SQLite and, where it runs, on PostgreSQL."""

import asyncio
import glob
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import StoreDamaged, StoreError
from core.journal import database
from core.journal.store import Store
from tests.waiting import until


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own on a free port; skipped where it is not installed."""
    found = shutil.which("initdb") or next(
        iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)), None
    )
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    as_user: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kc-pg-") as folder:
        if os.getuid() == 0:  # the server refuses to run as root
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("there is no postgres user to run the server as")
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        tools = Path(found).parent

        def run(*command: str) -> None:
            subprocess.run(command, check=True, capture_output=True, cwd=folder, **as_user)

        data = f"{folder}/data"
        run(found, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(f"{tools}/pg_ctl", "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        run(f"{tools}/pg_ctl", "-D", data, "-m", "immediate", "stop")


def fill(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "venue": "okx",
        "symbol": "BTC/USDT:USDT",
        "trade_id": str(number),
        "ts": number,
        "client_id": "K1",
        "venue_id": "9",
        "side": "buy",
        "qty": Decimal("0.0100"),
        "price": Decimal("61234.50"),
        "commission": Decimal("-0.00000001"),
        "pnl": None,
        "strategy": "ema_cross",
        "maker": True,
        "execution_ms": 1.5,
    } | changes


def position(qty: str) -> dict[str, Any]:
    zero = Decimal(0)
    return {
        "venue": "okx",
        "symbol": "BTC/USDT:USDT",
        "qty": Decimal(qty),
        "entry": Decimal("61000.1"),
        "realised": zero,
        "fees": zero,
        "funding": zero,
        "updated": 1,
    }


async def rows(store: Store, table: str) -> list[Any]:
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import create_async_engine

    from core.journal.tables import Base

    engine = create_async_engine(store.url)
    async with engine.connect() as connection:
        found = (await connection.execute(select(Base.metadata.tables[table]))).all()
    await engine.dispose()
    return list(found)


async def checked(folder: Path) -> None:
    await Store("", folder).check()


async def opened(url: str, folder: Path, told: Callable[[str], None] | None = None) -> Store:
    store = Store(url, folder)
    try:
        await store.open(told or (lambda text: pytest.fail(text)))
    except StoreError:
        await store.close()
        raise
    return store


def spoil(path: Path) -> bytes:
    """Damage the table of fills and its indexes; return what the file is then."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'fills'")
        pages = [page for (page,) in found]
    data = bytearray(path.read_bytes())
    for page in pages:
        data[(page - 1) * 4096 : (page - 1) * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
async def test_rows_are_exact_unique_and_states_are_replaced(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres") if database == "postgres" else ""
    store = await opened(url, tmp_path)
    before = len(await rows(store, "fills"))
    number = before + 1_000
    store.put("fills", fill(number))
    store.put("fills", fill(number, price=Decimal(1)))
    store.put("positions", position("0.5"))
    store.put("positions", position("-0.250"))
    await store.close()
    again = await opened(url, tmp_path)
    found = await rows(again, "fills")
    await again.close()
    assert len(found) == before + 1
    last = next(row for row in found if row.trade_id == str(number))
    assert (last.price, last.qty) == (Decimal("61234.50"), Decimal("0.0100"))
    assert str(last.qty) == "0.0100"
    assert last.commission == Decimal("-0.00000001")
    assert [str(row.qty) for row in await rows(again, "positions")] == ["-0.250"]


async def test_the_migrations_make_exactly_the_models(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine

    from core.journal.tables import Base

    store = await opened("", tmp_path)
    await store.close()
    engine = create_engine(f"sqlite:///{tmp_path / 'killcord.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [database.HEAD]


async def test_a_newer_store_is_refused_in_one_line(tmp_path: Path) -> None:
    await (await opened("", tmp_path)).close()
    with sqlite3.connect(tmp_path / "killcord.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for look in (checked(tmp_path), opened("", tmp_path)):
        with pytest.raises(StoreError, match=r"newer Killcord; use that version") as caught:
            await look
        assert "\n" not in str(caught.value)


async def test_a_damaged_file_an_unreachable_server_and_a_strange_url_say_what_to_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "killcord.db").write_bytes(b"this is no database" * 100)
    for look in (checked(tmp_path), opened("", tmp_path)):
        with pytest.raises(StoreError, match="move it away"):
            await look
    with pytest.raises(StoreError, match="check that the database runs") as caught:
        await opened("postgresql://me:hidden@127.0.0.1:1/none", tmp_path)
    assert "hidden" not in str(caught.value)
    with pytest.raises(StoreError, match="mysql is not supported"):
        Store("mysql://x", tmp_path)


async def test_damage_inside_the_file_is_found_before_anything_is_written(tmp_path: Path) -> None:
    store = await opened("", tmp_path)
    for number in range(500):
        store.put("fills", fill(number))
    await store.close()
    data = spoil(tmp_path / "killcord.db")
    store = Store("", tmp_path)
    store.put("fills", fill(1000))
    with pytest.raises(StoreDamaged, match="restore a backup, or move it away"):
        await store.open(lambda text: pytest.fail(text))
    await store.close()
    assert (tmp_path / "killcord.db").read_bytes() == data
    assert store.stats.damaged
    assert store.stats.failure


async def test_damage_found_while_writing_loses_no_row_quietly(tmp_path: Path) -> None:
    told: list[str] = []
    store = await opened("", tmp_path)
    for number in range(500):
        store.put("fills", fill(number))
    await store.close()
    store = await opened("", tmp_path, told.append)
    spoil(tmp_path / "killcord.db")
    for number in range(500):
        store.put("fills", fill(number, venue="bybit"))
    await until(lambda: store.stats.damaged)
    assert [text for text in told if "it is damaged" in text] == told
    assert (store.stats.refused, len(store._rows)) == (0, 500)
    await store.close()


async def test_a_database_that_is_locked_when_it_is_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 50)
    holder = sqlite3.connect(tmp_path / "killcord.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    told: list[str] = []
    store = Store("", tmp_path)
    store.put("fills", fill(1))
    with pytest.raises(StoreError, match="end the program that holds it"):
        await store.open(told.append)
    assert store.stats.failure
    holder.execute("ROLLBACK")
    holder.close()
    await until(lambda: told == [""])
    await store.close()
    assert len(await rows(store, "fills")) == 1


async def test_a_locked_database_keeps_rows_waiting_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(database, "BUSY_MS", 50)
    store = await opened("", tmp_path, told.append)
    holder = sqlite3.connect(tmp_path / "killcord.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="end the program that holds it"):
        await checked(tmp_path)
    store.put("fills", fill(1))
    await until(lambda: bool(told))
    assert "locked" in told[0]
    assert "end the program that holds it" in told[0]
    holder.execute("ROLLBACK")
    holder.close()
    await until(lambda: told[-1] == "")
    await store.close()
    assert len(await rows(store, "fills")) == 1


async def test_one_bad_row_does_not_take_its_batch_with_it(tmp_path: Path) -> None:
    told: list[str] = []
    store = await opened("", tmp_path, told.append)
    store.put("fills", fill(1))
    store.put("fills", fill(2, venue=None))
    store.put("fills", fill(3))
    await store.close()
    assert [row.trade_id for row in await rows(store, "fills")] == ["1", "3"]
    assert store.stats.refused == 1
    assert "refused a row" in told[0]


async def test_a_lock_in_the_middle_of_a_bad_batch_loses_no_good_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 10)
    holder = sqlite3.connect(tmp_path / "killcord.db", isolation_level=None)
    locked = asyncio.Event()

    def told(text: str) -> None:
        if "refused a row" in text:
            holder.execute("BEGIN IMMEDIATE")
            locked.set()

    store = await opened("", tmp_path, told)
    for number in range(1000):
        store.put("fills", fill(number, **({"venue": None} if number == 0 else {})))
    await locked.wait()
    await until(lambda: bool(store.stats.failure))
    holder.execute("ROLLBACK")
    holder.close()
    await until(lambda: not store.stats.failure)
    await store.close()
    assert len(await rows(store, "fills")) == 999
    assert store.stats.refused == 1


async def test_the_spool_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.journal.store.SPOOL", 10)
    store = Store("", tmp_path)
    for number in range(25):
        store.put("fills", fill(number))
    assert store.stats.dropped == 15
    await store.open(lambda text: pytest.fail(text))
    await store.close()
    assert {int(row.trade_id) for row in await rows(store, "fills")} == set(range(15, 25))
