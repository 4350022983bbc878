"""Binance USDⓈ-M order entry: what REST and the WebSocket API both accept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.binance import codes, shapes
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import (
    OrderRequest,
    PracticeOrder,
    Refusal,
    RefusalKind,
    TriggerBy,
)
from exchanges.practice.wire import decimal_or_none, places, truth

Params = Mapping[str, Any]

_TIFS = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
}
_CONDITIONAL = {
    "STOP": (OrderKind.LIMIT, True),
    "STOP_MARKET": (OrderKind.MARKET, True),
    "TAKE_PROFIT": (OrderKind.LIMIT, False),
    "TAKE_PROFIT_MARKET": (OrderKind.MARKET, False),
}


class BinanceNo(Exception):
    """A refusal in Binance's own code and words."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        self.code = code
        self.text = text
        self.status = status
        self.headers: dict[str, str] = {}
        super().__init__(f"{code} {text}")


def require(params: Params, name: str) -> str:
    """Return a parameter that must be there.

    Raises:
        BinanceNo: -1102.
    """
    value = params.get(name)
    if value is None or value == "":
        raise BinanceNo(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return str(value)


def read_number(params: Params, name: str) -> Decimal | None:
    """Read a number parameter.

    Raises:
        BinanceNo: -1100, it is not a number.
    """
    try:
        return decimal_or_none(params.get(name))
    except ValueError:
        raise BinanceNo(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]+)'."
        ) from None


def read_int(params: Params, name: str, default: int | None = None) -> int | None:
    """Read an integer parameter.

    Raises:
        BinanceNo: -1100, it is not an integer.
    """
    value = params.get(name)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except ValueError:
        raise BinanceNo(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        ) from None


