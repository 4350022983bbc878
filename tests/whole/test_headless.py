"""The whole path without a terminal: markets, signals, orders, fills and an honest summary."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.whole.conftest import Killcord, recording

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]

VENUES = {"bybit", "binance", "okx"}


def check(summary: dict[str, Any]) -> None:
    assert summary["environment"] == "practice"
    assert set(summary["venues"]) == VENUES
    for name, venue in summary["venues"].items():
        assert venue["state"] == "ready", name
        assert venue["orders"] >= venue["fills"] > 0 or venue["fills"] > 0, name
    assert summary["unknown_orders"] == 0
    assert summary["discrepancies"] == 0
    assert summary["signals"] > 0
    assert summary["orders"] == sum(v["orders"] for v in summary["venues"].values())
    assert summary["fills"] == sum(v["fills"] for v in summary["venues"].values())
    assert float(summary["equity_start"]) > 0
    assert float(summary["equity_end"]) > 0


def test_every_venue_trades_soon_after_a_first_start(killcord: Killcord) -> None:
    (killcord.home / "config.toml").unlink()
    with killcord.desk("--seed", "7") as desk:
        desk.wait("fills", lambda s: s["venues"] and all(v["fills"] for v in s["venues"]), 120)
        killcord.json("stop")
        summary = desk.finish(30)
    check(summary)
    kinds = {line["type"] for line in desk.lines}
    assert {"venue", "signal", "order", "fill"} <= kinds
    kept = [path for path in killcord.home.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if path.stat().st_mode & 0o077]  # nobody else's to read

    found = killcord.json("replay", "last")
    assert (found["equal"], found["complete"], found["difference"]) == (True, True, None)
    assert found["decision_hash"] == found["recorded_hash"] == summary["decision_hash"]
    assert (found["events"], found["orders"]) == (summary["events"], summary["orders"])
    (listed,) = killcord.json("replay")
    assert listed["name"] == found["recording"]


def test_a_recorded_order_book_is_traded_on_and_named(killcord: Killcord) -> None:
    path = recording("l2/binance/usdm_btcusdt_20240808.gz")
    with killcord.desk("--market", str(path), "--for", "30s") as desk:
        summary = desk.finish(90)
    check(summary)
    played = summary["recording"]
    assert "usdm_btcusdt_20240808" in played["name"]
    assert played["messages"] > 1000
    assert played["span_seconds"] > 300


def test_without_a_terminal_it_says_so_and_runs_headless(killcord: Killcord) -> None:
    done = killcord.run("--env", "practice", "--for", "3s", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no terminal to draw on" in done.stderr
    assert "bybit" in done.stdout


def test_sigterm_cancels_entries_and_ends_cleanly(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("ready", lambda s: all(v["state"] == "ready" for v in s["venues"]))
        desk.process.send_signal(signal.SIGTERM)
        summary = desk.finish(30)
    assert summary["unknown_orders"] == 0
