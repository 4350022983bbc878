"""Who may replace whom, and how much history a training takes."""

from __future__ import annotations

import random

import pytest

from core.desk.trainer import favours
from core.model.learning import Day, Order
from core.research.worker import spans


def days(count: int, loss: float, noise: float, seed: int) -> tuple[Day, ...]:
    rng = random.Random(seed)
    return tuple(Day(k, 10, 5, 2.5, 10 * (loss + rng.gauss(0, noise))) for k in range(count))


def test_a_better_challenger_replaces_the_champion_after_its_days() -> None:
    champion, better = days(60, 0.69, 0.002, 1), days(60, 0.687, 0.002, 2)
    assert favours(champion, better, 30)
    assert not favours(champion, better[:29], 30)
    assert not favours(better, champion, 30)


def test_luck_is_not_enough() -> None:
    champion = days(40, 0.69, 0.01, 1)
    won = sum(favours(champion, days(40, 0.69, 0.01, seed), 30) for seed in range(2, 62))
    assert won <= 12  # one in twenty of as many honest ties, and blocks of five are few


def order(timeframe: int, days: int) -> Order:
    return Order("", "", "okx", (), timeframe, (4, 24), 0, 0, 0.0006, days, 30, False)


@pytest.mark.parametrize(
    ("candles", "timeframe", "days", "window"),
    [
        (8_760, 3600, 90, 2880),
        (4_000, 3600, 90, 1597),
        (800, 3600, 90, 0),
        (45_000, 60, 24, 7_365),
        (30_000, 60, 24, 15_000),
        (0, 60, 24, 0),
    ],
)
def test_a_window_leaves_the_days_that_must_be_tested(
    candles: int, timeframe: int, days: int, window: int
) -> None:
    assert spans(candles, order(timeframe, days))[0] == window
