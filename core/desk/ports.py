"""What the desk needs from a venue. ``exchanges`` implements it; ``tui.compose`` plugs it in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from core.model.account import PositionReport, VenueSwept
from core.model.event import Event, VenueOpened
from core.model.instrument import Instrument
from core.model.market import Candle, Fact, FactTold, FundingSettled, Trade
from core.model.order import CancelSent, Order, OrderAbsent, OrderReport, OrderSent

Sink = Callable[[Event], None]
"""Takes an event on the desk's loop, synchronously; never blocks, never raises."""


class GatewayStats(Struct):
    """Counters that an adapter keeps and the desk shows; changed in place."""

    messages: int = 0
    bad_messages: int = 0
    reconnects: int = 0
    gaps: int = 0
    """Times a book missed a change and was brought back."""
    last_message: dict[str, int] = {}
    """Channel to nanoseconds UTC of its last message: trades, books, tickers, private."""
    latency_ms: float | None = None
    """Median of the last order round trips."""
    budget_used: float = 0.0
    """Share of the request budget in use, 0 to 1."""


class Gateway(Protocol):
    """One venue, one account. Everything runs on the desk's loop."""

    venue: str
    stats: GatewayStats
    misfit: asyncio.Event
    """Set when the venue refuses an order because it does not fit the instrument's rules."""

    async def connect(self) -> VenueOpened:
        """Load rules, account id and clock offset; set one-way position mode and cross margin.

        Raises:
            VenueUnavailable, AuthenticationFailed, KeyRefused.
        """
        ...

    async def instruments(self) -> tuple[Instrument, ...]:
        """Ask for the rules of all instruments anew; orders are made by them from now on.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    async def recent_trades(self, symbol: str) -> list[Trade]:
        """Return the last public trades, oldest first, as many as one request gives."""
        ...

    async def candles(
        self, symbol: str, timeframe: int, count: int, before: int | None = None
    ) -> list[Candle]:
        """Return the last closed candles, oldest first; fewer where the venue has no more.

        Args:
            timeframe: seconds, at least 60.
            before: only those that open before this instant, nanoseconds UTC.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    async def settlements(
        self, symbol: str, count: int, before: int | None = None
    ) -> list[FundingSettled]:
        """Return the last settled funding rates, oldest first; fewer where there are no more.

        Args:
            before: only those settled before this instant, nanoseconds UTC.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    async def facts(
        self, symbol: str, fact: Fact, timeframe: int, count: int, before: int | None = None
    ) -> list[FactTold]:
        """Return what a fact was at the ends of the last candles, oldest first.

        Fewer where there are no more; none where the venue keeps no such past.

        Args:
            timeframe: of the candles, seconds.
            before: only what was so before this instant, nanoseconds UTC.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    async def run(self, symbols: Sequence[str], sink: Sink) -> None:
        """Stream market and account events into ``sink`` until cancelled.

        Owns reconnecting: a lost or silent stream is closed, recreated, authenticated and
        subscribed again, with FeedChanged events telling so.
        """
        ...

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        """Send one order. Never raises and never retries: every failure is an Outcome.

        Args:
            order: what to send.
            go: asked at the last moment, after whatever the order had to wait for; False: the gate
                has closed, and the order is NOT_SENT. None: there is no gate.
        """
        ...

    async def cancel(self, symbol: str, client_id: str, venue_id: str) -> CancelSent:
        """Ask for a cancel. Never raises."""
        ...

    async def query(self, symbol: str, client_id: str) -> OrderReport | OrderAbsent | None:
        """Ask for one order by client id; None when no usable answer came."""
        ...

    async def sweep(self, since: int) -> VenueSwept:
        """Ask for everything: open orders, positions, balance, own trades since ``since``.

        Raises:
            VenueUnavailable: any part failed; a failed query never means flat.
        """
        ...

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol; "already so" is success.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    @property
    def dead_man(self) -> str:
        """What the venue's dead-man timer covers; "" without one.

        ``symbol`` or ``tag``: it is set by ``arm_dead_man``. ``connection``: the venue cancels by
        itself when the private stream is gone.
        """
        ...

    async def arm_dead_man(self, symbol: str, seconds: int) -> None:
        """Have the venue cancel open orders ``seconds`` from now, 10 to 120; 0 disarms.

        Args:
            symbol: which orders; ignored where the timer covers all of ours.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class KillGateway(Protocol):
    """The kill path to one venue: its own ccxt instance, connections and request budget."""

    venue: str

    async def open(self) -> None:
        """Prepare: load rules from what the trading gateway already knows; connect lazily."""
        ...

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """Return all open orders of the account, conditional ones included.

        Raises:
            VenueUnavailable.
        """
        ...

    async def positions(self) -> tuple[PositionReport, ...]:
        """Return all non-zero positions.

        Raises:
            VenueUnavailable.
        """
        ...

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        """Cancel these, in the venue's largest batches; "already gone" counts as done.

        Returns:
            How many the venue accepted to cancel or no longer has.

        Raises:
            VenueUnavailable.
        """
        ...

    async def reduce(
        self, position: PositionReport, client_id: str, slippage: Decimal
    ) -> OrderSent:
        """Send a reduce-only IOC limit for the whole position at mark -/+ ``slippage``.

        Args:
            slippage: fraction of the mark price, positive.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class GuardGateway(KillGateway, Protocol):
    """A kill path with no trading side beside it: it knows nothing that it did not ask itself."""

    async def prepare(self) -> tuple[Instrument, ...]:
        """Learn the venue's rules and clock; keep a connection open.

        Raises:
            VenueUnavailable, AuthenticationFailed, KeyRefused.
        """
        ...


class NewsFeed(Protocol):
    """Where news comes from; ``sentiment.companion`` is the one there is."""

    async def run(self, sink: Sink) -> None:
        """Send what the news says as events, until cancelled. Never raises, never blocks."""
        ...
