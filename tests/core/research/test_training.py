"""Training finds an edge where one was planted, and none where there is none."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest
import xgboost
from msgspec.structs import replace

from core.clock import SECOND
from core.config import Strategy
from core.errors import ConfigError, RegistryError, SafetyRefusal, UsageError
from core.model.instrument import Instrument
from core.model.market import Candle
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import CandleFile
from core.research.feature_table import make_features
from core.research.honesty import audit, gate, leak_checks, misplaced
from core.research.learning import KINDS, calibrate, fit_kind, fit_linear, score, translate
from core.research.looks import Look, look_at, note_trials
from core.research.page import make_page
from core.research.panel import Around, Panel, Plan, change, make_panels, rows_of
from core.research.report import report
from core.research.scores import auc
from core.research.search import Candidate, Finding, choose, search
from core.research.synthetic import plant_edge
from core.research.training import Forecast, fit, forecast, last_fold, make_recipe, walk
from core.research.trial import Trial, score_trial
from core.signals.model import Linear, Model, Recipe, Trees
from core.signals.model_strategy import ModelStrategy, follow
from core.signals.registry import FILE, Registry, find_model
from core.signals.strategy import strategy_maker
from tests.core.research.forecasts import FLAT, TRADING, foretold
from tests.core.research.test_backtest import rules, settings

PLAN = Plan(3600, 4, 1200, 400, 0.0005)
NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def files() -> list[CandleFile]:
    return plant_edge(0.25, 4_000, 3, 3600, 1)


@pytest.fixture(scope="module")
def found(
    files: list[CandleFile], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Finding, Path]:
    folder = tmp_path_factory.mktemp("models")
    return search(files, [PLAN], Registry(folder), now=NOW, trading=TRADING), folder


@pytest.fixture
def later(found: tuple[Finding, Path], tmp_path: Path) -> tuple[Finding, Registry]:
    """The same, in a registry that a test may change."""
    finding, folder = found
    shutil.copytree(folder, tmp_path / "models")
    return finding, Registry(tmp_path / "models")


def test_a_planted_edge_is_found_and_promoted(found: tuple[Finding, Path]) -> None:
    finding, folder = found
    assert finding.promoted, finding.verdict
    assert [trial["kind"] for trial in finding.trials] == [*KINDS, "ensemble"]
    assert all(trial["auc"] > 0.55 for trial in finding.trials)
    assert Registry(folder).champion == finding.id


def test_a_stored_model_knows_until_when_it_is_fresh(found: tuple[Finding, Path]) -> None:
    """No older than those of the walk when a test ended; then half fades every 300 hours."""
    finding, folder = found
    recipe = Registry(folder).load(finding.id).recipe
    newest = (finding.data["to_ms"]) * 1_000_000
    learnt = newest - PLAN.horizon * 3600 * SECOND
    assert recipe.fresh_until == learnt + (PLAN.purge + PLAN.test) * 3600 * SECOND
    assert recipe.fades == 300 * 3600


def test_the_same_training_gives_the_same_model(
    files: list[CandleFile], found: tuple[Finding, Path]
) -> None:
    finding, folder = found
    again = search(files, [PLAN], Registry(folder), now=NOW, trading=TRADING)
    assert again == finding
    assert len(Registry(folder).names()) == 1


def test_shuffled_labels_are_refused(files: list[CandleFile], tmp_path: Path) -> None:
    finding = search(files, [PLAN], Registry(tmp_path), now=NOW, trading=TRADING, shuffled=True)
    # These candles drift: whoever always buys earns, and that is not knowing anything.
    assert not finding.promoted
    assert "tells rises from falls" in finding.verdict
    assert "no edge found" in finding.verdict
    assert Registry(tmp_path).champion == ""
    with pytest.raises(SafetyRefusal, match="did not pass"):
        Registry(tmp_path).promote(finding.id)


def next_return(close: np.ndarray) -> np.ndarray:
    return np.diff(np.log(close), append=np.nan)


def centred_mean(close: np.ndarray) -> np.ndarray:
    """Of five candles, two of which are still to come: an AUC of 0.61 on real candles."""
    around = np.convolve(np.log(close), np.ones(5) / 5, "same")
    return np.asarray(around - np.log(close))


@pytest.mark.parametrize("peek", [next_return, centred_mean])
def test_a_leak_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    files: list[CandleFile],
    peek: Callable[[np.ndarray], np.ndarray],
) -> None:
    def peeking(*columns: np.ndarray) -> np.ndarray:
        table = make_features(*columns)
        table[:-1, 0] = peek(columns[4])[:-1]
        return table

    assert audit(files, Around()) == 0.0
    monkeypatch.setattr("core.research.panel.make_features", peeking)
    assert audit(files, Around()) > 0.0


def test_symbols_have_no_names_for_the_features(files: list[CandleFile]) -> None:
    """Whatever order they come in and whatever they are called, but who is Bitcoin."""
    order = [2, 0, 1]
    renamed = [replace(files[old], symbol=files[new].symbol) for new, old in enumerate(order)]
    (panel,), (other,) = make_panels(files, [PLAN]), make_panels(renamed[::-1], [PLAN])
    assert panel.names == other.names
    for new, old in enumerate(order):
        np.testing.assert_allclose(
            other.rows[other.who == new], panel.rows[panel.who == old], atol=1e-12
        )
        np.testing.assert_array_equal(other.ahead[other.who == new], panel.ahead[panel.who == old])


@pytest.mark.parametrize("hours", [0, 1, -1, 9])
def test_what_stands_beside_in_times_of_another_zone_is_caught(hours: int) -> None:
    files = plant_edge(0.0, 2_400, 2, 3600, 5)
    spot = {file.symbol: replace(file, ts=file.ts - hours * 3_600_000) for file in files}
    found = misplaced(files, Around(index=spot))
    assert found == hours
    elsewhere = tuple(replace(file, venue="okx") for file in spot.values())
    assert misplaced(files, Around(others=elsewhere)) == hours
    assert misplaced(files[:1], Around()) is None


def test_a_leak_that_only_trees_can_see_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a practice market once had: a venue stood off the others by what was to come."""

    def peeking(*columns: np.ndarray) -> np.ndarray:
        table = make_features(*columns)
        ahead = np.diff(np.log(columns[4]), append=np.nan)
        table[:, 0] = np.nan_to_num(ahead * np.sign(table[:, 1]))  # no use without column 1
        return table

    honest = plant_edge(0.0, 2_400, 2, 3600, 4)
    monkeypatch.setattr("core.research.panel.make_features", peeking)
    plan = Plan(3600, 1, 1200, 400, 0.0005)
    (panel,) = make_panels(honest, [plan])

    def walk_forward(panel: Panel) -> Forecast:
        return forecast("lightgbm", panel, plan)

    trial = score_trial("lightgbm", panel, plan, walk_forward(panel))
    linear = score_trial("linear", panel, plan, forecast("linear", panel, plan))
    assert trial.auc > 0.6 > 0.55 > linear.auc
    checks = leak_checks(honest, Around(), panel, plan, trial, walk_forward)
    late = next(one for one in checks if one.name == "a candle later the edge is still there")
    assert late.value is not None
    assert not late.passed


