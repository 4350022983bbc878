"""Candle files for tests: a seeded walk, written as Parquet or CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

START_MS = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""
Columns = dict[str, np.ndarray]


def columns(count: int, seed: int = 1, step_ms: int = 60_000) -> Columns:
    rng = np.random.default_rng(seed)
    path = np.round(60_000.0 + np.cumsum(rng.standard_t(4, size=count * 4) * 9.0), 1)
    path = path.reshape(count, 4)
    path[1:, 0] = path[:-1, 3]
    return {
        "ts_ms": START_MS + np.arange(count, dtype=np.int64) * step_ms,
        "open": path[:, 0].copy(),
        "high": path.max(axis=1),
        "low": path.min(axis=1),
        "close": path[:, 3].copy(),
        "volume": rng.uniform(1.0, 9.0, count),
    }


def write(
    path: Path, data: Columns, change: Callable[[Columns], Columns | None] | None = None
) -> Path:
    if change is not None:
        data = change(data) or data
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(data)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)
    return path
