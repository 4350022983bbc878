"""Bars from trades, and what the venue adds to them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.clock import DAY, MINUTE, SECOND
from core.desk.charts import MOST, Charts, fold, join
from core.desk.ports import Gateway
from core.errors import VenueUnavailable
from core.model.market import Candle, Side, Trade
from core.model.snapshot import BarView

BTC = "BTC/USDT:USDT"
START = 1_700_000_100 * SECOND
"""The start of a minute."""


class Clock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        return self.time


class Past:
    """A venue that knows yesterday, and nothing else."""

    venue = "bybit"

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.down = False

    async def candles(
        self, symbol: str, timeframe: int, count: int, before: int | None = None
    ) -> list[Candle]:
        self.asked.append(timeframe)
        if self.down:
            raise VenueUnavailable("no answer")
        span = timeframe * SECOND
        end = START // span * span
        return [
            Candle("bybit", symbol, timeframe, 9.0, 9.0, 9.0, 9.0, 1.0, end - k * span, 0)
            for k in range(20, 0, -1)
        ]


def charts(past: Past, clock: Clock) -> Charts:
    gateway: Gateway = past  # type: ignore[assignment]  # the one method that charts call
    return Charts({"bybit": gateway}, clock)


def trade(price: float, after: float, qty: float = 1.0) -> Trade:
    ts = START + int(after * SECOND)
    return Trade("bybit", BTC, price, qty, Side.BUY, str(ts), ts, ts)


def test_trades_make_bars_and_quiet_ones_are_flat() -> None:
    made = charts(Past(), Clock())
    for price, after in ((10.0, 0.0), (12.0, 1.0), (11.0, 4.9), (20.0, 15.2)):
        made.trade(trade(price, after))
    bars = made.bars("bybit", BTC, 5, 100)
    assert [(b.open, b.high, b.low, b.close, b.volume) for b in bars] == [
        (10.0, 12.0, 10.0, 11.0, 3.0),
        (11.0, 11.0, 11.0, 11.0, 0.0),
        (11.0, 11.0, 11.0, 11.0, 0.0),
        (20.0, 20.0, 20.0, 20.0, 1.0),
    ]
    assert [b.ts - START for b in bars] == [0, 5 * SECOND, 10 * SECOND, 15 * SECOND]
    assert len(made.bars("bybit", BTC, 5, 2)) == 2
    assert made.bars("okx", BTC, 5, 100) == ()


def test_a_late_trade_is_on_the_tape_and_in_no_bar() -> None:
    made = charts(Past(), Clock())
    made.trade(trade(10.0, 6.0))
    made.trade(trade(99.0, 1.0))
    assert [b.high for b in made.bars("bybit", BTC, 5, 10)] == [10.0]
    assert [p.price for p in made.prints(BTC)] == [10.0, 99.0]


def test_a_trade_of_tomorrow_does_not_end_the_chart() -> None:
    made = charts(Past(), Clock())
    made.trade(trade(10.0, 0.0))
    made.trade(replace(trade(11.0, 1.0), ts=START + DAY))
    made.trade(trade(12.0, 2.0))
    assert [b.close for b in made.bars("bybit", BTC, 5, 10)] == [12.0]


async def test_the_past_is_asked_for_once_and_stands_before_our_own_bars() -> None:
    past, clock = Past(), Clock()
    made = charts(past, clock)
    made.trade(trade(10.0, 30.0))
    assert [b.close for b in made.bars("bybit", BTC, 60, 100)] == [10.0]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bars = made.bars("bybit", BTC, 60, 100)
    assert [b.close for b in bars] == [9.0] * 20 + [10.0]
    assert [b.ts for b in bars] == [START + k * MINUTE for k in range(-20, 1)]
    five = made.bars("bybit", BTC, 300, 100)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    five = made.bars("bybit", BTC, 300, 100)
    assert five[-1].close == 10.0
    assert five[-2].volume >= 1.0
    assert past.asked == [60, 300]
    await made.close()


async def test_a_venue_without_an_answer_is_asked_again_after_a_minute() -> None:
    past, clock = Past(), Clock()
    past.down = True
    made = charts(past, clock)
    made.trade(trade(10.0, 0.0))
    for after in (0, 1, 59, 61):
        clock.time = START + after * SECOND
        made.bars("bybit", BTC, 60, 10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert past.asked == [60, 60]


def test_an_instrument_nobody_trades_is_not_asked_for() -> None:
    past = Past()
    assert charts(past, Clock()).bars("bybit", "NOPE/USDT:USDT", 60, 10) == ()
    assert past.asked == []


prices = st.floats(1.0, 2.0)


@given(st.lists(st.tuples(st.integers(0, 400), prices, prices), max_size=30))
def test_folding_keeps_extremes_volume_and_the_last_word(
    rows: list[tuple[int, float, float]],
) -> None:
    bars = [
        BarView(START + k * MINUTE, a, max(a, b), min(a, b), b, 1.0)
        for k, a, b in sorted({row[0]: row for row in rows}.values())
    ]
    folded = fold(bars, 300)
    assert sum(b.volume for b in folded) == pytest.approx(len(bars))
    assert all(b.ts - a.ts == 300 * SECOND for a, b in pairwise(folded))
    if bars:
        assert max(b.high for b in folded) == max(b.high for b in bars)
        assert min(b.low for b in folded) == min(b.low for b in bars)
        assert folded[-1].close == bars[-1].close


def test_a_long_silence_does_not_make_endless_bars() -> None:
    flat = (1.0, 1.0, 1.0, 1.0, 1.0)
    bars = [BarView(START, *flat), BarView(START + 10**6 * MINUTE, *flat)]
    assert len(fold(bars, 60)) == MOST + 2


def test_where_both_know_a_bar_the_venue_counts() -> None:
    past = [BarView(START, 1.0, 1.0, 1.0, 1.0, 7.0)]
    own = [BarView(START, 1.0, 1.0, 1.0, 1.0, 2.0), BarView(START + 1, 1.0, 1.0, 1.0, 1.0, 3.0)]
    assert [b.volume for b in join(past, own)] == [7.0, 3.0]
