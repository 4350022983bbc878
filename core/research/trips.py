"""What the round trips of a backtest say: how often they won, and what luck could have made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from msgspec import Struct

from core.clock import DAY, SECOND
from core.research.result import Trip

DRAWS = 1000
QUANTILES = (0.05, 0.5, 0.95)
_CELLS = 100_000
"""Results drawn at once: 0.8 MB, which a processor keeps near."""


class TripFacts(Struct, frozen=True):
    """Round trips in numbers; USDT, seconds."""

    won: float
    """Part that ended with a profit after costs."""
    average_win: float
    average_loss: float
    """Not positive."""
    profit_factor: float | None
    """All profits by all losses; None without a loss."""
    seconds_held: float
    """Median."""
    best: float
    worst: float
    held: float
    """Seconds that all of them took together."""


class MonteCarlo(Struct, frozen=True):
    """The round trips drawn anew, with replacement, in another order: what chance could have done.

    A drawdown far beyond the one that happened says that it was a lucky order.
    """

    draws: int
    quantiles: tuple[float, ...]
    total_return: tuple[float, ...]
    """Fractions, one a quantile."""
    max_drawdown: tuple[float, ...]
    """Fractions of the peak, one a quantile; the last is bad luck."""
    lost: float
    """Part of the draws that lost money."""


class Month(Struct, frozen=True):
    """One calendar month, UTC."""

    month: str
    """``2025-05``."""
    change: float
    """Fraction of the equity at its start."""
    trades: int


def sum_trips(trips: Sequence[Trip]) -> TripFacts | None:
    """Return what the round trips were like; None without any."""
    if not trips:
        return None
    net = np.array([trip.net for trip in trips])
    wins, losses = net[net > 0], net[net <= 0]
    lost = -float(losses.sum())
    spans = np.array([trip.closed - trip.opened for trip in trips]) / SECOND
    return TripFacts(
        len(wins) / len(net),
        float(wins.mean()) if len(wins) else 0.0,
        float(losses.mean()) if len(losses) else 0.0,
        float(wins.sum()) / lost if lost > 0 else None,
        float(np.median(spans)),
        float(net.max()),
        float(net.min()),
        float(spans.sum()),
    )


def shuffle_trips(trips: Sequence[Trip], equity: float, seed: int = 1) -> MonteCarlo | None:
    """Draw the round trips anew many times; None with fewer than ten.

    Args:
        trips: their results in quote.
        equity: at the start.
        seed: the same one draws the same.
    """
    if len(trips) < 10:
        return None
    net = np.array([trip.net for trip in trips])
    rng = np.random.default_rng(seed)
    ends, falls = [], []
    block = max(_CELLS // len(net), 1)
    for begin in range(0, DRAWS, block):
        count = min(block, DRAWS - begin)
        path = equity + np.cumsum(net[rng.integers(0, len(net), (count, len(net)))], axis=1)
        peak = np.maximum(np.maximum.accumulate(path, axis=1), equity)
        ends.append(path[:, -1] / equity - 1.0)
        falls.append((1.0 - path / peak).max(axis=1))
    total, fall = np.concatenate(ends), np.concatenate(falls)
    return MonteCarlo(
        DRAWS,
        QUANTILES,
        tuple(np.quantile(total, QUANTILES).tolist()),
        tuple(np.quantile(fall, QUANTILES).tolist()),
        float((total < 0).mean()),
    )


def by_month(curve: Sequence[tuple[int, float]], trips: Sequence[Trip]) -> tuple[Month, ...]:
    """Return the months that an equity curve goes through, oldest first."""
    last: dict[str, float] = {}
    for ts, equity in curve[1:]:
        last[_month(ts - 1)] = equity
    ended: dict[str, int] = {}
    for trip in trips:
        name = _month(trip.closed)
        ended[name] = ended.get(name, 0) + 1
    months = []
    before = curve[0][1]
    for name, equity in last.items():
        months.append(Month(name, equity / before - 1.0, ended.get(name, 0)))
        before = equity
    return tuple(months)


def _month(ts: int) -> str:
    return _month_of_day(ts // DAY)


@lru_cache(1)  # points and trips come in order, so most are of the day before them
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m")
