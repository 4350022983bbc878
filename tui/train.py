"""``killcord train``: look for an edge in candles, and say honestly what was found."""

from __future__ import annotations

import argparse
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from core.config import Config
from core.errors import UsageError
from core.home import Home
from core.journal.recording import read_news
from core.model.event import SentimentScored
from core.model.instrument import VENUES
from core.model.market import Fact
from core.research.archive import Archive
from core.research.books import read_books
from core.research.candles import (
    CandleFile,
    find_files,
    read_candles,
    read_settlements,
)
from core.research.learning import kinds_here
from core.research.panel import Around, Plan
from core.research.past import Facts, Rates
from core.research.search import Finding, search
from core.research.synthetic import plant_edge
from core.signals.registry import Registry
from tui import numbers
from tui.market_files import load_config, one_timeframe, points, progress, read_files
from tui.output import reply
from tui.settings import environment_of
from tui.views.learning import check_line, rehearsal_text


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
    if arguments.label == "relative" and len({file.symbol for file in files}) < 2:
        raise UsageError("--label relative: one symbol has none to be compared with")
    if arguments.trials < 0 or arguments.half_life < 0:
        raise UsageError("--trials and --half-life: 0 or more")
    plans = [
        Plan(
            timeframe,
            horizon,
            arguments.window,
            arguments.test,
            float(cost),
            arguments.seed,
            arguments.label,
            half_life=arguments.half_life,
        )
        for horizon in _horizons(arguments.horizons)
    ]
    folder = home.synthetic_models
    stored = None
    if not arguments.synthetic:
        environment = environment_of(arguments, home)
        folder = home.models(environment)
        if not arguments.candles:
            stored = Archive(home.history(environment))
    try:
        found = search(
            files,
            plans,
            Registry(folder),
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            trading=_trading(arguments, files),
            around=_around(arguments, files, timeframe, stored),
            shuffled=arguments.shuffle_labels,
            trials=arguments.trials,
            storage=arguments.study,
            progress=progress(arguments),
        )
    except ValueError as error:
        raise UsageError(f"{error}: give longer candles, or a smaller --window") from error
    if arguments.synthetic:
        found = of_made_up_candles(found)
    reply(arguments, found, table(found))
    return 0


def _trading(arguments: argparse.Namespace, files: list[CandleFile]) -> Config:
    """Return the settings that the model would be traded with."""
    venues = [file.venue or VENUES[0] for file in files]
    return load_config(arguments, venues, [file.symbol for file in files], files[0].timeframe)


def of_made_up_candles(found: Finding) -> Finding:
    """Return the finding with a verdict that promises no trades: made-up candles teach none."""
    word, _, _ = found.verdict.partition(":")
    if word not in ("promoted", "passed"):
        return found
    return replace(found, verdict=f"{word}, and no desk trades it: it learnt from made-up candles")


def _around(
    arguments: argparse.Namespace, files: list[CandleFile], timeframe: int, stored: Archive | None
) -> Around:
    """Read what is known beside the candles.

    Args:
        stored: the archive that the candles are from; None: from files.
    """
    spot = [read_candles(file) for path in arguments.spot for file in find_files(Path(path))]
    if any(file.timeframe != timeframe for file in spot):
        raise UsageError(f"--spot: candles of {spot[0].timeframe} s beside some of {timeframe} s")
    keys = [(file.venue, file.symbol) for file in files]
    funding = read_settlements(Path(arguments.funding), keys) if arguments.funding else {}
    mine = {file.symbol for file in files}
    there = {symbol for _, symbol in funding}
    for option, symbols in (("spot", {file.symbol for file in spot}), ("funding", there)):
        if getattr(arguments, option) and not symbols & mine:
            raise UsageError(f"--{option}: nothing of {', '.join(sorted(mine))} in there")
    others: tuple[CandleFile, ...] = ()
    facts: dict[tuple[str, str, Fact], tuple[tuple[int, float], ...]] = {}
    if stored is not None:
        others = _elsewhere(stored, files)
        for key in keys:
            for fact in Fact:
                if told := Facts(stored.folder, *key, fact, timeframe).read():
                    facts[(*key, fact)] = told
        if not arguments.funding:
            read = {key: Rates(stored.folder, *key).read() for key in keys}
            funding = {key: settled for key, settled in read.items() if settled}
    books = read_books([Path(path) for path in arguments.books], keys)
    if arguments.books and not any(books.values()):
        raise UsageError("--books: nothing of these venues and symbols in there")
    index = {file.symbol: file for file in spot}
    return Around(index, others, funding, facts, books, _news(arguments))


