"""Candles that the engine has not come to yet, and what strategies say of them.

A strategy sees nothing but the candles of its instrument, so it can be shown many before the engine
deals with the first. Nothing that it says is known to the engine before its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice, repeat
from operator import length_hint
from typing import Any, Protocol

from msgspec import Struct

from core.clock import SECOND
from core.engine.slot import Slot
from core.model.market import Candle
from core.signals.closes import Closes
from core.signals.decision import Decision

Word = Decision | Exception | None
"""What a strategy says of a candle, or what it raised."""


class Bounds(Protocol):
    """Between which prices nothing rests: a candle strictly between the two meets no order."""

    below: float
    above: float


class Block(Struct, frozen=True, gc=False):
    """Candles of some instruments that close together, as columns."""

    times: Sequence[int]
    """When each opened, nanoseconds UTC."""
    columns: Sequence[tuple[Any, ...]]
    """Of each instrument: open, high, low, close and volume; plain numbers, or arrays of them."""


class Lane:
    """One instrument's candles in a block."""

    __slots__ = (
        "_open", "_span", "_timeframe", "_volume", "close", "high", "low", "rests", "slot", "times",
    )  # fmt: skip

    def __init__(self, slot: Slot, rests: Bounds, timeframe: int) -> None:
        self.slot = slot
        self.rests = rests
        self._timeframe = timeframe
        self._span = timeframe * SECOND

    def load(self, times: Sequence[int], columns: tuple[Any, ...]) -> None:
        """Take the next candles."""
        self.times = times
        self._open, high, low, close, self._volume = columns
        # Most candles are only looked at in these.
        self.high, self.low, self.close = _plain(high), _plain(low), _plain(close)

    def open(self, at: int) -> float:
        """Return a candle's first price."""
        return float(self._open[at])

    def candle(self, at: int) -> Candle:
        """Return one candle, known when it closed."""
        slot, ts = self.slot, self.times[at]
        return Candle(
            slot.venue, slot.symbol, self._timeframe, self.open(at), self.high[at],
            self.low[at], self.close[at], float(self._volume[at]), ts, ts + self._span,
        )  # fmt: skip

    def candles(self, begin: int, end: int) -> tuple[Iterator[Candle], Iterator[int]]:
        """Return candles, made as they are asked for in C and positionally: 0.15 us each.

        Returns:
            Them, and what moves along with them and knows how many are left.
        """
        slot, span = self.slot, self._span
        opened = [*self.times[begin:end]]
        # Where no candle is missing, one closes when the next opens: that saves making the number.
        whole = isinstance(self.times, range)
        closed = [*opened[1:], opened[-1] + span] if whole else [ts + span for ts in opened]
        always = repeat(slot.venue), repeat(slot.symbol), repeat(self._timeframe)
        columns = (_plain(self._open), self.high, self.low, self.close, _plain(self._volume))
        numbers = [column[begin:end] for column in columns]
        times = iter(opened)
        return map(Candle, *always, *numbers, times, closed), times

    def leaves(self, low: float, high: float, begin: int, end: int) -> int:
        """Return the first candle that is not strictly between two prices; ``end`` if all are."""
        lows, highs = self.low, self.high
        for at in range(begin, end):
            if lows[at] <= low or highs[at] >= high:
                return at
        return end

    def value(self, at: int, ts: int) -> None:
        """Let the engine know the price at the close of a candle that opened at ``ts``."""
        slot = self.slot
        slot.book_received = ts + self._span
        slot.last = slot.price = self.close[at]
        slot.candle_ts = ts


class Words(Protocol):
    """What the strategies of some lanes say of a range of candles."""

    at: int
    """The next row of candles that one speaks of; the end of the range where none does."""

    def of(self, index: int) -> Word:
        """Return what a lane's strategy says of that row. To be asked in the lanes' order."""

    def go_on(self) -> None:
        """Find the next row."""


