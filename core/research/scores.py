"""Numbers that say how good a result is, and how sure one may be of it."""

from __future__ import annotations

from itertools import combinations
from math import inf, isfinite, sqrt
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

YEAR = 365 * 86_400
"""Seconds; crypto trades every day."""
_NORMAL = NormalDist()
_FEWEST = 10
"""Fewer returns than this say nothing about their spread."""


class Sharpe(Struct, frozen=True):
    """An annualised Sharpe ratio with its 95 % confidence interval."""

    value: float
    low: float
    high: float
    count: int
    """Returns it was computed from."""
    period: int
    """Seconds of one return."""


def sharpe(returns: ArrayLike, period: int) -> Sharpe | None:
    """Return the annualised Sharpe ratio of returns, riskless rate 0.

    The standard error is Mertens' (2002): it counts skew and fat tails, which Lo's does not.

    Args:
        returns: fractions per period, in order of time.
        period: seconds of one.

    Returns:
        None for fewer than ten returns, or returns that never move.
    """
    values = np.asarray(returns, np.float64)
    moments = _moments(values)
    if moments is None:
        return None
    ratio, error = moments
    scale = sqrt(YEAR / period)
    reach = 1.959963985 * error
    return Sharpe(
        ratio * scale, (ratio - reach) * scale, (ratio + reach) * scale, len(values), period
    )


