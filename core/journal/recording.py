"""The recording: every event, with its number, and what the engine decided on it; how it is read.

An event is taken before the engine sees it. A session is a folder,
``recording/20261121T090212-000042``: ``session.json`` (what is needed to replay it), ``end.json``
(how it ended, missing after a crash) and segments named by the number of their first event. A
segment is written as a *spool*: zlib blocks of JSON lines, each with its length and checksum, so
that a killed desk loses at most the last second. A line that is an array holds the decisions on
the event before it. A full spool becomes a Parquet file (zstd; columns seq, received, type, venue,
symbol, event, decisions) in a short-lived child process: pyarrow costs 60 MB and several
milliseconds at a time in which Python does nothing else, and the desk has neither to spare.
``core.journal.recorder`` writes all that; here it is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from core.errors import RecordingError, in_words
from core.model.effect import Effect, Record
from core.model.event import Event, SentimentScored

BLOCK = struct.Struct("<II")
"""Before each block of a spool: length and crc32 of the compressed bytes that follow."""
_decode = msgspec.json.Decoder(Event).decode

_NEWS = b'{"type":"SentimentScored"'
SESSION, END = "session.json", "end.json"
_encode_effects = msgspec.json.Encoder().encode


class Session(Struct, frozen=True):
    """What a replay needs beside the events."""

    environment: str
    epoch: int
    """Number of the desk's start; part of its client order ids."""
    started: int
    """Nanoseconds UTC."""
    config: dict[str, Any]
    """See ``core.config.Config.rules``."""
    instance: str
    """Of the client order ids, as the next; see ``core.desk.identity``."""
    key: bytes
    strategy: str
    """What the strategy's code or model was: hash of the file, id of the model; empty for a
    built-in one."""
    checkpoint: msgspec.Raw
    """The ledger at the start, see ``core.portfolio.checkpoint``."""


class End(Struct, frozen=True):
    """How a session ended."""

    events: int
    decision_hash: str
    """The engine's own, over all of them."""
    ended: int
    """Nanoseconds UTC."""


class Recorded(NamedTuple):
    """An event as it was recorded."""

    seq: int
    event: Event
    decisions: bytes
    """JSON array of the effects it had, records left out; empty when there were none."""


def encode_decisions(effects: tuple[Effect, ...]) -> bytes:
    """Write effects as they are recorded: records repeat what came in and are left out."""
    return _encode_effects([effect for effect in effects if type(effect) is not Record])


def read_session(path: Path) -> Session:
    """Read what a replay of a session folder needs beside the events.

    Raises:
        RecordingError: it is not a session, is damaged, or was recorded by another version.
    """
    try:
        return msgspec.json.decode((path / SESSION).read_bytes(), type=Session)
    except OSError as error:
        raise RecordingError(f"{path}: is not a recorded session ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise RecordingError(
            f"{path / SESSION}: is damaged, or of another version of Killcord: {error}"
        ) from error


def read_end(path: Path) -> End | None:
    """Return how a session ended; None while it runs, and after a crash.

    Raises:
        RecordingError: what is said of it cannot be read.
    """
    try:
        return msgspec.json.decode((path / END).read_bytes(), type=End)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{path / END}: cannot be read ({in_words(error)})") from error


Line = tuple[bytes, bytes]
"""An event and the decisions on it, as JSON; decisions may be empty."""


def read_spool(path: Path) -> Iterator[tuple[int, list[Line]]]:
    """Yield blocks of a spool: number of the first event, and the events with their decisions.

    A last block cut short by a crash is left out.

    Raises:
        RecordingError: a block fails its checksum.
    """
    with path.open("rb") as file:
        while len(head := file.read(BLOCK.size)) == BLOCK.size:
            length, crc = BLOCK.unpack(head)
            at = file.tell()
            block = file.read(length)
            if len(block) < length:
                return
            if zlib.crc32(block) != crc:
                raise RecordingError(f"{path}: the block at byte {at} is damaged")
            first, _, text = zlib.decompress(block).partition(b"\n")
            lines: list[Line] = []
            for line in text.split(b"\n"):
                if line.startswith(b"["):
                    lines[-1] = (lines[-1][0], b"" if line == b"[]" else line)
                else:
                    lines.append((line, b""))
            yield int(first), lines


