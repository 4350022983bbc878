"""What is written down before it counts.

The desk's journal stores exactly these values, in the order the engine gave them. At boot the same
records go through the same ``Ledger.apply`` that ran live, so what is remembered is what was known.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from core.model.account import FundingPaid
from core.model.event import TradingState
from core.model.order import Fill, Order, OrderReport, OrderSent, OrderStatus


class Intent(Struct, frozen=True, gc=False, tag=True):
    """An order that is about to be sent. Durable before the first byte goes to the venue."""

    order: Order
    stop: Decimal | None = None
    """Trigger planned for the protective stop of the position this opens; None: the default."""


class Resolved(Struct, frozen=True, gc=False, tag=True):
    """An order ended by something other than a report of its own. ``status`` is terminal."""

    venue: str
    symbol: str
    client_id: str
    status: OrderStatus
    evidence: str
    """What proves it: ``absent from order query and sweep``, ``account replaced``."""
    ts: int


class BaselinePosition(Struct, frozen=True, gc=False):
    """A position that was there before this desk looked. ``qty`` is negative when short."""

    symbol: str
    qty: Decimal
    entry: Decimal


class VenueBaseline(Struct, frozen=True, gc=False, tag=True):
    """Where counting starts on an account: its cash and the positions it already had.

    Written once for an account. Another account id at the same venue (a practice exchange started
    anew, a testnet reset) writes a new one: old positions are archived, and the difference in
    equity is a change of capital, never a profit or a loss.
    """

    venue: str
    account: str
    balance: Decimal
    positions: tuple[BaselinePosition, ...]
    equity_before: Decimal
    """What this venue counted for in equity until now; 0 for a first account."""
    equity: Decimal
    """What it counts for from now: balance plus unrealised."""
    ts: int
    """Venue clock: fills up to and including this instant are already inside."""


class CashAdjusted(Struct, frozen=True, gc=False, tag=True):
    """The venue's cash differs from ours for a reason no fill or funding explains.

    A surplus is a deposit: peak and day start move with it. A shortfall counts as a loss.
    """

    venue: str
    amount: Decimal
    """Venue minus ours."""
    ts: int
    reason: str


class EquityMarked(Struct, frozen=True, gc=False, tag=True):
    """Equity at an instant: hourly, at each new UTC day, and at each new peak of 0.02 % more."""

    ts: int
    equity: Decimal
    peak: Decimal
    day_start: Decimal
    """Equity at the first mark of the UTC day of ``ts``."""


class StateRecorded(Struct, frozen=True, gc=False, tag=True):
    """The trading state changed. The last one of a journal is the latch."""

    state: TradingState
    cause: str
    actor: str
    ts: int


class StopMoved(Struct, frozen=True, gc=False, tag=True):
    """A person moved the protective stop of a position; it holds until the position is flat."""

    venue: str
    symbol: str
    price: Decimal
    """New trigger, on the tick."""
    actor: str
    ts: int


class SymbolFrozen(Struct, frozen=True, gc=False, tag=True):
    """No new risk in an instrument, because its fills contradict; a person lets it go again."""

    venue: str
    symbol: str
    reason: str
    """Empty: it is let go."""
    ts: int


class SignalHeld(Struct, frozen=True, gc=False, tag=True):
    """A strategy's entry waits for a person. Nothing is sent yet, and nothing after a restart."""

    order: Order
    price: Decimal
    """What it would have met, quote per base."""
    expires: int
    """Nanoseconds UTC."""


class SignalAnswered(Struct, frozen=True, gc=False, tag=True):
    """Such a wait ended; an approved one is followed by its ``Intent``."""

    client_id: str
    venue: str
    symbol: str
    verdict: str
    """``approved``, ``rejected``, ``expired`` or ``withdrawn``."""
    actor: str
    ts: int


JournalRecord = (
    Intent
    | OrderSent
    | OrderReport
    | Resolved
    | Fill
    | FundingPaid
    | VenueBaseline
    | CashAdjusted
    | EquityMarked
    | StateRecorded
    | StopMoved
    | SymbolFrozen
    | SignalHeld
    | SignalAnswered
)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(JournalRecord).decode
