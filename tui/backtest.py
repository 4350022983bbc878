"""``killcord backtest``: candles through the live engine, and what it would have come to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from core.config import Config, load
from core.errors import RecordingError, UsageError
from core.home import Home
from core.model.instrument import Instrument, short_symbol, unified_symbol
from core.research.archive import Archive, timeframe_of
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import CandleFile, find_files, read_candles, read_funding
from core.research.report import BacktestReport, report
from core.signals.folder import find_strategy
from core.signals.registry import find_model
from core.signals.strategy import named, strategy_maker
from exchanges.practice.contracts import LISTINGS, list_contracts, make_listing
from tui import numbers
from tui.settings import environment_of
from tui.text import clean

_MS = 1_000_000
_BASIS_POINT = Decimal("0.0001")


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord backtest``.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: files that do not fit together, or numbers that are none.
        ConfigError: with every problem found.
    """
    files = read_files(arguments)
    timeframe = one_timeframe(files)
    taker, maker = (points(arguments, name) for name in ("taker_fee", "maker_fee"))
    candles = {list_instrument(file, arguments.venue, taker, maker): file for file in files}
    if len(candles) < len(files):
        raise UsageError("two candle files are of the same symbol and venue")
    config = configure(arguments, candles, timeframe)
    slippage = points(arguments, "slippage") or Decimal(0)
    home = Home.find()
    own = find_strategy(home.strategies, config.strategy)
    if "lightgbm" in named(config.strategy):
        own |= find_model(home.models(environment_of(arguments, home)), config.strategy)
    result = run_backtest(
        {rules: to_bars(file) for rules, file in candles.items()},
        config,
        balance=_number(arguments, "balance"),
        funding=_funding(arguments.funding, candles),
        slippage=float(slippage),
        make_strategy=strategy_maker(config.strategy, own),
        progress=progress(arguments),
    )
    silent = sum(file.silent for file in files)
    answer = report(result, config.strategy.name, timeframe, silent)
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in table(answer))
    return 0


def read_files(arguments: argparse.Namespace) -> list[CandleFile]:
    """Read the candles that are meant: files, or what ``killcord history`` has stored.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: nothing is of a wanted symbol.
    """
    wanted = {unified_symbol(name) for name in (arguments.symbols or "").split(",") if name}
    if not arguments.candles:
        return _stored(arguments, wanted)
    paths = [file for path in arguments.candles for file in find_files(Path(path))]
    bases = {path: unified_symbol(path.name.partition(".")[0].partition("_")[0]) for path in paths}
    files = [read_candles(path) for path in paths if not wanted or bases[path] in wanted]
    missing = wanted - {file.symbol for file in files}
    if missing:
        names = ", ".join(sorted(short_symbol(symbol) for symbol in missing))
        raise UsageError(f"--symbols: no candle file of {names} in {' '.join(arguments.candles)}")
    return files


def _stored(arguments: argparse.Namespace, wanted: set[str]) -> list[CandleFile]:
    if not (arguments.venue and arguments.timeframe):
        raise UsageError("give --candles PATH; or --venue and --timeframe for what is stored")
    try:
        timeframe = timeframe_of(arguments.timeframe)
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = Home.find()
    found = [
        series
        for series in Archive(home.history(environment_of(arguments, home))).all()
        if (series.venue, series.timeframe) == (arguments.venue, timeframe)
        and (not wanted or series.symbol in wanted)
    ]
    missing = wanted - {series.symbol for series in found}
    if missing or not found:
        names = ",".join(sorted(short_symbol(symbol) for symbol in missing)) or "BTC"
        what = f"{arguments.venue} {names} {arguments.timeframe}"
        raise UsageError(f"not stored: killcord history download {what}")
    return [series.read() for series in found]


def one_timeframe(files: list[CandleFile]) -> int:
    """Return the timeframe that all files share, seconds.

    Raises:
        UsageError: they do not share one.
    """
    first = files[0]
    for file in files:
        if file.timeframe != first.timeframe:
            raise UsageError(
                f"{file.path}: candles of {file.timeframe} s, but {first.path} has"
                f" {first.timeframe} s; give files of one timeframe"
            )
    return first.timeframe


def list_instrument(
    file: CandleFile, venue: str, taker: Decimal | None = None, maker: Decimal | None = None
) -> Instrument:
    """Return the rules under which a file's candles are traded: the venue's, as practice has them.

    Args:
        file: its venue, or ``venue`` where that is given, decides.
        venue: empty to take the file's own, or Bybit where it names none.
        taker: fee, fraction of notional; None for the venue's.
        maker: the same for resting orders.
    """
    name = venue or file.venue or "bybit"
    base = short_symbol(file.symbol)
    known = {listing.base: listing for listing in LISTINGS}.get(base)
    listing = make_listing(base, float(file.open[0]), known)
    rules = list_contracts(name, (listing,))[file.symbol].instrument
    return msgspec.structs.replace(
        rules,
        taker_fee=rules.taker_fee if taker is None else taker,
        maker_fee=rules.maker_fee if maker is None else maker,
    )


