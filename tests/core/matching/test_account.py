from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.matching.account import Account

D = Decimal
FILLS = st.lists(
    st.tuples(
        st.sampled_from(("A", "B")),
        st.integers(-50, 50).filter(bool).map(lambda lots: D(lots) / 10),
        st.integers(900, 1100).map(lambda tick: D(tick) / 10),
        st.integers(-5, 20).map(lambda fee: D(fee) / 1000),
    ),
    max_size=40,
)


def open_account(balance: int = 10_000) -> Account:
    account = Account(D(balance))
    for symbol in ("A", "B"):
        account.open(symbol, D("0.01"), D(100))
    return account


def test_a_round_trip_by_hand() -> None:
    account = open_account()
    assert account.fill("A", D(2), D(100), D("0.1")) == 0
    assert account.fill("A", D(2), D(110), D("0.1")) == 0
    assert account.holdings["A"].entry == 105
    assert account.fill("A", D(-1), D(111), D("0.1")) == 6
    assert account.fill("A", D(-5), D(95), D("0.1")) == -30  # three closed at -10, two opened short
    assert (account.holdings["A"].qty, account.holdings["A"].entry) == (-2, 95)
    assert account.balance == D(10_000) + 6 - 30 - D("0.4")


@given(FILLS)
def test_equity_is_cash_flow_and_what_is_held(
    fills: list[tuple[str, Decimal, Decimal, Decimal]],
) -> None:
    account = open_account()
    cash, held = D(10_000), {"A": D(0), "B": D(0)}
    for symbol, qty, price, fee in fills:
        account.fill(symbol, qty, price, fee)
        cash -= qty * price + fee
        held[symbol] += qty
        assert account.holdings[symbol].qty == held[symbol]
        if not held[symbol]:
            assert account.holdings[symbol].cost == 0
    account.holdings["A"].mark, account.holdings["B"].mark = D("103.7"), D("88.1")
    expected = cash + held["A"] * D("103.7") + held["B"] * D("88.1")
    assert abs(account.equity - expected) < D("1e-18")


@given(FILLS)
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(
    fills: list[tuple[str, Decimal, Decimal, Decimal]],
) -> None:
    account = open_account(500)
    for symbol, qty, price, fee in fills:
        account.fill(symbol, qty, price, fee)
    price = account.liquidation_price("A")
    if price > 0:
        account.holdings["A"].mark = price
        assert abs(account.equity - account.maintenance) < D("1e-12")
        # A breath further to the bad side it is due.
        sign = 1 if account.holdings["A"].qty > 0 else -1
        account.holdings["A"].mark = price * (1 - D("1e-9") * sign)
        assert account.doomed


def test_margin_counts_the_worse_side_and_reducing_is_free() -> None:
    account = open_account(100)
    assert account.affords("A", 1, D(990), D(1))
    assert not account.affords("A", 1, D(1000), D(1))
    account.fill("A", D(9), D(100), D(0))
    assert account.margin == 90
    assert account.affords("A", -1, D(900), D(5))
    account.holdings["A"].selling += D(900)
    assert account.margin == 90
    account.holdings["A"].selling += D(950)  # fills to a short of 950
    assert account.margin == 95
    assert not account.affords("B", 1, D(100), D(0))
    assert account.affords("B", 1, D(50), D(0))


def test_funding_is_paid_by_the_long_at_the_mark() -> None:
    account = open_account()
    account.fill("A", D(3), D(100), D(0))
    account.holdings["A"].mark = D(200)
    assert account.fund("A", D("0.0001")) == D("-0.06")
    account.fill("A", D(-6), D(200), D(0))
    assert account.fund("A", D("0.0001")) == D("0.06")
    assert account.balance == D(10_000) + 300
