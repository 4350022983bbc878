"""What days come to, by other means; and who may replace whom."""

from __future__ import annotations

import random
from math import log

import numpy as np
import pytest

from core.model.learning import Day, Earned
from core.signals.diary import Diary, compare, correlation, earning, interval, sum_up


def days(count: int, loss: float, net: float, seed: int) -> tuple[Day, ...]:
    """Days of ten predictions on four instruments; the last is running."""
    rng = random.Random(seed)
    return tuple(
        Day(
            k, 10, 5, 2.5, 10 * (loss + rng.gauss(0, 0.002)),
            earned=Earned(4 * (net + rng.gauss(0, 0.002)), 3.0, 4),
        )
        for k in range(count + 1)
    )  # fmt: skip


CHAMPION = days(60, 0.690, 0.0, 1)


@pytest.mark.parametrize(
    ("challenger", "shared", "favoured"),
    [
        (days(60, 0.687, 0.002, 2), 60, True),
        (days(29, 0.687, 0.002, 2), 29, False),
        # A better probability that earns no more, and more return from worse ones: luck.
        (days(60, 0.687, 0.0, 2), 60, False),
        (days(60, 0.690, 0.002, 2), 60, False),
        (days(60, 0.693, -0.002, 2), 60, False),
    ],
)
def test_a_challenger_must_know_and_earn_more(
    challenger: tuple[Day, ...], shared: int, favoured: bool
) -> None:
    found = compare(CHAMPION, challenger, 30)
    assert found.days == shared
    assert found.favours == favoured
    assert not compare(challenger, CHAMPION, 30).favours or not favoured


@pytest.mark.parametrize(("champion", "loss"), [(CHAMPION, 0.69), (None, log(2.0))])
def test_luck_is_not_enough(champion: tuple[Day, ...] | None, loss: float) -> None:
    won = sum(compare(champion, days(40, loss, 0.0, seed), 30).favours for seed in range(2, 62))
    assert won <= 3  # one in twenty by each of two independent measures


@pytest.mark.parametrize(
    ("loss", "net", "count", "trades"),
    [(0.690, 0.002, 40, True), (0.690, 0.002, 29, False), (0.690, -0.002, 40, False)],
)
def test_beside_nobody_a_challenger_must_know_and_earn_something(
    loss: float, net: float, count: int, trades: bool
) -> None:
    found = compare(None, days(count, loss, net, 2), 30)
    assert (found.alone, found.favours) == (True, trades)


def test_days_that_only_one_has_seen_do_not_count() -> None:
    later = tuple(Day(day.day + 50, *[getattr(day, name) for name in Day.__struct_fields__[1:]])
                  for day in days(60, 0.687, 0.002, 2))  # fmt: skip
    found = compare(CHAMPION, later, 30)
    assert found.days == 10
    assert not found.favours
    assert compare(CHAMPION, (), 30).loss is None


def test_an_interval_covers_what_it_should() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        found = interval(rng.normal(0.3, 1.0, 90).tolist())
        assert found is not None
        assert found.low < found.mean < found.high
        covered += found.low <= 0.3 <= found.high
    assert covered >= 45
    assert interval([1.0] * 9) is None
    assert interval([2.0] * 12).mean == 2.0  # type: ignore[union-attr]


def test_sums_of_days_are_those_of_all_predictions() -> None:
    rng = np.random.default_rng(6)
    chance = rng.uniform(0.3, 0.7, 900)
    size = rng.uniform(0.005, 0.02, 900)
    move = rng.standard_t(3, 900) * size * 0.7 + (chance - 0.5) * size
    diary = Diary(())
    for at, (one, moved, expected) in enumerate(zip(chance, move, size, strict=True)):
        diary.note_said(100 + at // 30, one if at % 9 else None, held=one > 0.6)
        diary.note_outcome(100 + at // 30, one, moved, expected)
    diary.note_paid(120, 10_000.0, 1.5, 5.5)
    diary.note_paid(125, 30_000.0, -0.5, 16.5)
    # Late word of an older day goes to the newest: no day comes twice.
    diary.note_earned(110, 0.01, 1.0, 3)
    found = sum_up(diary.days, earning(diary.days))
    spoken = chance[np.arange(900) % 9 != 0]
    assert (found.days, found.scored) == (30, 900)
    assert found.hit_rate == np.mean((chance > 0.5) == (move > 0))
    assert found.brier_skill == pytest.approx(1 - np.mean((chance - (move > 0)) ** 2) / 0.25)
    scaled = np.clip(move / size, -3, 3)
    assert found.ic == pytest.approx(np.corrcoef(chance, scaled)[0, 1])
    assert found.said == pytest.approx(spoken.mean())
    assert found.spread == pytest.approx(spoken.std())
    assert found.held == np.mean(chance > 0.6)
    assert found.slippage == pytest.approx(1.0 / 40_000)
    assert found.cost == pytest.approx(23.0 / 40_000)
    assert found.net is None
    assert [day.day for day in diary.days] == list(range(100, 130))
    assert diary.days[-1].earned == Earned(0.01, 1.0, 3)
    assert correlation(()) is None
    assert correlation(diary.days[:3]) is None  # 90 outcomes
