"""Binance USDⓈ-M order endpoints: placing, changing, cancelling, asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from exchanges.practice.binance import codes, shapes
from exchanges.practice.binance.orders import BinanceNo, OrderDesk, read_int, require
from exchanges.practice.binance.route import Params, Route, by_symbol
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import PracticeOrder
from exchanges.practice.wire import loads


class Trading:
    """Orders and fills of an account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("POST", "/fapi/v1/order"): Route(self.create, weight=0, orders=True),
            ("POST", "/fapi/v1/order/test"): Route(self.test, weight=0, orders=True),
            ("PUT", "/fapi/v1/order"): Route(self.amend, weight=0, orders=True),
            ("DELETE", "/fapi/v1/order"): Route(self.cancel),
            ("GET", "/fapi/v1/order"): Route(self.find),
            ("GET", "/fapi/v1/openOrder"): Route(self.find_open),
            ("GET", "/fapi/v1/openOrders"): Route(self.open, weight=by_symbol(1, 40)),
            ("GET", "/fapi/v1/allOrders"): Route(self.all, weight=5),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route(self.cancel_all),
            ("POST", "/fapi/v1/batchOrders"): Route(self.create_batch, weight=5, orders=True),
            ("PUT", "/fapi/v1/batchOrders"): Route(self.amend_batch, weight=5, orders=True),
            ("DELETE", "/fapi/v1/batchOrders"): Route(self.cancel_batch),
            ("POST", "/fapi/v1/countdownCancelAll"): Route(self.countdown, weight=10),
            ("GET", "/fapi/v1/userTrades"): Route(self.fills, weight=5),
            ("POST", "/fapi/v1/algoOrder"): Route(self.create_algo, weight=0, orders=True),
            ("DELETE", "/fapi/v1/algoOrder"): Route(self.cancel_algo),
            ("GET", "/fapi/v1/algoOrder"): Route(self.find_algo),
            ("GET", "/fapi/v1/openAlgoOrders"): Route(self.open_algo, weight=by_symbol(1, 40)),
            ("GET", "/fapi/v1/allAlgoOrders"): Route(self.all_algo, weight=5),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Route(self.cancel_all_algo),
        }

    def create(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/order``."""
        return self.desk.create(account, params)

    def test(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/order/test``."""
        return self.desk.create(account, params, test=True)

    def amend(self, account: str, params: Params) -> Any:
        """Answer ``PUT /fapi/v1/order``."""
        return self.desk.amend(account, params)

    def cancel(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/order``."""
        return self.desk.cancel(account, params)

    def find(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/order``."""
        return self.desk.find(account, params)

    def find_open(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/openOrder``."""
        row = self.desk.find(account, params)
        if row["status"] not in {"NEW", "PARTIALLY_FILLED"}:
            raise BinanceNo(*codes.NOT_THERE)
        return row

    def open(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/openOrders``."""
        return [self._row(order) for order in self._resting(account, params, conditional=False)]

    def _resting(self, account: str, params: Params, *, conditional: bool) -> list[PracticeOrder]:
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        return self.venue.open_orders(account, symbol, conditional)

    def all(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/allOrders``."""
        orders = self._history(account, params, conditional=False)
        first = read_int(params, "orderId", 0) or 0
        return [self._row(o) for o in orders if shapes.number_of(o.order_id) >= first]

    def _history(self, account: str, params: Params, *, conditional: bool) -> list[PracticeOrder]:
        return self.venue.order_history(
            account,
            self.desk.contract(params).symbol,
            since_ms=read_int(params, "startTime", 0) or 0,
            until_ms=read_int(params, "endTime"),
            limit=min(read_int(params, "limit", 500) or 500, 1000),
            conditional=conditional,
        )

    def cancel_all(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/allOpenOrders``."""
        self.venue.cancel_all(account, self.desk.contract(params).symbol, False)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def create_batch(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/batchOrders``."""
        orders = _list(require(params, "batchOrders"))
        return self._batch(orders, lambda order: self.desk.create(account, order))

    def amend_batch(self, account: str, params: Params) -> Any:
        """Answer ``PUT /fapi/v1/batchOrders``."""
        orders = _list(require(params, "batchOrders"))
        return self._batch(orders, lambda order: self.desk.amend(account, order))

    def cancel_batch(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/batchOrders``."""
        lower = {key.lower(): value for key, value in params.items()}
        symbol = require(params, "symbol")
        numbers = _list(unquote(lower.get("orderidlist") or "[]"))
        names = _list(unquote(lower.get("origclientorderidlist") or "[]"))
        orders = [{"symbol": symbol, "orderId": str(number)} for number in numbers]
        orders += [{"symbol": symbol, "origClientOrderId": name} for name in names]
        return self._batch(orders, lambda order: self.desk.cancel(account, order), most=10)

    @staticmethod
    def _batch(
        orders: list[dict[str, Any]], act: Callable[[Params], dict[str, Any]], most: int = 5
    ) -> Any:
        if not isinstance(orders, list) or not all(isinstance(order, dict) for order in orders):
            raise BinanceNo(-1130, "Invalid data sent for parameter 'batchOrders'.")
        if not 1 <= len(orders) <= most:
            raise BinanceNo(-4082, "Invalid number of batch place orders.")
        rows: list[dict[str, Any]] = []
        for order in orders:
            try:
                rows.append(act(order))
            except BinanceNo as no:
                rows.append({"code": no.code, "msg": no.text})
        return rows

    def countdown(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/countdownCancelAll``."""
        contract = self.desk.contract(params)
        ms = read_int({"c": require(params, "countdownTime")}, "c") or 0
        self.venue.arm_countdown(account, ms, contract.symbol)
        return {"symbol": contract.venue_symbol, "countdownTime": str(ms)}

    def fills(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/userTrades``."""
        contract = self.desk.contract(params)
        since = read_int(params, "startTime", 0) or 0
        found = self.venue.fills(
            account,
            contract.symbol,
            since_ms=since,
            until_ms=read_int(params, "endTime"),
            order_id=str(params.get("orderId") or ""),
            limit=min(read_int(params, "limit", 500) or 500, 1000),
        )
        first = read_int(params, "fromId", 0) or 0
        rows = [shapes.fill_row(fill, contract) for fill in found]
        return [row for row in rows if row["id"] >= first]

    def create_algo(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/algoOrder``."""
        return self.desk.create_algo(account, params)

    def cancel_algo(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/algoOrder``."""
        order = self.desk.cancel_algo(account, params)
        return {
            "algoId": order["algoId"],
            "clientAlgoId": order["clientAlgoId"],
            "code": "200",
            "msg": "success",
        }

    def find_algo(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/algoOrder``."""
        return self.desk.find_algo(account, params)

    def open_algo(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/openAlgoOrders``."""
        orders = self._resting(account, params, conditional=True)
        return [self.desk.algo_row(order) for order in orders]

    def all_algo(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/allAlgoOrders``."""
        orders = self._history(account, params, conditional=True)
        return [self.desk.algo_row(order) for order in orders]

    def cancel_all_algo(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/algoOpenOrders``."""
        self.venue.cancel_all(account, self.desk.contract(params).symbol, True)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _row(self, order: PracticeOrder) -> dict[str, Any]:
        return shapes.order_row(order, self.venue.contracts[order.symbol])


def _list(text: str) -> list[Any]:
    try:
        found = loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise BinanceNo(-1130, "Invalid data sent for a list parameter.")
    return found
