"""Forecasts that say what a test wants said, and a desk that would trade them."""

from __future__ import annotations

import numpy as np

from core.config import Config, Limits
from core.research.panel import Floats
from core.research.rehearsal import Rehearsal
from core.research.training import Forecast

TRADING = Config(limits=Limits())
FLAT = Rehearsal(0, 0, 0, 0.0, 0.0, None, None, None, "")
"""Of a forecast that nobody traded."""


def foretold(chance: Floats, pays: float = 0.6) -> Forecast:
    """These probabilities; from ``pays`` up a long does, from one less that down a short."""
    count = len(chance)
    rise = np.full(count, pays)
    return Forecast(chance, rise, 1.0 - rise, np.full(count, 0.01), np.zeros(count))
