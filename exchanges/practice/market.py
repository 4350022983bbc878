"""Where prices come from: what the server asks of a market, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.tape import PublicHistory


class Market(PublicHistory, Protocol):
    """A source of prices for all venues at once. It owns the anonymous side of every book."""

    @property
    def description(self) -> str:
        """``synthetic, seed 7``, or what is being played."""
        ...

    def contracts(self, venue: str) -> dict[str, Contract]:
        """Return what a venue lists in this market."""
        ...

    def open(self, venues: Mapping[str, PracticeVenue], start_ms: int, speed: float) -> None:
        """Set the first books and marks."""
        ...

    def advance(self, now_ms: int) -> None:
        """Play everything up to a venue-clock time."""
        ...

    def status(self) -> dict[str, Any]:
        """Return facts for ``/practice/status``: span, messages played, market time, finished."""
        ...


def choose_market(text: str, seed: int) -> Market:
    """Return the market that a command line names.

    Args:
        text: ``synthetic``, or the path of a recording: an L2 ``.gz`` file or a folder of them, a
            Parquet file of candles or a folder of them.

    Raises:
        RecordingError: the path is not there, or is not a recording.
    """
    if text == "synthetic":
        from exchanges.practice.synthetic import SyntheticMarket

        return SyntheticMarket(seed)
    from exchanges.practice.recording import open_recording

    return open_recording(Path(text), seed)
