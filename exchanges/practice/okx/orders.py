"""OKX v5 order entry: what REST and the private socket both accept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import codes, shapes
from exchanges.practice.state import (
    OrderRequest,
    PracticeFill,
    PracticeOrder,
    Refusal,
    RefusalKind,
    TriggerBy,
)
from exchanges.practice.wire import decimal_or_none, truth

Params = Mapping[str, Any]

_TIFS = {
    "limit": TimeInForce.GTC,
    "post_only": TimeInForce.POST_ONLY,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "optimal_limit_ioc": TimeInForce.IOC,
}
_TRIGGERS = {
    "": TriggerBy.LAST,
    "last": TriggerBy.LAST,
    "mark": TriggerBy.MARK,
    "index": TriggerBy.INDEX,
}
FIRST_CODE = 10_459
"""``instIdCode`` of the first instrument."""


class OkxNo(Exception):
    """A refusal in OKX's own code and words."""

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        self.code = code
        self.text = text
        self.status = status
        super().__init__(f"{code} {text}")


def bad(name: str) -> OkxNo:
    """Make the refusal of a parameter."""
    return OkxNo("51000", f"Parameter {name} error")


def require(params: Params, name: str) -> str:
    """Return a parameter that must be there.

    Raises:
        OkxNo: 50014.
    """
    value = params.get(name)
    if value is None or value == "":
        raise OkxNo(codes.MISSING[0], codes.MISSING[1].format(name=name))
    return str(value)


def read_number(params: Params, name: str) -> Decimal | None:
    """Read a number parameter.

    Raises:
        OkxNo: 51000, it is not a number.
    """
    try:
        return decimal_or_none(params.get(name))
    except ValueError:
        raise bad(name) from None


