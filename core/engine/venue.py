"""What the engine knows of one venue."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.event import FeedState, VenueState
from core.model.instrument import Instrument
from core.model.order import OrderReport
from core.risk.pace import Pace


class Venue:
    """One venue's connectivity, rules and differences. Changed only by the engine."""

    def __init__(self, name: str, orders_per_second: int) -> None:
        self.name = name
        self.state = VenueState.CONNECTING
        self.reason = "connecting"
        self.account = ""
        self.offset_ms: float | None = None
        self.skew = 0
        """How far its clock and ours are apart: 1 worth saying, 2 too far to open risk."""
        self.instruments: dict[str, Instrument] = {}
        self.feeds: dict[str, FeedState] = {}
        self.heard_from = 0
        """When the private stream came up: of orders nothing was told between their last word and
        this."""
        self.swept = 0
        """When the newest sweep was received."""
        self.asked = 0
        """When a sweep was last requested."""
        self.rejects = 0
        self.bad = 0
        self.bad_said: dict[str, tuple[int, int]] = {}
        """Reason to (when last said, how many since)."""
        self.foreign: dict[str, OrderReport] = {}
        """Venue id to an open order of others."""
        self.suspects: dict[str, tuple[Decimal, Decimal]] = {}
        """Symbol to (ours, venue's) where one sweep differed."""
        self.differing: dict[str, tuple[Decimal, Decimal]] = {}
        """The same where two sweeps in a row differed."""
        self.cash_gap: Decimal | None = None
        self.denials = 0
        """Sweeps in a row in which the venue knew nothing of what it had told us."""
        self.missing: set[str] = set()
        """Client ids of working orders the newest sweep did not have, still unresolved."""
        self.last_fill = 0
        """When the last own fill was received."""
        self.balance: Decimal | None = None
        self.killing = False
        """A flattening kill is running: protection is the executor's until it reports."""
        self.leveraged: set[str] = set()
        self.pace = Pace(orders_per_second, SECOND)

    @property
    def ready(self) -> bool:
        """Whether it may open risk."""
        return self.state is VenueState.READY
