"""Recorded sessions as history: books, trades and open interest that a desk heard while it ran."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.errors import UsageError
from core.journal.recording import read_recording
from core.model.event import Event
from core.model.market import BookTop, Depth, Ticker, Trade
from core.signals.context import Key

MOST = 2_000_000
"""Events held at once: half a gigabyte."""


def read_books(paths: Iterable[Path], keys: Iterable[Key]) -> dict[Key, list[Event]]:
    """Return what recorded sessions heard of these instruments, in order.

    Args:
        paths: session folders, or folders of them; a later session's name sorts later.
        keys: venue and symbol.

    Raises:
        RecordingError: a session is damaged, or there is none.
        UsageError: too many events to hold.
    """
    found: dict[Key, list[Event]] = {key: [] for key in keys}
    count = 0
    for session in sorted(one for path in paths for one in _sessions(path)):
        for recorded in read_recording(session):
            event = recorded.event
            if isinstance(event, BookTop | Depth | Trade) or (
                isinstance(event, Ticker) and event.open_interest
            ):
                mine = found.get((event.venue, event.symbol))
                if mine is None:
                    continue
                mine.append(event)
                count += 1
            if count > MOST:
                raise UsageError(
                    f"--books: more than {MOST:,} events; give fewer sessions or --symbols"
                )
    return found


def _sessions(path: Path) -> list[Path]:
    if (path / "session.json").exists() or not path.is_dir():
        return [path]
    return [one for one in path.iterdir() if (one / "session.json").exists()] or [path]
