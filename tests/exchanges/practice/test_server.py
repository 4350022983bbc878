from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.errors import RecordingError, UsageError, VenueUnavailable
from exchanges.practice.server import Options, Server, serve


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[tuple[Server, aiohttp.ClientSession]]:
    server = await serve(Options(**options))
    try:
        async with aiohttp.ClientSession(server.ready["url"]) as client:
            yield server, client
    finally:
        await server.close()


async def status_of(client: aiohttp.ClientSession) -> dict[str, Any]:
    async with client.get("/practice/status") as response:
        return dict(await response.json())


async def wait_trades(client: aiohttp.ClientSession) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            status = await status_of(client)
            if status["recording"]["messages"]:
                return status
            await asyncio.sleep(0.02)


async def test_it_serves_three_venues_and_says_how_it_is(tmp_path: Path) -> None:
    ready = tmp_path / "deep" / "practice.json"
    async with running(seed=7, ready_file=ready) as (server, client):
        described = json.loads(ready.read_text())
        assert described == server.ready
        assert stat.S_IMODE(ready.stat().st_mode) == 0o600
        assert described["pid"] == os.getpid()
        assert set(described["keys"]) == {"bybit", "binance", "okx"}
        assert len(set(described["accounts"].values())) == 3
        for path in ("/bybit/v5/market/time", "/binance/fapi/v1/time", "/okx/api/v5/public/time"):
            async with client.get(path) as response:
                assert response.status == 200
        status = await wait_trades(client)
        assert (status["market"], status["market_source"]) == ("synthetic, seed 7", "synthetic")
        assert status["venues"]["okx"] == {
            "orders": 0, "fills": 0, "open_orders": 0, "open_positions": 0, "funding_payments": 0,
        }  # fmt: skip
        waiting = asyncio.create_task(server.wait())
        async with client.post("/practice/stop") as response:
            assert response.status == 200
        await asyncio.wait_for(waiting, 5)
    assert not ready.exists()


async def test_fixed_keys_stay_and_accounts_are_new() -> None:
    async with (
        running(seed=7, fixed_keys=True) as (one, _),
        running(seed=7, fixed_keys=True) as (two, _),
    ):
        assert one.ready["keys"] == two.ready["keys"]
        assert one.ready["accounts"] != two.ready["accounts"]
        async with running(seed=8, fixed_keys=True) as (other, _):
            assert other.ready["keys"] != one.ready["keys"]


async def test_what_cannot_be_served_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(VenueUnavailable, match=f"127.0.0.1:{port}: cannot listen"):
            await serve(Options(port=port))
    with pytest.raises(RecordingError):
        await serve(Options(market=str(tmp_path / "nothing.gz")))
    for bad in ({"speed": 0.0}, {"speed": 101.0}, {"port": 70_000}, {"balance": 0}):
        with pytest.raises(UsageError):
            await serve(Options(**bad))


async def test_a_market_that_fails_ends_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (server, _):
        monkeypatch.setattr(server.market, "advance", lambda now_ms: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(server.wait(), 5)


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exchanges.practice", *arguments,
        stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip


def read_ready(path: Path) -> dict[str, Any] | None:
    return dict(json.loads(path.read_text())) if path.exists() else None


async def wait_ready(process: asyncio.subprocess.Process, path: Path) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (ready := read_ready(path)) is None:
            assert process.returncode is None, (await process.communicate())[1]
            await asyncio.sleep(0.01)
    return ready


@pytest.mark.whole
async def test_the_process_starts_ends_on_sigterm_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    process = await start("--ready-file", str(path))
    ready = await wait_ready(process, path)
    assert ready["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not path.exists()
    assert (await process.communicate())[1] == b""


@pytest.mark.whole
async def test_an_orphan_ends_when_nobody_is_connected(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    process = await start("--ready-file", str(path), "--idle-exit", "0.6")
    ready = await wait_ready(process, path)
    started = time.monotonic()
    async with aiohttp.ClientSession() as client:
        socket_url = ready["urls"]["bybit"]["ws"] + "/v5/public/linear"
        async with client.ws_connect(socket_url) as stream:
            while time.monotonic() < started + 1.2:  # connected twice as long as it would wait
                await stream.send_json({"op": "ping"})
                await stream.receive(timeout=5)
                await asyncio.sleep(0.05)
        assert process.returncode is None
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.whole
async def test_a_bad_command_is_one_line_and_a_code(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gz"
    bad.write_bytes(b"nonsense")
    for arguments, code in ((("--market", str(bad)), 1), (("--speed", "1000"), 2)):
        process = await start(*arguments)
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == code
        assert len(errors.decode().strip().splitlines()) == 1
