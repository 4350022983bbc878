"""Public market data of one instrument: what was published of its book, trades, candles, ticker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.matching.book import Book
from core.model.market import Side
from exchanges.practice.contracts import Contract
from exchanges.practice.state import Kline, PublicTrade

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TRADES_KEPT = 6_000
FIRST_TRADE = 1_000_000
"""Number of the last trade before the opening."""

Ints = NDArray[np.signedinteger[Any]]


class CandleHistory(Struct, frozen=True):
    """Candles before the market opened; columns of equal length, oldest first."""

    start_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    lots: Ints
    buy_lots: Ints
    trades: Ints

    @classmethod
    def empty(cls) -> CandleHistory:
        """Return a history of nothing."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, none, none, none, none, none)

    def last(self) -> CandleHistory:
        """Return the last candle alone."""
        return CandleHistory(*(getattr(self, name)[-1:] for name in self.__struct_fields__))


class IndexHistory(Struct, frozen=True):
    """The index at instants before the opening, oldest first: hours far back, then minutes."""

    at_ms: Ints
    price: NDArray[np.float64]
    """Quote."""

    @classmethod
    def empty(cls) -> IndexHistory:
        """Return a history of nothing."""
        return cls(np.zeros(0, np.int64), np.zeros(0))


class PublicHistory(Protocol):
    """Where an instrument's past comes from; asked at most once each, when first needed."""

    def candles(self, venue: str, symbol: str) -> CandleHistory:
        """Return one-minute candles up to the opening; the last may share its minute with it."""
        ...

    def last_minute(self, venue: str, symbol: str) -> CandleHistory:
        """Return the last of those candles alone, with less work; empty where there is none."""
        ...

    def hours(self, venue: str, symbol: str) -> CandleHistory:
        """Return one-hour candles before those; the last may share its hour with them."""
        ...

    def index(self, venue: str, symbol: str) -> IndexHistory:
        """Return the index before the opening."""
        ...

    def trades(self, venue: str, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return trades before the opening as ``(ms, tick, lots, taker sign)``, oldest first."""
        ...

    def funding_rate(self, venue: str, symbol: str, interval: int) -> Decimal:
        """Return the rate settled at the end of an interval of ``FundingClock``."""
        ...


class Running:
    """A candle in the making."""

    __slots__ = (
        "buy_lots",
        "close",
        "high",
        "lots",
        "low",
        "open",
        "start_ms",
        "trades",
        "turnover",
    )

    def __init__(self, start_ms: int, price: int) -> None:
        self.start_ms = start_ms
        self.open = self.high = self.low = self.close = price
        self.lots = self.buy_lots = self.trades = 0
        self.turnover = 0.0

    def add(self, tick: int, lots: int, buy: bool, turnover: float) -> None:
        """Take a trade in."""
        if tick > self.high:
            self.high = tick
        elif tick < self.low:
            self.low = tick
        self.close = tick
        self.lots += lots
        self.trades += 1
        self.turnover += turnover
        if buy:
            self.buy_lots += lots

    def kline(self, closed: bool) -> Kline:
        """Return it as it stands."""
        return Kline(
            self.start_ms, self.open, self.high, self.low, self.close, self.lots,
            self.turnover, self.trades, self.buy_lots, closed,
        )  # fmt: skip


class Tape:
    """One instrument of one venue: its book and everything published of it.

    Attributes:
        published: per side (+1, -1) the levels that the listeners know.
        last_id: update id of the last published book change.
    """

    def __init__(
        self, contract: Contract, book: Book, history: PublicHistory, start_ms: int
    ) -> None:
        self.contract = contract
        self.book = book
        self.published: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.last_id = 0
        self.last_tick = 0
        self.last_lots = 0
        self.mark = 0.0
        self.index = 0.0
        self.dirty = False
        """Whether the running candle changed since it was published."""
        self.finished: list[Kline] = []
        """Closed candles that were not published yet."""
        self.trade_number = FIRST_TRADE
        self._venue = contract.instrument.venue
        self._history = history
        self._start_ms = start_ms
        self._trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self._past: CandleHistory | None = None
        self._hours: CandleHistory | None = None
        self._past_trades: list[PublicTrade] | None = None
        self._closed: deque[Kline] = deque(maxlen=50_000)
        self._running: Running | None = None
        self._index_past: IndexHistory | None = None
        self._index_ends: deque[tuple[int, float]] = deque(maxlen=50_000)
        """The index at the ends of live minutes."""
        self._index_ms = 0
        self._day: tuple[int, int, int, int, int, float, int] | None = None
        self._value_of_step = contract.tick_size * contract.lot_size

    # --- the book

    def changes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return what changed in the book since the last call: bids and asks, ``(tick, lots)``."""
        touched = self.book.touched
        bids: list[tuple[int, int]] = []
        asks: list[tuple[int, int]] = []
        if not touched:
            return bids, asks
        visible = self.book.visible
        for sign, tick in touched:
            known = self.published[sign]
            lots = visible(sign, tick)
            if known.get(tick, 0) != lots:
                (bids if sign > 0 else asks).append((tick, lots))
                if lots:
                    known[tick] = lots
                else:
                    del known[tick]
        touched.clear()
        bids.sort(reverse=True)
        asks.sort()
        return bids, asks

    # --- trades and candles

    def print_trade(
        self, tick: int, lots: int, side: Side, trade_id: str, ts_ms: int
    ) -> PublicTrade:
        """Record a trade and return it."""
        self.trade_number += 1
        self.last_tick, self.last_lots = tick, lots
        trade = PublicTrade(
            self.contract.symbol, tick, lots, side, trade_id, self.trade_number, ts_ms
        )
        self._trades.append(trade)
        self.roll(ts_ms)
        running = self._running
        if running is None:
            running = self._running = self._first(ts_ms, tick)
        running.add(tick, lots, side is Side.BUY, tick * lots * self._value_of_step)
        self.dirty = True
        return trade

    def roll(self, now_ms: int) -> None:
        """Close the running candle when its minute is over."""
        while self._running is not None and now_ms >= self._running.start_ms + MINUTE_MS:
            kline = self._running.kline(True)
            self.finished.append(kline)
            self._closed.append(kline)
            self._running = Running(kline.start_ms + MINUTE_MS, kline.close)
            self._day = None
            self.dirty = False

    def running(self) -> Kline | None:
        """Return the candle in the making."""
        return self._running.kline(False) if self._running else None

    def _first(self, ts_ms: int, tick: int) -> Running:
        """Go on with the candle that history left unfinished when it is of this minute."""
        start = ts_ms - ts_ms % MINUTE_MS
        # Most symbols of an exchange are never asked for their past.
        past = self._past or self._history.last_minute(self._venue, self.contract.symbol)
        if len(past.start_ms) and past.start_ms[-1] == start:
            running = Running(start, int(past.open[-1]))
            running.high, running.low = int(past.high[-1]), int(past.low[-1])
            running.close = int(past.close[-1])
            running.lots, running.buy_lots = int(past.lots[-1]), int(past.buy_lots[-1])
            running.trades = int(past.trades[-1])
            running.turnover = float(self._turnover(past, slice(-1, None))[0])
            return running
        return Running(start, int(past.close[-1]) if len(past.close) else tick)

    def note_index(self, now_ms: int) -> None:
        """Remember the index at the end of each minute, before it moves on."""
        minute = now_ms - now_ms % MINUTE_MS
        if self._index_ms and minute > self._index_ms:
            self._index_ends.append((minute, self.index))
        self._index_ms = minute

    def index_candles(
        self, interval_ms: int, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[tuple[int, float, float, float, float]]:
        """Return start, open, high, low and close of the index, as ``klines``.

        The index is kept at the ends of minutes, a year back of hours: extremes between are not.
        """
        if self._index_past is None:
            self._index_past = self._history.index(self._venue, self.contract.symbol)
        past = self._index_past
        live = [*self._index_ends, (now_ms, self.index)]
        at = np.concatenate([past.at_ms, [ms for ms, _ in live]])
        price = np.concatenate([past.price, [value for _, value in live]])
        # An instant belongs to the candle that it ends; the first has no open before it.
        starts = (at - 1) // interval_ms * interval_ms
        last = now_ms if end_ms is None else min(end_ms, now_ms)
        found = [one for one in np.unique(starts[1:]).tolist() if (start_ms or 0) <= one <= last]
        found = found[-limit:] if start_ms is None else found[:limit]
        rows = []
        for start in found:
            first, after = np.searchsorted(starts, [start, start + 1])
            prices = price[max(first - 1, 0) : after]
            rows.append(
                (
                    start,
                    float(prices[0]),
                    float(prices.max()),
                    float(prices.min()),
                    float(prices[-1]),
                )
            )
        return rows

    def past(self) -> CandleHistory:
        """Return the candles before the opening."""
        if self._past is None:
            self._past = self._history.candles(self._venue, self.contract.symbol)
        return self._past

    def _turnover(self, past: CandleHistory, rows: slice) -> NDArray[np.float64]:
        """Return the value traded in past minutes, from their typical price."""
        middle = (past.high[rows] + past.low[rows] + past.close[rows]) / 3.0
        return middle * past.lots[rows] * self._value_of_step

    def minutes(self, start_ms: int, end_ms: int) -> Iterator[Kline]:
        """Yield one-minute candles that start in ``[start_ms, end_ms)``, oldest first."""
        past = self.past()
        first_live = self._closed[0].start_ms if self._closed else None
        if first_live is None and self._running is not None:
            first_live = self._running.start_ms
        for kline in self._between(past, start_ms, end_ms):
            if first_live is not None and kline.start_ms >= first_live:
                break
            yield kline
        if self._closed and self._closed[-1].start_ms >= start_ms:
            for kline in self._closed:
                if start_ms <= kline.start_ms < end_ms:
                    yield kline
        if self._running is not None and start_ms <= self._running.start_ms < end_ms:
            yield self._running.kline(False)

    def _between(self, past: CandleHistory, start_ms: int, end_ms: int) -> Iterator[Kline]:
        begin, stop = (int(at) for at in np.searchsorted(past.start_ms, [start_ms, end_ms]))
        turnover = self._turnover(past, slice(begin, stop)).tolist()
        for row in range(begin, stop):
            yield Kline(
                int(past.start_ms[row]), int(past.open[row]), int(past.high[row]),
                int(past.low[row]), int(past.close[row]), int(past.lots[row]),
                turnover[row - begin], int(past.trades[row]), int(past.buy_lots[row]), True,
            )  # fmt: skip

    def hours(self) -> CandleHistory:
        """Return the hours before the minutes before the opening."""
        if self._hours is None:
            self._hours = self._history.hours(self._venue, self.contract.symbol)
        return self._hours

    @property
    def oldest_ms(self) -> int:
        """Start of the oldest one-minute candle."""
        past = self.past()
        if len(past.start_ms):
            return int(past.start_ms[0])
        if self._closed:
            return self._closed[0].start_ms
        return self._running.start_ms if self._running else self._start_ms

    def klines(
        self, interval_ms: int, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Kline]:
        """Return candles of an interval; see ``PracticeVenue.klines``."""
        end = now_ms + 1 if end_ms is None else min(end_ms + 1, now_ms + 1)
        if start_ms is None:
            first = end - 1 - (end - 1) % interval_ms - (limit - 1) * interval_ms
        else:
            first = start_ms + -start_ms % interval_ms
        hours = self.hours() if not interval_ms % HOUR_MS else None
        distant = hours is not None and len(hours.start_ms) > 0
        oldest = int(hours.start_ms[0]) if hours is not None and distant else self.oldest_ms
        first = max(first, oldest - oldest % interval_ms)
        last = min(first + limit * interval_ms, end - 1 - (end - 1) % interval_ms + interval_ms)
        if interval_ms == MINUTE_MS:
            return list(self.minutes(first, last))
        candles = self.minutes(first, last)
        if hours is not None and distant:
            candles = chain(self._between(hours, first, last), candles)
        return list(join_klines(candles, interval_ms, now_ms))

    def trades(self, limit: int, trade_id: Callable[[int], str]) -> list[PublicTrade]:
        """Return the newest trades, oldest first."""
        if len(self._trades) >= limit or len(self._trades) == TRADES_KEPT:
            return list(self._trades)[-limit:]
        if self._past_trades is None:
            rows = self._history.trades(self._venue, self.contract.symbol)
            first = FIRST_TRADE - len(rows) + 1
            self._past_trades = [
                PublicTrade(
                    self.contract.symbol, tick, lots, Side.BUY if sign > 0 else Side.SELL,
                    trade_id(first + index), first + index, ms,
                )
                for index, (ms, tick, lots, sign) in enumerate(rows)
            ]  # fmt: skip
        return [*self._past_trades, *self._trades][-limit:]

    def day(self, now_ms: int) -> tuple[int, int, int, int, int, float, int]:
        """Return open, high, low, close, lots, turnover and trades of the last 24 hours.

        Computed once a minute; the running minute comes on top of it in ``close`` and extremes.
        """
        if self._day is None:
            self._day = self._sum_day(now_ms)
        opened, high, low, close, lots, turnover, trades = self._day
        if self._running is not None:
            close = self._running.close
            high, low = max(high, self._running.high), min(low, self._running.low)
            lots += self._running.lots
            turnover += self._running.turnover
            trades += self._running.trades
        return opened, high, low, close, lots, turnover, trades

    def _sum_day(self, now_ms: int) -> tuple[int, int, int, int, int, float, int]:
        past = self.past()
        live = list(self._closed)[-1440:]
        running = self._running.start_ms if self._running else now_ms
        until = live[0].start_ms if live else running
        rows = slice(*np.searchsorted(past.start_ms, [now_ms - 86_400_000, until]))
        price = self.last_tick
        opened = int(past.open[rows][0]) if len(past.open[rows]) else 0
        highs = [int(past.high[rows].max())] if opened else []
        lows = [int(past.low[rows].min())] if opened else []
        highs += [kline.high for kline in live]
        lows += [kline.low for kline in live]
        return (
            opened or (live[0].open if live else price),
            max(highs, default=price),
            min(lows, default=price),
            live[-1].close if live else (int(past.close[rows][-1]) if opened else price),
            int(past.lots[rows].sum(dtype=np.int64)) + sum(kline.lots for kline in live),
            float(self._turnover(past, rows).sum()) + sum(kline.turnover for kline in live),
            int(past.trades[rows].sum(dtype=np.int64)) + sum(kline.trades for kline in live),
        )


def join_klines(candles: Iterable[Kline], interval_ms: int, now_ms: int) -> Iterator[Kline]:
    """Join candles to longer ones, aligned to the interval."""
    group: list[Kline] = []
    for kline in candles:
        if group and kline.start_ms // interval_ms != group[0].start_ms // interval_ms:
            yield _join(group, interval_ms, now_ms)
            group = []
        group.append(kline)
    if group:
        yield _join(group, interval_ms, now_ms)


def _join(group: list[Kline], interval_ms: int, now_ms: int) -> Kline:
    start = group[0].start_ms - group[0].start_ms % interval_ms
    return Kline(
        start,
        group[0].open,
        max(kline.high for kline in group),
        min(kline.low for kline in group),
        group[-1].close,
        sum(kline.lots for kline in group),
        sum(kline.turnover for kline in group),
        sum(kline.trades for kline in group),
        sum(kline.buy_lots for kline in group),
        start + interval_ms <= now_ms,
    )
