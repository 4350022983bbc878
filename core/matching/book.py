"""The book of one instrument: anonymous liquidity of the market, and orders with an owner.

Prices are ticks, quantities lots, sides +1 (buy) and -1 (sell). Anonymous levels are set from
outside, as a recording or a model says. Orders queue behind what stood at their price when they
came: price first, then time. Everything that happens to an order is told to the listener while it
happens; the book keeps no history.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class End(StrEnum):
    """Why the book dropped an order that nobody cancelled."""

    POST_ONLY = "post_only"
    IOC = "ioc"
    FOK = "fok"
    SELF_TRADE = "self_trade"
    REDUCE_ONLY = "reduce_only"


class Tif(StrEnum):
    """How long an order lives; a market order is IOC without a limit."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class BookOrder(Struct, gc=False):
    """An order in or on its way into the book; changed in place.

    ``number`` is the caller's and unique in the book; ``owner`` never trades with itself.
    """

    number: int
    owner: str
    sign: int
    lots: int
    """Not yet filled."""
    tick: int | None
    """Limit; None for a market order."""
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    ahead: int = 0
    """Anonymous lots that stood at the price before it."""


class BookListener(Protocol):
    """Who owns the orders. Called while the book changes: it must not call back into the book."""

    def filled(self, order: BookOrder, tick: int, lots: int, maker: bool) -> None:
        """Tell that lots traded; ``order.lots`` is what is left."""

    def dropped(self, order: BookOrder, end: End) -> None:
        """Tell that the rest of an order is gone."""

    def traded(self, tick: int, lots: int, taker_sign: int) -> None:
        """Tell of a public trade that an order with an owner caused, or stood in the way of."""

    def reducible(self, owner: str, sign: int) -> int:
        """Return how many lots a reduce-only order of that side may still fill."""


