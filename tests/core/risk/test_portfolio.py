"""Historical simulation and clusters, against numbers worked out by hand or by numpy."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from core.clock import HOUR
from core.risk.portfolio import KEPT, NEEDED, PortfolioRisk


def walk(seed: int, hours: int = KEPT, start: float = 100.0) -> list[float]:
    chance = random.Random(seed)
    closes = [start]
    for _ in range(hours - 1):
        closes.append(closes[-1] * math.exp(chance.gauss(0, 0.01)))
    return closes


def fed(**series: list[float]) -> PortfolioRisk:
    risk = PortfolioRisk()
    for symbol, closes in series.items():
        for hour, close in enumerate(closes):
            risk.add(symbol, hour * HOUR, close)
    return risk


def days(closes: list[float]) -> np.ndarray:
    line = np.asarray(closes)
    ends = np.arange(len(line) - 1, 23, -4)[::-1]
    return line[ends] / line[ends - 24] - 1


def test_the_tail_is_that_of_the_days_themselves() -> None:
    btc, eth = walk(1), walk(2)
    risk = fed(BTC=btc, ETH=eth)
    tail = risk.tail({"BTC": 1000.0, "ETH": -500.0})
    assert tail is not None
    results = np.sort(1000 * days(btc) - 500 * days(eth))
    worst = results[: math.ceil(len(results) * 0.05)]
    assert tail.value_at_risk == pytest.approx(-worst[-1])
    assert tail.shortfall == pytest.approx(-worst.mean())
    assert tail.shortfall >= tail.value_at_risk > 0


def test_nothing_is_said_before_there_are_hours_enough() -> None:
    risk = fed(BTC=walk(1, NEEDED - 1))
    assert risk.tail({"BTC": 1000.0}) is None
    assert not risk.known
    assert risk.hours() == NEEDED - 1
    risk.add("BTC", (NEEDED - 1) * HOUR, 100.0)
    assert risk.tail({"BTC": 1000.0}) is not None


def test_a_symbol_without_history_never_makes_the_book_look_safer() -> None:
    risk = fed(BTC=walk(1), ETH=walk(2))
    alone, with_new = risk.tail({"BTC": 1000.0}), risk.tail({"BTC": 1000.0, "NEW": -300.0})
    assert alone is not None
    assert with_new is not None
    assert with_new.value_at_risk > alone.value_at_risk
    assert with_new.shortfall > alone.shortfall


def test_symbols_that_move_as_one_are_one_cluster_with_signs() -> None:
    btc = walk(1)
    same = [close * (1 + 0.0005 * math.sin(hour)) for hour, close in enumerate(btc)]
    against = [1e4 / close for close in btc]
    risk = fed(BTC=btc, ETH=same, INV=against, SOL=walk(9))
    book = {"BTC": 100.0, "ETH": 50.0, "INV": -30.0, "SOL": 500.0}
    found = risk.cluster("ETH", book)
    assert set(found.symbols) == {"BTC", "ETH", "INV"}
    assert found.value == pytest.approx(180.0), "short what moves against is long what moves with"
    # A short in a symbol that moves along is not set off: the larger side counts.
    assert risk.cluster("BTC", {"BTC": 100.0, "ETH": -80.0}).value == pytest.approx(100.0)
    assert risk.cluster("SOL", book).symbols == ("SOL",)
    heaviest = risk.heaviest(book)
    assert heaviest is not None
    assert heaviest.symbols == ("SOL",)
    assert risk.heaviest({}) is None


def test_hours_go_on_by_themselves_and_gaps_keep_the_price() -> None:
    risk = fed(BTC=[100.0, 101.0])
    risk.close_hour(3 * HOUR + 5, {"BTC": 104.0, "ETH": 50.0})
    risk.close_hour(3 * HOUR + 9, {"BTC": 999.0})  # that hour is closed already
    risk.close_hour(6 * HOUR, {"BTC": 110.0})
    assert list(risk._closes["BTC"]) == [100.0, 101.0, 104.0, 104.0, 104.0, 110.0]
    assert "ETH" not in risk._closes, "a symbol without a past has nothing to go on from"
    risk.add("BTC", 2 * HOUR, 5.0)
    risk.add("BTC", 7 * HOUR, float("nan"))
    risk.add("BTC", 7 * HOUR, -1.0)
    assert len(risk._closes["BTC"]) == 6


def test_days_are_days_of_the_whole_book() -> None:
    """One symbol is an hour ahead: its windows still end with the others'."""
    btc = walk(1)
    risk = fed(BTC=btc, ETH=btc)
    risk.add("BTC", KEPT * HOUR, 1.0)  # a crash that the other symbol has not seen yet
    tail = risk.tail({"BTC": 100.0, "ETH": -100.0})
    assert tail is not None
    assert tail.value_at_risk == pytest.approx(0.0, abs=1e-9)
