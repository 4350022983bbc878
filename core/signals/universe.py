"""The symbols of one venue beside each other: how far each moved, and how all of them did.

All instruments of a venue look at the same universe, so that a candle is taken in once and the
moves are ranked once, not by each of thirty symbols for itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import log, sqrt

from core.clock import SECOND
from core.model.market import Candle
from core.signals.features import CLIP, FLOOR, NAN

SPANS = NEAR, MIDDLE, FAR = (1, 4, 24)
"""Candles over which moves are looked at."""
WINDOW = 48
"""Candles of the volatility that moves are measured in."""
ROOTS = tuple(sqrt(n) for n in SPANS)
_NOTHING = (NAN,) * len(SPANS)

Ranking = tuple[list[float], int, float]
"""Log returns lowest first, how many, and their mean; NaN of none."""


class Path:
    """The newest closes of one symbol; a gap in its candles begins it anew."""

    __slots__ = ("_logs", "_scaled", "_squares", "moves", "ts", "unit")

    def __init__(self) -> None:
        self._logs: deque[float] = deque(maxlen=FAR + 1)
        self._squares: deque[float] = deque(maxlen=WINDOW)
        self.ts = 0
        """When the last candle opened, nanoseconds UTC."""
        self.moves: tuple[float, ...] = _NOTHING
        """Log returns over ``SPANS``; NaN where a candle is missing."""
        self.unit = NAN
        """Volatility a candle, log return; NaN before ``WINDOW`` returns."""
        self._scaled: tuple[float, ...] | None = None

    def push(self, candle: Candle, span: int) -> None:
        """Take the next candle.

        Args:
            candle: later than the last one.
            span: nanoseconds between candles.
        """
        logs, squares = self._logs, self._squares
        here = log(candle.close)
        if logs and candle.ts == self.ts + span:
            move = here - logs[-1]
            squares.append(move * move)
        else:
            logs.clear()
            squares.clear()
        self.ts = candle.ts
        self._scaled = None
        logs.append(here)
        known = len(logs)
        if known > FAR:
            self.moves = (here - logs[-1 - NEAR], here - logs[-1 - MIDDLE], here - logs[0])
        else:
            self.moves = tuple([here - logs[-1 - n] if known > n else NAN for n in SPANS])
        if len(squares) == WINDOW:
            unit = sqrt(sum(squares) / WINDOW)
            self.unit = FLOOR if unit < FLOOR else unit
        else:
            self.unit = NAN

    def scaled(self) -> tuple[float, ...]:
        """Return ``moves`` in units of their own volatility, within ``CLIP``."""
        if self._scaled is None:  # every symbol looks at the leader's
            near, middle, far = self.moves
            unit = self.unit
            near, middle, far = near / unit, middle / (unit * ROOTS[1]), far / (unit * ROOTS[2])
            if not (-CLIP <= near <= CLIP and -CLIP <= middle <= CLIP and -CLIP <= far <= CLIP):
                near, middle, far = clip(near), clip(middle), clip(far)
            self._scaled = near, middle, far
        return self._scaled


def clip(value: float) -> float:
    """Return a value within ``CLIP``; NaN stays."""
    return -CLIP if value < -CLIP else CLIP if value > CLIP else value


_UNKNOWN = Path()


class Universe:
    """The symbols of one venue, candle by candle.

    Args:
        timeframe: seconds.
    """

    def __init__(self, timeframe: int) -> None:
        self._span = timeframe * SECOND
        self._paths: dict[str, Path] = {}
        self._ts = 0
        self._ranked: tuple[Ranking, ...] = ()

    def push(self, candle: Candle) -> Path:
        """Take a candle, whoever brings it first; return what ``at`` does of it."""
        path = self._paths.get(candle.symbol)
        if path is None:
            path = self._paths[candle.symbol] = Path()
        if candle.ts > path.ts:
            path.push(candle, self._span)
            self._ts = 0
        return path if path.ts == candle.ts else _UNKNOWN

    def at(self, symbol: str, ts: int) -> Path:
        """Return a symbol as the candle left it that opened at ``ts``; one of NaN if none did."""
        path = self._paths.get(symbol)
        return path if path is not None and path.ts == ts else _UNKNOWN

    def ranked(self, ts: int) -> tuple[Ranking, ...]:
        """Return the log returns of all that closed the candle which opened at ``ts``, by span."""
        if self._ts != ts:
            there = [path.moves for path in self._paths.values() if path.ts == ts]
            columns = zip(*there, strict=True) if there else ((),) * len(SPANS)
            self._ranked = tuple([_rank(moves) for moves in columns])
            self._ts = ts
        return self._ranked


def _rank(moves: Sequence[float]) -> Ranking:
    known = sorted([move for move in moves if move == move])
    count = len(known)
    return known, count, sum(known) / count if count else NAN