class _Side:
    """One side. Keys are ``tick * sign``, so the best price is the last key on both sides."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, int] = {}
        self.level_keys: list[int] = []
        self.queues: dict[int, dict[int, BookOrder]] = {}
        self.queue_keys: list[int] = []

    def best_key(self) -> int | None:
        levels, queues = self.level_keys, self.queue_keys
        if levels and queues:
            return max(levels[-1], queues[-1])
        if levels:
            return levels[-1]
        return queues[-1] if queues else None

    def put_level(self, key: int, lots: int) -> None:
        if lots > 0:
            if key not in self.levels:
                insort(self.level_keys, key)
            self.levels[key] = lots
        elif self.levels.pop(key, None) is not None:
            del self.level_keys[bisect_left(self.level_keys, key)]

    def join(self, key: int, order: BookOrder) -> None:
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = {}
            insort(self.queue_keys, key)
        order.ahead = self.levels.get(key, 0)
        queue[order.number] = order

    def leave(self, key: int, order: BookOrder) -> None:
        queue = self.queues[key]
        del queue[order.number]
        if not queue:
            del self.queues[key]
            del self.queue_keys[bisect_left(self.queue_keys, key)]

    def walk(self) -> Iterator[tuple[int, int]]:
        """Yield ``(key, lots)`` from the best, orders included."""
        levels, queues = self.level_keys, self.queue_keys
        i, j = len(levels) - 1, len(queues) - 1
        while i >= 0 or j >= 0:
            key = max(levels[i] if i >= 0 else queues[j], queues[j] if j >= 0 else levels[i])
            yield key, self.total(key)
            i -= i >= 0 and levels[i] == key
            j -= j >= 0 and queues[j] == key

    def total(self, key: int) -> int:
        queue = self.queues.get(key)
        lots = self.levels.get(key, 0)
        return lots + sum(order.lots for order in queue.values()) if queue else lots


class Book:
    """Price-time matching of one instrument.

    Attributes:
        touched: keys ``(sign, tick)`` of levels whose visible quantity may have changed; the
            caller takes it and clears it.
    """

    def __init__(self, listener: BookListener) -> None:
        self._listener = listener
        self._bids = _Side(1)
        self._asks = _Side(-1)
        self._orders: dict[int, BookOrder] = {}
        self.touched: set[tuple[int, int]] = set()

    def _side(self, sign: int) -> _Side:
        return self._bids if sign > 0 else self._asks

    # --- what can be seen

    def best(self, sign: int) -> int | None:
        """Return the best tick of a side, orders included; None when the side is empty."""
        key = self._side(sign).best_key()
        return None if key is None else key * sign

    def visible(self, sign: int, tick: int) -> int:
        """Return all lots at a price."""
        return self._side(sign).total(tick * sign)

    def levels(self, sign: int, limit: int) -> list[tuple[int, int]]:
        """Return the best ``limit`` levels ``(tick, lots)`` of a side, best first."""
        out: list[tuple[int, int]] = []
        for key, lots in self._side(sign).walk():
            if len(out) >= limit:
                break
            out.append((key * sign, lots))
        return out

    def anonymous_at(self, sign: int, tick: int) -> int:
        """Return the market's own lots at a price."""
        return self._side(sign).levels.get(tick * sign, 0)

    def order(self, number: int) -> BookOrder | None:
        """Return a resting order."""
        return self._orders.get(number)

    @property
    def resting(self) -> int:
        """How many orders rest."""
        return len(self._orders)

    # --- the market

    def set_level(self, sign: int, tick: int, lots: int) -> None:
        """Set the market's own quantity at a price; 0 removes the level.

        A level at or beyond resting orders of the other side trades with them first.
        """
        side, other = self._side(sign), self._side(-sign)
        self.touched.add((sign, tick))
        if lots > 0 and other.queue_keys and -other.queue_keys[-1] <= tick * sign:
            lots -= self._sweep(other, lots, tick)
        key = tick * sign
        side.put_level(key, lots)
        queue = side.queues.get(key)
        if queue:
            # Who leaves is not told: the back of the queue is taken to leave first.
            for order in queue.values():
                order.ahead = min(order.ahead, max(lots, 0))

    def trade(self, tick: int, lots: int, taker_sign: int) -> int:
        """Let an anonymous taker trade up to a price with resting orders; levels stay as they are.

        Anonymous lots that stand before an order, at better prices or earlier in its queue, are
        eaten first.

        Returns:
            Lots that resting orders filled.
        """
        side = self._side(-taker_sign)
        if not side.queue_keys or -side.queue_keys[-1] > tick * taker_sign:
            return 0
        done = 0
        while lots > 0 and side.queue_keys:
            key = side.queue_keys[-1]
            at = key * side.sign
            if at * taker_sign > tick * taker_sign:
                break
            # A print at a worse price went through this one: nothing stands before its orders.
            eaten, filled = self._eat(side, key, lots, None if at == tick else 0)
            done += filled
            lots -= eaten + filled
            if key in side.queues:
                break
        return done

    def _sweep(self, side: _Side, lots: int, limit: int) -> int:
        """Fill resting orders of ``side`` against an anonymous quantity that crossed them."""
        done = 0
        while lots > done and side.queue_keys:
            key = side.queue_keys[-1]
            if key < limit * side.sign:
                break
            _, filled = self._eat(side, key, lots - done, 0)
            done += filled
            if filled:
                self._listener.traded(key * side.sign, filled, -side.sign)
            if key in side.queues:
                break
        return done

    def _eat(self, side: _Side, key: int, lots: int, ahead_limit: int | None) -> tuple[int, int]:
        """Trade up to ``lots`` at one price, in time order, for an anonymous taker.

        Args:
            ahead_limit: most anonymous lots that stand before orders; None for as recorded.

        Returns:
            Anonymous lots eaten, and lots that orders filled.
        """
        eaten = filled = 0
        tick = key * side.sign
        queue = side.queues.get(key)
        for order in list(queue.values()) if queue else ():
            ahead = order.ahead if ahead_limit is None else min(order.ahead, ahead_limit)
            step = min(max(ahead - eaten, 0), lots - eaten - filled)
            eaten += step
            room = lots - eaten - filled
            if room <= 0:
                break
            filled += self._fill_maker(side, key, order, tick, room)
        if eaten and (queue := side.queues.get(key)):
            for order in queue.values():
                order.ahead = max(order.ahead - eaten, 0)
        return eaten, filled

    def _fill_maker(self, side: _Side, key: int, order: BookOrder, tick: int, room: int) -> int:
        lots = min(order.lots, room)
        cut = False
        if order.reduce_only:
            allowed = self._listener.reducible(order.owner, order.sign)
            cut = allowed < order.lots
            lots = min(lots, allowed)
        if lots > 0:
            order.lots -= lots
            self.touched.add((side.sign, tick))
            if not order.lots:
                self._forget(side, key, order)
            self._listener.filled(order, tick, lots, True)
        if cut and order.lots and lots < room:
            self._forget(side, key, order)
            self._listener.dropped(order, End.REDUCE_ONLY)
        return max(lots, 0)

    def _forget(self, side: _Side, key: int, order: BookOrder) -> None:
        side.leave(key, order)
        del self._orders[order.number]
        self.touched.add((side.sign, key * side.sign))

    # --- orders

    def crosses(self, sign: int, tick: int) -> bool:
        """Tell whether a limit order would trade at once."""
        best = self._side(-sign).best_key()
        return best is not None and -best <= tick * sign

    def takes(self, sign: int, tick: int | None, lots: int) -> tuple[int, int]:
        """Return what a taker would get: lots, and their value in ticks times lots."""
        got = value = 0
        for key, there in self._side(-sign).walk():
            at = -key * sign
            if got >= lots or (tick is not None and at * sign > tick * sign):
                break
            step = min(there, lots - got)
            got += step
            value += step * at
        return got, value

    def submit(self, order: BookOrder) -> None:
        """Match an order and rest what is left of it, as its time in force says."""
        if order.reduce_only:
            allowed = self._listener.reducible(order.owner, order.sign)
            if allowed <= 0:
                self._listener.dropped(order, End.REDUCE_ONLY)
                return
        if order.tick is not None and order.tif is Tif.POST_ONLY:
            if self.crosses(order.sign, order.tick):
                self._listener.dropped(order, End.POST_ONLY)
                return
        elif order.tif is Tif.FOK and not self._fills(order):
            self._listener.dropped(order, End.FOK)
            return
        elif not self._take(order):
            return
        if order.lots <= 0:
            return
        if order.tick is None or order.tif in (Tif.IOC, Tif.FOK):
            self._listener.dropped(order, End.IOC)
            return
        side = self._side(order.sign)
        self._orders[order.number] = order
        side.join(order.tick * order.sign, order)
        self.touched.add((order.sign, order.tick))

    def _fills(self, order: BookOrder) -> bool:
        """Whether an order can trade all of its lots before it meets one of its own owner."""
        side, got = self._side(-order.sign), 0
        for key, _ in side.walk():
            tick = key * side.sign
            if order.tick is not None and tick * order.sign > order.tick * order.sign:
                break
            before = 0
            for maker in side.queues.get(key, {}).values():
                if maker.owner == order.owner:
                    return got + maker.ahead + before >= order.lots
                # A resting reduce-only order may go when its turn comes: not counted on.
                before += 0 if maker.reduce_only else maker.lots
            got += side.levels.get(key, 0) + before
            if got >= order.lots:
                break
        return got >= order.lots

    def _take(self, order: BookOrder) -> bool:
        """Trade with the other side; False when the rest of the order was dropped on the way."""
        side = self._side(-order.sign)
        while order.lots > 0 and (key := side.best_key()) is not None:
            tick = key * side.sign
            if order.tick is not None and tick * order.sign > order.tick * order.sign:
                break
            wanted = order.lots
            if order.reduce_only:
                wanted = min(wanted, self._listener.reducible(order.owner, order.sign))
                if wanted <= 0:
                    self._listener.dropped(order, End.REDUCE_ONLY)
                    return False
            if self._take_level(order, side, key, tick, wanted):
                self._listener.dropped(order, End.SELF_TRADE)
                return False
        return True

    def _take_level(self, order: BookOrder, side: _Side, key: int, tick: int, wanted: int) -> bool:
        """Trade at one price: orders in their turn, the market's lots around them.

        Returns:
            Whether it came to an order of its own owner, and stopped.
        """
        for maker in list(side.queues.get(key, {}).values()):
            wanted -= self._take_anonymous(order, side, key, tick, min(wanted, maker.ahead))
            if wanted <= 0:
                return False
            if maker.owner == order.owner:
                return True
            lots = min(maker.lots, wanted)
            if maker.reduce_only:
                lots = min(lots, self._listener.reducible(maker.owner, maker.sign))
            if lots > 0:
                maker.lots -= lots
                order.lots -= lots
                wanted -= lots
                self.touched.add((side.sign, tick))
                if not maker.lots:
                    self._forget(side, key, maker)
                self._listener.filled(maker, tick, lots, True)
                self._listener.filled(order, tick, lots, False)
                self._listener.traded(tick, lots, order.sign)
            if maker.lots and wanted > 0:
                self._forget(side, key, maker)
                self._listener.dropped(maker, End.REDUCE_ONLY)
            if wanted <= 0:
                return False
        self._take_anonymous(order, side, key, tick, wanted)
        return False

    def _take_anonymous(self, order: BookOrder, side: _Side, key: int, tick: int, lots: int) -> int:
        there = side.levels.get(key, 0)
        lots = min(there, lots)
        if lots <= 0:
            return 0
        side.put_level(key, there - lots)
        for maker in side.queues.get(key, {}).values():
            maker.ahead = max(maker.ahead - lots, 0)
        order.lots -= lots
        self.touched.add((side.sign, tick))
        self._listener.filled(order, tick, lots, False)
        self._listener.traded(tick, lots, order.sign)
        return lots

    def cancel(self, number: int) -> BookOrder | None:
        """Take a resting order out; None when it does not rest here."""
        order = self._orders.get(number)
        if order is None or order.tick is None:
            return None
        self._forget(self._side(order.sign), order.tick * order.sign, order)
        return order

    def shrink(self, number: int, lots: int) -> None:
        """Lower the unfilled lots of a resting order; it keeps its place in the queue."""
        order = self._orders[number]
        assert order.tick is not None  # resting orders have a price
        order.lots = lots
        self.touched.add((order.sign, order.tick))


