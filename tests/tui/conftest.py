from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.home import Home
from core.model.snapshot import Snapshot
from tests.tui import pictures
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui.app import TerminalApp


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Loopback]:
    """A control server on this test's own loop."""
    server = Loopback(home.socket, pictures.busy())
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[[Snapshot], Home]]:
    """A control server in a thread of its own, for tests that have no loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers: list[Loopback] = []

    def start(picture: Snapshot) -> Home:
        servers.append(Loopback(home.socket, picture))
        asyncio.run_coroutine_threadsafe(servers[-1].start(), loop).result(5)
        return home

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


async def settle(pilot: Pilot[str], app: TerminalApp) -> None:
    """Wait until the app shows the desk's picture."""
    await until(lambda: app.client.latest is not None)
    app.frame()
    await pilot.pause()
