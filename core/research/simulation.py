"""The venue of a backtest: it speaks events and hears effects, as a real one does through the desk.

Nothing here decides anything. What is the same whether candles or order flow are played is here:
how a venue opens, fills, drops an order, kills and liquidates. How orders meet the market is in
``candle_venue`` and ``flow_venue``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Generic, TypeVar

from core.engine.engine import Engine
from core.model.account import Balance, VenueSwept
from core.model.effect import (
    CancelOrder,
    Effect,
    ExecuteKill,
    Record,
    RiskEvent,
    Signalled,
    SubmitOrder,
)
from core.model.event import (
    Arm,
    Event,
    FeedChanged,
    FeedState,
    KillMode,
    KillReported,
    VenueOpened,
)
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import Fill, Order, OrderKind, OrderReport, OrderStatus, Purpose
from core.orders.ids import ClientIds
from core.portfolio.position import Position
from core.research.result import Trip
from core.risk.codes import Code

Funding = Sequence[tuple[int, float]]
"""Settlements, oldest first: nanoseconds UTC, and fraction of notional that longs pay."""
KEY = b"killcord backtest"
LIQUIDATION = "liquidation"
"""Id of the venue's own order that closes what its margin no longer carries."""
MAINTENANCE = 0.005
"""Part of a position's value that must stand behind it, as in the lowest tier of large contracts.
A venue with less closes the position."""
_ZERO = Decimal(0)
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_STOP = OrderKind.STOP
_CANCELLED = OrderStatus.CANCELLED


class Listing:
    """One instrument at the simulated venue, and the orders it holds."""

    __slots__ = ("earned", "lot", "maker", "orders", "position", "rules", "taker", "tick")

    def __init__(self, rules: Instrument) -> None:
        self.rules = rules
        self.tick = rules.tick
        self.lot = rules.lot
        self.taker = rules.taker_fee
        self.maker = rules.maker_fee
        self.orders: dict[str, Order] = {}
        self.position = Position(rules.venue, rules.symbol)
        """The engine's, once there was a fill."""
        self.earned = _ZERO
        """By finished round trips, after fees and funding."""

    @property
    def held(self) -> int:
        """Signed lots the venue holds."""
        raise NotImplementedError


AnyListing = TypeVar("AnyListing", bound=Listing)


