"""The simulated venue where order flow is played: queues, partial fills, latency, margin.

Orders travel to the venue and answers back, each way as long as ``latency``. An order that rests
waits behind what stood at its price when it came; it is filled by recorded trades once those before
it are done. One that takes eats the recorded levels, which stay eaten until the recording sets them
anew. A stop fires on the mark price where one is recorded, else on trades.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec.structs import replace

from core.clock import SECOND
from core.engine.engine import Engine
from core.matching.account import Account
from core.matching.book import BookOrder, Tif, Trigger
from core.model.account import FundingPaid
from core.model.effect import Effect, QueryOrder
from core.model.event import Event
from core.model.instrument import Instrument, exact
from core.model.market import BookTop, Depth, Side, Ticker, Trade
from core.model.order import (
    CancelSent,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    Outcome,
    Purpose,
    TimeInForce,
)
from core.research.flow_listing import FlowListing
from core.research.simulation import LIQUIDATION, MAINTENANCE, Funding, SimulatedVenue

_TIFS = {
    TimeInForce.GTC: Tif.GTC,
    TimeInForce.IOC: Tif.IOC,
    TimeInForce.FOK: Tif.FOK,
    TimeInForce.POST_ONLY: Tif.POST_ONLY,
}
_OWNER = "desk"
_MARGIN_EVERY = SECOND // 10
_AGAIN = SECOND // 10
"""How soon the kill executor tries again what the book could not take."""
_KEPT = 1000
"""Finished orders that the venue still knows when asked."""


class FlowVenue(SimulatedVenue[FlowListing]):
    """Matches against recorded books and trades.

    Args:
        engine: traded by.
        instruments: all of them on venues the engine is configured for.
        balance: cash on each venue at the start, quote.
        start: nanoseconds UTC.
        funding: settlements by instrument, oldest first, nanoseconds UTC and rate; where there are
            none, recorded tickers say when and how much.
        latency: of a message, one way, nanoseconds.
    """

    def __init__(
        self,
        engine: Engine,
        instruments: Sequence[Instrument],
        balance: Decimal,
        start: int,
        funding: Mapping[Instrument, Funding],
        latency: int,
    ) -> None:
        self._latency = latency
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._sent = 0
        self._numbers = 0
        self._ends: dict[str, OrderReport] = {}
        self._checked = 0
        self._accounts = {one.venue: Account(balance) for one in instruments}
        super().__init__(
            engine,
            [FlowListing(one, self, funding.get(one, ())) for one in instruments],
            balance,
            start,
        )
        for one in self.listings.values():
            rules = one.rules
            self._accounts[rules.venue].open(rules.symbol, Decimal(repr(MAINTENANCE)), Decimal(0))

    # --- time and messages

    def advance(self, now: int) -> None:
        """Deliver what is under way, up to a time."""
        mail = self._mail
        while mail and mail[0][0] <= now:
            self.now, _, act = heapq.heappop(mail)
            act()
        self.now = now

    @property
    def busy(self) -> bool:
        """Whether a message is under way."""
        return bool(self._mail)

    def _later(self, act: Callable[[], None], wait: int = 0) -> None:
        self._sent += 1
        heapq.heappush(self._mail, (self.now + max(self._latency, wait), self._sent, act))

    def reply(self, event: Event) -> None:
        """Send an event on its way back."""
        self._later(partial(self.tell, self._stamp(event)))

    def _stamp(self, event: Any) -> Any:
        """Return an event that happens now with the time at which the desk will have it."""
        return replace(event, received=self.now + self._latency)

    def submit(self, order: Order) -> None:
        """Send an order on its way to the venue."""
        self._later(partial(self._arrive, order, True))

    def flatten(self, listing: FlowListing, order: Order) -> None:
        """Send an order of the kill executor's on its way; nobody waits for its answer."""
        self._later(partial(self._arrive, order, False))

    def cancel(self, venue: str, symbol: str, client_id: str) -> None:
        """Send a cancel on its way to the venue."""
        self._later(partial(self._cancel, self.listings[venue, symbol], client_id))

    def answer(self, effect: Effect) -> None:
        """Take a question about an order."""
        if isinstance(effect, QueryOrder):
            self._later(partial(self._tell_of, effect))

    def _tell_of(self, asked: QueryOrder) -> None:
        listing = self.listings[asked.venue, asked.symbol]
        number = listing.by_id.get(asked.client_id)
        known = self._ends.get(asked.client_id)
        if number is not None:
            order = listing.by_number[number]
            done = listing.lot * listing.filled_of.get(number, 0)
            status = OrderStatus.PARTIAL if done else OrderStatus.OPEN
            report = replace(self.make_end(order, done, ""), status=status)
            self.reply(replace(report, source="query"))
        elif known is not None:
            self.reply(replace(known, source="query"))
        else:
            self.reply(OrderAbsent(asked.venue, asked.symbol, asked.client_id, self.now))

    # --- orders at the venue

    def _arrive(self, order: Order, answered: bool) -> None:
        listing = self.listings[order.venue, order.symbol]
        refused = "" if order.reduce_only else self._unaffordable(listing, order)
        if answered:
            outcome = Outcome.REJECTED if refused else Outcome.ACCEPTED
            self.reply(
                OrderSent(
                    order.venue,
                    order.symbol,
                    order.client_id,
                    outcome,
                    self.now,
                    order.client_id,
                    reason=refused,
                )
            )
        if refused:
            return
        self._numbers += 1
        number = self._numbers
        listing.by_number[number] = order
        listing.by_id[order.client_id] = number
        listing.orders[order.client_id] = order
        if order.kind is OrderKind.STOP:
            assert order.trigger is not None
            rising = order.side == "buy"
            tick = int(order.trigger / listing.tick)
            listing.triggers.add(Trigger(number, tick, rising))
        else:
            self._match(listing, number, order)

    def _match(self, listing: FlowListing, number: int, order: Order) -> None:
        limit = int(order.price / listing.tick) if order.price is not None else None
        resting = BookOrder(
            number,
            _OWNER,
            1 if order.side == "buy" else -1,
            int(order.qty // listing.lot) - listing.filled_of.get(number, 0),
            limit,
            _TIFS[order.tif] if limit is not None else Tif.IOC,
            order.reduce_only,
        )
        listing.book.submit(resting)
        if not resting.lots:
            self.finish(listing, number, "")

    def _unaffordable(self, listing: FlowListing, order: Order) -> str:
        """Return why the margin does not carry an order; empty when it does."""
        price = order.price or exact(listing.middle() or listing.mark)
        if not price:
            return "no price"
        value = order.qty * price
        account = self._accounts[order.venue]
        sign = 1 if order.side == "buy" else -1
        if account.affords(order.symbol, sign, value, value * listing.taker):
            return ""
        return "insufficient margin"

    def matched(
        self, listing: FlowListing, order: BookOrder, tick: int, lots: int, maker: bool
    ) -> None:
        """Book a fill at the venue and send word of it."""
        listing.lots += lots * order.sign
        number = order.number
        listing.filled_of[number] = listing.filled_of.get(number, 0) + lots
        own = listing.by_number.get(number)
        side = Side.BUY if order.sign > 0 else Side.SELL
        client_id = own.client_id if own is not None else LIQUIDATION
        fill = self._stamp(self.make_fill(listing, client_id, side, lots, tick, maker))
        account = self._accounts[fill.venue]
        account.holdings[fill.symbol].mark = fill.price
        account.fill(fill.symbol, fill.qty * order.sign, fill.price, fill.fee)
        self._later(partial(self.book, listing, fill))
        if maker and not order.lots:
            self.finish(listing, number, "")

    def finish(self, listing: FlowListing, number: int, why: str) -> None:
        """Forget an order that has ended, and say so where it was not filled."""
        order = listing.by_number.pop(number, None)
        done = listing.filled_of.pop(number, 0)
        if order is None:
            return
        del listing.by_id[order.client_id], listing.orders[order.client_id]
        report = self.make_end(order, listing.lot * done, why)
        if listing.lot * done >= order.qty:
            report = replace(report, status=OrderStatus.FILLED)
        else:
            self.reply(report)
            if order.purpose is Purpose.KILL and listing.lots:
                self._later(partial(self.close, listing), _AGAIN)
        self._ends[order.client_id] = report
        if len(self._ends) > _KEPT:
            del self._ends[next(iter(self._ends))]

    def _cancel(self, listing: FlowListing, client_id: str) -> None:
        number = listing.by_id.get(client_id)
        if number is None:
            rules, no = listing.rules, Outcome.REJECTED
            self.reply(CancelSent(rules.venue, rules.symbol, client_id, no, self.now, "unknown"))
            return
        listing.triggers.remove(number)
        listing.book.cancel(number)
        self.finish(listing, number, "cancelled by request")

    # --- the market

    def see(self, event: Event) -> None:
        """Let the recorded market move: books, trades, marks."""
        kind = type(event)
        if kind not in _MARKET:
            return
        listing = self.listings.get((event.venue, event.symbol))  # type: ignore[union-attr]
        if listing is None:
            return
        if isinstance(event, Trade):
            self._trade(listing, event)
        elif isinstance(event, BookTop):
            listing.set_top(event)
        elif isinstance(event, Depth):
            listing.set_side(1, event.bids)
            listing.set_side(-1, event.asks)
        elif isinstance(event, Ticker):
            self._tick(listing, event)
        if listing.funding and listing.funding[0][0] <= self.now:
            self._fund(listing, *listing.funding.popleft())
        if self.now >= self._checked + _MARGIN_EVERY:
            self._checked = self.now
            self._check_margin()

    def _trade(self, listing: FlowListing, event: Trade) -> None:
        tick = int(event.price / listing.step + 0.5)
        if listing.book.resting:
            lots = int(event.qty / listing.size + 0.5)
            listing.book.trade(tick, lots, 1 if event.side == "buy" else -1)
        if not listing.mark and len(listing.triggers):
            self._fire(listing, event.price)

    def _fire(self, listing: FlowListing, price: float) -> None:
        for number in listing.triggers.fire(price / listing.step):
            order = listing.by_number[number]
            self.stops += 1
            self._match(listing, number, order)

    def _tick(self, listing: FlowListing, event: Ticker) -> None:
        if event.mark is not None:
            listing.mark = event.mark
            if len(listing.triggers):
                self._fire(listing, event.mark)
        if listing.settles and self.now >= listing.settles and not listing.funding:
            self._fund(listing, listing.settles, listing.rate)
            listing.settles = 0
        if event.funding_rate is not None:
            listing.rate = event.funding_rate
        if event.next_funding is not None:
            listing.settles = event.next_funding

    def _fund(self, listing: FlowListing, ts: int, rate: float) -> None:
        if not listing.lots:
            return
        rules = listing.rules
        account = self._accounts[rules.venue]
        account.holdings[rules.symbol].mark = exact(listing.mark or listing.middle())
        part = exact(rate)
        amount = account.fund(rules.symbol, part)
        self.reply(FundingPaid(rules.venue, rules.symbol, amount, part, ts, self.now))

    # --- margin

    def _check_margin(self) -> None:
        for venue, account in self._accounts.items():
            held = [one for one in self.listings.values() if one.rules.venue == venue and one.lots]
            if not held:
                continue
            for one in held:
                price = one.mark or one.middle()
                if price:
                    account.holdings[one.rules.symbol].mark = exact(price)
            if account.doomed:
                self._liquidate(venue, held)

    def _liquidate(self, venue: str, held: Sequence[FlowListing]) -> None:
        """Take all orders out and close all positions of a venue at what the books give."""
        for listing in self.listings.values():
            if listing.rules.venue == venue:
                for client_id in list(listing.by_id):
                    self._cancel(listing, client_id)
        for listing in held:
            self.liquidations += 1
            self._numbers += 1
            sign = -1 if listing.lots > 0 else 1
            order = BookOrder(self._numbers, _OWNER, sign, abs(listing.lots), None, Tif.IOC, True)
            listing.book.submit(order)


_MARKET = (Trade, BookTop, Depth, Ticker)
