"""kill -9 of the whole program while it trades: nothing lost, nothing doubled, books agree.

A few here, because a start of everything takes a second; many more in ``tests/crash``, where a desk
alone is started in milliseconds.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.whole.conftest import Desk, Killcord
from tests.whole.ledger import VenueBooks

pytestmark = pytest.mark.whole


def settled(picture: dict[str, Any]) -> bool:
    return (
        all(v["state"] == "ready" for v in picture["venues"])
        and picture["unknown_orders"] == 0
        and picture["discrepancies"] == 0
    )


@pytest.mark.timeout(300)
def test_crashes_of_the_whole_program_while_trading(killcord: Killcord) -> None:
    crash_and_compare(killcord, crashes=5, seed=11)


@pytest.mark.soak
def test_five_hundred_crashes_while_trading(killcord: Killcord) -> None:
    crash_and_compare(killcord, crashes=500, seed=time.time_ns() % 2**32)


def crash_and_compare(killcord: Killcord, *, crashes: int, seed: int) -> None:
    chance = random.Random(seed)
    # Nearly every candle is a cross, so that most moments have orders on their way.
    (killcord.home / "config.toml").write_text(
        "symbols = ['BTC', 'ETH']\n[limits]\nloop_lag = 60\nloss_streak_cooldown = 0.01\n"
        "[guard]\nstart = false\n[strategy]\ntimeframe = '1s'\nfast = 1\nslow = 2\n"
    )
    # A start costs a few hundred of the venues' request weights; fifty in a row would be spent
    # waiting for limits, which is not what is tested here.
    killcord.start_practice("--seed", "7", "--limit-scale", "50")
    for _ in range(crashes):
        with killcord.desk("--seed", "7") as desk:
            # One in four hits start-up or recovery, the others trading: the moment is drawn.
            if chance.random() > 0.25:
                desk.wait_kind("order")
                wait_while_alive(desk, chance.uniform(0.0, 2.0))
            else:
                wait_while_alive(desk, chance.uniform(0.3, 2.0))
            desk.process.send_signal(signal.SIGKILL)
            desk.process.wait(5)
    with killcord.desk("--seed", "7") as desk:
        desk.wait("settled", settled, timeout=90)
        killcord.json("kill", "--mode", "halt")
        picture = desk.wait("quiet", lambda s: s["state"] == "halted" and settled(s))
        books = VenueBooks(killcord.home)
        assert books.duplicate_client_ids() == [], f"seed {seed}"
        # A stop may be on its way when the gate closes; what the venue has of it we soon have too.
        deadline = time.monotonic() + 30
        while found := list(differences(picture, books)):
            assert time.monotonic() < deadline, f"seed {seed}: {found}"
            picture, books = desk.snapshot(), VenueBooks(killcord.home)
        assert books.orders() > crashes, "the desk hardly traded; the test proves little"


def differences(picture: dict[str, Any], books: VenueBooks) -> Iterator[str]:
    """Yield where the desk and the exchange's own books do not agree."""
    for venue in picture["venues"]:
        name = venue["venue"]
        ours = {p["symbol"]: Decimal(p["qty"]) for p in picture["positions"] if p["venue"] == name}
        if ours != (theirs := books.positions(name)):
            yield f"{name} positions: {ours}, the venue has {theirs}"
        ids = {
            o["client_id"]
            for o in picture["orders"]
            if o["venue"] == name and o["status"] in ("open", "acked", "partial")
        }
        if ids != (open_ids := books.open_client_ids(name)):
            yield f"{name} orders: only ours {ids - open_ids}, only theirs {open_ids - ids}"
        if abs(Decimal(venue["balance"]) - books.balance(name)) >= Decimal("0.01"):
            yield f"{name} cash: {venue['balance']}, the venue has {books.balance(name)}"


def wait_while_alive(desk: Desk, seconds: float) -> None:
    try:
        code = desk.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    pytest.fail(f"the desk ended with code {code}: {desk.errors}")
