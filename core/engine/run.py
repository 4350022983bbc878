"""Closed candles in a row while nothing else happens: what a backtest spends its time on.

Most candles meet no order, lead to no decision and bring no limit near. What ``Engine.process``
does with such a candle is written out here as a loop over many; any other candle goes the ordinary
way. Both ways give the same effects (tested), and the loop takes a quarter of the time.
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
from core.model.event import Event
from core.model.market import Candle
from core.signals.decision import Decision

PERIOD = SECOND // 4
"""How often the engine looks at equity and at what waits for time to pass, at most."""


class Bounds(Protocol):
    """Between which prices nothing rests: a candle strictly between the two meets no order."""

    below: float
    above: float


class Clock(Protocol):
    """What ends each event: the engine."""

    events: int
    due: int
    """When it next looks at equity and at what waits for time to pass, nanoseconds UTC."""

    def process(self, event: Event) -> tuple[Effect, ...]:
        """Take one event into account and return what must be done."""

    def finish(self, now: int) -> tuple[Effect, ...]:
        """Let time pass after an event and return the effects."""


class Floor(Protocol):
    """Where orders meet candles."""

    due: int
    """The first candles that open then or later must be shown to ``open``; nanoseconds UTC."""
    hour: int
    """The first candles that open then or later are shown to ``look`` before; nanoseconds UTC."""

    def look(self, row: tuple[Candle, ...]) -> None:
        """Take note of how things stand as these candles open."""

    def open(self, row: tuple[Candle, ...]) -> None:
        """Match candles that open together, before the engine hears of any."""

    def hear(self, effects: tuple[Effect, ...], now: int) -> None:
        """Do what the engine asks for when a candle has closed."""


class CandleRun:
    """Plays the candles of some instruments that close together.

    The candles must be well-formed, of the strategies' timeframe and known when they close, each
    row at least a second after the last; no other market data of the instruments may have been
    seen.
    """

    def __init__(
        self,
        clock: Clock,
        world: World,
        feed: Feed,
        equity: EquityWatch,
        lanes: Sequence[tuple[Slot, Bounds]],
        floor: Floor,
    ) -> None:
        self._clock = clock
        self._world = world
        self._feed = feed
        self._equity = equity
        self._lanes = lanes
        self._slots = [slot for slot, _ in lanes]
        self._floor = floor
        self._span = int(world.config.strategy.timeframe) * SECOND

    def play(self, rows: Iterator[tuple[Candle, ...]] | Iterator[Candle]) -> None:
        """Take all candles.

        Args:
            rows: one candle for each instrument, all of one time; bare candles where there is but
                one instrument, which takes half as long.
        """
        go = self._go_alone if len(self._lanes) == 1 else self._go_together
        while go(rows):
            pass

    def _go_alone(self, candles: Iterator[Any]) -> bool:
        """Take candles up to one that does something, with it; return whether there was one."""
        if self._world.pending:  # what was sent or asked a moment ago waits for time to pass
            for candle in candles:
                self._take((candle,))
                return True
            return False
        soon, (low,), (high,) = self._quiet()
        take = _taker(self._slots[0])
        seen: list[Candle] = []
        for candle in candles:
            if candle.low <= low or candle.high >= high or candle.ts >= soon:
                self._rest((seen,))
                if candle.ts < self._floor.hour:
                    self._take((candle,))
                    return True
                # Most often nothing but another hour has begun.
                self._floor.look((candle,))
                seen.clear()
                soon, (low,), (high,) = self._quiet()
                if candle.low <= low or candle.high >= high or candle.ts >= soon:
                    self._take((candle,))
                    return True
            seen.append(candle)
            try:
                decision = take(candle)
            except Exception as error:  # as in Feed.candle
                self._act((seen,), 0, error)
                return True
            if decision is not None:
                self._act((seen,), 0, decision)
                return True
        self._rest((seen,))
        return False

    def _go_together(self, rows: Iterator[Any]) -> bool:
        """Do the same with several instruments."""
        soon, lows, highs = self._quiet()
        takers = [_taker(slot) for slot in self._slots]
        seen: list[tuple[Candle, ...]] = []
        for row in rows:
            for candle, low, high in zip(row, lows, highs, strict=True):
                if candle.low <= low or candle.high >= high or candle.ts >= soon:
                    self._rest([*zip(*seen, strict=True)])
                    self._take(row)
                    return True
            seen.append(row)
            for candle, take in zip(row, takers, strict=True):
                said: Decision | Exception | None
                try:
                    said = take(candle)
                except Exception as error:  # as in Feed.candle
                    said = error
                if said is not None:
                    first = row.index(candle) + 1
                    lanes = [*zip(*seen, strict=True)]
                    lanes[first:] = [candles[:-1] for candles in lanes[first:]]
                    self._act(lanes, first - 1, said)
                    self._close(row, first)
                    return True
        self._rest([*zip(*seen, strict=True)])
        return False

    def _quiet(self) -> tuple[int, list[float], list[float]]:
        """Return what a candle must stay within to change nothing.

        That is the time before which it opens, and for each lane the prices strictly between which
        it neither meets an order nor brings equity to where a limit or the peak is.
        """
        world = self._world
        down, up = self._equity.slack()
        floor = self._floor
        soon = min(floor.due, floor.hour, self._equity.breaker.next - self._span)
        if down <= 0.0 or up <= 0.0 or world.pending:
            soon = 0
        lows, highs = [], []
        for slot, bounds in self._lanes:
            low, high = bounds.below, bounds.above
            size = slot.position.size
            if size:
                lower, upper = (down, up) if size > 0.0 else (up, down)
                low = max(low, slot.price - lower / abs(size))
                high = min(high, slot.price + upper / abs(size))
            lows.append(low)
            highs.append(high)
            if slot.linked:
                soon = 0  # who sees more than its own candles is told of each the ordinary way
        return soon, lows, highs

    def _take(self, row: tuple[Candle, ...]) -> None:
        """Take candles that meet an order or something that is due."""
        if row[0].ts >= self._floor.hour:
            self._floor.look(row)
        self._floor.open(row)
        self._close(row, 0)

    def _close(self, row: tuple[Candle, ...], first: int) -> None:
        """Let the lanes from one on hear of their candles, one after the other."""
        for slot, candle in zip(self._slots[first:], row[first:], strict=True):
            if slot.linked:
                effects = self._clock.process(candle)
                if effects:
                    self._floor.hear(effects, candle.received)
                continue
            self._world.now = candle.received
            self._note(slot, (candle,))
            said: Decision | Exception | None
            try:
                said = _taker(slot)(candle)
            except Exception as error:  # as in Feed.candle
                said = error
            if said is not None or slot is self._slots[0]:
                self._answer(slot, candle, said)

    def _act(
        self, seen: Sequence[Sequence[Candle]], index: int, said: Decision | Exception
    ) -> None:
        """Let the engine act on what the strategy of a lane said of its last candle."""
        clock = self._clock
        looked = clock.due
        self._rest(seen)
        if not index:
            clock.due = looked  # the engine has not looked at this time yet
        self._answer(self._slots[index], seen[index][-1], said)

    def _answer(self, slot: Slot, candle: Candle, said: Decision | Exception | None) -> None:
        if isinstance(said, Exception):
            self._feed.stop(slot, said)
        elif said is not None:
            self._feed.decided(slot, candle, said)
        effects = self._clock.finish(candle.received)
        if effects:
            self._floor.hear(effects, candle.received)

    def _rest(self, seen: Sequence[Sequence[Candle]]) -> None:
        """Leave the engine as the quiet candles that each lane has seen would have."""
        if seen and seen[0]:
            now = self._world.now = seen[0][-1].received
            self._clock.due = now + PERIOD
            for slot, candles in zip(self._slots, seen, strict=True):
                if candles:
                    self._note(slot, candles)

    def _note(self, slot: Slot, candles: Sequence[Candle]) -> None:
        last = candles[-1]
        slot.book_received = last.received
        slot.last = slot.price = last.close
        slot.candle_ts = last.ts
        slot.closes.extend([candle.close for candle in candles])
        self._clock.events += len(candles)


def _taker(slot: Slot) -> Callable[[Candle], Decision | None]:
    return slot.strategy.on_candle if slot.strategy is not None else _ignore


def _ignore(candle: Candle) -> None:
    """Stand in for a strategy that was stopped."""
