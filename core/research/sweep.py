"""Trying settings: one backtest a point, and what the best of them is worth after so many tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict
from numpy.typing import NDArray
from pydantic import ValidationError

from core.clock import DAY, SECOND
from core.config import Config
from core.errors import StrategyFailed, UsageError
from core.model.instrument import Instrument
from core.model.market import FactTold
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.kernel import Market, make_trades, score
from core.research.scores import Overfitting, deflated_sharpe, max_drawdown, overfitting, sharpe
from core.research.signal_table import TABLES, wants
from core.research.simulation import Funding
from core.research.study import Axis, Done, Point, Study
from core.signals.folder import find_strategy
from core.signals.registry import find_model
from core.signals.strategy import Strategy, strategy_maker

_WORST = -1e9
"""Value of a point that makes no sense, for a sampler to stay away from."""
_SHOWN = 10
_BLOCKS, _MOST = 16, 64
"""Blocks that even a small search is cut into, for all workers to have some; points in one."""
_TINY = 1e-12
_POINTS = "points"
"""Among the facts of a block."""


class Job(Struct, frozen=True):
    """What every point of a sweep shares; sent to each worker once."""

    candles: dict[Instrument, Bars]
    config: Config
    balance: Decimal
    slippage: float
    funding: dict[Instrument, Funding]
    strategies: Path
    """Folder of the user's own."""
    models: Path
    kernel: bool
    """Whether points go through ``core.research.kernel`` instead of the engine."""
    facts: dict[Instrument, list[FactTold]] = {}
    """See ``run_backtest``."""


