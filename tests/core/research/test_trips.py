"""Round trips in numbers, against arithmetic done by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.clock import DAY, HOUR, SECOND
from core.research.result import Trip
from core.research.trips import by_month, shuffle_trips, sum_trips

JANUARY = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND


def trips(*nets: float, apart: int = HOUR) -> list[Trip]:
    return [
        Trip("bybit", "BTC/USDT:USDT", JANUARY + at * apart, JANUARY + (at + 1) * apart, net)
        for at, net in enumerate(nets)
    ]


def test_facts() -> None:
    facts = sum_trips(trips(10.0, -5.0, 30.0, -5.0))
    assert facts is not None
    assert (facts.won, facts.average_win, facts.average_loss) == (0.5, 20.0, -5.0)
    assert facts.profit_factor == 4.0
    assert facts.seconds_held == 3600.0
    assert (facts.best, facts.worst, facts.held) == (30.0, -5.0, 4 * 3600.0)
    assert sum_trips([]) is None
    winner = sum_trips(trips(1.0))
    assert winner is not None
    assert winner.profit_factor is None


def test_drawing_anew_is_seeded_and_plausible() -> None:
    taken = trips(*([100.0, -90.0] * 50))
    drawn = shuffle_trips(taken, 10_000.0)
    assert drawn == shuffle_trips(taken, 10_000.0)
    assert drawn is not None
    low, middle, high = drawn.total_return
    assert low < middle < high
    # The mean trip is 5, their spread 95: 100 of them are 500 +- 950.
    assert middle == pytest.approx(0.05, abs=0.02)
    assert high - low == pytest.approx(2 * 1.645 * 0.095, rel=0.1)
    assert drawn.lost == pytest.approx(0.3, abs=0.05)
    assert 0 < drawn.max_drawdown[0] < drawn.max_drawdown[1] < drawn.max_drawdown[2] < 1
    assert shuffle_trips(taken[:9], 10_000.0) is None


def test_only_losses_always_lose() -> None:
    drawn = shuffle_trips(trips(*[-10.0] * 20), 1_000.0)
    assert drawn is not None
    assert drawn.total_return == pytest.approx((-0.2, -0.2, -0.2))
    assert drawn.max_drawdown == pytest.approx((0.2, 0.2, 0.2))
    assert drawn.lost == 1.0


def test_months_join_to_the_whole() -> None:
    curve = [(JANUARY + at * DAY, 100.0 + at) for at in range(61)]
    months = by_month(curve, trips(*[1.0] * 40, apart=DAY))
    assert [one.month for one in months] == ["2025-01", "2025-02", "2025-03"]
    assert months[0].change == pytest.approx(0.31)  # midnight of 1 February ends January
    whole = 1.0
    for one in months:
        whole *= 1 + one.change
    assert whole == pytest.approx(curve[-1][1] / curve[0][1])
    assert sum(one.trades for one in months) == 40