def test_no_label_reaches_into_a_later_part() -> None:
    folds = list(walk(5_000, PLAN))
    assert len(folds) > 5
    for fold in folds:
        assert fold.fit.stop + PLAN.horizon + 1 < fold.tune.start
        assert fold.tune.stop + PLAN.horizon + 1 < fold.test.start
        assert fold.test.start - fold.fit.start <= PLAN.train + PLAN.purge
    tested = [i for fold in folds for i in fold.test]
    assert tested == sorted(set(tested))
    assert tested[-1] == 4_999


def test_labels_begin_at_the_next_open(files: list[CandleFile]) -> None:
    panel = make_panels(files[:1], [PLAN])[0]
    i = 700
    at = int(np.searchsorted(files[0].ts, panel.times[i]))
    opens = files[0].open
    assert panel.ahead[i] == pytest.approx(np.log(opens[at + 5] / opens[at + 1]))
    assert panel.step[i] == pytest.approx(opens[at + 2] / opens[at + 1] - 1)
    assert np.isnan(panel.ahead[-5:]).all()
    assert np.isfinite(panel.ahead[:-5]).all()


def test_funding_is_paid_for_what_is_held(files: list[CandleFile]) -> None:
    """A settlement is paid by what was held when it came, filled at the open before it."""
    file, hour = files[0], 3_600_000
    first = int(file.ts[0])
    settled = tuple(
        (ts, 1e-4 * (1 + k % 3))
        for k, ts in enumerate(range(first, first + 4_000 * hour, 8 * hour))
    )
    around = Around(funding={(file.venue, file.symbol): settled})
    panel = make_panels([file], [PLAN], around)[0]
    bare = make_panels([file], [PLAN])[0]
    assert not bare.paid.any()
    rates = dict(settled)
    for row in range(300, 400):
        opened = int(panel.times[row]) + hour
        expected = sum(rate for ts, rate in settled if opened < ts <= opened + hour)
        assert panel.paid[row] == pytest.approx(expected, abs=1e-12)
    assert np.count_nonzero(panel.paid[300:400]) == pytest.approx(100 / 8, abs=1)
    assert rates
    count = len(panel.at)
    said = foretold(np.full(count, 0.9))
    long, free = (score_trial("linear", one, PLAN, said) for one in (panel, bare))
    days = len(panel.at) / 24
    assert long.funding == pytest.approx(2e-4 * 3 * 365, rel=0.02)
    assert sum(free.daily) - sum(long.daily) == pytest.approx(2e-4 * 3 * days, rel=0.02)
    short = score_trial("linear", panel, PLAN, replace(said, chance=1.0 - said.chance))
    assert short.funding == pytest.approx(-long.funding)
    assert long.sharpe_gross == free.sharpe_gross


