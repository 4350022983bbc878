"""What a strategy says."""

from __future__ import annotations

from msgspec import Struct


class Decision(Struct, frozen=True, gc=False):
    """A strategy changed its mind."""

    target: int
    """+1 long, -1 short, 0 flat."""
    score: float
    """The strategy's own measure, signed."""
    reason: str
    """For a person, one line."""
    parts: tuple[tuple[str, float], ...] = ()
    """What the score is made of, where it is a sum: name and signed share."""
    chance: float | None = None
    """Probability of a rise, where the strategy has one."""
    edge: float | None = None
    """What acting on it should bring after the costs of a round trip, fraction of notional."""
    kelly: float | None = None
    """Part of equity at which it should grow fastest (Kelly 1956), where a probability and a payoff
    are known. The engine takes a configured part of it, within its limits; None: the limits alone.
    """
