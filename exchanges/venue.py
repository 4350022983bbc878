"""The trading side of one venue: the desk's ``Gateway``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal

from core.desk.ports import GatewayStats, Sink
from core.errors import KeyRefused, UsageError, VenueError, VenueRefused, VenueUnavailable
from core.model.account import VenueSwept
from core.model.event import VenueOpened
from core.model.instrument import VENUES, Instrument
from core.model.market import Candle, Fact, FactTold, FundingSettled, Ticker, Trade
from core.model.order import (
    CancelSent,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    Outcome,
)
from exchanges.access import Access
from exchanges.asking import told_facts
from exchanges.binance import BinanceRules
from exchanges.budget import Urgency
from exchanges.bybit import BybitRules
from exchanges.feed import MILLI
from exchanges.line import VenueLine, reading
from exchanges.okx import OkxRules
from exchanges.outcome import Verdict, judge
from exchanges.rules import Rules, StampedRow
from exchanges.streams import Streams

CLOCK_EVERY = 60.0
"""Seconds between measurements of the venue's clock; a cheap one drifts 5 ms in that time."""
INTEREST_EVERY = 60.0
"""Seconds between two questions for the open interest of one symbol; each weighs 1 of 2400."""
_COMPLETE = 6
"""Every so many sweeps, own trades are asked of the quiet symbols too."""
RULES: dict[str, type[Rules]] = {"bybit": BybitRules, "binance": BinanceRules, "okx": OkxRules}


def open_gateway(venue: str, access: Access) -> VenueGateway:
    """Return the gateway to a venue; nothing is sent yet.

    Raises:
        UsageError: unknown venue or environment.
        ConfigError: a URL points where the environment forbids.
    """
    if venue not in RULES:
        raise UsageError(f"unknown venue {venue!r}: one of {', '.join(VENUES)}")
    return VenueGateway(RULES[venue](), access)


