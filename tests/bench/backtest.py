"""How fast the past is traded. Each function returns measured numbers; runs are seeded.

The strategy is the cross of two averages, a few thousand round trips a year of minutes, each with a
protective stop, through sizing, gate and order machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.model.instrument import Instrument, unified_symbol
from core.model.market import Candle
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.kernel import Market, make_trades, score
from core.research.result import BacktestResult
from core.research.signal_table import wants
from core.signals.candle_features import CandleFeatures
from core.signals.decision import Decision
from core.signals.ema_cross import EmaCross
from core.signals.strategy import Strategy
from tests.bench.engine import BTC, instrument, loose_config, minute_bars
from tests.bench.signals import EIGHT

LONG = 500_000
TARGETS = {
    "500,000 bars, bars/s": ">= 400,000",
    "speed kept from 50,000 to 500,000 bars": ">= 0.9",
    "three symbols in one account, bars/s": ">= 400,000",
    "three symbols in one account, most memory MB": "<= 450",
    "8 features a bar, bars/s": ">= 250,000",
    "LightGBM 200 x 31 on each bar, bars/s": ">= 90,000",
    "500,000 bars from shell to report, s": "<= 2.5",
    "sweep kernel, ema_cross, bars/s": ">= 10,000,000",
    "sweep kernel, mean_reversion, bars/s": ">= 10,000,000",
}


def timed(
    candles: Mapping[Instrument, Bars],
    settings: config.Config,
    make: Callable[[], Strategy] | None = None,
    rounds: int = 3,
) -> tuple[float, BacktestResult]:
    """Bars a second, the median, and the last result."""
    results = [run_backtest(candles, settings, make_strategy=make) for _ in range(rounds)]
    assert len({(one.decision_hash, one.equity_end) for one in results}) == 1
    seconds = statistics.median(one.seconds for one in results)
    return results[-1].bars / seconds, results[-1]


def measure_one() -> dict[str, float]:
    """One instrument; and how much of the speed a history ten times as long keeps."""
    rules, bars = instrument("bybit", BTC), minute_bars(LONG)
    short, _ = timed({rules: bars.part(0, LONG // 10)}, loose_config(), rounds=5)
    long, result = timed({rules: bars}, loose_config())
    return {
        "500,000 bars, bars/s": long,
        "50,000 bars, bars/s": short,
        "speed kept from 50,000 to 500,000 bars": long / short,
        "500,000 bars, round trips": result.trades,
        "500,000 bars, orders": result.orders,
        "500,000 bars, stops": result.stops,
    }


def three(send: Any) -> None:
    """In a process of its own, for its memory."""
    symbols = tuple(unified_symbol(name) for name in ("BTC", "ETH", "SOL"))
    candles = {instrument("bybit", s): minute_bars(LONG, 7 + i) for i, s in enumerate(symbols)}
    speed, result = timed(candles, loose_config(symbols=symbols), rounds=2)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    send.send((speed, result.trades, most))


def measure_three() -> dict[str, float]:
    """Three instruments, 1.5 million bars, one account."""
    context = get_context("spawn")
    receive, send = context.Pipe(False)
    child = context.Process(target=three, args=(send,))
    child.start()
    speed, trades, most = receive.recv()
    child.join()
    return {
        "three symbols in one account, bars/s": speed,
        "three symbols in one account, round trips": trades,
        "three symbols in one account, most memory MB": most,
    }


class Featured(EmaCross):
    """The same decisions, with eight features worked out on each bar."""

    __slots__ = ("_features",)

    def __init__(self, settings: config.Strategy) -> None:
        super().__init__(settings)
        self._features = CandleFeatures(EIGHT)

    def on_candle(self, candle: Candle) -> Decision | None:
        close = candle.close
        self._features.update(candle.ts, candle.open, candle.high, candle.low, close, candle.volume)
        return self.on_closes((close,))


def measure_features(count: int = 200_000) -> dict[str, float]:
    settings = loose_config()
    candles = {instrument("bybit", BTC): minute_bars(LONG).part(0, count)}
    speed, result = timed(candles, settings, lambda: Featured(settings.strategy))
    plain, other = timed(candles, settings)
    assert result.decision_hash == other.decision_hash
    return {"8 features a bar, bars/s": speed, "the same without features, bars/s": plain}


def measure_model(count: int = 100_000) -> dict[str, float]:
    """Eight features and 32 more columns of their past, through a model of 200 trees."""
    import lightgbm

    from core.signals.model import Trees

    rng = np.random.default_rng(1)
    rows = rng.standard_normal((20_000, 40))
    rose = (rows[:, :8].sum(axis=1) + 3 * rng.standard_normal(20_000) > 0).astype(float)
    tuned = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbosity": -1}
    booster = lightgbm.train(tuned, lightgbm.Dataset(rows, rose), num_boost_round=200)
    trees = Trees(booster.model_to_string(), 40)

    class Modelled(EmaCross):
        __slots__ = ("_features", "_past")

        def __init__(self, settings: config.Strategy) -> None:
            super().__init__(settings)
            self._features = CandleFeatures(EIGHT)
            self._past = [0.0] * 32

        def on_candle(self, candle: Candle) -> Decision | None:
            close = candle.close
            row = self._features.update(
                candle.ts, candle.open, candle.high, candle.low, close, candle.volume
            )
            if row is not None:
                trees.score(row + self._past)
                self._past = row + self._past[:24]
            return self.on_closes((close,))

    settings = loose_config()
    candles = {instrument("bybit", BTC): minute_bars(LONG).part(0, count)}
    speed, _ = timed(candles, settings, lambda: Modelled(settings.strategy))
    return {"LightGBM 200 x 31 on each bar, bars/s": speed}


def write_bars(folder: Path, bars: Bars, base: str = "BTC") -> Path:
    """Write bars as the candle file a person would give."""
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    names = ("open", "high", "low", "close", "volume")
    columns = {name: np.asarray(column) for name, column in zip(names, bars.columns, strict=True)}
    path = folder / f"{base}USDT.parquet"
    table = pyarrow.table({"ts_ms": np.asarray(bars.ts) // 1_000_000, **columns})
    pyarrow.parquet.write_table(table, path)
    return path


LOOSE = (
    "strategy.fast=20", "strategy.slow=60", "strategy.stop_distance=0.005", "limits.daily_loss=1",
    "limits.drawdown=1", "limits.loss_streak=100",
)  # fmt: skip


def measure_process(rounds: int = 3) -> dict[str, float]:
    """The whole command, from the shell to the report."""
    spent = []
    with tempfile.TemporaryDirectory() as home:
        path = write_bars(Path(home) / "bybit_perp_1m", minute_bars(LONG))
        settings = [text for one in LOOSE for text in ("--set", one)]
        for _ in range(rounds):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "tui.cli", "backtest", "--json", "--candles", str(path),
                 *settings],
                env=os.environ | {"KILLCORD_HOME": home},
                stdout=subprocess.DEVNULL,
                check=True,
            )  # fmt: skip
            spent.append(time.perf_counter() - begun)
    return {"500,000 bars from shell to report, s": statistics.median(spent)}


def measure_kernel(rounds: int = 5) -> dict[str, float]:
    """Directions, trades and score of one setting; nothing is kept between settings."""
    rules, bars = instrument("bybit", BTC), minute_bars(LONG)
    market = Market.of(rules, bars, 0.0)
    found = {}
    for name in ("ema_cross", "mean_reversion"):
        settings = loose_config().strategy.model_copy(update={"name": name})
        wants(settings, market.close[:100], market.rates[:100])  # imports
        spent = []
        for _ in range(rounds):
            begun = time.perf_counter()
            wanted = wants(settings, market.close, market.rates)
            trades = score(market, make_trades(market, wanted, 0.005), 0.016).trades
            spent.append(time.perf_counter() - begun)
        found[f"sweep kernel, {name}, bars/s"] = LONG / statistics.median(spent)
        found[f"sweep kernel, {name}, round trips"] = trades
    return found


BENCHES = (
    measure_one, measure_three, measure_features, measure_model, measure_process, measure_kernel,
)  # fmt: skip
