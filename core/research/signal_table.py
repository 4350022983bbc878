"""The directions a strategy wants, for all candles at once: what sweeps are fed.

The batch form of ``core.signals``: the same lengths, weights and thresholds, written with arrays
because a sweep asks a thousand times. Tests hold both forms together, candle by candle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core import config
from core.signals.ema_cross import ema_weight
from core.signals.mean_reversion import ENTER, FLAT

Floats = NDArray[np.float64]
Directions = NDArray[np.int8]
_BLOCK = 65_536
"""Windows looked at together: 65,536 of 100 candles are 52 MB."""


def wants(settings: config.Strategy, closes: Floats) -> Directions:
    """Return the direction wanted after each candle: +1, -1, 0 for flat or undecided.

    Raises:
        KeyError: the strategy has no such form; see ``TABLES``.
    """
    return TABLES[settings.name](settings, closes)


def _ema_cross(settings: config.Strategy, closes: Floats) -> Directions:
    gap = average(closes, settings.fast) - average(closes, settings.slow)
    side = _hold(np.sign(gap))
    # It speaks when it crosses, from the candle on at which the slow average means something.
    crossed = np.zeros(len(side), bool)
    crossed[1:] = (side[1:] != side[:-1]) & (side[:-1] != 0)
    crossed[: settings.slow - 1] = False
    if not crossed.any():
        return np.zeros(len(side), np.int8)
    side[: int(np.argmax(crossed))] = 0
    return side.astype(np.int8)


def average(closes: Floats, length: int) -> Floats:
    """Return the exponential average that ``EmaCross`` keeps: started at the first close."""
    # Half a second to import; it comes with lightgbm.
    from scipy.signal import lfilter  # type: ignore[import-untyped]

    weight = ema_weight(length)
    found, _ = lfilter([weight], [1.0, weight - 1.0], closes, zi=[(1.0 - weight) * closes[0]])
    return np.asarray(found, np.float64)


def _mean_reversion(settings: config.Strategy, closes: Floats) -> Directions:
    score = _deviations(np.log(closes), settings.slow)
    at = np.arange(len(closes))
    far = np.abs(score) >= ENTER
    entered = np.maximum.accumulate(np.where(far, at, -1))
    side = np.where(entered >= 0, np.sign(score)[entered], 0.0)
    below = np.maximum.accumulate(np.where(score < 0, at, -1))
    above = np.maximum.accumulate(np.where(score > 0, at, -1))
    # Out when the score has had the other sign since.
    left = np.where(side > 0, below, above) > entered
    return np.where(left, 0.0, side).astype(np.int8)


def _deviations(values: Floats, length: int) -> Floats:
    """Return each value's distance below the mean of its window, in deviations; 0: says nothing."""
    score = np.zeros(len(values))
    if len(values) < length:
        return score
    windows = sliding_window_view(values, length)
    for begin in range(0, len(windows), _BLOCK):
        part = windows[begin : begin + _BLOCK]
        spread = part.std(axis=1)
        flat = spread < FLAT
        gap = part.mean(axis=1) - part[:, -1]
        score[begin + length - 1 : begin + length - 1 + len(part)] = np.where(
            flat, 0.0, gap / np.where(flat, 1.0, spread)
        )
    return score


def _hold(signs: Floats) -> Floats:
    """Return signs with each 0 replaced by the last one that was not."""
    at = np.maximum.accumulate(np.where(signs != 0, np.arange(len(signs)), 0))
    return np.asarray(signs[at], np.float64)


TABLES: dict[str, Callable[[config.Strategy, Floats], Directions]] = {
    "ema_cross": _ema_cross,
    "mean_reversion": _mean_reversion,
}
"""The strategies that have this form."""
