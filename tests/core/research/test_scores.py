"""Scores against hand calculations and against many worthless trials."""

from __future__ import annotations

import numpy as np
import pytest

from core.research.scores import (
    deflated_sharpe,
    max_drawdown,
    probabilistic_sharpe,
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
