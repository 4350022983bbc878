"""OKX v5 order endpoints: placing, changing, cancelling, asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import codes, shapes
from exchanges.practice.okx.orders import OkxNo, OrderDesk, bad, require
from exchanges.practice.okx.route import Params, Route, page
from exchanges.practice.state import OrderRequest, PracticeOrder
from exchanges.practice.wire import Limits, Windows, truth

ACCOUNT_ORDERS = 1000
"""Orders and amendments of a sub-account in 2 s."""


class Trading:
    """Orders and fills of an account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk, limits: Limits) -> None:
        self.venue = venue
        self.desk = desk
        self.limits = limits
        self._windows = Windows()

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("POST", "/trade/order"): Route(self.create, 60, many=True),
            ("POST", "/trade/batch-orders"): Route(self.create_many, 300, many=True),
            ("POST", "/trade/amend-order"): Route(self.amend, 60, many=True),
            ("POST", "/trade/amend-batch-orders"): Route(self.amend_many, 300, many=True),
            ("POST", "/trade/cancel-order"): Route(self.cancel, 60, many=True),
            ("POST", "/trade/cancel-batch-orders"): Route(self.cancel_many, 300, many=True),
            ("POST", "/trade/cancel-all-after"): Route(self.cancel_all_after, 2),
            ("POST", "/trade/close-position"): Route(self.close_position, 20),
            ("GET", "/trade/order"): Route(self.find, 60),
            ("GET", "/trade/orders-pending"): Route(self.pending, 60),
            ("GET", "/trade/orders-history"): Route(self.history, 40),
            ("GET", "/trade/orders-history-archive"): Route(self.history, 20),
            ("GET", "/trade/fills"): Route(self.fills, 60),
            ("GET", "/trade/fills-history"): Route(self.fills, 10),
            ("POST", "/trade/order-algo"): Route(self.create_algo, 20, many=True),
            ("POST", "/trade/cancel-algos"): Route(self.cancel_algos, 20, many=True),
            ("GET", "/trade/order-algo"): Route(self.find_algo, 20),
            ("GET", "/trade/orders-algo-pending"): Route(self.pending_algos, 20),
            ("GET", "/trade/orders-algo-history"): Route(self.algo_history, 20),
        }

    def count_orders(self, account: str, orders: int = 1) -> None:
        """Count orders of a sub-account.

        Raises:
            OkxNo: 50061.
        """
        window = self._windows.get(account, "orders", self.limits.allow(ACCOUNT_ORDERS), 2.0)
        if not window.take(time.time(), orders):
            raise OkxNo("50061", "The maximum sub-account rate limit has been exceeded.")

    def create(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/order``."""
        return self.each(account, [params], self.desk.create, orders=True)

    def create_many(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/batch-orders``."""
        return self.each(account, params, self.desk.create, orders=True)

    def amend(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/amend-order``."""
        return self.each(account, [params], self.desk.amend, orders=True)

    def amend_many(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/amend-batch-orders``."""
        return self.each(account, params, self.desk.amend, orders=True)

    def cancel(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/cancel-order``."""
        return self.each(account, [params], self.desk.cancel)

    def cancel_many(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/cancel-batch-orders``."""
        return self.each(account, params, self.desk.cancel)

    def create_algo(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/order-algo``."""
        return self.each(account, [params], self.desk.create_algo)

    def cancel_algos(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/cancel-algos``."""
        return self.each(account, params, self.desk.cancel_algo)

    def each(
        self,
        account: str,
        requests: Any,
        act: Callable[[str, Params], dict[str, Any]],
        *,
        orders: bool = False,
    ) -> list[dict[str, Any]]:
        """Do one thing for each request, each with its own verdict."""
        if not isinstance(requests, list) or not all(isinstance(r, dict) for r in requests):
            raise OkxNo(*codes.BAD_JSON)
        if not 1 <= len(requests) <= 20:
            raise OkxNo("51111", "Maximum 20 orders can be placed in bulk.")
        if orders:
            self.count_orders(account, len(requests))
        rows = []
        for request in requests:
            try:
                rows.append(act(account, request))
            except OkxNo as no:
                rows.append(failure(no, request))
        return rows

    def cancel_all_after(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/cancel-all-after``."""
        seconds = int(require(params, "timeOut"))
        if seconds and not 10 <= seconds <= 120:
            raise bad("timeOut")
        tag = str(params.get("tag") or "")
        fires = self.venue.arm_countdown(account, seconds * 1000, tag=tag or None)
        return [{"triggerTime": str(fires), "tag": tag, "ts": str(self.venue.now_ms())}]

    def close_position(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/close-position``."""
        contract = self.desk.contract(params)
        if require(params, "mgnMode") != "cross":
            raise bad("mgnMode")
        held = self.venue.positions(account, contract.symbol)
        qty = held[0].qty if held else Decimal(0)
        if not qty:
            raise OkxNo(*codes.NO_POSITION)
        if truth(params.get("autoCxl")):
            self.venue.cancel_all(account, contract.symbol, False)
        client_id = str(params.get("clOrdId") or "")
        self.venue.submit(
            account,
            OrderRequest(
                symbol=contract.symbol,
                side=Side.SELL if qty > 0 else Side.BUY,
                kind=OrderKind.MARKET,
                qty=abs(qty),
                reduce_only=True,
                client_id=client_id,
            ),
        )
        name = contract.venue_symbol
        return [{"instId": name, "posSide": "net", "clOrdId": client_id, "tag": ""}]

    def find(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/order``."""
        contract = self.desk.contract(params)
        order_id, client_id = self.desk.which(params)
        order = self.venue.find_order(account, contract.symbol, order_id, client_id, False)
        if order is None:
            raise OkxNo(*codes.NO_SUCH_ORDER)
        return [self.desk.order_row(order)]

    def pending(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/orders-pending``."""
        orders = self.venue.open_orders(account, self._symbol(params), False)
        rows = [self.desk.order_row(order) for order in reversed(orders)]
        return page(_filter(rows, params, "ordType", "state", "instType"), params, "ordId")

    def history(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/orders-history``."""
        orders = self.venue.order_history(
            account,
            self._symbol(params),
            since_ms=int(params.get("begin") or 0),
            until_ms=int(params["end"]) if params.get("end") else None,
            limit=1000,
            conditional=False,
        )
        rows = [self.desk.order_row(order) for order in reversed(orders) if order.done]
        return page(_filter(rows, params, "ordType", "state", "instType"), params, "ordId")

    def find_algo(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/order-algo``."""
        order_id = str(params.get("algoId") or "")
        client_id = str(params.get("algoClOrdId") or "")
        if not order_id and not client_id:
            raise OkxNo("51003", "Either parameter algoId or algoClOrdId is required.")
        order = self.venue.find_order(account, None, order_id, client_id, True)
        if order is None:
            raise OkxNo(*codes.NO_SUCH_ORDER)
        return [self.desk.algo_row(order)]

    def pending_algos(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/orders-algo-pending``."""
        wanted = require(params, "ordType").split(",")
        orders = self.venue.open_orders(account, self._symbol(params), True)
        return page(self._algo_rows(orders, wanted, params), params, "algoId")

    def algo_history(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/orders-algo-history``."""
        wanted = require(params, "ordType").split(",")
        orders = self.venue.order_history(
            account, self._symbol(params), conditional=True, limit=1000
        )
        done = [order for order in orders if order.done]
        rows = self._algo_rows(done, wanted, params)
        return page(_filter(rows, params, "state"), params, "algoId")

    def _algo_rows(
        self, orders: list[PracticeOrder], wanted: list[str], params: Params
    ) -> list[dict[str, Any]]:
        rows = [self.desk.algo_row(order) for order in reversed(orders)]
        if params.get("algoId"):
            rows = [row for row in rows if row["algoId"] == params["algoId"]]
        return [row for row in rows if row["ordType"] in wanted]

    def fills(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/fills``."""
        fills = self.venue.fills(
            account,
            self._symbol(params),
            since_ms=int(params.get("begin") or 0),
            until_ms=int(params["end"]) if params.get("end") else None,
            order_id=str(params.get("ordId") or ""),
            limit=100_000,
        )
        rows = [shapes.fill_row(f, self.venue.contracts[f.symbol]) for f in reversed(fills)]
        return page(_filter(rows, params, "instType"), params, "billId")

    def _symbol(self, params: Params) -> str | None:
        return self.desk.contract(params).symbol if params.get("instId") else None


def _filter(rows: list[dict[str, Any]], params: Params, *names: str) -> list[dict[str, Any]]:
    """Keep the rows that have what the request asks for."""
    for name in names:
        wanted = str(params.get(name) or "")
        if wanted and wanted != "ANY":
            rows = [row for row in rows if row[name] in wanted.split(",")]
    return rows


def failure(no: OkxNo, request: Params) -> dict[str, Any]:
    """Write the verdict of a request that was refused."""
    row = {"sCode": no.code, "sMsg": no.text, "tag": "", "ts": ""}
    if "algoClOrdId" in request or "algoId" in request or "triggerPx" in request:
        return row | {
            "algoId": str(request.get("algoId") or ""),
            "algoClOrdId": str(request.get("algoClOrdId") or ""),
        }
    return row | {
        "ordId": str(request.get("ordId") or ""),
        "clOrdId": str(request.get("clOrdId") or ""),
    }


def overall(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the code over several verdicts: 0 all done, 1 none, 2 some."""
    failed = sum(row["sCode"] != "0" for row in rows)
    if not failed:
        return "0", ""
    if failed == len(rows):
        return "1", "All operations failed"
    return "2", "Bulk operation partially succeeded."