class Trigger(Struct, frozen=True, gc=False):
    """A stop that waits: fires at or beyond ``tick``, upward when ``rising``."""

    number: int
    tick: int
    rising: bool


class Triggers:
    """Stops waiting for one price series. Checking a price that fires nothing costs O(1)."""

    def __init__(self) -> None:
        self._waiting: dict[int, Trigger] = {}
        # Ascending, the next to fire last: (-tick, -number) rising, (tick, -number) falling.
        self._rising: list[tuple[int, int]] = []
        self._falling: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, trigger: Trigger) -> None:
        """Wait for a price."""
        self._waiting[trigger.number] = trigger
        keys, key = self._place(trigger)
        insort(keys, key)

    def remove(self, number: int) -> bool:
        """Stop waiting; False when it does not wait here."""
        trigger = self._waiting.pop(number, None)
        if trigger is None:
            return False
        keys, key = self._place(trigger)
        del keys[bisect_left(keys, key)]
        return True

    def _place(self, trigger: Trigger) -> tuple[list[tuple[int, int]], tuple[int, int]]:
        if trigger.rising:
            return self._rising, (-trigger.tick, -trigger.number)
        return self._falling, (trigger.tick, -trigger.number)

    def fire(self, price: float) -> list[int]:
        """Take out and return the numbers that a price (in ticks, may be between two) fires."""
        fired: list[int] = []
        while self._rising and -self._rising[-1][0] <= price:
            fired.append(-self._rising.pop()[1])
        while self._falling and self._falling[-1][0] >= price:
            fired.append(-self._falling.pop()[1])
        for number in fired:
            del self._waiting[number]
        return fired
