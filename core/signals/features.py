"""What a feature is, whoever computes it."""

from __future__ import annotations

from math import nan

from msgspec import Struct

NAN = nan
"""What is not known. Never 0, which would claim that something was seen."""

CLIP = 20.0
"""Units of volatility, or deviations, beyond which a feature says no more."""
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