class Grid(Struct, frozen=True):
    """A full search by the kernel, in blocks of points; sent to each worker once.

    A point takes the kernel milliseconds, and the study, which must be asked and told, a hundred.
    """

    job: Job
    points: tuple[Point, ...]

    @property
    def size(self) -> int:
        """Points in a block: the same on every machine that works on this search."""
        return min(max(len(self.points) // _BLOCKS, 1), _MOST)

    @property
    def axis(self) -> Axis:
        """What the study hands out."""
        return Axis("block", tuple(range(-(-len(self.points) // self.size))))


class Outcome(Struct, frozen=True):
    """What one point came to; fractions."""

    sharpe: float
    """Of daily returns, annualised; 0 where there is nothing to tell."""
    total_return: float
    max_drawdown: float
    trades: int
    daily: list[float]


class Workers(Protocol):
    """See ``core.research.workers``."""

    def run(
        self,
        ask: Callable[[], Any],
        tell: Callable[[Any, Any], None],
        beat: Callable[[], None],
    ) -> None:
        """Do all there is to do."""


class Row(Struct, frozen=True):
    """A point and what it came to."""

    point: Point
    sharpe: float
    total_return: float
    max_drawdown: float
    trades: int


class SweepReport(Struct, frozen=True, tag_field="type", tag="sweep"):
    """The answer of ``killcord sweep``."""

    strategy: str
    study: str
    """Name under which the search goes on."""
    points: int
    """Worked out so far, by all machines."""
    total: int
    kernel: bool
    way: str
    """What worked the points out, and why not the kernel; see ``say_way``."""
    seconds: float
    bars_per_second: float
    """Of this machine's workers together, this run; 0 where nothing was left to do."""
    best: tuple[Row, ...]
    deflated_sharpe: float
    """Probability that the best is real although it is the best of so many."""
    overfitting: Overfitting | None
    checked: Row | None
    """The best one through the engine."""
    decision_hash: str
    """Of that run."""


def fits(config: Config, point: Point) -> bool:
    """Return whether a point makes a configuration.

    Raises:
        UsageError: a name is no setting.
    """
    try:
        set_point(config, point)
    except ValidationError:
        return False
    return True


def set_point(config: Config, point: Point) -> Config:
    """Return the configuration with a point's settings.

    Raises:
        UsageError: a name is no setting.
        pydantic.ValidationError: a value does not fit.
    """
    data = config.model_dump()
    for name, value in point.items():
        *tables, key = name.split(".")
        part: Any = data
        for table in tables:
            part = part.get(table) if isinstance(part, dict) else None
        if not isinstance(part, dict) or key not in part:
            raise UsageError(f"--param {name}: no such setting; `killcord config defaults` has all")
        part[key] = value
    return Config.model_validate(data)


def list_points(config: Config, axes: Sequence[Axis]) -> list[Point]:
    """Return all combinations that make a configuration.

    Raises:
        UsageError: none of them makes sense, or a name is no setting.
    """
    names = [axis.name for axis in axes]
    points = [
        dict(zip(names, values, strict=True)) for values in product(*(axis.values for axis in axes))
    ]
    found = [point for point in points if fits(config, point)]
    if not found:
        raise UsageError("--param: no combination of these values is a valid configuration")
    return found


def try_point(job: Job, task: tuple[int, Point]) -> Outcome | None:
    """Work one point out; None where it makes no sense. Runs in a worker."""
    try:
        config = set_point(job.config, task[1])
    except ValidationError:
        return None
    return by_kernel(job, config) if job.kernel else by_engine(job, config)


def try_block(grid: Grid, task: tuple[int, Point]) -> list[tuple[Point, Outcome]]:
    """Work a block of points out. Runs in a worker."""
    job, begin = grid.job, int(task[1]["block"]) * grid.size
    markets = markets_of(job)
    return [
        (point, by_kernel(job, set_point(job.config, point), markets))
        for point in grid.points[begin : begin + grid.size]
    ]


def markets_of(job: Job) -> list[Market]:
    """Return a job's candles as the kernel takes them."""
    return [
        Market.of(rules, bars, job.slippage, job.funding.get(rules, ()))
        for rules, bars in job.candles.items()
    ]


def by_kernel(job: Job, config: Config, markets: Sequence[Market] | None = None) -> Outcome:
    """Trade every instrument with the kernel, each with its part of one account.

    Args:
        job: has the candles.
        config: with the point's settings.
        markets: see ``markets_of``; None to make them.
    """
    limits, settings = config.limits, config.strategy
    share = limits.position_notional * settings.share / len(config.venues)
    part = float(min(share, limits.order_notional))
    scores = []
    for market in markets_of(job) if markets is None else markets:
        wanted = wants(settings, market.close, market.rates)
        scores.append(
            score(market, make_trades(market, wanted, float(settings.stop_distance)), part)
        )
    first = min(one.first_day for one in scores)
    last = max(one.first_day + len(one.daily) for one in scores)
    daily = np.zeros(last - first)
    for one in scores:
        begin = one.first_day - first
        # Every instrument's part is of the whole account, of which each venue holds as much.
        daily[begin : begin + len(one.daily)] += np.array(one.daily)
    return _outcome(daily, sum(one.trades for one in scores))


def by_engine(
    job: Job, config: Config, candles: Mapping[Instrument, Bars] | None = None, trade_from: int = 0
) -> Outcome:
    """Trade candles with the engine.

    Args:
        job: has the candles, unless others are given.
        config: with the point's settings.
        candles: instead of the job's.
        trade_from: see ``run_backtest``; what comes before does not count.

    Raises:
        StrategyFailed: it raised on an instrument.
    """
    result = run_backtest(
        job.candles if candles is None else candles,
        config,
        balance=job.balance,
        funding=job.funding,
        slippage=job.slippage,
        facts=job.facts,
        trade_from=trade_from,
        hashing=False,
        make_strategy=employ(job, config),
    )
    if result.failed:
        raise StrategyFailed(f"the strategy raised: {result.failed[0]}")
    last: dict[int, float] = {}
    for ts, equity in result.curve[1:]:
        if ts > trade_from:
            last[(ts - 1) // DAY] = equity
    path = np.array([result.curve[0][1], *last.values()])
    return _outcome(path[1:] / path[:-1] - 1.0, result.trades)


def employ(job: Job, config: Config) -> Callable[[], Strategy]:
    """Return what makes a job's strategy."""
    own = find_strategy(job.strategies, config.strategy) | find_model(job.models, config.strategy)
    return strategy_maker(config.strategy, own)


def _outcome(daily: NDArray[np.float64], trades: int) -> Outcome:
    path = np.concatenate([[1.0], np.cumprod(1.0 + daily)])
    measured = sharpe(daily, DAY // SECOND)
    return Outcome(
        measured.value if measured else 0.0,
        float(path[-1] - 1.0),
        max_drawdown(path),
        trades,
        [round(one, 8) for one in daily.tolist()],
    )


def run_study(
    study: Study,
    workers: Workers,
    progress: Callable[[float], object] | None = None,
) -> int:
    """Work out what a study hands out until nothing is left; return how many points that were.

    Args:
        study: has the points.
        workers: made for ``try_point``, ``try_block``, or ``walk_forward.try_fold``.
        progress: told the part that is done, 0 to 1.
    """
    count = 0

    def tell(task: tuple[int, Point], outcome: Any) -> None:
        nonlocal count
        count += len(outcome) if isinstance(outcome, list) else 1
        if outcome is None:
            study.tell(task[0], _WORST, {})
        elif isinstance(outcome, list):
            rows = [[point, asdict(one)] for point, one in outcome]
            study.tell(task[0], max(one.sharpe for _, one in outcome), {_POINTS: rows})
        else:
            study.tell(task[0], outcome.sharpe, asdict(outcome))
        if progress is not None:
            progress(min(study.finished / max(study.total, 1), 1.0))

    workers.run(study.ask, tell, study.beat)
    return count


def points_done(study: Study) -> list[Done]:
    """Return the points that were worked out, those of blocks one by one; the best first."""
    found = []
    for one in study.done():
        if _POINTS in one.facts:
            found += [Done(point, facts["sharpe"], facts) for point, facts in one.facts[_POINTS]]
        elif one.facts:
            found.append(one)
    return sorted(found, key=lambda one: -one.value)


def can_kernel(config: Config) -> bool:
    """Return whether a configuration's strategy has a form that the kernel takes."""
    return config.strategy.name in TABLES


def say_way(job: Job) -> str:
    """Return what works the points out, for a person."""
    if job.kernel:
        return "by the kernel"
    if can_kernel(job.config):
        return "through the engine"
    name, known = job.config.strategy.name, ", ".join(TABLES)
    return f"through the engine ({name} has no form for the fast kernel; {known} have)"


def to_row(done: Done) -> Row:
    """Return a point with its figures."""
    facts = done.facts
    return Row(
        done.point, facts["sharpe"], facts["total_return"], facts["max_drawdown"], facts["trades"]
    )


def judge(done: list[Done]) -> tuple[float, Overfitting | None]:
    """Return what the best of many points is worth: deflated Sharpe ratio, and overfitting."""
    columns = [np.array(one.facts["daily"]) for one in done]
    if not columns:
        return 0.0, None
    length = min(len(one) for one in columns)
    table = np.column_stack([one[:length] for one in columns])
    spread = table.std(axis=0)
    ratios = np.where(spread > _TINY, table.mean(axis=0) / np.maximum(spread, _TINY), 0.0)
    deflated = deflated_sharpe(columns[0], len(done), float(ratios.std()) if len(done) > 1 else 0.0)
    return deflated, overfitting(table) if len(done) > 1 else None


def sum_sweep(
    job: Job, done: list[Done], total: int, name: str, count: int, seconds: float
) -> SweepReport:
    """Return what a sweep found; its best point goes through the engine.

    Args:
        job: of the sweep.
        done: see ``points_done``.
        total: points that there will be.
        name: of the study.
        count: points that were worked out by this call.
        seconds: that it took.
    """
    deflated, overfit = judge(done)
    checked, digest = None, ""
    if done:
        config = set_point(job.config, done[0].point)
        result = run_backtest(
            job.candles,
            config,
            balance=job.balance,
            funding=job.funding,
            slippage=job.slippage,
            facts=job.facts,
            make_strategy=employ(job, config),
        )
        digest = result.decision_hash
        outcome = by_engine(job, config)
        checked = Row(
            done[0].point,
            outcome.sharpe,
            outcome.total_return,
            outcome.max_drawdown,
            outcome.trades,
        )
    bars = sum(len(one.ts) for one in job.candles.values())
    return SweepReport(
        job.config.strategy.name,
        name,
        len(done),
        total,
        job.kernel,
        say_way(job),
        round(seconds, 3),
        round(count * bars / seconds) if count else 0,
        tuple(to_row(one) for one in done[:_SHOWN]),
        deflated,
        overfit,
        checked,
        digest,
    )
