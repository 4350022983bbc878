"""``killcord backtest``: the past through the live engine, and what it would have come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from core.config import Config
from core.errors import UsageError
from core.home import Home
from core.model.instrument import Instrument
from core.research.audit import audit
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.model_notes import ModelNotes
from core.research.report import BacktestReport, count_codes, hold, report
from core.research.result import BacktestResult
from core.signals.strategy import Strategy
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
    settlements,
    strategy_of,
    warn_of_funding,
)
from tui.output import reply
from tui.settings import environment_of
from tui.text import clean

_MS = 1_000_000
_EVER = 1 << 62


_FAILURES = 3
"""Instruments on which a strategy raised that are named."""


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord backtest``: 0, or 1 where an audit or a comparison that was asked for failed.

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
    candles = given in ([], ["candles"])
    if arguments.audit and not candles:
        raise UsageError("--audit: plays candles with other futures; give --candles")
    answer = play_candles(arguments) if candles else play_flow(arguments)
    if arguments.check_parity:
        from tui.parity import compare_live

        answer = msgspec.structs.replace(answer, parity=compare_live(arguments))
    if arguments.html:
        _write_page(Path(arguments.html), answer)
    reply(arguments, answer, table(answer))
    sound = not answer.failed and (answer.audit is None or answer.audit.clean)
    return 0 if sound and (answer.parity is None or answer.parity.equal) else 1


def play_candles(arguments: argparse.Namespace) -> BacktestReport:
    """Trade candles: files, or what ``killcord history`` has stored."""
    files = read_files(arguments)
    timeframe = one_timeframe(files)
    candles = list_candles(arguments, files)
    config = configure(arguments, candles, timeframe)
    slippage = points(arguments, "slippage") or Decimal(0)
    spans = {rules: (int(one.ts[0]), int(one.ts[-1])) for rules, one in candles.items()}
    balance, funding = number(arguments, "balance"), funding_of(arguments, spans)
    warn_of_funding(config, funding)
    notes = ModelNotes()
    make, show = employ(arguments, config), progress(arguments)
    facts = facts_of(arguments, candles, getattr(make(), "needs", ()))

    def play(
        chosen: Mapping[Instrument, Bars],
        tell: Callable[[float], object] | None = None,
        strategy: Callable[[], Strategy] = make,
    ) -> BacktestResult:
        return run_backtest(
            chosen,
            config,
            balance=balance,
            funding=funding,
            slippage=float(slippage),
            facts=facts,
            make_strategy=strategy,
            progress=tell,
        )

    bars = {rules: Bars.of(file) for rules, file in candles.items()}
    result = play(bars, show, notes.listen(make))
    silent = sum(file.silent for file in files)
    answer = report(result, "candles", config.strategy, silent, hold(bars.values()))
    answer = msgspec.structs.replace(answer, model=notes.report())
    if arguments.audit:
        answer = msgspec.structs.replace(answer, audit=audit(bars, play, show))
    return answer


def play_flow(arguments: argparse.Namespace) -> BacktestReport:
    """Trade trades, books or a recorded session."""
    # Recordings are read by the venues' own parsers, which candles do without: 0.1 s.
    from core.research.flow import run_flow
    from tui.flow_files import read_flow

    flow = read_flow(arguments)
    config = configure(arguments, flow.instruments, None)
    spans = dict.fromkeys(flow.instruments, (flow.start // _MS, (flow.end or _EVER) // _MS))
    notes = ModelNotes()
    result = run_flow(
        flow.events,
        flow.instruments,
        config,
        start=flow.start,
        total=flow.total,
        balance=number(arguments, "balance"),
        funding=settlements(arguments.funding, spans),
        latency=int(number(arguments, "latency") * _MS),
        make_strategy=notes.listen(employ(arguments, config)),
        progress=progress(arguments),
    )
    answer = report(result, flow.source, config.strategy, 0)
    return msgspec.structs.replace(answer, model=notes.report())


def _write_page(path: Path, answer: BacktestReport) -> None:
    from core.research.page import make_page

    try:
        path.write_text(make_page(answer), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: {error.strerror}") from error


def employ(arguments: argparse.Namespace, config: Config) -> Callable[[], Strategy]:
    """Return what makes the configured strategy, one of the user's own or a model included."""
    home = Home.find()
    return strategy_of(config, home, environment_of(arguments, home))


