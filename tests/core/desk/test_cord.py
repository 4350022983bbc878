"""The kill cord's own socket: the gate closes while the loop does something else, or nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.desk import cord, latch
from core.desk.desk import Desk
from core.home import Home
from core.model.event import Arm, KillMode, Resume, TradingState
from core.model.order import OrderStatus
from tests.core.desk.test_desk import Stage, order, stage, until, until_armed
from tui.control import shut

__all__ = ["stage"]

KILL = {"type": "Kill", "mode": "cancel", "cause": "test", "actor": "me"}


@asynccontextmanager
async def armed(stage: Stage) -> AsyncIterator[Desk]:
    # No orders but those that the tests send.
    desk = stage.desk(strategy="manual")
    async with stage.running(desk):
        await until_armed(desk)
        yield desk


def pull_while_the_loop_hangs(path: Path, condition: Callable[[], object] = lambda: True) -> int:
    """Pull the cord and return when the gate was closed; the loop that calls this stands still."""
    with ThreadPoolExecutor(1) as thread:
        closed = thread.submit(shut, path, KILL).result(10)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert closed is not None
    assert closed["by"] == "desk"
    return int(closed["closed"])


async def test_an_order_whose_turn_has_come_does_not_leave_after_the_answer(stage: Stage) -> None:
    async with armed(stage) as desk:
        venue = stage.venues["okx"]
        venue.hold = asyncio.Event()
        sent = len(venue.submits)
        asked = asyncio.create_task(desk.window.command(order("okx")))
        await until(lambda: len(venue.submits) > sent)
        # It goes on at the loop's next turn, before the loop can hear of the kill.
        venue.hold.set()
        before = desk.window.now()
        assert before <= pull_while_the_loop_hangs(desk._home.socket) <= desk.window.now()
        assert desk.pump.state is TradingState.ARMED
        client_id = (await asked).client_ids[0]
        await until(lambda: status(desk, client_id) is OrderStatus.DENIED)
        assert desk.pump.state is TradingState.HALTED
        # Released by hand and armed again, the desk trades again.
        await desk.kill.report()
        await until(lambda: not any(v.killing for v in desk.engine._world.venues.values()))
        assert (await desk.window.command(Resume("me", desk.window.now()))).ok
        assert (await desk.window.command(Arm("me", desk.window.now()))).ok
        (client_id,) = (await desk.window.command(order("okx"))).client_ids
        await until(lambda: status(desk, client_id) is OrderStatus.FILLED)


def status(desk: Desk, client_id: str) -> OrderStatus | None:
    known = {view.client_id: view.status for view in desk.window.snapshot().orders}
    return known.get(client_id)


async def test_a_loop_that_hangs_is_latched_for(stage: Stage) -> None:
    async with armed(stage) as desk:
        path = Home(stage.root).latch("practice")
        pull_while_the_loop_hangs(desk._home.socket, path.exists)
        assert desk.pump.state is TradingState.ARMED
        found = latch.read(path)
        assert found is not None
        assert (found.mode, found.actor, len(found.pending)) == (KillMode.CANCEL, "me", 3)
        await until(lambda: desk.pump.state is TradingState.HALTED)
        report = await desk.kill.report()
        assert {run.verdict for run in report.venues.values()} == {"CANCELLED_ONLY"}


async def test_one_who_pulls_and_is_gone_has_pulled(stage: Stage) -> None:
    async with armed(stage) as desk:
        path = Home(stage.root).latch("practice")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(desk._home.cord_socket))
            client.sendall(json.dumps(KILL).encode() + b"\n")
        deadline = time.monotonic() + 10
        while not path.exists():  # and the loop hangs meanwhile
            assert time.monotonic() < deadline
            time.sleep(0.005)  # noqa: ASYNC251
        await until(lambda: desk.pump.state is TradingState.HALTED)
        assert await asyncio.to_thread(shut, desk._home.socket, KILL), "it still listens"


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"type":"Kill"}', b'{"type":"Arm","actor":"me"}', b"x" * 9000]
)
async def test_nothing_else_comes_in_there(stage: Stage, line: bytes) -> None:
    async with armed(stage) as desk:

        def say() -> Any:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(10)
                client.connect(str(desk._home.cord_socket))
                client.sendall(line + b"\n")
                return json.loads(client.recv(4096))

        answer = await asyncio.to_thread(say)
        assert answer["ok"] is False
        assert answer["detail"]
        assert desk.engine.opens


async def test_one_who_says_nothing_holds_nobody_up_and_others_are_turned_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with armed(stage) as desk:
        path = desk._home.cord_socket
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.connect(str(path))
            monkeypatch.setattr(cord, "peer_uid", lambda _: os.getuid() + 1)
            assert await asyncio.to_thread(shut, desk._home.socket, KILL) is None
            assert desk.engine.opens
            monkeypatch.undo()
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(stage.root.parent / "runtime"))
            assert await asyncio.to_thread(shut, desk._home.socket, KILL)
        await until(lambda: desk.pump.state is TradingState.HALTED)
    assert not path.exists()
