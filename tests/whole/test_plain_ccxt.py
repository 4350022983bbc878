"""A plain ccxt.pro script trades on each dialect of the practice exchange, as processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("plain_ccxt_trader.py")

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("practice") / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "exchanges.practice", "--seed", "7", "--ready-file", str(path)],
        cwd=ROOT,
    )
    try:
        deadline = time.monotonic() + 30
        while not path.exists():
            assert process.poll() is None, "the practice exchange ended"
            assert time.monotonic() < deadline, "the practice exchange did not get ready"
            time.sleep(0.05)
        yield path
    finally:
        process.terminate()
        process.wait(10)


def test_the_script_is_short() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 30


@pytest.mark.parametrize("venue", ["bybit", "binance", "okx"])
def test_plain_ccxt_trades(ready_file: Path, venue: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(ready_file), venue],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["held"] >= said["size"] * 0.999
    assert said["left"] == 0
    assert abs(said["fill"] / said["bid"] - 1) < 0.01
    ready = json.loads(ready_file.read_text())
    with urllib.request.urlopen(f"{ready['url']}/practice/status", timeout=10) as reply:
        counts = json.load(reply)["venues"][venue]
    assert counts["fills"] >= 2
    assert counts["open_positions"] == 0