class OrderDesk:
    """Order entry of one venue; every method returns one element of the venue's ``data``."""

    def __init__(self, venue: PracticeVenue) -> None:
        self.venue = venue
        self._kinds: dict[str, str] = {}
        self._pending_kind = ""
        self._codes = {
            FIRST_CODE + index: contract for index, contract in enumerate(venue.contracts.values())
        }

    def code_of(self, contract: Contract) -> int:
        """Return the number that stands for an instrument in socket orders."""
        return next(code for code, known in self._codes.items() if known is contract)

    def contract(self, params: Params) -> Contract:
        """Return the contract a request names, by ``instId`` or ``instIdCode``."""
        code = params.get("instIdCode")
        if not params.get("instId") and code not in (None, ""):
            found = self._codes.get(int(str(code)))
            if found is None:
                raise OkxNo(*codes.NO_SUCH_INSTRUMENT)
            return found
        name = require(params, "instId")
        try:
            return self.venue.contract_of(name)
        except Refusal:
            raise OkxNo(*codes.NO_SUCH_INSTRUMENT) from None

    def create(self, account: str, params: Params) -> dict[str, Any]:
        """Place an order. The reply says accepted, not filled."""
        contract = self.contract(params)
        mode = require(params, "tdMode")
        if mode != "cross":
            raise bad("tdMode")
        side = self._side(params)
        kind = require(params, "ordType")
        if kind != "market" and kind not in _TIFS:
            raise bad("ordType")
        if str(params.get("posSide") or "net") != "net":
            raise bad("posSide")
        if params.get("attachAlgoOrds"):
            raise bad("attachAlgoOrds")
        contracts = read_number({"sz": require(params, "sz")}, "sz") or Decimal(0)
        price = read_number(params, "px")
        market = kind == "market"
        if not market and price is None:
            raise OkxNo(codes.MISSING[0], codes.MISSING[1].format(name="px"))
        request = OrderRequest(
            symbol=contract.symbol,
            side=side,
            kind=OrderKind.MARKET if market else OrderKind.LIMIT,
            qty=contract.base(contracts),
            price=None if market else price,
            tif=TimeInForce.GTC if market else _TIFS[kind],
            reduce_only=truth(params.get("reduceOnly")),
            client_id=str(params.get("clOrdId") or ""),
            tag=str(params.get("tag") or ""),
        )
        order = self._submit(account, request)
        return self._ids(order, request.tag)

    def amend(self, account: str, params: Params) -> dict[str, Any]:
        """Change size or price of an open order."""
        contract = self.contract(params)
        order_id, client_id = self.which(params)
        size = read_number(params, "newSz")
        try:
            order = self.venue.amend(
                account,
                contract.symbol,
                order_id,
                client_id,
                qty=contract.base(size) if size is not None else None,
                price=read_number(params, "newPx"),
            )
        except Refusal as refusal:
            if refusal.kind in {RefusalKind.UNKNOWN_ORDER, RefusalKind.ALREADY_DONE}:
                raise OkxNo(*codes.NOT_AMENDED) from None
            raise OkxNo(*codes.refusal_code(refusal)) from None
        return self._ids(order) | {"reqId": str(params.get("reqId") or "")}

    def cancel(self, account: str, params: Params) -> dict[str, Any]:
        """Cancel an open order. The reply says accepted, not cancelled."""
        contract = self.contract(params)
        order_id, client_id = self.which(params)
        try:
            order = self.venue.cancel(account, contract.symbol, order_id, client_id, False)
        except Refusal:
            raise OkxNo(*codes.NOT_CANCELLED) from None
        return self._ids(order)

    def create_algo(self, account: str, params: Params) -> dict[str, Any]:
        """Place a conditional order: ``trigger``, or ``conditional`` with one side given."""
        contract = self.contract(params)
        if require(params, "tdMode") != "cross":
            raise bad("tdMode")
        side = self._side(params)
        kind = {"trigger": "trigger", "conditional": "sl"}.get(require(params, "ordType"))
        if kind is None:
            raise bad("ordType")
        if kind == "sl":
            given = [name for name in ("sl", "tp") if params.get(f"{name}TriggerPx")]
            if len(given) != 1:
                raise bad("slTriggerPx or tpTriggerPx")
            kind = given[0]
        trigger_name = "triggerPx" if kind == "trigger" else f"{kind}TriggerPx"
        trigger = read_number({trigger_name: require(params, trigger_name)}, trigger_name)
        price = read_number(params, "orderPx" if kind == "trigger" else f"{kind}OrdPx")
        by = _TRIGGERS.get(str(params.get(f"{trigger_name}Type") or ""))
        if trigger is None or price is None or by is None:
            raise bad(trigger_name)
        whole = str(params.get("closeFraction") or "") == "1"
        contracts = None if whole else read_number({"sz": require(params, "sz")}, "sz")
        rising = (side is Side.BUY) == (kind == "sl")
        if kind == "trigger":
            ticker = self.venue.ticker(contract.symbol)
            last = (
                Decimal(ticker.mark) if by is TriggerBy.MARK else contract.price(ticker.last_tick)
            )
            rising = trigger > last
        market = price == -1
        request = OrderRequest(
            symbol=contract.symbol,
            side=side,
            kind=OrderKind.MARKET if market else OrderKind.LIMIT,
            qty=contract.base(contracts or Decimal(0)),
            price=None if market else price,
            reduce_only=truth(params.get("reduceOnly")) or whole,
            client_id=str(params.get("algoClOrdId") or ""),
            trigger=trigger,
            trigger_by=by,
            trigger_above=rising,
            close_position=whole,
        )
        order = self._submit(account, request, kind)
        return {
            "algoId": order.order_id,
            "clOrdId": "",
            "algoClOrdId": order.client_id,
            "tag": str(params.get("tag") or ""),
            "sCode": "0",
            "sMsg": "",
        }

    def cancel_algo(self, account: str, params: Params) -> dict[str, Any]:
        """Cancel a conditional order."""
        contract = self.contract(params)
        order_id = str(params.get("algoId") or "")
        client_id = str(params.get("algoClOrdId") or "")
        try:
            order = self.venue.cancel(account, contract.symbol, order_id, client_id, True)
        except Refusal:
            raise OkxNo(*codes.NOT_CANCELLED) from None
        return {
            "algoId": order.order_id,
            "algoClOrdId": order.client_id,
            "clOrdId": "",
            "sCode": "0",
            "sMsg": "",
            "tag": "",
        }

    @staticmethod
    def which(params: Params) -> tuple[str, str]:
        """Return order id and client id of a request that must have one of them."""
        order_id = str(params.get("ordId") or "")
        client_id = str(params.get("clOrdId") or "")
        if not order_id and not client_id:
            raise OkxNo("51003", "Either parameter ordId or clOrdId is required.")
        return order_id, client_id

    @staticmethod
    def _side(params: Params) -> Side:
        side = require(params, "side")
        if side not in {"buy", "sell"}:
            raise bad("side")
        return Side(side)

    def _submit(self, account: str, request: OrderRequest, kind: str = "") -> PracticeOrder:
        # The number of the next order is not known before it exists, but its events may be told
        # while it is being placed: until it is known, ``pending_kind`` answers for it.
        self._pending_kind = kind
        try:
            order = self.venue.submit(account, request)
        except Refusal as refusal:
            raise OkxNo(*codes.refusal_code(refusal, request.side)) from None
        finally:
            self._pending_kind = ""
        if kind:
            self._kinds[order.order_id] = kind
        return order

    def note_kind(self, order: PracticeOrder) -> str:
        """Return how a conditional order was asked for, also while it is being placed."""
        if order.order_id not in self._kinds:
            self._kinds[order.order_id] = self._pending_kind or "trigger"
        return self._kinds[order.order_id]

    def _ids(self, order: PracticeOrder, tag: str = "") -> dict[str, Any]:
        return {
            "clOrdId": order.client_id,
            "ordId": order.order_id,
            "tag": tag,
            "ts": str(self.venue.now_ms()),
            "sCode": "0",
            "sMsg": "",
        }

    # --- rows that need more than the order

    def order_row(self, order: PracticeOrder) -> dict[str, Any]:
        """Write an order with its last execution and the conditional order it came from."""
        contract = self.venue.contracts[order.symbol]
        fills: list[PracticeFill] = []
        if order.filled:
            fills = self.venue.fills(order.account, order.symbol, order_id=order.order_id, limit=1)
        leverage = self.venue.leverage(order.account, order.symbol)
        return shapes.order_row(
            order, contract, self.parent_of(order), fills[-1] if fills else None, leverage
        )

    def algo_row(self, order: PracticeOrder) -> dict[str, Any]:
        """Write a conditional order with what it became."""
        contract = self.venue.contracts[order.symbol]
        child = None
        if order.child_id:
            child = self.venue.find_order(order.account, order.symbol, order.child_id)
        last = contract.price_text(self.venue.ticker(order.symbol).last_tick)
        return shapes.algo_row(order, contract, self.note_kind(order), child, last)

    def parent_of(self, order: PracticeOrder) -> PracticeOrder | None:
        """Return the conditional order that made this one."""
        if not order.parent_id:
            return None
        return self.venue.find_order(order.account, order.symbol, order.parent_id)
