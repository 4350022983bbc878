from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from core.clock import SECOND
from core.market.validation import (
    check_candle,
    check_depth,
    check_ticker,
    check_top,
    check_trade,
)
from core.model.market import BookTop, Candle, Depth, Side, Ticker, Trade

NOW = 1_700_000_000 * SECOND


def trade(**changes: Any) -> Trade:
    values = {"price": 100.0, "qty": 1.0, "ts": NOW, "received": NOW} | changes
    return Trade("okx", "X", values["price"], values["qty"], Side.BUY, "1", values["ts"], NOW)


def top(bid: float = 99.0, ask: float = 101.0, ts: int = NOW, qty: float = 1.0) -> BookTop:
    return BookTop("okx", "X", bid, qty, ask, 1.0, ts, NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": nan}, "positive"),
        ({"price": inf}, "positive"),
        ({"price": 0.0}, "positive"),
        ({"price": -1.0}, "positive"),
        ({"qty": nan}, "positive"),
        ({"qty": 0.0}, "positive"),
        ({"qty": -inf}, "positive"),
        ({"ts": NOW + 6 * SECOND}, "future"),
        ({"ts": NOW - 11 * SECOND}, "backwards"),
        ({"ts": 0}, "backwards"),
        ({"price": 121.0}, "jumped"),
        ({"price": 79.0}, "jumped"),
    ],
)
def test_bad_trades(changes: dict[str, Any], reason: str) -> None:
    assert reason in check_trade(trade(**changes), 100.0, NOW)


def test_good_trades() -> None:
    assert check_trade(trade(), 0.0, 0) == ""
    assert check_trade(trade(price=119.0), 100.0, NOW) == ""
    assert check_trade(trade(ts=NOW - 2 * SECOND), 100.0, NOW) == ""
    # A market that really moved is believed a second later.
    assert check_trade(trade(price=150.0), 100.0, NOW - SECOND) == ""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (top(bid=101.0, ask=101.0), "crossed"),
        (top(bid=102.0, ask=101.0), "crossed"),
        (top(bid=nan), "positive"),
        (top(ask=inf), "positive"),
        (top(qty=nan), "quantity"),
        (top(qty=-1.0), "quantity"),
        (top(bid=149.0, ask=151.0), "jumped"),
        (top(ts=NOW + 6 * SECOND), "future"),
        (top(ts=NOW - 11 * SECOND), "backwards"),
    ],
)
def test_bad_books(message: BookTop, reason: str) -> None:
    assert reason in check_top(message, 100.0, NOW)


def test_depth() -> None:
    def depth(bids: Any, asks: Any) -> str:
        return check_depth(Depth("okx", "X", bids, asks, NOW, NOW))

    good = ((99.0, 1.0), (98.0, 2.0)), ((100.0, 1.0), (101.0, 0.0))
    assert depth(*good) == ""
    assert depth(((98.0, 1.0), (99.0, 1.0)), good[1]) != ""
    assert depth(good[0], ((101.0, 1.0), (100.0, 1.0))) != ""
    assert depth(((100.0, 1.0),), good[1]) != ""
    assert depth(((nan, 1.0),), good[1]) != ""
    assert depth(good[0], ((100.0, nan),)) != ""
    assert depth(good[0], ()) == ""


def test_ticker() -> None:
    def ticker(mark: float, ts: int = NOW, **changes: Any) -> str:
        values = {"last": 100.0, "index": None, "funding_rate": 0.0001, "change": 0.0} | changes
        message = Ticker(
            "okx",
            "X",
            values["last"],
            mark,
            values["index"],
            values["funding_rate"],
            None,
            values["change"],
            None,
            ts,
            NOW,
        )
        return check_ticker(message, 100.0, NOW)

    assert ticker(101.0) == ""
    assert "jumped" in ticker(130.0)
    assert ticker(130.0, ts=NOW + SECOND) == ""
    assert ticker(nan) != ""
    assert ticker(100.0, last=-1.0) != ""
    assert ticker(100.0, funding_rate=nan) != ""


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ((100.0, 101.0, 99.0, 100.0, 1.0), True),
        ((100.0, 99.0, 99.0, 100.0, 1.0), False),
        ((100.0, 101.0, 100.5, 100.0, 1.0), False),
        ((nan, 101.0, 99.0, 100.0, 1.0), False),
        ((100.0, inf, 99.0, 100.0, 1.0), False),
        ((100.0, 101.0, 0.0, 100.0, 1.0), False),
        ((100.0, 101.0, 99.0, 100.0, nan), False),
    ],
)
def test_candles(values: tuple[float, ...], good: bool) -> None:
    candle = Candle("okx", "X", 60, *values, NOW - 60 * SECOND, NOW)
    assert (check_candle(candle) == "") is good
    unclosed = Candle("okx", "X", 60, *values, NOW, NOW)
    assert check_candle(unclosed) != ""
