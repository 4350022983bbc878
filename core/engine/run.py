"""Closed candles in a row while nothing else happens: what a backtest spends its time on.

Most candles meet no order, lead to no decision and bring no limit near. What ``Engine.process``
does with such a candle is written out here as a loop over many; any other candle goes the ordinary
way. Both ways give the same effects (tested), and the loop takes a quarter of the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice
from typing import Any, Protocol

from core.clock import SECOND
from core.engine.equity import EquityWatch
from core.engine.feed import Feed
from core.engine.slot import CLOSES, Slot
from core.engine.world import World
from core.model.effect import Effect
from core.model.event import Event
from core.model.market import Candle
from core.signals.decision import Decision

_NONE = (0.0, 0.0)
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
        self._last: deque[Candle] = deque(maxlen=CLOSES * len(lanes))
        """The last rows, whose closes are for the picture. More of them would crowd the cache."""
        self._span = int(world.config.strategy.timeframe) * SECOND

    def play(self, rows: Iterator[tuple[Candle, ...]] | Iterator[Candle]) -> None:
        """Take all candles.

        Args:
            rows: one candle for each instrument, all of one time; bare candles where there is but
                one instrument, which takes half as long.
        """
        alone = len(self._lanes) == 1
        go = self._go_alone if alone else self._go_together
        world = self._world
        while go(rows):
            if world.pending:  # what was sent or asked a moment ago waits for time to pass
                row: Any = next(rows, None)
                if row is not None:
                    self._take((row,) if alone else row)
        width = len(self._slots)
        last = [*self._last]
        for index, slot in enumerate(self._slots):
            if not slot.linked:  # those were told of theirs by the feed
                slot.closes.extend([candle.close for candle in last[index::width]])
        self._last.clear()

    def _go_alone(self, candles: Iterator[Any]) -> bool:
        """Take candles up to one that does something, with it; return whether there was one."""
        soon, (low,), (high,) = self._quiet()
        slot, rests = self._lanes[0]
        take = _taker(slot)
        seen: list[Candle] = []
        for candle in candles:
            if (candle.low <= low or candle.high >= high or candle.ts >= soon) and not (
                # Near the peak prices often leave the band, but seldom close above it.
                candle.ts < soon
                and rests.below < candle.low
                and candle.high < rests.above
                and self._equity.calm(slot, candle.close)
            ):
                self._rest(seen, seen[-1:])
                marks = candle.ts >= self._equity.breaker.next - self._span
                if candle.ts < self._floor.hour or marks:
                    self._take((candle,))
                    return True
                # Nothing but another hour has begun.
                self._floor.look((candle,))
                seen = []
                soon, (low,), (high,) = self._quiet()
                if candle.low <= low or candle.high >= high or candle.ts >= soon:
                    self._take((candle,))
                    return True
            try:
                decision = take(candle)
            except Exception as error:  # as in Feed.candle
                self._rest(seen, seen[-1:])
                self._close((candle,), 1, error)
                return True
            if decision is not None:
                self._rest(seen, seen[-1:])
                self._close((candle,), 1, decision)
                return True
            seen.append(candle)
        self._rest(seen, seen[-1:])
        return False

    def _go_together(self, rows: Iterator[Any]) -> bool:
        """Do the same with several instruments, one candle after the other."""
        soon, lows, highs = self._quiet()
        takers = [_taker(slot) for slot in self._slots]
        width = len(takers)
        seen: list[Candle] = []
        candles = chain.from_iterable(rows)
        lanes = zip(candles, cycle(lows), cycle(highs), cycle(takers), strict=False)
        for candle, low, high, take in lanes:
            said: Decision | Exception | None = None
            quiet = candle.low > low and candle.high < high and candle.ts < soon
            if quiet:
                try:
                    said = take(candle)
                except Exception as error:  # as in Feed.candle
                    said = error
                if said is None:
                    seen.append(candle)
                    continue
            lane = len(seen) % width
            begin = len(seen) - lane
            after = [*islice(candles, width - lane - 1)]
            row = (*seen[begin:], candle, *after)
            del seen[begin:]
            self._rest(seen, seen[-width:])
            for one, least, most in zip(after, lows[lane + 1 :], highs[lane + 1 :], strict=True):
                if one.low <= least or one.high >= most:
                    quiet = False
            if not quiet:
                self._open(row)
            elif lane:
                self._clock.due = candle.received + PERIOD  # as after any quiet candle
            self._close(row, lane + (said is not None), said)
            return True
        self._rest(seen, seen[-width:])
        return False

    def _quiet(self) -> tuple[int, list[float], list[float]]:
        """Return what a candle must stay within to change nothing.

        That is the time before which it opens, and for each lane the prices strictly between which
        it neither meets an order nor brings equity to where a limit or the peak is.
        """
        floor = self._floor
        slack = self._equity.slack()
        soon = self._equity.breaker.next - self._span
        if slack is None or self._world.pending:
            soon = 0
        if floor.due < soon:
            soon = floor.due
        if floor.hour < soon:
            soon = floor.hour
        down, up = slack or _NONE
        lows, highs = [], []
        for slot, bounds in self._lanes:
            low, high = bounds.below, bounds.above
            size = slot.position.size
            if size:
                if size > 0.0:
                    least, most = slot.price - down / size, slot.price + up / size
                else:
                    least, most = slot.price + up / size, slot.price - down / size
                if least > low:
                    low = least
                if most < high:
                    high = most
            lows.append(low)
            highs.append(high)
            if slot.linked:
                soon = 0  # who sees more than its own candles is told of each the ordinary way
        return soon, lows, highs

    def _take(self, row: tuple[Candle, ...]) -> None:
        """Take candles that meet an order or something that is due."""
        self._open(row)
        self._close(row)

    def _open(self, row: tuple[Candle, ...]) -> None:
        if row[0].ts >= self._floor.hour:
            self._floor.look(row)
        self._floor.open(row)

    def _close(
        self, row: tuple[Candle, ...], asked: int = 0, said: Decision | Exception | None = None
    ) -> None:
        """Let the lanes hear of their candles, one after the other.

        Args:
            row: the candles.
            asked: how many lanes' strategies were asked already.
            said: what the last of them answered; those before had nothing to say.
        """
        clock = self._clock
        now = self._world.now = row[0].received
        self._last += row
        for index, (slot, candle) in enumerate(zip(self._slots, row, strict=True)):
            if slot.linked:
                effects = clock.process(candle)
                if effects:
                    self._floor.hear(effects, now)
                continue
            _value(slot, candle)
            clock.events += 1
            answer = said if index == asked - 1 else None
            if index >= asked:
                strategy = slot.strategy
                try:
                    answer = strategy.on_candle(candle) if strategy is not None else None
                except Exception as error:  # as in Feed.candle
                    answer = error
            if answer is not None:
                if isinstance(answer, Exception):
                    self._feed.stop(slot, answer)
                else:
                    self._feed.decided(slot, candle, answer)
            elif index:
                continue  # the engine has looked at this time with the first lane
            effects = clock.finish(now)
            if effects:
                self._floor.hear(effects, now)

    def _rest(self, seen: Sequence[Candle], last: Sequence[Candle]) -> None:
        """Leave the engine as quiet candles would have.

        Args:
            seen: them, in whole rows.
            last: the last row of them.
        """
        if not last:
            return
        clock = self._clock
        now = self._world.now = last[0].received
        clock.due = now + PERIOD
        clock.events += len(seen)
        self._last += seen
        for slot, candle in zip(self._slots, last, strict=True):
            _value(slot, candle)


def _value(slot: Slot, candle: Candle) -> None:
    slot.book_received = candle.received
    slot.last = slot.price = candle.close
    slot.candle_ts = candle.ts


def _taker(slot: Slot) -> Callable[[Candle], Decision | None]:
    return slot.strategy.on_candle if slot.strategy is not None else _ignore


def _ignore(candle: Candle) -> None:
    """Stand in for a strategy that was stopped."""
