"""Matching over candles, for backtests: one instrument, the price walks each bar's path.

Inside a bar the price goes open, nearer extreme, farther extreme, close, through every tick
between. Orders given between two bars meet the next bar's open; orders given by a listener while a
bar runs meet the rest of its path. What rests and is not touched costs nothing, so history and
resting stops do not slow a run.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from decimal import Decimal
from math import ceil

from msgspec import Struct

Filled = Callable[[str, int, int, int, bool], None]
"""``(order id, sign, lots, tick, maker)``; an order fills whole, depth being unlimited here"""
Dropped = Callable[[str, str], None]
"""``(order id, reason)``: ``reduce_only`` (also for what it cut off), ``post_only`` or ``ioc``"""

_NEVER_LOW = float("-inf")
_NEVER_HIGH = float("inf")
_ALWAYS = float("inf")


class _Resting(Struct, gc=False):
    """An order waiting for a price: ``way`` is +1 when it waits for a rise."""

    id: str
    sign: int
    lots: int
    tick: int
    stop: bool
    reduce_only: bool
    post_only: bool
    immediate: bool
    way: int
    key: tuple[int, int]
    fresh: bool = True
    """Not yet met by an open: it takes there, and rests only after."""


class BarBook:
    """The simulated book of one instrument.

    Args:
        tick: price step, quote.
        lot: quantity step, base units.
        on_fill: told of every fill, while it happens; may give new orders.
        on_drop: told of every order that ends unfilled without being cancelled.
        slippage: part of the price by which a taker fill is worse than the price that caused it,
            in whole ticks, rounded up; 0.0001 is one basis point.

    Attributes:
        position: signed lots; reduce-only orders are kept against it. Changed by fills.
        below: a bar that stays above this and below ``above`` meets nothing, and need not be
            walked. Infinite when orders were given since the last bar.
        above: see ``below``.
    """

    def __init__(
        self,
        tick: Decimal,
        lot: Decimal,
        on_fill: Filled,
        on_drop: Dropped,
        slippage: float = 0.0,
    ) -> None:
        self.tick = tick
        self.lot = lot
        self.position = 0
        self._size = float(tick)
        self._scale = 1.0 / self._size
        self._on_fill = on_fill
        self._on_drop = on_drop
        self._slippage = slippage
        self._market: list[tuple[str, int, int, bool]] = []
        self._orders: dict[str, _Resting] = {}
        # Ascending keys (way-adjusted tick, -age): the next to be met is the last of each list.
        self._falling: list[tuple[int, int]] = []
        self._rising: list[tuple[int, int]] = []
        self._by_key: dict[tuple[int, int], _Resting] = {}
        self._fresh: list[_Resting] = []
        self._age = 0
        self.below = _NEVER_LOW
        self.above = _NEVER_HIGH

    def ticks(self, price: Decimal) -> int:
        """Return a price in ticks; the price is on the grid."""
        return int(price / self.tick)

    def lots(self, qty: Decimal) -> int:
        """Return a quantity in lots, rounded toward zero."""
        return int(qty / self.lot)

    def price(self, tick: int) -> Decimal:
        """Return the price of a tick."""
        return self.tick * tick

    def qty(self, lots: int) -> Decimal:
        """Return base units of some lots."""
        return self.lot * lots

    @property
    def working(self) -> int:
        """How many orders wait."""
        return len(self._orders) + len(self._market)

    def market(self, order_id: str, sign: int, lots: int, reduce_only: bool = False) -> None:
        """Fill at the next open, as taker."""
        self._market.append((order_id, sign, lots, reduce_only))
        self.below = _ALWAYS

    def limit(
        self,
        order_id: str,
        sign: int,
        tick: int,
        lots: int,
        *,
        post_only: bool = False,
        immediate: bool = False,
        reduce_only: bool = False,
    ) -> None:
        """Rest at a price. One that the next open crosses fills there as taker.

        Args:
            post_only: dropped instead of crossing.
            immediate: dropped instead of resting (IOC and FOK; depth is unlimited here).
        """
        self._rest(order_id, sign, lots, tick, False, reduce_only, post_only, immediate, -sign)

    def stop(
        self, order_id: str, sign: int, tick: int, lots: int, *, reduce_only: bool = True
    ) -> None:
        """Fill as taker when the price reaches the trigger, or at the open that is beyond it."""
        self._rest(order_id, sign, lots, tick, True, reduce_only, False, False, sign)

    def cancel(self, order_id: str) -> bool:
        """Take an order back; False when it is not there any more."""
        order = self._orders.get(order_id)
        if order is not None:
            self._remove(order)
            return True
        for index, entry in enumerate(self._market):
            if entry[0] == order_id:
                del self._market[index]
                return True
        return False

    def bar(self, open_: float, high: float, low: float, close: float) -> None:
        """Walk one bar. Prices are quote per base, ``low <= open, close <= high``."""
        if low > self.below and high < self.above:
            return
        scale = self._scale
        at = int(open_ * scale + 0.5)
        top = int(high * scale + 0.5)
        bottom = int(low * scale + 0.5)
        end = int(close * scale + 0.5)
        self._open(at)
        if top - at < at - bottom:
            self._rise(at, top)
            self._fall(top, bottom)
            self._rise(bottom, end)
        else:
            self._fall(at, bottom)
            self._rise(bottom, top)
            self._fall(top, end)
        self._watch()

    def _watch(self) -> None:
        """Remember which prices meet nothing; every new order makes the next bar be walked."""
        if self._market or self._fresh:
            self.below = _ALWAYS
            return
        falling, rising = self._falling, self._rising
        self.below = (falling[-1][0] + 0.5) * self._size if falling else _NEVER_LOW
        self.above = (-rising[-1][0] - 0.5) * self._size if rising else _NEVER_HIGH

    # --- inside a bar

    def _open(self, at: int) -> None:
        if self._market:
            waiting, self._market = self._market, []
            for order_id, sign, lots, reduce_only in waiting:
                self._take(order_id, sign, lots, at, reduce_only)
        if self._fresh:
            self._settle_fresh(at)
        # What an open beyond their price leaves behind: limits keep their price, stops pay the gap.
        while self._falling and self._falling[-1][0] >= at:
            order = self._by_key[self._falling[-1]]
            self._meet(order, at if order.stop or order.fresh else order.tick)
        while self._rising and -self._rising[-1][0] <= at:
            order = self._by_key[self._rising[-1]]
            self._meet(order, at if order.stop or order.fresh else order.tick)

    def _settle_fresh(self, at: int) -> None:
        fresh, self._fresh = self._fresh, []
        for order in fresh:
            order.fresh = False
            if order.id not in self._orders or order.stop:
                continue
            if (order.tick - at) * order.sign >= 0:  # it crosses
                self._remove(order)
                if order.post_only:
                    self._on_drop(order.id, "post_only")
                else:
                    self._cross(order, at)
            elif order.immediate:
                self._remove(order)
                self._on_drop(order.id, "ioc")

    def _fall(self, start: int, end: int) -> None:
        falling = self._falling
        # An order given at a price above the start was passed already; it waits for a later bar.
        while falling and falling[-1][0] >= end:
            order = self._by_key[falling[-1]]
            self._meet(order, min(order.tick, start))
            start = min(start, order.tick)

    def _rise(self, start: int, end: int) -> None:
        rising = self._rising
        while rising and -rising[-1][0] <= end:
            order = self._by_key[rising[-1]]
            self._meet(order, max(order.tick, start))
            start = max(start, order.tick)

    def _meet(self, order: _Resting, at: int) -> None:
        self._remove(order)
        if order.stop:
            self._take(order.id, order.sign, order.lots, at, order.reduce_only)
        elif order.fresh and at != order.tick:  # given while this bar runs, and it crosses
            if order.post_only:
                self._on_drop(order.id, "post_only")
            else:
                self._cross(order, at)
        else:
            self._fill(order.id, order.sign, order.lots, order.tick, True, order.reduce_only)

    def _cross(self, order: _Resting, at: int) -> None:
        """Fill a limit order as taker, never beyond its price."""
        price = self._worse(at, order.sign)
        if (price - order.tick) * order.sign > 0:
            price = order.tick
        self._fill(order.id, order.sign, order.lots, price, False, order.reduce_only)

    def _take(self, order_id: str, sign: int, lots: int, at: int, reduce_only: bool) -> None:
        self._fill(order_id, sign, lots, self._worse(at, sign), False, reduce_only)

    def _worse(self, at: int, sign: int) -> int:
        if not self._slippage:
            return at
        return max(at + ceil(at * self._slippage) * sign, 1)

    def _fill(
        self, order_id: str, sign: int, lots: int, tick: int, maker: bool, reduce_only: bool
    ) -> None:
        if reduce_only:
            room = -self.position * sign
            if room <= 0:
                self._on_drop(order_id, "reduce_only")
                return
            if lots > room:
                self.position += sign * room
                self._on_fill(order_id, sign, room, tick, maker)
                self._on_drop(order_id, "reduce_only")
                return
        self.position += sign * lots
        self._on_fill(order_id, sign, lots, tick, maker)

    # --- resting orders

    def _rest(
        self,
        order_id: str,
        sign: int,
        lots: int,
        tick: int,
        stop: bool,
        reduce_only: bool,
        post_only: bool,
        immediate: bool,
        way: int,
    ) -> None:
        self._age += 1
        key = (-way * tick, -self._age)
        order = _Resting(
            order_id, sign, lots, tick, stop, reduce_only, post_only, immediate, way, key
        )
        self._orders[order_id] = order
        self._by_key[key] = order
        if way > 0:
            insort(self._rising, key)
        else:
            insort(self._falling, key)
        if not stop:
            self._fresh.append(order)
        self.below = _ALWAYS

    def _remove(self, order: _Resting) -> None:
        del self._orders[order.id]
        del self._by_key[order.key]
        keys = self._rising if order.way > 0 else self._falling
        if keys[-1] == order.key:
            keys.pop()
        else:
            del keys[bisect_left(keys, order.key)]