class OrderDesk:
    """Order entry of one venue; every method returns the venue's reply."""

    def __init__(self, venue: PracticeVenue) -> None:
        self.venue = venue

    def contract(self, params: Params) -> Contract:
        """Return the contract a request names."""
        symbol = require(params, "symbol")
        try:
            return self.venue.contract_of(symbol)
        except Refusal:
            raise BinanceNo(*codes.UNKNOWN_SYMBOL) from None

    def create(self, account: str, params: Params, *, test: bool = False) -> dict[str, Any]:
        """Place an order. Fills at once are in a ``RESULT`` reply, not in an ``ACK``."""
        contract = self.contract(params)
        kind = require(params, "type")
        if kind in _CONDITIONAL or kind == "TRAILING_STOP_MARKET":
            raise BinanceNo(*codes.USE_ALGO)
        if kind not in {"LIMIT", "MARKET"}:
            raise BinanceNo(-1116, "Invalid orderType.")
        tif = TimeInForce.GTC
        if kind == "LIMIT":
            require(params, "price")
            tif = self._tif(require(params, "timeInForce"))
        elif params.get("price"):
            raise BinanceNo(-1106, "Parameter 'price' sent when not required.")
        request = OrderRequest(
            symbol=contract.symbol,
            side=self._side(params),
            kind=OrderKind(kind.lower()),
            qty=self._quantity(params),
            price=read_number(params, "price"),
            tif=tif,
            reduce_only=truth(params.get("reduceOnly")),
            client_id=str(params.get("newClientOrderId") or uuid.uuid4().hex[:22]),
        )
        self._mode(params)
        if test:
            self._refusing(self.venue.check, account, request, contract)
            return {}
        order = self._refusing(self.venue.submit, account, request, contract)
        full = str(params.get("newOrderRespType", "ACK")).upper() == "RESULT"
        return shapes.reply_row(order, contract) if full else shapes.ack_row(order, contract)

    def create_algo(self, account: str, params: Params) -> dict[str, Any]:
        """Place a conditional order."""
        contract = self.contract(params)
        if require(params, "algoType") != "CONDITIONAL":
            raise BinanceNo(-1130, "Invalid data sent for parameter 'algoType'.")
        kind = _CONDITIONAL.get(require(params, "type"))
        if kind is None:
            raise BinanceNo(-1116, "Invalid orderType.")
        side, close = self._side(params), truth(params.get("closePosition"))
        if close and (params.get("quantity") or truth(params.get("reduceOnly"))):
            raise BinanceNo(-4137, "Quantity must be zero with closePosition equals true")
        working = str(params.get("workingType") or "CONTRACT_PRICE")
        trigger = read_number({"triggerPrice": require(params, "triggerPrice")}, "triggerPrice")
        qty = Decimal(0) if close else self._quantity(params)
        self._mode(params)
        request = OrderRequest(
            symbol=contract.symbol,
            side=side,
            kind=kind[0],
            qty=qty,
            price=read_number(params, "price") if kind[0] is OrderKind.LIMIT else None,
            tif=self._tif(str(params.get("timeInForce") or "GTC")),
            reduce_only=truth(params.get("reduceOnly")) or close,
            client_id=str(params.get("clientAlgoId") or uuid.uuid4().hex[:22]),
            trigger=trigger,
            trigger_by=TriggerBy.MARK if working == "MARK_PRICE" else TriggerBy.LAST,
            trigger_above=(side is Side.BUY) == kind[1],
            close_position=close,
        )
        order = self._refusing(self.venue.submit, account, request, contract)
        return shapes.algo_row(order, contract, None)

    def amend(self, account: str, params: Params) -> dict[str, Any]:
        """Change quantity and price of a limit order."""
        contract = self.contract(params)
        order_id, client_id = self.which(params)
        try:
            order = self.venue.amend(
                account,
                contract.symbol,
                order_id,
                client_id,
                qty=read_number(params, "quantity"),
                price=read_number(params, "price"),
            )
        except Refusal as refusal:
            if refusal.kind in {RefusalKind.UNKNOWN_ORDER, RefusalKind.ALREADY_DONE}:
                raise BinanceNo(*codes.NOT_THERE) from None
            raise BinanceNo(*self._words(refusal, contract, None)) from None
        return shapes.reply_row(order, contract)

    def cancel(self, account: str, params: Params) -> dict[str, Any]:
        """Cancel an open order."""
        contract = self.contract(params)
        order_id, client_id = self.which(params)
        try:
            order = self.venue.cancel(account, contract.symbol, order_id, client_id, False)
        except Refusal:
            raise BinanceNo(*codes.NOT_CANCELLED) from None
        return shapes.reply_row(order, contract)

    def find(self, account: str, params: Params) -> dict[str, Any]:
        """Return one order, open or done."""
        contract = self.contract(params)
        order_id, client_id = self.which(params)
        order = self.venue.find_order(account, contract.symbol, order_id, client_id, False)
        if order is None:
            raise BinanceNo(*codes.NOT_THERE)
        return shapes.order_row(order, contract)

    def cancel_algo(self, account: str, params: Params) -> dict[str, Any]:
        """Cancel a conditional order."""
        order = self.find_algo_order(account, params)
        contract = self.venue.contracts[order.symbol]
        try:
            done = self.venue.cancel(account, order.symbol, order.order_id, "", True)
        except Refusal:
            raise BinanceNo(*codes.NOT_CANCELLED) from None
        return shapes.algo_row(done, contract, None)

    def find_algo(self, account: str, params: Params) -> dict[str, Any]:
        """Return one conditional order."""
        return self.algo_row(self.find_algo_order(account, params))

    def algo_row(self, order: PracticeOrder) -> dict[str, Any]:
        """Write a conditional order together with what it became."""
        contract = self.venue.contracts[order.symbol]
        return shapes.algo_row(order, contract, self.child_of(order))

    def child_of(self, order: PracticeOrder) -> PracticeOrder | None:
        """Return the order that a conditional one made when it fired."""
        if not order.child_id:
            return None
        return self.venue.find_order(order.account, order.symbol, order.child_id)

    def find_algo_order(self, account: str, params: Params) -> PracticeOrder:
        """Find a conditional order by ``algoId`` or ``clientAlgoId``."""
        order_id = str(params.get("algoId") or "")
        client_id = str(params.get("clientAlgoId") or "")
        if not order_id and not client_id:
            raise BinanceNo(-1102, "Param 'algoId' or 'clientAlgoId' must be sent.")
        order = self.venue.find_order(account, None, order_id, client_id, True)
        if order is None:
            raise BinanceNo(*codes.NOT_THERE)
        return order

    @staticmethod
    def which(params: Params) -> tuple[str, str]:
        """Return order id and client id of a request that must have one of them."""
        order_id = str(params.get("orderId") or "")
        client_id = str(params.get("origClientOrderId") or "")
        if not order_id and not client_id:
            raise BinanceNo(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        return order_id, client_id

    @staticmethod
    def _side(params: Params) -> Side:
        side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(require(params, "side"))
        if side is None:
            raise BinanceNo(-1117, "Invalid side.")
        return side

    @staticmethod
    def _quantity(params: Params) -> Decimal:
        qty = read_number({"quantity": require(params, "quantity")}, "quantity")
        if qty is None or qty <= 0:
            raise BinanceNo(-4003, "Quantity less than or equal to zero.")
        return qty

    @staticmethod
    def _tif(text: str) -> TimeInForce:
        tif = _TIFS.get(text)
        if tif is None:
            raise BinanceNo(-1115, "Invalid timeInForce.")
        return tif

    @staticmethod
    def _mode(params: Params) -> None:
        if str(params.get("positionSide") or "BOTH") != "BOTH":
            raise BinanceNo(*codes.HEDGE_ONLY)

    def _refusing(
        self, act: Any, account: str, request: OrderRequest, contract: Contract
    ) -> PracticeOrder:
        try:
            order: PracticeOrder = act(account, request)
        except Refusal as refusal:
            raise BinanceNo(*self._words(refusal, contract, request)) from None
        return order

    @staticmethod
    def _words(
        refusal: Refusal, contract: Contract, request: OrderRequest | None
    ) -> tuple[int, str]:
        """Choose the code where Binance has several for one kind."""
        kind = refusal.kind
        if request is not None:
            price = request.price
            if kind is RefusalKind.BAD_PRECISION_PRICE and price is not None:
                if places(price) > places(contract.tick):
                    return -1111, "Precision is over the maximum defined for this asset."
                return -4014, "Price not increased by tick size."
            if kind is RefusalKind.BAD_PRECISION_QTY and places(request.qty) <= places(
                contract.lot
            ):
                return -4023, "Qty not increased by step size."
            if kind is RefusalKind.PRICE_BAND and request.side is Side.SELL:
                return -4024, f"Limit price can't be lower than the price floor: {refusal.text}"
            if kind is RefusalKind.TOO_MANY_ORDERS and request.trigger is not None:
                return -4045, "Reach max stop order limit."
        return codes.refusal_code(refusal)
