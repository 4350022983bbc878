"""A model at work: what it needs, what it says, and when it says nothing."""

from __future__ import annotations

import re
from copy import deepcopy
from math import exp, nan, sqrt
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core import config
from core.clock import SECOND
from core.model.market import Candle
from core.research.learning import fit_kind
from core.signals import candle_features
from core.signals.candle_features import WARMUP, CandleFeatures
from core.signals.context import Context, Place
from core.signals.decision import Decision
from core.signals.model import Linear, Member, Model, Recipe, bounds, define
from core.signals.model_strategy import ModelStrategy

HOUR = 3600 * SECOND
PLACE = Place("binance", "BTC/USDT:USDT", 3600, ("binance",), ("BTC/USDT:USDT",))


def linear(names: tuple[str, ...], bias: float = 0.0, **weights: float) -> Linear:
    each = tuple(weights.get(name, 0.0) for name in names)
    nothing = (0.0,) * len(names)
    return Linear(nothing, (1.0,) * len(names), each, nothing, bias)


def recipe(names: tuple[str, ...], *members: Member, known: tuple[str, ...] = ()) -> Recipe:
    return Recipe(3600, 4, names, define(names), known or names, 0.0005, 0.8, members)


def candles(count: int, seed: int = 1) -> list[Candle]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    return [
        Candle(
            "binance", PLACE.symbol, 3600, c, c * 1.01, c * 0.99, c, 5.0, i * HOUR, (i + 1) * HOUR
        )
        for i, c in enumerate(close.tolist())
    ]


def run(model: Model, shown: list[Candle], context: Context | None = None) -> list[Decision]:
    strategy = ModelStrategy(config.Strategy(name="lightgbm", timeframe=3600), model)
    if context is not None:
        strategy.context = context
    found = []
    for candle in shown:
        if context is not None:
            context.close(candle)
        decision = strategy.on_candle(candle)
        if decision is not None:
            found.append(decision)
    return found


def test_an_ensemble_is_the_weighted_mean_of_calibrated_probabilities() -> None:
    names = ("return_1", "rsi_14")
    one = Member("linear", 0.25, 2.0, 0.1, linear(names, 0.3, return_1=1.0))
    two = Member("linear", 0.75, 1.0, 0.0, linear(names, -0.2, rsi_14=1.0))
    row = [0.4, -0.3]
    expected = 0.25 / (1 + exp(-(2 * 0.7 + 0.1))) + 0.75 / (1 + exp(0.5))
    assert Model("x", recipe(names, one, two)).probability(row) == pytest.approx(expected)


def test_the_threshold_pays_the_round_trip_at_the_volatility_of_the_moment() -> None:
    names = ("return_1",)
    model = Model("x", recipe(names, Member("linear", 1.0, 1.0, 0.0, linear(names))))
    for volatility in (0.002, 0.01):
        chance, fall = model.bounds(volatility)
        assert fall == pytest.approx(1.0 - chance)
        expected_move = 0.8 * volatility * sqrt(4)
        assert (2 * chance - 1) * expected_move == pytest.approx(2 * 0.0005)
        # At the threshold acting brings nothing after costs; a fall is worth as much as a rise.
        assert model.edge(chance, volatility) == pytest.approx(0.0, abs=1e-12)
        assert model.edge(0.9, volatility) == pytest.approx(0.8 * expected_move - 2 * 0.0005)
        assert model.edge(0.1, volatility) == pytest.approx(model.edge(0.9, volatility))
        # What funding costs a long it brings a short.
        due = 0.0003
        rise, fall = model.bounds(volatility, due)
        assert (2 * rise - 1) * expected_move == pytest.approx(2 * 0.0005 + due)
        assert (1 - 2 * fall) * expected_move == pytest.approx(2 * 0.0005 - due)
        for one in (rise, fall):
            assert model.edge(one, volatility, due) == pytest.approx(0.0, abs=1e-12)
    assert bounds(0.01, 0.8, 0.001) == (1.0, 0.0)  # nothing pays: never
    # Nobody is long on a coin, whatever it is paid for.
    rise, fall = bounds(0.0005, 0.8, 0.01, -0.01)
    assert 0.5 < rise < 0.51
    assert fall == 0.0 or fall < 0.5 - 0.0005


def test_what_an_old_or_doubted_model_says_counts_for_less() -> None:
    names = ("return_8",)
    member = Member("linear", 1.0, 1.0, 0.0, linear(names, 0.0, return_8=2.0))
    shown = candles(WARMUP + 60)
    last = WARMUP + 30
    whole = recipe(names, member)
    # It was tested up to an age; after that half of what it says is left every 10 candles.
    fading = replace(whole, fresh_until=shown[last].ts + HOUR, fades=10 * 3600)
    settings = config.Strategy(name="lightgbm", timeframe=3600)
    sure, old, doubted = (
        ModelStrategy(settings, Model("x", one)) for one in (whole, fading, whole)
    )
    doubted.doubted = True
    reasons = []
    for number, candle in enumerate(shown):
        for strategy in (sure, old, doubted):
            decision = strategy.on_candle(candle)
            if strategy is old and decision is not None and number > last + 1:
                reasons.append(decision.reason)
        if sure.said is None or old.said is None or doubted.said is None:
            continue
        told = sure.said.chance
        assert old.said.told == doubted.said.told == sure.said.told == told
        left = 0.5 ** (max(number - last, 0) / 10)
        assert old.said.chance == pytest.approx(0.5 + left * (told - 0.5))
        assert doubted.said.chance == pytest.approx(0.5 + 0.5 * (told - 0.5))
    assert old.said is not None
    assert left < 0.2
    assert all(re.search(r"x says \d+\.\d%, \d+% of it counts$", one) for one in reasons)
    assert reasons