def listen(lanes: Sequence[Lane], begin: int, end: int) -> Words:
    """Return what strategies say of their candles from ``begin`` up to ``end``."""
    if all(_looks_at_closes(lane.slot) for lane in lanes):
        return _OfCloses(lanes, begin, end)
    return _OfCandles(lanes, begin, end)


class _OfCloses:
    """Strategies of closes alone are shown as many as they will take, each for itself."""

    def __init__(self, lanes: Sequence[Lane], begin: int, end: int) -> None:
        self.at = begin - 1
        self._end = end
        self._slots = [lane.slot for lane in lanes]
        self._unseen = [iter(lane.close[begin:end]) for lane in lanes]
        self._words: list[Word] = [None] * len(lanes)
        self._next = [self.at] * len(lanes)
        self.go_on()

    def of(self, index: int) -> Word:
        return self._words[index] if self._next[index] == self.at else None

    def go_on(self) -> None:
        for index, next_ in enumerate(self._next):
            if next_ == self.at:
                self._ask(index)
        self.at = min(self._next)

    def _ask(self, index: int) -> None:
        strategy: Any = self._slots[index].strategy
        unseen = self._unseen[index]
        first = self._end - length_hint(unseen)
        word: Word = None
        if strategy is not None and first < self._end:  # else it has been stopped, or seen all
            try:
                word = strategy.on_closes(unseen)
            except Exception as error:  # as in Feed.candle
                word = error
        last = self._end - length_hint(unseen) - 1
        if word is not None and last < first:
            last = first
            if not isinstance(word, Exception):
                word = ValueError("on_closes decided before it took a close")
        self._words[index] = word
        self._next[index] = self._end if word is None else last


class _OfCandles:
    """All others are shown theirs in the order in which they close, as live.

    What they share, if they share anything, then knows no future.
    """

    def __init__(self, lanes: Sequence[Lane], begin: int, end: int) -> None:
        self._end = end
        self._slots = [lane.slot for lane in lanes]
        each = [lane.candles(begin, end) for lane in lanes]
        rows = zip(*[candles for candles, _ in each], strict=True)
        self._candles = chain.from_iterable(rows) if len(lanes) > 1 else each[0][0]
        self._unseen = each[0][1]
        self._index = {slot.key: index for index, slot in enumerate(self._slots)}
        self.go_on()

    def of(self, index: int) -> Word:
        if index < self._spoke:
            return None
        if index == self._spoke:
            return self._word
        try:
            return _taker(self._slots[index])(self._rest[index - self._spoke - 1])
        except Exception as error:  # as in Feed.candle
            return error

    def go_on(self) -> None:
        takers = [_taker(slot) for slot in self._slots]
        word: Word = None
        try:
            for candle, take in zip(self._candles, cycle(takers), strict=False):
                word = take(candle)
                if word is not None:
                    break
        except Exception as error:  # as in Feed.candle
            word = error
        self._word = word
        if word is None:
            self.at = self._end
            return
        self._spoke = self._index[candle.venue, candle.symbol]
        self._rest = [*islice(self._candles, len(takers) - self._spoke - 1)]
        self.at = self._end - length_hint(self._unseen) - 1


def _looks_at_closes(slot: Slot) -> bool:
    """Whether closes are all that a strategy takes, also where it derives from one that does so."""
    strategy: object = slot.strategy
    taker: object = type(strategy).on_candle if isinstance(strategy, Closes) else None
    return strategy is None or taker is Closes.on_candle


def _taker(slot: Slot) -> Callable[[Candle], Decision | None]:
    return slot.strategy.on_candle if slot.strategy is not None else _ignore


def _ignore(candle: Candle) -> None:
    """Stand in for a strategy that was stopped."""


def _plain(column: Any) -> Sequence[float]:
    """Return a column as plain numbers."""
    numbers: Sequence[float] = column.tolist() if hasattr(column, "tolist") else column
    return numbers
