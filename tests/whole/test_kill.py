"""The kill cord on a trading desk: flat and proved on every venue, and latched afterwards."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.whole.conftest import Desk, Killcord

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


def trading(picture: dict[str, Any]) -> bool:
    return len({p["venue"] for p in picture["positions"]}) == 3


def test_flatten_is_verified_by_every_venue_and_survives_a_restart(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("positions on all venues", trading)
        report = killcord.json("kill", "--mode", "flatten", timeout=90)
        assert set(report["venues"]) == {"bybit", "binance", "okx"}
        for name, venue in report["venues"].items():
            assert venue["verdict"] == "FLAT_VERIFIED", (name, venue)
            assert venue["positions_closed"] > 0
            assert 0 < venue["seconds"] < 30
        after = desk.wait("flat", lambda s: s["state"] == "halted" and not s["positions"])
        assert all(o["status"] != "open" for o in after["orders"])
        refused = killcord.run("buy", "bybit", "BTC", "0.01", "--json")
        assert refused.returncode == 3
        crash(desk)

    with killcord.desk("--seed", "7") as desk:
        desk.wait("ready", lambda s: all(v["state"] == "ready" for v in s["venues"]))
        assert desk.snapshot()["state"] == "halted"
        assert killcord.run("arm", "--yes").returncode == 3
        assert killcord.json("resume", "--yes")["ok"]
        assert desk.snapshot()["state"] == "disarmed"
        assert killcord.json("arm", "--yes")["ok"]
        desk.wait("it trades again", lambda s: s["positions"])


def crash(desk: Desk) -> None:
    desk.process.send_signal(signal.SIGKILL)
    desk.process.wait(5)


@pytest.mark.parametrize("mode", ["halt", "cancel"])
def test_lesser_modes_keep_positions_with_their_stops(killcord: Killcord, mode: str) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("protected positions", lambda s: trading(s) and protected(s))
        report = killcord.json("kill", "--mode", mode, timeout=60)
        verdict = "HALTED_ONLY" if mode == "halt" else "CANCELLED_ONLY"
        assert {v["verdict"] for v in report["venues"].values()} == {verdict}
        after = desk.wait("halted", lambda s: s["state"] == "halted")
        assert after["positions"]
        assert protected(after)


def protected(picture: dict[str, Any]) -> bool:
    return all(p["stop"] for p in picture["positions"])


def test_sigusr1_pulls_the_cord(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("ready", lambda s: all(v["state"] == "ready" for v in s["venues"]))
        desk.process.send_signal(signal.SIGUSR1)
        desk.wait("halted", lambda s: s["state"] == "halted" and "SIGUSR1" in s["cause"])
