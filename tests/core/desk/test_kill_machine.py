"""The kill executor as a state machine: pulls, escalations, late orders, venues that go and come.

Hypothesis draws the story; time is virtual. A verdict is true when it is given, a stop is cancelled
only when its venue is flat, and once the venues answer every kill proves itself.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from core.desk.kill import KillExecutor
from core.desk.kill_worker import VALIDITY, Means
from core.desk.verdicts import PROVED, RANK
from core.model.event import Event, KillMode, KillReported
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, Purpose
from core.model.record import Intent
from core.orders.ids import ClientIds
from exchanges.practice.state import Refusal
from tests.core.desk.loopback import BTC, LoopKillGateway, LoopVenue
from tests.simulation.virtual import VirtualLoop

VENUES = ("bybit", "okx")


class Watched(LoopKillGateway):
    """Asserts that nothing is cancelled that still protects a position."""

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        self.loop.check()
        for order in orders:
            assert not (order.reduce_only and self.loop.positions()), "a stop before it is flat"
        return await super().cancel_orders(orders)


class Kills(RuleBasedStateMachine):
    """Two venues and one executor."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.folder = Path(tempfile.mkdtemp())
        self.venues = {name: LoopVenue(name, clock=self.loop, account=name) for name in VENUES}
        self.gateways = {name: Watched(venue) for name, venue in self.venues.items()}
        self.ids = ClientIds("TEST", 1, bytes(32))
        self.asked: dict[str, KillMode] = {}
        """Venue to how far it is to be brought."""
        self.proved: set[str] = set()
        rules = {(name, BTC): venue.core.instruments[BTC] for name, venue in self.venues.items()}
        self.executor = KillExecutor(
            list(self.gateways.values()),
            Means(self.ids, self.write, self.hear, rules, Decimal("0.03"), self.loop, VALIDITY),
            self.folder,
        )
        for venue in self.venues.values():
            venue.levels = 3
            venue.move()

    async def write(self, intent: Intent) -> None:
        return None

    def hear(self, event: Event) -> None:
        """Judge a verdict by the venue's books."""
        if not isinstance(event, KillReported):
            return
        venue = self.venues[event.venue]
        if event.verdict in PROVED:
            assert RANK[event.mode] >= RANK[self.asked[event.venue]], "less than was asked"
            self.proved.add(event.venue)
        if event.verdict == "FLAT_VERIFIED":
            assert not venue.positions()
            assert not venue.reports()
        elif event.verdict == "CANCELLED_ONLY":
            assert all(order.reduce_only for order in venue.reports())
        elif event.verdict not in PROVED:
            assert event.detail

    def order(self, side: Side, kind: OrderKind, price: int | None = None) -> Order:
        stop = kind is OrderKind.STOP
        level = None if price is None else Decimal(price)
        return Order(
            self.ids.next(Purpose.MANUAL), "", BTC, side, kind, Decimal("0.02"), 1,
            None if stop else level, level if stop else None, reduce_only=stop,
        )  # fmt: skip

    def place(self, venue: str, order: Order) -> None:
        try:
            self.venues[venue].place(order)
        except Refusal:
            return

    # --- what happens

    @rule(venue=st.sampled_from(VENUES), side=st.sampled_from(list(Side)), rest=st.booleans())
    @precondition(lambda self: not self.executor.active)
    def trade(self, venue: str, side: Side, rest: bool) -> None:
        """Open a position with its stop, or rest an entry: what was proved before is over."""
        self.proved.discard(venue)
        self.asked.pop(venue, None)
        if rest:
            self.place(venue, self.order(Side.BUY, OrderKind.LIMIT, 58_000))
        else:
            self.place(venue, self.order(side, OrderKind.MARKET))
            trigger = 57_000 if side is Side.BUY else 63_000
            other = Side.SELL if side is Side.BUY else Side.BUY
            self.place(venue, self.order(other, OrderKind.STOP, trigger))

    @rule(venue=st.sampled_from(VENUES))
    @precondition(lambda self: self.executor.active)
    def arrive_late(self, venue: str) -> None:
        """Let an order that was on its way arrive, while nothing is proved yet."""
        if venue not in self.proved:
            self.place(venue, self.order(Side.BUY, OrderKind.LIMIT, 58_000))

    @rule(mode=st.sampled_from(list(KillMode)), venue=st.sampled_from(("", *VENUES)))
    def pull(self, mode: KillMode, venue: str) -> None:
        for name in [venue] if venue else VENUES:
            run = self.executor.runs.get(name)
            running = run is not None and name not in self.proved and name in self.asked
            before = self.asked[name] if running else mode
            self.asked[name] = max(mode, before, key=RANK.__getitem__)
            if name in self.proved:
                self.asked[name] = mode
                self.proved.discard(name)
        self.executor_pull(mode, venue)

    def executor_pull(self, mode: KillMode, venue: str) -> None:
        async def pull() -> None:
            self.executor.pull(mode, "test", "me", venue)

        self.loop.run_until_complete(pull())

    @rule(venue=st.sampled_from(VENUES), down=st.booleans())
    def lose_or_find(self, venue: str, down: bool) -> None:
        self.venues[venue].down = down

    @rule(venue=st.sampled_from(VENUES), hang=st.booleans())
    def hang(self, venue: str, hang: bool) -> None:
        self.gateways[venue].hang = hang

    @rule(seconds=st.sampled_from((0.05, 0.3, 1.0, 3.0, 12.0)))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def teardown(self) -> None:
        """Let the venues answer again: every kill must prove itself now."""
        try:
            for name in VENUES:
                self.venues[name].down = self.gateways[name].hang = False
            self.pass_time(60.0)
            assert not self.executor.active
            assert self.proved >= self.asked.keys()
            self.loop.run_until_complete(self.executor.close())
        finally:
            self.loop.close()
            shutil.rmtree(self.folder)


TestKills = Kills.TestCase
TestKills.settings = settings(max_examples=60, stateful_step_count=25)
