"""Incremental features against their batch form, and both against TA-Lib where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.research.candles import CandleFile, read_candles
from core.research.feature_table import make_features
from core.signals.candle_features import FEATURES, NAMES, WARMUP, CandleFeatures
from tests.core.research.files import Columns, columns

SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
ORDER = ("open", "high", "low", "close", "volume")


def incremental(data: Columns) -> np.ndarray:
    features = CandleFeatures()
    rows = []
    for ts, *values in zip(data["ts_ms"].tolist(), *(data[n].tolist() for n in ORDER), strict=True):
        row = features.update(ts * 1_000_000, *values)
        rows.append([np.nan] * len(NAMES) if row is None else row)
    return np.array(rows)


def batch(data: Columns) -> np.ndarray:
    return make_features(data["ts_ms"], *(data[name] for name in ORDER))


def check(data: Columns) -> None:
    np.testing.assert_allclose(incremental(data), batch(data), rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    halts=st.lists(st.tuples(st.integers(0, 350), st.integers(1, 200)), max_size=3),
    crash=st.floats(0.3, 3.0),
)
def test_one_at_a_time_equals_all_at_once(
    seed: int, halts: list[tuple[int, int]], crash: float
) -> None:
    data = columns(400, seed)
    for name in ("open", "high", "low", "close"):
        data[name][200:] *= crash
    for start, length in halts:
        rows = slice(start, start + length)
        for name in ("open", "high", "low"):
            data[name][rows] = data["close"][start]
        data["close"][rows] = data["close"][start]
        data["volume"][rows] = 0.0
    check(data)


@pytest.mark.parametrize(
    "name",
    [
        "binance_spot_1h_2024_2026/BTCUSDT",
        "binance_spot_1h_2024/CRVUSDT",
        "okx_perp_5m_2022/LTCUSDT",
        "bybit_perp_5m_2025_2026/ADAUSDT",
    ],
)
def test_on_real_candles(name: str) -> None:
    path = SHARED / "candles" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no shared candles at {path}")
    check(as_columns(read_candles(path)))


def as_columns(file: CandleFile) -> Columns:
    return {"ts_ms": file.ts, **{name: getattr(file, name) for name in ORDER}}


def test_the_past_before_the_warm_up_does_not_matter() -> None:
    data = columns(600)
    late = {name: column[300:] for name, column in data.items()}
    np.testing.assert_allclose(batch(late)[WARMUP:], batch(data)[300 + WARMUP :], rtol=1e-9)


def test_scale_does_not_matter() -> None:
    data = columns(400)
    scaled = {name: column.copy() for name, column in data.items()}
    for name in ("open", "high", "low", "close"):
        scaled[name] *= 1e-4
    scaled["volume"] *= 1e4
    np.testing.assert_allclose(batch(scaled)[WARMUP:], batch(data)[WARMUP:], rtol=1e-6, atol=1e-9)


def test_the_future_does_not_matter() -> None:
    data = columns(400)
    whole = batch(data)
    for end in (WARMUP, 200, 301):
        short = batch({name: column[:end] for name, column in data.items()})
        np.testing.assert_array_equal(short[-1], whole[end - 1])


def test_a_few_features_are_the_same_as_among_all() -> None:
    data = columns(400)
    names = ("z_48", "flow_24", "return_8", "amihud_24_168", "range_24", "hour_cos")
    few, everything = CandleFeatures(names), incremental(data)
    for at, row in enumerate(zip(*(data[n].tolist() for n in ("ts_ms", *ORDER)), strict=True)):
        found = few.update(row[0] * 1_000_000, *row[1:])
        if found is None:
            assert at < WARMUP - 1
            continue
        assert found == [everything[at][NAMES.index(name)] for name in names]
    assert few.volatility > 0.0
    with pytest.raises(KeyError):
        CandleFeatures(("crystal",))


def test_every_column_is_described() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(0 < f.window < WARMUP and f.unit and f.source for f in FEATURES)


def test_against_talib() -> None:
    import talib

    data = columns(400)
    found = dict(zip(NAMES, batch(data).T, strict=True))
    open_, high, low, close, volume = (data[name] for name in ORDER)
    x = np.log(close)
    rows = slice(WARMUP, None)
    z = (x - talib.SMA(x, 48)) / talib.STDDEV(x, 48)
    np.testing.assert_allclose(found["z_48"][rows], z[rows], atol=1e-4)
    williams = talib.WILLR(high, low, close, 24) / 100 + 0.5
    np.testing.assert_allclose(found["range_24"][rows], williams[rows], atol=1e-9)
    move = np.diff(x, prepend=x[0])
    unit = np.sqrt(talib.SMA(move**2, 48))
    true = talib.SMA(talib.TRANGE(high, low, close)[1:] / close[1:], 14)
    np.testing.assert_allclose(
        found["true_range_14"][rows], (true / unit[1:])[WARMUP - 1 :], rtol=1e-9
    )
    ups, downs = talib.SUM(np.maximum(move, 0), 14), talib.SUM(np.maximum(-move, 0), 14)
    np.testing.assert_allclose(found["rsi_14"][rows], (ups / (ups + downs) - 0.5)[rows], atol=1e-9)
    sums = talib.SUM(volume * np.sign(close - open_), 24) / talib.SUM(volume, 24)
    np.testing.assert_allclose(found["flow_24"][rows], sums[rows], atol=1e-9)