def configure(
    arguments: argparse.Namespace, instruments: Iterable[Instrument], timeframe: int
) -> Config:
    """Load the configuration, with the strategy of the command line and the world of the candles.

    The environment is left out: a backtest must not depend on the shell it was started from.

    Raises:
        ConfigError: with every problem found.
        UsageError: a ``--set`` without a value, or a file that does not exist.
    """
    path = Path(arguments.config) if arguments.config else Home.find().config_file
    if arguments.config and not path.exists():
        raise UsageError(f"{path}: no such file")
    overrides: dict[str, Any] = {}
    for text in arguments.set:
        key, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--set {text}: expected KEY=VALUE, such as strategy.fast=10")
        overrides[key.strip()] = value.strip()
    names = list(instruments)
    return load(
        path,
        {},
        overrides
        | {
            "strategy.name": arguments.strategy,
            "strategy.timeframe": timeframe,
            "venues": list(dict.fromkeys(one.venue for one in names)),
            "symbols": list(dict.fromkeys(one.symbol for one in names)),
            "environment": "practice",
            "confirm_signals": False,  # nobody is there to be asked
        },
    )


def to_bars(file: CandleFile) -> Bars:
    """Return a file's candles as the engine's columns: times in nanoseconds."""
    return Bars(file.ts * _MS, file.open, file.high, file.low, file.close, file.volume)


def progress(arguments: argparse.Namespace) -> Callable[[float], object] | None:
    """Return what draws a progress bar, where a person is watching; else None."""
    if arguments.json or not sys.stderr.isatty():
        return None
    shown = -1

    def draw(part: float) -> None:
        nonlocal shown
        percent = int(part * 100)
        if percent != shown:
            shown = percent
            sys.stderr.write(f"\r{'█' * (percent // 4):25} {percent:3} %\r")
            sys.stderr.flush()

    return draw


def _funding(
    path: str | None, candles: dict[Instrument, CandleFile]
) -> dict[Instrument, list[tuple[int, float]]]:
    """Return the settlements that fall into the candles.

    Raises:
        RecordingError: the file cannot be read, or has none for any of the symbols.
    """
    if path is None:
        return {}
    known = read_funding(Path(path))
    found = {
        rules: [
            (ts * _MS, rate)
            for ts, rate in known.get(rules.symbol, ())
            if file.ts[0] <= ts <= file.ts[-1]
        ]
        for rules, file in candles.items()
    }
    if not any(found.values()):
        raise RecordingError(f"{path}: has no settlement of these symbols in the candles' time")
    return found


def _number(arguments: argparse.Namespace, name: str) -> Decimal:
    text = str(getattr(arguments, name))
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value < 0 or (name == "balance" and not value):
        raise UsageError(f"--{name.replace('_', '-')} {text}: expected a number above zero")
    return value


def points(arguments: argparse.Namespace, name: str) -> Decimal | None:
    """Return an option given in basis points as a fraction."""
    return None if getattr(arguments, name) is None else _number(arguments, name) * _BASIS_POINT


def table(answer: BacktestReport) -> list[str]:
    """Return the report as lines for a person."""
    money, percent = numbers.money, numbers.percent
    ratio = "too short to tell"
    if answer.sharpe is not None and answer.sharpe_low is not None:
        ratio = (
            f"{answer.sharpe:.2f}   95 % interval {answer.sharpe_low:.2f} to"
            f" {answer.sharpe_high:.2f}, {answer.sharpe_returns} returns"
        )
    refused = ", ".join(f"{code} {count}" for code, count in answer.refused.items())
    lines = [
        f"{answer.strategy} on {', '.join(answer.venues)}, {answer.start} to {answer.end},"
        f" candles of {answer.timeframe} s",
        "",
        f"  equity        {money(answer.equity_start)} -> {money(answer.equity_end)} USDT"
        f"   {percent(answer.total_return)}",
        f"  Sharpe        {ratio}",
        f"  max drawdown  {percent(answer.max_drawdown, sign=False)}",
        f"  trades        {answer.trades}   orders {answer.orders}, fills {answer.fills},"
        f" stops hit {answer.stops}",
        f"  realised      {numbers.signed(answer.realised)}   fees {money(answer.fees)}"
        f"   funding {numbers.signed(answer.funding)}",
        f"  refusals      {answer.refusals}" + (f"   {refused}" if refused else ""),
        f"  speed         {answer.bars:,} bars in {answer.seconds} s,"
        f" {answer.bars_per_second:,} bars/s",
        f"  decisions     {answer.decision_hash}",
    ]
    if answer.silent_bars:
        lines.append(f"  note          {answer.silent_bars} bars have no volume")
    if answer.halted:
        lines.append(f"  halted        {answer.halted_at}: {clean(answer.halted)}")
    lines += ["", f"  {'':8} {'':8} {'trades':>7} {'realised':>12} {'fees':>10} {'funding':>10}"
              f" {'net':>12}"]  # fmt: skip
    lines += [
        f"  {one.symbol:8} {one.venue:8} {one.trades:7} {one.realised:12,.2f} {one.fees:10,.2f}"
        f" {one.funding:10,.2f} {one.net:12,.2f}"
        for one in answer.by_symbol
    ]
    return lines
