"""The kill path to one venue: its own ccxt instance and connections, and the first place in line.

A cancel behind four hundred queued reads takes forty seconds on a shared ccxt instance and
sixty milliseconds on its own. What counts against the venue's limits is one budget for both sides:
of each limit 30 % is kept for what reduces risk, a kill passes whoever waits, and when the trading
side is quiet the kill may use all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core.errors import VenueError, VenueUnavailable
from core.model.account import PositionReport
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import (
    Order,
    OrderKind,
    OrderReport,
    OrderSent,
    Outcome,
    Purpose,
    TimeInForce,
)
from exchanges.access import Access
from exchanges.budget import Budget, Urgency
from exchanges.line import VenueLine, reading
from exchanges.outcome import Verdict, judge
from exchanges.venue import RULES, VenueGateway

SHARE = 0.3
"""Part of the venue's limits that a desk leaves for the guard, which cannot know what it used."""


def open_kill_gateway(trading: VenueGateway) -> VenueKillGateway:
    """Return the kill path beside a trading gateway; nothing is sent yet."""
    return VenueKillGateway(trading.venue, trading.access, trading)


class VenueKillGateway:
    """Implements ``core.desk.ports.KillGateway``, and ``GuardGateway`` where it stands alone.

    Args:
        venue: which.
        access: environment and key.
        trading: what that already knows is taken from it (instruments, ids of stops, clock
            offset), by value or read at the moment of use; never its connections. None: the
            guard's, which asks the venue itself.
    """

    def __init__(self, venue: str, access: Access, trading: VenueGateway | None = None) -> None:
        self.venue = venue
        self._trading = trading
        self._inherited = 0
        """Which of the trading side's readings of the rules these are."""
        self.rules = RULES[venue]()
        if trading is not None:
            self.rules.names = trading.rules.names
        budget = trading.line.budget if trading is not None else Budget(self.rules.pools, SHARE)
        self.line = VenueLine(self.rules, access, budget)

    async def open(self) -> None:
        """Prepare: load rules from what the trading gateway already knows; connect lazily."""
        self.line.open()
        self._inherit()

    def _inherit(self) -> None:
        trading = self._trading
        if trading is None:
            return
        if trading.rules.adopted > self._inherited:
            self._inherited = trading.rules.adopted
            self.rules.adopt(list(trading.rules.instruments.values()))
        if trading.line.measured > self.line.measured:
            self.line.set_clock(trading.line.offset_ms)
            self.line.measured = trading.line.measured

    async def _ready(self) -> None:
        """Know the instruments, asking the venue itself where the trading side never could."""
        self._inherit()
        if not self.rules.instruments:
            await self.line.synchronise(3)
            with reading(self.venue, "its rules"):
                self.rules.adopt(await self.rules.load(self.line))

    async def prepare(self) -> tuple[Instrument, ...]:
        """Learn the venue's rules and clock; keep a connection open.

        Raises:
            VenueUnavailable, AuthenticationFailed, KeyRefused.
        """
        self.line.open()
        if self.rules.instruments:
            await self.line.synchronise(1)
        else:
            await self._ready()
        return tuple(self.rules.instruments.values())

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """Return all open orders of the account, conditional ones included.

        Raises:
            VenueUnavailable.
        """
        with self._answering("open orders"):
            await self._ready()
            return tuple(await self.rules.open_orders(self.line, Urgency.KILL))

    async def positions(self) -> tuple[PositionReport, ...]:
        """Return all non-zero positions.

        Raises:
            VenueUnavailable.
        """
        with self._answering("positions"):
            await self._ready()
            return tuple(await self.rules.positions(self.line, Urgency.KILL))

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        """Cancel these, in the venue's largest batches; "already gone" counts as done.

        Returns:
            How many the venue accepted to cancel or no longer has.

        Raises:
            VenueUnavailable.
        """
        if not orders:
            return 0
        with self._answering("cancels"):
            await self._ready()
            return await self.rules.cancel_many(self.line, orders)

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        """Make ``VenueUnavailable`` of every way in which a venue gives no usable answer."""
        try:
            with reading(self.venue, what):
                yield
        except VenueUnavailable:
            raise
        except VenueError as error:
            raise VenueUnavailable(f"{self.venue}: {error}") from error

    async def reduce(
        self, position: PositionReport, client_id: str, slippage: Decimal
    ) -> OrderSent:
        """Send a reduce-only IOC limit for the whole position at mark -/+ ``slippage``.

        For as much of it as the venue takes in one order: who asks looks again, and goes on.

        Args:
            slippage: fraction of the mark price, positive.
        """
        verdict = await self._reduce(position, client_id, slippage)
        return OrderSent(
            self.venue, position.symbol, client_id, verdict.outcome, time.time_ns(),
            verdict.venue_id, verdict.code, verdict.reason,
        )  # fmt: skip

    async def _reduce(self, position: PositionReport, client_id: str, slippage: Decimal) -> Verdict:
        try:
            await self._ready()
            item = self.rules.instrument(position.symbol)
            mark = position.mark
            if mark is None:
                known = await self.positions()
                mark = next((p.mark for p in known if p.symbol == position.symbol), None)
        except VenueError as error:
            return Verdict(Outcome.NOT_SENT, "not ready", str(error))
        if mark is None:
            return Verdict(Outcome.NOT_SENT, "no mark", "the venue tells no mark price")
        qty = abs(position.qty)
        if item.max_limit_qty is not None:
            qty = min(qty, item.max_limit_qty)
        qty = item.floor_qty(qty)
        if not qty:
            return Verdict(Outcome.NOT_SENT, "dust", f"{position.qty} is less than a lot")
        side = Side.SELL if position.qty > 0 else Side.BUY
        order = Order(
            client_id, self.venue, position.symbol, side, OrderKind.LIMIT, qty, time.time_ns(),
            price=worst_price(item, mark, side, slippage), tif=TimeInForce.IOC, reduce_only=True,
            purpose=Purpose.KILL,
        )  # fmt: skip
        reply = await self.line.send(self.rules.submit(order), Urgency.KILL)
        verdict = judge(reply, self.rules.read, self.rules.refusals)
        self.line.doubt_clock(verdict.code)
        if verdict.code in self.rules.misfits:
            if self._trading is not None:
                self._trading.misfit.set()
            with suppress(VenueError), reading(self.venue, "its rules"):  # the next step fits
                self.rules.adopt(await self.rules.load(self.line))
        return verdict

    async def close(self) -> None:
        """Close all connections."""
        await self.line.close()


def worst_price(item: Instrument, mark: Decimal, side: Side, slippage: Decimal) -> Decimal:
    """Return the limit price ``slippage`` away from the mark, rounded toward the mark."""
    if side is Side.SELL:
        ticks = (mark * (1 - slippage) / item.tick).to_integral_value(rounding=ROUND_CEILING)
    else:
        ticks = (mark * (1 + slippage) / item.tick).to_integral_value(rounding=ROUND_FLOOR)
    return ticks * item.tick
