"""Bybit v5 order endpoints: placing, changing, cancelling, asking."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchanges.practice.bybit import codes, holdings, shapes
from exchanges.practice.bybit.orders import BybitNo, OrderDesk, ids
from exchanges.practice.bybit.route import Params, Route
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import PracticeOrder


class Trading:
    """Orders and fills of an account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("POST", "/v5/order/create"): Route(self.create, 10),
            ("POST", "/v5/order/amend"): Route(self.amend, 10),
            ("POST", "/v5/order/cancel"): Route(self.cancel, 10),
            ("POST", "/v5/order/create-batch"): Route(self.create_batch, 10),
            ("POST", "/v5/order/amend-batch"): Route(self.amend_batch, 10),
            ("POST", "/v5/order/cancel-batch"): Route(self.cancel_batch, 10),
            ("POST", "/v5/order/cancel-all"): Route(self.cancel_all, 10),
            ("GET", "/v5/order/realtime"): Route(self.realtime, 50),
            ("GET", "/v5/order/history"): Route(self.history, 50),
            ("GET", "/v5/execution/list"): Route(self.executions, 50),
            ("GET", "/v5/account/transaction-log"): Route(self.transactions, 30),
        }

    def create(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/create``."""
        return self.desk.create(account, params)

    def amend(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/amend``."""
        return self.desk.amend(account, params)

    def cancel(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/cancel``."""
        return self.desk.cancel(account, params)

    def create_batch(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/create-batch``."""
        return self._batch(account, params, self.desk.create)

    def amend_batch(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/amend-batch``."""
        return self._batch(account, params, self.desk.amend)

    def cancel_batch(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/cancel-batch``."""
        return self._batch(account, params, self.desk.cancel)

    def _batch(
        self, account: str, params: Params, act: Callable[[str, Params], dict[str, Any]]
    ) -> Any:
        requests = params.get("request")
        if not isinstance(requests, list) or not all(isinstance(r, dict) for r in requests):
            raise BybitNo(codes.BAD_REQUEST, "params error: request is not a list of orders")
        if not 1 <= len(requests) <= 20:
            raise BybitNo(codes.BAD_REQUEST, "params error: request must have 1 to 20 orders")
        rows, verdicts = [], []
        for request in requests:
            row = {"category": "linear", "symbol": str(request.get("symbol", ""))}
            try:
                row |= act(account, {"category": params.get("category", "linear"), **request})
                row["createAt"] = str(self.venue.now_ms())
                verdicts.append({"code": 0, "msg": "OK"})
            except BybitNo as no:
                row |= {"orderId": "", "orderLinkId": str(request.get("orderLinkId", ""))}
                verdicts.append({"code": no.code, "msg": no.text})
            rows.append(row)
        return {"list": rows}, {"list": verdicts}

    def cancel_all(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/cancel-all``."""
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        conditional = {"Order": False, "StopOrder": True}.get(str(params.get("orderFilter")))
        done = self.venue.cancel_all(account, symbol, conditional)
        return {"list": [ids(order) for order in done], "success": "1"}

    def realtime(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/order/realtime``."""
        order_id, client_id = str(params.get("orderId", "")), str(params.get("orderLinkId", ""))
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        if params.get("category", "linear") != "linear":
            return _page([], params, 50)
        if order_id or client_id:
            found = self.venue.find_order(account, symbol, order_id, client_id)
            return _page([self._row(found)] if found else [], params, 50)
        if symbol is None and not (params.get("settleCoin") or params.get("baseCoin")):
            raise BybitNo(
                codes.BAD_REQUEST,
                "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin",
            )
        conditional = {"Order": False, "StopOrder": True}.get(str(params.get("orderFilter")))
        if str(params.get("openOnly")) == "1":
            orders = [
                order
                for order in self.venue.order_history(account, symbol, conditional=conditional)
                if order.done
            ]
        else:
            orders = self.venue.open_orders(account, symbol, conditional)
        return _page([self._row(order) for order in reversed(orders)], params, 50)

    def history(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/order/history``."""
        if params.get("category", "linear") != "linear":
            return _page([], params, 50)
        order_id, client_id = str(params.get("orderId", "")), str(params.get("orderLinkId", ""))
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        if order_id or client_id:
            found = self.venue.find_order(account, symbol, order_id, client_id)
            return _page([self._row(found)] if found else [], params, 50)
        start, end = params.get("startTime"), params.get("endTime")
        orders = self.venue.order_history(
            account,
            symbol,
            since_ms=int(start) if start else 0,
            until_ms=int(end) if end else None,
            limit=5000,
        )
        rows = [self._row(order) for order in reversed(orders) if order.done]
        wanted = params.get("orderStatus")
        if wanted:
            rows = [row for row in rows if row["orderStatus"] == wanted]
        return _page(rows, params, 50)

    def executions(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/execution/list``."""
        if params.get("category", "linear") != "linear":
            return _page([], params, 100)
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        start, end = params.get("startTime"), params.get("endTime")
        since, until = int(start) if start else 0, int(end) if end else None
        order_id = str(params.get("orderId") or "")
        if params.get("orderLinkId") and not order_id:
            found = self.venue.find_order(account, symbol, client_id=str(params["orderLinkId"]))
            order_id = found.order_id if found else "none"
        wanted = params.get("execType")
        rows = []
        if wanted in (None, "", "Trade", "BustTrade"):
            fills = self.venue.fills(
                account, symbol, since_ms=since, until_ms=until, order_id=order_id, limit=100_000
            )
            for fill in fills:
                contract = self.venue.contracts[fill.symbol]
                closed = fill.qty if fill.realised else Decimal(0)
                rows.append(shapes.fill_row(fill, contract, "", closed))
        if wanted in (None, "", "Funding") and not order_id:
            payments = self.venue.funding_payments(
                account, symbol, since_ms=since, until_ms=until, limit=100_000
            )
            rows += [holdings.funding_row(p, self.venue.contracts[p.symbol]) for p in payments]
        if wanted:
            rows = [row for row in rows if row["execType"] == wanted]
        rows.sort(key=lambda row: int(row["execTime"]))
        rows.reverse()
        return _page(rows, params, 100)

    def transactions(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/account/transaction-log``."""
        start, end = params.get("startTime"), params.get("endTime")
        since, until = int(start) if start else 0, int(end) if end else None
        span = {"since_ms": since, "until_ms": until, "limit": 100_000}
        balance = self.venue.wallet(account).balance
        rows = [
            holdings.trade_log(fill, self.venue.contracts[fill.symbol], balance)
            for fill in self.venue.fills(account, **span)  # type: ignore[arg-type]
        ]
        rows += [
            holdings.funding_log(payment, self.venue.contracts[payment.symbol], balance)
            for payment in self.venue.funding_payments(account, **span)  # type: ignore[arg-type]
        ]
        wanted = params.get("type")
        rows = [row for row in rows if not wanted or row["type"] == wanted]
        rows.sort(key=lambda row: int(row["transactionTime"]), reverse=True)
        return _page(rows, params, 50)

    def _row(self, order: PracticeOrder) -> dict[str, Any]:
        return shapes.order_row(order, self.venue.contracts[order.symbol])


def _page(rows: list[dict[str, Any]], params: Params, most: int) -> dict[str, Any]:
    """Cut a page out of rows that are newest first; the cursor names the last row given."""
    limit = max(1, min(int(params.get("limit") or 20), most))
    cursor = str(params.get("cursor") or "")
    begin = 0
    if cursor:
        for index, row in enumerate(rows):
            if cursor == _mark(row):
                begin = index + 1
                break
    page = rows[begin : begin + limit]
    more = begin + limit < len(rows)
    return {
        "category": params.get("category", "linear"),
        "list": page,
        "nextPageCursor": _mark(page[-1]) if more and page else "",
    }


def _mark(row: dict[str, Any]) -> str:
    return f"{row.get('execId') or row.get('tradeId') or row['orderId']}"
