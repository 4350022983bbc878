from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from core.portfolio.position import Position

D = Decimal
FILLS = st.lists(
    st.tuples(
        st.integers(-20, 20).filter(bool).map(lambda n: D(n) / 1000),
        st.integers(1, 10_000).map(lambda n: D(n) / 10),
        st.integers(-5, 50).map(lambda n: D(n) / 1000),
    ),
    max_size=40,
)


def test_average_cost_by_hand() -> None:
    position = Position("okx", "X")
    assert position.book(D(1), D(100), D("0.1"), 1) == 0
    assert position.book(D(1), D(110), D("0.1"), 2) == 0
    assert position.entry == 105
    assert position.book(D(-1), D(115), D("0.1"), 3) == 10
    assert (position.qty, position.entry, position.opened) == (1, 105, 1)
    # Through zero: one long is closed at a loss, two short are opened.
    assert position.book(D(-3), D(95), D("0.2"), 4) == -10
    assert (position.qty, position.entry, position.opened) == (-2, 95, 4)
    assert (position.trips, position.losses, position.lost) == (1, 1, 4)  # 10 - 10 - fees
    assert position.book(D(2), D(90), D(0), 5) == 10
    assert (position.qty, position.entry, position.losses) == (0, 0, 0)


@settings(max_examples=300)
@given(FILLS)
def test_profit_is_cash_out_minus_cash_in(fills: list[tuple[D, D, D]]) -> None:
    """Marked at the last price, realised plus unrealised is what the fills paid out."""
    position = Position("okx", "X")
    cash = Fraction(0)
    for qty, price, fee in fills:
        position.book(qty, price, fee, 1)
        cash -= Fraction(qty) * Fraction(price)
    mark = D(77)
    total = position.realised + position.unrealised(mark)
    assert abs(Fraction(total) - cash - Fraction(position.qty) * 77) < Fraction(1, 10**15)
    assert position.qty == sum((qty for qty, _, _ in fills), D(0))
    assert position.fees == sum((fee for _, _, fee in fills), D(0))
    assert position.size == float(position.qty)
