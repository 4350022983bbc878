"""A venue in this process for tests of the desk: the practice exchange's matching, no network.

Real matching, accounts, stops and fills; the wire, the dialects and the adapters are left out, and
tested elsewhere. ``down`` makes every request fail, ``hold`` makes submits wait.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from decimal import Decimal

from core.clock import Clock, SystemClock
from core.desk.ports import GatewayStats, Sink
from core.errors import VenueMaintenance, VenueRefused, VenueUnavailable
from core.model.account import Balance, PositionReport, VenueSwept
from core.model.event import FeedChanged, FeedState, VenueOpened
from core.model.instrument import Instrument
from core.model.market import (
    BookTop,
    Candle,
    Depth,
    Fact,
    FactTold,
    FundingSettled,
    Side,
    Ticker,
    Trade,
)
from core.model.order import (
    CancelSent,
    Fill,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    Outcome,
    TimeInForce,
)
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import LISTINGS, list_contracts
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import (
    BookChanged,
    Filled,
    OrderChanged,
    OrderRequest,
    PracticeEvent,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    Refusal,
    Status,
    TickerChanged,
    WalletChanged,
)
from tests.exchanges.practice.floor import NoPast

BTC = "BTC/USDT:USDT"
_STATUS = {
    Status.UNTRIGGERED: OrderStatus.OPEN,
    Status.TRIGGERED: OrderStatus.OPEN,
    Status.NEW: OrderStatus.OPEN,
    Status.PARTIALLY_FILLED: OrderStatus.PARTIAL,
    Status.FILLED: OrderStatus.FILLED,
    Status.CANCELLED: OrderStatus.CANCELLED,
    Status.REJECTED: OrderStatus.REJECTED,
}


class LoopVenue:
    """One practice venue with one instrument whose price swings enough to cross averages.

    Args:
        name: bybit, binance or okx.
        balance: USDT at the start.
        clock: the time here and in all reports.
        account: the venue's id of the account; None: a new one.
    """

    def __init__(
        self,
        name: str,
        balance: int = 100_000,
        clock: Clock | None = None,
        account: str | None = None,
    ) -> None:
        listings = tuple(each for each in LISTINGS if each.base == "BTC")
        contracts = list_contracts(name, listings)
        self.now = (clock or SystemClock()).now
        self.core = PracticeVenue(
            name, contracts, NoPast(Decimal(0)), FundingClock(self.now() // 1_000_000), self._ms
        )
        self.name = name
        self.account = account or f"{name}-{os.urandom(4).hex()}"
        self.core.add_account(self.account, Decimal(balance), "key", "secret")
        self.past: dict[Fact, list[tuple[int, float]]] = {fact: [] for fact in Fact}
        """What it tells of the past; it refuses to tell what is not here."""
        self.down = False
        self.closed = False
        """The venue says that it is in maintenance."""
        self.hold: asyncio.Event | None = None
        self.submits: list[str] = []
        self.levels = 20
        self.thin = False
        """Leave the book so thin that a position cannot be closed at once."""
        self._middle = round(60_000 / float(contracts[BTC].instrument.tick))
        self._step = 0
        self.move()

    def _ms(self) -> int:
        return self.now() // 1_000_000

    def swing(self) -> tuple[float, int]:
        """Return where the price is, relative to its middle, and which side takes."""
        return math.sin(self._step / 80) * 0.004, 1 if math.cos(self._step / 80) > 0 else -1

    def move(self) -> None:
        """Move the market one step."""
        self._step += 1
        tape = self.core.tapes[BTC]
        book = tape.book
        swing, side = self.swing()
        mid = round(self._middle * (1 + swing))
        for sign in (1, -1):
            for tick, _ in book.levels(sign, 1000):
                if abs(tick - mid) > 60 or (mid - tick) * sign < 1:
                    book.set_level(sign, tick, 0)
        lots = 1 if self.thin else 4000
        for depth in range(1, self.levels + 1):
            book.set_level(1, mid - depth, lots)
            book.set_level(-1, mid + depth, lots)
        tick_size = float(tape.contract.tick)
        self.core.set_mark(BTC, mid * tick_size, mid * tick_size)
        self.core.market_trade(BTC, mid + side, 3, side)
        self.core.publish(BTC)
        self.core.tick()

    async def run(self) -> None:
        while True:
            self.move()
            await asyncio.sleep(0.02)

    def check(self) -> None:
        if self.closed:
            raise VenueMaintenance(f"{self.name}: 503")
        if self.down:
            raise VenueUnavailable(f"{self.name}: connection refused")

    def reports(self, source: str = "sweep") -> tuple[OrderReport, ...]:
        orders = self.core.open_orders(self.account)
        return tuple(self.report(order, source) for order in orders)

    def report(self, order: PracticeOrder, source: str) -> OrderReport:
        """Return the venue's word; a stop and the order that it turned into are one to us."""
        stop = self._find(order.parent_id) or order
        kind = OrderKind.STOP if stop.conditional else stop.kind
        now = self._find(order.child_id) or order
        return OrderReport(
            venue=self.name,
            symbol=order.symbol,
            client_id=stop.client_id,
            venue_id=stop.order_id,
            side=order.side,
            kind=kind,
            status=_STATUS[now.status],
            qty=order.qty,
            filled=now.filled,
            ts=now.updated_ms * 1_000_000,
            received=self.now(),
            price=order.price,
            trigger=stop.trigger,
            average=now.average,
            reduce_only=order.reduce_only,
            reason=now.cause.value,
            source=source,
        )

    def _find(self, order_id: str) -> PracticeOrder | None:
        return self.core.find_order(self.account, order_id=order_id) if order_id else None

    def fill(self, fill: PracticeFill, source: str) -> Fill:
        order = self._find(fill.order_id)
        stop = self._find(order.parent_id) if order is not None else None
        return Fill(
            venue=self.name,
            symbol=fill.symbol,
            trade_id=fill.trade_id,
            client_id=stop.client_id if stop is not None else fill.client_id,
            venue_id=stop.order_id if stop is not None else fill.order_id,
            side=fill.side,
            qty=fill.qty,
            price=fill.price,
            fee=fill.fee,
            maker=fill.maker,
            ts=fill.ts_ms * 1_000_000,
            received=self.now(),
            source=source,
        )

    def positions(self) -> tuple[PositionReport, ...]:
        return tuple(
            PositionReport(
                self.name, p.symbol, p.qty, p.entry, self.now(), p.mark, None, p.leverage
            )
            for p in self.core.positions(self.account)
        )

    def balance(self) -> Balance:
        wallet = self.core.wallet(self.account)
        return Balance(self.name, "USDT", wallet.balance, self.now(), wallet.available)

    def place(self, order: Order) -> PracticeOrder:
        return self.core.submit(
            self.account,
            OrderRequest(
                symbol=order.symbol,
                side=order.side,
                kind=order.kind,
                qty=order.qty,
                price=order.price,
                tif=order.tif,
                reduce_only=order.reduce_only,
                client_id=order.client_id,
                trigger=order.trigger,
            ),
        )


