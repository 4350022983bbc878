"""A trading desk while a fault script is at work: nothing lost, nothing doubled, books agree.

One run of the whole program here, with what adapters and sockets add to it; thousands of stories of
the desk itself are told by ``tests/simulation``, and every script by ``make soak``.
"""

from __future__ import annotations

import json
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.practice.faults import FOLDER, names
from tests.whole.conftest import Desk, Killcord
from tests.whole.ledger import VenueBooks

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

TOGETHER = (
    ("lost-acks", "odd-bodies", "held-requests", "doubled-frames"),
    ("lost-frames", "refused-requests", "server-errors", "book-gaps", "rejected-stops"),
)
"""Scripts that harm orders and fills, put together."""
WITHOUT_BOOKS = ("account-reset", "bans", "one-venue-gone")
"""Scripts after which the venue's books are not those that the desk wrote, or are not asked for in
time: Bybit bans an address for ten minutes, and the desk keeps to that; a venue that is gone stays
away. A kill during them is in ``test_drill``."""


def mixed(folder: Path, *parts: str) -> str:
    """Write one script out of shipped ones."""
    texts = [(FOLDER / f"{name}.toml").read_text().partition("\n")[2] for name in parts]
    path = folder / "mixed.toml"
    path.write_text(f"text = '{' and '.join(parts)}'\n" + "\n".join(texts))
    return str(path)


def agreed(picture: dict[str, Any]) -> bool:
    return (
        all(v["state"] == "ready" for v in picture["venues"])
        and picture["unknown_orders"] == 0
        and picture["discrepancies"] == 0
    )


def struck(home: Path) -> int:
    url = json.loads((home / "run" / "practice.json").read_text())["url"]
    with urllib.request.urlopen(f"{url}/practice/status", timeout=10) as reply:
        return sum(row["struck"] for row in json.load(reply)["faults"]["strikes"])


def trade_and_compare(killcord: Killcord, faults: str, seconds: float) -> None:
    with killcord.desk("--seed", "7", "--faults", faults) as desk:
        desk.wait("it trades", lambda s: sum(v["fills"] for v in s["venues"]) > 5)
        end = time.monotonic() + seconds
        desk.wait("the faults had their time", lambda _: time.monotonic() > end)
        killcord.json("kill", "--mode", "halt")
        picture = desk.wait("agreed", agreed, timeout=120)
        assert struck(killcord.home) > 0
        compare(desk, picture, killcord.home)


def compare(desk: Desk, picture: dict[str, Any], home: Path) -> None:
    """Compare with the venue's own books; again where a stop filled between the two pictures."""
    deadline = time.monotonic() + 20
    while True:
        wrong = differences(picture, VenueBooks(home))
        if not wrong:
            return
        assert time.monotonic() < deadline, wrong
        picture = desk.wait("agreed", agreed)


def differences(picture: dict[str, Any], books: VenueBooks) -> list[str]:
    wrong = [f"duplicate {name}" for name in books.duplicate_client_ids()]
    for venue in picture["venues"]:
        name = venue["venue"]
        ours = {p["symbol"]: Decimal(p["qty"]) for p in picture["positions"] if p["venue"] == name}
        if ours != books.positions(name):
            wrong.append(f"{name}: positions {ours}, at the venue {books.positions(name)}")
        mine = {
            o["client_id"]
            for o in picture["orders"]
            if o["venue"] == name and o["status"] in ("open", "acked", "partial")
        }
        if mine != books.open_client_ids(name):
            wrong.append(f"{name}: open {mine}, at the venue {books.open_client_ids(name)}")
        if abs(Decimal(venue["balance"]) - books.balance(name)) >= Decimal("0.01"):
            wrong.append(f"{name}: cash {venue['balance']}, at the venue {books.balance(name)}")
    return wrong


def test_nothing_is_lost_or_doubled(killcord: Killcord, tmp_path: Path) -> None:
    parts = ("lost-acks", "odd-bodies", "doubled-frames", "lost-frames")
    trade_and_compare(killcord, mixed(tmp_path, *parts), seconds=4)


@pytest.mark.soak
@pytest.mark.parametrize("parts", TOGETHER, ids="+".join)
def test_scripts_put_together(killcord: Killcord, tmp_path: Path, parts: tuple[str, ...]) -> None:
    trade_and_compare(killcord, mixed(tmp_path, *parts), seconds=30)


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in names() if name not in WITHOUT_BOOKS])
def test_every_shipped_script(killcord: Killcord, name: str) -> None:
    trade_and_compare(killcord, name, seconds=45)


def test_faults_of_a_wrong_name_are_refused_before_anything_starts(killcord: Killcord) -> None:
    done = killcord.run("--no-ui", "--env", "practice", "--faults", "nonsense", "--for", "1s")
    assert done.returncode == 2
    assert "lost-acks" in done.stderr
    assert killcord.run("practice", "--faults", "nonsense").returncode == 2
