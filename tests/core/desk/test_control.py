"""The control socket of a real desk: who has control, and what a bad or slow client can do."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from core.desk import control, streams
from core.desk.desk import Desk
from core.errors import KillcordError, SafetyRefusal
from core.home import Home
from core.model.event import Arm, Disarm, Kill, KillMode, Pause, TradingState
from core.model.snapshot import ControlView, Snapshot
from tests.core.desk.test_desk import BTC, Stage, stage
from tests.waiting import until
from tui.client import DeskClient
from tui.control import ask

__all__ = ["stage"]  # the fixture


@pytest.fixture
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    found = stage.desk()
    async with stage.running(found):
        yield found


@asynccontextmanager
async def terminal(desk: Desk, claim: str, name: str) -> AsyncIterator[DeskClient]:
    """The terminal's own client, attached."""
    client = DeskClient(Home(desk._home.data).socket, name=name, claim=claim)
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.reads_only is not None)
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def seen(client: DeskClient) -> ControlView:
    assert client.latest is not None
    assert client.latest.control is not None
    return client.latest.control


async def test_one_terminal_has_control_and_the_kill_cord_is_everyones(desk: Desk) -> None:
    async with terminal(desk, "free", "ana pts/1") as first:
        assert first.reads_only is False
        async with terminal(desk, "none", "ben pts/2") as second:
            assert second.reads_only
            assert (seen(second).name, seen(second).terminals) == ("ana pts/1", 2)
            refused = await second.send(Pause("ben", BTC, True, 0))
            assert (refused.ok, refused.code) == (False, "READ_ONLY")
            assert "ana pts/1" in refused.detail
            with pytest.raises(SafetyRefusal, match="ana pts/1"):
                await second.stop()
            assert (await first.send(Pause("ana", BTC, True, 0))).ok

            await second.take_control(True)
            await until(lambda: first.reads_only and second.reads_only is False)
            assert (await first.send(Disarm("ana", 0))).code == "READ_ONLY"
            assert (await second.send(Disarm("ben", 0))).ok

            assert (await first.send(Kill(KillMode.HALT, "ana", "key", 0))).ok
            assert desk.pump.state is TradingState.HALTED
        await until(lambda: not seen(first).holder)
        assert (await first.send(Arm("ana", 0))).code == "READ_ONLY"  # nobody has it: not given
        await first.take_control(True)
        await until(lambda: first.reads_only is False)
        await first.take_control(False)
        await until(lambda: not seen(first).holder)
        with pytest.raises(KillcordError, match="not attached, or has no control"):
            await first.take_control(False)


async def broken(desk: Desk) -> None:
    """Break every stream; the terminals come back by themselves."""
    terminals = desk.window.terminals
    before, count = terminals.changes, len(desk.control._streams)
    desk.control._streams.close()
    # Each leaves and joins again.
    await until(lambda: terminals.changes >= before + 2 * count)


async def test_control_survives_a_break_unless_another_took_it(desk: Desk) -> None:
    async with terminal(desk, "take", "ana") as first:
        await broken(desk)
        await until(lambda: first.reads_only is False)
        async with terminal(desk, "take", "ben") as second:
            await until(lambda: first.reads_only and second.reads_only is False)
            await broken(desk)
            await until(lambda: first.reads_only and second.reads_only is False)
    assert desk.window.terminals.view == ControlView("", "", 0)


async def test_a_reader_that_does_not_read_is_dropped_and_no_other_notices(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "DROP_AFTER", 0.3)
    path = desk._home.socket
    stalled = socket.socket(socket.AF_UNIX)
    stalled.connect(str(path))
    stalled.sendall(
        b"GET /v1/stream?hz=10&terminal=stuck&claim=take HTTP/1.1\r\nHost: desk\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await until(lambda: desk.window.terminals.view.holder == "stuck")
    lines: list[int] = []

    def take(picture: Snapshot) -> None:
        lines.extend(line.seq for line in picture.log if not lines or line.seq > lines[-1])

    connector = aiohttp.UnixConnector(path=str(path))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect("http://desk/v1/stream?hz=10", max_msg_size=0) as other,
    ):
        while desk.window.terminals.view.holder:
            take(msgspec.json.decode(await other.receive_bytes(timeout=20), type=Snapshot))
        take(msgspec.json.decode(await other.receive_bytes(timeout=20), type=Snapshot))
    assert lines == list(range(lines[0], lines[-1] + 1))
    assert len(desk.control._streams) <= 1
    stalled.close()


async def test_too_many_requests_are_refused_but_never_the_kill_cord(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk._home.socket
    monkeypatch.setattr(desk.control, "_too_fast", lambda: True)
    for target, body in (("/v1/snapshot", None), ("/v1/commands", fields(Arm("me", 0)))):
        with pytest.raises(KillcordError, match="more than 200 requests a second"):
            await asyncio.to_thread(ask, path, "POST" if body else "GET", target, body)
    kill = fields(Kill(KillMode.HALT, "me", "now", 0))
    assert (await asyncio.to_thread(ask, path, "POST", "/v1/commands", kill))["ok"]
    monkeypatch.undo()
    answers = [control.ControlSocket._too_fast(desk.control) for _ in range(2 * control.MAX_RATE)]
    assert answers[0] is False
    assert answers[-1] is True
    assert answers.count(False) <= control.MAX_RATE


async def test_large_and_odd_requests_are_refused(desk: Desk) -> None:
    connector = aiohttp.UnixConnector(path=str(desk._home.socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.post("http://desk/v1/commands", data=b"[" * 100_000) as reply:
            assert reply.status == 413
        for odd, word in (("hz=1&terminal=x&claim=odd", "claim"), ("hz=nan", "hz"), ("hz=x", "hz")):
            async with session.get(f"http://desk/v1/stream?{odd}") as reply:
                assert reply.status == 400
                assert (await reply.json())["detail"].startswith(word)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_is_refused_even_where_the_socket_is_open(desk: Desk) -> None:
    path = desk._home.socket
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    script = (
        "import os, socket, sys\n"
        "near = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(os.path.dirname(sys.argv[1]))\n"
        "os.setuid(65534)\n"
        "near.connect(os.path.basename(sys.argv[1]))\n"
        "near.sendall(b'GET /v1/snapshot HTTP/1.0\\r\\n\\r\\n')\n"
        "print(near.recv(4096).decode())\n"
    )

    def come() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    shut = await asyncio.to_thread(come)
    assert "PermissionError" in shut.stderr
    os.chmod(path, 0o666)
    os.chmod(path.parent, 0o755)
    told = (await asyncio.to_thread(come)).stdout
    assert "403 Forbidden" in told
    assert "NOT_OWNER" in told


def fields(command: Any) -> dict[str, Any]:
    found = dict(msgspec.to_builtins(command))
    del found["received"]
    return found


def test_the_folder_of_the_socket_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make("practice")
    assert stat.S_IMODE(home.socket.parent.stat().st_mode) == 0o700