class LoopGateway:
    """``core.desk.ports.Gateway`` on a ``LoopVenue``."""

    def __init__(self, loop: LoopVenue) -> None:
        self.loop = loop
        self.venue = loop.name
        self.stats = GatewayStats(last_message={})
        self.misfit = asyncio.Event()
        self.asked: list[tuple[int, int]] = []
        """Timeframe and number of the candles that were asked for."""

    async def connect(self) -> VenueOpened:
        self.loop.check()
        await asyncio.sleep(0)
        instruments = tuple(self.loop.core.instruments.values())
        return VenueOpened(self.venue, self.loop.account, instruments, 1.5, self.loop.now())

    async def instruments(self) -> tuple[Instrument, ...]:
        self.loop.check()
        return tuple(self.loop.core.instruments.values())

    async def recent_trades(self, symbol: str) -> list[Trade]:
        self.loop.check()
        return [self._trade(trade) for trade in self.loop.core.recent_trades(symbol, 500)]

    async def candles(
        self, symbol: str, timeframe: int, count: int, before: int | None = None
    ) -> list[Candle]:
        self.loop.check()
        self.asked.append((timeframe, count))
        return []

    async def settlements(
        self, symbol: str, count: int, before: int | None = None
    ) -> list[FundingSettled]:
        self.loop.check()
        past = self.loop.core.funding_history(symbol, limit=count)
        now = self.loop.now()
        return [
            FundingSettled(self.venue, symbol, float(rate), ts * 1_000_000, now)
            for ts, rate in past
        ]

    async def facts(
        self, symbol: str, fact: Fact, timeframe: int, count: int, before: int | None = None
    ) -> list[FactTold]:
        self.loop.check()
        if fact not in self.loop.past:
            raise VenueRefused(f"{self.venue}: no {fact} here")
        now = self.loop.now()
        told = self.loop.past[fact][-count:]
        return [FactTold(self.venue, symbol, fact, value, ts, now) for ts, value in told]

    async def run(self, symbols: Sequence[str], sink: Sink) -> None:
        for channel in ("trades", "books", "tickers", "private"):
            sink(FeedChanged(self.venue, channel, FeedState.UP, self.loop.now()))

        def hear(event: PracticeEvent) -> None:
            if not self.loop.down:
                self._hear(event, sink)

        stop = self.loop.core.subscribe(hear)
        try:
            await asyncio.Event().wait()
        finally:
            stop()

    def _hear(self, event: PracticeEvent, sink: Sink) -> None:
        now = self.loop.now()
        self.stats.messages += 1
        if isinstance(event, PublicTrade):
            self.stats.last_message["trades"] = now
            sink(self._trade(event))
        elif isinstance(event, BookChanged):
            self.stats.last_message["books"] = now
            self._book(event.symbol, sink, now)
        elif isinstance(event, TickerChanged):
            ticker = self.loop.core.ticker(event.symbol)
            mark = float(ticker.mark)
            sink(
                Ticker(
                    self.venue, ticker.symbol, mark, mark, mark, 0.0001, None, 0.0, None, now, now
                )
            )
        elif isinstance(event, OrderChanged):
            sink(self.loop.report(event.order, "stream"))
        elif isinstance(event, Filled):
            sink(self.loop.fill(event.fill, "stream"))
        elif isinstance(event, WalletChanged):
            sink(self.loop.balance())

    def _book(self, symbol: str, sink: Sink, now: int) -> None:
        tape = self.loop.core.tapes[symbol]
        contract = tape.contract
        sides = []
        for sign in (1, -1):
            sides.append(
                tuple(
                    (float(contract.price(tick)), float(contract.qty(lots)))
                    for tick, lots in tape.book.levels(sign, 20)
                )
            )
        bids, asks = sides
        if bids and asks:
            sink(BookTop(self.venue, symbol, *bids[0], *asks[0], now, now))
            sink(Depth(self.venue, symbol, bids, asks, now, now))

    def _trade(self, trade: PublicTrade) -> Trade:
        contract = self.loop.core.tapes[trade.symbol].contract
        return Trade(
            self.venue,
            trade.symbol,
            float(contract.price(trade.tick)),
            float(contract.qty(trade.lots)),
            trade.side,
            trade.trade_id,
            trade.ts_ms * 1_000_000,
            self.loop.now(),
        )

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        self.loop.submits.append(order.client_id)
        if self.loop.hold is not None:
            await self.loop.hold.wait()
        outcome, venue_id, code, reason = Outcome.ACCEPTED, "", "", ""
        if go is not None and not go():
            outcome, reason = Outcome.NOT_SENT, "the gate closed before it was sent"
        elif self.loop.down:
            outcome, code = Outcome.UNKNOWN, "timeout"
        else:
            try:
                venue_id = self.loop.place(order).order_id
            except Refusal as refusal:
                outcome, code, reason = Outcome.REJECTED, refusal.kind.value, refusal.text
        return OrderSent(
            self.venue, order.symbol, order.client_id, outcome, self.loop.now(), venue_id, code,
            reason,
        )  # fmt: skip

    async def cancel(self, symbol: str, client_id: str, venue_id: str) -> CancelSent:
        outcome, code = Outcome.ACCEPTED, ""
        if self.loop.down:
            outcome, code = Outcome.UNKNOWN, "timeout"
        else:
            try:
                self.loop.core.cancel(self.loop.account, symbol, venue_id, client_id)
            except Refusal as refusal:
                outcome, code = Outcome.REJECTED, refusal.kind.value
        return CancelSent(self.venue, symbol, client_id, outcome, self.loop.now(), code)

    async def query(self, symbol: str, client_id: str) -> OrderReport | OrderAbsent | None:
        if self.loop.down:
            return None
        order = self.loop.core.find_order(self.loop.account, symbol, client_id=client_id)
        if order is None:
            return OrderAbsent(self.venue, symbol, client_id, self.loop.now())
        return self.loop.report(order, "query")

    async def sweep(self, since: int) -> VenueSwept:
        self.loop.check()
        started = self.loop.now()
        # All of them, as the gateways bring them page by page.
        since_ms = max(since // 1_000_000, 1)
        fills = self.loop.core.fills(self.loop.account, since_ms=since_ms, limit=1_000_000)
        return VenueSwept(
            venue=self.venue,
            account=self.loop.account,
            orders=self.loop.reports(),
            positions=self.loop.positions(),
            balance=self.loop.balance(),
            fills=tuple(self.loop.fill(fill, "sweep") for fill in fills),
            funding=(),
            started=started,
            received=self.loop.now(),
        )

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        self.loop.check()

    @property
    def dead_man(self) -> str:
        return {"binance": "symbol", "okx": "tag"}.get(self.venue, "")

    async def arm_dead_man(self, symbol: str, seconds: int) -> None:
        self.loop.check()
        self.loop.core.arm_countdown(self.loop.account, seconds * 1000, symbol or None)

    async def close(self) -> None:
        return None


class LoopKillGateway:
    """``core.desk.ports.GuardGateway`` on a ``LoopVenue``."""

    def __init__(self, loop: LoopVenue) -> None:
        self.loop = loop
        self.venue = loop.name
        self.calls: list[str] = []
        self.hang = False

    async def _ask(self, name: str) -> None:
        self.calls.append(name)
        if self.hang:
            await asyncio.Event().wait()
        self.loop.check()
        await asyncio.sleep(0)

    async def open(self) -> None:
        return None

    async def prepare(self) -> tuple[Instrument, ...]:
        await self._ask("prepare")
        return tuple(self.loop.core.instruments.values())

    async def open_orders(self) -> tuple[OrderReport, ...]:
        await self._ask("open_orders")
        return self.loop.reports()

    async def positions(self) -> tuple[PositionReport, ...]:
        await self._ask("positions")
        return self.loop.positions()

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        await self._ask("cancel_orders")
        for order in orders:
            try:
                self.loop.core.cancel(self.loop.account, order.symbol, order.venue_id)
            except Refusal:
                continue
        return len(orders)

    async def reduce(
        self, position: PositionReport, client_id: str, slippage: Decimal
    ) -> OrderSent:
        await self._ask(f"reduce {slippage}")
        side = Side.SELL if position.qty > 0 else Side.BUY
        instrument = self.loop.core.instruments[position.symbol]
        assert position.mark is not None
        price = instrument.round_price(position.mark * (1 + side.sign * slippage))
        order = Order(
            client_id, self.venue, position.symbol, side, OrderKind.LIMIT, abs(position.qty),
            self.loop.now(), price, None, TimeInForce.IOC, True,
        )  # fmt: skip
        outcome, code = Outcome.ACCEPTED, ""
        try:
            self.loop.place(order)
        except Refusal as refusal:
            outcome, code = Outcome.REJECTED, refusal.kind.value
        return OrderSent(
            self.venue, position.symbol, client_id, outcome, self.loop.now(), code=code
        )

    async def close(self) -> None:
        return None