def test_who_knows_and_earns_is_judged_not_who_earns_a_little_more(
    files: list[CandleFile],
) -> None:
    """Sharpe ratios that are beyond doubt do not say which of them is."""
    (panel,) = make_panels(files[:1], [PLAN])
    said = forecast("linear", panel, PLAN)
    trial = score_trial("linear", panel, PLAN, said)
    knows = replace(trial, auc=0.58, auc_error=0.02, probabilistic_sharpe=0.9990)
    earns = replace(trial, auc=0.53, auc_error=0.02, probabilistic_sharpe=0.9999)
    found = [Candidate(panel, PLAN, one, said) for one in (earns, knows)]
    assert choose(found).trial is knows


def test_whoever_is_always_long_in_a_rising_market_knows_nothing(files: list[CandleFile]) -> None:
    """Its Sharpe ratio is the market's; by timing it earned what a coin would have."""
    (panel,) = make_panels(files[:1], [PLAN])
    count = len(panel.at)
    rng = np.random.default_rng(5)
    rising = change(panel, step=panel.step + 0.001)
    coin = np.where(rng.random(count) < 0.9, 0.7, 0.45)
    said = foretold(coin)
    trial = score_trial("linear", rising, PLAN, said)
    assert trial.probabilistic_sharpe > 0.99
    assert trial.timing < 0.5
    knows = np.where(panel.step > -0.002, 0.7, 0.3)
    able = score_trial("linear", panel, PLAN, replace(said, chance=knows))
    assert able.timing > 0.99
    (check,) = (one for one in gate(trial, [0.1], None, (), FLAT) if "timing" in one.name)
    assert not check.passed
    (check,) = (one for one in gate(able, [0.1], None, (), FLAT) if "timing" in one.name)
    assert check.passed


def test_few_shuffled_labels_are_not_taken_for_a_bug() -> None:
    """Of 1,600 rows the AUC of nothing is 0.48 to 0.52 only seven times in eight."""
    files = plant_edge(0.0, 2_600, 1, 3600, 6)
    plan = Plan(3600, 4, 800, 200, 0.0005)
    wrong = []
    for seed in range(1, 7):
        plan = replace(plan, seed=seed)
        (panel,) = make_panels(files, [plan])
        said = forecast("linear", panel, plan)
        trial = score_trial("linear", panel, plan, said)
        first, *_ = leak_checks(files, Around(), panel, plan, trial, lambda _, said=said: said)
        wrong.append(abs(float(first.value or 0.0) - 0.5) > 0.02)
        assert first.passed
        assert first.need == "AUC 0.457 to 0.543"
    assert any(wrong)


