"""Our own request budget, in place of ccxt's limiter.

ccxt queues every request of an exchange in one line: an order behind twenty reads waits seconds,
and its default bucket delays even the first order after a rest by up to 200 ms. Here each of a
venue's limits is a pool that refills continuously; a request states its class, and a class may
only draw a pool down to its floor. At least 30 % of every pool is kept for what reduces risk.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from bisect import insort
from collections.abc import Callable, Mapping
from enum import IntEnum

from msgspec import Struct

Costs = tuple[tuple[str, float], ...]
"""Which pools a request draws from, and how much."""


class Urgency(IntEnum):
    """The class of a request, most urgent first."""

    KILL = 0
    CANCEL = 1
    REDUCE = 2
    ORDER = 3
    READ = 4


FLOOR = {
    Urgency.KILL: 0.0,
    Urgency.CANCEL: 0.0,
    Urgency.REDUCE: 0.05,
    Urgency.ORDER: 0.3,
    Urgency.READ: 0.4,
}
"""The part of a pool that a class leaves untouched."""

PATIENCE = {
    Urgency.KILL: 30.0,
    Urgency.CANCEL: 10.0,
    Urgency.REDUCE: 10.0,
    Urgency.ORDER: 1.0,
    Urgency.READ: 20.0,
}
"""Seconds a request waits before it is refused. An order that waited longer is an old order."""


class Pool(Struct, frozen=True):
    """One limit of a venue: ``capacity`` units in any ``seconds``."""

    capacity: float
    seconds: float


class Exhausted(Exception):
    """The request was not sent: no budget in time, or the venue has banned us for now.

    Args:
        seconds: until it is worth trying again.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(reason)


class _Waiter(Struct, eq=False):
    urgency: Urgency
    order: int
    costs: Costs
    pools: frozenset[str]
    ready: asyncio.Future[None]


class Budget:
    """What may still be asked of one venue.

    Args:
        pools: the venue's limits.
        share: part of each limit that is ours; the kill path and the rest split a venue.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._capacity = {name: max(1.0, pool.capacity * share) for name, pool in pools.items()}
        self._rate = {name: self._capacity[name] / pool.seconds for name, pool in pools.items()}
        self._left = dict(self._capacity)
        self._filled = clock()
        self._waiters: list[_Waiter] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._banned_until = 0.0

    @property
    def used(self) -> float:
        """The largest part of any pool in use, 0 to 1."""
        self._refill()
        return max(1.0 - left / self._capacity[name] for name, left in self._left.items())

    async def take(self, urgency: Urgency, costs: Costs) -> None:
        """Wait for budget, at most the patience of the class.

        Raises:
            Exhausted: nothing was drawn; do not send.
        """
        now = self._refill()
        if now < self._banned_until:
            raise Exhausted("the venue has banned this address", self._banned_until - now)
        if not self._waiters and self._affords(urgency, costs, now):
            self._draw(costs)
            return
        self._count += 1
        pools = frozenset(name for name, _ in costs)
        ready = asyncio.get_running_loop().create_future()
        waiter = _Waiter(urgency, self._count, costs, pools, ready)
        insort(self._waiters, waiter, key=lambda item: (item.urgency, item.order))
        if not self._is_behind(waiter):
            self._serve()
        try:
            await asyncio.wait_for(waiter.ready, PATIENCE[urgency])
        except TimeoutError:
            raise Exhausted("the venue's request limits left no room for it in time", 1.0) from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def pause(self, seconds: float) -> None:
        """Hold orders and reads back: the venue said to slow down."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def ban(self, seconds: float) -> None:
        """Send nothing at all: the venue has banned us, and asking makes it longer."""
        self._banned_until = max(self._banned_until, self._clock() + seconds)
        for waiter in self._waiters:
            if not waiter.ready.done():
                waiter.ready.set_exception(Exhausted("the venue has banned this address", seconds))

    def observe(self, pool: str, left: float) -> None:
        """Believe the venue when it says that less is left than we thought."""
        if pool in self._left:
            self._refill()
            self._left[pool] = min(self._left[pool], max(0.0, left))

    def _refill(self) -> float:
        now = self._clock()
        passed = now - self._filled
        if passed > 0:
            self._filled = now
            for name, capacity in self._capacity.items():
                self._left[name] = min(capacity, self._left[name] + passed * self._rate[name])
        return now

    def _affords(self, urgency: Urgency, costs: Costs, now: float) -> bool:
        if urgency >= Urgency.ORDER and now < self._paused_until:
            return False
        floor = FLOOR[urgency]
        return all(self._left[name] >= self._needed(name, cost, floor) for name, cost in costs)

    def _needed(self, name: str, cost: float, floor: float) -> float:
        """What a pool must hold. A request dearer than its share may go when the pool is full."""
        capacity = self._capacity[name]
        return min(floor * capacity + cost, capacity) - 1e-9

    def _draw(self, costs: Costs) -> None:
        for name, cost in costs:
            self._left[name] -= cost

    def _is_behind(self, waiter: _Waiter) -> bool:
        """Whether somebody ahead waits for the same pool: then there is nothing to look at yet."""
        ahead = itertools.takewhile(lambda other: other is not waiter, self._waiters)
        return any(not waiter.pools.isdisjoint(other.pools) for other in ahead)

    def _serve(self) -> None:
        """Let through whoever can pay, most urgent first; nobody overtakes in the same pool."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._refill()
        blocked: set[str] = set()
        waiting: list[_Waiter] = []
        soonest = 1.0
        for waiter in self._waiters:
            if waiter.ready.done():
                continue
            if blocked.isdisjoint(waiter.pools):
                if self._affords(waiter.urgency, waiter.costs, now):
                    self._draw(waiter.costs)
                    waiter.ready.set_result(None)
                    continue
                soonest = min(soonest, self._delay(waiter, now))
            blocked |= waiter.pools
            waiting.append(waiter)
        self._waiters = waiting
        if waiting:
            delay = max(0.002, soonest)
            self._timer = asyncio.get_running_loop().call_later(delay, self._serve)

    def _delay(self, waiter: _Waiter, now: float) -> float:
        """Return the seconds until a waiter can pay, if nobody else draws."""
        needed = max(
            (self._needed(name, cost, FLOOR[waiter.urgency]) - self._left[name]) / self._rate[name]
            for name, cost in waiter.costs
        )
        if waiter.urgency >= Urgency.ORDER:
            needed = max(needed, self._paused_until - now)
        return needed
