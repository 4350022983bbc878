"""Trades, order books and recorded sessions as one stream of events, for ``killcord backtest``."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from core.errors import RecordingError, UsageError
from core.home import Home
from core.journal.recording import read_end, read_recording, read_session
from core.model.event import Event
from core.model.instrument import Instrument, unified_symbol
from core.research.parity import recorded_instruments
from core.research.replay import find_session, recorded_config
from core.research.ticks import TickFile, read_ticks, tick_events
from exchanges.recorded import identify, read_frames
from tui.market_files import list_instrument, points, set_fees


class Flow(Struct, frozen=True):
    """Recorded market events, ready to be played."""

    source: str
    """``trades``, ``books`` or ``recording``."""
    instruments: tuple[Instrument, ...]
    events: Iterable[Event]
    start: int
    """Nanoseconds UTC."""
    end: int
    """0 where it is not known before the events are read."""
    total: int
    """Events; 0 where it is not known."""


def read_flow(arguments: argparse.Namespace) -> Flow:
    """Read what ``--trades``, ``--books`` or ``--recording`` name.

    Raises:
        RecordingError: a file cannot be read, or a row of it is wrong.
        UsageError: files that do not fit together.
    """
    if arguments.recording:
        return _recording(arguments)
    lanes = _trades(arguments) if arguments.trades else _books(arguments)
    wanted = {unified_symbol(name) for name in (arguments.symbols or "").split(",") if name}
    lanes = [(rules, events) for rules, events in lanes if not wanted or rules.symbol in wanted]
    if not lanes:
        raise UsageError("--symbols: none of the files is of such a symbol")
    events = list(heapq.merge(*(each for _, each in lanes), key=lambda event: event.received))
    return Flow(
        "trades" if arguments.trades else "books",
        tuple(dict.fromkeys(rules for rules, _ in lanes)),
        events,
        events[0].received,
        events[-1].received,
        len(events),
    )


def _trades(arguments: argparse.Namespace) -> list[tuple[Instrument, Iterator[Event]]]:
    files = [read_ticks(path) for path in _paths(arguments.trades)]
    listed: dict[tuple[str, str], Instrument] = {}
    for file in files:
        key = (file.venue, file.symbol)
        if key not in listed:
            listed[key] = list_instrument(arguments, *key, file.first)
    quoted = {(file.venue, file.symbol) for file in files if file.quotes}

    def play(file: TickFile) -> Iterator[Event]:
        key = (file.venue, file.symbol)
        rules = listed[key]
        return tick_events(file, rules.venue, key in quoted, float(rules.tick))

    return [(listed[file.venue, file.symbol], play(file)) for file in files]


def _books(arguments: argparse.Namespace) -> list[tuple[Instrument, Iterator[Event]]]:
    lanes: list[tuple[Instrument, Iterator[Event]]] = []
    for path in _paths(arguments.books):
        venue, base, price = identify(path)
        if arguments.venue not in ("", venue):
            raise UsageError(f"--venue {arguments.venue}: the frames of {path} are {venue}'s")
        rules = list_instrument(arguments, venue, unified_symbol(base), price)
        if rules in {known for known, _ in lanes}:
            raise UsageError(f"{path}: a second recording of {rules.symbol} at {venue}")
        lanes.append((rules, read_frames(path, rules)))
    return lanes


def _paths(names: list[str]) -> list[Path]:
    paths: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.is_file())
            if not found:
                raise RecordingError(f"{path}: no files in this folder")
            paths += found
        else:
            paths.append(path)
    return paths


def _recording(arguments: argparse.Namespace) -> Flow:
    path = find_session(Home.find(), arguments.recording)
    session, end = read_session(path), read_end(path)
    wanted = {unified_symbol(name) for name in (arguments.symbols or "").split(",") if name}
    taker, maker = (points(arguments, name) for name in ("taker_fee", "maker_fee"))
    instruments = tuple(
        set_fees(rules, taker, maker)
        for rules in recorded_instruments(path, recorded_config(session, path))
        if (not wanted or rules.symbol in wanted) and arguments.venue in ("", rules.venue)
    )
    if not instruments:
        raise UsageError(f"--symbols, --venue: {path} has no such instrument")
    return Flow(
        "recording",
        instruments,
        (recorded.event for recorded in read_recording(path)),
        session.started,
        0 if end is None else end.ended,
        0 if end is None else end.events,
    )
