"""Bars and public trades for charts: kept in memory, completed with the venue's own history.

Trades make bars of five seconds; closed ones are folded into minutes, and every longer timeframe is
folded from minutes when somebody looks. What the desk has not seen itself it asks the venue for,
once an instrument and timeframe: nothing is asked while nobody looks at a chart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping

from core.clock import SECOND, Clock
from core.desk.ports import Gateway
from core.errors import VenueError
from core.market.validation import check_trade
from core.model.market import Side, Trade
from core.model.snapshot import BarView, PrintView

TIMEFRAMES = (5, 60, 300, 900, 3600)
"""Seconds; what a chart may show."""
MOST = 300
"""Bars given at most; also how many are kept, and asked of a venue."""
PRINTS = 60
"""Public trades kept an instrument."""
ASK_AGAIN = 60 * SECOND
"""A venue that could not give its history is not asked again for so long."""
KEEP = 4 * 3600 * SECOND
"""History is asked for anew when it is older: our own minutes reach back ten hours."""
ASK_LIMIT = 10.0
"""Seconds a venue has for its history."""

_SHORT, _MINUTE = TIMEFRAMES[0] * SECOND, 60 * SECOND

Key = tuple[str, str]


class Series:
    """The bars of one instrument, as its trades made them."""

    __slots__ = ("bar", "minute", "minutes", "prints", "shorts")

    def __init__(self) -> None:
        self.bar: list[float] = []
        """Running five seconds: ts, open, high, low, close, volume; empty before the first."""
        self.minute: list[float] = []
        self.shorts: deque[BarView] = deque(maxlen=MOST)
        self.minutes: deque[BarView] = deque(maxlen=2 * MOST)
        self.prints: deque[tuple[int, Side, float, float]] = deque(maxlen=PRINTS)

    def add(self, ts: int, side: Side, price: float, qty: float) -> None:
        """Count a trade; one that is older than the running bar only shows on the tape."""
        self.prints.append((ts, side, price, qty))
        bar = self.bar
        if bar:
            late = ts - bar[0]
            if 0 <= late < _SHORT:
                _count(bar, price, qty)
                _count(self.minute, price, qty)
                return
            if late < 0:
                return
            self.shorts.append(_view(bar))
        self.bar = [ts - ts % _SHORT, price, price, price, price, qty]
        minute = self.minute
        if minute and ts < minute[0] + _MINUTE:
            _count(minute, price, qty)
            return
        if minute:
            self.minutes.append(_view(minute))
        self.minute = [ts - ts % _MINUTE, price, price, price, price, qty]


class Charts:
    """Bars of every instrument of a desk.

    Args:
        gateways: by venue; asked for history.
        clock: wall time.
    """

    def __init__(self, gateways: Mapping[str, Gateway], clock: Clock) -> None:
        self._gateways = gateways
        self._clock = clock
        self._series: dict[Key, Series] = {}
        self._past: dict[tuple[str, str, int], tuple[BarView, ...]] = {}
        self._asked: dict[tuple[str, str, int], int] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def trade(self, trade: Trade) -> None:
        """Count a public trade that can be believed."""
        if check_trade(trade, 0.0, 0):
            return
        key = (trade.venue, trade.symbol)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        series.add(trade.ts, trade.side, trade.price, trade.qty)

    def prints(self, symbol: str) -> tuple[PrintView, ...]:
        """Return the last public trades of a symbol on all venues, newest first."""
        found = [
            PrintView(venue, *trade)
            for (venue, name), series in self._series.items()
            if name == symbol
            for trade in series.prints
        ]
        found.sort(key=lambda trade: -trade.ts)
        return tuple(found[:PRINTS])

    def bars(self, venue: str, symbol: str, timeframe: int, count: int) -> tuple[BarView, ...]:
        """Return the last bars, oldest first, the running one included; quiet ones are flat.

        What the venue must be asked for comes with a later call.

        Args:
            timeframe: one of ``TIMEFRAMES``, seconds.
            count: at most ``MOST``.
        """
        series = self._series.get((venue, symbol)) or Series()
        if timeframe == TIMEFRAMES[0]:
            own = [*series.shorts, *([_view(series.bar)] if series.bar else [])]
            return tuple(fold(own, timeframe)[-count:])
        own = [*series.minutes, *([_view(series.minute)] if series.minute else [])]
        minutes = join(self._history(venue, symbol, 60), own)
        if timeframe == 60:
            return tuple(fold(minutes, 60)[-count:])
        recent = fold(minutes, timeframe)
        return tuple(
            fold(join(self._history(venue, symbol, timeframe), recent), timeframe)[-count:]
        )

    async def close(self) -> None:
        """Ask nothing more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _history(self, venue: str, symbol: str, timeframe: int) -> tuple[BarView, ...]:
        key = (venue, symbol, timeframe)
        known = self._past.get(key)
        now = self._clock.now()
        gateway = self._gateways.get(venue)
        pause = ASK_AGAIN if known is None else KEEP
        # An instrument without a trade is one this desk does not follow.
        followed = gateway is not None and (venue, symbol) in self._series
        if followed and now - self._asked.get(key, -pause) >= pause:
            assert gateway is not None
            self._asked[key] = now
            task = asyncio.get_running_loop().create_task(self._ask(gateway, symbol, timeframe))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return known or ()

    async def _ask(self, gateway: Gateway, symbol: str, timeframe: int) -> None:
        try:
            async with asyncio.timeout(ASK_LIMIT):
                candles = await gateway.candles(symbol, timeframe, MOST)
        except (VenueError, TimeoutError):
            return  # a chart without a past is no fault; the feeds say when a venue is down
        self._past[gateway.venue, symbol, timeframe] = tuple(
            BarView(c.ts, c.open, c.high, c.low, c.close, c.volume) for c in candles
        )


def fold(bars: Iterable[BarView], timeframe: int) -> list[BarView]:
    """Make bars of a longer (or the same) timeframe; intervals without any are flat.

    Args:
        bars: oldest first.
        timeframe: seconds.
    """
    span = timeframe * SECOND
    folded: list[BarView] = []
    running: list[float] = []
    for bar in bars:
        start = bar.ts - bar.ts % span
        if running and start == running[0]:
            running[2] = max(running[2], bar.high)
            running[3] = min(running[3], bar.low)
            running[4] = bar.close
            running[5] += bar.volume
            continue
        if running:
            folded.append(_view(running))
            quiet, close = int(running[0]) + span, running[4]
            # After a longer silence the chart begins anew: it shows nothing older than the rest.
            folded += [
                BarView(ts, close, close, close, close, 0.0)
                for ts in range(max(quiet, start - MOST * span), start, span)
            ]
        running = [start, bar.open, bar.high, bar.low, bar.close, bar.volume]
    if running:
        folded.append(_view(running))
    return folded


def join(past: Iterable[BarView], own: list[BarView]) -> list[BarView]:
    """Put a venue's history before our own bars; where both know a bar, the venue's counts.

    Our first bar began before we did; the venue's word on it is the whole one.
    """
    joined = list(past)
    last = joined[-1].ts if joined else -1
    joined += [bar for bar in own if bar.ts > last]
    return joined


def _count(bar: list[float], price: float, qty: float) -> None:
    if price > bar[2]:
        bar[2] = price
    elif price < bar[3]:
        bar[3] = price
    bar[4] = price
    bar[5] += qty


def _view(bar: list[float]) -> BarView:
    return BarView(int(bar[0]), bar[1], bar[2], bar[3], bar[4], bar[5])
