"""A venue made of plain values, for driving the engine in tests: it fills what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from core.clock import SECOND
from core.config import Config, Limits, Strategy
from core.engine.engine import Engine
from core.model.account import Balance, PositionReport, VenueSwept
from core.model.effect import CancelOrder, Effect, Record, SubmitOrder
from core.model.event import Arm, Event, FeedChanged, FeedState, Tick, VenueOpened
from core.model.instrument import Instrument
from core.model.market import BookTop, Candle, Side, Trade
from core.model.order import Fill, Order, OrderReport, OrderSent, OrderStatus, Outcome
from core.model.record import JournalRecord
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from core.signals import strategy

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
START = 1_700_000_000 * SECOND
KEY = b"0123456789abcdef"


def instrument(venue: str = "bybit", symbol: str = BTC, **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "venue": venue,
        "symbol": symbol,
        "venue_symbol": symbol.replace("/", "").partition(":")[0],
        "base": symbol.partition("/")[0],
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_qty": Decimal("0.001"),
        "min_notional": Decimal(5),
    }
    return Instrument(**(values | changes))


def config(**changes: Any) -> Config:
    limits = Limits(**changes.pop("limits", {}))
    settings = Strategy(**({"timeframe": 5, "fast": 2, "slow": 4} | changes.pop("strategy", {})))
    values: dict[str, Any] = {
        "venues": ("bybit",),
        "symbols": (BTC,),
        "arm_on_start": False,
        "limits": limits,
        "strategy": settings,
    }
    return Config(**(values | changes))


class Scene:
    """An engine, the effects it gave, and the journal they make."""

    def __init__(
        self,
        settings: Config | None = None,
        ledger: Ledger | None = None,
        make_strategy: Callable[[], strategy.Strategy] | None = None,
    ) -> None:
        self.settings = settings or config()
        seq = ledger.next_seq if ledger else 1
        self.engine = Engine(
            self.settings, ClientIds("TEST", 1, KEY, seq), ledger, make_strategy=make_strategy
        )
        self.now = START
        self.effects: list[Effect] = []
        self.journal: list[JournalRecord] = []
        self.trades = 0

    # --- driving

    def give(self, *events: Event) -> list[Effect]:
        out: list[Effect] = []
        for event in events:
            out += self.engine.process(event)
        self.effects += out
        self.journal += [effect.record for effect in out if isinstance(effect, Record)]
        return out

    def wait(self, seconds: float, step: float = 1.0) -> list[Effect]:
        out: list[Effect] = []
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.now = min(end, self.now + int(step * SECOND))
            out += self.give(Tick(self.now))
        return out

    def of(self, kind: type, effects: Iterable[Effect] | None = None) -> list[Any]:
        return [e for e in (self.effects if effects is None else effects) if type(e) is kind]

    def of_journal(self, kind: type) -> list[Any]:
        return [record for record in self.journal if type(record) is kind]

    def orders(self, effects: Iterable[Effect] | None = None) -> list[Order]:
        return [effect.order for effect in self.of(SubmitOrder, effects)]

    def cancels(self, effects: Iterable[Effect] | None = None) -> list[str]:
        return [effect.client_id for effect in self.of(CancelOrder, effects)]

    # --- what a venue says

    def open(
        self, *rules: Instrument, sweep: bool = True, arm: bool = True, **sweeping: Any
    ) -> None:
        rules = rules or tuple(instrument(venue) for venue in self.settings.venues)
        for venue in self.settings.venues:
            mine = tuple(r for r in rules if r.venue == venue)
            self.give(
                VenueOpened(venue, f"{venue}-1", mine, 0.0, self.now),
                FeedChanged(venue, "private", FeedState.UP, self.now),
            )
            if sweep:
                self.now += SECOND
                self.give(self.sweep(venue, **sweeping))
        if arm:
            self.give(Arm("test", self.now))

    def sweep(
        self,
        venue: str = "bybit",
        orders: Iterable[OrderReport] = (),
        positions: Iterable[PositionReport] = (),
        balance: str | Decimal | None = None,
        fills: Iterable[Fill] = (),
        account: str = "",
        took: float = 0.1,
    ) -> VenueSwept:
        known = self.engine.ledger.accounts.get(venue)
        cash = balance if balance is not None else known.cash if known else "100000"
        return VenueSwept(
            venue,
            account or f"{venue}-1",
            tuple(orders),
            tuple(positions),
            Balance(venue, "USDT", Decimal(cash), self.now),
            tuple(fills),
            (),
            self.now - int(took * SECOND),
            self.now,
        )

    def true_sweep(self, venue: str = "bybit", **changes: Any) -> VenueSwept:
        """A sweep that agrees with our books."""
        ledger = self.engine.ledger
        orders = [
            self.report_of(o.order, OrderStatus.OPEN, o.booked, source="sweep")
            for o in ledger.working.values()
            if o.order.venue == venue and not o.terminal
        ]
        positions = [
            PositionReport(venue, p.symbol, p.qty, p.entry, self.now)
            for key, p in ledger.open.items()
            if key[0] == venue
        ]
        return self.sweep(venue, **({"orders": orders, "positions": positions} | changes))

    def book(
        self, price: float, venue: str = "bybit", symbol: str = BTC, spread: float = 0.2
    ) -> BookTop:
        half = spread / 2
        return BookTop(venue, symbol, price - half, 9.0, price + half, 9.0, self.now, self.now)

    def trade(
        self, price: float, venue: str = "bybit", symbol: str = BTC, ts: int | None = None
    ) -> Trade:
        self.trades += 1
        at = self.now if ts is None else ts
        return Trade(venue, symbol, price, 1.0, Side.BUY, str(self.trades), at, self.now)

    def candle(self, close: float, venue: str = "bybit", symbol: str = BTC) -> Candle:
        """The candle of the 5 seconds that end now."""
        ts = self.now - 5 * SECOND
        return Candle(venue, symbol, 5, close, close, close, close, 1.0, ts, self.now)

    def closes(self, *prices: float, venue: str = "bybit", symbol: str = BTC) -> list[Effect]:
        """Let candles close at these prices, 5 s apart, with a live book at each."""
        out: list[Effect] = []
        for price in prices:
            self.now += 5 * SECOND
            out += self.give(
                self.book(price, venue, symbol), self.candle(price, venue, symbol), Tick(self.now)
            )
        return out

    def sent(self, order: Order, outcome: Outcome = Outcome.ACCEPTED, **more: Any) -> OrderSent:
        values = {"venue_id": f"v{order.client_id[8:18]}"} if outcome is Outcome.ACCEPTED else {}
        return OrderSent(
            order.venue, order.symbol, order.client_id, outcome, self.now, **(values | more)
        )

    def report_of(
        self, order: Order, status: OrderStatus, filled: str | Decimal = "0", **more: Any
    ) -> OrderReport:
        return OrderReport(
            order.venue,
            order.symbol,
            order.client_id,
            f"v{order.client_id[8:18]}",
            order.side,
            order.kind,
            status,
            order.qty,
            Decimal(filled),
            self.now,
            self.now,
            **more,
        )

    def fill_of(
        self,
        order: Order,
        price: float | str,
        qty: str | Decimal | None = None,
        trade_id: str | None = None,
        **more: Any,
    ) -> Fill:
        self.trades += 1
        amount = order.qty if qty is None else Decimal(qty)
        value = Decimal(str(price))
        return Fill(
            order.venue,
            order.symbol,
            trade_id or f"f{self.trades}",
            order.client_id,
            f"v{order.client_id[8:18]}",
            order.side,
            amount,
            value,
            amount * value * Decimal("0.00055"),
            False,
            self.now,
            self.now,
            **more,
        )

    def execute(self, order: Order, price: float) -> list[Effect]:
        """Accept and fill a market order whole; accept a stop."""
        out = self.give(self.sent(order))
        if order.kind != "stop":
            out += self.give(
                self.fill_of(order, price), self.report_of(order, OrderStatus.FILLED, order.qty)
            )
        else:
            out += self.give(self.report_of(order, OrderStatus.OPEN))
        return out

    def serve(self, effects: Iterable[Effect], price: float) -> list[Effect]:
        """Answer orders and cancels as a venue without depth limits would, until none is left."""
        done: list[Effect] = []
        queue = list(effects)
        while queue:
            effect = queue.pop(0)
            done.append(effect)
            if isinstance(effect, SubmitOrder):
                queue += self.execute(effect.order, price)
            elif isinstance(effect, CancelOrder):
                order = self.engine.ledger.working.get(effect.client_id)
                if order is not None:
                    queue += self.give(self.report_of(order.order, OrderStatus.CANCELLED))
        return done


def until(condition: Callable[[], bool], act: Callable[[], object], most: int = 100) -> None:
    for _ in range(most):
        if condition():
            return
        act()
    raise AssertionError("condition not reached")
