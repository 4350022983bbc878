"""One venue of the practice exchange: accounts, orders, market data. No HTTP and no dialect."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from core.matching.account import Holding
from core.matching.book import Book, BookOrder, End, Tif, Trigger, Triggers
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice import filters
from exchanges.practice.accounts import Trader, clone, span
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import RULES, Contract
from exchanges.practice.state import (
    ZERO,
    BookChanged,
    Cause,
    Change,
    Credential,
    DepthSnapshot,
    Filled,
    FundingPayment,
    FundingSettled,
    Kline,
    KlineChanged,
    OrderChanged,
    OrderRequest,
    PositionChanged,
    PositionState,
    PracticeEvent,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    Refusal,
    RefusalKind,
    Status,
    TickerChanged,
    TickerState,
    TriggerBy,
    WalletChanged,
    WalletState,
)
from exchanges.practice.tape import FIRST_TRADE, PublicHistory, Tape

Listener = Callable[[PracticeEvent], None]
"""Called synchronously, in order, possibly before the request that caused it has returned."""

_CAUSES = {
    End.POST_ONLY: Cause.POST_ONLY,
    End.IOC: Cause.IOC,
    End.FOK: Cause.FOK,
    End.SELF_TRADE: Cause.SELF_TRADE,
    End.REDUCE_ONLY: Cause.REDUCE_ONLY,
}
_TIFS = {
    TimeInForce.GTC: Tif.GTC,
    TimeInForce.IOC: Tif.IOC,
    TimeInForce.FOK: Tif.FOK,
    TimeInForce.POST_ONLY: Tif.POST_ONLY,
}


class _Ears:
    """Hears one book and tells the venue which instrument it was."""

    def __init__(self, venue: PracticeVenue, symbol: str) -> None:
        self._venue = venue
        self._symbol = symbol

    def filled(self, order: BookOrder, tick: int, lots: int, maker: bool) -> None:
        self._venue.book_fill(self._symbol, order, tick, lots, maker)

    def dropped(self, order: BookOrder, end: End) -> None:
        self._venue.book_drop(order, end)

    def traded(self, tick: int, lots: int, taker_sign: int) -> None:
        self._venue.print_trade(self._symbol, tick, lots, taker_sign)

    def reducible(self, owner: str, sign: int) -> int:
        return self._venue.reducible_lots(owner, self._symbol, sign)


class PracticeVenue:
    """One venue. Every method is synchronous, on one thread; events go to the listeners.

    Symbols are unified (``BTC/USDT:USDT``). Methods that take ``account`` raise KeyError for an
    account that no key has. All the methods that raise ``Refusal`` leave nothing changed.

    Args:
        name: bybit, binance or okx.
        contracts: what is listed, by unified symbol.
        history: the instruments' past.
        funding: when funding is settled.
        clock: venue milliseconds.

    Attributes:
        rules: what this venue does differently.
        instruments: unified symbol to the core's instrument.
        api_keys: API key to credential.
        tapes: public market data by unified symbol; the market writes into their books.
    """

    def __init__(
        self,
        name: str,
        contracts: Mapping[str, Contract],
        history: PublicHistory,
        funding: FundingClock,
        clock: Callable[[], int],
    ) -> None:
        self.name = name
        self.rules = RULES[name]
        self.contracts = dict(contracts)
        self.instruments: dict[str, Instrument] = {
            symbol: contract.instrument for symbol, contract in contracts.items()
        }
        self.api_keys: dict[str, Credential] = {}
        self._clock = clock
        self._history = history
        self._funding = funding
        self._traders: dict[str, Trader] = {}
        self._listeners: list[Listener] = []
        self._outbox: list[PracticeEvent] = []
        start = clock()
        self._number = start * 10
        self._first_number = self._trade_number = start * 10
        self._update_id = start * 1000
        self._live: dict[int, tuple[Trader, PracticeOrder]] = {}
        self._reserved: dict[int, Decimal] = {}
        self._by_venue_symbol = {c.venue_symbol: c for c in contracts.values()}
        self.tapes = {
            symbol: Tape(contract, Book(_Ears(self, symbol)), history, start)
            for symbol, contract in contracts.items()
        }
        self._stops = {(symbol, by): Triggers() for symbol in contracts for by in TriggerBy}
        self._next_second = 0

    def add_account(
        self, uid: str, balance: Decimal, api_key: str, secret: str, passphrase: str = ""
    ) -> None:
        """Open an account, or give an open one another key."""
        if uid not in self._traders:
            self._traders[uid] = Trader(uid, balance)
        self.api_keys[api_key] = Credential(secret, passphrase, uid)

    # --- clock, names, listeners

    def now_ms(self) -> int:
        """Return the venue's clock, milliseconds UTC; it is wall time at every ``--speed``."""
        return self._clock()

    def contract_of(self, venue_symbol: str) -> Contract:
        """Return the contract by the venue's own symbol.

        Raises:
            Refusal: BAD_SYMBOL.
        """
        contract = self._by_venue_symbol.get(venue_symbol)
        if contract is None:
            raise Refusal(RefusalKind.BAD_SYMBOL, f"{venue_symbol!r} is not listed")
        return contract

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have every event of this venue given to ``listener``; returns the way to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def counts(self) -> dict[str, int]:
        """Return how much happened here: orders, fills, open orders and open positions."""
        traders = self._traders.values()
        return {
            "orders": sum(trader.placed for trader in traders),
            "fills": sum(trader.filled for trader in traders),
            "open_orders": sum(len(trader.open) for trader in traders),
            "open_positions": sum(
                1 for t in traders for holding in t.margin.holdings.values() if holding.qty
            ),
            "funding_payments": sum(len(trader.payments) for trader in traders),
        }

    def _tape(self, symbol: str) -> Tape:
        tape = self.tapes.get(symbol)
        if tape is None:
            raise Refusal(RefusalKind.BAD_SYMBOL, f"{symbol!r} is not listed")
        return tape

    def _deliver(self) -> None:
        """Give the collected events to the listeners; the venue is at rest meanwhile."""
        while self._outbox:
            events, self._outbox = self._outbox, []
            for event in events:
                for listener in tuple(self._listeners):
                    listener(event)

    # --- orders

    def submit(self, account: str, request: OrderRequest) -> PracticeOrder:
        """Place an order; returns a copy of how it stands now, which may already be done.

        Events of it are emitted before this returns. Post-only that would cross is refused only on
        Binance; elsewhere the order is returned CANCELLED with cause POST_ONLY.

        Raises:
            Refusal: any kind but UNKNOWN_ORDER and ALREADY_DONE.
        """
        self.check(account, request)
        trader = self._traders[account]
        order = self._make(trader, request)
        self._accept(trader, order)
        if order.conditional:
            self._wait(order)
        else:
            self._match(trader, order)
        self._settle()
        return clone(order)

    def check(self, account: str, request: OrderRequest) -> None:
        """Do all the checks of ``submit`` and place nothing (Binance ``order/test``).

        Raises:
            Refusal: as ``submit``.
        """
        trader = self._traders[account]
        tape = self._tape(request.symbol)
        contract = tape.contract
        self._holding(trader, tape)
        filters.check_shape(request)
        filters.check_client_id(self.rules, trader, request.client_id)
        filters.check_price(contract, request.price)
        filters.check_price(contract, request.trigger)
        limit = request.kind is OrderKind.LIMIT
        if not request.close_position:
            filters.check_qty(contract, request.qty, not limit)
        conditional = request.trigger is not None
        filters.check_count(self.rules, trader, request.symbol, conditional)
        mark = self._mark(tape)
        reference = request.price or request.trigger or mark
        reduces = request.reduce_only or request.close_position
        if not reduces:
            filters.check_value(contract, request.qty, reference)
        if conditional:
            self._check_trigger(tape, request)
            return
        if request.price is not None:
            filters.check_band(self.rules, request.side, request.price, mark)
        if reduces:
            filters.check_reducing(trader, request.symbol, request.side)
        else:
            self._check_margin(trader, tape, request.side, request.qty, request.price)
        if request.price is not None and self.rules.post_only_refused:
            self._check_post_only(tape, request.side, request.tif, request.price)

    def _check_trigger(self, tape: Tape, request: OrderRequest) -> None:
        assert request.trigger is not None
        if not self.rules.stop_checked:
            return
        rising = self._rises(request)
        at = tape.contract.ticks(request.trigger)
        price = self._price(tape, request.trigger_by)
        if at is not None and (price >= at if rising else price <= at):
            raise Refusal(
                RefusalKind.WOULD_TRIGGER_IMMEDIATELY,
                f"trigger {request.trigger} is already reached by the {request.trigger_by} price",
            )

    def _check_post_only(self, tape: Tape, side: Side, tif: TimeInForce, price: Decimal) -> None:
        if tif is TimeInForce.POST_ONLY and tape.book.crosses(
            side.sign, int(price / tape.contract.tick)
        ):
            raise Refusal(RefusalKind.POST_ONLY_WOULD_CROSS, f"post-only {price} would take")

    def _check_margin(
        self, trader: Trader, tape: Tape, side: Side, qty: Decimal, price: Decimal | None
    ) -> None:
        mark = self._mark(tape)
        if price is None:
            lots, value = tape.book.takes(side.sign, None, int(qty / tape.contract.lot))
            at = tape.contract.tick * value / lots if lots else mark
        else:
            at = price
        loss = max((at - mark) * side.sign, ZERO) * qty
        cost = loss + qty * at * self.rules.taker_fee
        if not trader.margin.affords(tape.contract.symbol, side.sign, qty * at, cost):
            raise Refusal(
                RefusalKind.INSUFFICIENT_MARGIN,
                f"available {trader.margin.available:.2f} USDT is not enough for {qty * at:.2f}",
            )

    def _make(self, trader: Trader, request: OrderRequest, parent: str = "") -> PracticeOrder:
        self._number += 1
        now = self._clock()
        rising = request.trigger is not None and self._rises(request)
        return PracticeOrder(
            order_id=self._name("order", self._number),
            client_id=request.client_id,
            account=trader.uid,
            symbol=request.symbol,
            side=request.side,
            kind=OrderKind.LIMIT if request.kind is OrderKind.LIMIT else OrderKind.MARKET,
            qty=request.qty,
            price=request.price if request.kind is OrderKind.LIMIT else None,
            tif=request.tif if request.kind is OrderKind.LIMIT else TimeInForce.IOC,
            reduce_only=request.reduce_only or request.close_position,
            created_ms=now,
            updated_ms=now,
            status=Status.NEW if request.trigger is None else Status.UNTRIGGERED,
            trigger=request.trigger,
            trigger_by=request.trigger_by,
            trigger_above=rising,
            close_position=request.close_position,
            parent_id=parent,
            number=self._number,
        )

    def _name(self, kind: str, number: int) -> str:
        if not self.rules.uuid_ids:
            return str(number)
        digest = hashlib.blake2b(f"{self.name} {kind} {number}".encode(), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    def _accept(self, trader: Trader, order: PracticeOrder) -> None:
        trader.add(order)
        self._live[order.number] = (trader, order)
        self._outbox.append(OrderChanged(clone(order), Change.ACCEPTED))

    def _match(self, trader: Trader, order: PracticeOrder) -> None:
        """Give an order to the book; keep margin for what rests."""
        tape = self.tapes[order.symbol]
        contract = tape.contract
        sign = order.side.sign
        if order.price is None:
            # Market orders stop where the price band ends.
            edge = self._mark(tape) * (1 + self.rules.price_band * sign) / contract.tick
            tick = math.floor(edge) if sign > 0 else math.ceil(edge)
        else:
            tick = int(order.price / contract.tick)
        entry = BookOrder(
            order.number, trader.uid, sign, int(order.remaining / contract.lot), tick,
            _TIFS[order.tif], order.reduce_only,
        )  # fmt: skip
        tape.book.submit(entry)
        if not order.done:
            self._reserve(trader, order)

    def _reserve(self, trader: Trader, order: PracticeOrder) -> None:
        if order.reduce_only or order.price is None:
            return
        value = order.remaining * order.price
        self._reserved[order.number] = value
        holding = trader.margin.holdings[order.symbol]
        if order.side is Side.BUY:
            holding.buying += value
        else:
            holding.selling += value

    def _release(self, trader: Trader, order: PracticeOrder, value: Decimal | None = None) -> None:
        held = self._reserved.pop(order.number, None)
        if held is None:
            return
        if value is None or value >= held:
            value = held
        else:
            self._reserved[order.number] = held - value
        holding = trader.margin.holdings[order.symbol]
        if order.side is Side.BUY:
            holding.buying -= value
        else:
            holding.selling -= value

    def _end(self, trader: Trader, order: PracticeOrder, status: Status, cause: Cause) -> None:
        """Finish an order that the book does not have any more."""
        order.status = status
        order.cause = cause
        order.updated_ms = self._clock()
        self._close(trader, order)
        self._outbox.append(OrderChanged(clone(order), Change.ENDED))

    def _close(self, trader: Trader, order: PracticeOrder) -> None:
        self._release(trader, order)
        trader.open.pop(order.number, None)
        self._live.pop(order.number, None)

    def amend(
        self,
        account: str,
        symbol: str,
        order_id: str = "",
        client_id: str = "",
        *,
        qty: Decimal | None = None,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
    ) -> PracticeOrder:
        """Change an open order; ``qty`` is the new total, filled part included.

        Queue priority is kept only when the price stays and the quantity falls.

        Raises:
            Refusal: UNKNOWN_ORDER, ALREADY_DONE, UNCHANGED and the filters of ``submit``.
        """
        trader = self._traders[account]
        order = self._working(trader, symbol, order_id, client_id, None)
        tape = self.tapes[symbol]
        new_qty = order.qty if qty is None else qty
        new_price = order.price if price is None else price
        new_trigger = order.trigger if trigger is None else trigger
        if (new_qty, new_price, new_trigger) == (order.qty, order.price, order.trigger):
            raise Refusal(RefusalKind.UNCHANGED, "the order is so already")
        if order.price is None and price is not None:
            raise Refusal(RefusalKind.BAD_PARAMETER, "a market order has no price to amend")
        self._check_amend(trader, tape, order, new_qty, new_price, new_trigger)
        shrinks = new_price == order.price and new_qty < order.qty
        order.amends += 1
        order.updated_ms = self._clock()
        if order.status is Status.UNTRIGGERED:
            self._stops[symbol, order.trigger_by].remove(order.number)
            order.qty, order.price, order.trigger = new_qty, new_price, new_trigger
            self._outbox.append(OrderChanged(clone(order), Change.AMENDED))
            self._wait(order)
        else:
            self._release(trader, order)
            if not shrinks:
                tape.book.cancel(order.number)
            order.qty, order.price = new_qty, new_price
            self._outbox.append(OrderChanged(clone(order), Change.AMENDED))
            if shrinks:
                tape.book.shrink(order.number, int(order.remaining / tape.contract.lot))
                self._reserve(trader, order)
            else:
                self._match(trader, order)
        self._settle()
        return clone(order)

    def _check_amend(
        self,
        trader: Trader,
        tape: Tape,
        order: PracticeOrder,
        qty: Decimal,
        price: Decimal | None,
        trigger: Decimal | None,
    ) -> None:
        filters.check_price(tape.contract, price)
        filters.check_price(tape.contract, trigger)
        if not order.close_position:
            filters.check_qty(tape.contract, qty, price is None)
        if qty <= order.filled and not order.close_position:
            raise Refusal(RefusalKind.BAD_PARAMETER, f"{order.filled} is filled already")
        mark = self._mark(tape)
        if not order.reduce_only:
            filters.check_value(tape.contract, qty, price or trigger or mark)
        if price is None or order.status is Status.UNTRIGGERED:
            return
        filters.check_band(self.rules, order.side, price, mark)
        if self.rules.post_only_refused:
            self._check_post_only(tape, order.side, order.tif, price)
        if not order.reduce_only:
            self._release(trader, order)
            try:
                self._check_margin(trader, tape, order.side, qty - order.filled, price)
            finally:
                self._reserve(trader, order)

    def _working(
        self,
        trader: Trader,
        symbol: str,
        order_id: str,
        client_id: str,
        conditional: bool | None,
    ) -> PracticeOrder:
        order = trader.find(symbol, order_id, client_id, conditional)
        if order is None:
            raise Refusal(RefusalKind.UNKNOWN_ORDER, f"no order {order_id or client_id!r}")
        if order.number not in trader.open:
            raise Refusal(RefusalKind.ALREADY_DONE, f"order {order.order_id} is {order.status}")
        return order

    def cancel(
        self,
        account: str,
        symbol: str,
        order_id: str = "",
        client_id: str = "",
        conditional: bool | None = None,
    ) -> PracticeOrder:
        """Cancel one order; with both ids the order id counts.

        Args:
            conditional: look only among conditional orders (True) or only among others (False).

        Raises:
            Refusal: UNKNOWN_ORDER, ALREADY_DONE.
        """
        trader = self._traders[account]
        order = self._working(trader, symbol, order_id, client_id, conditional)
        self._withdraw(trader, order, Cause.USER)
        self._settle()
        return clone(order)

    def cancel_all(
        self, account: str, symbol: str | None = None, conditional: bool | None = None
    ) -> list[PracticeOrder]:
        """Cancel all open orders of a symbol, or of all; returns those it cancelled."""
        trader = self._traders[account]
        return self._withdraw_all(trader, symbol, conditional, Cause.USER)

    def _withdraw_all(
        self, trader: Trader, symbol: str | None, conditional: bool | None, cause: Cause
    ) -> list[PracticeOrder]:
        orders = [
            order
            for order in trader.open.values()
            if symbol in (None, order.symbol) and conditional in (None, order.conditional)
        ]
        for order in orders:
            self._withdraw(trader, order, cause)
        self._settle()
        return [clone(order) for order in orders]

    def _withdraw(self, trader: Trader, order: PracticeOrder, cause: Cause) -> None:
        if order.status is Status.UNTRIGGERED:
            self._stops[order.symbol, order.trigger_by].remove(order.number)
        else:
            self.tapes[order.symbol].book.cancel(order.number)
        self._end(trader, order, Status.CANCELLED, cause)

    def find_order(
        self,
        account: str,
        symbol: str | None = None,
        order_id: str = "",
        client_id: str = "",
        conditional: bool | None = None,
    ) -> PracticeOrder | None:
        """Return a copy of an order, open or done; by client id the newest that carries it."""
        order = self._traders[account].find(symbol, order_id, client_id, conditional)
        return None if order is None else clone(order)

    def open_orders(
        self, account: str, symbol: str | None = None, conditional: bool | None = None
    ) -> list[PracticeOrder]:
        """Return copies of all open orders, oldest first; UNTRIGGERED conditional ones included."""
        return [
            clone(order)
            for order in self._traders[account].open.values()
            if symbol in (None, order.symbol) and conditional in (None, order.conditional)
        ]

    def order_history(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        limit: int = 500,
        conditional: bool | None = None,
    ) -> list[PracticeOrder]:
        """Return copies of orders, open and done, created in the span, oldest first.

        Where there are more than ``limit`` the newest are returned.
        """
        found = [
            order
            for order in self._traders[account].orders()
            if symbol in (None, order.symbol)
            and conditional in (None, order.conditional)
            and order.created_ms >= since_ms
            and (until_ms is None or order.created_ms <= until_ms)
        ]
        return [clone(order) for order in found[-limit:]]

    def fills(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        order_id: str = "",
        after_id: str = "",
        limit: int = 500,
    ) -> list[PracticeFill]:
        """Return executions, oldest first.

        With ``since_ms`` or ``after_id`` the oldest ``limit`` of the span, else the newest.
        """
        rows = span(self._traders[account].fills, since_ms, until_ms)
        if after_id:
            at = next((i for i, fill in enumerate(rows) if fill.trade_id == after_id), -1)
            rows = rows[at + 1 :]
        if symbol is not None or order_id:
            rows = [
                fill
                for fill in rows
                if symbol in (None, fill.symbol) and order_id in ("", fill.order_id)
            ]
        return rows[:limit] if since_ms or after_id else rows[-limit:]

    def arm_countdown(self, account: str, ms: int, symbol: str | None = None) -> int:
        """Cancel all orders (of a symbol) when ``ms`` have passed without another call; 0 disarms.

        Returns:
            Venue milliseconds at which it fires; 0 when disarmed.
        """
        trader = self._traders[account]
        if symbol is not None:
            self._tape(symbol)
        if ms <= 0:
            trader.countdowns.pop(symbol, None)
            return 0
        trader.countdowns[symbol] = self._clock() + ms
        return trader.countdowns[symbol]

    # --- account

    def positions(self, account: str, symbol: str | None = None) -> list[PositionState]:
        """Return positions that are not flat; for a named symbol its position even when flat."""
        trader = self._traders[account]
        if symbol is not None:
            self._holding(trader, self._tape(symbol))
            return [self._position(trader, symbol)]
        return [
            self._position(trader, name)
            for name, holding in trader.margin.holdings.items()
            if holding.qty
        ]

    def _position(self, trader: Trader, symbol: str) -> PositionState:
        holding = trader.margin.holdings[symbol]
        return PositionState(
            symbol=symbol,
            qty=holding.qty,
            entry=holding.entry,
            mark=holding.mark,
            unrealised=holding.unrealised,
            realised=holding.realised,
            leverage=holding.leverage,
            initial_margin=holding.position_margin,
            maintenance_margin=holding.value * holding.maintenance,
            liquidation=trader.margin.liquidation_price(symbol),
            opened_ms=trader.opened_ms.get(symbol, 0),
            updated_ms=trader.updated_ms.get(symbol, 0),
        )

    def wallet(self, account: str) -> WalletState:
        """Return the money of an account."""
        return self._traders[account].wallet()

    def funding_payments(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        limit: int = 500,
    ) -> list[FundingPayment]:
        """Return funding settlements, oldest first; which ``limit`` of them as in ``fills``."""
        rows = span(self._traders[account].payments, since_ms, until_ms)
        rows = [row for row in rows if symbol in (None, row.symbol)]
        return rows[:limit] if since_ms else rows[-limit:]

    def leverage(self, account: str, symbol: str) -> Decimal:
        """Return the leverage set for a symbol; 10 until set."""
        return self._holding(self._traders[account], self._tape(symbol)).leverage

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol.

        Raises:
            Refusal: BAD_LEVERAGE, UNCHANGED, INSUFFICIENT_MARGIN.
        """
        trader = self._traders[account]
        tape = self._tape(symbol)
        holding = self._holding(trader, tape)
        most = tape.contract.instrument.max_leverage
        if not 1 <= leverage <= most:
            raise Refusal(RefusalKind.BAD_LEVERAGE, f"leverage {leverage} is not in 1 to {most}")
        if leverage == holding.leverage:
            raise Refusal(RefusalKind.UNCHANGED, f"leverage is {leverage} already")
        before, holding.leverage = holding.leverage, leverage
        if trader.margin.equity < trader.margin.margin and leverage < before:
            holding.leverage = before
            raise Refusal(RefusalKind.INSUFFICIENT_MARGIN, f"leverage {leverage} needs more margin")
        self._outbox.append(PositionChanged(account, self._position(trader, symbol), "leverage"))
        self._deliver()

    def _holding(self, trader: Trader, tape: Tape) -> Holding:
        symbol = tape.contract.symbol
        holding = trader.margin.holdings.get(symbol)
        if holding is None:
            holding = trader.margin.open(symbol, tape.contract.maintenance, self._mark(tape))
        return holding

    # --- market data

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        """Return the best ``limit`` levels a side with the update id they stand at.

        A later BookChanged whose ``first_id`` is greater applies on top. The snapshot is taken
        after pending changes were emitted, so no BookChanged straddles it.
        """
        tape = self._tape(symbol)
        self.publish(symbol)
        book = tape.book
        return DepthSnapshot(
            symbol, book.levels(1, limit), book.levels(-1, limit), tape.last_id, self._clock()
        )

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """Return the newest public trades, oldest first; at least the last 15 minutes are kept."""

        def name(number: int) -> str:
            # Below all ids given since the opening, which began where the clock stood.
            return self._name(f"public {symbol}", self._first_number - FIRST_TRADE + number)

        return self._tape(symbol).trades(limit, name)

    def klines(
        self,
        symbol: str,
        interval_s: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[Kline]:
        """Return candles, oldest first, the running one last where the span covers now.

        With ``start_ms`` the first ``limit`` candles from there, else the last before ``end_ms``.
        ``interval_s`` is a multiple of 60. At least 30 days are there.
        """
        now = self._clock()
        tape = self._tape(symbol)
        self._roll(tape, now)
        return tape.klines(interval_s * 1000, now, start_ms, end_ms, limit)

    def ticker(self, symbol: str) -> TickerState:
        """Return the ticker of a symbol."""
        tape = self._tape(symbol)
        now = self._clock()
        bid, ask = tape.book.best(1), tape.book.best(-1)
        opened, high, low, close, lots, turnover, trades = tape.day(now)
        return TickerState(
            symbol=symbol,
            last_tick=tape.last_tick,
            last_lots=tape.last_lots,
            bid_tick=bid or 0,
            bid_lots=0 if bid is None else tape.book.visible(1, bid),
            ask_tick=ask or 0,
            ask_lots=0 if ask is None else tape.book.visible(-1, ask),
            mark=format(self._fine(tape, tape.mark), "f"),
            index=format(self._fine(tape, tape.index), "f"),
            open_24h_tick=opened,
            high_24h_tick=high,
            low_24h_tick=low,
            lots_24h=lots,
            turnover_24h=turnover,
            trades_24h=trades,
            change_24h=close / opened - 1 if opened else 0.0,
            funding_rate=format(self._rate(symbol, self._funding.interval(now)), "f"),
            next_funding_ms=self._funding.next_ms(now),
            funding_interval_ms=self._funding.interval_ms,
            open_interest_lots=lots // 8,
            ts_ms=now,
        )

    def tickers(self) -> Sequence[TickerState]:
        """Return the tickers of all symbols."""
        return [self.ticker(symbol) for symbol in self.tapes]

    def funding_history(
        self, symbol: str, *, start_ms: int | None = None, limit: int = 100
    ) -> list[tuple[int, Decimal]]:
        """Return past settlements as ``(venue ms, rate)``, oldest first."""
        self._tape(symbol)
        last = self._funding.interval(self._clock()) - 1
        rows = []
        for interval in range(last - limit + 1, last + 1):
            settled = self._funding.settled_ms(interval)
            if start_ms is None or settled >= start_ms:
                rows.append((settled, self._rate(symbol, interval)))
        return rows

    def _rate(self, symbol: str, interval: int) -> Decimal:
        return self._history.funding_rate(self.name, symbol, interval)

    def _fine(self, tape: Tape, price: float) -> Decimal:
        """Return a mark or index price with one digit more than the tick."""
        step = tape.contract.tick / 10
        return step * round(price / float(step))

    def _mark(self, tape: Tape) -> Decimal:
        return self._fine(tape, tape.mark)

    def _price(self, tape: Tape, by: TriggerBy) -> float:
        """Return a trigger price in ticks."""
        if by is TriggerBy.LAST:
            return tape.last_tick
        price = tape.mark if by is TriggerBy.MARK else tape.index
        return round(price / tape.contract.tick_size, 3)

    # --- what the market does

    def print_trade(
        self, symbol: str, tick: int, lots: int, taker_sign: int, ts_ms: int | None = None
    ) -> None:
        """Publish a trade that happened; it moves the last price."""
        self._trade_number += 1
        self._outbox.append(
            self.tapes[symbol].print_trade(
                tick,
                lots,
                Side.BUY if taker_sign > 0 else Side.SELL,
                self._name("public", self._trade_number),
                self._clock() if ts_ms is None else ts_ms,
            )
        )

    def market_trade(
        self, symbol: str, tick: int, lots: int, taker_sign: int, ts_ms: int | None = None
    ) -> None:
        """Let an anonymous taker trade: resting orders in its way fill, then it is published."""
        book = self.tapes[symbol].book
        if book.resting:
            book.trade(tick, lots, taker_sign)
        self.print_trade(symbol, tick, lots, taker_sign, ts_ms)

    def set_mark(self, symbol: str, mark: float, index: float) -> None:
        """Set the mark and index prices: positions are valued at them, stops fire on them."""
        tape = self.tapes[symbol]
        tape.mark, tape.index = mark, index
        if not self._traders:
            return
        exact = self._fine(tape, mark)
        for trader in self._traders.values():
            holding = trader.margin.holdings.get(symbol)
            if holding is not None:
                holding.mark = exact
        self._settle()

    def publish(self, symbol: str) -> None:
        """Emit what changed in a book since the last time."""
        tape = self.tapes[symbol]
        bids, asks = tape.changes()
        if bids or asks:
            first = self._update_id + 1 + self._update_id % 3
            self._update_id = first + len(bids) + len(asks) - 1
            prev, tape.last_id = tape.last_id, self._update_id
            self._outbox.append(
                BookChanged(symbol, bids, asks, prev, first, self._update_id, self._clock())
            )
        self._settle()

    def tick(self) -> None:
        """Do what is due: countdowns always; funding, liquidations, tickers, candles each second."""
        now = self._clock()
        for trader in self._traders.values():
            for symbol, due in list(trader.countdowns.items()):
                if now >= due:
                    del trader.countdowns[symbol]
                    self._withdraw_all(trader, symbol, None, Cause.COUNTDOWN)
        if now < self._next_second:
            return
        self._next_second = now - now % 1000 + 1000
        for interval in self._funding.due(now):
            self._settle_funding(interval)
        for trader in self._traders.values():
            if trader.margin.doomed:
                self._liquidate(trader)
        for symbol, tape in self.tapes.items():
            self._roll(tape, now)
            if tape.dirty:
                tape.dirty = False
                kline = tape.running()
                if kline is not None:
                    self._outbox.append(KlineChanged(symbol, kline))
            if self._listeners:
                self._outbox.append(TickerChanged(self.ticker(symbol)))
        self._deliver()

    def _roll(self, tape: Tape, now: int) -> None:
        tape.roll(now)
        self._outbox += [KlineChanged(tape.contract.symbol, kline) for kline in tape.finished]
        tape.finished.clear()

    def _settle_funding(self, interval: int) -> None:
        now = self._clock()
        for trader in self._traders.values():
            for symbol, holding in trader.margin.holdings.items():
                if not holding.qty:
                    continue
                rate = self._rate(symbol, interval)
                amount = trader.margin.fund(symbol, rate)
                self._trade_number += 1
                payment = FundingPayment(
                    payment_id=self._name("funding", self._trade_number),
                    account=trader.uid,
                    symbol=symbol,
                    amount=amount,
                    rate=rate,
                    qty=holding.qty,
                    mark=holding.mark,
                    ts_ms=now,
                )
                trader.payments.append(payment)
                trader.wallet_ms = now
                self._outbox.append(FundingSettled(payment))
                self._outbox.append(WalletChanged(trader.uid, trader.wallet(), amount, "funding"))

    def _liquidate(self, trader: Trader) -> None:
        """Cancel everything, then close every position at what the book gives."""
        self._withdraw_all(trader, None, None, Cause.LIQUIDATION)
        if not trader.margin.doomed:
            return
        for symbol, holding in list(trader.margin.holdings.items()):
            if not holding.qty:
                continue
            side = Side.SELL if holding.qty > 0 else Side.BUY
            order = self._make(
                trader,
                OrderRequest(
                    symbol=symbol, side=side, kind=OrderKind.MARKET, qty=abs(holding.qty),
                    reduce_only=True,
                ),
            )  # fmt: skip
            order.liquidation = True
            self._accept(trader, order)
            self._match(trader, order)
            if holding.qty:
                self._absorb(trader, order)
        if trader.margin.balance < 0:  # the insurance fund bears what is beyond the account
            delta = -trader.margin.balance
            trader.margin.balance = ZERO
            self._outbox.append(WalletChanged(trader.uid, trader.wallet(), delta, "liquidation"))
        self._settle()

    def _absorb(self, trader: Trader, order: PracticeOrder) -> None:
        """Close at the mark what the book could not take: the insurance fund is the other side."""
        tape = self.tapes[order.symbol]
        holding = trader.margin.holdings[order.symbol]
        tick = round(tape.mark / tape.contract.tick_size)
        lots = int(abs(holding.qty) / tape.contract.lot)
        entry = BookOrder(order.number, trader.uid, order.side.sign, 0, tick)
        self._live[order.number] = (trader, order)
        self.book_fill(order.symbol, entry, tick, lots, False)

    # --- what the books tell

    def reducible_lots(self, account: str, symbol: str, sign: int) -> int:
        """Return how many lots an order of that side can reduce."""
        holding = self._traders[account].margin.holdings[symbol]
        return max(int(-holding.qty * sign / self.contracts[symbol].lot), 0)

    def book_fill(self, symbol: str, entry: BookOrder, tick: int, lots: int, maker: bool) -> None:
        """Book a fill that the book reports."""
        trader, order = self._live[entry.number]
        contract = self.contracts[symbol]
        qty, price = contract.qty(lots), contract.price(tick)
        fee = qty * price * (self.rules.maker_fee if maker else self.rules.taker_fee)
        now = self._clock()
        holding = trader.margin.holdings[symbol]
        before = holding.qty
        realised = trader.margin.fill(symbol, qty * order.side.sign, price, fee)
        if holding.qty and (not before or (before > 0) != (holding.qty > 0)):
            trader.opened_ms[symbol] = now
        order.filled += qty
        order.value += qty * price
        order.fee += fee
        order.realised += realised
        order.updated_ms = now
        order.status = Status.PARTIALLY_FILLED if order.remaining > 0 else Status.FILLED
        if order.price is not None:
            self._release(trader, order, qty * order.price)
        if order.status is Status.FILLED:
            self._close(trader, order)
        self._trade_number += 1
        fill = PracticeFill(
            trade_id=self._name("fill", self._trade_number),
            order_id=order.order_id,
            client_id=order.client_id,
            account=trader.uid,
            symbol=symbol,
            side=order.side,
            kind=order.kind,
            qty=qty,
            price=price,
            fee=fee,
            realised=realised,
            maker=maker,
            ts_ms=now,
            order_qty=order.qty,
            order_price=order.price,
            remaining=order.remaining,
            liquidation=order.liquidation,
        )
        trader.add_fill(fill)
        trader.updated_ms[symbol] = trader.wallet_ms = now
        trader.moved[symbol] = "liquidation" if order.liquidation else "order"
        trader.delta += realised - fee
        after = clone(order)
        self._outbox.append(Filled(fill, after))
        self._outbox.append(OrderChanged(after, Change.FILLED))

    def book_drop(self, entry: BookOrder, end: End) -> None:
        """End an order that the book dropped."""
        trader, order = self._live[entry.number]
        self._end(trader, order, Status.CANCELLED, _CAUSES[end])

    # --- stops, and what follows from fills

    def _rises(self, request: OrderRequest) -> bool:
        if request.trigger_above is not None:
            return request.trigger_above
        return request.side is Side.BUY

    def _wait(self, order: PracticeOrder) -> None:
        assert order.trigger is not None
        tick = int(order.trigger / self.contracts[order.symbol].tick)
        self._stops[order.symbol, order.trigger_by].add(
            Trigger(order.number, tick, order.trigger_above)
        )

    def _settle(self) -> None:
        """Follow up until nothing more happens: fire stops, drop idle reduce-only orders, tell."""
        while self._fire_stops():
            pass
        for trader in self._traders.values():
            if trader.moved:
                self._follow(trader)
        self._deliver()

    def _fire_stops(self) -> bool:
        fired = False
        for (symbol, by), stops in self._stops.items():
            if not stops:
                continue
            for number in stops.fire(self._price(self.tapes[symbol], by)):
                trader, order = self._live[number]
                self._trigger(trader, order)
                fired = True
        return fired

    def _trigger(self, trader: Trader, order: PracticeOrder) -> None:
        holding = trader.margin.holdings[order.symbol]
        room = max(-holding.qty * order.side.sign, ZERO)
        if order.close_position:
            order.qty = room
        if order.reduce_only and not room:
            self._end(trader, order, Status.REJECTED, Cause.REDUCE_ONLY)
            return
        if not order.reduce_only:
            try:
                self._check_margin(
                    trader, self.tapes[order.symbol], order.side, order.qty, order.price
                )
            except Refusal:
                self._end(trader, order, Status.REJECTED, Cause.MARGIN)
                return
        order.status = Status.TRIGGERED
        order.updated_ms = self._clock()
        if not self.rules.stop_spawns:
            self._outbox.append(OrderChanged(clone(order), Change.TRIGGERED))
            order.status = Status.NEW
            self._match(trader, order)
            return
        child = self._make(
            trader,
            OrderRequest(
                symbol=order.symbol, side=order.side, kind=order.kind, qty=order.qty,
                price=order.price, tif=order.tif, reduce_only=order.reduce_only,
            ),
            parent=order.order_id,
        )  # fmt: skip
        order.child_id = child.order_id
        self._close(trader, order)
        self._outbox.append(OrderChanged(clone(order), Change.TRIGGERED))
        self._accept(trader, child)
        self._match(trader, child)

    def _follow(self, trader: Trader) -> None:
        """Tell of moved positions and money; drop reduce-only orders that have nothing to reduce."""
        moved, trader.moved = trader.moved, {}
        for symbol in moved:
            qty = trader.margin.holdings[symbol].qty
            for order in self._idle_reducers(trader, symbol, qty):
                self._withdraw(trader, order, Cause.REDUCE_ONLY)
            self._outbox.append(
                PositionChanged(trader.uid, self._position(trader, symbol), moved[symbol])
            )
        cause = "liquidation" if "liquidation" in moved.values() else "order"
        delta, trader.delta = trader.delta, ZERO
        self._outbox.append(WalletChanged(trader.uid, trader.wallet(), delta, cause))

    def _idle_reducers(self, trader: Trader, symbol: str, qty: Decimal) -> Iterable[PracticeOrder]:
        return [
            order
            for order in trader.open.values()
            if order.reduce_only
            and order.symbol == symbol
            and order.status is not Status.UNTRIGGERED
            and qty * order.side.sign >= 0
        ]
