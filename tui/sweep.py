"""``killcord sweep`` and ``walk-forward``: settings tried on the past, here or on a cluster."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from core.clock import SECOND
from core.config import seconds
from core.errors import UsageError
from core.home import Home
from core.research.bars import Bars
from core.research.study import Axis, Study, read_axis
from core.research.sweep import (
    Grid,
    Job,
    Row,
    SweepReport,
    can_kernel,
    employ,
    fits,
    list_points,
    points_done,
    run_study,
    say_way,
    sum_sweep,
    try_block,
    try_point,
)
from core.research.walk_forward import Walk, WalkReport, sum_walk, try_fold
from core.research.workers import ClusterWorkers, LocalWorkers
from tui import numbers
from tui.market_files import (
    configure,
    facts_of,
    funding_of,
    list_candles,
    number,
    one_timeframe,
    points,
    progress,
    read_files,
    warn_of_funding,
)
from tui.output import reply
from tui.settings import environment_of


def run_sweep(arguments: argparse.Namespace) -> int:
    """Run ``killcord sweep``.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: options that make no sense.
        ConfigError: with every problem found.
        ClusterUnavailable: no scheduler, or no database.
    """
    axes = _axes(arguments)
    job = _job(arguments)
    trials = _trials(arguments)
    work: Callable[[Any, Any], Any]
    shared: Job | Grid
    if job.kernel and trials is None:
        shared = Grid(job, tuple(list_points(job.config, axes)))
        # Blocks and single points do not share a study, even where they are given one name.
        name = f"{arguments.study or _name(job, axes, 'all')}-blocks"
        study = Study(_storage(arguments), name, [shared.axis])
        work, total = try_block, len(shared.points)
    else:
        name = arguments.study or _name(job, axes, str(trials))
        study = Study(
            _storage(arguments), name, axes, trials, arguments.seed, partial(fits, job.config)
        )
        work, shared, total = try_point, job, study.total
    begun = time.perf_counter()
    count = _work(arguments, work, shared, study)
    spent = time.perf_counter() - begun
    answer = sum_sweep(job, points_done(study), total, name, count, spent)
    study.close()
    reply(arguments, answer, sweep_table(answer))
    return 0


def run_walk(arguments: argparse.Namespace) -> int:
    """Run ``killcord walk-forward``; see ``run_sweep``."""
    axes = _axes(arguments)
    train, test = (_span(arguments, name) for name in ("train", "test"))
    walk = Walk(_job(arguments), axes, train, test)
    list_points(walk.job.config, axes)
    if not walk.folds:
        raise UsageError("the candles are too short: give a shorter --train or --test")
    name = arguments.study or _name(walk.job, axes, f"walk {train} {test}")
    study = Study(_storage(arguments), name, [Axis("fold", tuple(range(walk.folds)))])
    begun = time.perf_counter()
    _work(arguments, try_fold, walk, study)
    answer = sum_walk(walk, study.done(), name, time.perf_counter() - begun)
    study.close()
    reply(arguments, answer, walk_table(answer))
    return 0


def _work(
    arguments: argparse.Namespace, work: Callable[[Any, Any], Any], job: Any, study: Study
) -> int:
    workers: LocalWorkers | ClusterWorkers
    told = job if isinstance(job, Job) else job.job
    if not can_kernel(told.config):
        # Ten to fifty times as slow: whoever waits should know why.
        sys.stderr.write(f"{say_way(told)}\n")
    if arguments.scheduler:
        workers = ClusterWorkers(work, job, arguments.scheduler)
    else:
        workers = LocalWorkers(work, job, arguments.workers or os.cpu_count() or 1)
    try:
        return run_study(study, workers, progress(arguments))
    finally:
        workers.close()


def _axes(arguments: argparse.Namespace) -> tuple[Axis, ...]:
    axes = tuple(read_axis(text) for text in arguments.param)
    if not axes:
        raise UsageError("--param: name what to try, such as --param strategy.fast=5:50:5")
    if len({axis.name for axis in axes}) < len(axes):
        raise UsageError("--param: a setting is named twice")
    return axes


def _trials(arguments: argparse.Namespace) -> int | None:
    if arguments.trials is not None and arguments.trials < 1:
        raise UsageError(f"--trials {arguments.trials}: expected 1 or more")
    trials: int | None = arguments.trials
    return trials


def _span(arguments: argparse.Namespace, name: str) -> int:
    text = getattr(arguments, name)
    value = seconds(text)
    if not isinstance(value, float) or value < 3600:
        raise UsageError(f"--{name} {text}: expected a time of an hour or more, such as 90d")
    return int(value) * SECOND


def _job(arguments: argparse.Namespace) -> Job:
    files = read_files(arguments)
    candles = list_candles(arguments, files)
    config = configure(arguments, candles, one_timeframe(files))
    home = Home.find()
    spans = {rules: (int(one.ts[0]), int(one.ts[-1])) for rules, one in candles.items()}
    funding = funding_of(arguments, spans)
    warn_of_funding(config, funding)
    job = Job(
        {rules: Bars.of(file) for rules, file in candles.items()},
        config,
        number(arguments, "balance"),
        float(points(arguments, "slippage") or Decimal(0)),
        funding,  # type: ignore[arg-type]  # lists are sequences
        home.strategies,
        home.models(environment_of(arguments, home)),
        can_kernel(config) and not arguments.engine,
    )
    made = employ(job, config)()  # one that cannot be made is said here, not by every worker
    return replace(job, facts=facts_of(arguments, candles, getattr(made, "needs", ())))


def _name(job: Job, axes: tuple[Axis, ...], kind: str) -> str:
    """Return a name that is the same for the same question."""
    digest = hashlib.blake2b(digest_size=8)
    for rules, bars in job.candles.items():
        digest.update(f"{rules.venue} {rules.symbol} {rules.taker_fee}".encode())
        for column in (bars.ts, *bars.columns):
            digest.update(np.ascontiguousarray(column).tobytes())
        beside = job.funding.get(rules, ()), job.facts.get(rules, ())
        digest.update(repr(beside).encode())
    settings = job.config.model_dump_json(include={"limits", "strategy"})
    digest.update(f"{settings} {axes} {kind} {job.slippage} {job.kernel} {job.balance}".encode())
    return f"{job.config.strategy.name}-{digest.hexdigest()}"


def _storage(arguments: argparse.Namespace) -> str:
    if arguments.storage:
        url: str = arguments.storage
        return url
    home = Home.find()
    home.data.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{home.data / 'sweeps.sqlite'}"


def sweep_table(answer: SweepReport) -> list[str]:
    """Return a sweep's answer as lines for a person."""
    names = list(answer.best[0].point) if answer.best else []
    lines = [
        f"{answer.strategy}: {answer.points} of {answer.total} points in {answer.seconds:.1f} s;"
        f" {answer.bars_per_second:,.0f} bars/s",
        f"  {answer.way}",
        "",
        "  " + " ".join(f"{name:>16}" for name in names) + _HEAD,
    ]
    lines += [_row(row) for row in answer.best]
    if answer.checked is not None and answer.kernel:
        lines += [
            "",
            "  the best of them through the engine, with all limits:",
            _row(answer.checked),
        ]
    if answer.best and not any(row.trades for row in answer.best):
        lines += ["", "  nothing was traded at the best points: there is nothing to judge"]
        return [*lines, f"  study             {answer.study}: the same command goes on with it"]
    lines += ["", f"  deflated Sharpe   {answer.deflated_sharpe:.0%} that the best is not luck,"
              f" after {answer.points} tries"]  # fmt: skip
    if answer.overfitting is not None:
        found = answer.overfitting
        lines.append(
            f"  overfitting       {found.probability:.0%} that the best in one half is below the"
            f" middle in the other, {found.loses:.0%} that it loses there"
        )
    return [*lines, f"  study             {answer.study}: the same command goes on with it"]


