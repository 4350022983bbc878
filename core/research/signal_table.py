"""The directions a strategy wants, for all candles at once: what sweeps are fed.

The batch form of ``core.signals``: the same lengths, weights and thresholds, written with arrays
because a sweep asks a thousand times. Tests hold both forms together, candle by candle.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core import config
from core.signals.ema_cross import ema_weight
from core.signals.funding_carry import carry
from core.signals.mean_reversion import ENTER, FLAT

Floats = NDArray[np.float64]
Directions = NDArray[np.int8]
_WINDOWS, _LEAST = 4, 4096
"""Windows, and values at least, that running sums go over before they begin anew."""
_TOGETHER = 4096
"""Windows summed at once where rounding might decide."""
_ROUNDING = 1e-15
_NEAR = 1e-12
"""Part of the price; averages this near to each other are worked out step by step."""


def wants(settings: config.Strategy, closes: Floats, rates: Floats) -> Directions:
    """Return the direction wanted after each candle: +1, -1, 0 for flat or undecided.

    Args:
        settings: name the strategy and its lengths.
        closes: of the candles.
        rates: funding rate known at each close, fraction of notional an interval; 0 for none.

    Raises:
        KeyError: the strategy has no such form; see ``TABLES``.
    """
    return TABLES[settings.name](settings, closes, rates)


def _ema_cross(settings: config.Strategy, closes: Floats, rates: Floats) -> Directions:
    gap = average(closes, settings.fast) - average(closes, settings.slow)
    moved = closes != closes[0]
    first = int(np.argmax(moved)) if moved.any() else len(closes)
    if np.abs(gap[first:]).min(initial=inf) < _NEAR * closes.max():
        # In a market that stands still both are the price, and rounding says which is above.
        gap = step_average(closes, settings.fast) - step_average(closes, settings.slow)
    side = _hold(np.sign(gap).astype(np.int8))
    # It speaks when it crosses, from the candle on at which the slow average means something.
    crossed = np.flatnonzero(side[1:] != side[:-1]) + 1
    crossed = crossed[(crossed >= settings.slow - 1) & (side[crossed - 1] != 0)]
    side[: crossed[0] if len(crossed) else len(side)] = 0
    return side


def average(closes: Floats, length: int) -> Floats:
    """Return the exponential average that ``EmaCross`` keeps: started at the first close."""
    # Half a second to import; it comes with lightgbm.
    from scipy.signal import lfilter  # type: ignore[import-untyped]

    weight = ema_weight(length)
    # From the first close: while the price has not moved, neither has the average.
    return np.asarray(lfilter([weight], [1.0, weight - 1.0], closes - closes[0]) + closes[0])


def step_average(closes: Floats, length: int) -> Floats:
    """Return the same to the last bit, twenty times as slowly."""
    weight, value, found = ema_weight(length), float(closes[0]), []
    for close in closes.tolist():
        value += weight * (close - value)
        found.append(value)
    return np.array(found)


def _mean_reversion(settings: config.Strategy, closes: Floats, rates: Floats) -> Directions:
    signs, far = _sides(np.log(closes), settings.slow)
    # In the direction of the first far value of each stretch on one side of the mean, to its end.
    edges = np.flatnonzero(signs[1:] != signs[:-1]) + 1
    begins = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(signs)]])
    at = np.flatnonzero(far)
    first = np.append(at, len(signs))[np.searchsorted(at, begins)]
    first = np.minimum(first, ends)
    lengths = np.column_stack([first - begins, ends - first]).ravel()
    sides = np.column_stack([np.zeros_like(signs[begins]), signs[begins]]).ravel()
    return np.repeat(sides, lengths)


def _sides(values: Floats, length: int) -> tuple[Directions, NDArray[np.bool_]]:
    """Return where each value is to its window's mean, and whether ``ENTER`` deviations off.

    Running sums, begun anew every few windows and counted from that block's mean. Where rounding
    might decide, the window is summed as the strategy does it.

    Returns:
        +1 below the mean, -1 above; where nothing can be said, what was said last. And the flags.
    """
    count = len(values)
    signs, far = np.zeros(count, np.int8), np.zeros(count, bool)
    if count < length:
        return signs, far
    block = max(_WINDOWS * length, _LEAST)
    doubtful = []
    for begin in range(length - 1, count, block):
        end = min(begin + block, count)
        part = values[begin - length + 1 : end]
        part = part - part.mean()
        newest = part[length - 1 :]
        mean = _sums(part, length) / length
        spread = _sums(part * part, length) / length - mean * mean
        gap = mean - newest
        reach = gap * gap - ENTER * ENTER * spread
        signs[begin:end] = np.sign(gap)
        far[begin:end] = reach >= 0.0
        # What rounding may have added to a sum of squares, with plenty of room.
        error = _ROUNDING * len(part) * float(part.max() - part.min()) ** 2
        unsure = np.abs(reach) <= 4.0 * ENTER * ENTER * error
        unsure |= spread <= FLAT * FLAT + error
        unsure |= gap * gap <= error
        doubtful.append(begin + np.flatnonzero(unsure))
    for chosen in _parts(np.concatenate(doubtful)):
        score = _scores(sliding_window_view(values, length)[chosen - length + 1])
        signs[chosen], far[chosen] = np.sign(score), np.abs(score) >= ENTER
    return _hold(signs), far


def _sums(values: Floats, length: int) -> Floats:
    """Return the sum of each window."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[length:] - total[:-length])


def _parts(chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(chosen, len(chosen) // _TOGETHER + 1)


def _scores(windows: Floats) -> Floats:
    """Return each newest value's distance below its mean, in deviations; 0: says nothing."""
    spread = windows.std(axis=1)
    flat = spread < FLAT
    gap = windows.mean(axis=1) - windows[:, -1]
    return np.asarray(np.where(flat, 0.0, gap / np.where(flat, 1.0, spread)))


def _hold(signs: Directions) -> Directions:
    """Return signs with each 0 replaced by the last one that was not."""
    if signs.all():
        return signs
    at = np.maximum.accumulate(np.where(signs != 0, np.arange(len(signs)), 0))
    return signs[at]


def _funding_carry(settings: config.Strategy, closes: Floats, rates: Floats) -> Directions:
    edges = np.flatnonzero(rates[1:] != rates[:-1]) + 1
    target, sides = 0, []
    for rate in rates[np.concatenate([[0], edges])].tolist():
        target = carry(target, rate)
        sides.append(target)
    lengths = np.diff(edges, prepend=0, append=len(rates))
    return np.repeat(np.array(sides, np.int8), lengths)


TABLES: dict[str, Callable[[config.Strategy, Floats, Floats], Directions]] = {
    "ema_cross": _ema_cross,
    "funding_carry": _funding_carry,
    "mean_reversion": _mean_reversion,
}
"""The strategies that have this form."""
