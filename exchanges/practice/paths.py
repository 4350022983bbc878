"""Seeded price paths: ten assets on one factor, three venues with a small basis, in 100 ms steps.

Step 0 is the opening; a block is one minute of steps, and blocks before 0 are the warm-up that the
opening looks back on. Everything is a function of the seed and the step, never of wall time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from exchanges.practice.contracts import Listing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_MS = 100
STEPS = 600
"""Steps in a block: one minute."""
WARM_BLOCKS = 30
"""Half an hour, of which every trade is known."""
HISTORY_DAYS = 30
"""Of minutes."""
DISTANT_DAYS = 365
"""Of hours before the minutes: a model that decides on hours needs a year to be judged."""

_DAY_STEPS = 864_000
_FACTOR_DAY = 0.025
"""Daily volatility of the common factor."""
_VOL_TAU = 3_000.0
"""Steps over which volatility is remembered: five minutes."""
_VOL_SD = 0.45
_DRIFT_TAU = 260.0
"""Steps over which a trend lasts: 26 s, so that EMA(3) and EMA(9) on 5 s candles cross about once a
minute (without trends they would cross every 40 s)."""
_DRIFT_SHARE = 0.55
"""Spread of the drift over one trend, as a multiple of the noise over the same time."""
_BASIS_TAU = 900.0


class Block(Struct, frozen=True):
    """One minute. Rows are steps; columns assets, in the order of the listings."""

    prices: Floats
    """Fair prices, (steps, assets)."""
    basis: Floats
    """Log distance of each venue's price from the fair one, (venues, steps, assets)."""
    heat: Floats
    """Volatility relative to normal, (steps,)."""


