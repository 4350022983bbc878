"""A recorded session through the same engine again, every decision compared with the recorded one.

The engine gets what the desk's had: configuration, ledger, client order ids, and every event with
its time. What it decides must be what was decided then, byte for byte; the first difference is
named. Kill executor, venues and sockets have no part in it: what they did came in as events.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct
from pydantic import ValidationError

from core.clock import SECOND
from core.config import Config
from core.engine.engine import Engine
from core.errors import RecordingError
from core.home import Home
from core.journal.recording import (
    End,
    Recorded,
    Session,
    encode_decisions,
    read_end,
    read_recording,
    read_session,
    segments_of,
)
from core.model.effect import Effect, SubmitOrder
from core.model.event import Event, encode
from core.orders.ids import ClientIds
from core.portfolio.checkpoint import Checkpoint, restore
from core.signals.folder import find_strategy
from core.signals.stamp import stamp
from core.signals.strategy import strategy_maker

PROGRESS_EVERY = 5_000
"""Events between two words about progress."""
Progress = Callable[[int, int], None]
"""Told how many events are done, and of how many; 0 when that is not known."""


class Difference(Struct, frozen=True):
    """The first decision that is not the recorded one."""

    seq: int
    """Number of the event."""
    ts: int
    """When it was received, nanoseconds UTC."""
    event: str
    """As JSON, like the next two."""
    recorded: str
    """What was decided then; empty for nothing."""
    replayed: str


class ReplayReport(Struct, frozen=True, tag_field="type", tag="replay"):
    """What a replay came to."""

    recording: str
    environment: str
    started: int
    """Nanoseconds UTC, of the recorded session."""
    seconds: float
    """Of the recorded session, first to last event."""
    events: int
    orders: int
    fills: int
    refusals: int
    decision_hash: str
    recorded_hash: str
    """Of the desk, over the whole session; empty when the session has no end."""
    complete: bool
    """Whether the session has an end: its desk neither runs still nor crashed."""
    equal: bool
    difference: Difference | None
    note: str
    """What else a person should know; may be empty."""


class Rerun:
    """The engine on a recorded session.

    Args:
        path: the session's folder.
        home: where the user's own strategies are.

    Raises:
        RecordingError: it is not a session, or one of another version.
        ConfigError: the strategy it names is not there any more.
    """

    def __init__(self, path: Path, home: Home) -> None:
        self.path = path
        self.session = session = read_session(path)
        self.end: End | None = read_end(path)
        self.config = config = recorded_config(session, path)
        self.note = ""
        own = find_strategy(home.strategies, config.strategy)
        if stamp(home.strategies, config.strategy) != session.strategy:
            self.note = f"the strategy {config.strategy.name} is not the one that was recorded"
        try:
            ledger = restore(msgspec.json.decode(session.checkpoint, type=Checkpoint))
        except msgspec.MsgspecError as error:
            raise RecordingError(f"{path}: its ledger is of another version: {error}") from error
        ids = ClientIds(session.instance, session.epoch, session.key, ledger.next_seq)
        self.engine = Engine(
            config, ids, ledger, make_strategy=strategy_maker(config.strategy, own)
        )
        self._fills = ledger.fills

    @property
    def fills(self) -> int:
        """Fills booked so far, in this session."""
        return self.engine.ledger.fills - self._fills

    def check_end(self, seq: int) -> None:
        """Check that the last event read is the last one recorded.

        Raises:
            RecordingError: events are missing at the end.
        """
        if self.end is not None and seq < self.end.events:
            raise RecordingError(
                f"{self.path}: ends at event {seq}, but {self.end.events} were recorded"
            )


def decide(engine: Engine, event: Event) -> tuple[Effect, ...]:
    """Give the engine an event, as the desk did, and return what it decides.

    An engine that failed on it then fails on it now; the desk went on, told it so by the next
    event, and what had been decided came out with that one.
    """
    try:
        return engine.process(event)
    except Exception:
        return ()


def compare(recorded: Recorded, effects: tuple[Effect, ...]) -> Difference | None:
    """Return how the decisions on an event differ from the recorded ones; None when they do not."""
    made = encode_decisions(effects) if effects else b""
    if made == b"[]":
        made = b""
    if made == recorded.decisions:
        return None
    return Difference(
        recorded.seq,
        recorded.event.received,
        encode(recorded.event).decode(),
        recorded.decisions.decode(),
        made.decode(),
    )


def replay(path: Path, home: Home, progress: Progress = lambda done, total: None) -> ReplayReport:
    """Run a recorded session again and compare every decision.

    Raises:
        RecordingError: it cannot be read to its end.
        ConfigError: the strategy it names is not there any more.
    """
    rerun = Rerun(path, home)
    total = rerun.end.events if rerun.end is not None else 0
    difference: Difference | None = None
    seq = orders = first = last = 0
    for recorded in read_recording(path):
        seq, last = recorded.seq, recorded.event.received
        first = first or last
        effects = decide(rerun.engine, recorded.event)
        if difference is None:
            difference = compare(recorded, effects)
        orders += sum(type(effect) is SubmitOrder for effect in effects)
        if seq % PROGRESS_EVERY == 0:
            progress(seq, total)
    rerun.check_end(seq)
    return verdict(rerun, seq, orders, (last - first) / SECOND, difference)


def verdict(
    rerun: Rerun, events: int, orders: int, length: float, difference: Difference | None
) -> ReplayReport:
    """Put together what a whole replay came to.

    Args:
        rerun: after its last event.
        events, orders: how many there were.
        length: seconds from the first event to the last.
        difference: the first one.
    """
    end, engine = rerun.end, rerun.engine
    recorded_hash = end.decision_hash if end is not None else ""
    return ReplayReport(
        rerun.path.name,
        rerun.session.environment,
        rerun.session.started,
        round(length, 3),
        events,
        orders,
        rerun.fills,
        engine.refusals,
        engine.decision_hash,
        recorded_hash,
        end is not None,
        difference is None and recorded_hash in ("", engine.decision_hash),
        difference,
        rerun.note,
    )


def recorded_config(session: Session, path: Path) -> Config:
    """Return the configuration a session's desk had.

    Raises:
        RecordingError: it is of another version.
    """
    try:
        return Config.model_validate(session.config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordingError(
            f"{path}: its configuration is of another version: {where}: {first['msg']}"
        ) from None


# --- which recordings there are -------------------------------------------------------------------


class SessionFacts(Struct, frozen=True, tag_field="type", tag="recording"):
    """One recorded session, for a list."""

    name: str
    environment: str
    started: int
    """Nanoseconds UTC."""
    seconds: float | None
    """None where it has no end."""
    events: int | None
    megabytes: float
    path: str


def find_sessions(home: Home) -> list[SessionFacts]:
    """Return every recorded session of a home, oldest first; unreadable ones are left out."""
    found = []
    for environment in ("practice", "testnet", "live"):
        folder = home.recordings(environment)
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                session, end = read_session(path), read_end(path)
            except RecordingError:
                continue
            size = sum(each.stat().st_size for each in segments_of(path))
            found.append(
                SessionFacts(
                    path.name,
                    session.environment,
                    session.started,
                    None if end is None else round((end.ended - session.started) / SECOND, 1),
                    None if end is None else end.events,
                    round(size / 1e6, 2),
                    str(path),
                )
            )
    return sorted(found, key=lambda one: (one.started, one.name))


def find_session(home: Home, wanted: str) -> Path:
    """Return the folder of a session.

    Args:
        home: where recordings are looked for.
        wanted: a folder, a name or the beginning of one, a date such as ``2026-11-21``, or
            ``last``. A date with several sessions means the last of that day (UTC).

    Raises:
        RecordingError: there is none, or a name fits several.
    """
    folder = Path(wanted).expanduser()
    if folder.is_dir():
        return folder
    sessions = find_sessions(home)
    if not sessions:
        raise RecordingError(f"nothing is recorded under {home.data}: `killcord` records by itself")
    if wanted == "last":
        return Path(sessions[-1].path)
    is_date = wanted.count("-") == 2
    start = wanted.replace("-", "") if is_date else wanted
    fitting = [one for one in sessions if one.name.startswith(start)]
    if not fitting:
        raise RecordingError(f"no recording {wanted!r}: `killcord replay` lists them")
    if len(fitting) > 1 and not is_date:
        names = ", ".join(one.name for one in fitting)
        raise RecordingError(f"{wanted!r} fits several recordings: {names}")
    return Path(fitting[-1].path)
