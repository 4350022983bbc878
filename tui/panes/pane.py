"""A pane: a live table over pure views of the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.model.snapshot import Snapshot
from tui.views import activity, depth, markets, news, orders, positions, risk, signals, venues
from tui.views.focus import Focus
from tui.views.table import Column, Row, fit
from tui.widgets.grid import LiveGrid

Rows = Callable[[Snapshot, Focus], tuple[Row, ...]]
Note = Callable[[Snapshot, Focus], str]


class View(NamedTuple):
    """What a pane needs to know: its columns, rows and note, all functions of what there is."""

    columns: Callable[[Snapshot], Sequence[Column]]
    rows: Rows
    note: Note
    empty: str
    selects: bool = True


def _of_desk(
    columns: Sequence[Column] | Callable[[Snapshot], Sequence[Column]],
    rows: Callable[[Snapshot], tuple[Row, ...]],
    note: Callable[[Snapshot], str],
    empty: str,
    selects: bool = True,
) -> View:
    """Return a view that does not depend on the symbol looked at."""
    return View(
        columns if callable(columns) else lambda _: columns,
        lambda snapshot, _: rows(snapshot),
        lambda snapshot, _: note(snapshot),
        empty,
        selects,
    )


VIEWS: dict[str, View] = {
    "markets": _of_desk(
        markets.columns_of,
        markets.view_markets,
        markets.note_markets,
        markets.EMPTY,
    ),
    "signals": _of_desk(
        signals.signal_columns, signals.view_signals, signals.note_signals, signals.EMPTY
    ),
    "positions": _of_desk(
        positions.COLUMNS, positions.view_positions, positions.note_positions, positions.EMPTY
    ),
    "orders": _of_desk(orders.COLUMNS, orders.view_orders, orders.note_orders, orders.EMPTY),
    "log": _of_desk(
        activity.LOG_COLUMNS, activity.view_log, activity.note_log, activity.EMPTY_LOG, False
    ),
    "fills": _of_desk(
        activity.FILL_COLUMNS,
        activity.view_fills,
        activity.note_fills,
        activity.EMPTY_FILLS,
        False,
    ),
    "trades": View(
        lambda _: activity.PRINT_COLUMNS,
        activity.view_prints,
        activity.note_prints,
        activity.EMPTY_PRINTS,
        False,
    ),
    "news": View(lambda _: news.COLUMNS, news.view_news, news.note_news, news.EMPTY),
    "sources": _of_desk(
        news.SOURCE_COLUMNS, news.view_sources, news.note_sources, news.EMPTY_SOURCES, False
    ),
    "risk": _of_desk(risk.COLUMNS, risk.view_risk, risk.note_risk, risk.EMPTY),
    "venues": _of_desk(venues.COLUMNS, venues.view_venues, venues.note_venues, venues.EMPTY),
}


class Pane(LiveGrid):
    """One pane of the dashboard.

    Args:
        name: key of ``VIEWS``.
        number: its number key.
        others: views that take turns with the first.
    """

    def __init__(self, name: str, number: int, others: Sequence[str] = ()) -> None:
        self._view = VIEWS[name]
        self._turns = (name, *others)
        super().__init__(name, number, self._view.empty, self._view.selects)
        self.showing = name
        """Key of the view on show."""

    def picture(self, snapshot: Snapshot, focus: Focus) -> None:
        """Show what there is."""
        view = self._view
        self.show(view.columns(snapshot), view.rows(snapshot, focus), view.note(snapshot, focus))

    def switch(self, to: str = "") -> None:
        """Show the next view, or a certain one, where there is one."""
        at = self._turns.index(self.showing)
        self.title = self.showing = to or self._turns[(at + 1) % len(self._turns)]
        self._view = VIEWS[self.showing]
        self.empty, self.selects = self._view.empty, self._view.selects
        self.freeze(False)


class VenuesPane(Pane):
    """Feed health: a line a venue, or, where there is room, venues side by side with every fact."""

    def picture(self, snapshot: Snapshot, focus: Focus) -> None:
        """Show what there is."""
        rows = venues.view_health(snapshot)
        if self.size.height - 2 >= len(rows):
            note = venues.note_venues(snapshot)
            self.show(venues.health_columns(snapshot), rows, note)
        else:
            super().picture(snapshot, focus)


class DepthPane(LiveGrid):
    """The depth ladder: as many levels as there is room for, best prices in the middle."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, number, depth.EMPTY, selects=False)

    def picture(self, snapshot: Snapshot, focus: Focus) -> None:
        """Show what there is."""
        places = fit(depth.COLUMNS, max(1, self.size.width - 2))
        bar = next((place.width for place in places if place.at == depth.BAR), 0)
        levels = max(1, (self.size.height - self.head - 1) // 2)
        rows = depth.view_depth(snapshot, focus, levels, bar)
        self.show(depth.COLUMNS, rows, depth.note_depth(snapshot, focus))
