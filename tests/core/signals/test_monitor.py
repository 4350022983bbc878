"""The alarms cry when they should, and seldom when they should not."""

from __future__ import annotations

import numpy as np
import pytest

from core.signals.monitor import page_hinkley, stability


def rates(rng: np.random.Generator, days: int, chance: float) -> list[float]:
    """Daily hit rates of 24 predictions a day."""
    return (rng.binomial(24, chance, days) / 24).tolist()


def test_a_steady_hit_rate_seldom_alarms() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(page_hinkley(rates(rng, 900, 0.53)) for _ in range(40))
    # 0.1 to 0.2 in about 900 shuffled days was measured on real predictions.
    assert alarms <= 12


def test_days_of_few_outcomes_are_no_falls() -> None:
    """One symbol a day ahead: most days are all right or all wrong."""
    rng = np.random.default_rng(3)
    days = [(rng.binomial(2, 0.55, 365) / 2).tolist() for _ in range(40)]
    assert sum(page_hinkley(one) for one in days) <= 6
    assert sum(page_hinkley(one + [0.0] * 30) for one in days) >= 30


@pytest.mark.parametrize(("before", "after", "within"), [(0.6, 0.4, 30), (0.55, 0.45, 60)])
def test_a_fall_is_found(before: float, after: float, within: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        good = rates(rng, 120, before)
        assert page_hinkley(good + rates(rng, within, after))


def test_stability_by_hand() -> None:
    assert stability([0.5, 0.5], [0.5, 0.5]) == 0.0
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)
    assert stability([0.6, 0.4], [0.5, 0.5]) == pytest.approx(0.040546510810816436)
    assert stability([1.0, 0.0], [0.5, 0.5]) > 2.0
