"""How features were distributed in training: what live rows are held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.signals.model import DESCRIBED
from core.signals.monitor import Reference

LONGEST = 48
"""Candles. Features that look back further differ from month to month without anything being wrong:
of the hours of 24 symbols, those of 72 passed the alarm in one month of nine, those of 168 in
every fourth or fifth (``make bench ARGS=alarms``)."""
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
        values = rows[:, column]
        values = values[np.isfinite(values)]
        edges = np.unique(np.quantile(values, _EDGES)) if len(values) else np.empty(0)
        if not len(edges):
            continue
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        shares = tuple((counts / len(values)).tolist())
        found[feature.name] = Reference(tuple(edges.tolist()), shares)
    return found
