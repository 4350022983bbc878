"""What the keys would act on: the row under the cursor of the pane in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.model.event import TradingState
from core.model.news import NewsStory
from core.model.snapshot import HeldView, OrderView, PositionView, Snapshot
from tui.keymap import panes_of, view_of
from tui.views.focus import Focus
from tui.views.orders import order_key
from tui.views.positions import position_key


class Cursor(NamedTuple):
    """The pane in use, the key of the row picked there, and the picture they belong to."""

    pane: str
    row: str
    """Empty where nothing is picked."""
    snapshot: Snapshot
    focus: Focus
    showing: str = ""
    """Which view takes its turn in the pane."""

    def position(self) -> PositionView | None:
        """Return the position picked."""
        if self.pane != "positions" or not self.row:
            return None
        return next((p for p in self.snapshot.positions if position_key(p) == self.row), None)

    def order(self) -> OrderView | None:
        """Return the working order picked."""
        order = self._any_order()
        return None if order is None or order.status.terminal else order

    def _any_order(self) -> OrderView | None:
        if self.pane != "orders" or not self.row:
            return None
        return next((o for o in self.snapshot.orders if order_key(o) == self.row), None)

    def story(self) -> NewsStory | None:
        """Return the news story picked."""
        news = self.snapshot.news
        if news is None or self.showing != "news":
            return None
        return next((story for story in news.stories if story.id == self.row), None)

    def held(self) -> HeldView | None:
        """Return the entry that waits for a person under the signal picked."""
        if self.pane != "signals":
            return None
        where = self._instrument()
        return next((h for h in self.snapshot.held if (h.venue, h.symbol) == where), None)

    def market(self) -> tuple[str, str]:
        """Return venue and symbol of what is picked; the venue may be empty, so may both."""
        if self.pane == "markets":
            return "", self.row
        if self.pane in ("positions", "signals"):
            return self._instrument()
        if self.pane in ("depth", "chart"):
            return self.focus.venue, self.focus.symbol
        order = self._any_order()
        return (order.venue, order.symbol) if order is not None else ("", "")

    def _instrument(self) -> tuple[str, str]:
        venue, symbol, *_ = [*self.row.split("|"), "", ""]
        return venue, symbol

    def symbol(self) -> str:
        """Return the symbol of what is picked; may be empty."""
        return self.market()[1]

    def decision(self) -> str:
        """Return the name of the signal or order picked, as ``/v1/why`` takes it."""
        if self.pane == "signals":
            return "|".join(self.row.split("|")[:2])
        return self.row if self.pane == "orders" else ""

    def allows(self, action: str) -> bool:
        """Return whether an action would do something now."""
        panes = panes_of(action)
        if panes and self.pane not in panes:
            return False
        if self.showing and view_of(action) not in ("", self.showing):
            return False
        possible = _POSSIBLE.get(action)
        return possible is None or possible(self)


def _works(cursor: Cursor) -> bool:
    symbol = cursor.symbol()
    return any(o.symbol == symbol and not o.status.terminal for o in cursor.snapshot.orders)


_RUNNING = (TradingState.ARMED, TradingState.REDUCING)
_STOPPED = (TradingState.DISARMED, TradingState.REDUCING)

_POSSIBLE: dict[str, Callable[[Cursor], bool]] = {
    "resume": lambda c: c.snapshot.state is TradingState.HALTED,
    "arm": lambda c: c.snapshot.state in _STOPPED,
    "disarm": lambda c: c.snapshot.state in _RUNNING,
    "ticket": lambda c: bool(c.snapshot.markets),
    "close": lambda c: c.position() is not None,
    "halve": lambda c: c.position() is not None,
    "move_stop": lambda c: c.position() is not None,
    "cancel": lambda c: c.order() is not None,
    "amend": lambda c: c.order() is not None,
    "cancel_symbol": _works,
    "approve": lambda c: c.held() is not None,
    "reject": lambda c: c.held() is not None,
    "resize": lambda c: c.held() is not None,
    "why": lambda c: bool(c.decision()),
    "pause": lambda c: bool(c.symbol()),
    "story": lambda c: c.story() is not None,
    "only": lambda c: bool(c.focus.about) or c.story() is not None,
}
"""Conditions beyond the pane; a key that has none here does something wherever it is offered."""
