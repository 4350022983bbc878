"""How features were distributed in training: what live rows are held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.signals.model import DESCRIBED
from core.signals.monitor import Reference

LONGEST = 48
"""Candles. Features that look back further differ from month to month without anything being wrong:
on the hours of 24 symbols they passed the alarm in 17 % of months (``make bench ARGS=alarms``)."""
_CLOCK = ("hour_", "week_")
_EDGES = np.arange(1, 10) / 10


def describe_rows(names: Sequence[str], rows: NDArray[np.float64]) -> dict[str, Reference]:
    """Return deciles and shares of the features that are worth watching.

    Args:
        names: of the model's features.
        rows: of training, columns in their order; NaN where one was not known.
    """
    found = {}
    for column, feature in enumerate(DESCRIBED[name] for name in names):
        if feature.window > LONGEST or feature.name.startswith(_CLOCK):
            continue
        reference = describe(rows[:, column])
        if reference is not None:
            found[feature.name] = reference
    return found


def describe(values: NDArray[np.float64]) -> Reference | None:
    """Return the deciles of a feature, and the shares between them; None where it has no value."""
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, _EDGES)) if len(known) else np.empty(0)
    if not len(edges):
        return None
    return Reference(tuple(edges.tolist()), shares(known, edges.tolist()))


def shares(values: NDArray[np.float64], edges: Sequence[float]) -> tuple[float, ...]:
    """Return which part of the values is in each of the bins that edges make; NaN in none."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    return tuple((counts / len(known)).tolist())
