"""A ledger as one value, so that a journal need not be read from the beginning of time.

A journal file opens with the checkpoint of the ledger that the files before it led to; replay
restores it and applies what the file holds. ``restore(take(ledger))`` equals ``ledger``, and goes
on equally: the test compares at every cut of a session.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from msgspec import Struct

from core.model.event import TradingState
from core.model.order import Fill
from core.orders.machine import WorkingOrder
from core.portfolio.ledger import Account, BookedFill, Ledger
from core.portfolio.position import Position


class VenueFills(Struct, frozen=True, gc=False):
    """What is known of one venue's fills, so that none is booked twice."""

    venue: str
    fills: tuple[Fill, ...]
    """In the order they were booked."""
    horizon: int | None
    """Venue time up to which older ones were forgotten."""


class Checkpoint(Struct, frozen=True):
    """Everything a ledger holds. Fields as in ``Ledger``."""

    working: tuple[WorkingOrder, ...]
    done: tuple[WorkingOrder, ...]
    finished: tuple[str, ...]
    positions: tuple[Position, ...]
    open: tuple[tuple[str, str], ...]
    """Keys of the positions that are not flat, in the order they were opened."""
    accounts: tuple[Account, ...]
    archived: tuple[Position, ...]
    recent: tuple[BookedFill, ...]
    venues: tuple[VenueFills, ...]
    funded: tuple[tuple[str, str, int], ...]
    state: TradingState
    cause: str
    equity: Decimal | None
    peak: Decimal | None
    day: int
    day_start: Decimal | None
    marks: tuple[tuple[int, Decimal], ...]
    next_seq: int
    realised: Decimal
    fees: Decimal
    funding: Decimal
    adjusted: Decimal
    shifted: Decimal
    fills: int
    frozen: tuple[tuple[str, str, str], ...] = ()
    """Venue, symbol, reason."""


_SCALARS = (
    "state",
    "cause",
    "equity",
    "peak",
    "day",
    "day_start",
    "next_seq",
    "realised",
    "fees",
    "funding",
    "adjusted",
    "shifted",
    "fills",
)


def take(ledger: Ledger) -> Checkpoint:
    """Return a ledger as a value. It shares the ledger's objects: encode it before going on."""
    return Checkpoint(
        working=tuple(ledger.working.values()),
        done=tuple(ledger.done.values()),
        finished=tuple(ledger._finished),
        positions=tuple(ledger.positions.values()),
        open=tuple(ledger.open),
        accounts=tuple(ledger.accounts.values()),
        archived=tuple(ledger.archived),
        recent=tuple(ledger.recent),
        venues=tuple(
            VenueFills(
                venue,
                tuple(keys[key] for key in ledger._arrived[venue]),
                ledger._horizon.get(venue),
            )
            for venue, keys in ledger._keys.items()
        ),
        funded=tuple(ledger._funded),
        marks=tuple(ledger.marks),
        frozen=tuple((*key, reason) for key, reason in ledger.frozen.items()),
        **{name: getattr(ledger, name) for name in _SCALARS},
    )


def restore(checkpoint: Checkpoint) -> Ledger:
    """Return the ledger that a checkpoint was taken of."""
    ledger = Ledger()
    ledger.working = {order.order.client_id: order for order in checkpoint.working}
    ledger.done = {order.order.client_id: order for order in checkpoint.done}
    ledger._finished = deque(checkpoint.finished)
    ledger.positions = {(each.venue, each.symbol): each for each in checkpoint.positions}
    ledger.open = {key: ledger.positions[key] for key in checkpoint.open}
    ledger.accounts = {account.venue: account for account in checkpoint.accounts}
    ledger.archived = list(checkpoint.archived)
    ledger.recent.extend(checkpoint.recent)
    for each in checkpoint.venues:
        keys = [(fill.symbol, fill.trade_id) for fill in each.fills]
        ledger._keys[each.venue] = dict(zip(keys, each.fills, strict=True))
        ledger._arrived[each.venue] = deque(keys)
        if each.horizon is not None:
            ledger._horizon[each.venue] = each.horizon
    ledger._funded = dict.fromkeys(checkpoint.funded)
    ledger.marks = deque(checkpoint.marks)
    ledger.frozen = {(venue, symbol): reason for venue, symbol, reason in checkpoint.frozen}
    for name in _SCALARS:
        setattr(ledger, name, getattr(checkpoint, name))
    return ledger
