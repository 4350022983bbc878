"""``killcord doctor``: is everything here that a desk needs, and do the venues answer?"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.config import Config
from core.desk import disk, latch
from core.errors import KillcordError, NoDesk
from core.home import Home
from core.journal import frames
from core.journal.store import Store
from core.keys import NEWS_KEYS, news_keys, vault
from core.secrets import Secret
from core.vault import VaultUnavailable
from exchanges.access import Access
from exchanges.checkup import Finding, examine
from exchanges.practice.server import Options, serve
from tui.access import practice_accesses, venue_accesses
from tui.control import ask
from tui.output import reply, say
from tui.practice import find_running, read_ready_file
from tui.settings import read

_MARKS = {"ok": "ok  ", "warn": "!   ", "fail": "FAIL", "none": "--  "}


def run(arguments: argparse.Namespace) -> int:
    """Look at machine, files, keys and venues; return 0 when nothing fails, 5 for a venue, else 1.

    Raises:
        ConfigError: the configuration does not load; nothing else can be looked at then.
    """
    home = Home.find()
    config = read(arguments, home)
    found: list[Finding] = []

    def show(finding: Finding) -> None:
        found.append(finding)
        if not arguments.json:
            say(f"{_MARKS[finding.state]} {finding.where:9}{finding.what:16}{finding.said}")

    for finding in _here(arguments, config, home):
        show(finding)
    asyncio.run(_venues(config, home, show))
    failed = [finding for finding in found if finding.state == "fail"]
    facts = {
        "type": "doctor",
        "environment": config.environment,
        "passed": not failed,
        "findings": found,
    }
    verdict = f"{len(failed)} of {len(found)} FAIL" if failed else "nothing fails"
    reply(arguments, facts, [f"{config.environment}: {verdict}"])
    if not failed:
        return 0
    return 5 if all(finding.where in config.venues for finding in failed) else 1


def _here(arguments: argparse.Namespace, config: Config, home: Home) -> Iterator[Finding]:
    """Look at this machine and at what the program keeps on it."""
    yield Finding("machine", "python", "ok", f"{platform.python_version()}, {platform.machine()}")
    yield _guarded("machine", "ccxt", _ccxt)
    yield _terminal()
    yield _guarded("home", "folders", lambda: _room(config, home))
    file = arguments.config or home.config_file
    said = str(file) if Path(file).exists() else f"defaults: there is no {file}"
    yield Finding("home", "configuration", "ok", said)
    state = home.state(config.environment)
    yield _guarded("home", "journal", lambda: _journal(state / "journal"))
    yield _guarded("home", "store", lambda: _store(config, state))
    halted = latch.read(home.latch(config.environment))
    if halted:
        said = f"HALTED by {halted.actor}: {halted.cause}; release it by `killcord resume`"
        yield Finding("home", "latch", "warn", said)
    else:
        yield Finding("home", "latch", "ok", "not halted")
    yield _desk(home)
    yield _keyring(home)
    yield _news(config, home)


def _guarded(where: str, what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(where, what, "ok", look())
    except KillcordError as error:
        return Finding(where, what, "fail", str(error))


def _ccxt() -> str:
    from exchanges.provenance import VERSION, check_ccxt

    check_ccxt()
    return f"{VERSION}, as pinned and unchanged"


def _terminal() -> Finding:
    if not sys.stdout.isatty():
        return Finding("machine", "terminal", "none", "output goes elsewhere: nothing to measure")
    columns, lines = os.get_terminal_size()
    said = f"{columns}x{lines}, TERM={os.environ.get('TERM', '')}, {sys.stdout.encoding}"
    if columns < 80 or lines < 24:
        return Finding("machine", "terminal", "warn", f"{said}: panes need 80x24")
    if "utf" not in sys.stdout.encoding.lower():
        return Finding("machine", "terminal", "warn", f"{said}: set a UTF-8 locale (LANG)")
    return Finding("machine", "terminal", "ok", said)


def _room(config: Config, home: Home) -> str:
    home.make(config.environment)
    state = home.state(config.environment)
    disk.check(state)
    return f"{state}: writable, {disk.free(state) // 2**20:,} MB free"


def _journal(folder: Path) -> str:
    if not frames.files(folder):
        return "none yet"
    found = frames.verify(folder)
    text = f"{found.records:,} records in {found.files} files follow from one another"
    return f"{text}; the unfinished one at the end is cut at the next start" if found.tail else text


def _store(config: Config, state: Path) -> str:
    store = Store(config.storage.database_url, state)
    asyncio.run(store.check())
    return store.place if store.deferrable else f"{store.place}: looked at when a desk starts"


def _desk(home: Home) -> Finding:
    try:
        picture = ask(home.socket, "GET", "/v1/snapshot")
    except NoDesk:
        return Finding("home", "desk", "none", "none is running here")
    except KillcordError as error:
        return Finding("home", "desk", "fail", str(error))
    guard = picture["guard"] or {"state": "none", "detail": ""}
    said = f"{picture['environment']}, {picture['state']}; guard {guard['state']} {guard['detail']}"
    watched = guard["state"] == "watching"
    return Finding("home", "desk", "ok" if watched else "warn", said.rstrip())


def _keyring(home: Home) -> Finding:
    try:
        vault(home).fetch(())
    except VaultUnavailable as error:
        return Finding("keys", "OS keyring", "warn", f"{error}; practice needs no keys")
    return Finding("keys", "OS keyring", "ok", "answers")


def _news(config: Config, home: Home) -> Finding:
    if not config.reads_news:
        return Finding("keys", "news", "none", "no source is configured")
    stored = news_keys(home, os.environ)
    missing = [service for service, name in NEWS_KEYS.items() if name not in stored]
    said = f"without a key: {', '.join(missing)}; try the sources with `killcord news --once`"
    return Finding("keys", "news", "ok", said if missing else "every service has its key")


# --- venues -----------------------------------------------------------------------------------


async def _venues(config: Config, home: Home, show: Callable[[Finding], None]) -> None:
    async with _accesses(config, home) as accesses:
        for venue in config.venues:
            for finding in await examine(venue, accesses[venue], config.symbols):
                show(finding)


@asynccontextmanager
async def _accesses(config: Config, home: Home) -> AsyncIterator[dict[str, Access]]:
    """Yield the way into each venue; in practice there is an exchange while it is looked at."""
    if config.environment != "practice":
        keyed = venue_accesses(config.venues, config.environment, home)
        none = Access(config.environment, Secret(""), Secret(""))
        yield {venue: keyed.get(venue, none) for venue in config.venues}
        return
    running = find_running(home)
    if running is not None:
        yield practice_accesses(config.venues, running)
        return
    with tempfile.TemporaryDirectory(prefix="killcord-doctor-") as folder:
        ready = Path(folder) / "practice.json"
        server = await serve(
            Options(seed=config.practice.seed, faults=config.practice.faults, ready_file=ready)
        )
        try:
            yield practice_accesses(config.venues, read_ready_file(ready))
        finally:
            await server.close()
