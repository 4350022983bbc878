"""Numbers that say how good a result is, and how sure one may be of it."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

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
