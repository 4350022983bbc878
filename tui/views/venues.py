"""Connections, feed ages, clocks and money of each venue."""

from __future__ import annotations

from collections.abc import Callable

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
    Column("gaps", 4, 5, right=True),
    Column("budget", 6, 4, right=True),
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
    VenueState.MAINTENANCE: ("✗", "warn"),
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
    guard = f"guard {clean(snapshot.guard.state, 12)} · " if snapshot.guard is not None else ""
    return f"{guard}desk lag {snapshot.loop_lag_ms:.1f} ms"


def _row(venue: VenueView) -> Row:
    feeds = {feed.channel: feed for feed in venue.feeds}
    return Row(
        venue.venue,
        (
            Cell(clean(venue.venue), "strong"),
            state_cell(venue.state),
            _feed_cell(max(venue.feeds, key=_badness, default=None)),
            *(_feed_cell(feeds.get(channel)) for channel in CHANNELS),
            Cell(_millis(venue.latency_ms)),
            _clock_cell(venue.clock_offset_ms),
            Cell(numbers.money(venue.equity)),
            Cell(numbers.compact(venue.orders)),
            Cell(numbers.compact(venue.fills)),
            Cell(numbers.compact(venue.messages), "dim"),
            Cell(numbers.compact(venue.bad_messages), "warn" if venue.bad_messages else "dim"),
            Cell(numbers.compact(venue.reconnects), "warn" if venue.reconnects else "dim"),
            Cell(numbers.compact(venue.gaps), "warn" if venue.gaps else "dim"),
            budget_cell(venue),
            Cell(numbers.age(venue.swept_age_s), "dim"),
            dead_man_cell(venue),
            Cell(clean(venue.account), "dim"),
            Cell(clean(venue.reason), "dim"),
        ),
    )


def health_columns(snapshot: Snapshot) -> tuple[Column, ...]:
    """Return one column a venue, for ``view_health``."""
    names = [clean(venue.venue, 12) for venue in snapshot.venues]
    return (Column("", 13, 0), *(Column(name, 14, 0, grow=1) for name in names))


def view_health(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a fact, venues side by side: for a pane with room below each other."""
    venues = snapshot.venues
    return tuple(
        Row(name, (Cell(name, "dim"), *(cell(venue) for venue in venues)))
        for name, cell in _FACTS.items()
    )


def _channel(name: str) -> Callable[[VenueView], Cell]:
    return lambda venue: _feed_cell(next((f for f in venue.feeds if f.channel == name), None))


def _count(name: str) -> Callable[[VenueView], Cell]:
    def cell(venue: VenueView) -> Cell:
        count = getattr(venue, name)
        return Cell(numbers.compact(count), "warn" if count else "")

    return cell


def budget_cell(venue: VenueView) -> Cell:
    """Return the share of the request budget in use."""
    used = venue.budget_used
    return Cell(numbers.percent(used, 0, sign=False), "warn" if used >= 0.75 else "dim")


def _clock_cell(offset: float | None) -> Cell:
    if offset is None:
        return Cell(numbers.NONE, "dim")
    return Cell(f"{round(offset):+d}ms", "warn" if abs(offset) > 500 else "dim")


_FACTS: dict[str, Callable[[VenueView], Cell]] = {
    "state": lambda v: state_cell(v.state),
    "why": lambda v: Cell(clean(v.reason), "warn"),
    **{name: _channel(name) for name in CHANNELS},
    "reconnects": _count("reconnects"),
    "gaps": _count("gaps"),
    "bad messages": _count("bad_messages"),
    "messages": lambda v: Cell(numbers.compact(v.messages), "dim"),
    "clock skew": lambda v: _clock_cell(v.clock_offset_ms),
    "order trip": lambda v: Cell(_millis(v.latency_ms)),
    "rate budget": lambda v: Cell(
        f"{numbers.bar(v.budget_used, 8)} {budget_cell(v).text}", budget_cell(v).tone
    ),
    "dead-man": lambda v: dead_man_cell(v),
    "last swept": lambda v: Cell(numbers.age(v.swept_age_s), "dim"),
    "equity": lambda v: Cell(numbers.money(v.equity)),
    "orders, fills": lambda v: Cell(f"{v.orders:,}, {v.fills:,}", "dim"),
    "account": lambda v: Cell(clean(v.account), "dim"),
}


# The private stream is silent whenever nothing happens to us; its age alone says nothing.
def _badness(feed: FeedView) -> tuple[int, float]:
    rank = {FeedState.DOWN: 2, FeedState.STALE: 1}.get(FeedState(feed.state), 0)
    return rank, (feed.age_ms or 0.0) if feed.channel != "private" else 0.0


def dead_man_cell(venue: VenueView) -> Cell:
    """Return the countdown of the venue's own timer: seconds, off while none is set, or none."""
    if not venue.dead_man:
        return Cell("none", "dim")
    if venue.dead_man == "connection":
        return Cell("on loss")
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
