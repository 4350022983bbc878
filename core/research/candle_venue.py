"""The simulated venue where candles are played: orders meet the path of each bar."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from core.engine.engine import Engine
from core.matching.bars import BarBook
from core.model.account import FundingPaid
from core.model.effect import Effect
from core.model.instrument import Instrument, exact
from core.model.market import FactTold, Side, Ticker
from core.model.order import Order, OrderKind, OrderSent, Outcome, TimeInForce
from core.research.simulation import LIQUIDATION, MAINTENANCE, Funding, Listing, SimulatedVenue

NEVER = 1 << 63
"""Nanoseconds; an integer, because comparing one with an infinite float is slow."""
_NEAR = 0.5
"""Value of positions, as a part of the venue's equity, below which no hour's move uses it up."""
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_ACCEPTED = Outcome.ACCEPTED
_STOP = OrderKind.STOP
_LIMIT = OrderKind.LIMIT
_BUY = Side.BUY
_SELL = Side.SELL
_ZERO = Decimal(0)


class BarListing(Listing):
    """One instrument, matched along bars."""

    __slots__ = ("book", "due", "facts", "funding", "guarded", "price", "step", "top")

    def __init__(self, rules: Instrument, funding: Funding, facts: Sequence[FactTold]) -> None:
        super().__init__(rules)
        self.book: BarBook
        self.step = float(rules.tick)
        self.top = self.price = 0.0
        """Highest price of the running bar, and its open."""
        self.funding = deque(funding)
        self.facts = deque(facts)
        self.due = self.plan()
        """When the next funding is settled or fact told, nanoseconds UTC."""
        self.guarded = False
        """Whether the price at which the venue liquidates is watched."""

    def plan(self) -> int:
        """Return when something beside the candles is due next; now, where facts are to come.

        What a fact stands at when a bar ends is told as that bar opens: no earlier bar asks for it.
        """
        settled = self.funding[0][0] if self.funding else NEVER
        return 0 if self.facts else settled

    @property
    def held(self) -> int:
        """Signed lots the venue holds."""
        return self.book.position


class CandleVenue(SimulatedVenue[BarListing]):
    """Answers at once: what an order is told at a bar's close, it is told before the next opens.

    Args:
        engine: traded by.
        instruments: all of them on venues the engine is configured for.
        balance: cash on each venue at the start, quote.
        start: nanoseconds UTC.
        funding: settlements by instrument, oldest first; nanoseconds UTC and rate.
        slippage: of takers, part of the price.
        facts: index and open interest at the ends of bars, oldest first.
        span: of a bar, nanoseconds.
    """

    def __init__(
        self,
        engine: Engine,
        instruments: Sequence[Instrument],
        balance: Decimal,
        start: int,
        funding: Mapping[Instrument, Funding],
        slippage: float,
        facts: Mapping[Instrument, Sequence[FactTold]] | None = None,
        span: int = 0,
    ) -> None:
        facts = facts or {}
        self._span = span
        self._in_bar = True
        """Whether orders meet the rest of a running bar: always, except in ``hear``."""
        listings = [
            BarListing(rules, funding.get(rules, ()), facts.get(rules, ())) for rules in instruments
        ]
        for one in listings:
            one.book = BarBook(
                one.tick, one.lot, partial(self._filled, one), partial(self._drop, one), slippage
            )
        self._at: dict[str, list[BarListing]] = {}
        for one in listings:
            self._at.setdefault(one.rules.venue, []).append(one)
        super().__init__(engine, listings, balance, start)
        self.open()

    def hear(self, effects: tuple[Effect, ...], now: int) -> None:
        """Do what the engine asked for at a bar's close: market orders wait for the next open."""
        self.now = now
        self._in_bar = False
        self.obey(effects)
        self._in_bar = True

    def settle(self, listing: BarListing) -> None:
        """Settle the funding that has fallen due as a bar opens, at its open; tell of facts."""
        rules, price = listing.rules, listing.price
        facts, end = listing.facts, self.now + self._span
        while facts and facts[0].ts <= end:
            self.tell(replace(facts.popleft(), received=self.now))
        while listing.funding and listing.funding[0][0] <= self.now:
            ts, rate = listing.funding.popleft()
            lots = listing.book.position
            if lots:
                part = exact(rate)
                amount = -listing.lot * lots * exact(price) * part
                self.tell(FundingPaid(rules.venue, rules.symbol, amount, part, ts, self.now))
            self.tell(
                Ticker(
                    rules.venue,
                    rules.symbol,
                    last=None,
                    mark=None,
                    index=None,
                    funding_rate=rate,
                    next_funding=None,
                    change_24h=None,
                    turnover_24h=None,
                    ts=self.now,
                    received=self.now,
                )
            )
        listing.due = listing.plan()

    def submit(self, order: Order) -> None:
        """Take an order and answer it."""
        listing = self.listings[order.venue, order.symbol]
        client_id = order.client_id
        listing.orders[client_id] = order
        self._place(listing, order)
        self.tell(OrderSent(order.venue, order.symbol, client_id, _ACCEPTED, self.now, client_id))

    def _place(self, listing: BarListing, order: Order) -> None:
        book = listing.book
        sign = 1 if order.side is _BUY else -1
        lots = int(order.qty // listing.lot)
        client_id = order.client_id
        if order.kind is _STOP:
            assert order.trigger is not None
            book.stop(client_id, sign, int(order.trigger // listing.tick), lots)
        elif order.kind is _LIMIT:
            assert order.price is not None
            book.limit(
                client_id,
                sign,
                int(order.price / listing.tick),
                lots,
                post_only=order.tif is TimeInForce.POST_ONLY,
                immediate=order.tif in (TimeInForce.IOC, TimeInForce.FOK),
                reduce_only=order.reduce_only,
            )
        elif self._in_bar:
            # A market order given while the bar runs meets what is left of its path: a limit
            # beyond every price of the bar, at once or not at all.
            tick = 2 * int(listing.top / listing.step) if sign > 0 else 1
            book.limit(client_id, sign, tick, lots, immediate=True, reduce_only=order.reduce_only)
        else:
            book.market(client_id, sign, lots, order.reduce_only)

    def flatten(self, listing: BarListing, order: Order) -> None:
        """Take an order of the kill executor's: it closes at the next price."""
        listing.orders[order.client_id] = order
        self._place(listing, order)

    def cancel(self, venue: str, symbol: str, client_id: str) -> None:
        """Take an order back, if it is still there."""
        listing = self.listings[venue, symbol]
        order = listing.orders.get(client_id)
        if order is not None and listing.book.cancel(client_id):
            self._end(listing, order, "cancelled by request")

    def _drop(self, listing: BarListing, client_id: str, reason: str) -> None:
        """Tell of an order that ended without being cancelled."""
        order = listing.orders.get(client_id)
        if order is not None:
            self._end(listing, order, reason)

    def _end(self, listing: BarListing, order: Order, reason: str) -> None:
        del listing.orders[order.client_id]
        self.tell(self.make_end(order, _ZERO, reason))

    def _filled(
        self, listing: BarListing, client_id: str, sign: int, lots: int, tick: int, maker: bool
    ) -> None:
        """Tell of a fill: orders fill whole here."""
        order = listing.orders.pop(client_id, None)
        if order is None:
            self.liquidations += 1
        elif order.kind is _STOP:
            self.stops += 1
        side = _BUY if sign > 0 else _SELL
        self.book(listing, self.make_fill(listing, client_id, side, lots, tick, maker))
        self.guard(listing.rules.venue)

    # --- margin

    def guard(self, venue: str) -> None:
        """Watch the prices at which a venue closes what its margin no longer carries.

        Worked out at each fill and at each hour, for each instrument as if the others stayed where
        they are.
        """
        mine = self._at[venue]
        gross = earned = 0.0
        guarded = False
        for one in mine:
            position = one.position
            size = position.size
            if size:
                price = one.price
                gross += abs(size) * price
                earned += size * (price - position.cost)
            if one.guarded:
                guarded = True
        if not (gross or guarded):
            return
        equity = float(self._engine.ledger.accounts[venue].cash) + earned
        near = gross > _NEAR * equity
        if not (near or guarded):
            return
        for one in mine:
            if one.guarded:
                one.book.cancel(LIQUIDATION)
                one.guarded = False
            if near and one.book.position:
                self._guard(one, equity - gross * MAINTENANCE)

    def _guard(self, listing: BarListing, spare: float) -> None:
        """Place the venue's own stop where the margin of a position is used up.

        Args:
            spare: equity less the maintenance margin of all positions, at present prices.
        """
        size, price = listing.position.size, listing.price
        # spare + size * (p - price) - MAINTENANCE * |size| * (p - price) = 0
        level = price - spare / (size - MAINTENANCE * abs(size))
        if level > listing.step:
            sign = -1 if size > 0 else 1
            tick = int(level / listing.step)
            listing.book.stop(LIQUIDATION, sign, tick, abs(listing.book.position))
            listing.guarded = True
