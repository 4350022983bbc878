"""``killcord doctor`` on a real practice exchange: what is well, and what is not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.secrets import Secret
from exchanges.access import Access
from exchanges.checkup import examine
from exchanges.practice.server import Options, serve
from tests.whole.conftest import Killcord

pytestmark = pytest.mark.whole


def test_it_asks_every_venue_what_a_desk_asks(killcord: Killcord) -> None:
    report = killcord.json("doctor", "--env", "practice")
    assert report["passed"]
    looked = {(finding["where"], finding["what"]): finding for finding in report["findings"]}
    for venue in ("bybit", "binance", "okx"):
        for what in ("reach and clock", "key and rules", "history", "account", "kill path"):
            assert looked[venue, what]["state"] == "ok"
        for channel in ("trades", "books", "tickers", "private"):
            assert looked[venue, f"stream {channel}"]["state"] == "ok"
    assert "each symbol" in looked["binance", "dead-man timer"]["said"]
    assert looked["machine", "ccxt"]["state"] == "ok"
    assert looked["home", "latch"]["said"] == "not halted"
    assert looked["home", "desk"]["state"] == "none"


def test_a_venue_that_does_not_answer_fails_alone(killcord: Killcord) -> None:
    script = killcord.home / "okx-down.toml"
    script.write_text(
        'text = "okx answers nothing usable"\n'
        '[[fault]]\ndo = "answer"\nvenue = "okx"\nat = "*"\nwhen = "before"\nstatus = 503\n'
    )
    done = killcord.run("doctor", "--env", "practice", "--faults", str(script), "--json")
    assert done.returncode == 5, done.stderr
    failed = [f for f in json.loads(done.stdout)["findings"] if f["state"] == "fail"]
    assert [(f["where"], f["what"]) for f in failed] == [("okx", "reach and clock")]


def test_a_latch_is_told_and_a_damaged_journal_fails(killcord: Killcord) -> None:
    with killcord.desk("--for", "30s") as desk:
        desk.wait_line("ready in")
        found = {f["what"]: f for f in killcord.json("doctor")["findings"] if f["where"] == "home"}
        assert found["desk"]["said"].startswith("practice, ")
        assert found["desk"]["said"].endswith("; guard none")
        killcord.json("stop")
        desk.finish()
    state = killcord.home / "practice"
    (state / "HALTED").write_text('{"cause":"test","actor":"me","ts":1}')
    journal = next((state / "journal").glob("*.wal"))
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    journal.write_bytes(damaged)
    done = killcord.run("doctor", "--env", "practice")
    assert done.returncode == 1
    assert "HALTED by me: test" in done.stdout
    assert "FAIL home     journal" in done.stdout
    assert "1 of " in done.stdout


async def test_without_a_key_only_reach_and_clock_are_looked_at(tmp_path: Path) -> None:
    server = await serve(Options(seed=3, ready_file=tmp_path / "practice.json"))
    try:
        url = await asyncio.to_thread(
            lambda: json.loads((tmp_path / "practice.json").read_text())["url"]
        )
        access = Access("practice", Secret(""), Secret(""), base=url)
        found = await examine("bybit", access, ("BTC/USDT:USDT",))
    finally:
        await server.close()
    assert [(finding.what, finding.state) for finding in found] == [
        ("reach and clock", "ok"),
        ("key and rules", "none"),
    ]
    assert "killcord keys add bybit" in found[1].said
