"""Recorded venue frames as market events, decoded by the very decoders that read the live ones.

Two kinds of file, gzipped or not. hftbacktest's collector: a line is the receive time in
nanoseconds, a space and one Binance frame, futures or spot; a REST snapshot is bare and comes
some lines in. Bybit's history: a line is one ``orderbook`` frame, its ``ts`` all the time there is.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.errors import RecordingError, in_words
from core.model.event import Event
from core.model.instrument import Instrument
from core.model.market import BadMessage
from exchanges.binance_feed import BinanceFeed
from exchanges.bybit_feed import BybitFeed
from exchanges.feed import MILLI, Feed

_FLUSH = 100 * MILLI
"""Depth is told ten times a second at most, as live."""
_SYMBOL = re.compile(rb'"s":"([A-Z0-9]+)USDT"')
_PRICE = re.compile(rb'\[\s*"([0-9.]+)"')
_decode = msgspec.json.decode
_encode = msgspec.json.encode


def identify(path: Path) -> tuple[str, str, float]:
    """Return venue, base asset and a price of a recording, from its first lines.

    Raises:
        RecordingError: it cannot be read, or is not one.
    """
    base, price, venue = b"", 0.0, ""
    for number, line in enumerate(_lines(path)):
        venue = venue or ("bybit" if line.startswith(b"{") else "binance")
        symbol, level = _SYMBOL.search(line), _PRICE.search(line)
        base = base or (symbol[1] if symbol else b"")
        price = price or (float(level[1]) if level else 0.0)
        if base and price:
            return venue, base.decode(), price
        if number > 1000:
            break
    raise RecordingError(f"{path}: holds no order book frames of a symbol quoted in USDT")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as packed:
                yield from packed
        else:
            with path.open("rb") as plain:
                yield from plain
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: cannot be read: {in_words(error)}") from error


def read_frames(path: Path, instrument: Instrument) -> Iterator[Event]:
    """Yield the events of a recording, in the order received.

    Raises:
        RecordingError: with file and line: a frame that does not decode, a gap in the book's
            updates, a receive time that goes back.
    """
    out: list[Event] = []
    lost: list[str] = []

    def resync(symbol: str, reason: str) -> None:
        if reason != "first snapshot":
            lost.append(reason)

    kind: type[Feed] = BinanceFeed if instrument.venue == "binance" else BybitFeed
    feed = kind([instrument], out.append, resync, {})
    due = last = 0
    for number, line in enumerate(_lines(path), 1):
        try:
            received, frame = _split(line)
            if received < last:
                raise ValueError("the receive time goes back")
            if frame.startswith(b'{"lastUpdateId"'):
                feed.snapshot(instrument.venue_symbol, frame.decode(), received)
            else:
                feed.take(_as_futures(frame, received), received)
        except (ValueError, KeyError, msgspec.MsgspecError) as error:
            raise RecordingError(f"{path}: line {number}: {error}") from error
        last = received
        bad = next((event for event in out if isinstance(event, BadMessage)), None)
        if lost or bad is not None:
            reason = lost[0] if lost else bad.reason if bad is not None else ""
            raise RecordingError(f"{path}: line {number}: {reason}")
        if received >= due:
            due = received + _FLUSH
            feed.flush(received)
        yield from out
        out.clear()


def _split(line: bytes) -> tuple[int, bytes]:
    if line.startswith(b"{"):
        return int(_decode(line)["ts"]) * MILLI, line
    stamp, _, frame = line.partition(b" ")
    if not stamp.isdigit() or not frame.strip():
        raise ValueError("not a receive time, a space and a JSON frame")
    return int(stamp), frame.strip()


def _as_futures(frame: bytes, received: int) -> str:
    """Return a Binance frame with what spot leaves out: previous id, event name, venue time."""
    if b'"stream"' not in frame or b'"pu":' in frame or b'"T":' in frame:
        return frame.decode()
    wrapped: dict[str, Any] = _decode(frame)
    data = wrapped["data"]
    if wrapped["stream"].endswith("bookTicker"):
        data = {"e": "bookTicker", "T": received // MILLI} | data
    elif data.get("e") == "depthUpdate":
        data |= {"pu": data["U"] - 1, "T": data["E"]}
    return _encode({"stream": wrapped["stream"], "data": data}).decode()
