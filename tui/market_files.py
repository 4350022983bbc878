"""What research commands play: candle, trade, book and funding files, and their instruments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from core.config import Config
from core.config_file import load
from core.errors import RecordingError, UsageError
from core.home import Home
from core.model.instrument import Instrument, short_symbol, unified_symbol
from core.model.market import Fact, FactTold
from core.research.archive import Archive, Series, timeframe_of
from core.research.candles import CandleFile, find_files, read_candles, read_settlements
from core.research.past import Facts, Rates
from core.signals.families import basis, interest
from core.signals.folder import find_strategy
from core.signals.registry import find_model
from core.signals.strategy import Strategy, named, strategy_maker
from exchanges.practice.contracts import LISTINGS, list_contracts, make_listing
from tui.settings import environment_of

_MS = 1_000_000
_BASIS_POINT = Decimal("0.0001")


def read_files(arguments: argparse.Namespace) -> list[CandleFile]:
    """Read the candles that are meant: files, or what ``killcord history`` has stored.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: nothing is of a wanted symbol.
    """
    wanted = {unified_symbol(name) for name in (arguments.symbols or "").split(",") if name}
    if not arguments.candles:
        return _stored(arguments, wanted)
    if "," in arguments.venue:
        raise UsageError(f"--venue {arguments.venue}: files are played by the rules of one venue")
    paths = [file for path in arguments.candles for file in find_files(Path(path))]
    bases = {path: unified_symbol(path.name.partition(".")[0].partition("_")[0]) for path in paths}
    files = [read_candles(path) for path in paths if not wanted or bases[path] in wanted]
    missing = wanted - {file.symbol for file in files}
    if missing:
        names = ", ".join(sorted(short_symbol(symbol) for symbol in missing))
        there = ", ".join(sorted(short_symbol(symbol) for symbol in bases.values())) or "none"
        where = " ".join(arguments.candles)
        raise UsageError(f"--symbols: no candle file of {names} in {where}; there is {there}")
    return files


def _stored(arguments: argparse.Namespace, wanted: set[str]) -> list[CandleFile]:
    if not (arguments.venue and arguments.timeframe):
        raise UsageError("give --candles PATH; or --venue and --timeframe for what is stored")
    try:
        timeframe = timeframe_of(arguments.timeframe)
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = Home.find()
    found: list[Series] = []
    for venue in dict.fromkeys(arguments.venue.split(",")):
        mine = [
            series
            for series in Archive(home.history(environment_of(arguments, home))).all()
            if (series.venue, series.timeframe) == (venue, timeframe)
            and (not wanted or series.symbol in wanted)
        ]
        missing = wanted - {series.symbol for series in mine}
        if missing or not mine:
            names = ",".join(sorted(short_symbol(symbol) for symbol in missing)) or "BTC"
            what = f"{venue} {names} {arguments.timeframe}"
            raise UsageError(f"not stored: killcord history download {what}")
        found += mine
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
    arguments: argparse.Namespace, venue: str, symbol: str, price: float
) -> Instrument:
    """Return the rules under which a symbol is traded: the venue's, as practice has them.

    Args:
        arguments: ``--venue``, ``--taker-fee`` and ``--maker-fee`` go first.
        venue: the file's own, or empty, which means Bybit.
        symbol: unified.
        price: about; decides the grid of an asset that practice does not know.
    """
    taker, maker = (points(arguments, name) for name in ("taker_fee", "maker_fee"))
    name = venue if "," in arguments.venue else arguments.venue or venue or "bybit"
    base = short_symbol(symbol)
    known = {listing.base: listing for listing in LISTINGS}.get(base)
    listing = make_listing(base, price, known)
    return set_fees(list_contracts(name, (listing,))[symbol].instrument, taker, maker)


def set_fees(rules: Instrument, taker: Decimal | None, maker: Decimal | None) -> Instrument:
    """Return an instrument with other fees, fractions of notional; None keeps the venue's."""
    return msgspec.structs.replace(
        rules,
        taker_fee=rules.taker_fee if taker is None else taker,
        maker_fee=rules.maker_fee if maker is None else maker,
    )


def list_candles(
    arguments: argparse.Namespace, files: Iterable[CandleFile]
) -> dict[Instrument, CandleFile]:
    """Return candle files by the instrument they are played as.

    Raises:
        UsageError: two of them are of the same one.
    """
    found: dict[Instrument, CandleFile] = {}
    for file in files:
        rules = list_instrument(arguments, file.venue, file.symbol, float(file.open[0]))
        if rules in found:
            raise UsageError(
                f"{found[rules].path} and {file.path} are of the same symbol and venue"
            )
        found[rules] = file
    return found


def configure(
    arguments: argparse.Namespace, instruments: Iterable[Instrument], timeframe: int | None
) -> Config:
    """Load the configuration, with the strategy of the command line and the world that is played.

    The environment is left out: a backtest must not depend on the shell it was started from.

    Raises:
        ConfigError: with every problem found.
        UsageError: a ``--set`` without a value, or a file that does not exist.
    """
    names = list(instruments)
    return load_config(
        arguments,
        [one.venue for one in names],
        [one.symbol for one in names],
        arguments.timeframe if timeframe is None else timeframe,
    )


