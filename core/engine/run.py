"""Closed candles in a row while nothing else happens: what a backtest spends its time on.

Most candles meet no order, lead to no decision and mark no equity. What ``Engine.process`` does
with such a candle is written out here as a loop over many; a candle that does anything else ends
the loop and goes the ordinary way. Both ways give the same effects (tested), and the loop takes a
third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from core.clock import SECOND
from core.engine.equity import EquityWatch
from core.engine.feed import Feed
from core.engine.slot import Slot
from core.engine.world import World
from core.model.effect import Effect
from core.model.market import Candle
from core.signals.decision import Decision

PERIOD = SECOND // 4
"""How often the engine looks at equity and at what waits for time to pass, at most."""
_NOTHING: tuple[Effect, ...] = ()


class Bounds(Protocol):
    """Between which prices nothing rests: a candle strictly between the two meets no order."""

    below: float
    above: float


class Clock(Protocol):
    """What ends each event: the engine."""

    events: int
    due: int
    """When it next looks at equity and at what waits for time to pass, nanoseconds UTC."""

    def finish(self, now: int) -> tuple[Effect, ...]:
        """Let time pass after an event and return the effects."""


class CandleRun:
    """Takes the candles of some instruments that close together, as long as they change nothing.

    The candles must be well-formed and of the strategies' timeframe, each row at least a second
    after the last; no other market data of the instruments may have been seen.

    Attributes:
        row: the candles at which ``go`` stopped, in the order of the instruments.
        taken: how many of them the engine has taken; the rest is the caller's to ``process``.
    """

    def __init__(
        self,
        clock: Clock,
        world: World,
        feed: Feed,
        equity: EquityWatch,
        lanes: Sequence[tuple[Slot, Bounds]],
    ) -> None:
        self._clock = clock
        self._world = world
        self._feed = feed
        self._breaker = equity.breaker
        self._lanes = lanes
        self._go: Callable[[Any, int], tuple[Effect, ...] | None] = (
            self._go_alone if len(lanes) == 1 else self._go_together
        )
        self.row: tuple[Candle, ...] = ()
        self.taken = 0

    def go(
        self, rows: Iterator[tuple[Candle, ...]] | Iterator[Candle], until: int
    ) -> tuple[Effect, ...] | None:
        """Take candles until one does something; return its effects, or None at the end.

        Args:
            rows: one candle for each instrument, all of one time; bare candles where there is but
                one instrument, which takes half as long.
            until: candles that open then or later are left to the caller, nanoseconds UTC.
        """
        for slot, _ in self._lanes:
            if slot.linked:
                until = 0  # who sees more than its own candles is told of each the ordinary way
        return self._go(rows, until)

    def _go_alone(self, candles: Iterator[Candle], until: int) -> tuple[Effect, ...] | None:
        world, breaker = self._world, self._breaker
        slot, bounds = self._lanes[0]
        below, above = bounds.below, bounds.above
        take, note = _taker(slot), slot.closes.append
        floor, peak, due = breaker.floor, breaker.peak, breaker.next
        cash, pending = world.cash, world.pending
        size = cost = 0.0
        if world.held:
            size, cost = slot.position.size, slot.position.cost
        count = 0
        candle = last = None
        for candle in candles:
            if candle.low <= below or candle.high >= above or candle.ts >= until:
                self._rest(last, count)
                self.row, self.taken = (candle,), 0
                return _NOTHING
            count += 1
            close = candle.close
            note(close)
            try:
                decision = take(candle)
            except Exception as error:  # as in Feed.candle
                return self._end(0, (candle,), count, error)
            if (
                decision is not None
                or pending
                or not floor < cash + size * (close - cost) <= peak
                or candle.received >= due
            ):
                return self._end(0, (candle,), count, decision)
            last = candle
        self._rest(last, count)
        return None

    def _go_together(
        self, rows: Iterator[tuple[Candle, ...]], until: int
    ) -> tuple[Effect, ...] | None:
        world, breaker = self._world, self._breaker
        lanes = [(s, b.below, b.above, _taker(s), s.closes.append) for s, b in self._lanes]
        floor, peak, due = breaker.floor, breaker.peak, breaker.next
        cash, pending = world.cash, world.pending
        held = [(slot, slot.position.size, slot.position.cost) for slot in world.held]
        first = lanes[0]
        count = 0
        now = world.now
        for row in rows:
            for candle, lane in zip(row, lanes, strict=True):
                if candle.low <= lane[1] or candle.high >= lane[2] or candle.ts >= until:
                    self._pass(now, count)
                    self.row, self.taken = row, 0
                    return _NOTHING
            now = row[0].received
            for candle, lane in zip(row, lanes, strict=True):
                slot, _, _, take, note = lane
                count += 1
                close = candle.close
                slot.book_received = now
                slot.last = slot.price = close
                slot.candle_ts = candle.ts
                note(close)
                try:
                    decision = take(candle)
                except Exception as error:  # as in Feed.candle
                    return self._end(lanes.index(lane), row, count, error)
                if lane is first:
                    # The engine looks at equity once a time: at the first candle that closes.
                    equity = cash
                    for one, size, cost in held:
                        equity += size * (one.price - cost)
                    if pending or not floor < equity <= peak or now >= due:
                        return self._end(0, row, count, decision)
                if decision is not None:
                    return self._end(lanes.index(lane), row, count, decision)
        self._pass(now, count)
        return None

    def _end(
        self, index: int, row: tuple[Candle, ...], count: int, said: Decision | Exception | None
    ) -> tuple[Effect, ...]:
        """Let the engine act on what a candle led to, and return the effects."""
        slot, candle = self._lanes[index][0], row[index]
        self.row, self.taken = row, index + 1
        _value(slot, candle)
        if index:
            self._pass(candle.received, count)
        else:  # the engine has not looked at this time yet
            self._clock.events += count
            self._world.now = candle.received
        if isinstance(said, Exception):
            self._feed.stop(slot, said)
        elif said is not None:
            self._feed.decided(slot, candle, said)
        return self._clock.finish(candle.received)

    def _rest(self, last: Candle | None, count: int) -> None:
        """Leave the one instrument as its last quiet candle would have."""
        if last is not None:
            _value(self._lanes[0][0], last)
            self._pass(last.received, count)

    def _pass(self, now: int, count: int) -> None:
        """Leave the engine as quiet candles up to a time would have."""
        if count:
            self._clock.events += count
            self._clock.due = now + PERIOD
            self._world.now = now


def _value(slot: Slot, candle: Candle) -> None:
    slot.book_received = candle.received
    slot.last = slot.price = candle.close
    slot.candle_ts = candle.ts


def _taker(slot: Slot) -> Callable[[Candle], Decision | None]:
    return slot.strategy.on_candle if slot.strategy is not None else _ignore


def _ignore(candle: Candle) -> None:
    """Stand in for a strategy that was stopped."""