def table(answer: BacktestReport) -> list[str]:
    """Return the report as lines for a person."""
    money, percent = numbers.money, numbers.percent
    ratio = "too short to tell"
    if answer.sharpe is not None and answer.sharpe_low is not None:
        ratio = (
            f"{answer.sharpe:.2f}   95 % interval {answer.sharpe_low:.2f} to"
            f" {answer.sharpe_high:.2f}, {answer.sharpe_returns} returns"
        )
    what = "bars" if answer.source == "candles" else "events"
    refused, tripped = count_codes(answer)
    lines = [
        f"{answer.strategy} on {', '.join(answer.venues)}, {answer.start} to {answer.end},"
        f" candles of {numbers.span(answer.timeframe)}",
        "",
        f"  equity        {money(answer.equity_start)} -> {money(answer.equity_end)} USDT"
        f"   {percent(answer.total_return)}",
        *_market(answer),
        f"  Sharpe        {ratio}",
        f"  max drawdown  {percent(answer.max_drawdown, sign=False)}{_when(answer)}",
        f"  trades        {answer.trades}   orders {answer.orders}, fills {answer.fills},"
        f" stops hit {answer.stops}",
        f"  realised      {numbers.signed(answer.realised)}   fees {money(answer.fees)}"
        f"   funding {numbers.signed(answer.funding)}",
        *_trips(answer),
        f"  refusals      {answer.refusals}" + (f"   {refused}" if refused else ""),
        *([f"  breakers      {tripped}"] if tripped else []),
        f"  speed         {answer.bars:,} {what} in {answer.seconds} s,"
        f" {answer.bars_per_second:,} {what}/s",
        f"  decisions     {answer.decision_hash}",
    ]
    if answer.no_signal:
        lines.append(f"  no signal     {clean(answer.no_signal, 300)}")
    if answer.failed:
        lines += [f"  FAILED        {clean(text, 300)}" for text in answer.failed[:_FAILURES]]
        if len(answer.failed) > _FAILURES:
            lines.append(f"                and on {len(answer.failed) - _FAILURES} more")
    if answer.liquidations:
        lines.append(f"  liquidated    {answer.liquidations} positions: the margin was used up")
    if answer.silent_bars:
        lines.append(f"  note          {answer.silent_bars} bars have no volume")
    if answer.halted:
        lines += [
            f"  halted        {answer.halted_at}: {clean(answer.halted)}",
            "                nothing was traded after it; --set limits.drawdown=1 and"
            " limits.daily_loss=1 let it run",
        ]
    lines += _months(answer) + _model(answer) + _audit(answer) + _parity(answer)
    lines += ["", f"  {'':8} {'':8} {'trades':>7} {'realised':>12} {'fees':>10} {'funding':>10}"
              f" {'net':>12}"]  # fmt: skip
    lines += [
        f"  {one.symbol:8} {one.venue:8} {one.trades:7} {one.realised:12,.2f} {one.fees:10,.2f}"
        f" {one.funding:10,.2f} {one.net:12,.2f}"
        for one in answer.by_symbol
    ]
    return lines


def _market(answer: BacktestReport) -> list[str]:
    held = f"in the market {answer.exposure:.0%} of the time"
    if answer.market_return is None:
        return [f"  exposure      {held}"]
    return [f"  buy and hold  {numbers.percent(answer.market_return)}   {held}"]


def _when(answer: BacktestReport) -> str:
    if not answer.drawdown_from:
        return ""
    over = f"over {answer.drawdown_over[:10]}" if answer.drawdown_over else "not over"
    return f"   from {answer.drawdown_from[:10]} to {answer.drawdown_to[:10]}, {over}"


def _trips(answer: BacktestReport) -> list[str]:
    facts, drawn = answer.trips, answer.monte_carlo
    lines = []
    if facts is not None:
        factor = "" if facts.profit_factor is None else f", profit factor {facts.profit_factor:.2f}"
        lines.append(
            f"  won           {facts.won:.1%}   on average {numbers.signed(facts.average_win)}, the"
            f" others {numbers.signed(facts.average_loss)}{factor};"
            f" held {numbers.age(facts.seconds_held)} in the middle"
        )
        lines.append(
            f"  best, worst   {numbers.signed(facts.best)}, {numbers.signed(facts.worst)} USDT"
        )
    if drawn is not None:
        low, middle, high = (numbers.percent(value) for value in drawn.total_return)
        *_, worst = drawn.max_drawdown
        lines.append(
            f"  luck          {low} to {high} in 90 % of {drawn.draws:,} draws of the trades,"
            f" middle {middle}; drawdown above {worst:.2%} in 5 %"
        )
    return lines


def _months(answer: BacktestReport) -> list[str]:
    if len(answer.months) < 2:
        return []
    cells = [f"{one.month} {numbers.percent(one.change):>8}" for one in answer.months]
    rows = [cells[at : at + 4] for at in range(0, len(cells), 4)]
    return ["", *("  " + "   ".join(row) for row in rows)]


def _model(answer: BacktestReport) -> list[str]:
    found = answer.model
    if found is None:
        return []
    lines = ["", f"  model         {clean(found.name)}"]
    if found.calibration:
        said = "  ".join(f"{one.said:.0%}:{one.came:.0%}" for one in found.calibration)
        lines.append(f"  said:came     {said}")
    if found.importance:
        heavy = ", ".join(f"{name} {share:.0%}" for name, share in found.importance[:6])
        lines.append(f"  looks at      {heavy}")
    return lines


def _audit(answer: BacktestReport) -> list[str]:
    found = answer.audit
    if found is None:
        return []
    if found.clean:
        said = f"clean: {found.signals:,} signals are the same with {found.runs - 1} other futures"
    else:
        said = f"SEES THE FUTURE: {clean(found.finding, 300)}"
    return ["", f"  look-ahead    {said}"]


def _parity(answer: BacktestReport) -> list[str]:
    found = answer.parity
    if found is None:
        return []
    verdict = "EQUAL" if found.equal else "DIFFERENT" if found.live else "NOTHING TO COMPARE"
    lines = [
        "",
        f"  parity        {verdict}: {found.same} of {found.live} signals of the desk are the"
        f" backtest's, {found.backtest} there; {found.events:,} events in {found.seconds:.0f} s",
        f"                orders {found.live_orders} live, {found.backtest_orders} backtest;"
        f" fills {found.live_fills}, {found.backtest_fills}",
    ]
    return (
        [*lines, f"                {clean(found.difference, 300)}"] if found.difference else lines
    )
