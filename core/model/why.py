"""Why an order was made or refused: the chain of a decision, answered to ``/v1/why``."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.model.effect import Signalled
from core.model.news import NewsReading
from core.model.whatif import CheckView


class Sizing(Struct, frozen=True, gc=False):
    """How a strategy's quantity came about: ``equity * part / price``, rounded down to the lot."""

    equity: Decimal
    part: Decimal
    """Of equity in one order: the position limit, shared among venues, or less by Kelly."""
    price: Decimal
    lot: Decimal
    qty: Decimal
    kelly: float | None = None
    """Part of equity at which it should grow fastest, by the model's probability; None: unknown."""


class Happening(Struct, frozen=True, gc=False):
    """Something the venue said of the order, or we to the venue."""

    ts: int
    """When this machine knew, nanoseconds UTC."""
    text: str


class Factor(Struct, frozen=True, gc=False):
    """What one feature added to a model's word."""

    name: str
    value: float | None
    """Of the feature, in its own unit; None where it was not known."""
    share: float
    """Log odds of a rise that it added; negative speaks for a fall."""


class Why(Struct, frozen=True, gc=False):
    """The chain of one decision."""

    client_id: str
    """Empty where no order was made."""
    venue: str
    symbol: str
    ts: int
    """When it was decided, nanoseconds UTC."""
    order: str
    """The order in words; empty where none was made."""
    signal: Signalled | None
    """What the strategy said; None for an order by hand."""
    outcome: str
    """A code of ``core.risk.codes``: DONE where an order went out."""
    sizing: Sizing | None
    checks: tuple[CheckView, ...]
    """Every check of the gate with its numbers then; empty where the gate was not asked."""
    happenings: tuple[Happening, ...] = ()
    """Oldest first."""
    factors: tuple[Factor, ...] = ()
    """The features that weighed most in a model, heaviest first; empty where no model spoke."""
    news: NewsReading | None = None
    """What the news said about the asset then; None where it said nothing."""
