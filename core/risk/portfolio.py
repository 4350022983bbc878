"""What the whole book may lose in a day, and which symbols move as one.

From hourly closes: those a venue remembers, then one more each hour. Historical simulation: the
positions of this moment through the days of the last three weeks, a window of 24 hours every four.
Nothing is assumed about how returns are distributed, and nothing is known of what those weeks did
not hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import ceil, inf, sqrt
from typing import NamedTuple

from core.clock import HOUR

HOUR_S = 3600
KEPT = 504
"""Hours kept: three weeks."""
NEEDED = 264
"""Hours without which nothing is said: ten days of windows and the day before them."""
_DAY = 24
_STEP = 4
"""Hours between windows; closer ones would repeat what their neighbours say."""
_TAIL = 0.05
TOGETHER = 0.8
"""Correlation, either way, from which two symbols count as one."""


class Tail(NamedTuple):
    """The bad days, in quote currency; positive numbers are losses."""

    value_at_risk: float
    """The loss that one day in twenty exceeds."""
    shortfall: float
    """The mean loss of those days."""


class Cluster(NamedTuple):
    """Symbols that move as one, and the larger side of what is held in them, in quote."""

    symbols: tuple[str, ...]
    value: float


class PortfolioRisk:
    """Keeps the hours of every symbol, and answers for a set of exposures.

    Exposures are signed notionals in quote by symbol, over all venues together.
    """

    def __init__(self) -> None:
        self._closes: dict[str, deque[float]] = {}
        self._last: dict[str, int] = {}
        """Symbol to the hour of its newest close, counted from the epoch."""
        self._made = -1
        self._days: dict[str, list[float]] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._signs: dict[str, int] = {}

    @property
    def known(self) -> bool:
        """Whether there are hours enough to tell anything."""
        if self._made < 0:
            self._make()
        return bool(self._days)

    def hours(self) -> int:
        """Return how many hours the symbol with the most has; 0 before the first."""
        return max(map(len, self._closes.values()), default=0)

    def add(self, symbol: str, ts: int, close: float) -> None:
        """Take the close of the hour that opened at ``ts`` (nanoseconds UTC).

        An hour in which nothing was heard keeps the price before it; what is known already, or is
        no price, is passed over.
        """
        hour = ts // HOUR
        last = self._last.get(symbol)
        if not 0.0 < close < inf or (last is not None and hour <= last):
            return
        closes = self._closes.setdefault(symbol, deque(maxlen=KEPT))
        if last is not None:
            closes.extend([closes[-1]] * min(hour - last - 1, KEPT))
        closes.append(close)
        self._last[symbol] = hour
        self._made = -1

    def close_hour(self, now: int, prices: Mapping[str, float]) -> None:
        """Take prices as the closes of the hour that has just ended."""
        ended = now // HOUR - 1
        for symbol, price in prices.items():
            if self._last.get(symbol, ended) < ended:
                self.add(symbol, ended * HOUR, price)

    def tail(self, exposures: Mapping[str, float]) -> Tail | None:
        """Return the bad days of a book; None until there are hours enough.

        A symbol without history counts as if it moved like the wildest known one, always against
        us: a new coin must not make the book look safer.
        """
        if not self.known:
            return None
        count = len(next(iter(self._days.values())))
        results = [0.0] * count
        for symbol, exposure in exposures.items():
            days = self._days.get(symbol)
            if days is None:
                worst = max(self._days.values(), key=_spread)
                days, exposure = [abs(day) for day in worst], -abs(exposure)
            results = [result + exposure * day for result, day in zip(results, days, strict=True)]
        results.sort()
        bad = results[: ceil(count * _TAIL)]
        return Tail(max(0.0, -bad[-1]), max(0.0, -sum(bad) / len(bad)))

    def cluster(self, symbol: str, exposures: Mapping[str, float]) -> Cluster:
        """Return the symbols that move as one with this one, and the larger side held in them.

        The sides are not set off against each other: a hedge is not relied upon.
        """
        self._make()
        members = self._groups.get(symbol, (symbol,))
        up = down = 0.0
        for member in members:
            value = exposures.get(member, 0.0) * self._signs.get(member, 1)
            up, down = up + max(0.0, value), down + max(0.0, -value)
        return Cluster(members, max(up, down))

    def heaviest(self, exposures: Mapping[str, float]) -> Cluster | None:
        """Return the cluster in which most is held; None when nothing is."""
        found = (self.cluster(symbol, exposures) for symbol in exposures)
        return max(found, key=lambda cluster: cluster.value, default=None)

    # Windows end with the same hour for all symbols, so that days are days of the whole book.
    def _make(self) -> None:
        if self._made >= 0:
            return
        self._made = 0
        self._days, steps = {}, {}
        known = {s: c for s, c in self._closes.items() if len(c) >= NEEDED}
        if not known:
            return
        end = min(self._last[symbol] for symbol in known)
        length = min(len(c) - (self._last[s] - end) for s, c in known.items())
        if length < NEEDED:
            return
        for symbol, closes in known.items():
            ahead = self._last[symbol] - end
            line = list(closes)[len(closes) - ahead - length : len(closes) - ahead]
            self._days[symbol] = _moves(line, _DAY)
            steps[symbol] = _moves(line, _STEP)
        self._group(steps)

    def _group(self, steps: Mapping[str, Sequence[float]]) -> None:
        scaled = {symbol: _scale(moves) for symbol, moves in steps.items()}
        groups = {symbol: [symbol] for symbol in scaled}
        signs = dict.fromkeys(scaled, 1)
        for one, other in combinations(scaled, 2):
            together = sum(a * b for a, b in zip(scaled[one], scaled[other], strict=True))
            if abs(together) < TOGETHER or groups[one] is groups[other]:
                continue
            # All of the other's group turn with it, so that signs agree within the whole.
            turn = signs[one] * signs[other] * (1 if together > 0 else -1)
            for symbol in groups[other]:
                signs[symbol] *= turn
            groups[one] += groups[other]
            for symbol in groups[other]:
                groups[symbol] = groups[one]
        self._groups = {symbol: tuple(members) for symbol, members in groups.items()}
        self._signs = signs


def _moves(closes: Sequence[float], hours: int) -> list[float]:
    """Return relative changes over so many hours, one every four, the newest last."""
    ends = range(len(closes) - 1, hours - 1, -_STEP)
    return [closes[end] / closes[end - hours] - 1.0 for end in reversed(ends)]


def _scale(moves: Sequence[float]) -> list[float]:
    """Return moves less their mean, at length one: their products are correlations."""
    mean = sum(moves) / len(moves)
    rest = [move - mean for move in moves]
    size = sqrt(sum(value * value for value in rest))
    return [value / size for value in rest] if size else [0.0] * len(rest)


def _spread(moves: Sequence[float]) -> float:
    return sum(abs(move) for move in moves)
