"""Does a backtest decide what a desk decided? A recorded session against a backtest of its market.

The session's desk had sockets, a loop, venues that answered in their own time. The backtest has the
market events of the recording alone, and answers of its own making. What the strategies said must
be the same, to the nanosecond and digit; what orders and fills came of it may differ, as venues do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from core.clock import SECOND
from core.config import Config
from core.errors import RecordingError
from core.journal.recording import End, read_end, read_recording, read_session
from core.model.effect import Effect, Signalled, SubmitOrder
from core.model.event import VenueOpened
from core.model.instrument import Instrument
from core.model.order import Fill
from core.research.flow import run_flow
from core.signals.strategy import Strategy


class Parity(Struct, frozen=True):
    """How a desk's decisions compare with a backtest's on the same market events."""

    recording: str
    seconds: float
    """Of the session, 0 where it has no end."""
    events: int
    live: int
    """Signals of the desk."""
    backtest: int
    same: int
    """Signals that are in both."""
    difference: str
    """The first signal that is in one alone; empty for none."""
    live_orders: int
    backtest_orders: int
    live_fills: int
    backtest_fills: int
    equal: bool
    """Whether there are signals, and all are the same."""


def check_parity(
    path: Path,
    config: Config,
    make_strategy: Callable[[], Strategy],
    latency: int,
) -> Parity:
    """Backtest a recorded session's market, and compare.

    Args:
        path: the session's folder.
        config: the session's own.
        make_strategy: of the strategy it names.
        latency: see ``core.research.flow``.

    Raises:
        RecordingError: it cannot be read.
    """
    session, end = read_session(path), read_end(path)
    live, orders, fills = _live(path)
    result = run_flow(
        (one.event for one in read_recording(path)),
        recorded_instruments(path, config),
        config,
        start=session.started,
        latency=latency,
        make_strategy=make_strategy,
    )
    mine, theirs = _keys(live), _keys(result.signals)
    alone = sorted(mine ^ theirs, key=lambda key: key[2])
    difference = ""
    if alone:
        where = "the desk" if alone[0] in mine else "the backtest"
        venue, symbol, ts, target, score = alone[0]
        difference = f"only {where}: {venue} {symbol} at {ts}: {target:+d}, {score:g}"
    return Parity(
        path.name,
        _seconds(session.started, end),
        result.bars,
        len(live),
        len(result.signals),
        len(mine & theirs),
        difference,
        orders,
        result.orders,
        fills,
        result.fills,
        bool(live) and not alone,
    )


def recorded_instruments(path: Path, config: Config) -> list[Instrument]:
    """Return what a session traded, as its venues listed it.

    Raises:
        RecordingError: no venue opened.
    """
    listed: dict[str, tuple[Instrument, ...]] = {}
    for recorded in read_recording(path):
        event = recorded.event
        if isinstance(event, VenueOpened):
            listed.setdefault(event.venue, event.instruments)
        if listed.keys() >= set(config.venues) or recorded.seq > _LOOK:
            break
    found = [one for rules in listed.values() for one in rules if one.symbol in config.symbols]
    if not found:
        raise RecordingError(f"{path}: no venue opened with a symbol that is asked for")
    return found


_LOOK = 100_000
"""Events of a session in which its venues must have opened."""
_Key = tuple[str, str, int, int, float]


def _live(path: Path) -> tuple[list[Signalled], int, int]:
    """Return a session's signals, and how many orders and fills it had."""
    decode = msgspec.json.Decoder(list[Effect]).decode
    signals: list[Signalled] = []
    orders = fills = 0
    for recorded in read_recording(path):
        fills += isinstance(recorded.event, Fill)
        if recorded.decisions:
            for effect in decode(recorded.decisions):
                if isinstance(effect, Signalled):
                    signals.append(effect)
                orders += isinstance(effect, SubmitOrder)
    return signals, orders, fills


def _keys(signals: list[Signalled] | tuple[Signalled, ...]) -> set[_Key]:
    return {(one.venue, one.symbol, one.ts, one.target, one.score) for one in signals}


def _seconds(started: int, end: End | None) -> float:
    return 0.0 if end is None else round((end.ended - started) / SECOND, 1)
