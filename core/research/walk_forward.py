"""Walk-forward: settings chosen on the past, traded on what follows, again and again.

The curve that comes of it was traded only with settings that were chosen before. Where it is far
below what the settings showed while they were chosen, the search has fitted noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.clock import DAY, SECOND
from core.model.instrument import Instrument
from core.research.bars import Bars
from core.research.scores import Sharpe, max_drawdown, sharpe
from core.research.study import Axis, Done, Point
from core.research.sweep import (
    Job,
    Outcome,
    by_engine,
    by_kernel,
    list_points,
    markets_of,
    say_way,
    set_point,
)


class Walk(Struct, frozen=True):
    """A walk-forward; sent to each worker once."""

    job: Job
    axes: tuple[Axis, ...]
    train: int
    """Nanoseconds, as the next."""
    test: int

    @property
    def folds(self) -> int:
        """How many tests there are, the last of at least half the length."""
        first, last = self.span
        room = last - first - self.train
        return max((room + self.test // 2) // self.test, 0)

    @property
    def span(self) -> tuple[int, int]:
        """First and last open time, nanoseconds UTC."""
        columns = [bars.ts for bars in self.job.candles.values()]
        return min(int(one[0]) for one in columns), max(int(one[-1]) for one in columns)


class FoldOutcome(Struct, frozen=True):
    """One fold; fractions."""

    point: Point
    """The settings that were best in training."""
    trained: float
    """Their Sharpe ratio there."""
    sharpe: float
    """In the test, which they had not seen; its days annualised."""
    total_return: float
    max_drawdown: float
    trades: int
    begin: int
    """Of the test, nanoseconds UTC."""
    daily: list[float]


class WalkReport(Struct, frozen=True, tag_field="type", tag="walk_forward"):
    """The answer of ``killcord walk-forward``."""

    strategy: str
    study: str
    points: int
    """Settings that were tried in each fold."""
    way: str
    """What they were chosen by; tests always go through the engine."""
    folds: tuple[FoldOutcome, ...]
    total: int
    seconds: float
    sharpe: float | None
    """Of all tests together."""
    sharpe_low: float | None
    sharpe_high: float | None
    trained: float
    """Mean Sharpe ratio of the chosen settings in training: what was promised."""
    total_return: float
    max_drawdown: float
    trades: int


def try_fold(walk: Walk, task: tuple[int, Point]) -> FoldOutcome:
    """Choose settings on one training span, and trade the test after it. Runs in a worker."""
    job = walk.job
    first, _ = walk.span
    begin = first + walk.train + int(task[1]["fold"]) * walk.test
    past = _cut(job.candles, begin - walk.train, begin)
    part = replace(job, candles=past)
    best: tuple[float, Point] | None = None
    markets = markets_of(part) if job.kernel else []
    for point in list_points(walk.job.config, walk.axes):
        config = set_point(job.config, point)
        outcome = by_kernel(part, config, markets) if job.kernel else by_engine(part, config)
        if best is None or outcome.sharpe > best[0]:
            best = outcome.sharpe, point
    assert best is not None
    # The training span warms the strategies; orders begin with the test.
    whole = _cut(job.candles, begin - walk.train, begin + walk.test)
    tested: Outcome = by_engine(job, set_point(job.config, best[1]), whole, begin)
    return FoldOutcome(
        best[1],
        best[0],
        tested.sharpe,
        tested.total_return,
        tested.max_drawdown,
        tested.trades,
        begin,
        tested.daily,
    )


def _cut(candles: Mapping[Instrument, Bars], begin: int, end: int) -> dict[Instrument, Bars]:
    found = {}
    for rules, bars in candles.items():
        first, last = np.searchsorted(np.asarray(bars.ts), [begin, end])
        if last > first:
            found[rules] = bars.part(first, last)
    return found


def sum_walk(walk: Walk, done: list[Done], name: str, seconds: float) -> WalkReport:
    """Return what a walk-forward came to."""
    outcomes = [FoldOutcome(**one.facts) for one in done if one.facts]
    folds = sorted(outcomes, key=lambda one: one.begin)
    daily = np.array([one for fold in folds for one in fold.daily])
    path = np.concatenate([[1.0], np.cumprod(1.0 + daily)])
    measured: Sharpe | None = sharpe(daily, DAY // SECOND)
    return WalkReport(
        walk.job.config.strategy.name,
        name,
        len(list_points(walk.job.config, walk.axes)),
        say_way(walk.job),
        tuple(folds),
        walk.folds,
        round(seconds, 3),
        measured.value if measured else None,
        measured.low if measured else None,
        measured.high if measured else None,
        float(np.mean([one.trained for one in folds])) if folds else 0.0,
        float(path[-1] - 1.0),
        max_drawdown(path),
        sum(one.trades for one in folds),
    )
