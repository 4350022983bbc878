"""What an order would do, told before it is sent: the desk's answer to ``/v1/whatif``."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class CheckView(Struct, frozen=True, gc=False):
    """One check of the gate, with the numbers it compared."""

    code: str
    """A member of ``core.risk.codes.Code``."""
    passed: bool
    limit: str
    value: str
    detail: str


class RouteView(Struct, frozen=True, gc=False):
    """What a market order of this size would cost on one venue, by its live book."""

    venue: str
    qty: Decimal
    """What the visible levels would fill, base units; less than asked where they end."""
    average: Decimal | None
    """Quote per base; None without a book."""
    slippage: Decimal | None
    """From the middle of the book to ``average``, as a fraction; positive costs."""
    fee: Decimal
    """Taker fee, quote."""


class WhatIf(Struct, frozen=True, gc=False):
    """The gate's verdict on an order that is not sent, and what the order would lead to."""

    passed: bool
    """Whether the gate would let it through now."""
    code: str
    detail: str
    checks: tuple[CheckView, ...]
    """Every check, in the gate's order; the first that fails decides."""
    position: Decimal
    """Of the symbol on the venue afterwards, base units, negative when short."""
    exposure: Decimal
    """Worst-case notional of all positions and working orders afterwards, quote."""
    leverage: Decimal | None
    """``exposure`` over equity."""
    stop: Decimal | None
    """Where the protective stop would stand; None where the order only reduces."""
    loss: Decimal | None
    """Lost when that stop is hit, quote, before fees and slippage."""
    liquidation: Decimal | None
    """Approximate; None where the venue's equity would outlast any price."""
    fee: Decimal
    """On the order's own venue, quote."""
    routes: tuple[RouteView, ...] = ()
    """Every venue that lists the symbol, the cheapest first."""
