"""Candles with an edge of known size, to see that training finds one where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.model.instrument import unified_symbol
from core.research.candles import CandleFile

START_MS = 1_704_067_200_000
"""2024-01-01 UTC."""
_MEMORY = 24


def plant_edge(
    edge: float, count: int, symbols: int, timeframe: int, seed: int
) -> list[CandleFile]:
    """Return candles whose flow over 24 candles foretells the next one.

    Args:
        edge: part of a candle's volatility by which flow of full strength moves the next candle;
            0 makes an honest random walk.
        count: candles a symbol.
        symbols: how many.
        timeframe: seconds.
        seed: of everything.
    """
    return [
        _series(edge, count, f"SYN{who}", timeframe, np.random.default_rng([seed, who]))
        for who in range(symbols)
    ]


def _series(
    edge: float, count: int, base: str, timeframe: int, rng: np.random.Generator
) -> CandleFile:
    scale = 0.006
    shocks = rng.standard_t(5, count) / (5 / 3) ** 0.5
    volume = rng.lognormal(5.0, 0.6, count)
    moves, signed = np.zeros(count), np.zeros(count)
    for i in range(count):
        past = slice(max(i - _MEMORY, 0), i)
        total = volume[past].sum()
        flow = signed[past].sum() / total if total else 0.0
        moves[i] = scale * (shocks[i] + edge * 3.0 * flow)
        signed[i] = volume[i] * np.sign(moves[i])
    close = 100.0 * np.exp(np.cumsum(moves))
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = scale * np.abs(rng.standard_normal((2, count))) * 0.5
    return CandleFile(
        Path(f"synthetic/{base}USDT"),
        "",
        unified_symbol(base),
        timeframe,
        START_MS + np.arange(count, dtype=np.int64) * timeframe * 1000,
        open_,
        np.maximum(open_, close) * np.exp(wick[0]),
        np.minimum(open_, close) * np.exp(-wick[1]),
        close,
        volume,
    )
