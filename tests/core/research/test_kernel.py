"""The sweep's kernel against the engine: the same directions, the same trades."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import Strategy
from core.engine.engine import Engine
from core.model.market import Candle
from core.model.order import Fill
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.kernel import Market, make_trades, score
from core.research.signal_table import TABLES, wants
from core.research.sweep import Grid, Job, try_block, try_point
from core.signals.strategy import BUILT_IN
from tests.core.research.test_backtest import random_bars, rules, settings

CASES = [
    ("ema_cross", {"fast": 5, "slow": 20}),
    ("ema_cross", {"fast": 2, "slow": 5}),
    ("mean_reversion", {"fast": 2, "slow": 24}),
    ("mean_reversion", {"fast": 2, "slow": 60}),
    ("funding_carry", {}),
]


def settlements(bars: Bars, seed: int) -> list[tuple[int, float]]:
    """Some that no bar opens at, two at once, one before the first bar and one after the last."""
    rng = np.random.default_rng(seed)
    times = bars.ts[0] + np.sort(rng.integers(-60, 60 * len(bars.ts) + 60, len(bars.ts) // 15))
    rates = rng.choice([-4e-4, -2e-4, 0.0, 5e-5, 2e-4, 4e-4], len(times))
    times = bars.ts[0] + (times - bars.ts[0]) * 10**9
    return list(zip(times.tolist(), rates.tolist(), strict=True))


def said(settings_: Strategy, bars: Bars, rates: NDArray[np.float64]) -> list[int]:
    """The direction after each candle, asked one by one."""
    strategy = BUILT_IN[settings_.name](settings_)
    wanted, out = 0, []
    for ts, *row, rate in zip(bars.ts, *bars.columns, rates.tolist(), strict=True):
        if hasattr(strategy, "on_funding"):
            strategy.on_funding(rate)
        decision = strategy.on_candle(Candle("bybit", "X", 60, *row, ts, ts))
        wanted = wanted if decision is None else decision.target
        out.append(wanted)
    return out


@pytest.mark.parametrize(("name", "lengths"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_both_forms_want_the_same(name: str, lengths: dict[str, int], seed: int) -> None:
    bars = random_bars(3_000, seed)
    chosen = Strategy(name=name, timeframe=60, **lengths)
    market = Market.of(rules(), bars, 0.0, settlements(bars, seed))
    table = wants(chosen, market.close, market.rates)
    assert table.tolist() == said(chosen, bars, market.rates)
    assert len(set(table.tolist())) >= 2


def test_where_rounding_might_decide_the_strategys_own_sums_do() -> None:
    """Steps of one size, stretches without any, a jump of half the price: ties and lost digits."""
    rng = np.random.default_rng(5)
    steps = rng.choice([-1.0, 0.0, 1.0], 12_000)
    steps[2_000:2_600] = 0.0
    steps[5_000:5_030] = 0.0
    prices = 10_000.0 + np.cumsum(steps) * 0.5
    prices[7_000:] /= 2.0
    prices[9_000:9_400] = prices[9_000] * (1.0 + 1.1e-5 * (np.arange(400) % 2))
    bars = Bars([i * 60 * 10**9 for i in range(len(prices))], *[prices.tolist()] * 5)
    for name, slow in product(("mean_reversion", "ema_cross"), (6, 20, 300)):
        chosen = Strategy(name=name, timeframe=60, fast=2, slow=slow)
        nothing = np.zeros(len(prices))
        wanted = wants(chosen, prices, nothing)
        assert wanted.tolist() == said(chosen, bars, nothing)


@pytest.mark.parametrize(
    "closes", [[100.0] * 50, [1.0, 2.0], [5.0], list(range(1, 30)), [7.0] * 12 + [8.0] * 12]
)
@pytest.mark.parametrize("name", TABLES)
def test_odd_series(name: str, closes: list[float]) -> None:
    prices = [float(price) for price in closes]
    chosen = Strategy(name=name, timeframe=60, fast=3, slow=9)
    bars = Bars(list(range(len(prices))), prices, prices, prices, prices, prices)
    nothing = np.zeros(len(prices))
    assert wants(chosen, np.array(prices), nothing).tolist() == said(chosen, bars, nothing)


@pytest.mark.parametrize(("name", "lengths"), CASES)
@pytest.mark.parametrize("slippage", [0.0, 0.0007])
def test_its_trades_are_the_engines(
    name: str, lengths: dict[str, int], slippage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = random_bars(6_000, 3)
    config = settings(
        strategy={"name": name, "stop_distance": "0.006", "share": "0.1"} | lengths,
        limits={"loss_streak": 100, "orders_per_second": 100},
    )
    fills: list[Fill] = []
    process = Engine.process

    def remember(engine: Engine, event: Any) -> Any:
        if type(event) is Fill:
            fills.append(event)
        return process(engine, event)

    monkeypatch.setattr(Engine, "process", remember)
    funding = settlements(bars, 4)
    result = run_backtest({rules(): bars}, config, slippage=slippage, funding={rules(): funding})
    assert not result.refusals
    market = Market.of(rules(), bars, slippage, funding)
    trades = make_trades(market, wants(config.strategy, market.close, market.rates), 0.006)
    prices = [round(float(fill.price) / market.tick) for fill in fills]
    expected = [price for pair in zip(trades.bought, trades.sold, strict=True) for price in pair]
    assert prices == [int(price) for price in expected[: len(prices)]]
    assert len(prices) >= len(expected) - 1 > 40
    opened = [market.ts[bar + 1] for bar in trades.decided]
    assert [fill.ts for fill in fills[::2]] == opened
    assert trades.closed(market) == result.trades
    assert int(trades.stopped.sum()) == result.stops > 0
    found = score(market, trades, 0.1)
    assert found.total_return == pytest.approx(
        float(result.equity_end / result.equity_start - 1), rel=2e-3, abs=2e-5
    )
    assert (found.trades, found.stops) == (result.trades, result.stops)
    assert np.prod([1 + one for one in found.daily]) == pytest.approx(1 + found.total_return)


def test_nothing_wanted_is_nothing_traded() -> None:
    bars = random_bars(100, 1)
    market = Market.of(rules(), bars, 0.0)
    trades = make_trades(market, np.zeros(100, np.int8), 0.01)
    found = score(market, trades, 0.5)
    assert (found.trades, found.total_return, found.max_drawdown) == (0, 0.0, 0.0)


@pytest.mark.parametrize("count", [1, 5, 16, 70, 5_000])
def test_blocks_hold_every_point_once(count: int) -> None:
    grid = Grid(job(), tuple({"strategy.slow": at} for at in range(count)))
    held = [
        point
        for block in grid.axis.values
        for point in grid.points[block * grid.size : (block + 1) * grid.size]
    ]
    assert held == list(grid.points)
    assert len(grid.axis.values) >= min(count, 16)
    assert grid.size <= 64


def test_a_block_comes_to_what_its_points_do_alone() -> None:
    points = tuple({"strategy.slow": slow} for slow in range(10, 50))
    grid = Grid(job(), points)
    together = [one for block in grid.axis.values for one in try_block(grid, (0, {"block": block}))]
    assert [point for point, _ in together] == list(points)
    alone = [try_point(grid.job, (0, point)) for point in points]
    assert [outcome for _, outcome in together] == alone
    assert len({outcome.total_return for _, outcome in together}) > 20


def job() -> Job:
    rules_ = rules()
    return Job(
        {rules_: random_bars(3_000, 2)}, settings(), Decimal(100_000), 0.0002,
        {rules_: settlements(random_bars(3_000, 2), 4)}, Path(), Path(), True,
    )  # fmt: skip
