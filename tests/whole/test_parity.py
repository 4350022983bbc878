"""Recorded candles live on practice, over real sockets, and backtested: the same decisions."""

from __future__ import annotations

import pytest

from tests.whole.conftest import SHARED_DATA, Killcord

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180)]


def test_a_desk_and_its_backtest_decide_alike(killcord: Killcord) -> None:
    folder = SHARED_DATA / "candles" / "binance_perp_1m_2025"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    found = killcord.json(
        "backtest", "--candles", str(folder), "--symbols", "BTC,ETH", "--check-parity",
        "--for", "30s", timeout=150,
    )  # fmt: skip
    parity = found["parity"]
    assert parity["equal"], parity
    assert parity["live"] == parity["backtest"] == parity["same"] > 5
    assert parity["live_orders"] > 5
