"""Bybit v5 order entry: what REST and the trade socket both accept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.bybit.codes import BAD_REQUEST, refusal_code
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import (
    OrderRequest,
    PracticeOrder,
    Refusal,
    RefusalKind,
    TriggerBy,
)
from exchanges.practice.wire import decimal_or_none, truth

Params = Mapping[str, Any]

_TIFS = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
}
_TRIGGERS = {
    "MarkPrice": TriggerBy.MARK,
    "LastPrice": TriggerBy.LAST,
    "IndexPrice": TriggerBy.INDEX,
}


class BybitNo(Exception):
    """A refusal in Bybit's own code and words."""

    def __init__(self, code: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.code = code
        self.text = text
        self.headers = headers
        super().__init__(f"{code} {text}")


def read_number(params: Params, name: str) -> Decimal | None:
    """Read a number parameter; ``0`` in an optional price means none, as at the venue.

    Raises:
        BybitNo: it is not a number.
    """
    try:
        return decimal_or_none(params.get(name))
    except ValueError:
        raise BybitNo(BAD_REQUEST, f"params error: {name} invalid") from None


def read_price(params: Params, name: str) -> Decimal | None:
    """Read an optional price; ``0`` means none."""
    return read_number(params, name) or None


class OrderDesk:
    """Order entry of one venue; every method returns the venue's ``result`` object."""

    def __init__(self, venue: PracticeVenue) -> None:
        self.venue = venue

    def contract(self, params: Params) -> Contract:
        """Return the contract a request names."""
        category = params.get("category", "linear")
        if category != "linear":
            raise BybitNo(BAD_REQUEST, f"params error: category {category} not offered")
        symbol = str(params.get("symbol") or "")
        try:
            return self.venue.contract_of(symbol)
        except Refusal as refusal:
            raise BybitNo(*refusal_code(refusal, symbol)) from None

    def create(self, account: str, params: Params) -> dict[str, Any]:
        """Place an order. The reply says accepted, not filled."""
        contract = self.contract(params)
        request = self._read(contract, params)
        try:
            order = self.venue.submit(account, request)
        except Refusal as refusal:
            raise BybitNo(*self._words(refusal, contract, request)) from None
        return ids(order)

    def amend(self, account: str, params: Params) -> dict[str, Any]:
        """Change an open order."""
        contract = self.contract(params)
        order_id, client_id = self._which(params)
        try:
            order = self.venue.amend(
                account,
                contract.symbol,
                order_id,
                client_id,
                qty=read_price(params, "qty"),
                price=read_price(params, "price"),
                trigger=read_price(params, "triggerPrice"),
            )
        except Refusal as refusal:
            raise BybitNo(*refusal_code(refusal, contract.venue_symbol)) from None
        return ids(order)

    def cancel(self, account: str, params: Params) -> dict[str, Any]:
        """Cancel an open order."""
        contract = self.contract(params)
        order_id, client_id = self._which(params)
        try:
            order = self.venue.cancel(account, contract.symbol, order_id, client_id)
        except Refusal as refusal:
            raise BybitNo(*refusal_code(refusal, contract.venue_symbol)) from None
        return ids(order)

    @staticmethod
    def _which(params: Params) -> tuple[str, str]:
        order_id = str(params.get("orderId") or "")
        client_id = str(params.get("orderLinkId") or "")
        if not order_id and not client_id:
            raise BybitNo(BAD_REQUEST, "params error: orderId or orderLinkId is required")
        return order_id, client_id

    @staticmethod
    def _words(refusal: Refusal, contract: Contract, request: OrderRequest) -> tuple[int, str]:
        if refusal.kind is RefusalKind.WOULD_TRIGGER_IMMEDIATELY and not request.trigger_above:
            return 110093, f"expect Falling, but trigger_price[{request.trigger}] >= current"
        if refusal.kind is RefusalKind.TOO_MANY_ORDERS and request.trigger is not None:
            return 110009, "You can't have more stop orders than the maximum limit allowed"
        return refusal_code(refusal, contract.venue_symbol)

    @staticmethod
    def _read(contract: Contract, params: Params) -> OrderRequest:
        side = {"Buy": Side.BUY, "Sell": Side.SELL}.get(str(params.get("side")))
        if side is None:
            raise BybitNo(BAD_REQUEST, "params error: Side invalid")
        kind = {"Market": OrderKind.MARKET, "Limit": OrderKind.LIMIT}.get(
            str(params.get("orderType"))
        )
        if kind is None:
            raise BybitNo(BAD_REQUEST, "params error: OrderType invalid")
        if str(params.get("positionIdx") or "0") != "0":
            raise BybitNo(10001, "position idx not match position mode")
        if any(read_price(params, name) for name in ("takeProfit", "stopLoss")):
            raise BybitNo(110057, "The order contains TP/SL, which the practice venue lacks")
        qty, price = read_number(params, "qty"), read_price(params, "price")
        if qty is None:
            raise BybitNo(BAD_REQUEST, "params error: qty invalid")
        if kind is OrderKind.LIMIT and price is None:
            raise BybitNo(BAD_REQUEST, "params error: price invalid")
        trigger = read_price(params, "triggerPrice")
        direction = str(params.get("triggerDirection") or "0")
        if trigger is not None and direction not in {"1", "2"}:
            raise BybitNo(BAD_REQUEST, "params error: TriggerDirection invalid")
        tif = _TIFS.get(str(params.get("timeInForce") or "GTC"))
        if tif is None:
            raise BybitNo(BAD_REQUEST, "params error: timeInForce invalid")
        on_trigger, reduce = truth(params.get("closeOnTrigger")), truth(params.get("reduceOnly"))
        whole = qty == 0 and on_trigger and reduce
        return OrderRequest(
            symbol=contract.symbol,
            side=side,
            kind=kind,
            qty=qty,
            price=price if kind is OrderKind.LIMIT else None,
            tif=tif if kind is OrderKind.LIMIT else TimeInForce.GTC,
            reduce_only=reduce or on_trigger,
            client_id=str(params.get("orderLinkId") or ""),
            trigger=trigger,
            trigger_by=_TRIGGERS.get(str(params.get("triggerBy")), TriggerBy.LAST),
            trigger_above=direction == "1" if trigger is not None else None,
            close_position=whole,
        )


def ids(order: PracticeOrder) -> dict[str, Any]:
    """Return the two ids, which is all that Bybit's replies to orders say."""
    return {"orderId": order.order_id, "orderLinkId": order.client_id}