def _read_parquet(path: Path, start: int) -> Iterator[tuple[int, list[Line]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            last = file.metadata.row_group(group).column(0).statistics
            if last is not None and last.max < start:
                continue
            batches = file.iter_batches(
                4096, row_groups=[group], columns=["seq", "event", "decisions"]
            )
            for batch in batches:
                events, decisions = batch.column(1).to_pylist(), batch.column(2).to_pylist()
                yield (
                    batch.column(0)[0].as_py(),
                    [
                        (event.encode(), (found or "").encode())
                        for event, found in zip(events, decisions, strict=True)
                    ],
                )
    except (OSError, ValueError, IndexError, pa.ArrowException) as error:
        raise RecordingError(f"{path}: is not a recording ({error})") from error


def _blocks(segment: Path, start: int = 1) -> Iterator[tuple[int, list[Line]]]:
    return read_spool(segment) if segment.suffix == ".spool" else _read_parquet(segment, start)


def read_recording(path: Path, start: int = 1) -> Iterator[Recorded]:
    """Yield the events of a session folder, or of one segment, in the order they were handled.

    Args:
        path: a session folder, or a segment.
        start: number of the first event wanted.

    Raises:
        RecordingError: a segment is damaged, an event is missing, or there is nothing to read.
    """
    segments = segments_of(path)
    if not segments:
        raise RecordingError(f"{path}: holds no recording")
    expected: int | None = None if path.is_file() else 1
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        if following is not None and _first(following) <= start:
            expected = _first(following)
            continue
        for first, lines in _blocks(segment, start):
            if expected not in (None, first) and max(first, expected or 0) > start:
                raise RecordingError(f"{segment}: event {expected} is missing, {first} follows")
            expected = first + len(lines)
            for number, (text, decisions) in enumerate(lines, first):
                if number < start:
                    continue
                try:
                    yield Recorded(number, _decode(text), decisions)
                except msgspec.MsgspecError as error:
                    raise RecordingError(f"{segment}: event {number}: {error}") from error


def read_news(path: Path) -> Iterator[SentimentScored]:
    """Yield what the news said in a session; other events are not even decoded.

    Raises:
        RecordingError: a segment is damaged, or there is nothing to read.
    """
    segments = segments_of(path)
    if not segments:
        raise RecordingError(f"{path}: holds no recording")
    for segment in segments:
        for _, lines in _blocks(segment):
            for text, _ in lines:
                if text.startswith(_NEWS):
                    event = _decode(text)
                    assert isinstance(event, SentimentScored)
                    yield event


def last_moment(path: Path) -> int:
    """Return when the last recorded event of a session was received, nanoseconds UTC; 0 if none.

    Raises:
        RecordingError: its last segment is damaged.
    """
    end = read_end(path)
    if end is not None:
        return end.ended
    last = 0
    for segment in segments_of(path)[-1:]:
        if segment.suffix == ".spool":
            for _, lines in read_spool(segment):
                last = _decode(lines[-1][0]).received
        else:
            start = _first(segment)
            for recorded in read_recording(segment, start):
                last = recorded.event.received
    return last


def segments_of(path: Path) -> list[Path]:
    """Return the segments of a session in order, a Parquet file before the spool it was made of."""
    if path.is_file():
        return [path]
    found: dict[str, Path] = {}
    for suffix in (".spool", ".parquet"):
        found |= {each.stem: each for each in path.glob(f"events-*{suffix}")}
    return [found[stem] for stem in sorted(found)]


def _first(segment: Path) -> int:
    """Return the number of a segment's first event, by its name."""
    return int(segment.stem.rpartition("-")[2])
