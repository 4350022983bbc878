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
from core.model.market import Candle, Fact, FactTold, Ticker
from core.signals.families.ends import Ends
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
    hears: ClassVar[tuple[type, ...]] = (Ticker, FactTold)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._held = Ends(self._span, STALE, _FAR + 1)
        self._logs: deque[float] = deque(maxlen=_FAR + 1)

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Every venue tells it."""
        return ""

    def hear(self, event: Ticker | FactTold) -> None:
        """Take it where it is told."""
        if isinstance(event, FactTold):
            if event.fact is Fact.INTEREST:
                self._held.tell(event.value, event.ts)
        elif event.open_interest:
            self._held.hear(event.open_interest, event.received)

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        held, logs = self._held, self._logs
        now = log(held.close(candle.ts + self._span))
        if held.filled:
            held.filled = False
            logs = self._logs = deque(map(log, held.values), maxlen=_FAR + 1)
        else:
            if len(held.values) == 1:  # after a gap
                logs.clear()
            logs.append(now)
        if len(logs) > _FAR:
            return [now - logs[-1 - _NEAR], now - logs[-1 - _MIDDLE], now - logs[0]]
        return [now - logs[-1 - n] if len(logs) > n else NAN for n in SPANS]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from what was told of the past, or recorded tickers."""
    import numpy as np

    own = history.own
    logs = _recorded(history)
    told = history.facts.get(Fact.INTEREST, ())
    if told:
        ends = own.ts + own.timeframe * 1000
        _, mine, theirs = np.intersect1d(ends, [ts for ts, _ in told], return_indices=True)
        known = np.log([value for _, value in told])[theirs]
        logs[mine] = np.where(np.isnan(logs[mine]), known, logs[mine])
    table = np.full((len(own.ts), len(SPANS)), np.nan)
    for column, n in enumerate(SPANS):
        whole = own.ts[n:] - own.ts[:-n] == n * own.timeframe * 1000
        table[n:, column] = np.where(whole, logs[n:] - logs[:-n], np.nan)
    return table


def _recorded(history: History) -> Floats:
    """Return its logarithm as it was heard when each candle ended."""
    import numpy as np

    own = history.own
    key = (own.venue, own.symbol)
    heard = [
        (event.received, event.open_interest)
        for event in history.events
        if isinstance(event, Ticker) and event.open_interest and (event.venue, event.symbol) == key
    ]
    if not heard:
        return np.full(len(own.ts), np.nan)
    times = np.array([received for received, _ in heard])
    ends = own.ts * 1_000_000 + own.timeframe * SECOND
    at = np.searchsorted(times, ends, "left") - 1
    fresh = (at >= 0) & (ends - times[at] < STALE)
    return np.where(fresh, np.log([held for _, held in heard])[at], np.nan)
