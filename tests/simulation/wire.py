"""Between a desk and a venue: requests that get lost, answers that get lost, streams that lie.

The venue behind it is the practice exchange's own matching and accounts. What travels here is what
travels on a real wire: a request may never arrive, arrive late, or arrive and have its answer lost;
the desk cannot tell these apart. A signed request is void some time after it was made, as with the
venues' receive windows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from core.desk.ports import Sink
from core.errors import VenueUnavailable
from core.model.account import PositionReport, VenueSwept
from core.model.event import FeedChanged, FeedState, VenueOpened
from core.model.market import BadMessage, Side, Trade
from core.model.order import (
    CancelSent,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    Outcome,
    TimeInForce,
)
from exchanges.access import ENTRY_WINDOW_MS, RECV_WINDOW_MS
from exchanges.practice.state import (
    BookChanged,
    Filled,
    OrderChanged,
    PracticeEvent,
    PublicTrade,
    Refusal,
    TickerChanged,
)
from tests.core.desk.loopback import LoopGateway, LoopKillGateway, LoopVenue
from tests.simulation.virtual import TIE, Life, VirtualLoop

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds after which a client gives an answer up."""

LISTS = frozenset({"open orders", "positions", "balance", "fills"})
"""What a sweep asks."""
REQUEST_FAULTS = (
    "refused",
    "lost request",
    "lost answer",
    "odd answer",
    "late request",
    "late order",
    "slow",
    "reset",
    "used budget",
)
STREAM_FAULTS = ("lost frame", "doubled frame", "late frame", "stalled stream", "kicked")
OTHER_FAULTS = (
    "black hole",
    "lagging index",
    "blind query",
    "failing lists",
    "maintenance",
    "old data",
    "bad message",
)


class Unsent(Exception):
    """The request did not leave."""


class Lost(Exception):
    """No usable answer came; what the venue did is not known."""


class Wire:
    """One venue as the outside world sees it; outlives the desks that use it."""

    def __init__(self, venue: LoopVenue, loop: VirtualLoop, chance: Random) -> None:
        self.venue = venue
        self.name = venue.name
        self.loop = loop
        self.chance = chance
        self.faults: dict[str, float] = {}
        """Fault at work to its probability a request or frame."""
        self.struck: Counter[str] = Counter()
        self.lag = 0.0
        """Seconds until a new order is found by a query or a sweep."""
        self.enforced = True
        """Whether requests that are too old are refused."""
        self.gateway: WireGateway | None = None

    def strikes(self, fault: str) -> bool:
        """Draw whether a fault strikes now, and count it."""
        likely = self.faults.get(fault)
        if likely is None or self.chance.random() >= likely:
            return False
        self.struck[fault] += 1
        return True

    def latency(self) -> float:
        return self.chance.uniform(0.002, 0.06)

    async def carry(self, life: Life, work: Callable[[], T], what: str) -> T:
        """Take a request there and the answer back.

        Raises:
            Unsent, Lost, or what ``work`` raises.
        """
        if not life.alive:
            await asyncio.Event().wait()
        life.point(f"before {what}")
        if not life.alive:
            await asyncio.Event().wait()
        if self.strikes("refused"):
            await asyncio.sleep(0.001)
            raise Unsent
        future: asyncio.Future[T] = self.loop.create_future()
        there = self.latency()
        if self.strikes("slow"):
            there += self.chance.uniform(0.2, 2.0)
        if self.strikes("late request"):
            there += self.chance.uniform(0.5, 3.0 if self.chance.random() < 0.5 else 25.0)
        if what == "submit" and self.strikes("late order"):
            there += self.chance.uniform(0.3, 1.5)
        if self.strikes("reset"):
            self.loop.call_later(self.latency(), _fail, future, Lost("reset"))
            there += self.chance.uniform(0.0, 3.0)
        if not (self.strikes("black hole") or self.strikes("lost request")):
            self.loop.call_later(there, self._arrive, life, work, future, what)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await future
        except TimeoutError:
            raise Lost("timeout") from None

    def _arrive(
        self, life: Life, work: Callable[[], T], future: asyncio.Future[T], what: str
    ) -> None:
        back = self.latency()
        if self.strikes("maintenance") or (what in LISTS and self.strikes("failing lists")):
            self.loop.call_later(back, _fail, future, Lost("503"))
            return
        end: Callable[[asyncio.Future[Any], Any], None]
        result: Any
        try:
            end, result = _succeed, work()
        except Exception as error:
            end, result = _fail, error
        life.point(f"after {what}")
        if self.strikes("lost answer") or "black hole" in self.faults:
            return
        if self.strikes("odd answer"):
            end, result = _fail, Lost("unreadable")
        self.loop.call_later(back, end, future, result)

    def check_age(self, stamp: float, opens: bool) -> None:
        """Refuse a request that was made too long ago.

        Raises:
            Refused.
        """
        window = (ENTRY_WINDOW_MS if opens else RECV_WINDOW_MS) / 1000
        if self.enforced and self.loop.time() > stamp + window:
            raise Refused("stale")

    def hidden(self, created_ms: int) -> bool:
        """Whether an order is too new for the venue's own index."""
        return self.venue.now() // 1_000_000 - created_ms < self.lag * 1000


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


