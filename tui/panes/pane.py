"""A pane: a live table over pure views of the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.model.snapshot import Snapshot
from tui.views import activity, markets, orders, positions, risk, signals, venues
from tui.views.table import Column, Row
from tui.widgets.grid import LiveGrid


class View(NamedTuple):
    """What a pane needs to know: its columns, rows and note, all functions of the snapshot."""

    columns: Callable[[Snapshot], Sequence[Column]]
    rows: Callable[[Snapshot], tuple[Row, ...]]
    note: Callable[[Snapshot], str]
    empty: str
    selects: bool = True


def _always(columns: Sequence[Column]) -> Callable[[Snapshot], Sequence[Column]]:
    return lambda snapshot: columns


VIEWS: dict[str, View] = {
    "markets": View(
        lambda snapshot: markets.market_columns(markets.shown_venues(snapshot)),
        markets.view_markets,
        markets.note_markets,
        markets.EMPTY,
    ),
    "signals": View(
        _always(signals.COLUMNS), signals.view_signals, signals.note_signals, signals.EMPTY
    ),
    "positions": View(
        _always(positions.COLUMNS),
        positions.view_positions,
        positions.note_positions,
        positions.EMPTY,
    ),
    "orders": View(_always(orders.COLUMNS), orders.view_orders, orders.note_orders, orders.EMPTY),
    "log": View(
        _always(activity.LOG_COLUMNS),
        activity.view_log,
        activity.note_log,
        activity.EMPTY_LOG,
        selects=False,
    ),
    "fills": View(
        _always(activity.FILL_COLUMNS),
        activity.view_fills,
        activity.note_fills,
        activity.EMPTY_FILLS,
        selects=False,
    ),
    "risk": View(_always(risk.COLUMNS), risk.view_risk, risk.note_risk, risk.EMPTY, selects=False),
    "venues": View(
        _always(venues.COLUMNS), venues.view_venues, venues.note_venues, venues.EMPTY, selects=False
    ),
}


class Pane(LiveGrid):
    """One pane of the dashboard.

    Args:
        name: key of ``VIEWS``.
        number: its number key.
        other: a second view that takes turns with the first.
    """

    def __init__(self, name: str, number: int, other: str = "") -> None:
        self._view = VIEWS[name]
        self._other = other
        super().__init__(name, number, self._view.empty, self._view.selects)
        self.showing = name
        """Key of the view on show."""

    def picture(self, snapshot: Snapshot) -> None:
        """Show what the snapshot says."""
        view = self._view
        self.show(view.columns(snapshot), view.rows(snapshot), view.note(snapshot))

    def switch(self) -> None:
        """Show the other view, where there is one."""
        if self._other:
            self.showing, self._other = self._other, self.showing
            self.title = self.showing
            self._view = VIEWS[self.showing]
            self.empty, self.selects = self._view.empty, self._view.selects
            self.repaint()
