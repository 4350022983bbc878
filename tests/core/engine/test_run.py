"""Many candles at once against one after the other: the same events, the same effects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import MINUTE
from core.config import Config, Limits
from core.engine.ahead import Lane
from core.engine.equity import EquityWatch
from core.engine.picture import ShellFacts
from core.model.effect import Effect, Record
from core.model.event import TradingState
from core.model.instrument import Instrument
from core.model.market import Candle
from core.portfolio.ledger import Account, Ledger
from core.research.backtest import make_engine, run_backtest
from core.research.bars import Bars, Stretch, blocks
from core.research.candle_venue import CandleVenue
from core.signals.decision import Decision
from core.signals.ema_cross import EmaCross
from core.signals.strategy import Strategy
from tests.core.research.test_backtest import BTC, ETH, START, random_bars, rules, settings

SOL = "SOL/USDT:USDT"


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
            venue.now, listing.price, listing.top = ts, open_, high
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


class Idle:
    """Says nothing."""

    name = "idle"
    timeframe = 60
    warmup = 1

    def on_candle(self, candle: Candle) -> Decision | None:
        return None


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
        rules(SOL): random_bars(900, 3),
    }
    candles = dict(list(whole.items())[:count])
    config = settings(symbols=tuple(one.symbol for one in candles), limits=limits)
    slow, fast = one_by_one(candles, config, make), at_once(candles, config, make)
    assert fast[0] == slow[0]
    assert fast[2] == slow[2]


@pytest.mark.parametrize("count", [1, 3])
def test_strategies_of_closes_decide_alike(count: int) -> None:
    whole = {rules(name): random_bars(900, seed) for seed, name in enumerate((BTC, ETH, SOL), 1)}
    candles = dict(list(whole.items())[:count])
    config = settings(symbols=tuple(one.symbol for one in candles))
    for name in ("ema_cross", "mean_reversion"):
        chosen = config.model_copy(
            update={"strategy": config.strategy.model_copy(update={"name": name})}
        )
        slow, fast = one_by_one(candles, chosen, None), at_once(candles, chosen, None)
        assert fast[0] == slow[0]
        assert fast[2] == slow[2]


class Sharing:
    """Holds the symbol that rose most in the last candle it knows of, by what all have seen."""

    name = "sharing"
    timeframe = 60
    warmup = 1

    def __init__(self, seen: dict[str, float]) -> None:
        self.seen = seen
        self.target = 0

    def on_candle(self, candle: Candle) -> Decision | None:
        self.seen[candle.symbol] = candle.close / candle.open
        target = 1 if max(self.seen, key=lambda one: self.seen[one]) == candle.symbol else -1
        if target == self.target:
            return None
        self.target = target
        return Decision(target, 0.0, f"{self.seen}")


def test_strategies_that_share_something_learn_nothing_early() -> None:
    candles = {rules(name): random_bars(300, seed) for seed, name in enumerate((BTC, ETH, SOL), 1)}
    config = settings(symbols=tuple(one.symbol for one in candles))
    first: dict[str, float] = {}
    slow = one_by_one(candles, config, lambda: Sharing(first))
    second: dict[str, float] = {}
    fast = at_once(candles, config, lambda: Sharing(second))
    assert fast[0] == slow[0]
    assert first == second


def test_who_overrides_a_strategy_of_closes_is_shown_candles() -> None:
    """What a strategy makes of candles is not passed over because its base takes closes."""
    candles = {rules(BTC): random_bars(300, 1)}
    seen: list[int] = []

    class Counting(EmaCross):
        def on_candle(self, candle: Candle) -> Decision | None:
            seen.append(candle.ts)
            return super().on_candle(candle)

    config = settings()
    own = at_once(candles, config, lambda: Counting(config.strategy))
    assert len(seen) == 300
    assert own[0] == at_once(candles, config, None)[0]


def test_instruments_come_and_go() -> None:
    candles = {
        rules(BTC): cut(random_bars(900, 1), 0, 500),
        rules(ETH): holed(random_bars(900, 2), range(300, 320)),
        rules(SOL): cut(random_bars(900, 3), 200, 900),
    }
    config = settings(symbols=tuple(one.symbol for one in candles))
    slow, fast = one_by_one(candles, config, None), at_once(candles, config, None)
    assert fast[0] == slow[0]
    assert fast[2] == slow[2]


class Fair:
    """A floor where nothing rests, and nothing is due."""

    due = hour = 1 << 63

    def look(self, lanes: Sequence[Lane], at: int) -> None:
        pass

    def open(self, lanes: Sequence[Lane], at: int) -> None:
        pass

    def hear(self, effects: tuple[Effect, ...], now: int) -> None:
        assert all(isinstance(effect, Record) for effect in effects)


def test_the_engine_counts_its_events() -> None:
    bars = random_bars(300, 1)
    engine = make_engine(settings(), True, Idle)
    venue = CandleVenue(engine, (rules(),), Decimal(100_000), START, {}, 0.0)
    venue.arm()
    before = engine.events
    run = engine.run_candles([("bybit", BTC, venue.listings["bybit", BTC].book)], Fair())
    run.play(blocks((bars,), Stretch((0,), (0,), 300), 60))
    assert engine.events - before == 300
    quote = engine.snapshot(START + 300 * MINUTE, ShellFacts("practice", "x", START)).markets[0]
    assert quote.last == bars.close[-1]
    assert quote.closes == tuple(bars.close[-60:])


price = st.floats(0.01, 1e5)
part = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
size = st.floats(-1e4, 1e4).filter(lambda value: abs(value) > 1e-6)


@given(
    st.floats(1.0, 1e7),
    st.floats(0.0, 0.1),
    st.lists(st.tuples(size, price, price, part, st.booleans()), max_size=3),
    st.booleans(),
)
def test_within_its_slack_equity_needs_no_look(
    equity: float,
    fallen: float,
    held: list[tuple[float, float, float, float, bool]],
    halted: bool,
) -> None:
    """Wherever prices go between the bounds, the look itself finds nothing to do."""
    state = TradingState.HALTED if halted else TradingState.ARMED
    ledger = Ledger()
    ledger.accounts["bybit"] = Account("bybit", "1", 0, Decimal(0))
    slots = [
        SimpleNamespace(price=now, position=SimpleNamespace(size=many, cost=cost))
        for many, cost, now, _, _ in held
    ]
    open_now = sum(slot.position.size * (slot.price - slot.position.cost) for slot in slots)
    world: Any = SimpleNamespace(
        cash=equity - open_now, now=1, limits=Limits(), state=state, ledger=ledger, held=slots
    )
    watch = EquityWatch(world, lambda *kill: pytest.fail("a limit"))
    peak = Decimal(equity * (1.0 + fallen))
    watch.breaker.load(peak, 0, peak, [(0, peak)])
    before = watch.breaker.peak, watch.breaker.floor
    slack = watch.slack()
    if slack is None:
        return
    down, up = slack
    for slot, (many, _, _, far, rises) in zip(slots, held, strict=True):
        room = (up if rises == (many > 0.0) else down) / abs(many)
        if room < inf:
            slot.price += far * room * (1 if rises else -1)
    watch.watch()  # a mark would raise: this world cannot record one
    assert all(watch.calm(slot, slot.price) for slot in slots)
    assert (watch.breaker.peak, watch.breaker.floor) == before


def test_slack_is_not_always_none() -> None:
    ledger = Ledger()
    position = SimpleNamespace(size=2.0, cost=100.0)
    world: Any = SimpleNamespace(
        cash=1_000.0,
        limits=Limits(),
        state=TradingState.ARMED,
        ledger=ledger,
        held=[SimpleNamespace(price=90.0, position=position)],
    )
    watch = EquityWatch(world, lambda *kill: None)
    watch.breaker.load(Decimal(1_000), 0, Decimal(1_000), [(0, Decimal(1_000))])
    slack = watch.slack()
    assert slack is not None
    down, up = slack
    assert down == pytest.approx(980.0 - 970.0)
    assert up == pytest.approx(20.0)
    (slot,) = world.held
    assert [watch.calm(slot, price) for price in (84.9, 85.1, 100.0, 100.1)] == [
        False, True, True, False
    ]  # fmt: skip