def _elsewhere(stored: Archive, files: list[CandleFile]) -> tuple[CandleFile, ...]:
    """Return what is stored of the same symbols at other venues: a desk sees them, too."""
    one = files[0]
    symbols = {file.symbol for file in files}
    return tuple(
        series.read()
        for series in stored.all()
        if series.venue != one.venue
        and series.timeframe == one.timeframe
        and series.symbol in symbols
        and len(series.matrix()) > 1
    )


def _news(arguments: argparse.Namespace) -> tuple[SentimentScored, ...]:
    """Read what the news said while desks recorded."""
    words: list[SentimentScored] = []
    for path in map(Path, arguments.news):
        inside = sorted(path.glob("*/session.json"))
        for session in [each.parent for each in inside] or [path]:
            words += read_news(session)
    if arguments.news and not any(word.readings for word in words):
        raise UsageError(f"--news {' '.join(arguments.news)}: no news was read while it recorded")
    return tuple(sorted(words, key=lambda word: word.received))


def _files(arguments: argparse.Namespace) -> list[CandleFile]:
    if not arguments.synthetic:
        if not (arguments.candles or arguments.venue):
            raise UsageError(
                "give --candles PATH, --venue and --timeframe, or --synthetic edge=0.1"
            )
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
    return [
        *_headline(found),
        "",
        f"  {'out of sample':18} {'AUC':>6} {'IC':>7} {'Brier':>7} {'off by':>6} {'Sharpe':>6}"
        f" {'95 % interval':>14} {'gross':>6} {'pays':>6}",
        *(_row(trial) for trial in found.trials),
        "",
        *_legend(found),
        "",
        *_judged(found),
        *(check_line(check) for check in found.gate),
        "",
        *textwrap.wrap(found.verdict, 100, initial_indent="  ", subsequent_indent="  "),
    ]


def _headline(found: Finding) -> list[str]:
    data = found.data
    symbols = [symbol.partition("/")[0] for symbol in data["symbols"]]
    first, last = (
        datetime.fromtimestamp(data[key] / 1000, UTC).strftime("%Y-%m-%d")
        for key in ("from_ms", "to_ms")
    )
    word = "An edge was found" if found.promoted else "No edge was found"
    lines = [
        f"{word} in {data['rows']:,} candles of {', '.join(symbols)}, {first} to {last}.",
        f"{len(data['features'])} features; missing in some rows: "
        + (", ".join(data["missing"]) or "none"),
    ]
    if data["silent"]:
        lines.append(f"{data['silent']:,} candles have no volume.")
    return [part for line in lines for part in textwrap.wrap(line, 100)]


def _row(trial: dict[str, Any]) -> str:
    low, high = trial["sharpe_low"], trial["sharpe_high"]
    between = "never trades" if low is None else f"{low:.2f} to {high:.2f}"
    pays = "" if trial["break_even"] is None else f"{trial['break_even'] * 1e4:.1f}"
    name = f"{trial['kind']} {trial['horizon']}" + (" tuned" if trial["parameters"] else "")
    return (
        f"  {name:18} {trial['auc']:6.3f} {trial['ic']:+7.3f} {trial['brier_skill']:+7.2%}"
        f" {trial['calibration']:6.3f} {trial['sharpe'] or 0.0:6.2f} {between:>14}"
        f" {trial['sharpe_gross'] or 0.0:6.2f} {pays:>6}"
    )


def _legend(found: Finding) -> list[str]:
    lines = [
        "Brier: saved of a coin's error. off by: mean error of the probabilities. gross: Sharpe",
        "before costs. pays: the cost a side, in bp, that would leave nothing.",
    ]
    if "xgboost" not in kinds_here():
        lines.append("xgboost was not tried: pip install xgboost-cpu adds it.")
    if found.overfitting is not None:
        chosen = found.overfitting
        lines.append(
            f"The best on half of the days is below the median on the others in"
            f" {chosen.probability:.0%} of {chosen.splits} splits, and loses in {chosen.loses:.0%}."
        )
    return ["  " + line for line in lines]


def _judged(found: Finding) -> list[str]:
    """Return which configuration was chosen, and how much it trades."""
    best = found.trials[found.judged]
    return [
        f"  judged: {found.kind}, {found.horizon} candles ahead ({found.id})",
        f"  trades {best['turnover']:.2f} times its equity a day, in a position"
        f" {best['exposure']:.0%} of the time, for up to {numbers.compact(best['capacity'])} USDT",
        *(
            [
                f"  funding {'costs' if best['funding'] > 0 else 'brings'}"
                f" {abs(best['funding']):.2%} of equity a year, and is counted"
            ]
            if best["funding"]
            else []
        ),
        *textwrap.wrap(
            rehearsal_text(asdict(found.rehearsal)),
            100,
            initial_indent="  ",
            subsequent_indent="  ",
        ),
    ]
