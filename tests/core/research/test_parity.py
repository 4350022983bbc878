"""A recorded desk against a backtest of its market: equal when it is, and the difference named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import RecordingError
from core.home import Home
from core.journal import recorder
from core.research.parity import check_parity
from core.signals.ema_cross import EmaCross
from tests.core.research.test_replay import RecordedScene

LATENCY = 50_000_000


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedScene:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    scene = RecordedScene(Home(tmp_path))
    scene.trade(6)
    return scene


def test_the_same_strategy_says_the_same(scene: RecordedScene) -> None:
    config = scene.settings
    found = check_parity(scene.end(), config, lambda: EmaCross(config.strategy), LATENCY)
    assert found.equal, found.difference
    assert found.live == found.backtest == found.same > 4
    assert found.live_orders > 0
    assert found.backtest_orders > 4


def test_another_strategy_is_told_apart(scene: RecordedScene) -> None:
    other = scene.settings.strategy.model_copy(update={"slow": 6})
    found = check_parity(scene.end(), scene.settings, lambda: EmaCross(other), LATENCY)
    assert not found.equal
    assert found.difference.startswith("only ")


def test_a_session_without_a_venue_cannot_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    scene = RecordedScene(Home(tmp_path))
    scene.wait(1)
    config = scene.settings
    with pytest.raises(RecordingError, match="no venue opened"):
        check_parity(scene.end(), config, lambda: EmaCross(config.strategy), LATENCY)