class Past(Struct, frozen=True):
    """Candles before the warm-up, in ticks, oldest first."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    heat: Floats
    """Volatility relative to normal."""


class SeededPaths:
    """The blocks of one seed, made in order as they are asked for.

    Args:
        seed: of everything.
        listings: assets with opening price and volatility.
    """

    def __init__(self, seed: int, listings: Sequence[Listing]) -> None:
        count = len(listings)
        self._seed = seed
        self._betas = np.array([listing.beta for listing in listings])
        self._own = np.array([listing.volatility for listing in listings])
        self._start = np.log([listing.price for listing in listings])
        rng = np.random.default_rng([seed, 1])
        self._vol = rng.normal(0.0, _VOL_SD)
        self._drift = np.zeros(count + 1)
        self._basis = rng.normal(0.0, 1e-4, (3, count))
        self._lean = rng.uniform(-1.2e-4, 1.2e-4, (3, count))
        """The basis of each venue and asset that its noise returns to: 0.5 to 3 bp together."""
        self._log = self._start.copy()
        self._next = -WARM_BLOCKS
        self._minutes: tuple[Floats, Floats, Floats] | None = None

    def block(self, index: int) -> Block:
        """Return the next block; they are made in order, each once."""
        assert index == self._next, f"block {index} asked for, {self._next} is next"
        self._next += 1
        return self._make(index)

    def _make(self, index: int) -> Block:
        rng = np.random.default_rng([self._seed, 2, index + WARM_BLOCKS])
        count = len(self._start)
        vol = _wander(self._vol, rng.normal(0.0, 1.0, STEPS), _VOL_TAU, _VOL_SD)
        heat = np.exp(vol - _VOL_SD**2 / 2)
        noise = rng.normal(0.0, 1.0, (STEPS, count + 1)) * heat[:, None]
        # A drift of spread s that lasts tau adds s*tau to the path, where noise adds sqrt(tau).
        spread = _DRIFT_SHARE / math.sqrt(_DRIFT_TAU)
        drift = _wander(self._drift, rng.normal(0.0, 1.0, (STEPS, count + 1)), _DRIFT_TAU, spread)
        steps = (noise + drift * heat[:, None]) / math.sqrt(_DAY_STEPS)
        moves = steps[:, :1] * _FACTOR_DAY * self._betas + steps[:, 1:] * self._own
        logs = self._log + np.cumsum(moves, axis=0)
        shocks = rng.normal(0.0, 1.0, (STEPS, 3 * count))
        basis = _wander((self._basis - self._lean).ravel(), shocks, _BASIS_TAU, 6e-5)
        self._vol, self._drift, self._log = float(vol[-1]), drift[-1], logs[-1]
        leaning = basis.reshape(STEPS, 3, count).transpose(1, 0, 2) + self._lean[:, None, :]
        self._basis = leaning[:, -1, :]
        return Block(np.exp(logs), leaning, heat)

    def past(self, row: int, column: int, tick: float) -> Past:
        """Return 30 days of minutes before the warm-up, walked back from its first price."""
        if self._minutes is None:
            self._minutes = self._walk_back(HISTORY_DAYS * 1440)
        logs, spread, heat = self._minutes
        minutes = len(heat)
        rng = np.random.default_rng([self._seed, 7, row, column])
        bounds = np.exp(logs[:, column] + rng.normal(0.0, 5e-5, minutes + 1)) / tick
        ticks = np.maximum(np.floor(bounds), 2).astype(np.int64)
        return _candles(
            ticks, np.abs(rng.normal(0.0, 0.45, (2, minutes))) * spread[:, column], heat
        )

    def distant(self, row: int, column: int, tick: float) -> Past:
        """Return a year of hours before ``past``, walked back from its first price."""
        hours = DISTANT_DAYS * 24
        first = int(self.past(row, column, tick).open[0])
        logs, size = self._distant_logs(math.log(first), column)
        rng = np.random.default_rng([self._seed, 11, row, column])
        bounds = np.exp(logs + rng.normal(0.0, 5e-5, hours))
        ticks = np.append(np.maximum(np.floor(bounds), 2), first).astype(np.int64)
        spread = math.hypot(_FACTOR_DAY * self._betas[column], self._own[column]) * size
        reach = np.abs(rng.normal(0.0, 0.45, (2, hours))) * spread
        return _candles(ticks, reach, np.ones(hours))

    def index(self, row: int, column: int, tick: float) -> tuple[Floats, Floats]:
        """Return the fair price at all bounds of the minutes, and at the ends of hours before."""
        if self._minutes is None:
            self._minutes = self._walk_back(HISTORY_DAYS * 1440)
        logs = self._minutes[0][:, column]
        first = math.log(int(self.past(row, column, tick).open[0]) * tick)
        distant, _ = self._distant_logs(first, column)
        return np.exp(logs), np.exp(distant[1:])

    def _distant_logs(self, last: float, column: int) -> tuple[Floats, float]:
        """Return log prices where each hour begins, and the size of an hour's standard move."""
        hours = DISTANT_DAYS * 24
        size = math.sqrt(1 + 2 * _DRIFT_SHARE**2) / math.sqrt(24)
        common = np.random.default_rng([self._seed, 8]).normal(0.0, size, hours)
        # numpy takes [s, 8], [s, 8, 0] and [s, 8, 0, 0] for one seed: each kind has its own number,
        # or the first venue's noise would tell the next hour's move.
        own = np.random.default_rng([self._seed, 10, column]).normal(0.0, size, hours)
        moves = common * _FACTOR_DAY * self._betas[column] + own * self._own[column]
        return last - np.cumsum(moves[::-1])[::-1], size

    def _walk_back(self, minutes: int) -> tuple[Floats, Floats, Floats]:
        """Return log prices at the minute bounds, the last where the warm-up begins.

        Returns:
            Log prices, (minutes + 1, assets); log spread of each minute, (minutes, assets); heat,
            (minutes,).
        """
        rng = np.random.default_rng([self._seed, 3])
        count = len(self._start)
        vol = _wander(0.0, rng.normal(0.0, 1.0, minutes), 90.0, 0.5)
        heat = np.exp(vol - 0.125)
        # Trends make a minute of the live path move this much more than its noise alone would.
        stretch = math.sqrt(1 + 2 * _DRIFT_SHARE**2) / math.sqrt(1440)
        noise = rng.normal(0.0, 1.0, (minutes, count + 1)) * heat[:, None] * stretch
        moves = noise[:, :1] * _FACTOR_DAY * self._betas + noise[:, 1:] * self._own
        logs = np.empty((minutes + 1, count))
        logs[-1] = self._start
        logs[:-1] = self._start - np.cumsum(moves[::-1], axis=0)[::-1]
        size = np.hypot(_FACTOR_DAY * self._betas, self._own) * stretch
        return logs, heat[:, None] * size, heat

    def status(self) -> dict[str, Any]:
        """Return what there is to say: it has no end."""
        return {"kind": "synthetic"}


def _candles(bounds: Ints, reach: Floats, heat: Floats) -> Past:
    """Make candles between bounds, whose wicks reach a fraction of the close beyond the body."""
    opens, closes = bounds[:-1], bounds[1:]
    highs = np.maximum(opens, closes) + (closes * reach[0]).astype(np.int64)
    lows = np.minimum(opens, closes) - (closes * reach[1]).astype(np.int64)
    return Past(opens, highs, np.maximum(lows, 1), closes, heat)


def _wander(start: Floats | float, shocks: Floats, tau: float, spread: float) -> Floats:
    """Return a mean-reverting path: stationary deviation ``spread``, memory ``tau`` rows.

    x[k] = a x[k-1] + e[k] for all rows at once, as a^k (x0 + sum of e[j] / a^j), in pieces short
    enough that a^-k keeps its digits.
    """
    keep = math.exp(-1.0 / tau)
    scaled = shocks * (spread * math.sqrt(1 - keep * keep))
    out = np.empty_like(scaled)
    piece = max(int(10 * tau), 1)
    at: Floats | float = start
    for begin in range(0, len(scaled), piece):
        part = scaled[begin : begin + piece]
        powers = keep ** np.arange(1, len(part) + 1)
        if part.ndim == 2:
            powers = powers[:, None]
        out[begin : begin + piece] = powers * (at + np.cumsum(part / powers, axis=0))
        at = out[begin + len(part) - 1]
    return out
