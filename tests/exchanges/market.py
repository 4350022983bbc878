"""Instruments and recordings that the tests of the adapters share."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.event import Event
from core.model.instrument import Instrument

SHARED = Path(
    os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


def instrument(
    venue: str, venue_symbol: str, base: str = "BTC", contract: str = "1", lot: str = "0.001"
) -> Instrument:
    return Instrument(
        venue,
        f"{base}/USDT:USDT",
        venue_symbol,
        base,
        tick=Decimal("0.1"),
        lot=Decimal(lot),
        min_qty=Decimal(lot),
        min_notional=Decimal(5),
        contract_size=Decimal(contract),
    )


class Seen(list[Event]):
    """A sink that remembers."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def of(self, *kinds: type) -> list[Event]:
        return [event for event in self if isinstance(event, kinds)]


class Resyncs(list[tuple[str, str]]):
    """Remembers which books were asked for again."""

    def __call__(self, venue_symbol: str, reason: str) -> None:
        self.append((venue_symbol, reason))


def recorded(path: str) -> Iterator[str]:
    """Yield the text lines of a shared recording, or skip the test."""
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"no recording {path} under {SHARED}: set KILLCORD_SHARED_DATA")
    with gzip.open(file, "rt") as lines:
        yield from lines


def captured(path: str, kind: str = "recv") -> Iterator[str]:
    """Yield what a cryptofeed capture received (or, with ``http``, fetched)."""
    for line in recorded(path):
        record = json.loads(line)
        if record["t"] == kind:
            yield record["data"]
