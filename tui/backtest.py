"""``killcord backtest``: the past through the live engine, and what it would have come to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from decimal import Decimal

import msgspec

from core.config import Config
from core.errors import UsageError
from core.home import Home
from core.research.backtest import run_backtest
from core.research.flow import run_flow
from core.research.report import BacktestReport, report
from core.signals.folder import find_strategy
from core.signals.registry import find_model
from core.signals.strategy import Strategy, named, strategy_maker
from tui import numbers
from tui.flow_files import read_flow
from tui.market_files import (
    configure,
    list_candles,
    number,
    one_timeframe,
    points,
    progress,
    read_files,
    settlements,
    to_bars,
)
from tui.settings import environment_of
from tui.text import clean

_MS = 1_000_000
_EVER = 1 << 62


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord backtest``.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: files that do not fit together, or numbers that are none.
        ConfigError: with every problem found.
    """
    sources = ("candles", "trades", "books", "recording")
    given = [name for name in sources if getattr(arguments, name)]
    stored = arguments.venue and arguments.timeframe
    if len(given) > 1 or not (given or stored):
        names = ", ".join(f"--{name}" for name in sources)
        raise UsageError(
            f"name what is to be played, once: one of {names};"
            " or --venue and --timeframe for stored candles"
        )
    play = play_candles if given in ([], ["candles"]) else play_flow
    answer = play(arguments)
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in table(answer))
    return 0


def play_candles(arguments: argparse.Namespace) -> BacktestReport:
    """Trade candles: files, or what ``killcord history`` has stored."""
    files = read_files(arguments)
    timeframe = one_timeframe(files)
    candles = list_candles(arguments, files)
    config = configure(arguments, candles, timeframe)
    slippage = points(arguments, "slippage") or Decimal(0)
    spans = {rules: (int(one.ts[0]), int(one.ts[-1])) for rules, one in candles.items()}
    result = run_backtest(
        {rules: to_bars(file) for rules, file in candles.items()},
        config,
        balance=number(arguments, "balance"),
        funding=settlements(arguments.funding, spans),
        slippage=float(slippage),
        make_strategy=employ(arguments, config),
        progress=progress(arguments),
    )
    return report(result, "candles", config.strategy, sum(file.silent for file in files))


def play_flow(arguments: argparse.Namespace) -> BacktestReport:
    """Trade trades, books or a recorded session."""
    flow = read_flow(arguments)
    config = configure(arguments, flow.instruments, None)
    spans = dict.fromkeys(flow.instruments, (flow.start // _MS, (flow.end or _EVER) // _MS))
    result = run_flow(
        flow.events,
        flow.instruments,
        config,
        start=flow.start,
        total=flow.total,
        balance=number(arguments, "balance"),
        funding=settlements(arguments.funding, spans),
        latency=int(number(arguments, "latency") * _MS),
        make_strategy=employ(arguments, config),
        progress=progress(arguments),
    )
    return report(result, flow.source, config.strategy, 0)


def employ(arguments: argparse.Namespace, config: Config) -> Callable[[], Strategy]:
    """Return what makes the configured strategy, one of the user's own or a model included."""
    home = Home.find()
    own = find_strategy(home.strategies, config.strategy)
    if "lightgbm" in named(config.strategy):
        own |= find_model(home.models(environment_of(arguments, home)), config.strategy)
    return strategy_maker(config.strategy, own)


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
