"""What a signal costs: features a candle, the model's call, a training. Measured numbers by name.

Candles are made from a seed; the training takes the shared hourly candles where they are, else as
many made ones. Model rows vary: the same row again is twice as fast and happens nowhere.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from core.clock import SECOND
from core.model.market import BookTop, Candle, Side, Ticker, Trade
from core.research.synthetic import plant_edge
from core.signals import candle_features, context
from core.signals.candle_features import CandleFeatures
from core.signals.context import Context, Place
from core.signals.model import Linear, Trees
from core.signals.universe import Universe

EIGHT = (
    "return_1", "return_24", "mean_24", "range_24", "rsi_14", "true_range_14", "volume_z_48",
    "flow_24",
)  # fmt: skip
TARGETS = {
    "8 features, us a symbol and candle": "<= 3",
    "all 31 candle features, us a symbol and candle": "<= 20",
    "all features with the context, p50 us a symbol and candle": "<= 20",
    "LightGBM 200 x 31, 40 features, p50 us": "<= 10",
    "LightGBM 200 x 31, 40 features, p99 us": "<= 20",
    "a year of hourly candles of 24 symbols, both horizons, minutes": "minutes",
}
SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOURLY = SHARED / "candles" / "binance_spot_1h_2024_2026"
VENUES = ("binance", "bybit", "okx")
SYMBOLS = SYMBOL, *_ = ("ETH/USDT:USDT", "BTC/USDT:USDT", "SOL/USDT:USDT")


def _rows(count: int) -> list[tuple[int, float, float, float, float, float]]:
    file = plant_edge(0.0, count, 1, 3600, 1)[0]
    columns = (file.open, file.high, file.low, file.close, file.volume)
    ts = (file.ts * 1_000_000).tolist()
    return list(zip(ts, *(column.tolist() for column in columns), strict=True))


def measure_features(count: int = 20_000) -> dict[str, float]:
    rows = _rows(count)
    found = {}
    for label, names in (("8 features", EIGHT), ("all 31 candle features", candle_features.NAMES)):
        best = 1e9
        for _ in range(3):
            features = CandleFeatures(names)
            update = features.update
            started = time.process_time()
            for row in rows:
                update(*row)
            best = min(best, time.process_time() - started)
        found[f"{label}, us a symbol and candle"] = best / count * 1e6
    return found


def measure_context(count: int = 4_000) -> dict[str, float]:
    """All features of three symbols among three venues; books and tickers between the candles."""
    rows = _rows(count)
    universe = Universe(3600)
    places = [Place("binance", one, 3600, VENUES, SYMBOLS, universe=universe) for one in SYMBOLS]
    instruments = [(place, CandleFeatures(), Context(context.NAMES, place)) for place in places]
    around = instruments[0][2]
    spent = []
    heard = 0.0
    events = 0
    for number, (ts, open_, high, low, close, volume) in enumerate(rows):
        end = ts + 3600 * SECOND
        between = _between(end, close)
        started = time.process_time()
        for event in between:
            around.hear(event)
        heard += time.process_time() - started
        events += len(between)
        candles = {
            (venue, symbol): Candle(
                venue, symbol, 3600, open_, high, low, close * (part + number % 7 * 1e-4), volume,
                ts, end,
            )
            for part, symbol in enumerate(SYMBOLS, 1)
            for venue in VENUES
        }  # fmt: skip
        started = time.perf_counter()
        for place, own, seen in instruments:
            for key in seen.company:
                seen.hear(candles[key])
            own.update(ts, open_, high, low, close, volume)
            seen.close(candles[place.venue, place.symbol])
        spent.append((time.perf_counter() - started) / len(SYMBOLS))
    return {
        "all features with the context, p50 us a symbol and candle": statistics.median(spent) * 1e6,
        "a market event heard by the context, us": heard / events * 1e6,
    }


def measure_many(symbols: int = 24, count: int = 1_000) -> dict[str, float]:
    """All features of many symbols at one venue, each of which hears all the others."""
    names = tuple(f"SYN{who}/USDT:USDT" for who in range(symbols))
    universe = Universe(3600)
    tracemalloc.start()
    desks = {
        name: (
            CandleFeatures(),
            Context(context.NAMES, Place("binance", name, 3600, VENUES, names, universe=universe)),
        )
        for name in names
    }
    spent = []
    held = 0
    for number, row in enumerate(_rows(count)):
        ts, open_, high, low, close, volume = row
        candles = [
            Candle(
                "binance", name, 3600, open_, high, low, close * (1 + (number * who % 7) * 1e-4),
                volume, ts, ts + 3600 * SECOND,
            )
            for who, name in enumerate(names)
        ]  # fmt: skip
        started = time.process_time()
        for candle in candles:
            for name, (_, seen) in desks.items():
                if name != candle.symbol:
                    seen.hear(candle)
        for candle in candles:
            own, seen = desks[candle.symbol]
            own.update(ts, open_, high, low, close, volume)
            seen.close(candle)
        if number == 400:  # all windows are full; to trace what is held would cost what is timed
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        elif number > 400:
            spent.append((time.process_time() - started) / symbols)
    return {
        f"all features of {symbols} symbols, p50 us a symbol and candle": (
            statistics.median(spent) * 1e6
        ),
        f"all features of {symbols} symbols, kB a symbol": held / symbols / 1024,
    }


def _between(end: int, close: float) -> list[Any]:
    """Events of a candle's last minute."""
    found: list[Any] = [
        BookTop("binance", SYMBOL, close - 1, 2.0, close + 1, 3.0, end - i * SECOND, end - i)
        for i in (40, 30, 20, 10)
    ]
    found.append(Trade("binance", SYMBOL, close, 1.0, Side.BUY, "1", end - 5, end - 5))
    index = close * 1.0001
    found.append(
        Ticker("binance", SYMBOL, None, None, index, 1e-4, None, None, None, end, end - 3, close)
    )
    return found


