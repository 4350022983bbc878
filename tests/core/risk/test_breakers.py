from __future__ import annotations

from decimal import Decimal

import pytest

from core.clock import DAY, HOUR, SECOND
from core.config import Limits
from core.risk.breakers import LossBreaker
from core.risk.codes import Code
from core.risk.pace import Pace

D = Decimal
NOON = 19_675 * DAY + 12 * HOUR


def breaker(peak: int = 100, day_start: int = 100, ago: int = 100) -> LossBreaker:
    made = LossBreaker(Limits())
    made.load(D(peak), NOON // DAY, D(day_start), [(NOON - HOUR, D(ago)), (NOON, D(100))])
    return made


@pytest.mark.parametrize(
    ("made", "equity", "code"),
    [
        (breaker(), 97.01, None),
        (breaker(), 97.0, Code.DAILY_LOSS),
        (breaker(day_start=90, ago=100), 97.0, Code.DAILY_LOSS),
        (breaker(day_start=100, ago=90), 97.0, Code.DAILY_LOSS),
        (breaker(peak=100, day_start=96, ago=96), 95.01, None),
        (breaker(peak=100, day_start=96, ago=96), 95.0, Code.DRAWDOWN),
    ],
)
def test_thresholds(made: LossBreaker, equity: float, code: Code | None) -> None:
    assert made.broken(equity) is code


def test_the_peak_follows_every_look_and_raises_the_floor() -> None:
    made = breaker(peak=100, day_start=96, ago=96)
    assert made.broken(95.5) is None
    made.due(110.0, NOON)
    assert made.broken(104.5) is Code.DRAWDOWN


def test_marks_are_due_hourly_daily_and_at_peaks() -> None:
    made = breaker()
    assert not made.due(100.0, NOON + HOUR)
    assert made.due(100.0, NOON + HOUR + 1)  # the hour has turned
    assert not made.due(100.019, NOON + 1)
    assert made.due(100.021, NOON + 1)
    late = LossBreaker(Limits())
    midnight = NOON + 12 * HOUR
    late.load(D(100), NOON // DAY, D(100), [(midnight - SECOND, D(100))])
    assert not late.due(100.0, midnight - 1)
    assert late.due(100.0, midnight)


def test_pace_counts_a_sliding_window() -> None:
    pace = Pace(3, SECOND)
    for at in (0, 400, 800):
        assert not pace.full(at * 1_000_000)
        pace.add(at * 1_000_000)
    assert pace.full(999_999_999)
    assert not pace.full(SECOND)
    assert pace.count(SECOND) == 2
