from decimal import Decimal

import pytest

from tui import numbers


@pytest.mark.parametrize(
    ("value", "tick", "text"),
    [
        (64120.5, Decimal("0.1"), "64,120.5"),
        (64120.5, Decimal("0.10"), "64,120.5"),
        (0.10452, Decimal("0.00001"), "0.10452"),
        (571.0, Decimal("0.05"), "571.00"),
        (12.0, Decimal(5), "12"),
        (None, Decimal("0.1"), "-"),
        (Decimal("3142.18"), None, "3,142.18"),
        (Decimal("0.1045"), None, "0.10450"),
    ],
)
def test_prices_have_the_decimals_of_their_tick(value: float, tick: Decimal, text: str) -> None:
    assert numbers.price(value, tick) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "+1.50"),
        (-1.5, "-1.50"),
        (0, "0.00"),
        (Decimal("-0.001"), "0.00"),
        (-0.0, "0.00"),
        (12345.678, "+12,345.68"),
        (None, "-"),
    ],
)
def test_signed_numbers_always_show_their_sign(value: float, text: str) -> None:
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "9s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86399, "23h"),
        (86400, "1d"),
        (-5, "0.0s"),
        (None, "-"),
    ],
)
def test_ages_never_take_more_than_four_cells(seconds: float, text: str) -> None:
    assert numbers.age(seconds) == text
    assert len(text) <= 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1234, "1234"),
        (12345, "12.3k"),
        (123456, "123k"),
        (1_500_000, "1.5M"),
        (4_560_000_000, "4.6B"),
        (0.5, "0.5"),
    ],
)
def test_counts_stay_short(value: float, text: str) -> None:
    assert numbers.compact(value) == text


def test_quantities_are_exact() -> None:
    assert numbers.quantity(Decimal("0.01800")) == "0.018"
    assert numbers.quantity(Decimal("9800")) == "9,800"
    assert numbers.quantity(Decimal("1E+3")) == "1,000"
    assert numbers.quantity(Decimal("0.00000001")) == "0.00000001"


def test_a_bar_has_its_width_whatever_the_share() -> None:
    for share in (-1.0, 0.0, 0.001, 0.5, 0.999, 1.0, 7.0):
        assert len(numbers.bar(share, 12)) == 12
    assert numbers.bar(1.0, 4) == "████"
    assert numbers.bar(0.5, 4) == "██··"


def test_a_sparkline_spans_its_range() -> None:
    assert numbers.spark([1, 2, 3]) == "▁▄█"
    assert len(set(numbers.spark([5.0, 5.0, 5.0]))) == 1
    assert numbers.spark([]) == ""


def test_percent_and_basis_points() -> None:
    assert numbers.percent(0.0123) == "+1.23%"
    assert numbers.percent(0.5, 0, sign=False) == "50%"
    assert numbers.basis_points(0.00015) == "1.5"
    assert numbers.basis_points(-0.00015) == "-1.5"
    assert numbers.until(185 * 60) == "3h05"
    assert numbers.until(-1) == "-"
    assert numbers.clock(1_795_256_625_000_000_000) == "10:23:45"


def test_span_names_the_largest_unit_that_fits() -> None:
    assert [numbers.span(n) for n in (5, 60, 90, 900, 3600, 14_400, 86_400)] == [
        "5 s",
        "1 m",
        "90 s",
        "15 m",
        "1 h",
        "4 h",
        "1 d",
    ]
