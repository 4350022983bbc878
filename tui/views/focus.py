"""What the person looks at closely: the symbol under the cursor."""

from __future__ import annotations

from typing import NamedTuple

from core.model.snapshot import Snapshot, WatchView

TIMEFRAMES = (5, 60, 300, 900, 3600)
"""Of the chart, seconds."""


class Focus(NamedTuple):
    """One symbol, on one venue or on all."""

    symbol: str = ""
    venue: str = ""
    """Empty for all venues together."""
    timeframe: int = 60
    line: bool = False
    """Draw the chart as a line instead of candles."""
    about: str = ""
    """Of the news, only those of this asset; empty for all."""
    watch: WatchView | None = None
    """None until the desk has sent it."""


def chart_venue(snapshot: Snapshot, focus: Focus) -> str:
    """Return whose bars the chart shows: of all venues together, the first that has the symbol."""
    if focus.venue:
        return focus.venue
    return next((m.venue for m in snapshot.markets if m.symbol == focus.symbol), "")


def next_venue(snapshot: Snapshot, focus: Focus) -> str:
    """Return the venue after the present one, of those that list the symbol; then all again."""
    choices = ["", *(m.venue for m in snapshot.markets if m.symbol == focus.symbol)]
    at = choices.index(focus.venue) if focus.venue in choices else 0
    return choices[(at + 1) % len(choices)]