class WireGateway(LoopGateway):
    """``core.desk.ports.Gateway`` over a wire, for one life of a desk."""

    def __init__(self, wire: Wire, life: Life, watch: Watch) -> None:
        super().__init__(wire.venue)
        self.wire = wire
        self.life = life
        self.watch = watch
        self._up = asyncio.Event()
        self._due = 0.0
        self._sink: Sink = lambda event: None
        wire.gateway = self

    async def _ask(self, work: Callable[[], T], what: str) -> T:
        try:
            return await self.wire.carry(self.life, work, what)
        except (Unsent, Lost) as error:
            raise VenueUnavailable(f"{self.venue}: {what}: {error or 'refused'}") from None

    async def connect(self) -> VenueOpened:
        await self._ask(lambda: None, "connect")
        return await super().connect()

    async def recent_trades(self, symbol: str) -> list[Trade]:
        await self._ask(lambda: None, "trades")
        return await super().recent_trades(symbol)

    # --- orders

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        if self.wire.strikes("used budget"):
            await asyncio.sleep(self.wire.chance.uniform(0.01, 1.0))
        if go is not None and not go():
            return OrderSent(
                self.venue, order.symbol, order.client_id, Outcome.NOT_SENT, self.loop.now()
            )
        return await _send(self, order, "submit")

    async def cancel(self, symbol: str, client_id: str, venue_id: str) -> CancelSent:
        outcome, code = Outcome.ACCEPTED, ""

        def withdraw() -> None:
            self.loop.core.cancel(self.loop.account, symbol, venue_id, client_id)

        try:
            await self.wire.carry(self.life, withdraw, "cancel")
        except Unsent:
            outcome, code = Outcome.NOT_SENT, "refused"
        except Lost as error:
            outcome, code = Outcome.UNKNOWN, str(error)
        except Refusal as refusal:
            outcome, code = Outcome.REJECTED, refusal.kind.value
        return CancelSent(self.venue, symbol, client_id, outcome, self.loop.now(), code)

    async def query(self, symbol: str, client_id: str) -> OrderReport | OrderAbsent | None:
        def look() -> OrderReport | None:
            if self.wire.strikes("blind query"):
                return None
            order = self.loop.core.find_order(self.loop.account, symbol, client_id=client_id)
            if order is None or self.wire.hidden(order.created_ms):
                return None
            return self.loop.report(order, "query")

        try:
            found = await self.wire.carry(self.life, look, "query")
        except (Unsent, Lost):
            return None
        return found or OrderAbsent(self.venue, symbol, client_id, self.loop.now())

    async def sweep(self, since: int) -> VenueSwept:
        started = self.loop.now()
        orders, positions, balance = await asyncio.gather(
            self._ask(self._open, "open orders"),
            self._ask(self.loop.positions, "positions"),
            self._ask(self.loop.balance, "balance"),
        )
        fills = await self._ask(
            lambda: self.loop.core.fills(
                self.loop.account, since_ms=max(since // 1_000_000, 1), limit=100_000
            ),
            "fills",
        )
        return VenueSwept(
            venue=self.venue,
            account=self.loop.account,
            orders=orders,
            positions=positions,
            balance=balance,
            fills=tuple(self.loop.fill(fill, "sweep") for fill in fills),
            funding=(),
            started=started,
            received=self.loop.now(),
        )

    def _open(self) -> tuple[OrderReport, ...]:
        orders = self.loop.core.open_orders(self.loop.account)
        return tuple(
            self.loop.report(order, "sweep")
            for order in orders
            if not self.wire.hidden(order.created_ms)
        )

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        await self._ask(lambda: None, "leverage")

    async def arm_dead_man(self, symbol: str, seconds: int) -> None:
        core, account = self.loop.core, self.loop.account
        await self._ask(
            lambda: core.arm_countdown(account, seconds * 1000, symbol or None), "dead man"
        )

    # --- streams

    async def run(self, symbols: Sequence[str], sink: Sink) -> None:
        self._sink = sink
        stop = self.loop.core.subscribe(self._on_event)
        try:
            for channel in ("trades", "books", "tickers"):
                self._feed(channel, FeedState.UP)
            while True:
                await asyncio.sleep(self.wire.latency())
                while "black hole" in self.wire.faults or "maintenance" in self.wire.faults:
                    await asyncio.sleep(0.5)
                self._up.set()
                self._feed("private", FeedState.UP)
                while not self.wire.strikes("kicked"):
                    await asyncio.sleep(1.0)
                self._up.clear()
                self._feed("private", FeedState.DOWN)
                await asyncio.sleep(self.wire.chance.uniform(0.2, 5.0))
        finally:
            stop()

    def _feed(self, channel: str, state: FeedState) -> None:
        if self.life.alive:
            self._sink(FeedChanged(self.venue, channel, state, self.loop.now()))

    def _on_event(self, event: PracticeEvent) -> None:
        wire = self.wire
        if not self.life.alive or "black hole" in wire.faults:
            return
        if isinstance(event, (PublicTrade, BookChanged, TickerChanged)):
            if not wire.strikes("old data"):
                self._hear(event, self._sink)
                if wire.strikes("bad message"):
                    self._sink(BadMessage(self.venue, "trades", "odd", self.loop.now()))
            return
        if not self._up.is_set() or wire.strikes("stalled stream") or wire.strikes("lost frame"):
            return
        for _ in range(2 if wire.strikes("doubled frame") else 1):
            # Frames of one socket keep their order, but for those that come late.
            due = max(self._due + TIE, wire.loop.time() + wire.latency())
            if wire.strikes("late frame"):
                due += wire.chance.uniform(0.1, 8.0)
            else:
                self._due = due
            # What a frame says is what was so when it was sent.
            said: deque[Any] = deque()
            self._hear(event, said.append)
            wire.loop.call_at(due, self._deliver, said, isinstance(event, Filled))

    def _deliver(self, said: deque[Any], fill: bool) -> None:
        if fill:
            self.life.point("before fill")
        if self.life.alive and self._up.is_set():
            for event in said:
                self._sink(event)

    def _hear(self, event: PracticeEvent, sink: Sink) -> None:
        super()._hear(event, sink)
        if isinstance(event, OrderChanged):
            self.watch.changed(self.venue, event.order)


class Refused(Exception):
    """The venue said no for a reason of the wire, not of the book."""


class WireKillGateway(LoopKillGateway):
    """``core.desk.ports.KillGateway`` over the same wire."""

    def __init__(self, wire: Wire, life: Life, watch: Watch) -> None:
        super().__init__(wire.venue)
        self.wire = wire
        self.life = life
        self.watch = watch

    async def _carry(self, work: Callable[[], T], what: str) -> T:
        try:
            return await self.wire.carry(self.life, work, what)
        except (Unsent, Lost) as error:
            raise VenueUnavailable(f"{self.venue}: {what}: {error or 'refused'}") from None

    async def open_orders(self) -> tuple[OrderReport, ...]:
        return await self._carry(self.loop.reports, "kill orders")

    async def positions(self) -> tuple[PositionReport, ...]:
        return await self._carry(self.loop.positions, "kill positions")

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        stamp = self.wire.loop.time()

        def withdraw() -> int:
            self.wire.check_age(stamp, opens=False)
            done = 0
            for order in orders:
                self.watch.cancelling(self.venue, order)
                with contextlib.suppress(Refusal):
                    self.loop.core.cancel(self.loop.account, order.symbol, order.venue_id)
                done += 1
            return done

        try:
            return await self._carry(withdraw, "kill cancel")
        except Refused as refusal:
            raise VenueUnavailable(f"{self.venue}: {refusal}") from None

    async def reduce(
        self, position: PositionReport, client_id: str, slippage: Decimal
    ) -> OrderSent:
        side = Side.SELL if position.qty > 0 else Side.BUY
        assert position.mark is not None
        rules = self.loop.core.instruments[position.symbol]
        price = rules.round_price(position.mark * (1 + side.sign * slippage))
        order = Order(
            client_id, self.venue, position.symbol, side, OrderKind.LIMIT, abs(position.qty),
            self.loop.now(), price, None, TimeInForce.IOC, self.reduce_only,
        )  # fmt: skip
        return await _send(self, order, "kill reduce")

    reduce_only = True
    """Off in one ablation."""


async def _send(gateway: WireGateway | WireKillGateway, order: Order, what: str) -> OrderSent:
    """Send an order as a venue's adapter does: every failure is an outcome, none is tried again."""
    wire, venue = gateway.wire, gateway.loop
    stamp = wire.loop.time()
    if gateway.life.alive:
        gateway.watch.sending(gateway, order)

    def place() -> str:
        wire.check_age(stamp, not order.reduce_only)
        gateway.watch.placing(wire.name, order, stamp)
        return venue.place(order).order_id

    outcome, venue_id, code = Outcome.ACCEPTED, "", ""
    try:
        venue_id = await wire.carry(gateway.life, place, what)
    except Unsent:
        outcome, code = Outcome.NOT_SENT, "refused"
    except Lost as error:
        outcome, code = Outcome.UNKNOWN, str(error)
    except (Refusal, Refused) as refusal:
        outcome, code = Outcome.REJECTED, str(refusal)
    gateway.life.point("before outcome")
    return OrderSent(wire.name, order.symbol, order.client_id, outcome, venue.now(), venue_id, code)


class Watch:
    """What is told of everything that travels; ``tests.simulation.watcher`` judges it."""

    def sending(self, gateway: WireGateway | WireKillGateway, order: Order) -> None:
        """Before an order leaves a living desk."""

    def placing(self, venue: str, order: Order, stamp: float) -> None:
        """When it arrives at the venue, in time."""

    def cancelling(self, venue: str, order: OrderReport) -> None:
        """When a kill's cancel arrives."""

    def changed(self, venue: str, order: Any) -> None:
        """When the venue tells of an order."""
