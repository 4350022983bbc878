"""``killcord history``: candles of venues, downloaded once and kept."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from core.desk.ports import Gateway
from core.errors import RecordingError, UsageError, VenueError
from core.home import Home
from core.model.instrument import VENUES, short_symbol, unified_symbol
from core.model.market import Candle, Fact
from core.research.archive import (
    COLUMNS,
    Archive,
    Download,
    Holding,
    Series,
    grid,
    timeframe_of,
    timeframe_text,
)
from core.research.candles import find_files, read_candles
from core.research.past import FACTS_PAGE, Facts, PastDownload, Rates
from tui.market_files import progress
from tui.output import reply
from tui.settings import environment_of

YEAR_MS = 365 * 86_400_000
_MS = 1_000_000
_FINEST = 300
"""Seconds of the shortest candles whose index and open interest are fetched as well."""


def download(arguments: argparse.Namespace) -> int:
    """Fetch what is missing of a span.

    Raises:
        UsageError: a venue, symbol, timeframe or date that is none.
        RecordingError: a file is damaged, or stored candles are not the venue's.
        VenueUnavailable: the venue does not answer; what came is kept.
    """
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    timeframe = _timeframe(arguments.timeframe)
    if timeframe < 60:
        raise UsageError(f"{arguments.timeframe}: venues have candles of a minute and longer")
    end = min(_date(arguments.to, "--to") or now_ms, now_ms)
    start = _date(arguments.since, "--from") or end - YEAR_MS
    if start >= end:
        raise UsageError("--from lies after --to")
    series = [
        _archive(arguments).series(_venue(arguments.venue), symbol, timeframe)
        for symbol in _symbols(arguments.symbol)
    ]
    start, end = grid(start, timeframe), grid(end, timeframe)
    with _way_in(arguments) as (environment, base):
        found = asyncio.run(_fetch(arguments, environment, base, series, start, end))
    reply(arguments, {"type": "history", "downloads": found}, map(_told, found))
    return 0


async def _fetch(
    arguments: argparse.Namespace,
    environment: str,
    base: str,
    series: list[Series],
    start: int,
    end: int,
) -> list[dict[str, Any]]:
    from tui.compose import public_gateway

    gateway = public_gateway(series[0].venue, environment, base)
    draw = progress(arguments)
    found = []
    replace = arguments.replace or environment == "practice"
    try:
        await gateway.look()
        for done, one in enumerate(series):
            work = Download(one, start, end, replace=replace)
            while (ask := work.next()) is not None:
                candles = await gateway.candles(
                    one.symbol, one.timeframe, ask.count, ask.before_ms * _MS
                )
                work.take([candle_row(candle) for candle in candles])
                if draw is not None:
                    draw((done + work.part) / len(series))
            rates = Rates(_archive(arguments).folder, one.venue, one.symbol)
            settled = PastDownload(rates, start, end, replace=replace)
            while (ask := settled.next()) is not None:
                told = await gateway.settlements(one.symbol, ask.count, ask.before_ms * _MS)
                settled.take([(each.ts // _MS, each.rate) for each in told])
            found.append(_facts(one, work) | {"settlements": len(rates.read()), "untold": {}})
            for fact in Fact if one.timeframe >= _FINEST else ():
                past = Facts(_archive(arguments).folder, one.venue, one.symbol, fact, one.timeframe)
                rest = PastDownload(past, start, end + 1, page=FACTS_PAGE, replace=replace)
                try:
                    await _fetch_fact(gateway, one, fact, rest)
                except VenueError as error:  # candles are worth having without it
                    found[-1]["untold"][fact.value] = str(error)
                found[-1][fact.value] = len(past.read())
    finally:
        await gateway.close()
    return found


async def _fetch_fact(gateway: Gateway, one: Series, fact: Fact, work: PastDownload) -> None:
    while (ask := work.next()) is not None:
        told = await gateway.facts(one.symbol, fact, one.timeframe, ask.count, ask.before_ms * _MS)
        work.take([(each.ts // _MS, each.value) for each in told])


def candle_row(candle: Candle) -> tuple[float, ...]:
    """Return a candle as the archive takes it."""
    return (
        candle.ts // _MS, candle.open, candle.high, candle.low, candle.close, candle.volume
    )  # fmt: skip


def _facts(series: Series, work: Download) -> dict[str, Any]:
    starts = series.matrix()[:, 0]
    return {
        "venue": series.venue,
        "symbol": short_symbol(series.symbol),
        "timeframe": timeframe_text(series.timeframe),
        "downloaded": work.got,
        "replaced": work.replaced,
        "stored": len(starts),
        "from": _text(int(starts[0])) if len(starts) else None,
        "to": _text(int(starts[-1])) if len(starts) else None,
        "gaps": [
            {
                "from": _text(first),
                "to": _text(after),
                "candles": (after - first) // (series.timeframe * 1000),
            }
            for first, after in work.gaps()
        ],
    }


def _told(one: dict[str, Any]) -> str:
    name = f"{one['venue']} {one['symbol']} {one['timeframe']}"
    if not one["stored"]:
        return f"{name}: the venue has no candles of that time"
    text = (
        f"{name}: {one['downloaded']:,} candles downloaded, {one['stored']:,} stored,"
        f" {one['from']} to {one['to']}"
    )
    if one["settlements"]:
        text += f"; {one['settlements']:,} settlements of funding"
    for name, what in (("index", "of the index price"), ("interest", "of open interest")):
        if one.get(name):
            text += f", {one[name]:,} {what}"
        if name in one["untold"]:
            text += f"; nothing new {what}: {one['untold'][name]}"
    if one["replaced"]:
        text += f"\n  {one['replaced']:,} stored candles were of another market, and are gone"
    for gap in one["gaps"][:10]:
        text += f"\n  the venue has none from {gap['from']} to {gap['to']} ({gap['candles']:,})"
    more = len(one["gaps"]) - 10
    return text + (f"\n  and {more} more gaps" if more > 0 else "")


def show(arguments: argparse.Namespace) -> int:
    """List what is stored."""
    archive = _archive(arguments)
    holdings = [archive.describe(one) for one in archive.all()]
    lines = [_held(one) for one in holdings]
    nothing = ["nothing is stored: killcord history download bybit BTC 1h"]
    reply(arguments, {"type": "history", "series": holdings}, lines or nothing)
    return 0


def _held(one: Holding) -> str:
    gaps = f"{one.gaps} gaps, {one.missing:,} candles missing" if one.gaps else "no gaps"
    return (
        f"{one.venue:8} {short_symbol(one.symbol):6} {timeframe_text(one.timeframe):>4}"
        f" {one.candles:>10,}  {_text(one.from_ms)} to {_text(one.to_ms)}"
        f"  {one.bytes / 1e6:6.2f} MB  {gaps}"
    )


def export(arguments: argparse.Namespace) -> int:
    """Write a series as one candle file, Parquet or CSV."""
    path = Path(arguments.path)
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{path}: give a name that ends in .parquet or .csv")
    series = one_series(arguments)
    table = series.matrix()
    if not len(table):
        raise UsageError(_nothing(series))
    columns = {name: table[:, i] for i, name in enumerate(COLUMNS)}
    columns["ts_ms"] = table[:, 0].astype(np.int64)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = pyarrow.parquet.write_table if path.suffix == ".parquet" else pyarrow.csv.write_csv
        writer(pyarrow.table(columns), path)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error
    return _say(
        arguments, {"candles": len(table), "path": str(path)}, f"{len(table):,} candles to {path}"
    )


def take_in(arguments: argparse.Namespace) -> int:
    """Store the candles of files."""
    archive = _archive(arguments)
    total = 0
    files = [read_candles(file) for file in find_files(Path(arguments.path))]
    for file in files:
        venue = arguments.venue or file.venue
        if not venue:
            raise UsageError(
                f"{file.path}: give --venue: the folder's name does not begin with one"
            )
        table = np.column_stack([getattr(file, name) for name in ("ts", *COLUMNS[1:])])
        archive.series(_venue(venue), file.symbol, file.timeframe).write(table.tolist())
        total += len(table)
    text = f"{total:,} candles of {len(files)} files stored"
    return _say(arguments, {"candles": total, "files": len(files)}, text)


def one_series(arguments: argparse.Namespace) -> Series:
    """Return the series that venue, symbol and timeframe of a command name."""
    symbols = _symbols(arguments.symbol)
    if len(symbols) != 1:
        raise UsageError(f"{arguments.symbol}: one symbol at a time")
    return _archive(arguments).series(
        _venue(arguments.venue), symbols[0], _timeframe(arguments.timeframe)
    )


@contextmanager
def _way_in(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Give the environment, and in practice the address of the exchange; a desk's is used."""
    from tui.practice import ensure, find_running
    from tui.settings import read

    home = Home.find()
    environment = environment_of(arguments, home)
    if environment != "practice":
        yield environment, ""
        return
    config = read(arguments, home)
    home.make("practice")
    found = find_running(home)
    server = found or ensure(home, config.practice)
    try:
        yield "practice", server.url
    finally:
        if found is None:
            server.stop()


def _archive(arguments: argparse.Namespace) -> Archive:
    home = Home.find()
    return Archive(home.history(environment_of(arguments, home)))


def _say(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
    reply(arguments, {"type": "history"} | answer, [text])
    return 0


def _nothing(series: Series) -> str:
    name = f"{series.venue} {short_symbol(series.symbol)} {timeframe_text(series.timeframe)}"
    return f"nothing is stored of {name}: killcord history download {name}"


def _symbols(text: str) -> list[str]:
    names = [name for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("name a symbol, such as BTC, or several: BTC,ETH")
    return [unified_symbol(name) for name in names]


def _venue(text: str) -> str:
    if text.lower() not in VENUES:
        raise UsageError(f"no venue {text!r}: choose one of {', '.join(VENUES)}")
    return text.lower()


def _timeframe(text: str) -> int:
    try:
        return timeframe_of(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _date(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name} {text}: expected a date such as 2026-03-01") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp() * 1000)


def _text(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
