"""Closed candles in a row while nothing else happens: what a backtest spends its time on.

Most candles meet no order, lead to no decision and bring no limit near. Strategies see nothing but
their candles here, so each is shown its own up to the next that it has something to say of; the
candles before that are passed over at once, up to the first at which a price leaves what is known
to change nothing. Those at which something happens are dealt with as ``Engine.process`` does. Both
ways give the same effects (tested), and this one takes a fraction of the time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Protocol

from core.clock import SECOND
from core.engine.ahead import Block, Bounds, Lane, Words, listen
from core.engine.equity import EquityWatch
from core.engine.feed import Feed
from core.engine.slot import CLOSES, Slot
from core.engine.world import World
from core.model.effect import Effect
from core.model.event import Event

_NONE = (0.0, 0.0)
PERIOD = SECOND // 4
"""How often the engine looks at equity and at what waits for time to pass, at most."""


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

    def look(self, lanes: Sequence[Lane], at: int) -> None:
        """Take note of how things stand as the lanes' candles number ``at`` open."""

    def open(self, lanes: Sequence[Lane], at: int) -> None:
        """Match these candles, before the engine hears of any."""

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
        timeframe = int(world.config.strategy.timeframe)
        self._lanes = [Lane(slot, bounds, timeframe) for slot, bounds in lanes]
        self._floor = floor
        self._span = timeframe * SECOND
        self._times: Sequence[int] = ()

    def play(self, blocks: Iterable[Block]) -> None:
        """Take all candles."""
        lanes = self._lanes
        for block in blocks:
            times = self._times = block.times
            for lane, columns in zip(lanes, block.columns, strict=True):
                lane.load(times, columns)
            begin, end = 0, len(times)
            # Who sees more than its own candles is told of each by the feed.
            if any(lane.slot.linked for lane in lanes):
                self._tell(0, end)
                continue
            while begin < end:
                # What is due comes before what strategies say of the candles after it.
                due = bisect_left(times, self._floor.due, begin, end)
                if due == begin:
                    due += 1
                    self._tell(begin, due)
                else:
                    self._pass(begin, due, listen(lanes, begin, due))
                    for lane in lanes:
                        lane.slot.closes.extend(lane.close[max(begin, due - CLOSES) : due])
                begin = due

    def _tell(self, begin: int, end: int) -> None:
        """Take candles the ordinary way."""
        clock, floor = self._clock, self._floor
        candles = [lane.candles(begin, end)[0] for lane in self._lanes]
        for at, row in enumerate(zip(*candles, strict=True), begin):
            self._open(at)
            for candle in row:
                effects = clock.process(candle)
                if effects:
                    floor.hear(effects, candle.received)

    def _pass(self, begin: int, end: int, words: Words) -> None:
        """Take candles of which it is known what the strategies say."""
        lanes, times, floor = self._lanes, self._times, self._floor
        while begin < end:
            if self._world.pending:  # what was sent or asked a moment ago waits for time to pass
                at, quiet = begin, False
            else:
                at, quiet = self._find(begin, end, words.at)
                if at > begin:
                    self._rest(begin, at)
                if at == end:
                    return
                if (
                    not quiet
                    and times[at] >= floor.hour
                    and times[at] < self._equity.breaker.next - self._span
                ):
                    # Nothing but another hour may have begun.
                    floor.look(lanes, at)
                    begin = at
                    continue
            if not quiet:
                self._open(at)
            self._close(at, words, quiet)
            if words.at == at:
                words.go_on()
            begin = at + 1

    def _find(self, begin: int, end: int, word: int) -> tuple[int, bool]:
        """Return the first candles that are not passed over, and whether only a strategy speaks.

        Args:
            word: the first of which one speaks.
        """
        times = self._times
        soon, bands = self._quiet()
        last = word + 1 if word < end else end
        if times[last - 1] >= soon:
            last = bisect_left(times, soon, begin, last)
        at = begin
        while True:
            loud = last
            for lane, low, high in bands:
                loud = lane.leaves(low, high, at, loud)
            if loud == last:
                return (word, True) if last > word else (last, False)
            if not self._calm(loud):
                return loud, False
            if loud == word:
                return word, True
            at = loud + 1

    def _calm(self, at: int) -> bool:
        """Return whether a candle that left its band changes nothing nevertheless.

        Near the peak prices often leave it, but seldom close above it.
        """
        if len(self._lanes) > 1:
            return False
        lane = self._lanes[0]
        rests = lane.rests
        between = rests.below < lane.low[at] and lane.high[at] < rests.above
        return between and self._equity.calm(lane.slot, lane.close[at])

    def _quiet(self) -> tuple[int, list[tuple[Lane, float, float]]]:
        """Return what a candle must stay within to change nothing.

        That is the time before which it opens, and for each lane the prices strictly between which
        it neither meets an order nor brings equity to where a limit or the peak is.
        """
        slack = self._equity.slack()
        soon = self._equity.breaker.next - self._span
        if slack is None:
            soon = 0
        if self._floor.hour < soon:
            soon = self._floor.hour
        down, up = slack or _NONE
        bands = []
        for lane in self._lanes:
            slot = lane.slot
            low, high = lane.rests.below, lane.rests.above
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
            bands.append((lane, low, high))
        return soon, bands

    def _open(self, at: int) -> None:
        if self._times[at] >= self._floor.hour:
            self._floor.look(self._lanes, at)
        self._floor.open(self._lanes, at)

    def _close(self, at: int, words: Words, quiet: bool = False) -> None:
        """Let the lanes hear of their candles, one after the other.

        Args:
            quiet: nothing happens but what the strategies say.
        """
        clock = self._clock
        ts = self._times[at]
        now = self._world.now = ts + self._span
        spoken = words.at == at
        for index, lane in enumerate(self._lanes):
            slot = lane.slot
            lane.value(at, ts)
            clock.events += 1
            word = words.of(index) if spoken else None
            if isinstance(word, Exception):
                self._feed.stop(slot, word)
            elif word is not None:
                self._feed.decided(slot, lane.candle(at), word)
            elif index:
                continue  # the engine has looked at this time with the first lane
            elif quiet:
                clock.due = now + PERIOD  # as after any quiet candle
            effects = clock.finish(now)
            if effects:
                self._floor.hear(effects, now)

    def _rest(self, begin: int, end: int) -> None:
        """Leave the engine as quiet candles would have."""
        clock = self._clock
        ts = self._times[end - 1]
        now = self._world.now = ts + self._span
        clock.due = now + PERIOD
        clock.events += (end - begin) * len(self._lanes)
        for lane in self._lanes:
            lane.value(end - 1, ts)
