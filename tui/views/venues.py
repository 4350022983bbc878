"""Connections, feed ages, clocks and money of each venue."""

from __future__ import annotations

from core.model.event import FeedState, VenueState
from core.model.snapshot import FeedView, Snapshot, VenueView
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, Tone

CHANNELS = ("trades", "books", "tickers", "private")

COLUMNS = (
    Column("venue", 7, 0),
    Column("state", 13, 0),
    Column("feeds", 7, 1, right=True),
    *(Column(name, 7, 3, right=True) for name in CHANNELS),
    Column("trip", 6, 2, right=True),
    Column("clock", 7, 2, right=True),
    Column("equity", 12, 4, right=True),
    Column("orders", 6, 6, right=True),
    Column("fills", 6, 6, right=True),
    Column("msgs", 6, 5, right=True),
    Column("bad", 4, 5, right=True),
    Column("lost", 4, 5, right=True),
    Column("swept", 5, 6, right=True),
    Column("dead-man", 8, 4, right=True),
    Column("account", 10, 8),
    Column("why", 10, 7, grow=1),
)

EMPTY = "No venue yet: the desk is starting."

_STATES: dict[VenueState, tuple[str, Tone]] = {
    VenueState.CONNECTING: ("○", "dim"),
    VenueState.RECONCILING: ("◐", "warn"),
    VenueState.READY: ("●", "up"),
    VenueState.DEGRADED: ("◐", "warn"),
    VenueState.BLIND: ("✗", "alarm"),
}


def state_cell(state: VenueState) -> Cell:
    """Return a venue's state as mark and word, never as colour alone."""
    mark, tone = _STATES[state]
    return Cell(f"{mark} {state.value}", tone)


def view_venues(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a venue."""
    return tuple(_row(venue) for venue in snapshot.venues)


def note_venues(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    if snapshot.discrepancies:
        return f"{snapshot.discrepancies} DISCREPANCIES"
    return f"desk lag {snapshot.loop_lag_ms:.1f} ms"


def _row(venue: VenueView) -> Row:
    feeds = {feed.channel: feed for feed in venue.feeds}
    offset = venue.clock_offset_ms
    return Row(
        venue.venue,
        (
            Cell(clean(venue.venue), "strong"),
            state_cell(venue.state),
            _feed_cell(max(venue.feeds, key=_badness, default=None)),
            *(_feed_cell(feeds.get(channel)) for channel in CHANNELS),
            Cell(_millis(venue.latency_ms)),
            Cell(
                f"{round(offset):+d}ms" if offset is not None else numbers.NONE,
                "warn" if offset is not None and abs(offset) > 500 else "dim",
            ),
            Cell(numbers.money(venue.equity)),
            Cell(numbers.compact(venue.orders)),
            Cell(numbers.compact(venue.fills)),
            Cell(numbers.compact(venue.messages), "dim"),
            Cell(numbers.compact(venue.bad_messages), "warn" if venue.bad_messages else "dim"),
            Cell(numbers.compact(venue.reconnects), "warn" if venue.reconnects else "dim"),
            Cell(numbers.age(venue.swept_age_s), "dim"),
            dead_man_cell(venue),
            Cell(clean(venue.account), "dim"),
            Cell(clean(venue.reason), "dim"),
        ),
    )


# The private stream is silent whenever nothing happens to us; its age alone says nothing.
def _badness(feed: FeedView) -> tuple[int, float]:
    rank = {FeedState.DOWN: 2, FeedState.STALE: 1}.get(FeedState(feed.state), 0)
    return rank, (feed.age_ms or 0.0) if feed.channel != "private" else 0.0


def dead_man_cell(venue: VenueView) -> Cell:
    """Return the countdown of the venue's own timer: seconds, off while none is set, or none."""
    if not venue.dead_man:
        return Cell("none", "dim")
    if venue.dead_man_s is None:
        return Cell("off", "dim")
    return Cell(f"{venue.dead_man_s:.0f}s", "warn" if venue.dead_man_s < 15 else "")


def _millis(value: float | None) -> str:
    if value is None:
        return numbers.NONE
    return f"{value:.1f}ms" if value < 10 else f"{value:.0f}ms"


def _since(age_ms: float | None) -> str:
    if age_ms is None:
        return "up"
    return f"{age_ms:.0f}ms" if age_ms < 1000 else numbers.age(age_ms / 1000)


def _feed_cell(feed: FeedView | None) -> Cell:
    if feed is None:
        return Cell(numbers.NONE, "dim")
    if feed.state == FeedState.DOWN:
        return Cell("down", "alarm")
    text = _since(feed.age_ms)
    return Cell("! " + text, "warn") if feed.state == FeedState.STALE else Cell(text)
