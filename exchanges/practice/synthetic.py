"""The synthetic market: ten perpetuals on three venues, of a seed."""

from __future__ import annotations

from collections.abc import Sequence

from exchanges.practice.contracts import LISTINGS, Listing
from exchanges.practice.lanes import PathMarket
from exchanges.practice.paths import SeededPaths


class SyntheticMarket(PathMarket):
    """Ten perpetuals on three venues, tied by a common factor. Implements ``Market``.

    Args:
        seed: the same seed gives the same market, step by step from the opening.
        listings: what is traded.
    """

    def __init__(self, seed: int, listings: Sequence[Listing] = LISTINGS) -> None:
        super().__init__(seed, listings, SeededPaths(seed, listings), f"synthetic, seed {seed}")
