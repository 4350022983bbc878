"""How much is held open: whether a move brought new positions in or closed old ones.

A venue counts each contract once, though a long and a short hold it. Bybit (linear) and Binance say
base units, OKX contracts and base units; the engine has base units from all three. Only changes are
features, so the unit cancels out.
"""

from __future__ import annotations

from collections import deque
from math import log
from typing import TYPE_CHECKING, ClassVar

from core.clock import MINUTE, SECOND
from core.model.market import Candle, Ticker
from core.signals.families.last_word import LastWord
from core.signals.features import NAN, Feature

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

STALE = 10 * MINUTE
"""Not heard of for this long is not known: where no stream tells it, it is asked once a minute."""
SPANS = _NEAR, _MIDDLE, _FAR = (1, 4, 24)
FEATURES: tuple[Feature, ...] = tuple(
    Feature(f"interest_{n}", n + 1, "log ratio", f"open interest at the close to that {n} before")
    for n in SPANS
)


class Interest:
    """Open interest of one instrument, candle by candle."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (Ticker,)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._logs: deque[float] = deque(maxlen=_FAR + 1)
        self._ts = 0
        self._held = LastWord(self._span, STALE)

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Every venue tells it."""
        return ""

    def hear(self, event: Ticker) -> None:
        """Take it where a ticker tells it."""
        if event.open_interest:
            self._held.hear(event.open_interest, event.received)

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        logs = self._logs
        if candle.ts != self._ts + self._span:
            logs.clear()
        self._ts = candle.ts
        now = log(self._held.at(candle.ts + self._span))
        logs.append(now)
        known = len(logs)
        if known > _FAR:
            return [now - logs[-1 - _NEAR], now - logs[-1 - _MIDDLE], now - logs[0]]
        return [now - logs[-1 - n] if known > n else NAN for n in SPANS]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from a recording of the instrument's tickers."""
    import numpy as np

    own = history.own
    key = (own.venue, own.symbol)
    told = [
        (event.received, event.open_interest)
        for event in history.events
        if isinstance(event, Ticker) and event.open_interest and (event.venue, event.symbol) == key
    ]
    table = np.full((len(own.ts), len(SPANS)), np.nan)
    if told:
        times = np.array([received for received, _ in told])
        ends = own.ts * 1_000_000 + own.timeframe * SECOND
        at = np.searchsorted(times, ends, "left") - 1
        fresh = (at >= 0) & (ends - times[at] < STALE)
        logs = np.where(fresh, np.log([held for _, held in told])[at], np.nan)
        for column, n in enumerate(SPANS):
            whole = own.ts[n:] - own.ts[:-n] == n * own.timeframe * 1000
            table[n:, column] = np.where(whole, logs[n:] - logs[:-n], np.nan)
    return table
