"""``killcord history`` against the practice exchange, through unmodified ccxt."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.whole.conftest import ROOT, Killcord


def test_a_killed_download_goes_on(killcord: Killcord) -> None:
    killcord.start_practice("--port", "0", "--seed", "3")
    command = ("history", "download", "bybit", "BTC", "5m", "--from", "2000-01-01")
    child = subprocess.Popen(
        [sys.executable, "-m", "tui.cli", *command], cwd=ROOT, env=killcord.environ
    )
    folder = killcord.home / "practice" / "history" / "bybit" / "BTCUSDT-5m"
    deadline = time.monotonic() + 30
    while not list(folder.glob("*.parquet")):
        assert child.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.kill()
    child.wait(10)
    kept = killcord.json("history", "list")["series"][0]["candles"]
    assert 0 < kept < 8_000
    found = killcord.json(*command)["downloads"][0]
    assert found["downloaded"] + kept == found["stored"] > 8_600
    assert found["gaps"] == []
    assert found["replaced"] == 0
    assert found["settlements"] > 1_000  # a year of them, three a day
    assert found["index"] > 8_600
    assert found["interest"] > 8_000  # of the first day there is none

    again = killcord.json(*command)["downloads"][0]
    assert again["downloaded"] <= 1

    # What is stored is traded and learnt from like any candle file.
    report = killcord.json("backtest", "--venue", "bybit", "--symbol", "BTC", "--timeframe", "5m")
    assert report["bars"] >= found["stored"]
    copy = killcord.home / "files" / "bybit_perp_5m" / "BTCUSDT.parquet"
    killcord.json("history", "export", "bybit", "BTC", "5m", str(copy))
    assert report["funding"]  # what is stored of it is paid
    rates = str(folder.parent / "BTCUSDT-funding.parquet")
    from_files = killcord.json("backtest", "--candles", str(copy), "--funding", rates)
    assert from_files["decision_hash"] == report["decision_hash"]
    assert killcord.json("backtest", "--candles", str(copy))["funding"] == 0.0
    taken = killcord.json("history", "import", str(copy.parent), "--env", "testnet")
    assert taken["candles"] == report["bars"]
    held = killcord.json("history", "list", "--env", "testnet")["series"]
    assert [(one["venue"], one["candles"]) for one in held] == [("bybit", report["bars"])]
