"""Many candles at once against one after the other: the same events, the same effects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from core.clock import MINUTE
from core.config import Config
from core.model.instrument import Instrument
from core.model.market import Candle
from core.research.backtest import make_engine, run_backtest
from core.research.bars import Bars
from core.research.candle_venue import CandleVenue
from core.signals.decision import Decision
from core.signals.strategy import Strategy
from tests.core.research.test_backtest import BTC, ETH, START, random_bars, rules, settings


def one_by_one(
    candles: Mapping[Instrument, Bars], config: Config, make: Callable[[], Strategy] | None
) -> tuple[str, int, Decimal | None]:
    """Every candle through ``Engine.process``."""
    engine = make_engine(config, True, make)
    start = min(bars.ts[0] for bars in candles.values())
    venue = CandleVenue(engine, tuple(candles), Decimal(100_000), start, {}, 0.0)
    venue.arm()
    rows = sorted(
        (row[0], index, row[1:])
        for index, bars in enumerate(candles.values())
        for row in zip(bars.ts, *bars.columns, strict=True)
    )
    names = tuple(candles)
    for ts in sorted({row[0] for row in rows}):
        together = [row for row in rows if row[0] == ts]
        for _, index, (open_, high, low, close, _) in together:
            listing = venue.listings[names[index].venue, names[index].symbol]
            venue.open_bar(listing, ts, open_, high)
            listing.book.bar(open_, high, low, close)
        for _, index, values in together:
            one = names[index]
            end = ts + MINUTE
            effects = engine.process(Candle(one.venue, one.symbol, 60, *values, ts, end))
            venue.hear(effects, end)
    return engine.decision_hash, engine.events, engine.equity()


def at_once(
    candles: Mapping[Instrument, Bars], config: Config, make: Callable[[], Strategy] | None
) -> tuple[str, int, Decimal | None]:
    seen: list[Any] = []

    def remember(part: float) -> None:
        seen.append(part)

    result = run_backtest(candles, config, make_strategy=make, progress=remember)
    assert seen == sorted(seen)
    return result.decision_hash, result.bars, result.equity_end


def cut(bars: Bars, first: int, last: int) -> Bars:
    return Bars(bars.ts[first:last], *(column[first:last] for column in bars.columns))


def holed(bars: Bars, hole: range) -> Bars:
    columns = (bars.ts, *bars.columns)
    return Bars(*([v for i, v in enumerate(c) if i not in hole] for c in columns))


class Failing:
    """Trades for a while, then raises."""

    name = "failing"
    timeframe = 60
    warmup = 1

    def __init__(self) -> None:
        self.seen: Iterator[int] = iter(range(10**6))

    def on_candle(self, candle: Candle) -> Decision | None:
        count = next(self.seen)
        if count == 150:
            raise ZeroDivisionError
        return Decision(1 if count % 40 else -1, 0.0, "") if count % 20 == 0 else None


@pytest.mark.parametrize("make", [None, Failing])
@pytest.mark.parametrize("limits", [{}, {"drawdown": "0.02"}, {"daily_loss": "0.01"}])
@pytest.mark.parametrize("count", [1, 3])
def test_both_ways_decide_alike(
    count: int, limits: dict[str, Any], make: Callable[[], Strategy] | None
) -> None:
    whole = {
        rules(BTC): random_bars(900, 1),
        rules(ETH): random_bars(900, 2),
        rules("SOL/USDT:USDT"): random_bars(900, 3),
    }
    candles = dict(list(whole.items())[:count])
    config = settings(symbols=tuple(one.symbol for one in candles), limits=limits)
    slow, fast = one_by_one(candles, config, make), at_once(candles, config, make)
    assert fast[0] == slow[0]
    assert fast[2] == slow[2]


def test_instruments_come_and_go() -> None:
    candles = {
        rules(BTC): cut(random_bars(900, 1), 0, 500),
        rules(ETH): holed(random_bars(900, 2), range(300, 320)),
        rules("SOL/USDT:USDT"): cut(random_bars(900, 3), 200, 900),
    }
    config = settings(symbols=tuple(one.symbol for one in candles))
    slow, fast = one_by_one(candles, config, None), at_once(candles, config, None)
    assert fast[0] == slow[0]
    assert fast[2] == slow[2]


def test_the_engine_counts_its_events() -> None:
    bars = random_bars(300, 1)
    config = settings()
    engine = make_engine(config, True, None)
    venue = CandleVenue(engine, (rules(),), Decimal(100_000), START, {}, 0.0)
    venue.arm()
    before = engine.events
    listing = venue.listings["bybit", BTC]
    run = engine.run_candles([("bybit", BTC, listing.book)])
    candles = iter(
        [
            Candle("bybit", BTC, 60, *values, ts, ts + MINUTE)
            for ts, *values in zip(bars.ts, *bars.columns, strict=True)
        ]
    )
    effects = run.go(candles, START + 10 * MINUTE)
    while effects is not None and run.taken:
        effects = run.go(candles, START + 10 * MINUTE)
    assert effects == ()
    assert run.row[0].ts == START + 10 * MINUTE
    assert engine.events - before == 10
