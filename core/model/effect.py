"""What the engine asks of the shell. The engine does no I/O; these are its only way out."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.model.event import KillMode, TradingState
from core.model.order import Order
from core.model.record import JournalRecord


class Record(Struct, frozen=True, gc=False, tag=True):
    """Write this down, in this order. What follows an ``Intent`` waits until it is durable."""

    record: JournalRecord


class SubmitOrder(Struct, frozen=True, gc=False, tag=True):
    """Journal the order durably, then send it. Built only from an ``Approved`` order."""

    order: Order


class CancelOrder(Struct, frozen=True, gc=False, tag=True):
    """Ask the venue to cancel."""

    venue: str
    symbol: str
    client_id: str
    venue_id: str


class QueryOrder(Struct, frozen=True, gc=False, tag=True):
    """Ask the venue about an order by client id; answered by OrderReport or OrderAbsent."""

    venue: str
    symbol: str
    client_id: str


class RequestSweep(Struct, frozen=True, gc=False, tag=True):
    """Sweep a venue now rather than on schedule."""

    venue: str
    reason: str


class SetLeverage(Struct, frozen=True, gc=False, tag=True):
    """Set the venue's leverage of a symbol before the first order on it."""

    venue: str
    symbol: str
    leverage: Decimal


class ExecuteKill(Struct, frozen=True, gc=False, tag=True):
    """Run the kill executor. The gate is already closed and the state HALTED."""

    mode: KillMode
    cause: str
    actor: str
    venue: str


class StateChanged(Struct, frozen=True, gc=False, tag=True):
    """The trading state changed; journal it, and latch it when HALTED."""

    state: TradingState
    cause: str
    actor: str


class Signalled(Struct, frozen=True, gc=False, tag=True):
    """A strategy decided something; stored and shown."""

    venue: str
    symbol: str
    strategy: str
    ts: int
    target: int
    """Wanted direction: +1 long, -1 short, 0 flat."""
    score: float
    """Strategy's own measure, signed."""
    reason: str
    parts: tuple[tuple[str, float], ...] = ()
    """What the score is made of, where it is a sum: name and signed share."""
    chance: float | None = None
    """Probability of a rise, where the strategy has one."""
    edge: float | None = None
    """What acting on it should bring after the costs of a round trip, fraction of notional."""


class PredictionScored(Struct, frozen=True, gc=False, tag=True):
    """What a model on duty said of a candle has become true or false; stored."""

    venue: str
    symbol: str
    ts: int
    """Open time of the candle, nanoseconds UTC."""
    model: str
    role: str
    horizon: int
    """Candles ahead."""
    chance: float
    """The probability of a rise that it gave."""
    move: float
    """What came: log return from the next open to the open ``horizon`` candles later; of a model
    that compares symbols less their mean."""


class ModelDropped(Struct, frozen=True, gc=False, tag=True):
    """The engine has taken a model off duty by itself; the registry must know."""

    role: str
    id: str
    cause: str


class RiskEvent(Struct, frozen=True, gc=False, tag=True):
    """A refusal or a breaker, with its numbers; stored and shown.

    ``code`` is a member of ``core.risk.codes.Code``.
    """

    code: str
    venue: str
    symbol: str
    limit: str
    value: str
    detail: str
    ts: int
    request: str = ""


class Answer(Struct, frozen=True, gc=False, tag=True):
    """The reply to a person's command."""

    request: str
    ok: bool
    code: str
    detail: str
    client_ids: tuple[str, ...] = ()


class Notify(Struct, frozen=True, gc=False, tag=True):
    """A line for the log. ``level``: info, warning or alarm."""

    level: str
    text: str
    ts: int


Effect = (
    Record
    | SubmitOrder
    | CancelOrder
    | QueryOrder
    | RequestSweep
    | SetLeverage
    | ExecuteKill
    | StateChanged
    | Signalled
    | PredictionScored
    | ModelDropped
    | RiskEvent
    | Answer
    | Notify
)
