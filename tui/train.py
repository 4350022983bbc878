"""``killcord train``: look for an edge in candles, and say honestly what was found."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

import msgspec

from core.errors import UsageError
from core.home import Home
from core.research.candles import CandleFile
from core.research.panel import Plan
from core.research.search import Finding, search
from core.research.synthetic import plant_edge
from core.signals.registry import Registry
from tui.backtest import one_timeframe, points, progress, read_files


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord train``.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: an option makes no sense, or there are too few candles.
    """
    home = Home.find()
    files = _files(arguments)
    timeframe = one_timeframe(files)
    cost = points(arguments, "cost")
    assert cost is not None
    if arguments.window < 500 or arguments.test < 10 or arguments.seed < 0:
        raise UsageError("--window: at least 500 candles; --test: at least 10; --seed: 0 or more")
    plans = [
        Plan(timeframe, horizon, arguments.window, arguments.test, float(cost), arguments.seed)
        for horizon in _horizons(arguments.horizons)
    ]
    folder = home.synthetic_models if arguments.synthetic else home.models
    try:
        found = search(
            files,
            plans,
            Registry(folder),
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            shuffled=arguments.shuffle_labels,
            progress=progress(arguments),
        )
    except ValueError as error:
        raise UsageError(f"{error}: give longer candles, or a smaller --window") from error
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in table(found))
    return 0


def _files(arguments: argparse.Namespace) -> list[CandleFile]:
    if not arguments.synthetic:
        if not arguments.candles:
            raise UsageError("give --candles PATH, or --synthetic edge=0.1")
        return read_files(arguments)
    word, _, value = arguments.synthetic.partition("=")
    try:
        edge = float(value)
    except ValueError:
        edge = -1.0
    if word != "edge" or not 0 <= edge <= 1:
        raise UsageError(f"--synthetic {arguments.synthetic}: expected edge=X, X from 0 to 1")
    return plant_edge(edge, 7_000, 4, 3600, arguments.seed)


def _horizons(text: str) -> list[int]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1 or found[-1] > 1000:
        raise UsageError(f"--horizons {text}: expected numbers of candles, such as 4,24")
    return found


def table(found: Finding) -> list[str]:
    """Return the finding as lines for a person."""
    lines = [
        f"{', '.join(found.data['symbols'])}: {found.data['rows']:,} rows",
        "",
        f"  {'out of sample':22} {'AUC':>7} {'IC':>7} {'Brier':>8} {'Sharpe':>7}"
        f" {'95 % interval':>16} {'gross':>7} {'turnover':>9}",
    ]
    for trial in found.trials:
        low, high = trial["sharpe_low"], trial["sharpe_high"]
        between = f"{low:.2f} to {high:.2f}" if low is not None else "never trades"
        lines.append(
            f"  {trial['kind'] + ' ' + str(trial['horizon']) + ' candles':22}"
            f" {trial['auc']:7.3f} {trial['ic']:+7.3f} {trial['brier_skill']:+8.2%}"
            f" {trial['sharpe'] or 0.0:7.2f} {between:>16} {trial['sharpe_gross'] or 0.0:7.2f}"
            f" {trial['turnover']:8.2f}x"
        )
    lines += ["", f"  judged: {found.kind}, {found.horizon} candles ahead, {found.id}"]
    lines += [f"  {'✓' if check.passed else '✗'} {check}" for check in found.gate]
    return [*lines, "", f"  {found.verdict}"]
