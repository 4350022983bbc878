"""How fast the engine decides. Each function returns measured numbers.

Synthetic candles and trades from a seed: heavy-tailed steps with clustered volatility, on the tick.
"""

from __future__ import annotations

import statistics
import time
from decimal import Decimal

import numpy as np

from core.clock import MINUTE, SECOND
from core.config import Config, Limits, Strategy
from core.engine.engine import Engine
from core.engine.picture import ShellFacts
from core.model.account import Balance, VenueSwept
from core.model.event import Arm, FeedChanged, FeedState, Tick, VenueOpened
from core.model.instrument import Instrument, unified_symbol
from core.model.market import BookTop, Side, Trade
from core.orders.ids import ClientIds
from core.research.bars import Bars

TARGETS = {
    "trade event through the engine, p50 us": "<= 20",
}
START = 1_700_000_000 // 60 * MINUTE
BTC = unified_symbol("BTC")


def instrument(venue: str, symbol: str) -> Instrument:
    return Instrument(
        venue,
        symbol,
        symbol.partition("/")[0] + "USDT",
        symbol.partition("/")[0],
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal(5),
    )


def walk(count: int, seed: int, start: float = 60_000.0, scale: float = 0.0006) -> np.ndarray:
    """Prices with clustered volatility, on a tick of 0.1."""
    rng = np.random.default_rng(seed)
    shocks = np.clip(rng.standard_t(4, count), -8, 8)
    noise = 0.05 * rng.standard_normal(count)
    level = np.empty(count)
    state = 0.0
    for i, step in enumerate(noise.tolist()):  # an AR(1) of log volatility
        state = 0.995 * state + step
        level[i] = state
    steps = scale * np.exp(level - level.std() ** 2 / 2) * shocks
    logs = np.cumsum(steps)
    return np.maximum(np.round(start * np.exp(logs - logs.mean() * 0), 1), 0.1)


def minute_bars(count: int, seed: int = 7) -> Bars:
    path = walk(count * 4, seed, scale=0.0003).reshape(count, 4)
    path[1:, 0] = path[:-1, 3]
    ts = START + np.arange(count, dtype=np.int64) * MINUTE
    columns = (path[:, 0], path.max(axis=1), path.min(axis=1), path[:, 3])
    return Bars(ts, *columns, np.ones(count))


def loose_config(fast: int = 20, slow: int = 60, **changes: object) -> Config:
    """Limits that never end a year-long losing strategy: the run must trade to its end."""
    values: dict[str, object] = {
        "venues": ("bybit",),
        "symbols": (BTC,),
        "limits": Limits(
            daily_loss=Decimal(1), drawdown=Decimal(1), loss_streak=100, loss_streak_cooldown=1
        ),
        "strategy": Strategy(timeframe=60, fast=fast, slow=slow, stop_distance=Decimal("0.005")),
    }
    return Config(**(values | changes))


def _live_engine(venues: tuple[str, ...], symbols: tuple[str, ...]) -> Engine:
    settings = Config(
        venues=venues,  # type: ignore[arg-type]
        symbols=symbols,
        limits=Limits(orders_per_minute=3000, orders_per_second=100, loss_streak=100),
        strategy=Strategy(timeframe=5, fast=3, slow=9),
    )
    engine = Engine(settings, ClientIds("BENC", 1, b"0123456789abcdef"))
    for venue in venues:
        cash = Balance(venue, "USDT", Decimal(100_000), START)
        rules = tuple(instrument(venue, symbol) for symbol in symbols)
        engine.process(VenueOpened(venue, "1", rules, 0.0, START))
        engine.process(FeedChanged(venue, "private", FeedState.UP, START))
        engine.process(VenueSwept(venue, "1", (), (), cash, (), (), START, START))
    engine.process(Arm("bench", START))
    return engine


def measure_trade(count: int = 100_000) -> dict[str, float]:
    """One trade event through validation, candles, features, strategy and risk, in us."""
    engine = _live_engine(("bybit",), (BTC,))
    prices = walk(count, 11, scale=0.0001).tolist()
    gap = 200_000_000
    took: list[int] = []
    clock = time.perf_counter_ns
    process = engine.process
    for i, price in enumerate(prices):
        now = START + SECOND + i * gap
        process(BookTop("bybit", BTC, price - 0.05, 1.0, price + 0.05, 1.0, now, now))
        event = Trade("bybit", BTC, price, 0.5, Side.BUY, "1", now, now)
        begun = clock()
        process(event)
        took.append(clock() - begun)
    took.sort()
    return {
        "trade event through the engine, p50 us": took[count // 2] / 1000,
        "trade event through the engine, p99 us": took[count * 99 // 100] / 1000,
        "trade event through the engine, p99.9 us": took[count * 999 // 1000] / 1000,
    }


def measure_picture(rounds: int = 200) -> dict[str, float]:
    """A snapshot of three venues with ten instruments each, in ms."""
    symbols = tuple(unified_symbol(f"C{i}") for i in range(10))
    venues = ("bybit", "binance", "okx")
    engine = _live_engine(venues, symbols)
    for i in range(400):
        now = START + SECOND + i * SECOND
        for venue in venues:
            for n, symbol in enumerate(symbols):
                price = 100.0 + n + (i % 7) * 0.1
                engine.process(Trade(venue, symbol, price, 1.0, Side.BUY, "1", now, now))
                engine.process(BookTop(venue, symbol, price - 0.1, 1.0, price + 0.1, 1.0, now, now))
        engine.process(Tick(now))
    facts = ShellFacts("practice", "synthetic", START)
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        engine.snapshot(now, facts)
        took.append((time.perf_counter() - begun) * 1000)
    return {"snapshot of 3 venues x 10 symbols, p50 ms": statistics.median(took)}


BENCHES = (measure_trade, measure_picture)
