"""The database behind the store: its address, its tables up to date, its errors in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import StoreDamaged, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Executable, Table

HEAD = "0003"
"""The newest revision in ``migrations``; a store already there starts without alembic (0.4 s)."""
BUSY_MS = 5_000
"""How long SQLite waits for another program's write."""
_REPLACED = frozenset({"orders", "positions", "commands", "articles"})
"""Tables whose rows are states, put again whenever they change; the others only grow."""


def normal_url(url: str, folder: Path) -> str:
    """Return the SQLAlchemy URL with its async driver.

    Args:
        url: what the person wrote; empty means SQLite.
        folder: where that goes.

    Raises:
        StoreError: the database is of a kind this program does not speak to.
    """
    if not url:
        return f"sqlite+aiosqlite:///{folder / 'killcord.db'}"
    scheme, _, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if kind == "sqlite" and rest:
        return f"sqlite+aiosqlite://{rest}"
    if kind in ("postgres", "postgresql") and rest:
        return f"postgresql+asyncpg://{rest}"
    raise StoreError(
        f"DATABASE_URL: {kind or 'this'} is not supported; use sqlite:// or postgresql://"
    )


def upsert(table: Table, url: str) -> Executable:
    """Return the statement that adds rows, or puts those that are states in place of the last."""
    if url.startswith("sqlite"):
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    if table.name not in _REPLACED:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def probe(path: Path, place: str) -> None:
    """Read the revision with the standard library's driver; a file that is not there is fine."""
    if not path.exists():
        return
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000)
        connection.execute("BEGIN IMMEDIATE")
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if found and found[0] > HEAD:
            raise _newer(place)
    except sqlite3.Error as error:
        if "no such table" not in str(error):
            raise explain(error, place) from error
    finally:
        if connection is not None:
            connection.close()


def look_through(path: Path, place: str) -> None:
    """See whether every page of the file is sound: 100 MB take half a second.

    Raises:
        StoreDamaged: it is not; nothing was written to it.
        StoreError: it cannot be looked at.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise explain(error, place) from error
    if found != "ok":
        raise StoreDamaged(f"{place}: {' '.join(found.split())[:200]}; {_DAMAGED}")


def _newer(place: str) -> StoreError:
    return StoreError(
        f"{place}: was written by a newer Killcord; use that version, or another DATABASE_URL"
    )


def tune(connection: Any, _: object) -> None:
    """Set a new SQLite connection up: survive a crash of the process, wait for other readers."""
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(connection: Connection, place: str) -> None:
    """Bring the tables to ``HEAD``; do nothing, fast, when they are there.

    Raises:
        StoreError: the tables are of a revision this program does not have.
    """
    from sqlalchemy import inspect, text

    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found == HEAD:
            return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise _newer(place) from error


_DAMAGED = (
    "it is damaged; restore a backup, or move it away: a new one is made, and positions come from "
    "the journal"
)
_OUTAGES = ("OperationalError", "InterfaceError", "InternalError", "ConnectionDoesNotExistError")


def is_outage(error: Exception) -> bool:
    """Whether an error is the database's trouble, not that of the rows it was given."""
    named = type(error).__name__ in _OUTAGES or isinstance(error.__cause__, OSError)
    return named or isinstance(explain(error, ""), StoreDamaged)


def explain(error: Exception, place: str) -> StoreError:
    """Return a database's error as one line that says what to do."""
    text = " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__
    if "locked" in text:
        remedy = "end the program that holds it, or set another DATABASE_URL"
    elif "not a database" in text or "malformed" in text or "disk image" in text:
        return StoreDamaged(f"{place}: {text[:200]}; {_DAMAGED}")
    elif "unable to open" in text or "readonly" in text or "read-only" in text:
        remedy = "make the folder writable, or set another DATABASE_URL"
    elif "full" in text:
        remedy = "free some disk space"
    else:
        remedy = "check that the database runs and that DATABASE_URL is right"
    return StoreError(f"{place}: {text[:200]}; {remedy}")
