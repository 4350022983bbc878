"""Commands that ask the running desk, over its socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.desk.lock import Lock
from core.home import Home
from core.model.order import OrderStatus
from tests.tui import pictures
from tests.tui.loopback import Loopback
from tui.cli import main


async def test_stop_says_when_a_desk_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    monkeypatch.setattr("tui.remote.STOP_WITHIN", 0.2)
    home = Home.find()
    home.make("practice")
    lock = Lock(home.lock, "the home")
    desk = Loopback(home.socket, pictures.busy())
    await desk.start()
    try:
        assert await asyncio.to_thread(main, ["stop"]) == 1
        assert capsys.readouterr().out.startswith("the desk is still stopping: `killcord status`")
    finally:
        lock.release()
        await desk.close()


@pytest.mark.parametrize("resting", [0, 2])
async def test_stop_says_what_becomes_of_entries_and_positions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    resting: int,
) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    entries = [
        pictures.order(n, "BTC", 0, OrderStatus.OPEN, reduce_only=False) for n in range(resting)
    ]
    others = [
        pictures.order(10, "BTC", 0, OrderStatus.OPEN, reduce_only=True),
        pictures.order(11, "BTC", 0, OrderStatus.FILLED, reduce_only=False),
        pictures.order(12, "BTC", 0, OrderStatus.OPEN, reduce_only=False, foreign=True),
    ]
    desk = Loopback(Home.find().socket, pictures.busy(orders=(*entries, *others)))
    await desk.start()
    try:
        assert await asyncio.to_thread(main, ["stop"]) == 0
        said = capsys.readouterr().out
        assert await asyncio.to_thread(main, ["stop", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    finally:
        await desk.close()
    assert desk.stopped
    assert said.startswith("the desk has stopped\n")
    assert told["ended"]
    assert ("entries it cancels: 2" in said) == (resting == 2)
    assert "positions that stay, with their stops" in said
    assert told["cancelling"] == [entry.client_id for entry in entries]
