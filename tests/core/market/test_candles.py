from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SECOND
from core.market.candles import CandleBuilder
from core.model.market import Candle

T0 = 1_700_000_000 * SECOND


def build(*trades: tuple[float, float], tick: float | None = None) -> tuple[list[Candle], int]:
    """Trades as (seconds, price); each of quantity 1."""
    builder = CandleBuilder("okx", "X", 5)
    out: list[Candle] = []
    for at, price in trades:
        ts = T0 + int(at * SECOND)
        out += builder.add(price, 1.0, ts, ts) or []
    if tick is not None:
        out += builder.tick(T0 + int(tick * SECOND)) or []
    return out, builder.late


def ohlcv(candle: Candle) -> tuple[float, ...]:
    at = (candle.ts - T0) / SECOND
    return at, candle.open, candle.high, candle.low, candle.close, candle.volume


def test_the_next_trade_closes() -> None:
    candles, late = build((0, 10), (1, 12), (2, 9), (4.9, 11), (5, 20))
    assert [ohlcv(c) for c in candles] == [(0, 10, 12, 9, 11, 4)]
    assert late == 0


def test_the_clock_closes_a_second_late() -> None:
    assert build((0, 10), tick=5.9)[0] == []
    assert [ohlcv(c) for c in build((0, 10), tick=6)[0]] == [(0, 10, 10, 10, 10, 1)]


def test_quiet_intervals_give_flat_candles() -> None:
    candles, _ = build((1, 10), (3, 11), (21, 15), (25, 16))
    assert [ohlcv(c) for c in candles] == [
        (0, 10, 11, 10, 11, 2),
        (5, 11, 11, 11, 11, 0),
        (10, 11, 11, 11, 11, 0),
        (15, 11, 11, 11, 11, 0),
        (20, 15, 15, 15, 15, 1),
    ]


def test_a_late_trade_is_counted_and_not_used() -> None:
    candles, late = build((0, 10), (6, 12), (4, 99), (11, 13))
    assert [c.close for c in candles] == [10, 12]
    assert [c.high for c in candles] == [10, 12]
    assert late == 1


def test_the_first_trade_after_a_clocked_close_opens_anew() -> None:
    builder = CandleBuilder("okx", "X", 5)
    builder.add(10, 1, T0, T0)
    assert len(builder.tick(T0 + 6 * SECOND) or []) == 1
    builder.add(14, 1, T0 + 7 * SECOND, T0 + 7 * SECOND)
    (candle,) = builder.tick(T0 + 11 * SECOND) or []
    assert ohlcv(candle) == (5, 14, 14, 14, 14, 1)


def test_a_long_silence_starts_anew_instead_of_flooding() -> None:
    candles, _ = build((0, 10), (100_000, 20), (100_005, 21))
    assert len(candles) == 2
    assert candles[1].close == 20


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 12_000), st.integers(1, 1000)), min_size=1, max_size=60))
def test_candles_are_the_batch_of_their_trades(moves: list[tuple[int, int]]) -> None:
    """Every trade in order, random gaps: candles are contiguous and equal a group-by."""
    at = 0
    trades = []
    for gap, price in moves:
        at += gap
        trades.append((at / 1000, float(price)))
    candles, late = build(*trades)
    assert late == 0
    groups: dict[int, list[float]] = {}
    for seconds, price in trades:
        groups.setdefault(int(seconds // 5) * 5, []).append(price)
    for candle in candles:
        start, *prices, volume = ohlcv(candle)
        inside = groups.get(int(start), [])
        assert volume == len(inside)
        if inside:
            assert prices == [inside[0], max(inside), min(inside), inside[-1]]
        else:
            assert len(set(prices)) == 1
    starts = [c.ts for c in candles]
    assert starts == [starts[0] + i * 5 * SECOND for i in range(len(starts))] if starts else True
    assert len(candles) == (int(trades[-1][0] // 5) - int(trades[0][0] // 5))