def probabilistic_sharpe(returns: ArrayLike, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark.

    Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier" (2012).

    Args:
        returns: fractions per period.
        benchmark: Sharpe ratio per period, not annualised.

    Returns:
        0 to 1; 0 where returns say nothing.
    """
    moments = _moments(np.asarray(returns, np.float64))
    if moments is None:
        return 0.0
    ratio, error = moments
    return _NORMAL.cdf((ratio - benchmark) / error)


def deflated_sharpe(returns: ArrayLike, trials: int, spread: float) -> float:
    """Return the probability that a Sharpe ratio is real although it is the best of many tries.

    The benchmark is the greatest ratio that this many worthless trials would be expected to show.
    Bailey and Lopez de Prado, "The deflated Sharpe ratio" (2014).

    Args:
        returns: fractions per period of the chosen trial.
        trials: how many were tried; with 1 it equals ``probabilistic_sharpe``.
        spread: standard deviation of the trials' Sharpe ratios per period.

    Returns:
        0 to 1.
    """
    if trials < 1:
        raise ValueError("there is at least the trial that was chosen")
    if trials == 1:
        return probabilistic_sharpe(returns)
    euler = 0.5772156649015329
    luck = (1 - euler) * _NORMAL.inv_cdf(1 - 1 / trials) + euler * _NORMAL.inv_cdf(
        1 - 1 / (trials * np.e)
    )
    return probabilistic_sharpe(returns, spread * luck)


def max_drawdown(equity: ArrayLike) -> float:
    """Return the deepest fall from a peak as a fraction of it, 0 to 1.

    Args:
        equity: positive values in order of time.
    """
    values = np.asarray(equity, np.float64)
    if not len(values):
        return 0.0
    return float(np.max(1.0 - values / np.maximum.accumulate(values)))


def bootstrap_sharpe(
    returns: ArrayLike, period: int, seed: int, draws: int = 2000, block: int = 10
) -> tuple[float, float]:
    """Return the 95 % interval of an annualised Sharpe ratio by the stationary bootstrap.

    Blocks of random length keep what one day has to do with the next. Politis and Romano, "The
    stationary bootstrap" (1994).

    Args:
        returns: fractions per period, in order of time, not all equal.
        period: seconds of one.
        seed: of the draws.
        draws: how many samples.
        block: mean length of a block, periods.
    """
    values = np.asarray(returns, np.float64)
    count = len(values)
    rng = np.random.default_rng(seed)
    begins = rng.random((draws, count)) < 1.0 / block
    begins[:, 0] = True
    starts = rng.integers(0, count, (draws, count))
    # Each place counts on from the start of its block, around the end.
    last = np.maximum.accumulate(np.where(begins, np.arange(count), 0), axis=1)
    at = (np.take_along_axis(starts, last, axis=1) + np.arange(count) - last) % count
    samples = values[at]
    spread = samples.std(axis=1, ddof=1)
    # A draw in which nothing was traded earned nothing: one lucky trade is not an interval above 0.
    still = spread <= 1e-15
    ratios = np.where(still, 0.0, samples.mean(axis=1) / np.where(still, 1.0, spread))
    low, high = np.quantile(ratios, [0.025, 0.975]) * sqrt(YEAR / period)
    return float(low), float(high)


class Overfitting(Struct, frozen=True):
    """What choosing the best of several configurations was worth."""

    probability: float
    """That the one best in sample is below the median out of sample (PBO)."""
    loses: float
    """That the one best in sample loses out of sample."""
    splits: int


def overfitting(returns: ArrayLike, parts: int = 12) -> Overfitting | None:
    """Return the probability of backtest overfitting, by symmetric cross-validation (CSCV).

    Days are cut into parts; every half of the parts chooses a configuration, the other half judges
    it. Bailey, Borwein, Lopez de Prado, Zhu, "The probability of backtest overfitting" (2017). The
    probability alone flatters a set that holds hopeless configurations: read ``loses`` beside it.

    Args:
        returns: one column a configuration, one row a period.
        parts: even.

    Returns:
        None for fewer than two configurations, or two periods a part.
    """
    values = np.asarray(returns, np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or len(values) < 2 * parts:
        return None
    chunks = np.array_split(values, parts)
    sums = np.array([one.sum(axis=0) for one in chunks])
    squares = np.array([(one**2).sum(axis=0) for one in chunks])
    sizes = np.array([len(one) for one in chunks])
    below, lost, splits = 0, 0, 0
    for chosen in combinations(range(parts), parts // 2):
        inside = np.zeros(parts, bool)
        inside[list(chosen)] = True
        best = int(np.argmax(_ratios(sums[inside], squares[inside], sizes[inside])))
        judged = _ratios(sums[~inside], squares[~inside], sizes[~inside])
        below += float(np.mean(judged < judged[best])) < 0.5
        lost += bool(judged[best] < 0)
        splits += 1
    return Overfitting(below / splits, lost / splits, splits)


def _ratios(sums: Floats, squares: Floats, sizes: NDArray[np.int64]) -> Floats:
    count = sizes.sum()
    mean = sums.sum(axis=0) / count
    variance = np.maximum(squares.sum(axis=0) / count - mean**2, 0.0)
    return np.asarray(mean / np.sqrt(np.maximum(variance, 1e-30)))


def auc(said: Floats, rose: NDArray[np.bool_]) -> float:
    """Return the chance that a rise was given a higher probability than a fall; ties count half."""
    ups = int(rose.sum())
    downs = len(rose) - ups
    if not ups or not downs:
        return 0.5
    return float((_ranks(said)[rose].sum() - ups * (ups + 1) / 2) / (ups * downs))


def auc_error(rose: NDArray[np.bool_], effective: float) -> float:
    """Return the standard error of the AUC of a worthless model (Mann and Whitney 1947)."""
    part = float(rose.mean())
    if not 0.0 < part < 1.0 or effective < 2:
        return 0.5
    return float(np.sqrt((1 / part + 1 / (1 - part)) / (12 * effective)))


def rank_correlation(one: Floats, two: Floats) -> float:
    """Return Spearman's correlation; 0 where one of them never moves."""
    a, b = _ranks(one), _ranks(two)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


class Bin(Struct, frozen=True):
    """What was said and what came, of one tenth of the forecasts."""

    said: float
    """Mean probability of a rise."""
    came: float
    """Part that rose."""
    count: int


def reliability(said: Floats, rose: NDArray[np.bool_], bins: int = 10) -> tuple[Bin, ...]:
    """Return forecasts in bins of equal count, lowest first, with what came of them."""
    order = np.argsort(said, kind="stable")
    return tuple(
        Bin(float(said[part].mean()), float(rose[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    )


def calibration_error(said: Floats, rose: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins of equal count, 0 to 1."""
    table = reliability(said, rose)
    total = sum(one.count for one in table)
    return sum(abs(one.said - one.came) * one.count for one in table) / max(total, 1)


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return np.asarray((upper - (counts - 1) / 2.0)[inverse], np.float64)


def _moments(values: np.ndarray) -> tuple[float, float] | None:
    """Return the ratio per period and its standard error."""
    count = len(values)
    if count < _FEWEST:
        return None
    spread = float(values.std(ddof=1))
    if not isfinite(spread) or spread <= 1e-15:
        return None
    ratio = float(values.mean()) / spread
    scaled = (values - values.mean()) / values.std()
    skew = float((scaled**3).mean())
    tails = float((scaled**4).mean())
    variance = (1 - skew * ratio + (tails - 1) / 4 * ratio**2) / (count - 1)
    return ratio, sqrt(variance) if variance > 0 else inf
