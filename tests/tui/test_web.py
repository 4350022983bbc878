"""``killcord web``: who may open it, and that the terminal is really there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from core.errors import SafetyRefusal, UsageError
from core.home import Home
from core.model.event import Kill
from tests.bench.terminal import ROOT
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui.web import listen


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.1", "::", "2001:db8::1"])
def test_an_address_that_others_reach_is_refused(address: str) -> None:
    with pytest.raises(SafetyRefusal, match="can be reached by others"):
        listen(address, 0)


def test_an_address_that_cannot_be_had_is_told() -> None:
    with pytest.raises(UsageError, match="no address"):
        listen("desk", 0)
    with listen("localhost", 0) as near, pytest.raises(UsageError, match="another --port"):
        listen("127.0.0.1", near.getsockname()[1])


@pytest.fixture
async def address(desk: Loopback, home: Home) -> AsyncIterator[str]:
    """What `killcord web` prints, as a process of its own on the test's home."""
    environ = os.environ | {"KILLCORD_HOME": str(home.data), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tui.cli", "web", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = json.loads(await process.stdout.readline())
    assert said["control"] is False
    yield said["url"]
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0


async def test_only_who_knows_the_token_comes_in(address: str) -> None:
    url = address.partition("/?")[0]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:

        async def status(path: str, **headers: str) -> int:
            async with session.get(url + path, headers=headers) as reply:
                return reply.status

        for path in ("/", "/?token=", "/?token=wrong", "/ws", "/static/js/textual.js"):
            assert await status(path) == 403, path
        async with session.get(address) as reply:
            assert reply.status == 200
            assert reply.url.path_qs == "/"  # the token does not stay in the address
            assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert await status("/static/js/textual.js") == 200
        port = urlsplit(url).port
        assert await status("/", Host=f"evil.example:{port}") == 403
        assert await status("/ws", Origin="http://evil.example") == 403


async def test_a_tab_is_a_terminal_on_the_desk(desk: Loopback, address: str) -> None:
    url = address.partition("/?")[0]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(address):
            pass
        seen = b""
        async with session.ws_connect(url + "/ws?width=120&height=40", max_msg_size=0) as tab:
            while b"PRACTICE" not in seen:
                message = await tab.receive(timeout=20)
                assert message.type is aiohttp.WSMsgType.BINARY, message
                seen += message.data
            await tab.send_str(json.dumps(["stdin", "\x0b"]))  # ctrl+k
            await until(lambda: desk.commands)
            await until(lambda: desk.streams == 1)
        await until(lambda: desk.streams == 0)  # the tab is closed: its terminal is gone
    assert isinstance(desk.commands[0], Kill)