def test_a_model_of_few_features_decides_as_on_its_rows() -> None:
    names = ("flow_24", "return_8")
    member = Member("linear", 1.0, 1.0, 0.0, linear(names, 0.0, return_8=0.5))
    shown = candles(400)
    features = CandleFeatures(names)
    model = Model("x", recipe(names, member))
    wanted, target = [], 0
    for c in shown:
        row = features.update(c.ts, c.open, c.high, c.low, c.close, c.volume)
        if row is None:
            continue
        chance, (rise, fall) = model.probability(row), model.bounds(features.volatility)
        side = 1 if chance >= rise else -1 if chance <= fall else None
        after = side or (0 if target * (chance - 0.5) < 0 else target)
        if after != target:
            wanted.append((after, pytest.approx(chance - 0.5)))
        target = after
    found = run(model, shown)
    assert [(d.target, d.score) for d in found] == wanted
    assert len(found) > 10


def test_what_the_desk_cannot_supply_is_named_and_nothing_is_signalled() -> None:
    names = ("return_8", "venue_gap")
    member = Member("linear", 1.0, 1.0, 0.0, linear(names, 0.0, return_8=9.0))
    model = Model("champion", recipe(names, member))
    shown = candles(WARMUP + 30)
    found = run(model, shown, Context(("venue_gap",), PLACE))
    assert len(found) == 1  # said once
    assert found[0].target == 0
    assert found[0].reason == (
        "no signal: venue_gap not known (there is no second venue to compare with); champion"
    )
    # Where training missed it too, its absence is something the model knows.
    relaxed = Model("champion", recipe(names, member, known=("return_8",)))
    assert {d.target for d in run(relaxed, shown, Context(("venue_gap",), PLACE))} >= {1, -1}


def test_what_a_warm_up_says_is_said_again_when_somebody_listens() -> None:
    names = ("return_8", "basis")
    member = Member("linear", 1.0, 1.0, 0.0, linear(names))
    shown = candles(WARMUP + 5)
    start = shown[-1].ts + HOUR + HOUR // 2  # within an hour, as most are
    late = [replace(c, received=start) for c in shown]
    now = candles(WARMUP + 8)[WARMUP + 5 :]
    found = run(Model("x", recipe(names, member)), late + now, Context(("basis",), PLACE))
    assert len(found) == 6 + 1
    assert "not heard of yet" in found[-1].reason


def test_what_a_model_saw_adds_up_to_what_it_said() -> None:
    names = ("return_8", "rsi_14", "flow_24")
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3_000, 3))
    rose = (rows @ [1.0, -0.5, 0.0] + rng.standard_normal(3_000) > 0).astype(float)
    one = np.ones(3_000)
    members = [
        Member("linear", 0.25, 2.0, 0.1, fit_kind("linear", rows, rose, one, 1)),
        Member("lightgbm", 0.75, 1.0, 0.0, None, _text(fit_kind("lightgbm", rows, rose, one, 1))),
    ]
    model = Model("x", recipe(names, *members))
    for scorer, *_ in model._members:
        constants = {round(scorer.score(r) - sum(scorer.shares(r)), 6) for r in rows[:9].tolist()}
        assert len(constants) == 1
    factors = model.explain([2.0, 0.0, nan])
    assert factors[0].name == "return_8"
    assert factors[0].value == 2.0
    assert factors[0].share > 0.5
    assert {f.name: f.value for f in factors}.get("flow_24") is None
    assert len(model.explain([2.0, -1.0, 1.0], most=2)) == 2


def _text(model: Any) -> str:
    return str(model.model_to_string())


def test_a_copied_strategy_goes_on_by_itself() -> None:
    """A replay keeps copies of the engine from before, to go back to."""
    names = ("flow_24", "return_8", "range_24", "z_48")
    member = Member("linear", 1.0, 1.0, 0.0, linear(names, 0.0, return_8=0.5))
    model = Model("x", recipe(names, member))
    one = ModelStrategy(config.Strategy(name="lightgbm", timeframe=3600), model)
    shown = candles(600)
    for candle in shown[:300]:
        one.on_candle(candle)
    two = deepcopy(one)
    first = [one.on_candle(candle) for candle in shown[300:]]
    assert [two.on_candle(candle) for candle in shown[300:]] == first
    assert sum(decision is not None for decision in first) > 10


def test_a_changed_meaning_changes_the_definition() -> None:
    assert define(("return_1", "ofi")) != define(("return_1",))
    assert define(candle_features.NAMES) == define(candle_features.NAMES)
    with pytest.raises(KeyError):
        define(("crystal",))
    assert linear(("return_1",)).score([nan]) == 0.0
