"""The entry side of a practice venue: requests checked, orders given, changed, cancelled, found."""

from __future__ import annotations

from decimal import Decimal

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice import filters
from exchanges.practice.accounts import Trader, clone, span
from exchanges.practice.floor import TradingFloor
from exchanges.practice.state import (
    Cause,
    Change,
    OrderChanged,
    OrderRequest,
    PracticeFill,
    PracticeOrder,
    Refusal,
    RefusalKind,
    Status,
)
from exchanges.practice.tape import Tape


class OrderEntry(TradingFloor):
    """What an account may ask about orders. All that raises ``Refusal`` leaves nothing changed."""

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

    # --- looking up

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
