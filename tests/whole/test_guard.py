"""The guard beside a real desk that is blocked, stopped and killed."""

from __future__ import annotations

import pytest

from tests.whole.conftest import Killcord

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]


def test_a_desk_that_cannot_act_is_cancelled_for_and_comes_back_halted(killcord: Killcord) -> None:
    report = killcord.json("drill", "guard", timeout=200)
    assert report["passed"]
    for way, facts in report["ways"].items():
        assert facts["orders_gone_s"] is not None, way
        assert facts["halted"], way
        assert facts["cause"].startswith("guard: "), way
