"""Scores against hand calculations and against many worthless trials."""

from __future__ import annotations

import numpy as np
import pytest

from core.research.scores import (
    auc_error,
    bootstrap_sharpe,
    calibration_error,
    deflated_sharpe,
    max_drawdown,
    overfitting,
    probabilistic_sharpe,
    rank_correlation,
    reliability,
    sharpe,
)


def test_sharpe_by_hand() -> None:
    returns = [0.01, -0.005] * 10
    found = sharpe(returns, 86_400)
    assert found is not None
    mean, spread = 0.0025, 0.0075 * (20 / 19) ** 0.5
    assert found.value == pytest.approx(mean / spread * 365**0.5)
    ratio = mean / spread
    error = ((1 + (1 - 1) / 4 * ratio**2) / 19) ** 0.5  # no skew, kurtosis 1
    assert found.high - found.value == pytest.approx(1.959963985 * error * 365**0.5)
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize("returns", [[], [0.1] * 9, [0.0] * 100, [0.01] * 100])
def test_what_says_nothing_has_no_sharpe(returns: list[float]) -> None:
    assert sharpe(returns, 3600) is None
    assert probabilistic_sharpe(returns) == 0.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1_000):
        found = sharpe(0.05 + rng.standard_t(6, 250) / 6**0.5 * 2, 86_400)
        assert found is not None
        truth = 0.05 / (2 * (6 / 4) ** 0.5 / 6**0.5) * 365**0.5
        held += found.low <= truth <= found.high
    assert 930 <= held <= 970


def test_the_best_of_many_worthless_trials_is_seen_through() -> None:
    rng = np.random.default_rng(5)
    fooled = naive = 0
    for _ in range(200):
        trials = rng.standard_normal((50, 250))
        ratios = trials.mean(axis=1) / trials.std(axis=1, ddof=1)
        best = trials[ratios.argmax()]
        naive += probabilistic_sharpe(best) > 0.95
        fooled += deflated_sharpe(best, 50, float(ratios.std(ddof=1))) > 0.95
    assert naive > 150
    assert fooled < 20
    edge = 0.4 + rng.standard_normal(250)
    assert deflated_sharpe(edge, 50, 1 / 250**0.5) > 0.95
    assert deflated_sharpe(edge, 1, 9.0) == probabilistic_sharpe(edge)
    with pytest.raises(ValueError, match="at least"):
        deflated_sharpe(edge, 0, 1.0)


def test_drawdown_is_of_the_peak() -> None:
    assert max_drawdown([100, 120, 90, 110, 130]) == pytest.approx(0.25)
    assert max_drawdown([1, 2, 3]) == 0.0
    assert max_drawdown([]) == 0.0


def test_the_bootstrap_interval_holds_what_it_says() -> None:
    """Of forty samples of a known ratio about 38 intervals must hold it."""
    rng = np.random.default_rng(7)
    truth = 0.1 * np.sqrt(365)
    held = 0
    for seed in range(40):
        low, high = bootstrap_sharpe(0.1 + rng.standard_normal(300), 86_400, seed, draws=300)
        assert low < high
        held += low <= truth <= high
    assert 34 <= held <= 40
    assert bootstrap_sharpe([0.1, -0.1] * 50, 86_400, 1) == bootstrap_sharpe(
        [0.1, -0.1] * 50, 86_400, 1
    )


def test_one_lucky_trade_is_no_interval_above_zero() -> None:
    days = np.zeros(200)
    days[120] = 0.05
    low, high = bootstrap_sharpe(days, 86_400, 1)
    assert low == 0.0
    assert high > 0.0


def test_blocks_keep_what_days_have_to_do_with_each_other() -> None:
    """Days that repeat themselves know less: the interval must be wider than of shuffled ones."""
    rng = np.random.default_rng(8)
    days = np.repeat(rng.standard_normal(40), 10) + 0.05
    low, high = bootstrap_sharpe(days, 86_400, 1)
    mixed_low, mixed_high = bootstrap_sharpe(rng.permutation(days), 86_400, 1)
    assert high - low > 1.5 * (mixed_high - mixed_low)


def test_choosing_among_noise_is_overfitting_and_among_skill_is_not() -> None:
    rng = np.random.default_rng(9)
    noise = rng.standard_normal((240, 20))
    chosen = overfitting(noise - noise.mean(axis=0))
    assert chosen is not None
    assert chosen.splits == 924
    assert chosen.probability > 0.8  # what is best in one half is worst in the other
    assert chosen.loses > 0.9
    skilled = rng.standard_normal((240, 20)) * 0.5
    skilled[:, 3] += 1.0
    chosen = overfitting(skilled)
    assert chosen is not None
    assert (chosen.probability, chosen.loses) == (0.0, 0.0)
    assert overfitting(noise[:, :1]) is None
    assert overfitting(noise[:20]) is None


def test_calibration_by_hand() -> None:
    rng = np.random.default_rng(10)
    said = rng.uniform(0.3, 0.7, 50_000)
    rose = rng.random(50_000) < said
    assert calibration_error(said, rose) < 0.01
    assert calibration_error(said + 0.1, rose) == pytest.approx(0.1, abs=0.01)
    table = reliability(said, rose)
    assert [one.count for one in table] == [5_000] * 10
    assert table[0].said < table[-1].said
    assert rank_correlation(said, said**3) == pytest.approx(1.0)
    assert rank_correlation(said, np.ones(50_000)) == 0.0
    assert auc_error(rose, 1_000.0) == pytest.approx(0.5 * np.sqrt(4 / (3 * 1_000)), rel=0.01)
