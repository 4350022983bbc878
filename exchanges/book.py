"""A venue's order book, kept from its snapshot and its changes.

Each side is a dict of sizes and one sorted list of prices: a change of size, two thirds of what
venues send, touches only the dict; the list moves when a level appears or goes. Cheaper than a
sorted container and than ccxt's (figures in ``make bench``).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

from msgspec import Struct

from core.model.market import Depth

SHOWN = 20
"""Levels a side in a ``Depth``."""
_KEPT = 1500
"""A side longer than this loses its far end, down to two thirds: nobody asks for it."""


class Level(Struct, array_like=True, gc=False):
    """Price and quantity, decoded from the first two of however many a venue lists."""

    price: float
    size: float


class Crossed(Exception):
    """The best bid is not below the best ask: a change was lost or wrong."""


class Book:
    """Levels of one instrument, in the venue's own quantity unit.

    Attributes:
        sequence: the venue's id of the last change applied; None while not synchronised.
        ts: venue time of the last change, nanoseconds.
        dirty: whether anything changed since ``depth`` was taken.
    """

    __slots__ = (
        "_ask_size", "_bid_size", "asks", "bids", "dirty", "sequence", "symbol", "ts", "venue",
    )  # fmt: skip

    def __init__(self, venue: str, symbol: str) -> None:
        self.venue = venue
        self.symbol = symbol
        self.bids: list[float] = []
        self.asks: list[float] = []
        self._bid_size: dict[float, float] = {}
        self._ask_size: dict[float, float] = {}
        self.sequence: int | None = None
        self.ts = 0
        self.dirty = False

    def reset(self, bids: Iterable[Level], asks: Iterable[Level], sequence: int, ts: int) -> None:
        """Replace everything by a snapshot.

        Raises:
            Crossed: the snapshot itself is crossed.
        """
        self._bid_size = {row.price: row.size for row in bids if row.size > 0.0}
        self._ask_size = {row.price: row.size for row in asks if row.size > 0.0}
        self.bids = sorted(self._bid_size)
        self.asks = sorted(self._ask_size)
        self.sequence = sequence
        self._close(ts)

    def change(self, bids: Iterable[Level], asks: Iterable[Level], sequence: int, ts: int) -> None:
        """Apply one message of changes; size 0 removes a level.

        Raises:
            Crossed: best bid at or above best ask afterwards.
        """
        if bids:
            _apply(self._bid_size, self.bids, bids)
            if len(self.bids) > _KEPT:
                self._trim(self._bid_size, self.bids, 0, _KEPT // 3)
        if asks:
            _apply(self._ask_size, self.asks, asks)
            if len(self.asks) > _KEPT:
                self._trim(self._ask_size, self.asks, _KEPT - _KEPT // 3, len(self.asks))
        self.sequence = sequence
        self._close(ts)

    def _close(self, ts: int) -> None:
        self.ts = ts
        self.dirty = True
        bids, asks = self.bids, self.asks
        if bids and asks and bids[-1] >= asks[0]:
            self.sequence = None
            raise Crossed(f"{self.symbol}: bid {bids[-1]!r} >= ask {asks[0]!r}")

    @staticmethod
    def _trim(sizes: dict[float, float], prices: list[float], start: int, stop: int) -> None:
        for price in prices[start:stop]:
            del sizes[price]
        del prices[start:stop]

    def forget(self) -> None:
        """Mark as not synchronised; the levels stay until the next snapshot."""
        self.sequence = None

    def top(self) -> tuple[float, float, float, float] | None:
        """Return best bid, its size, best ask, its size; None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        bid, ask = self.bids[-1], self.asks[0]
        return bid, self._bid_size[bid], ask, self._ask_size[ask]

    def depth(self, received: int, scale: Callable[[float], float] | None = None) -> Depth:
        """Return the first levels and clear ``dirty``.

        Args:
            received: nanoseconds UTC to stamp it with.
            scale: turns the venue's quantity into base units; None where they are the same.
        """
        self.dirty = False
        bids, asks = self.bids[: -SHOWN - 1 : -1], self.asks[:SHOWN]
        bid_sizes = map(self._bid_size.__getitem__, bids)
        ask_sizes = map(self._ask_size.__getitem__, asks)
        if scale is not None:
            bid_sizes, ask_sizes = map(scale, bid_sizes), map(scale, ask_sizes)
        return Depth(
            self.venue,
            self.symbol,
            tuple(zip(bids, bid_sizes, strict=True)),
            tuple(zip(asks, ask_sizes, strict=True)),
            self.ts,
            received,
        )


def _apply(sizes: dict[float, float], prices: list[float], levels: Iterable[Level]) -> None:
    # One look-up a change: whether a level is new shows in the length of the dict.
    pop = sizes.pop
    count = len(prices)
    for row in levels:
        price, size = row.price, row.size
        if size > 0.0:
            sizes[price] = size
            if len(sizes) != count:
                count += 1
                insort(prices, price)
        elif pop(price, 0.0):
            count -= 1
            del prices[bisect_left(prices, price)]
