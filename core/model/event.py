"""The one sequence that goes into the engine. Events are past tense, commands imperative.

Types, never topic strings. ``Event`` is the union; ``encode``/``decode`` give the recorded form.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from core.model.account import Balance, FundingPaid, PositionReport, VenueSwept
from core.model.instrument import Instrument
from core.model.learning import Record
from core.model.market import (
    BadMessage,
    BookTop,
    Candle,
    Depth,
    FactTold,
    FundingSettled,
    Side,
    Ticker,
    Trade,
)
from core.model.news import NewsReading, NewsSource, NewsStory
from core.model.order import (
    CancelSent,
    Fill,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    TimeInForce,
)


class TradingState(StrEnum):
    """What the desk may do. HALTED is latched: it survives restarts until ``resume``."""

    DISARMED = "disarmed"
    ARMED = "armed"
    REDUCING = "reducing"
    HALTED = "halted"


class FeedState(StrEnum):
    """Health of one stream of one venue."""

    DOWN = "down"
    UP = "up"
    STALE = "stale"


class VenueState(StrEnum):
    """Whether a venue may be traded.

    Only READY opens risk. BLIND: it does not answer; MAINTENANCE: it says itself that it is closed.
    """

    CONNECTING = "connecting"
    RECONCILING = "reconciling"
    READY = "ready"
    DEGRADED = "degraded"
    BLIND = "blind"
    MAINTENANCE = "maintenance"


class KillMode(StrEnum):
    """How far the kill cord goes: close the gate, also cancel, also flatten."""

    HALT = "halt"
    CANCEL = "cancel"
    FLATTEN = "flatten"


# --- connectivity -----------------------------------------------------------------------------


class VenueOpened(Struct, frozen=True, gc=False, tag=True):
    """A venue's rules are known: its instruments, its clock offset, the account behind the key."""

    venue: str
    account: str
    instruments: tuple[Instrument, ...]
    clock_offset_ms: float
    """Venue clock minus ours."""
    received: int


class RulesChanged(Struct, frozen=True, gc=False, tag=True):
    """A venue asks other things of orders: the instruments whose rules are new or changed."""

    venue: str
    instruments: tuple[Instrument, ...]
    received: int


class FeedChanged(Struct, frozen=True, gc=False, tag=True):
    """A stream came up, went down or fell silent. ``channel``: trades, books, tickers, private."""

    venue: str
    channel: str
    state: FeedState
    received: int
    reason: str = ""


class VenueChanged(Struct, frozen=True, gc=False, tag=True):
    """The adapter lost a venue altogether (BLIND), or has it back (RECONCILING)."""

    venue: str
    state: VenueState
    received: int
    reason: str = ""


# --- commands ---------------------------------------------------------------------------------


class Arm(Struct, frozen=True, gc=False, tag=True):
    """Allow the desk to open risk; refused unless venues are reconciled and limits are set."""

    actor: str
    received: int


class Disarm(Struct, frozen=True, gc=False, tag=True):
    """Stop opening risk, keep orders and positions."""

    actor: str
    received: int


class Kill(Struct, frozen=True, gc=False, tag=True):
    """Pull the kill cord. Idempotent; latches HALTED. ``venue`` empty means all."""

    mode: KillMode
    actor: str
    cause: str
    received: int
    venue: str = ""


class Resume(Struct, frozen=True, gc=False, tag=True):
    """Release the latch: HALTED to DISARMED, never to ARMED."""

    actor: str
    received: int


class Submit(Struct, frozen=True, gc=False, tag=True):
    """A person's order. It passes the same risk gate as a strategy's."""

    request: str
    """Id of the request, given by the sender; the answer carries it."""
    actor: str
    venue: str
    symbol: str
    side: Side
    qty: Decimal
    received: int
    kind: OrderKind = OrderKind.MARKET
    price: Decimal | None = None
    trigger: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    stop: Decimal | None = None
    """Protective stop price for the position this opens; the desk's default when None."""


class Cancel(Struct, frozen=True, gc=False, tag=True):
    """Cancel by client id; or all of a venue or symbol (empty means any)."""

    request: str
    actor: str
    received: int
    client_id: str = ""
    venue: str = ""
    symbol: str = ""


class ResolveOrder(Struct, frozen=True, gc=False, tag=True):
    """Say what became of an order that no venue's word resolves; ``status`` is terminal."""

    request: str
    actor: str
    received: int
    client_id: str
    status: OrderStatus


class Close(Struct, frozen=True, gc=False, tag=True):
    """Close a position with a reduce-only market order. Empty fields mean any."""

    request: str
    actor: str
    received: int
    venue: str = ""
    symbol: str = ""
    fraction: Decimal = Decimal(1)


