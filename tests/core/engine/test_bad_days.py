"""The hours a venue remembers reach the gate and the risk pane."""

from __future__ import annotations

import math

from core.clock import HOUR
from core.engine.picture import ShellFacts
from core.model.effect import RiskEvent
from core.model.market import Candle
from core.model.snapshot import LimitView
from core.risk.codes import Code
from core.risk.portfolio import NEEDED
from tests.core.engine.scene import BTC, START, Scene, config
from tests.core.engine.test_round import RISE, scaled


def bring_hours(scene: Scene, count: int, swing: float) -> None:
    first = START // HOUR - count
    for step in range(count):
        close = 50_000 * (1 + swing * math.sin(step * 0.11))
        ts = (first + step) * HOUR
        scene.give(Candle("bybit", BTC, 3600, close, close, close, close, 1.0, ts, scene.now))


def limits(scene: Scene) -> dict[str, LimitView]:
    picture = scene.engine.snapshot(scene.now, ShellFacts("practice", "test", START))
    return {limit.code: limit for limit in picture.limits}


def test_until_there_are_hours_the_pane_says_what_is_missing_and_the_gate_lets_through() -> None:
    scene = Scene()
    scene.open()
    bring_hours(scene, NEEDED - 1, 0.1)
    limit = limits(scene)[Code.VALUE_AT_RISK]
    assert (limit.value, limit.breached) == (None, False)
    assert limit.detail == f"n/a, needs {NEEDED} h of candles, has {NEEDED - 1}"
    scene.closes(*scaled(*RISE))
    assert len(scene.orders()) == 1


def test_an_entry_that_would_lose_too_much_on_a_bad_day_is_refused() -> None:
    scene = Scene(config(limits={"value_at_risk": "0.0005", "expected_shortfall": "0.9"}))
    scene.open()
    bring_hours(scene, NEEDED + 40, 0.1)
    scene.closes(*scaled(*RISE))
    assert scene.orders() == []
    assert scene.of(RiskEvent)[-1].code is Code.VALUE_AT_RISK
    checks = {check.code: check for check in scene.engine.why(f"bybit|{BTC}").checks}
    assert not checks[Code.VALUE_AT_RISK].passed
    assert checks[Code.CORRELATED_NOTIONAL].passed


def test_the_pane_shows_the_book_as_it_stands() -> None:
    scene = Scene()
    scene.open()
    bring_hours(scene, NEEDED + 40, 0.01)
    out = scene.closes(*scaled(*RISE))
    scene.serve(out, scaled(RISE[-1])[0])
    found = limits(scene)
    var, shortfall = found[Code.VALUE_AT_RISK], found[Code.EXPECTED_SHORTFALL]
    # 1.6 % of equity in something that swings 1 % either way.
    assert var.value is not None
    assert 0 < var.value <= shortfall.value <= 0.016 * 0.03
    together = found[Code.CORRELATED_NOTIONAL]
    assert (round(together.value, 3), together.detail) == (0.016, "BTC")