def load_config(
    arguments: argparse.Namespace,
    venues: Iterable[str],
    symbols: Iterable[str],
    timeframe: float | str | None,
    more: Mapping[str, Any] | None = None,
) -> Config:
    """Load the configuration with the choices of the command line.

    Args:
        arguments: ``--config``, ``--set`` and ``--strategy``.
        venues: to trade on, repeated or not.
        symbols: unified, repeated or not.
        timeframe: of candles; None for the configured one.
        more: further settings by dotted name; they come last.

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
    return load(
        path,
        {},
        overrides
        | {
            "strategy.name": arguments.strategy,
            "strategy.timeframe": timeframe,
            "venues": list(dict.fromkeys(venues)),
            "symbols": list(dict.fromkeys(symbols)),
            "environment": "practice",
            "confirm_signals": False,  # nobody is there to be asked
        }
        | dict(more or {}),
    )


def strategy_of(config: Config, home: Home, environment: str) -> Callable[[], Strategy]:
    """Return what makes the configured strategy, one of a home's own or a model included.

    Args:
        config: names it.
        home: has strategies and models.
        environment: whose models.

    Raises:
        ConfigError: there is no such strategy.
    """
    own = find_strategy(home.strategies, config.strategy)
    if "lightgbm" in named(config.strategy):
        own |= find_model(home.models(environment), config.strategy)
    return strategy_maker(config.strategy, own)


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


def warn_of_funding(config: Config, funding: Mapping[Instrument, object]) -> None:
    """Say so where a strategy lives on funding rates and none are played."""
    if not funding and "funding_carry" in named(config.strategy):
        sys.stderr.write("no funding rates are played, so funding_carry never trades:"
                         " give --funding FILE\n")  # fmt: skip


def settlements(
    path: str | None, spans: dict[Instrument, tuple[int, int]]
) -> dict[Instrument, list[tuple[int, float]]]:
    """Return the settlements that fall into what is played: nanoseconds UTC, and rate.

    Args:
        path: of the file, or of a folder with one a venue; None for none.
        spans: first and last time of each instrument, milliseconds UTC.

    Raises:
        RecordingError: the file cannot be read, or has none for any of the symbols.
    """
    if path is None:
        return {}
    known = read_settlements(Path(path), [(rules.venue, rules.symbol) for rules in spans])
    found = {
        rules: [
            (ts * _MS, rate)
            for ts, rate in known.get((rules.venue, rules.symbol), ())
            if first <= ts <= last
        ]
        for rules, (first, last) in spans.items()
    }
    if not any(found.values()):
        raise RecordingError(
            f"{path}: has no settlement of these symbols in the time that is played"
        )
    return found


def funding_of(
    arguments: argparse.Namespace, spans: dict[Instrument, tuple[int, int]]
) -> dict[Instrument, list[tuple[int, float]]]:
    """Return the settlements that candles are played with: of ``--funding``, else the stored ones.

    Args:
        arguments: of a command that plays candles.
        spans: see ``settlements``.

    Raises:
        RecordingError: a file cannot be read, or has none of what was asked for.
    """
    if arguments.funding or arguments.candles:
        return settlements(arguments.funding, spans)
    home = Home.find()
    folder = home.history(environment_of(arguments, home))
    found = {
        rules: [
            (ts * _MS, rate)
            for ts, rate in Rates(folder, rules.venue, rules.symbol).read(first, last + 1)
        ]
        for rules, (first, last) in spans.items()
    }
    return {rules: settled for rules, settled in found.items() if settled}


def facts_of(
    arguments: argparse.Namespace,
    files: Mapping[Instrument, CandleFile],
    needs: Iterable[str],
) -> dict[Instrument, list[FactTold]]:
    """Return the stored index and open interest of what is played, for a strategy that needs them.

    Args:
        arguments: of a command that plays candles.
        files: what is played.
        needs: of the strategy, see ``Context``.

    Raises:
        RecordingError: a file is damaged.
    """
    wanted = {Fact.INDEX: basis.FEATURES, Fact.INTEREST: interest.FEATURES}
    asked = set(needs)
    kinds = [fact for fact, own in wanted.items() if asked & {one.name for one in own}]
    if arguments.candles or not kinds:
        return {}
    home = Home.find()
    folder = home.history(environment_of(arguments, home))
    found = {}
    for rules, file in files.items():
        place = rules.venue, rules.symbol
        last = int(file.ts[-1]) + file.timeframe * 1000
        told = [
            FactTold(*place, fact, value, ts * _MS, ts * _MS)
            for fact in kinds
            for ts, value in Facts(folder, *place, fact, file.timeframe).read(
                int(file.ts[0]), last + 1
            )
        ]
        found[rules] = sorted(told, key=lambda one: one.ts)
    return found


def number(arguments: argparse.Namespace, name: str) -> Decimal:
    """Return an option that is a number, 0 or more; a balance is above 0.

    Raises:
        UsageError: it is none.
    """
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
    return None if getattr(arguments, name) is None else number(arguments, name) * _BASIS_POINT