_HEAD = f" {'Sharpe':>8} {'return':>9} {'drawdown':>9} {'trades':>7}"


def _row(row: Row) -> str:
    cells = " ".join(f"{value:>16}" for value in row.point.values())
    return (
        f"  {cells} {row.sharpe:8.2f} {row.total_return:+9.2%} {row.max_drawdown:9.2%}"
        f" {row.trades:7,}"
    )


def walk_table(answer: WalkReport) -> list[str]:
    """Return a walk-forward's answer as lines for a person."""
    ratio = "too short to tell"
    if answer.sharpe is not None and answer.sharpe_low is not None:
        ratio = (
            f"{answer.sharpe:.2f}   95 % interval {answer.sharpe_low:.2f} to"
            f" {answer.sharpe_high:.2f}"
        )
    lines = [
        f"{answer.strategy}: {len(answer.folds)} of {answer.total} folds, {answer.points} settings"
        f" each, in {answer.seconds:.1f} s",
        f"  settings chosen {answer.way}; what follows is traded through the engine",
        "",
        f"  return        {numbers.percent(answer.total_return)}   drawdown"
        f" {numbers.percent(answer.max_drawdown, sign=False)}, {answer.trades:,} trades",
        f"  Sharpe        {ratio}",
        f"  promised      {answer.trained:.2f}: what the chosen settings had in training",
        "",
        f"  {'test from':10} {'promised':>9} {'Sharpe':>8} {'return':>9} {'trades':>7}  settings",
    ]
    for fold in answer.folds:
        when = time.strftime("%Y-%m-%d", time.gmtime(fold.begin // SECOND))
        chosen = ", ".join(f"{name} {value}" for name, value in fold.point.items())
        lines.append(
            f"  {when} {fold.trained:9.2f} {fold.sharpe:8.2f} {fold.total_return:+9.2%}"
            f" {fold.trades:7,}  {chosen}"
        )
    return [*lines, "", f"  study         {answer.study}: the same command goes on with it"]