def test_an_edge_that_was_there_once_is_not_enough(files: list[CandleFile]) -> None:
    panel = make_panels(files[:1], [PLAN])[0]
    knows = np.where(np.nan_to_num(panel.ahead) > 0, 0.6, 0.4)
    late = panel.times > panel.times[-1] - 60 * 24 * 3_600_000
    said = foretold(np.where(late, 1.0 - knows, knows), 0.55)
    trial = score_trial("linear", panel, PLAN, said)
    assert trial.brier_skill > 0 > trial.late_skill
    (check,) = (one for one in gate(trial, [0.1], None, (), FLAT) if "last 90 days" in one.name)
    assert not check.passed


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_scores_as_many_do(files: list[CandleFile], kind: str) -> None:
    panel = make_panels(files, [PLAN])[0]
    known = np.isfinite(panel.ahead)
    rows, rose = panel.rows[known][:3_000], (panel.ahead[known][:3_000] > 0).astype(float)
    rows[::7, 3] = np.nan
    weights = np.linspace(0.5, 1.5, len(rows))
    model = fit_kind(kind, rows, rose, weights, 3)
    few = rows[:200]
    if kind == "linear":
        stored = msgspec.json.decode(msgspec.json.encode(model), type=Linear)
        assert stored.absent[3] != 0.0
        np.testing.assert_allclose(
            [stored.score(r) for r in few.tolist()], score(model, few), atol=1e-12
        )
        assert fit_kind(kind, rows, rose, weights, 3) == model
    else:
        text = model.model_to_string()
        fast = Trees(text, rows.shape[1])
        np.testing.assert_array_equal([fast.score(r) for r in few.tolist()], score(model, few))
        assert fit_kind(kind, rows, rose, weights, 3).model_to_string() == text


def test_trees_at_work_say_what_they_said_in_training(files: list[CandleFile]) -> None:
    """An hour comes back each day, the same but for rounding: no tree may split it there."""
    (panel,) = make_panels(files[:1], [PLAN])
    fitted = fit("lightgbm", panel, last_fold(panel, PLAN), PLAN)
    clock = [panel.names.index(f"hour_{part}") for part in ("sin", "cos")]
    assert fitted.model.feature_importance()[clock].any()
    model = Model("x", make_recipe([fitted], [1.0], panel, PLAN))
    strategy = ModelStrategy(Strategy(name="lightgbm", timeframe=3600), model)
    told = []
    file = files[0]
    columns = (file.open, file.high, file.low, file.close, file.volume)
    for ts, *values in zip(file.ts.tolist(), *(one.tolist() for one in columns), strict=True):
        opened = ts * 1_000_000
        ended = opened + 3600 * SECOND
        strategy.on_candle(Candle("", file.symbol, 3600, *values, opened, ended))
        if strategy.said is not None:
            told.append(strategy.said.told)
    np.testing.assert_allclose(told, fitted.predict(panel.rows), rtol=0, atol=1e-9)


