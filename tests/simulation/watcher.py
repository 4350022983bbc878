"""The invariants of the desk (docs/reliability.md), judged while a simulation runs and at its end.

Judged against what travels on the wires and against the venues' own books, never against what the
desk says of itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from core.desk.desk import Desk
from core.desk.verdicts import PROVED, RANK
from core.model.effect import ExecuteKill
from core.model.event import InvariantBroken, KillMode, KillReported, Resume, TradingState
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, OrderStatus, Purpose
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from exchanges.access import ENTRY_WINDOW_MS
from exchanges.practice.state import Filled, PracticeEvent
from tests.core.desk.loopback import BTC
from tests.simulation.virtual import Life
from tests.simulation.wire import Watch, Wire, WireGateway, WireKillGateway

LATCHED_WITHIN = 0.1
"""Seconds from a closed gate to a latch that survives anything."""
_LIVE = {OrderStatus.OPEN, OrderStatus.ACKED, OrderStatus.PARTIAL, OrderStatus.UNKNOWN}
_RANK = {status: 5 if status.terminal else 0 for status in OrderStatus}


class Watcher(Watch):
    """Watches one world. ``breaches`` is empty while every invariant holds.

    Args:
        wires: the venues.
        reader: recognises client ids of this installation.
        limit: largest notional of a symbol over all venues, as a fraction of equity.
        root: where the desk keeps its things; left out of the trace.
    """

    def __init__(
        self, wires: dict[str, Wire], reader: ClientIds, limit: Decimal, root: str
    ) -> None:
        self.wires = wires
        self._root = root
        self.reader = reader
        self.limit = limit
        self.breaches: list[str] = []
        self.trace = blake2b(digest_size=16)
        self.steps = 0
        self.desk: Desk | None = None
        self.life: Life | None = None
        self.durable: set[str] = set()
        """Client ids of intents that would survive a power cut now."""
        self.journal_well = True
        """Whether the journal of this life writes and is not slow."""
        self.sent: set[str] = set()
        """Client ids that left a desk."""
        self.gate_closed: float | None = None
        """When the gate was closed by a latch that has not been released."""
        self.ordered: dict[str, tuple[KillMode, float]] = {}
        """Venue to how far the kills go that have not been released, and since when."""
        self.proved: dict[str, KillReported] = {}
        """Venue to the verdict that must stay true until the latch is released."""
        self.dead: dict[str, str] = {}
        """Client id to the evidence by which a desk declared the order absent."""
        self.flat_at: dict[str, float] = {}
        """Venue to when it was flat last, after it had a position."""
        self.foreign = False
        """Whether somebody else traded on the account: exposure is then not the desk's alone."""
        self.ended = 0.0
        """When the last life ended."""
        self._shadow: dict[str, tuple[int, Decimal, Decimal]] = {}
        self._held: dict[str, Decimal] = {name: Decimal(0) for name in wires}
        for wire in wires.values():
            wire.venue.core.subscribe(lambda event, name=wire.name: self._on_venue(name, event))

    def breach(self, what: str) -> None:
        """Note that an invariant does not hold."""
        now = next(iter(self.wires.values())).loop.time()
        self.breaches.append(f"{now:.3f} s: {what}")

    def note(self, *words: object) -> None:
        """Add a step to the trace, whose hash tells two runs apart."""
        self.steps += 1
        self.trace.update(repr(words).replace(self._root, "~").encode())

    # --- a life begins --------------------------------------------------------------------------

    def begin(self, desk: Desk, life: Life) -> None:
        """Watch another life of the desk, as soon as its engine is there."""
        self.desk, self.life = desk, life
        self.journal_well = True
        engine = desk.engine
        process = engine.process
        self._shadow.clear()
        self._remember(engine.ledger.working.items())
        forgotten = engine.state is not TradingState.HALTED and desk.pump.latch.said is None
        if forgotten and self.gate_closed is not None:
            if self.ended - self.gate_closed > LATCHED_WITHIN:
                self.breach("S3: the gate was closed, and the next start knows nothing of it")
            self._released()

        def watched(event: Any) -> tuple[Any, ...]:
            effects = process(event)
            if life.alive:
                self._after(event, effects)
            return effects

        engine.process = watched  # type: ignore[method-assign]

    def _after(self, event: Any, effects: Iterable[Any]) -> None:
        assert self.desk is not None
        name = type(event).__name__
        if name not in ("Trade", "BookTop", "Depth", "Ticker", "Tick"):
            self.note(event)
        for effect in effects:
            self.note(type(effect).__name__)
            if type(effect) is ExecuteKill:
                self._order_kill(effect)
        state = self.desk.engine.state
        if state is TradingState.HALTED and self.gate_closed is None:
            self.gate_closed = self._time()
        elif state is not TradingState.HALTED and type(event) is Resume:
            self._released()
        if isinstance(event, InvariantBroken) and event.code != "JOURNAL_FAILED":
            self.breach(f"P: {event.code}: {event.detail}")
        if isinstance(event, KillReported):
            self._judge_verdict(event)
        self._compare_orders(self.desk.engine.ledger)

    def _order_kill(self, effect: ExecuteKill) -> None:
        for venue in [effect.venue] if effect.venue else self.wires:
            before = self.ordered.get(venue)
            if before is None or RANK[effect.mode] > RANK[before[0]]:
                self.ordered[venue] = effect.mode, self._time()

    def _compare_orders(self, ledger: Ledger) -> None:
        """Compare every order with what was known of it one event ago."""
        for client_id, (rank, filled, booked) in list(self._shadow.items()):
            order = ledger.find(client_id)
            if order is None:
                del self._shadow[client_id]
                continue
            if order.filled < filled or order.booked < booked:
                self.breach(f"I8: {client_id}: filled fell from {filled} to {order.filled}")
            if rank == 5 and _RANK[order.status] != 5:
                self.breach(f"I8: {client_id} reopened as {order.status}")
            if rank == 5 and order.booked >= order.filled:
                del self._shadow[client_id]
            if order.absent and client_id not in self.dead:
                self.dead[client_id] = order.reason
                self._check_dead(order)
        self._remember(ledger.working.items())

    def _released(self) -> None:
        """Note that the latch was released: from here on the desk may trade again."""
        self.gate_closed = None
        self.proved.clear()
        self.ordered.clear()

    def _check_dead(self, order: Any) -> None:
        intent = order.order
        venue = self.wires[intent.venue].venue
        there = venue.core.find_order(venue.account, client_id=intent.client_id)
        if there is not None and not there.done:
            self.breach(f"I5: {intent.client_id} lives though declared dead: {order.reason}")

    def end(self) -> None:
        """Note that a life ends."""
        self.ended = self._time()
        for venue, (_, since) in list(self.ordered.items()):
            if self.ended - since < LATCHED_WITHIN:
                del self.ordered[venue]

    def _remember(self, orders: Iterable[tuple[str, Any]]) -> None:
        for client_id, order in orders:
            self._shadow[client_id] = (_RANK[order.status], order.filled, order.booked)

    def _time(self) -> float:
        return next(iter(self.wires.values())).loop.time()

    # --- what travels ---------------------------------------------------------------------------

    def sending(self, gateway: WireGateway | WireKillGateway, order: Order) -> None:
        client_id = order.client_id
        self.note("send", client_id, order.qty)
        parts = self.reader.read(client_id)
        if parts is None:
            self.breach(f"I1: {client_id} is no id of ours")
            return
        kill = parts.purpose is Purpose.KILL
        if client_id in self.sent:
            self.breach(f"I2: {client_id} was sent twice")
        self.sent.add(client_id)
        if client_id not in self.durable and (not kill or self.journal_well):
            self.breach(f"I3: {client_id} left before its intent was durable")
        if order.reduce_only:
            return
        if self.gate_closed is not None:
            self.breach(f"I4: {client_id} left after the gate was closed")
        if kill:
            return
        assert self.desk is not None
        for other in self.desk.engine.ledger.working.values():
            if other.order.venue != order.venue or other.status is not OrderStatus.UNKNOWN:
                continue
            if other.order.client_id != client_id and other.updated < order.created:
                self.breach(f"U: {client_id} adds risk while {other.order.client_id} is unknown")

    def placing(self, venue: str, order: Order, stamp: float) -> None:
        client_id = order.client_id
        self.note("place", venue, client_id)
        if client_id in self.dead:
            self.breach(f"I5: {client_id} arrives though declared dead: {self.dead[client_id]}")
        if order.reduce_only:
            return
        if (
            self.gate_closed is not None
            and self._time() > self.gate_closed + ENTRY_WINDOW_MS / 1000 + 0.001
        ):
            self.breach(f"I4: {client_id} was accepted after gate and window")
        if venue in self.proved:
            self.breach(f"K: {client_id} arrives after {self.proved[venue].verdict}")

    def cancelling(self, venue: str, order: OrderReport) -> None:
        held = self.wires[venue].venue.core.positions(self.wires[venue].venue.account, BTC)[0].qty
        flat = self.flat_at.get(venue, -1.0) > (self.gate_closed or 0.0)
        # A stop of the other side is one that outlived its position: it protects nothing.
        protects = (order.side is Side.SELL) == (held > 0)
        if order.kind is OrderKind.STOP and order.reduce_only and held and protects and not flat:
            self.breach(f"S6: the stop of {held} on {venue} is cancelled before it is flat")

    def changed(self, venue: str, order: Any) -> None:
        self.note("venue", venue, order.client_id, order.status, order.filled)

    def _on_venue(self, venue: str, event: PracticeEvent) -> None:
        if not isinstance(event, Filled):
            return
        fill = event.fill
        self.note("fill", venue, fill.trade_id, fill.qty)
        before = self._held[venue]
        after = self._held[venue] = before + (fill.qty if fill.side == "buy" else -fill.qty)
        if abs(after) < self.wires[venue].venue.core.instruments[BTC].min_qty:
            self.flat_at[venue] = self._time()
        parts = self.reader.read(fill.client_id)
        if parts is None:
            return
        if parts.purpose in (Purpose.EXIT, Purpose.STOP, Purpose.KILL) and (
            abs(after) > abs(before) or after * before < 0
        ):
            self.breach(f"I9: {fill.client_id} reduces {before} to {after}")

    def watch_exposure(self) -> None:
        """Compare what is held over all venues with the limit, with room for the price's moves."""
        if self.foreign or self.desk is None:
            return
        equity = self.desk.engine.equity()
        if equity is None:
            return
        total = Decimal(0)
        for wire in self.wires.values():
            for position in wire.venue.core.positions(wire.venue.account):
                total += abs(position.qty) * position.mark
        if total > equity * self.limit * Decimal("1.1"):
            self.breach(f"I10: {total:.0f} held of equity {equity:.0f}")

    # --- kills ----------------------------------------------------------------------------------

    def _judge_verdict(self, event: KillReported) -> None:
        if event.verdict not in PROVED:
            if not event.detail:
                self.breach(f"K: {event.venue} is {event.verdict} without a reason")
            return
        if event.verdict == "HALTED_ONLY":
            return  # which says nothing of the venue
        self.proved[event.venue] = event
        self.check_proof(event)

    def check_proof(self, event: KillReported) -> None:
        """Compare a verdict with the venue's books."""
        venue = self.wires[event.venue].venue
        orders = venue.core.open_orders(venue.account)
        ours = [order for order in orders if self.reader.read(order.client_id)]
        rules = venue.core.instruments[BTC]
        held = [p for p in venue.core.positions(venue.account) if abs(p.qty) >= rules.min_qty]
        if event.verdict.startswith("FLAT") and (ours or held) and not self.foreign:
            what = [f"{p.qty}" for p in held] + [order.client_id for order in ours]
            self.breach(f"K: {event.venue} is {event.verdict} and has {', '.join(what)}")
        if event.verdict == "CANCELLED_ONLY" and any(not order.reduce_only for order in ours):
            self.breach(f"K: {event.venue} is {event.verdict} and has orders that add risk")

    # --- the end --------------------------------------------------------------------------------

    def check_end(self) -> None:
        """Compare everything, once faults are over and the desk has settled."""
        assert self.desk is not None
        ledger = self.desk.engine.ledger
        for name, wire in self.wires.items():
            self._compare(name, wire, ledger)
        for event in self.proved.values():
            self.check_proof(event)
        for name, (mode, _) in self.ordered.items():
            if mode is not KillMode.HALT and name not in self.proved:
                self.breach(f"K: {name} was to be brought to {mode} and no verdict proves it")

    def _compare(self, name: str, wire: Wire, ledger: Ledger) -> None:
        books = wire.venue.core.books()
        if books["duplicates"]:
            self.breach(f"I2: {name}: {books['duplicates']} came twice")
        ours = {key[1]: held.qty for key, held in ledger.open.items() if key[0] == name}
        theirs = {symbol: Decimal(qty) for symbol, qty in books["positions"].items()}
        if ours != theirs:
            self.breach(f"I7: {name}: positions {ours}, at the venue {theirs}")
        # What is realised depends on the order in which fills were learned; with the cost of what
        # is still held it comes to the same.
        cost = sum(p.qty * p.entry for key, p in ledger.open.items() if key[0] == name)
        cash = ledger.accounts[name].cash - cost
        held = wire.venue.core.positions(wire.venue.account)
        real = Decimal(books["balance"]) - sum(p.qty * p.entry for p in held)
        if abs(cash - real) > Decimal("0.01"):
            self.breach(f"I7: {name}: cash less cost {cash}, at the venue {real}")
        if (gap := ledger.adjusted) and not self.foreign:
            self.breach(f"I7: {gap} of cash was never explained by a fill")
        mine = {
            order.order.client_id
            for order in ledger.working.values()
            if order.order.venue == name and order.status in _LIVE
        }
        open_ = {o["client_id"] for o in books["open"] if self.reader.read(o["client_id"])}
        if mine != open_:
            self.breach(f"I11: {name}: open {sorted(mine)}, at the venue {sorted(open_)}")
        for order in wire.venue.core.order_history(wire.venue.account, limit=100_000):
            parts = self.reader.read(order.client_id)
            if parts is None or parts.purpose is Purpose.KILL:
                continue  # a kill does not wait for a journal that hangs
            if order.client_id not in self.durable:
                self.breach(f"I1: {name}: {order.client_id} has no intent in any journal")
        self._compare_fills(name, wire, ledger)
        self._check_stops(name, ledger, books, theirs)

    def _compare_fills(self, name: str, wire: Wire, ledger: Ledger) -> None:
        fills = wire.venue.core.fills(wire.venue.account, limit=100_000)
        since = ledger.accounts[name].since
        theirs = {fill.trade_id for fill in fills if fill.ts_ms * 1_000_000 > since}
        ours = {key[1] for key in ledger._keys.get(name, ())}
        if ours != theirs:
            lost, made = sorted(theirs - ours), sorted(ours - theirs)
            self.breach(f"I6: {name}: fills lost {lost}, fills nobody made {made}")
        if ledger.accounts[name].fills != len(theirs):
            self.breach(f"I6: {name}: {ledger.accounts[name].fills} booked of {len(theirs)}")

    def _check_stops(
        self, name: str, ledger: Ledger, books: dict[str, Any], theirs: dict[str, Decimal]
    ) -> None:
        for symbol, qty in theirs.items():
            position = ledger.positions.get((name, symbol))
            if position is None or position.foreign or name in self.proved:
                continue
            stops = [
                Decimal(order["qty"])
                for order in books["open"]
                if order["symbol"] == symbol
                and order["side"] == ("sell" if qty > 0 else "buy")
                and (parts := self.reader.read(order["client_id"])) is not None
                and parts.purpose is Purpose.STOP
            ]
            if stops != [abs(qty)]:
                self.breach(f"I15: {name}: position {qty} has stops {stops}")