class VenueGateway:
    """One venue, one account, over ccxt.pro. Implements ``core.desk.ports.Gateway``."""

    def __init__(self, rules: Rules, access: Access) -> None:
        self.venue = rules.venue
        self.rules = rules
        self.access = access
        self.stats = GatewayStats(last_message={})
        self.line = VenueLine(rules, access)
        self.misfit = asyncio.Event()
        self._uid = ""
        self._symbols: set[str] = set()
        """All that is streamed or traded here: Binance lists own trades by symbol only."""
        self._active: set[str] = set()
        """Those with orders or positions since the start: the others are asked about rarely."""
        self._sweeps = 0

    async def connect(self) -> VenueOpened:
        """Load rules, account id and clock offset; set one-way position mode and cross margin.

        Raises:
            VenueUnavailable, AuthenticationFailed, KeyRefused.
        """
        line, rules = self.line, self.rules
        offset = await self._greet()
        with reading(self.venue, "its rules"):
            instruments, account = await asyncio.gather(
                rules.load(line), rules.account(line, self.access.environment)
            )
        if account.can_withdraw or (
            account.can_withdraw is None and self.access.environment == "live"
        ):
            raise KeyRefused(
                f"{self.venue}: this key may withdraw or move money: make one that may only trade"
            )
        if not account.uid:
            raise VenueUnavailable(f"{self.venue}: the venue does not say whose key this is")
        rules.adopt(instruments)
        self._uid = account.uid
        try:
            with reading(self.venue, "the account's mode"):
                await rules.prepare(line)
        except VenueRefused as error:
            raise VenueUnavailable(
                f"{error}: the account must be in one-way mode with cross margin; close positions "
                "and orders, then switch it"
            ) from error
        return VenueOpened(self.venue, account.uid, tuple(instruments), offset, time.time_ns())

    async def look(self) -> tuple[Instrument, ...]:
        """Load the rules alone: enough for what is public, and needs no key.

        Raises:
            VenueUnavailable.
        """
        await self._greet()
        return await self.instruments()

    async def instruments(self) -> tuple[Instrument, ...]:
        """Ask for the rules of all instruments anew; orders are made by them from now on.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        with reading(self.venue, "its rules"):
            listed = await self.rules.load(self.line)
        self.rules.adopt(listed)
        return tuple(listed)

    async def _greet(self) -> float:
        self.line.open()
        return await self.line.synchronise()

    async def recent_trades(self, symbol: str) -> list[Trade]:
        """Return the last public trades, oldest first, as many as one request gives.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        with reading(self.venue, "its trades"):
            return await self.rules.trades(self.line, self.rules.instrument(symbol))

    async def candles(
        self, symbol: str, timeframe: int, count: int, before: int | None = None
    ) -> list[Candle]:
        """Return the last closed candles, oldest first; see the port.

        Raises:
            VenueUnavailable, VenueRefused: also for a timeframe the venue does not have.
        """
        item = self.rules.instrument(symbol)
        if timeframe not in self.rules.timeframes:
            raise VenueRefused(f"{self.venue}: has no candles of {timeframe} s")
        with reading(self.venue, "its candles"):
            return await self.rules.candles(self.line, item, timeframe, count, before)

    async def settlements(
        self, symbol: str, count: int, before: int | None = None
    ) -> list[FundingSettled]:
        """Return the last settled funding rates, oldest first; see the port.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        with reading(self.venue, "its funding"):
            return await self.rules.settlements(
                self.line, self.rules.instrument(symbol), count, before
            )

    async def facts(
        self, symbol: str, fact: Fact, timeframe: int, count: int, before: int | None = None
    ) -> list[FactTold]:
        """Return what a fact was at the ends of the last candles, oldest first; see the port.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        rules = self.rules
        item = rules.instrument(symbol)
        index = fact is Fact.INDEX
        if timeframe not in (rules.timeframes if index else rules.periods):
            return []
        ask = rules.past_index if index else rules.past_interest

        async def page(end: int | None) -> Sequence[StampedRow]:
            return await ask(self.line, item, timeframe, count, end)

        with reading(self.venue, f"its {fact}"):
            return await told_facts(item, fact, count, before, page)

    async def run(self, symbols: Sequence[str], sink: Sink) -> None:
        """Stream market and account events into ``sink`` until cancelled."""
        known = [symbol for symbol in symbols if symbol in self.rules.instruments]
        self._symbols.update(known)
        streams = Streams(self.rules, self.line, self.stats, sink).run(known)
        async with asyncio.TaskGroup() as group:
            group.create_task(streams)
            if any(self.rules.interest(self.rules.instrument(symbol)) for symbol in known):
                group.create_task(self._ask_interest(known, sink))

    async def _ask_interest(self, symbols: Sequence[str], sink: Sink) -> None:
        """Ask for open interest where no stream tells it: all at once, then in turn, for ever."""
        pause = 0.0
        while True:
            for symbol in symbols:
                item = self.rules.instrument(symbol)
                request = self.rules.interest(item)
                assert request is not None
                # What is not heard counts as not known.
                with suppress(VenueError), reading(self.venue, "its open interest"):
                    held, ts = self.rules.read_interest(await self.line.ask(request))
                    sink(
                        Ticker(self.venue, symbol, None, None, None, None, None, None, None,
                               ts * MILLI, time.time_ns(), held)
                    )  # fmt: skip
                await asyncio.sleep(pause)
            pause = INTEREST_EVERY / len(symbols)

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        """Send one order. Never raises and never retries: every failure is an Outcome."""
        try:
            self._symbols.add(order.symbol)
            self._active.add(order.symbol)
            request = self.rules.submit(order)
        except (VenueError, AssertionError) as error:
            return self._sent(order, Verdict(Outcome.NOT_SENT, "unsendable", str(error)))
        urgency = Urgency.REDUCE if order.reduce_only else Urgency.ORDER
        reply = await self.line.send(request, urgency, go)
        verdict = judge(reply, self.rules.read, self.rules.refusals)
        self.line.doubt_clock(verdict.code)
        if verdict.code in self.rules.misfits:
            self.misfit.set()
        if verdict.venue_id:
            if order.kind is OrderKind.STOP:
                self.rules.names.mark_stop(order.client_id, verdict.venue_id)
            else:
                self.rules.names.link(order.symbol, verdict.venue_id, order.client_id)
        return self._sent(order, verdict)

    def _sent(self, order: Order, verdict: Verdict) -> OrderSent:
        return OrderSent(
            self.venue, order.symbol, order.client_id, verdict.outcome, time.time_ns(),
            verdict.venue_id, verdict.code, verdict.reason,
        )  # fmt: skip

    async def cancel(self, symbol: str, client_id: str, venue_id: str) -> CancelSent:
        """Ask for a cancel. Never raises.

        Where the venue keeps conditional orders apart, the other book is tried when the first
        does not know the order: after a restart nothing here remembers which one it is in.
        """
        stop = self.rules.names.is_stop(client_id)
        verdict = await self._cancel(symbol, client_id, venue_id, stop=stop)
        gone = verdict.outcome is Outcome.REJECTED and verdict.code in self.rules.absent
        if gone and self.rules.two_books:
            other = await self._cancel(symbol, client_id, venue_id, stop=not stop)
            if other.outcome is not Outcome.REJECTED:
                verdict = other
        return CancelSent(
            self.venue, symbol, client_id, verdict.outcome, time.time_ns(), verdict.code,
            verdict.reason,
        )  # fmt: skip

    async def _cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Verdict:
        try:
            request = self.rules.cancel(symbol, client_id, venue_id, stop=stop)
        except VenueError as error:
            return Verdict(Outcome.NOT_SENT, "unsendable", str(error))
        reply = await self.line.send(request, Urgency.CANCEL)
        return judge(reply, self.rules.read_cancel, self.rules.cancel_refusals, needs_id=False)

    async def query(self, symbol: str, client_id: str) -> OrderReport | OrderAbsent | None:
        """Ask for one order by client id; None when no usable answer came."""
        try:
            with reading(self.venue, "an order"):
                report = await self.rules.order(self.line, symbol, client_id)
        except VenueError:
            return None
        if report is None:
            return OrderAbsent(self.venue, symbol, client_id, time.time_ns())
        return report

    async def sweep(self, since: int) -> VenueSwept:
        """Ask for everything: open orders, positions, balance, own trades since ``since``.

        The trades are asked last, so that they explain whatever the positions show.

        Raises:
            VenueUnavailable: any part failed; a failed query never means flat.
        """
        line, rules = self.line, self.rules
        started = time.time_ns()
        try:
            if time.monotonic() - line.measured > CLOCK_EVERY:
                await line.synchronise()
            with reading(self.venue, "a sweep"):
                orders, positions, balance = await asyncio.gather(
                    rules.open_orders(line, Urgency.READ),
                    rules.positions(line, Urgency.READ),
                    rules.balance(line),
                )
                positions = [held for held in positions if held.symbol in rules.instruments]
                orders = [order for order in orders if order.symbol in rules.instruments]
                self._active.update(report.symbol for report in positions)
                self._active.update(report.symbol for report in orders)
                self._symbols |= self._active
                complete = self._sweeps % _COMPLETE == 0
                symbols = sorted(self._symbols if complete else self._active)
                fills, funding = await asyncio.gather(
                    rules.fills(line, since, symbols), rules.funding(line, since)
                )
        except VenueUnavailable:
            raise
        except VenueError as error:
            raise VenueUnavailable(f"{self.venue}: the sweep failed: {error}") from error
        self._sweeps += 1
        return VenueSwept(
            self.venue, self._uid, tuple(orders), tuple(positions), balance, tuple(fills),
            tuple(funding), started, time.time_ns(), line.offset_ms,
        )  # fmt: skip

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol; "already so" is success.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        await self.rules.leverage(self.line, symbol, leverage)

    @property
    def dead_man(self) -> str:
        """What the venue's dead-man timer covers; see the port."""
        return self.rules.dead_man

    async def arm_dead_man(self, symbol: str, seconds: int) -> None:
        """Have the venue cancel open orders in so many seconds; 0 disarms.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        await self.rules.arm_dead_man(self.line, symbol, seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self.line.close()