class SimulatedVenue(Generic[AnyListing]):
    """Stands between an engine and simulated books; speaks events, hears effects.

    Args:
        engine: traded by.
        listings: all of them on venues the engine is configured for.
        balance: cash on each venue at the start, quote.
        start: nanoseconds UTC.

    Attributes:
        now: venue time of what happens, nanoseconds UTC; set by whoever plays the market.
        halted: when a loss limit pulled the cord; 0 for never.
    """

    def __init__(
        self, engine: Engine, listings: Iterable[AnyListing], balance: Decimal, start: int
    ) -> None:
        self._engine = engine
        self.now = start
        self._trades = 0
        self.orders = 0
        self.stops = 0
        self.liquidations = 0
        self.refused: Counter[str] = Counter()
        self.failed: list[str] = []
        """Where strategies raised, and what."""
        self.signals: list[Signalled] = []
        self.trips: list[Trip] = []
        self.halted = 0
        self._kill_ids = ClientIds("BACK", 0, KEY)
        self._killing: tuple[KillMode, set[str]] | None = None
        self.listings = {(one.rules.venue, one.rules.symbol): one for one in listings}
        self._balance = balance

    @property
    def names(self) -> tuple[str, ...]:
        """The venues."""
        return tuple(dict.fromkeys(one.rules.venue for one in self.listings.values()))

    def open(self) -> None:
        """Open all venues."""
        for venue in self.names:
            self.open_venue(venue)
            self.tell(FeedChanged(venue, "private", FeedState.UP, self.now))
            self.sweep_venue(venue)

    def arm(self) -> None:
        """Let the engine open risk."""
        self.tell(Arm("backtest", self.now))

    def open_venue(self, venue: str) -> None:
        """Let a venue connect."""
        rules = tuple(one.rules for one in self.listings.values() if one.rules.venue == venue)
        self.tell(VenueOpened(venue, "backtest", rules, 0.0, self.now))

    def sweep_venue(self, venue: str) -> None:
        """Let a venue say what it has of ours at the start: cash alone."""
        cash = Balance(venue, "USDT", self._balance, self.now)
        self.tell(VenueSwept(venue, "backtest", (), (), cash, (), (), self.now, self.now))

    def tell(self, event: Event) -> None:
        """Give the engine an event and do what it asks for."""
        effects = self._engine.process(event)
        if effects:
            self.obey(effects)

    def reply(self, event: Event) -> None:
        """Tell of something that happened at the venue; at once, unless it has a way to go."""
        self.tell(event)

    def obey(self, effects: tuple[Effect, ...]) -> None:
        """Do what the engine asks for."""
        for effect in effects:
            kind = type(effect)
            if kind is SubmitOrder:
                self.orders += 1
                self.submit(effect.order)  # type: ignore[union-attr]
            elif kind is CancelOrder:
                assert isinstance(effect, CancelOrder)
                self.cancel(effect.venue, effect.symbol, effect.client_id)
            elif kind is ExecuteKill:
                assert isinstance(effect, ExecuteKill)
                self._kill(effect.mode)
            elif kind is Signalled:
                self.signals.append(effect)  # type: ignore[arg-type]
            elif kind is RiskEvent:
                assert isinstance(effect, RiskEvent)
                self.refused[effect.code] += 1
                if effect.code is Code.STRATEGY_FAILED:
                    self.failed.append(f"{effect.venue} {effect.symbol}: {effect.detail}")
            elif kind is not Record:
                self.answer(effect)

    def submit(self, order: Order) -> None:
        """Take an order and answer it."""
        raise NotImplementedError

    def cancel(self, venue: str, symbol: str, client_id: str) -> None:
        """Take an order back, if it is still there."""
        raise NotImplementedError

    def flatten(self, listing: AnyListing, order: Order) -> None:
        """Take an order of the kill executor's: it closes at the next price."""
        raise NotImplementedError

    def answer(self, effect: Effect) -> None:
        """Take whatever else the engine asks for."""

    # --- what happens to orders

    def make_fill(
        self, listing: AnyListing, client_id: str, side: Side, lots: int, tick: int, maker: bool
    ) -> Fill:
        """Return the event of a fill that happens now. The venue's own orders have no client id."""
        rules = listing.rules
        qty = listing.lot * lots
        price = listing.tick * tick
        self._trades += 1
        return Fill(
            rules.venue,
            rules.symbol,
            str(self._trades),
            "" if client_id == LIQUIDATION else client_id,
            client_id,
            side,
            qty,
            price,
            qty * price * (listing.maker if maker else listing.taker),
            maker,
            self.now,
            self.now,
        )

    def book(self, listing: AnyListing, fill: Fill) -> None:
        """Tell of a fill, and note the round trip that it ended."""
        position = listing.position
        trips, opened = position.trips, position.opened
        self.tell(fill)
        if not position.fills:
            listing.position = self._engine.ledger.position(fill.venue, fill.symbol)
        elif position.trips != trips:
            earned = position.realised - position.fees + position.funding
            net = float(earned - listing.earned)
            self.trips.append(Trip(fill.venue, fill.symbol, opened, fill.ts, net))
            listing.earned = earned
        if self._killing is not None:
            self.verify_kill()

    def make_end(self, order: Order, filled: Decimal, why: str) -> OrderReport:
        """Return the event of an order that ended unfilled, or not filled to its end."""
        return OrderReport(
            order.venue,
            order.symbol,
            order.client_id,
            order.client_id,
            order.side,
            order.kind,
            _CANCELLED,
            order.qty,
            filled,
            self.now,
            self.now,
            reason=why,
        )

    # --- the kill

    def _kill(self, mode: KillMode) -> None:
        """Cancel, and close at the next price; the verdict follows the last fill."""
        self.halted = self.halted or self.now
        if mode is KillMode.HALT:
            return
        for listing in self.listings.values():
            for client_id, order in list(listing.orders.items()):
                if mode is KillMode.FLATTEN or order.kind is not _STOP:
                    self.cancel(order.venue, order.symbol, client_id)
            if mode is KillMode.FLATTEN:
                self.close(listing)
        self._killing = mode, {one.rules.venue for one in self.listings.values()}
        self.verify_kill()

    def close(self, listing: AnyListing) -> None:
        """Close a position as the kill executor does."""
        if not listing.held:
            return
        rules = listing.rules
        lots = listing.held
        order = Order(
            self._kill_ids.next(Purpose.KILL),
            rules.venue,
            rules.symbol,
            Side.SELL if lots > 0 else Side.BUY,
            OrderKind.MARKET,
            listing.lot * abs(lots),
            self.now,
            reduce_only=True,
            purpose=Purpose.KILL,
        )
        self.flatten(listing, order)

    def verify_kill(self) -> None:
        """Report the venues on which a running kill has done its work."""
        if self._killing is None:
            return
        mode, waiting = self._killing
        for venue in sorted(waiting):
            mine = [one for one in self.listings.values() if one.rules.venue == venue]
            if mode is KillMode.FLATTEN and any(one.held for one in mine):
                continue
            waiting.discard(venue)
            verdict = "FLAT_VERIFIED" if mode is KillMode.FLATTEN else "CANCELLED_ONLY"
            self.reply(KillReported(venue, mode, verdict, 0, 0, 0.0, self.now))
        if not waiting:
            self._killing = None
