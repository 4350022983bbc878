"""What a feature is, whoever computes it."""

from __future__ import annotations

from math import nan

from msgspec import Struct

NAN = nan
"""What is not known. Never 0, which would claim that something was seen."""


class Feature(Struct, frozen=True):
    """What one column is."""

    name: str
    window: int
    """Candles it looks back."""
    unit: str
    source: str
    """How it is made, and from what."""
