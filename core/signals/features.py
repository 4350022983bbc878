"""What a feature is, whoever computes it."""

from __future__ import annotations

from math import nan

from msgspec import Struct

NAN = nan
"""What is not known. Never 0, which would claim that something was seen."""

CLIP = 20.0
"""Units of volatility, or deviations, beyond which a feature says no more."""
COARSE = 2.0**20
"""Added and taken off again, it leaves steps of 2e-10. A value that comes back, as the hour does,
is then the same each time; else trees split it where it was rounded, and 07:00 from 17:00."""
FLOOR = 1e-5
"""Smallest volatility, log return a candle: a tenth of a basis point is a halted market."""


class Feature(Struct, frozen=True):
    """What one column is."""

    name: str
    window: int
    """Candles it looks back."""
    unit: str
    source: str
    """How it is made, and from what."""
