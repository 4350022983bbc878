"""Sliding windows: the sum is that of what is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.risk.pace import Turnover


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1e9)), max_size=40))
def test_the_total_is_what_the_window_holds(steps: list[tuple[int, float]]) -> None:
    turnover, now = Turnover(60), 0
    seen: list[tuple[int, float]] = []
    for wait, amount in steps:
        now += wait
        turnover.add(now, amount)
        seen.append((now, amount))
        held = sum(each for ts, each in seen if ts > now - 60)
        assert abs(turnover.total(now) - held) <= 1e-3
    assert turnover.total(now + 60) == 0.0
