"""The features of ``core.signals.candle_features`` for whole columns at once, for training.

Written from the definitions, not from the incremental form, so that each is the other's test.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.signals.candle_features import MEANS, NAMES, RANGES, RETURNS, WARMUP
from core.signals.features import CLIP, COARSE, FLOOR

Floats = NDArray[np.float64]
_DAY = 86_400_000


def volatility(close: Floats, length: int = 48) -> Floats:
    """Return the realised volatility at each close, log return a candle; NaN while warming up."""
    move = np.diff(np.log(close / close[0]), prepend=0.0)
    return np.maximum(np.sqrt(_sum(move**2, length) / length), FLOOR)


def make_features(
    ts_ms: NDArray[np.int64],
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
) -> Floats:
    """Return a row of ``NAMES`` for each candle; NaN while warming up.

    Args:
        ts_ms: open times, milliseconds UTC.
        open_: columns of equal length, oldest first; positive prices.
        high: see ``open_``.
        low: see ``open_``.
        close: see ``open_``.
        volume: base units.
    """
    x = np.log(close / close[0])
    move = np.diff(x, prepend=x[:1])
    last = np.concatenate([close[:1], close[:-1]])
    height = np.log(high / low)
    turnover = volume * close
    vol = {n: volatility(close, n) for n in (6, 24, 48, 168)}
    unit = vol[48]
    columns = [_clip(_lag(x, n) / (unit * np.sqrt(n))) for n in RETURNS]
    columns += [np.log(vol[6] / unit), np.log(unit / vol[168])]
    parkinson = np.sqrt(_sum(height**2, 24) / (24 * 4 * log(2)))
    columns.append(np.log(np.maximum(parkinson, FLOOR) / vol[24]))
    columns += [_clip((x - _sum(x, n) / n) / (unit * np.sqrt(n))) for n in MEANS]
    for n in RANGES:
        top, bottom = _over(high, n, np.max), _over(low, n, np.min)
        columns.append(_ratio(close - bottom, top - bottom, 0.5) - 0.5)
    columns.append(_z(x, 48))
    span = high - low
    columns.append(_ratio(2 * close - high - low, span))
    columns.append(_ratio(high - np.maximum(open_, close), span))
    columns.append(_ratio(np.minimum(open_, close) - low, span))
    columns.append(_clip(height / unit))
    gains, losses = _sum(np.maximum(move, 0), 14), _sum(np.maximum(-move, 0), 14)
    columns.append(np.where(gains + losses > FLOOR, _ratio(gains, gains + losses) - 0.5, 0.0))
    true = (np.maximum(high, last) - np.minimum(low, last)) / close
    columns.append(_clip(_sum(true, 14) / 14 / unit))
    columns.append(_z(np.log1p(turnover), 48))
    signed = volume * np.sign(close - open_)
    columns += [_ratio(_sum(signed, n), _sum(volume, n)) for n in (6, 24)]
    traded = _sum(volume, 48)
    vwap = np.where(traded > 0, _ratio(_sum(turnover, 48), traded, 1.0), close)
    columns.append(_clip(np.log(close / vwap) / (unit * np.sqrt(48))))
    moves, turnovers = ([_sum(one, n) for n in (24, 168)] for one in (np.abs(move), turnover))
    loud = (np.minimum(*moves) > FLOOR) & (np.minimum(*turnovers) > 0)
    amihud = _ratio(moves[0] * turnovers[1], turnovers[0] * moves[1], 1.0)
    columns.append(np.log(np.where(loud, amihud, 1.0)))
    for span_ms in (_DAY, 7 * _DAY):
        angle = 2 * np.pi * (ts_ms % span_ms) / span_ms
        columns += [wave + COARSE - COARSE for wave in (np.sin(angle), np.cos(angle))]
    table = np.column_stack(columns)
    assert table.shape[1] == len(NAMES)
    table[: WARMUP - 1] = np.nan
    return table


def _sum(values: Floats, n: int) -> Floats:
    return _over(values, n, np.sum)


def _over(values: Floats, n: int, what: object) -> Floats:
    """Return a statistic of each value's window; of what there is at the beginning, NaN."""
    out = np.full(len(values), np.nan)
    if len(values) >= n:
        out[n - 1 :] = what(sliding_window_view(values, n), axis=1)  # type: ignore[operator]
    return out


def _lag(values: Floats, n: int) -> Floats:
    out = np.full(len(values), np.nan)
    out[n:] = values[n:] - values[:-n]
    return out


def _clip(values: Floats) -> Floats:
    return np.clip(values, -CLIP, CLIP)


def _ratio(above: Floats, below: Floats, other: float = 0.0) -> Floats:
    """Divide; give ``other`` where there is nothing to divide by."""
    out = np.full(len(above), other)
    np.divide(above, below, out=out, where=~(below <= 0))
    return out


def _z(values: Floats, n: int) -> Floats:
    deviation = _over(values, n, np.std)
    scaled = np.zeros(len(values))
    np.divide(values - _sum(values, n) / n, deviation, out=scaled, where=~(deviation <= FLOOR))
    return _clip(scaled)
