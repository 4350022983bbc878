"""The kill cord on a trading desk: flat and proved on every venue, and latched afterwards."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from core.model.instrument import VENUES
from tests.whole.conftest import Desk, Killcord
from tests.whole.ledger import VenueBooks

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


def test_the_cord_reaches_past_a_desk_that_is_stopped_and_sockets_that_are_gone(
    killcord: Killcord,
) -> None:
    settings = killcord.home / "config.toml"
    settings.write_text(settings.read_text().replace("start = false", "start = true"))
    with killcord.desk() as desk:
        desk.wait("guarded", lambda s: (s["guard"] or {}).get("state") == "watching")
        desk.wait("it trades", lambda s: len(s["positions"]) >= 2)
        # Nobody can speak to it: a cleaner of temporary files took the sockets away, say.
        run = killcord.home / "run"
        names = ("desk", "cord", "guard-cord")
        for name in names:
            (run / f"{name}.sock").rename(run / f"{name}.hidden")
        report = killcord.json("kill", "--mode", "cancel")
        assert report["by"] == "file"
        assert {v["verdict"] for v in report["venues"].values()} == {"CANCELLED_ONLY"}
        for name in names:
            (run / f"{name}.hidden").rename(run / f"{name}.sock")
        assert held(killcord)
        # It stands still: its guard does what is asked.
        desk.process.send_signal(signal.SIGSTOP)
        report = killcord.json("kill", "--mode", "flatten")
        desk.process.send_signal(signal.SIGCONT)
        assert report["by"] == "guard"
        assert {v["verdict"] for v in report["venues"].values()} <= {"FLAT_VERIFIED", "FLAT_DUST"}
        assert not held(killcord)
        desk.wait("it knows", lambda s: s["state"] == "halted" and not s["positions"])


def held(killcord: Killcord) -> bool:
    books = VenueBooks(killcord.home)
    return any(books.positions(venue) for venue in VENUES)
