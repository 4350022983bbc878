"""One instrument of recorded order flow: its book, what rests in it, and what was told of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from core.matching.book import Book, BookOrder, End, Triggers
from core.model.instrument import Instrument
from core.model.market import BookTop
from core.model.order import Order
from core.research.simulation import Funding, Listing


class Floor(Protocol):
    """Who is told what happens to orders: the venue."""

    def matched(
        self, listing: FlowListing, order: BookOrder, tick: int, lots: int, maker: bool
    ) -> None:
        """Book a fill."""

    def finish(self, listing: FlowListing, number: int, why: str) -> None:
        """Forget an order that has ended."""


class FlowListing(Listing):
    """One instrument and its book. A ``BookListener``."""

    __slots__ = (
        "_floor",
        "book",
        "by_id",
        "by_number",
        "filled_of",
        "funding",
        "levels",
        "lots",
        "mark",
        "rate",
        "settles",
        "size",
        "step",
        "triggers",
    )

    def __init__(self, rules: Instrument, floor: Floor, funding: Funding) -> None:
        super().__init__(rules)
        self._floor = floor
        self.book = Book(self)
        self.triggers = Triggers()
        self.step = float(rules.tick)
        self.size = float(rules.lot)
        self.lots = 0
        """Signed position."""
        self.mark = 0.0
        """Recorded mark price, quote; 0 where none is."""
        self.levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        """What the recording has set: by side, tick to lots."""
        self.by_number: dict[int, Order] = {}
        self.by_id: dict[str, int] = {}
        self.filled_of: dict[int, int] = {}
        """Lots filled so far, by number."""
        self.funding = deque(funding)
        self.rate = 0.0
        self.settles = 0
        """When a recorded ticker says that funding is settled next; nanoseconds UTC, 0: unknown."""

    @property
    def held(self) -> int:
        """Signed lots the venue holds."""
        return self.lots

    def middle(self) -> float:
        """Return the middle of the book, quote; 0 while a side is empty."""
        bid, ask = self.book.best(1), self.book.best(-1)
        return (bid + ask) * 0.5 * self.step if bid is not None and ask is not None else 0.0

    # --- what the book tells

    def filled(self, order: BookOrder, tick: int, lots: int, maker: bool) -> None:
        """Tell that lots traded."""
        self._floor.matched(self, order, tick, lots, maker)

    def dropped(self, order: BookOrder, end: End) -> None:
        """Tell that the rest of an order is gone."""
        self._floor.finish(self, order.number, end.value)

    def traded(self, tick: int, lots: int, taker_sign: int) -> None:
        """Ignore public trades that our own orders made: the recording knows nothing of them."""

    def reducible(self, owner: str, sign: int) -> int:
        """Return how many lots a reduce-only order of that side may still fill."""
        return max(-self.lots * sign, 0)

    # --- what the recording says of the book

    def set_top(self, top: BookTop) -> None:
        """Set the best level of each side; what stood better, or on its way, is gone."""
        for sign, price, qty in ((1, top.bid, top.bid_qty), (-1, top.ask, top.ask_qty)):
            known = self.levels[sign]
            tick = _grid(price, self.step, sign)
            for better in [one for one in known if (one - tick) * sign > 0]:
                del known[better]
                self.book.set_level(sign, better, 0)
            # The other side's levels that the new best price has passed are gone, too.
            other = self.levels[-sign]
            for passed in [one for one in other if (one - tick) * sign <= 0]:
                del other[passed]
                self.book.set_level(-sign, passed, 0)
            lots = int(qty / self.size + 0.5)
            known[tick] = lots
            self.book.set_level(sign, tick, lots)

    def set_side(self, sign: int, rows: Sequence[tuple[float, float]]) -> None:
        """Set all levels of a side; what we ate is there again where the recording says so."""
        known = self.levels[sign]
        fresh: dict[int, int] = {}
        for price, qty in rows:
            tick = _grid(price, self.step, sign)
            fresh[tick] = fresh.get(tick, 0) + int(qty / self.size + 0.5)
        for tick in known:
            if tick not in fresh:
                self.book.set_level(sign, tick, 0)
        for tick, lots in fresh.items():
            self.book.set_level(sign, tick, lots)
        self.levels[sign] = fresh


def _grid(price: float, step: float, sign: int) -> int:
    """Return the tick of a level; a price between two goes away from the other side."""
    exact_tick = price / step
    nearest = int(exact_tick + 0.5)
    if abs(exact_tick - nearest) < 1e-6 * max(nearest, 1):
        return nearest
    return int(exact_tick) if sign > 0 else int(exact_tick) + 1
