"""What the engine knows of one instrument on one venue, and what it is doing there."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from core.market.candles import CandleBuilder
from core.model.effect import Signalled
from core.model.instrument import Instrument, exact
from core.model.market import Candle, Fact, FactTold, FundingSettled
from core.model.order import OrderStatus, Purpose
from core.orders.machine import WorkingOrder
from core.portfolio.position import Position
from core.signals.context import Context
from core.signals.strategy import Strategy

CLOSES = 60
"""Candle closes kept for the sparkline."""
_ZERO = Decimal(0)
COVERING = frozenset({OrderStatus.ACKED, OrderStatus.OPEN, OrderStatus.PARTIAL})
"""What a stop is while it works at the venue."""
_STOP = Purpose.STOP


class Slot:
    """One instrument on one venue. Changed only by the engine."""

    __slots__ = (
        "_exact",
        "_exact_of",
        "ask",
        "ask_qty",
        "attempts",
        "bid",
        "bid_qty",
        "book_received",
        "book_ts",
        "builder",
        "candle_ts",
        "change_24h",
        "closes",
        "closing",
        "conflict",
        "context",
        "entry",
        "exit",
        "facts",
        "followers",
        "foreign_buys",
        "foreign_sells",
        "funding_rate",
        "index",
        "instrument",
        "kelly",
        "key",
        "last",
        "last_fill",
        "leverage",
        "linked",
        "liquidation",
        "live_from",
        "mark",
        "mark_ts",
        "marked",
        "next_funding",
        "open_interest",
        "outcome",
        "position",
        "price",
        "protect_at",
        "retry_at",
        "risk_quote",
        "settled",
        "signal",
        "stop",
        "strategy",
        "symbol",
        "trade_ts",
        "venue",
        "waiting",
        "wanted",
        "wanted_until",
        "working",
    )

    def __init__(self, venue: str, symbol: str, position: Position) -> None:
        self.venue = venue
        self.symbol = symbol
        self.key = (venue, symbol)
        self.instrument: Instrument | None = None
        self.position = position
        # the market, 0.0 for unknown
        self.bid = self.bid_qty = self.ask = self.ask_qty = 0.0
        self.last = self.mark = self.index = 0.0
        self.price = 0.0
        """What positions are valued at: the mark price, else the middle, else the last trade."""
        self.funding_rate: float | None = None
        self.next_funding: int | None = None
        self.change_24h: float | None = None
        self.open_interest: float | None = None
        """Base units."""
        self.settled: dict[int, FundingSettled] = {}
        """The newest settlements by their time: a context that is made later wants them."""
        self.facts: dict[tuple[int, Fact], FactTold] = {}
        """The newest facts of the past, for the same."""
        self.book_ts = self.trade_ts = self.mark_ts = self.candle_ts = 0
        self.book_received = self.marked = 0
        self.builder: CandleBuilder | None = None
        self.closes: deque[float] = deque(maxlen=CLOSES)
        # the strategy
        self.strategy: Strategy | None = None
        self.context: Context | None = None
        """What the strategy sees beside its candles; None when it asked for nothing."""
        self.followers: list[Slot] = []
        """Instruments whose context hears the candles of this one."""
        self.linked = False
        """Whether there is a context or a follower."""
        self.waiting: Candle | None = None
        """A closed candle that the strategy has not seen, because companions' are still to come."""
        self.signal: Signalled | None = None
        self.outcome = ""
        self.live_from = 0
        """Only candles that closed after this instant may trade."""
        self.kelly: float | None = None
        """Of the last decision."""
        self.wanted = 0
        """Direction to enter once the present position is closed."""
        self.wanted_until = 0
        # orders
        self.working: dict[str, WorkingOrder] = {}
        self.entry: WorkingOrder | None = None
        self.exit: WorkingOrder | None = None
        self.stop: WorkingOrder | None = None
        self.closing = False
        """The position is being closed; keep at it until flat."""
        self.attempts = 0
        """Exits or stops refused in a row."""
        self.retry_at = 0
        self.protect_at = 0
        self.conflict = ""
        """Why new risk is frozen here beyond unknown orders."""
        self.last_fill = 0
        """When the last own fill was received."""
        self.foreign_buys = self.foreign_sells = _ZERO
        self.risk_quote: Decimal | None = None
        self.liquidation: Decimal | None = None
        self.leverage: Decimal | None = None
        self._exact = _ZERO
        self._exact_of = 0.0

    def value(self) -> Decimal:
        """Return the price that positions are valued at, exactly; 0 when unknown."""
        if self.price != self._exact_of:
            self._exact_of = self.price
            self._exact = exact(self.price)
        return self._exact

    def mark_exact(self) -> Decimal:
        """Return the mark price; 0 when unknown."""
        return self.value() if self.mark else _ZERO

    def middle(self) -> Decimal:
        """Return the middle of the book, or the last known price; 0 when unknown."""
        if self.bid and self.ask:
            return (exact(self.bid) + exact(self.ask)) / 2
        return self.value()

    def touch(self, sign: int) -> Decimal:
        """Return the price a market order would meet first: the ask to buy, the bid to sell."""
        price = self.ask if sign > 0 else self.bid
        return exact(price) if price else self.value()

    def exposure(self, buys: Decimal = _ZERO, sells: Decimal = _ZERO) -> Decimal:
        """Return the worst notional, whichever side it is on; see ``reach``."""
        return abs(self.reach(buys, sells))

    def cover(self) -> WorkingOrder | None:
        """Return a stop at the venue that covers the whole position; None while there is none.

        Not only the one that is wanted: while a stop is replaced the old one still works.
        """
        held = self.position.qty
        need = abs(held)
        for order in (self.stop, *self.working.values()):
            if (
                order is not None
                and order.order.purpose is _STOP
                and order.status in COVERING
                and (order.order.side == "sell") == (held > 0)
                and order.remaining >= need
            ):
                return order
        return None

    def reach(self, buys: Decimal = _ZERO, sells: Decimal = _ZERO) -> Decimal:
        """Return the farthest notional, negative when short: position plus working orders.

        Orders of unknown outcome count as filled. An order against the position does not count as
        reducing it: a stop may close the position first, and the order then opens all of its own.

        Args:
            buys: base units to add as a further working purchase.
            sells: the same for a sale.
        """
        for order in self.working.values():
            intent = order.order
            if not intent.reduce_only:
                if intent.side == "buy":
                    buys += order.remaining
                else:
                    sells += order.remaining
        held = self.position.qty
        up = max(held, _ZERO) + buys + self.foreign_buys
        down = min(held, _ZERO) - sells - self.foreign_sells
        worst = up if abs(up) >= abs(down) else down
        # A venue that was never heard since the start has no price, but may have a position.
        return worst * (self.value() or self.position.entry) if worst else _ZERO

    def release(self) -> None:
        """Forget every order and plan here: the account they belonged to is gone."""
        self.working.clear()
        self.entry = self.exit = self.stop = None
        self.wanted = 0
        self.closing = False
        self.conflict = ""
        self.foreign_buys = self.foreign_sells = _ZERO
        self.risk_quote = self.liquidation = None

    @property
    def idle(self) -> bool:
        """Whether nothing here counts as exposure."""
        return not (self.working or self.position.qty or self.foreign_buys or self.foreign_sells)

    @property
    def frozen(self) -> str:
        """Why new risk is frozen here; empty when it is not."""
        for order in self.working.values():
            if order.status == "unknown":
                return f"order {order.order.client_id} has an unknown outcome"
        return self.conflict