def test_xgboost_scores_the_same_in_the_form_it_is_stored_in() -> None:
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((4_000, 5)).astype(np.float32).astype(np.float64)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rose = (np.nan_to_num(rows[:, 0]) * rows[:, 1] + rng.standard_normal(4_000) > 0).astype(float)
    data = xgboost.DMatrix(rows, rose)
    settings = {"objective": "binary:logistic", "max_depth": 4, "base_score": 0.5, "nthread": 1}
    theirs = xgboost.train(settings, data, num_boost_round=30)
    ours = lightgbm.Booster(model_str=translate(theirs.save_raw("json").decode(), 5))
    # Values at a condition, and those that only float32 makes equal to it, decide the same.
    conditions = [
        t for tree in theirs.get_dump(dump_format="json") for t in splits(json.loads(tree))
    ]
    probes = rows[: 3 * len(conditions)].copy()
    for i, (feature, at) in enumerate(conditions[: len(probes) // 3]):
        for j, value in enumerate((at, at * (1 + 2e-8), at * (1 - 2e-8))):
            probes[3 * i + j, feature] = value
    for table in (rows, probes):
        said = theirs.predict(xgboost.DMatrix(table), output_margin=True)
        np.testing.assert_allclose(ours.predict(table, raw_score=True), said, atol=2e-6)


def splits(node: dict[str, Any]) -> list[tuple[int, float]]:
    if "leaf" in node:
        return []
    deeper = [one for child in node["children"] for one in splits(child)]
    return [(int(node["split"][1:]), float(node["split_condition"])), *deeper]


def test_linear_finds_the_weights_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((40_000, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, 1.0]
    odds = 0.8 * rows[:, 0] - 0.4 * (rows[:, 1] - 3.0) / 5.0 + 0.2
    rose = (rng.random(40_000) < 1 / (1 + np.exp(-odds))).astype(float)
    one = np.ones(40_000)
    model = fit_linear(rows, rose, one, 1.0)
    np.testing.assert_allclose(model.weights, [0.8, -0.4, 0.0], atol=0.04)
    assert model.absent == (0.0, 0.0, 0.0)
    slope, offset = calibrate(3.0 * odds, rose, one)
    assert slope == pytest.approx(1 / 3, abs=0.02)
    assert offset == pytest.approx(0.0, abs=0.03)
    assert calibrate(-odds, rose, one) == (0.0, 0.0)


def test_few_independent_rows_calibrate_nothing() -> None:
    """576 hours of one symbol hold 24 moves of a day: a trend of theirs is no base rate."""
    odds = np.random.default_rng(7).standard_normal(576) * 0.3
    for rises in (0.3, 0.7):
        rose = (np.arange(576) < 576 * rises).astype(float)
        slope, offset = calibrate(odds, rose, np.full(576, 1 / 24))
        assert 0.3 < slope < 0.8
        assert abs(offset) < 0.05
        assert abs(calibrate(odds, rose, np.ones(576))[1]) > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_can_be_known_little_is_said(kind: str) -> None:
    """Labels of a day overlap 24 times: by rows these candles taught 2,000 things, by days 40."""
    plan = Plan(3600, 24, 1_500, 400, 0.0005)
    (panel,) = make_panels(plant_edge(0.0, 4_500, 1, 3600, 13), [plan])
    trial = score_trial(kind, panel, plan, forecast(kind, panel, plan))
    assert trial.brier_skill > -0.04  # it was -0.19 and less


def test_what_is_missing_says_what_it_says() -> None:
    """A value that is missing more often before rises tells by its absence."""
    rng = np.random.default_rng(4)
    rose = (rng.random(20_000) < 0.5).astype(float)
    rows = rng.standard_normal((20_000, 2))
    rows[rng.random(20_000) < np.where(rose > 0, 0.6, 0.2), 1] = np.nan
    for kind in KINDS:
        said = score(fit_kind(kind, rows, rose, np.ones(20_000), 1), rows)
        assert said[np.isnan(rows[:, 1])].mean() > said[~np.isnan(rows[:, 1])].mean() + 0.5


def test_auc_by_hand() -> None:
    rose = np.array([False, False, True, True])
    assert auc(np.array([0.1, 0.4, 0.35, 0.8]), rose) == 0.75
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), rose) == 0.5
    assert auc(np.array([0.1, 0.2]), np.array([True, True])) == 0.5


def test_it_stays_in_until_the_odds_turn() -> None:
    def after(target: int, chance: float) -> int:
        return follow(target, chance, 0.55, 0.45)

    assert [after(0, 0.52), after(0, 0.56), after(0, 0.44)] == [0, 1, -1]
    assert [after(1, 0.51), after(1, 0.49), after(-1, 0.51)] == [1, 0, 0]
    assert after(1, 0.44) == -1


def test_nothing_is_learnt_of_what_hardly_turns() -> None:
    """Four days of minutes have no weekday: to a model it would be a trend."""
    plan = Plan(60, 2, 5_600, 700, 0.00065)
    (panel,) = make_panels(plant_edge(0.25, 7_500, 1, 60, 3), [plan])
    calendar = [
        panel.names.index(f"{name}_{part}") for name in ("hour", "week") for part in ("sin", "cos")
    ]
    linear, trees = (fit(kind, panel, last_fold(panel, plan), plan) for kind in KINDS[:2])
    weights = np.array(linear.model.weights)
    assert not weights[calendar].any()
    assert np.delete(weights, calendar).all()
    assert not trees.model.feature_importance()[calendar].any()
    # What moves nothing need not be known at work, nor is it watched for drift.
    recipe = make_recipe([linear], [1.0], panel, plan)
    assert set(panel.names) - set(recipe.known) == {panel.names[column] for column in calendar}


def test_what_a_part_has_nothing_of_is_not_learnt_from_it(files: list[CandleFile]) -> None:
    """Half of the span may lack a feature: to the models of that half it says nothing."""
    (panel,) = make_panels(files[:1], [PLAN])
    rows = panel.rows.copy()
    rows[:, 5] = np.nan
    fold = next(iter(walk(len(panel.times), PLAN)))
    fitted = fit("linear", change(panel, rows=rows), fold, PLAN)
    assert fitted.model.weights[5] == fitted.model.absent[5] == 0.0
    assert np.isfinite(fitted.predict(panel.rows[rows_of(panel, fold.test)])).all()


def test_funding_that_is_to_come_moves_what_must_be_said(files: list[CandleFile]) -> None:
    """Training and a model at work ask for the same: its share of the last day's funding."""
    file, hour = files[0], 3_600_000
    first = int(file.ts[0])
    settled = tuple((first + k * 8 * hour, 3e-4) for k in range(600))
    around = Around(funding={(file.venue, file.symbol): settled})
    panel = make_panels([file], [PLAN], around)[0]
    said, free = (forecast("linear", one, PLAN) for one in (panel, make_panels([file], [PLAN])[0]))
    fold = next(iter(walk(len(panel.times), PLAN)))
    fitted = fit("linear", panel, fold, PLAN)
    model = Model("x", make_recipe([fitted], [1.0], panel, PLAN))
    rows = rows_of(panel, fold.test)[:50]
    for row in rows.tolist():
        volatility = float(panel.move[row]) / 2.0  # the root of four candles
        due = model.due(panel.rows[row].tolist())
        assert due == pytest.approx(3e-4 * 3 * 4 / 24)
        bounds = pytest.approx((said.rise[row], said.fall[row]))
        # Each fold has its own reach; that of this fold is the model's.
        assert model.bounds(volatility, due) == bounds
    assert (said.rise[rows] > 1.0 - said.fall[rows]).all()
    np.testing.assert_allclose(free.rise[rows], 1.0 - free.fall[rows])


def test_the_engine_trades_the_promoted_model(
    files: list[CandleFile], found: tuple[Finding, Path]
) -> None:
    chosen = Strategy(name="lightgbm", timeframe=3600, stop_distance="0.2", share="0.5")
    make = strategy_maker(chosen, find_model(found[1], chosen))
    data = {}
    for file in files:
        columns = (file.open, file.high, file.low, file.close, file.volume)
        listed: Instrument = msgspec.structs.replace(rules(file.symbol), tick=rules().tick / 100)
        data[listed] = Bars(
            (file.ts * 1_000_000).tolist(), *(column.tolist() for column in columns)
        )
    symbols = tuple(file.symbol for file in files)
    config = settings(symbols=symbols, strategy={"name": "lightgbm", "timeframe": 3600})
    result = run_backtest(data, config, make_strategy=make)
    assert result.trades > 50
    assert result.equity_end > result.equity_start
    again = run_backtest(data, config, make_strategy=make)
    assert again.decision_hash == result.decision_hash
    # Its features compare these symbols: a desk of fewer has other features, and no signal.
    alone = settings(symbols=symbols[:1], strategy={"name": "lightgbm", "timeframe": 3600})
    first = next(iter(data))
    result = run_backtest({first: data[first]}, alone, make_strategy=make)
    assert not result.trades
    shown = report(result, "candles", alone.strategy, 0)
    assert shown.no_signal.startswith("it was trained beside SYN0, SYN1, SYN2, not these symbols")
    assert shown.no_signal in make_page(shown)
    assert {signal.reason.partition(";")[0] for signal in result.signals} == {
        "no signal: it was trained beside SYN0, SYN1, SYN2, not these symbols"
    }


def test_what_is_wrong_with_a_registry_is_named(
    found: tuple[Finding, Path], tmp_path: Path
) -> None:
    finding, source = found
    chosen = Strategy(name="lightgbm", timeframe=3600)
    with pytest.raises(ConfigError, match="killcord train"):
        find_model(tmp_path / "none", chosen)
    with pytest.raises(ConfigError, match="is of 3600 s"):
        find_model(source, Strategy(name="lightgbm", timeframe=60))
    assert find_model(source, Strategy()) == {}
    registry = Registry(tmp_path)
    meta = Registry(source).read(finding.id)
    file = (source / finding.id / FILE).read_bytes()
    recipe = msgspec.json.decode(file, type=Recipe)
    replace = msgspec.structs.replace
    wrong = {
        "mean something else": replace(recipe, definitions="other"),
        "not here: crystal": replace(recipe, features=("crystal",)),
        "cannot be loaded": replace(
            recipe, members=(replace(recipe.members[0], linear=None, trees="pickle"),)
        ),
    }
    for number, (problem, changed) in enumerate(wrong.items()):
        data = msgspec.json.encode(changed)
        other = replace(meta, id=f"other-{number}", sha256=hashlib.sha256(data).hexdigest())
        registry.store(other, data)
        with pytest.raises(RegistryError, match=problem):
            registry.promote(other.id)
    assert registry.champion == ""
    registry.store(meta, file)
    (tmp_path / finding.id / FILE).write_bytes(file + b" ")
    with pytest.raises(RegistryError, match="is not the file"):
        registry.read(finding.id)
    (tmp_path / finding.id / "meta.json").write_text("{")
    with pytest.raises(RegistryError, match=r"meta.json"):
        registry.read(finding.id)
    for name in ("nothing", "../models", ".half"):
        with pytest.raises(UsageError, match="no such model"):
            registry.read(name)


def test_promotion_and_demotion(found: tuple[Finding, Path], tmp_path: Path) -> None:
    finding, source = found
    registry = Registry(tmp_path)
    meta = Registry(source).read(finding.id)
    registry.store(meta, (source / finding.id / FILE).read_bytes())
    assert registry.demote() == ""
    registry.promote(finding.id)
    assert registry.champion == finding.id
    assert registry.demote() == finding.id
    assert registry.champion == ""


def test_trials_are_counted_over_runs(tmp_path: Path) -> None:
    """A configuration that is tried again is one more try on half other days; else the same."""
    registry = Registry(tmp_path)
    look = Look("a", ("x", "y"), 100, 199)
    assert note_trials(registry.folder, look, {"one": 0.1, "two": 0.2}) == [0.1, 0.2]
    assert note_trials(registry.folder, replace(look, blocks=("z",)), {"one": 0.5}) == [0.5]
    assert note_trials(registry.folder, look, {"two": 0.3, "three": 0.4}) == [0.1, 0.3, 0.4]
    week = replace(look, blocks=("y", "w"), first=107, last=206)
    assert sorted(note_trials(registry.folder, week, {"one": 0.6})) == [0.3, 0.4, 0.6]
    months = replace(look, blocks=("y", "w"), first=160, last=259)
    assert sorted(note_trials(registry.folder, months, {"one": 0.7})) == [0.3, 0.4, 0.6, 0.7]
    other = replace(look, what="b")
    assert sorted(note_trials(registry.folder, other, {"one": 0.8})) == [0.3, 0.4, 0.6, 0.7, 0.8]


def test_candles_are_the_same_whatever_they_are_called(files: list[CandleFile]) -> None:
    """Another venue's name, fewer symbols, a later end or longer candles hide no try."""

    def look(*some: CandleFile, salt: str = "") -> Look:
        panel, trial = tested(list(some))
        return look_at(some, panel.names, [trial], salt)

    def tested(some: list[CandleFile]) -> tuple[Panel, Trial]:
        plan = replace(PLAN, timeframe=some[0].timeframe)
        (panel,) = make_panels(some, [plan])
        count = len(panel.at)
        said = foretold(np.full(count, 0.5))
        return panel, score_trial("linear", panel, plan, said)

    def shared(one: Look, two: Look) -> int:
        return len(set(one.blocks) & set(two.blocks))

    whole = look(*files)
    assert len(whole.blocks) > 3 * 25
    renamed = look(*(replace(file, venue="okx") for file in files))
    assert renamed == whole
    assert 25 < shared(whole, look(files[0])) < len(whole.blocks)
    later = [cut(file, 500, 4_000) for file in files]
    assert shared(whole, look(*later)) > 3 * 20
    assert shared(whole, look(*(coarser(file, 4) for file in files))) > 3 * 20
    assert shared(whole, look(*plant_edge(0.25, 4_000, 3, 3600, 2))) == 0
    assert shared(whole, look(*files, salt="-shuffled")) == 0


def cut(file: CandleFile, first: int, last: int) -> CandleFile:
    columns = ("ts", "open", "high", "low", "close", "volume")
    return replace(file, **{name: getattr(file, name)[first:last] for name in columns})


def coarser(file: CandleFile, count: int) -> CandleFile:
    """Join candles; their closes are those of the last ones."""
    whole = len(file.ts) // count * count
    first, last = cut(file, 0, whole).ts[::count], file.close[:whole][count - 1 :: count]
    top = np.maximum(file.open[:whole:count], last)
    low = np.minimum(file.open[:whole:count], last)
    return replace(
        file, timeframe=file.timeframe * count, ts=first, open=file.open[:whole:count],
        high=top, low=low, close=last, volume=file.volume[:whole:count],
    )  # fmt: skip


def test_every_search_on_the_same_days_counts(
    files: list[CandleFile], later: tuple[Finding, Registry]
) -> None:
    """Renamed, cut or with another window: the days that were tested are the same."""
    finding, registry = later
    renamed = [replace(cut(file, 168, 4_000), venue="okx") for file in files]
    again = search(renamed, [replace(PLAN, train=1100)], registry, now=NOW, trading=TRADING)
    assert finding.tried == 4
    assert again.tried == 8


def test_a_model_is_judged_anew_by_all_that_was_tried(
    files: list[CandleFile], later: tuple[Finding, Registry]
) -> None:
    finding, registry = later
    (panel,) = make_panels(files, [PLAN])
    trial = score_trial("linear", panel, PLAN, forecast("linear", panel, PLAN))
    look = look_at(files, ("other",), [trial])
    note_trials(registry.folder, look, {f"try {k}": 3.0 * (-1) ** k for k in range(200)})
    assert registry.champion == finding.id
    again = search(files, [PLAN], registry, now=NOW, trading=TRADING)
    assert again.id == finding.id
    assert "not the luck of 204 trials" in again.verdict
    assert not registry.read(finding.id).passed
    assert registry.champion == ""
    with pytest.raises(SafetyRefusal, match="not the luck"):
        registry.promote(finding.id)
    assert "it does not pass" in (registry.demoted(finding.id) or "")


def test_a_damaged_entry_is_mended_by_training_again(
    files: list[CandleFile], later: tuple[Finding, Registry]
) -> None:
    finding, registry = later
    registry.demote("by hand", "me")
    (registry.folder / finding.id / FILE).write_bytes(b"")
    (registry.folder / finding.id / "meta.json").write_bytes(b"{")
    again = search(files, [PLAN], registry, now=NOW, trading=TRADING)
    assert registry.read(again.id).passed
    # And what a person took off duty no training puts on again.
    assert not again.promoted
    assert again.verdict.startswith("passed: it was demoted: by hand; `killcord models promote")
    assert registry.champion == ""
    registry.promote(again.id)
    assert search(files, [PLAN], registry, now=NOW, trading=TRADING).promoted


def test_nothing_splits_rows_at_random() -> None:
    """Shuffled folds showed an AUC of 0.84 where the honest one is 0.51."""
    random_splits = re.compile(
        r"KFold|ShuffleSplit|train_test_split|cross_val|lightgbm\.cv|xgboost\.cv"
    )
    root = Path(__file__).parents[3]
    paths = [path for name in ("core", "sentiment") for path in (root / name).rglob("*.py")]
    assert root / "core" / "research" / "training.py" in paths
    assert [path for path in paths if random_splits.search(path.read_text())] == []
