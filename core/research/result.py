"""What a backtest did, in exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.clock import DAY, HOUR
from core.engine.engine import Engine
from core.model.effect import Signalled


class Result(Struct, frozen=True, gc=False):
    """What one instrument brought; quote currency."""

    venue: str
    symbol: str
    trades: int
    """Finished round trips."""
    realised: Decimal
    """Before fees and funding."""
    fees: Decimal
    funding: Decimal
    """Positive when received."""


class Trip(Struct, frozen=True, gc=False):
    """A finished round trip."""

    venue: str
    symbol: str
    opened: int
    """Nanoseconds UTC."""
    closed: int
    net: float
    """After fees and funding, quote."""


class BacktestResult(Struct, frozen=True, gc=False):
    """What a backtest did."""

    bars: int
    seconds: float
    """Wall time of the run, loading not included."""
    orders: int
    fills: int
    trades: int
    """Finished round trips."""
    stops: int
    """Protective stops that were hit."""
    liquidations: int
    """Positions a venue closed because its margin was used up."""
    refusals: int
    equity_start: Decimal
    equity_end: Decimal
    realised: Decimal
    """Before fees."""
    fees: Decimal
    funding: Decimal
    """Positive when received."""
    refused: dict[str, int]
    """How often the gate or a breaker spoke, by code."""
    failed: tuple[str, ...]
    """Where the strategy raised and was stopped, and what it was."""
    results: tuple[Result, ...]
    """By instrument."""
    signals: tuple[Signalled, ...]
    """Everything the strategies decided."""
    trips: tuple[Trip, ...]
    """Round trips in the order they were finished."""
    curve: tuple[tuple[int, float], ...]
    """Equity at the start, at bars an hour or more apart, and at the end; (nanoseconds UTC, quote).
    """
    halted: str
    """Why a loss limit ended the trading; empty when none did."""
    halted_at: int
    """When; nanoseconds UTC, 0 for never."""
    decision_hash: str
    """See ``Engine.decision_hash``; empty when it was not kept."""

    @property
    def traded(self) -> tuple[tuple[int, float], ...]:
        """The curve, up to a day after a loss limit ended the trading: what it is judged by.

        After that equity stands still, which would make any Sharpe ratio look tamer.
        """
        if not self.halted:
            return self.curve
        return tuple(point for point in self.curve if point[0] <= self.halted_at + DAY)


def returns_of(curve: Sequence[tuple[int, float]], span: int) -> NDArray[np.float64]:
    """Return what equity made in each span of time, fraction; spans without a note are left out.

    Args:
        curve: nanoseconds UTC and equity, oldest first, two or more.
        span: nanoseconds.
    """
    last: dict[int, float] = {}
    for ts, equity in curve[1:]:
        last[(ts - 1) // span] = equity
    values = np.array([curve[0][1], *last.values()])
    return np.asarray(values[1:] / values[:-1] - 1.0)


class Curve:
    """Notes equity once an hour, and tells how far the run is.

    Attributes:
        due: when to look next, nanoseconds UTC.
        points: what was noted.
    """

    def __init__(
        self, engine: Engine, total: int, start: int, progress: Callable[[float], object] | None
    ) -> None:
        self._engine = engine
        self._total = total
        self._progress = progress
        self.due = start - start % HOUR + HOUR
        self.points: list[tuple[int, float]] = []
        self.note(start)

    def look(self, ts: int, done: int) -> None:
        """Note equity as an hour has begun, before its orders are matched."""
        self.due = ts - ts % HOUR + HOUR
        self.note(ts)
        if self._progress is not None:
            self._progress(done / self._total)

    def note(self, ts: int) -> None:
        """Note equity."""
        self.points.append((ts, self._engine.worth()))
