"""A desk with strategy ``lightgbm``: real venues, real processes, models that come and go."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from core.research.synthetic import plant_edge
from core.signals.registry import Registry
from tests.core.signals.models import follower
from tests.whole.conftest import Killcord


def configure(killcord: Killcord, text: str) -> None:
    (killcord.home / "config.toml").write_text(text)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def worker_of(desk_pid: int) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for pid in children(desk_pid):
            if "core.research.worker" in command(pid):
                return pid
        time.sleep(0.02)
    raise AssertionError("no worker was started")


def champion(picture: dict[str, Any]) -> dict[str, Any]:
    return (picture.get("learning") or {}).get("champion") or {}


def test_models_come_and_go_while_the_desk_runs(killcord: Killcord) -> None:
    configure(
        killcord, "symbols = ['BTC']\n[limits]\nloop_lag = 60\n[strategy]\nname = 'lightgbm'\n"
    )
    registry = Registry(killcord.home / "practice" / "models")
    meta, text = follower(5.0)
    registry.store(meta, text.encode())
    with killcord.desk() as desk:
        worker = worker_of(desk.process.pid)
        desk.wait_line("models: no model promoted: training on")
        os.kill(worker, signal.SIGKILL)
        desk.wait_line(
            "models: training failed: the process was ended by signal 9; it is tried again in 15"
        )
        assert desk.snapshot()["learning"]["training"]["state"] == "failed"
        told = killcord.json("models", "promote", meta.id)
        assert told["champion"] == meta.id
        picture = desk.wait("it trades", champion)
        assert champion(picture)["id"] == meta.id
        assert killcord.run("status").stdout.count(f"trades   {meta.id}") == 1

        killcord.json("models", "demote")
        picture = desk.wait("it left", lambda p: not champion(p))
        assert f"{meta.id} was demoted: by hand (by shell:" in picture["learning"]["cause"]

        # A pointer to nothing is said, and harms nothing.
        (registry.folder / "CHAMPION").write_text("nonsense\n")
        desk.wait_line("models: nonsense: no such model")
        assert not (registry.folder / "CHAMPION").exists()
        assert desk.snapshot()["state"] == "armed"
        desk.process.send_signal(signal.SIGINT)
        summary = desk.finish()
    assert summary["discrepancies"] == 0
    # The session carries the model: the replay is told of it by events alone.
    replayed = killcord.json("replay", "last")
    assert replayed["equal"], replayed
    assert replayed["decision_hash"] == summary["decision_hash"]


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_an_edge_is_found_promoted_and_traded(killcord: Killcord) -> None:
    """The venue's history has an edge: the worker finds it, the engine trades on it."""
    market = killcord.home / "market"
    market.mkdir()
    for file in plant_edge(0.25, 86_400, 1, 60, 3):
        columns = {name: getattr(file, name) for name in ("open", "high", "low", "close", "volume")}
        table = pyarrow.table({"ts_ms": file.ts} | columns)
        pyarrow.parquet.write_table(table, market / f"{file.path.name}.parquet")
    configure(
        killcord,
        f"symbols = ['SYN0']\n[limits]\nloop_lag = 60\n[practice]\nmarket = '{market}'\n"
        "[strategy]\nname = 'lightgbm'\ntimeframe = '1m'\n"
        "[learning]\nhorizons = [2]\nout_of_sample = 24\n",
    )
    with killcord.desk() as desk:
        picture = desk.wait("a model trades", champion, timeout=300)
        model = champion(picture)
        assert model["promise"]["auc"] > 0.6
        picture = desk.wait("it is traded", lambda p: p["fills"], timeout=300)
        assert {fill["venue"] for fill in picture["fills"]} <= {"bybit", "binance", "okx"}
        assert all(model["id"] in signal["reason"] for signal in picture["signals"])
        picture = desk.wait("it is scored", lambda p: champion(p)["live"]["scored"], timeout=600)
        assert picture["loop_lag_ms"] < 1000
        desk.process.send_signal(signal.SIGINT)
        summary = desk.finish()
    assert killcord.json("replay", "last")["decision_hash"] == summary["decision_hash"]
