"""The matching side of a practice venue: orders in books, fills in accounts, stops."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from core.matching.account import Holding
from core.matching.book import BookOrder, End, Tif, Trigger, Triggers
from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.accounts import Trader, clone
from exchanges.practice.board import Board
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import Contract
from exchanges.practice.state import (
    ZERO,
    Cause,
    Change,
    Filled,
    OrderChanged,
    OrderRequest,
    PositionChanged,
    PositionState,
    PracticeFill,
    PracticeOrder,
    Refusal,
    RefusalKind,
    Status,
    TriggerBy,
    WalletChanged,
)
from exchanges.practice.tape import PublicHistory, Tape

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

    def __init__(self, floor: TradingFloor, symbol: str) -> None:
        self._floor = floor
        self._symbol = symbol

    def filled(self, order: BookOrder, tick: int, lots: int, maker: bool) -> None:
        self._floor._book_fill(self._symbol, order, tick, lots, maker)

    def dropped(self, order: BookOrder, end: End) -> None:
        self._floor._book_drop(order, end)

    def traded(self, tick: int, lots: int, taker_sign: int) -> None:
        self._floor.print_trade(self._symbol, tick, lots, taker_sign)

    def reducible(self, owner: str, sign: int) -> int:
        return self._floor._reducible_lots(owner, self._symbol, sign)


class TradingFloor(Board):
    """Where accounts' orders meet the books, whoever gave them."""

    def __init__(
        self,
        name: str,
        contracts: Mapping[str, Contract],
        history: PublicHistory,
        funding: FundingClock,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(name, contracts, history, funding, clock, lambda s: _Ears(self, s))
        self._traders: dict[str, Trader] = {}
        self._number = self._first_number
        self._live: dict[int, tuple[Trader, PracticeOrder]] = {}
        self._reserved: dict[int, Decimal] = {}
        self._stops = {(symbol, by): Triggers() for symbol in contracts for by in TriggerBy}

    # --- what the market does

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
        tape.note_index(self._clock())
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
        """Emit what changed in a book since the last time, and what follows from it."""
        super().publish(symbol)
        self._settle()

    # --- an order's life

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
            tag=request.tag,
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

    def _withdraw(self, trader: Trader, order: PracticeOrder, cause: Cause) -> None:
        if order.status is Status.UNTRIGGERED:
            self._stops[order.symbol, order.trigger_by].remove(order.number)
        else:
            self.tapes[order.symbol].book.cancel(order.number)
        self._end(trader, order, Status.CANCELLED, cause)

    def _withdraw_all(
        self,
        trader: Trader,
        symbol: str | None,
        conditional: bool | None,
        cause: Cause,
        tag: str | None = None,
    ) -> list[PracticeOrder]:
        orders = [
            order
            for order in trader.open.values()
            if symbol in (None, order.symbol)
            and conditional in (None, order.conditional)
            and tag in (None, order.tag)
        ]
        for order in orders:
            self._withdraw(trader, order, cause)
        self._settle()
        return [clone(order) for order in orders]

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

    def _holding(self, trader: Trader, tape: Tape) -> Holding:
        symbol = tape.contract.symbol
        holding = trader.margin.holdings.get(symbol)
        if holding is None:
            holding = trader.margin.open(symbol, tape.contract.maintenance, self._mark(tape))
        return holding

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

    # --- what the books tell

    def _reducible_lots(self, account: str, symbol: str, sign: int) -> int:
        """Return how many lots an order of that side can reduce."""
        holding = self._traders[account].margin.holdings[symbol]
        return max(int(-holding.qty * sign / self.contracts[symbol].lot), 0)

    def _book_fill(self, symbol: str, entry: BookOrder, tick: int, lots: int, maker: bool) -> None:
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

    def _book_drop(self, entry: BookOrder, end: End) -> None:
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
        """Tell of moved positions and money; drop reduce-only orders left without a position."""
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
