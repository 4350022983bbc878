"""What a model said in a backtest is noted, without the model noticing."""

from __future__ import annotations

import numpy as np

from core import config
from core.clock import SECOND
from core.model.instrument import Instrument
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.model_notes import ModelNotes
from core.signals.ema_cross import EmaCross
from core.signals.model import Linear, Member, Model, Recipe, define
from core.signals.model_strategy import ModelStrategy
from core.signals.strategy import Strategy
from tests.core.research.test_backtest import random_bars, rules, settings

NAMES = ("return_1", "rsi_14")


def trending(count: int) -> Bars:
    """Candles whose direction lasts, so that the last return tells something of the next."""
    rng = np.random.default_rng(1)
    moves = np.zeros(count)
    for at in range(1, count):
        moves[at] = 0.6 * moves[at - 1] + rng.normal(0, 0.004)
    close = np.round(5_000 * np.exp(np.cumsum(moves)), 1)
    open_ = np.concatenate([[5_000.0], close[:-1]])
    ts = 1_700_000_040 * SECOND + np.arange(count) * 3600 * SECOND
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return Bars(ts, open_, high, low, close, np.ones(count))


def model() -> Model:
    weights = Linear((0.0,) * 2, (1.0,) * 2, (1.5, 0.01), (0.0,) * 2, 0.0)
    member = Member("linear", 1.0, 1.0, 0.0, weights)
    recipe = Recipe(3600, 1, NAMES, define(NAMES), NAMES, 0.0, 0.8, (member,))
    return Model("h1-test", recipe)


def play(notes: ModelNotes | None, asked: Instrument, bars: Bars) -> str:
    chosen = settings(strategy={"name": "lightgbm", "timeframe": 3600})
    one = model()

    def make() -> Strategy:
        return ModelStrategy(config.Strategy(name="lightgbm", timeframe=3600), one)

    result = run_backtest(
        {asked: bars}, chosen, make_strategy=notes.listen(make) if notes is not None else make
    )
    return result.decision_hash


def test_it_says_what_came_true_and_what_weighed() -> None:
    notes, bars = ModelNotes(), trending(3_000)
    assert play(notes, rules(), bars) == play(None, rules(), bars)
    found = notes.report()
    assert found is not None
    assert found.name == "h1-test"
    assert len(found.calibration) == 10
    assert sum(one.count for one in found.calibration) > 2_500
    low, high = found.calibration[0], found.calibration[-1]
    assert low.said < 0.3 < 0.7 < high.said
    assert low.came < 0.4 < 0.6 < high.came
    assert [name for name, _ in found.importance] == list(NAMES)
    assert found.importance[0][1] > 0.9


def test_other_strategies_have_none() -> None:
    notes = ModelNotes()
    config_ = settings()
    run_backtest(
        {rules(): random_bars(300, 1)},
        config_,
        make_strategy=notes.listen(lambda: EmaCross(config_.strategy)),
    )
    assert notes.report() is None