def measure_model(calls: int = 20_000) -> dict[str, float]:
    import lightgbm

    rng = np.random.default_rng(1)
    rows = rng.standard_normal((20_000, 40))
    rose = (rows[:, :8].sum(axis=1) + 3 * rng.standard_normal(20_000) > 0).astype(float)
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbosity": -1}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, rose), num_boost_round=200)
    trees = Trees(booster.model_to_string(), 40)
    numbers = tuple(rng.standard_normal(40).tolist())
    linear = Linear((0.0,) * 40, (1.0,) * 40, numbers, (0.0,) * 40, 0.1)
    asked = rows[:calls].tolist()
    found = {}
    for name, score in (("LightGBM 200 x 31", trees.score), ("linear", linear.score)):
        times = call_each(score, asked)
        for part in (50, 99):
            found[f"{name}, 40 features, p{part} us"] = float(np.percentile(times, part)) * 1e6
    with busy_thread():
        times = call_each(trees.score, asked[:2_000])
    found["LightGBM beside a busy thread, p50 us"] = float(np.median(times)) * 1e6
    return found


def call_each(score: Callable[[list[float]], float], rows: list[list[float]]) -> list[float]:
    """Seconds of each call."""
    times = []
    for row in rows:
        started = time.perf_counter()
        score(row)
        times.append(time.perf_counter() - started)
    return times


@contextmanager
def busy_thread() -> Iterator[None]:
    """Let another thread of this process work, as a desk's do now and then."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(100))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure_training() -> dict[str, float | str]:
    """Both horizons, all kinds of models, walk-forward and leak tests, in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        paths = [str(HOURLY)] if HOURLY.is_dir() else [str(_made(Path(home) / "binance_spot_1h"))]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli", "train", "--json", "--candles", *paths],
            env=os.environ | {"KILLCORD_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - started
    if done.returncode:
        return {"training": f"failed: {done.stderr[-200:]}"}
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    return {
        "a year of hourly candles of 24 symbols, both horizons, minutes": took / 60,
        "training, CPU minutes": (used.ru_utime + used.ru_stime) / 60,
        "training, most memory MB": used.ru_maxrss / 1024,
        "training, rows": float(found["data"]["rows"]),
    }


def _made(folder: Path) -> Path:
    import pyarrow
    import pyarrow.parquet

    folder.mkdir()
    for file in plant_edge(0.0, 9_900, 24, 3600, 1):
        columns = {name: getattr(file, name) for name in ("open", "high", "low", "close", "volume")}
        name = file.symbol.partition("/")[0]
        pyarrow.parquet.write_table(
            pyarrow.table({"ts_ms": file.ts, **columns}), folder / f"{name}USDT.parquet"
        )
    return folder


BENCHES = (measure_features, measure_context, measure_many, measure_model, measure_training)
