"""Labels: where they begin and end, what they leave out, and what each counts for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.model.learning import Record
from core.research.candles import CandleFile
from core.research.labels import decay, fixed_horizon, relate, triple_barrier, uniqueness
from core.signals.model import Linear, Member, Model, Recipe, define
from core.signals.model_strategy import Said
from core.signals.monitor import Monitor
from tests.core.signals.test_context import candle_file, candles, without


def file(*rows: tuple[float, float, float, float]) -> CandleFile:
    """Candles of open, high, low, close."""
    open_, high, low, close = np.array(rows).T
    ts = np.arange(len(rows), dtype=np.int64) * 3_600_000
    return CandleFile(
        Path("x"), "", "X/USDT:USDT", 3600, ts, open_, high, low, close, np.ones(len(rows))
    )


FLAT = (100.0, 100.5, 99.5, 100.0)
MOVE = 0.02
UP = 100 * np.exp(MOVE)


def barrier(*rows: tuple[float, float, float, float], horizon: int = 3) -> tuple[float, int, int]:
    data = file(FLAT, *rows)
    labels = triple_barrier(data, horizon, np.full(len(rows) + 1, MOVE), 1.0)
    return float(labels.ahead[0]), int(labels.lasts[0]), labels.unclear


def test_a_fixed_horizon_begins_at_the_next_open() -> None:
    data = file(*[(100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i) for i in range(6)])
    labels = fixed_horizon(data, 2)
    assert labels.ahead[0] == pytest.approx(np.log(103 / 101))
    assert labels.lasts.tolist() == [2, 2, 2, 0, 0, 0]
    assert np.isnan(labels.ahead[3:]).all()
    assert np.isnan(fixed_horizon(data, 9).ahead).all()


def test_the_first_barrier_that_is_touched_ends_a_label() -> None:
    assert barrier(FLAT, (100, 103, 99.5, 99.6), FLAT, FLAT) == (pytest.approx(MOVE), 2, 0)
    assert barrier(FLAT, (100, 101, 97, 100.9), FLAT, FLAT) == (pytest.approx(-MOVE), 2, 0)
    # The entry candle itself counts from its open.
    assert barrier((100, 103, 99.5, 100), FLAT, FLAT, FLAT) == (pytest.approx(MOVE), 1, 0)


def test_without_a_touch_the_horizon_ends_it() -> None:
    ahead, lasts, _ = barrier(FLAT, FLAT, FLAT, (101.0, 101.0, 100.9, 101.0))
    assert (ahead, lasts) == (pytest.approx(np.log(1.01)), 3)


def test_an_open_beyond_a_barrier_ends_it_there_and_is_worse_than_the_barrier() -> None:
    ahead, lasts, unclear = barrier(FLAT, (95.0, 104.0, 94.0, 103.0), FLAT, FLAT)
    assert (ahead, lasts, unclear) == (pytest.approx(np.log(0.95)), 2, 0)


def test_a_candle_that_reaches_both_gives_no_label() -> None:
    ahead, lasts, unclear = barrier(FLAT, (100.0, 104.0, 96.0, 103.0), FLAT, FLAT)
    assert np.isnan(ahead)
    assert (lasts, unclear) == (0, 1)


def test_a_label_that_may_not_be_over_is_not_known() -> None:
    data = file(*[FLAT] * 5)
    labels = triple_barrier(data, 3, np.full(5, MOVE), 1.0)
    assert np.isfinite(labels.ahead).tolist() == [True, False, False, False, False]
    assert np.isnan(triple_barrier(data, 3, np.full(5, np.nan), 1.0).ahead).all()


def test_barriers_against_a_walk_candle_by_candle() -> None:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 300)))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 0.004, 300))
    wick = np.exp(np.abs(rng.normal(0, 0.006, (2, 300))))
    high, low = np.maximum(open_, close) * wick[0], np.minimum(open_, close) / wick[1]
    data = file(*zip(open_, high, low, close, strict=True))
    move = rng.uniform(0.01, 0.04, 300)
    labels = triple_barrier(data, 8, move, 1.2)
    for i in range(300 - 9):
        entry, reach = np.log(open_[i + 1]), 1.2 * move[i]
        want, lasts = np.log(open_[i + 9]) - entry, 8
        for k in range(1, 9):
            opened = np.log(open_[i + k]) - entry
            up, down = np.log(high[i + k]) - entry >= reach, np.log(low[i + k]) - entry <= -reach
            if k > 1 and abs(opened) >= reach:
                want, lasts = opened, k
            elif up and down:
                want, lasts = np.nan, 0
            elif up or down:
                want, lasts = reach if up else -reach, k
            else:
                continue
            break
        assert labels.lasts[i] == lasts
        np.testing.assert_allclose(labels.ahead[i], want, atol=1e-12)


def test_labels_that_overlap_share_what_they_count() -> None:
    alone = uniqueness(np.array([2, 0, 0, 2, 2, 0, 0, 0]))
    assert alone[0] == 1.0
    # the labels of 3 and 4 live over candles 4, 5 and 5, 6
    assert alone[3] == alone[4] == pytest.approx(0.75)
    assert alone[1] == 0.0
    assert uniqueness(np.full(100, 4))[50] == pytest.approx(0.25)
    assert uniqueness(np.zeros(5, np.int64)).tolist() == [0.0] * 5


def test_old_samples_fade() -> None:
    assert decay(np.array([0, 10, 20]), 10).tolist() == [1.0, 0.5, 0.25]
    assert decay(np.array([0, 10, 20]), 0).tolist() == [1.0, 1.0, 1.0]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    starts=st.lists(st.integers(0, 30), min_size=2, max_size=4),
    horizon=st.sampled_from([1, 4, 24]),
)
def test_relative_labels_are_what_a_model_at_work_is_judged_by(
    seed: int, starts: list[int], horizon: int
) -> None:
    """One candle at a time, symbols that come later, in any order within a candle: the same."""
    rng = np.random.default_rng(seed)
    files = []
    for number, first in enumerate(starts):
        whole = candle_file(80, 3600, symbol=f"S{number}/USDT:USDT", seed=seed + number)
        rows = without(whole, list(range(first)))
        files.append(replace(rows, open=rows.close * rng.uniform(0.99, 1.01, len(rows.close))))
    labels = relate(files, [fixed_horizon(file, horizon) for file in files])
    wanted = {
        (file.symbol, ts * 1_000_000): move
        for file, label in zip(files, labels, strict=True)
        for ts, move in zip(file.ts.tolist(), label.ahead.tolist(), strict=True)
        if np.isfinite(move)
    }
    member = Member("linear", 1.0, 1.0, 0.0, Linear((0.0,), (1.0,), (0.0,), (0.0,), 0.0))
    names = ("return_1",)
    recipe = Recipe(
        3600, horizon, names, define(names), (), 0.0, 1.0, (member,), ("S0", "S1"), relative=True
    )
    monitor = Monitor(Model("x", recipe), {}, names, None, 0, Record())
    shown = [
        replace(candle, open=open_)
        for file in files
        for candle, open_ in zip(candles(file), file.open.tolist(), strict=True)
    ]
    order = rng.permutation(len(shown))
    found = {}
    for candle in sorted((shown[k] for k in order), key=lambda one: one.ts):
        for outcome in monitor.settle(candle):
            found[outcome.symbol, outcome.ts] = outcome.move
        monitor.saw(candle, Said([0.0], 0.6, 0.6, 0.01), 0)
    newest = max(ts for _, ts in wanted)  # waits for the next candle
    assert found == {
        key: pytest.approx(move, abs=1e-9) for key, move in wanted.items() if key[1] < newest
    }
    days = monitor.diary.days
    assert sum(day.count for day in days) == len(found)
    assert sum(day.hits for day in days) == sum(move > 0 for move in found.values())


def test_relative_labels_by_hand() -> None:
    one, two, three = (candle_file(6, 3600, symbol=f"S{k}", seed=k) for k in range(3))
    elsewhere = replace(candle_file(6, 3600, symbol="S0", seed=9), venue="okx")
    three = without(three, [0, 1, 2])  # listed later
    files = [one, elsewhere, two, three]
    plain = [fixed_horizon(file, 1) for file in files]
    found = relate(files, plain)
    a, b, c = plain[0].ahead, plain[2].ahead, plain[3].ahead
    assert found[0].ahead[0] == pytest.approx((a[0] - b[0]) / 2)
    assert found[2].ahead[0] == pytest.approx((b[0] - a[0]) / 2)
    assert found[3].ahead[0] == pytest.approx(c[0] - (a[3] + b[3] + c[0]) / 3)
    assert np.isnan(found[1].ahead).all()  # alone at its venue
    assert not found[1].lasts.any()
    assert found[0].lasts.tolist() == plain[0].lasts.tolist()