class MoveStop(Struct, frozen=True, gc=False, tag=True):
    """Move the protective stop of a position: a new one is placed, then the old one cancelled."""

    request: str
    actor: str
    venue: str
    symbol: str
    price: Decimal
    """New trigger, quote per base."""
    received: int


class Verdict(StrEnum):
    """What a person says to a strategy's entry that waits."""

    APPROVE = "approve"
    REJECT = "reject"


class AnswerSignal(Struct, frozen=True, gc=False, tag=True):
    """Approve, resize or reject an entry that waits; approved ones pass the gate once more."""

    request: str
    actor: str
    received: int
    client_id: str
    """The id that the entry has, and its order will have."""
    verdict: Verdict
    qty: Decimal | None = None
    """Base units instead of the strategy's; only with ``approve``."""


class Pause(Struct, frozen=True, gc=False, tag=True):
    """Stop (or, with ``on=False``, let again) strategies opening risk in a symbol.

    Letting them again also lets go what contradicting fills had frozen.
    """

    actor: str
    symbol: str
    on: bool
    received: int


# --- the rest ---------------------------------------------------------------------------------


class KillReported(Struct, frozen=True, gc=False, tag=True):
    """The kill executor's verdict for one venue.

    ``verdict``: FLAT_VERIFIED, FLAT_DUST, CANCELLED_ONLY, HALTED_ONLY, INCOMPLETE or BLIND.
    """

    venue: str
    mode: KillMode
    verdict: str
    orders_cancelled: int
    positions_closed: int
    seconds: float
    received: int
    detail: str = ""


class SentimentScored(Struct, frozen=True, gc=False, tag=True):
    """What the news says now. Strategies and limits see news through this event alone.

    Attributes:
        received: nanoseconds UTC.
        scorer: who judges; empty while nobody does.
        instead_of: the engine that should judge.
        problem: why another does, or none.
        stories: those that are new or changed.
        readings: all of them; None: as before.
        sources: all of them; None: as before.
        trending: the assets most searched for, most first; None: as before.
    """

    received: int
    scorer: str
    instead_of: str = ""
    problem: str = ""
    stories: tuple[NewsStory, ...] = ()
    readings: tuple[NewsReading, ...] | None = None
    sources: tuple[NewsSource, ...] | None = None
    trending: tuple[str, ...] | None = None


class ModelRole(StrEnum):
    """What a model on duty does: the champion trades, the challenger is watched."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class ModelPromoted(Struct, frozen=True, gc=False, tag=True):
    """A model is on duty from now on.

    The event carries the whole model, so that a replay needs no registry and decides the same.

    Attributes:
        role: whether it trades, or is only watched.
        meta: ``core.signals.registry.Meta`` as JSON.
        text: the model's file.
        received: nanoseconds UTC.
        live: how it has done so far, ``core.model.learning.Record``.
    """

    role: ModelRole
    meta: str
    text: str
    received: int
    live: Record = Record()


class ModelDemoted(Struct, frozen=True, gc=False, tag=True):
    """A model is off duty: no model does what it did."""

    role: ModelRole
    id: str
    cause: str
    actor: str
    received: int


class Tick(Struct, frozen=True, gc=False, tag=True):
    """Time passed. Sent once a second by the shell; the only clock the engine has."""

    received: int


class DeskLagged(Struct, frozen=True, gc=False, tag=True):
    """The desk's loop stood still for ``seconds``: what it knows may be as old."""

    seconds: float
    received: int


class GuardChanged(Struct, frozen=True, gc=False, tag=True):
    """The guard is missing for too long, or is back."""

    present: bool
    received: int


class InvariantBroken(Struct, frozen=True, gc=False, tag=True):
    """Something that must never happen did: the gate closes."""

    code: str
    detail: str
    received: int


Command = (
    Arm
    | Disarm
    | Kill
    | Resume
    | Submit
    | Cancel
    | ResolveOrder
    | Close
    | MoveStop
    | AnswerSignal
    | Pause
)
Event = (
    Trade
    | BookTop
    | Depth
    | Ticker
    | Candle
    | FundingSettled
    | FactTold
    | BadMessage
    | OrderSent
    | CancelSent
    | OrderReport
    | OrderAbsent
    | Fill
    | Balance
    | PositionReport
    | FundingPaid
    | VenueSwept
    | VenueOpened
    | RulesChanged
    | FeedChanged
    | VenueChanged
    | Arm
    | Disarm
    | Kill
    | Resume
    | Submit
    | Cancel
    | ResolveOrder
    | Close
    | MoveStop
    | AnswerSignal
    | Pause
    | KillReported
    | SentimentScored
    | ModelPromoted
    | ModelDemoted
    | Tick
    | DeskLagged
    | GuardChanged
    | InvariantBroken
)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Event).decode
