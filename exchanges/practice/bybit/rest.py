"""Bybit v5 REST: authentication, limits and the endpoints a linear trader uses."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct

from exchanges.practice.bybit import codes, shapes
from exchanges.practice.bybit.orders import BybitNo, OrderDesk, ids, read_number
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import PracticeOrder, Refusal, RefusalKind
from exchanges.practice.wire import Limits, Windows, dumps, loads, plain, same, sign_hex

INTERVALS = {
    "1": 60, "3": 180, "5": 300, "15": 900, "30": 1800, "60": 3600, "120": 7200, "240": 14400,
    "360": 21600, "720": 43200, "D": 86400, "W": 604800,
}  # fmt: skip
PUBLIC_RATE = (600, 5.0)
"""Requests of an address in 5 s before it is shut out with 403."""
BAN_SECONDS = 600.0

Params = Mapping[str, Any]
Handler = Callable[["BybitRest", str, Params], Any]


class Route(Struct, frozen=True):
    """An endpoint. ``rate`` is requests a second of an account; 0 means public."""

    handler: Handler
    rate: int = 0


class BybitRest:
    """The REST side of the Bybit dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self.windows_of_silence: dict[str, int] = {}
        """Account to seconds its private stream may be gone before its orders are cancelled."""
        self._windows = Windows()
        self._banned: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        shut = self._shut_out(request)
        if shut is not None:
            return shut
        path = request.path.removeprefix("/bybit")
        route = ROUTES.get((request.method, path))
        if route is None:
            return self._reply(*codes.NOT_FOUND, {}, status=404)
        query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method == "POST" else ""
        headers: dict[str, str] = {}
        try:
            account = self._authenticate(request, query or body) if route.rate else ""
            if route.rate:
                headers = self.count(account, path, route.rate)
            params = loads(body) if body else dict(parse_qsl(query, keep_blank_values=True))
            if not isinstance(params, dict):
                raise BybitNo(codes.BAD_REQUEST, "params error: body is not an object")
            result = route.handler(self, account, params)
        except BybitNo as no:
            return self._reply(no.code, no.text, {}, headers=no.headers or headers)
        except Refusal as refusal:
            return self._reply(*codes.refusal_code(refusal), {}, headers=headers)
        except ValueError as error:
            return self._reply(codes.BAD_REQUEST, f"params error: {error}", {}, headers=headers)
        extra: Any = {}
        if isinstance(result, tuple):
            result, extra = result
        return self._reply(0, "OK", result, extra, headers=headers)

    def _shut_out(self, request: web.Request) -> web.Response | None:
        now, client = time.monotonic(), request.remote or ""
        limit = self.limits.allow(PUBLIC_RATE[0])
        window = self._windows.get(client, "ip", limit, PUBLIC_RATE[1])
        if not window.take(now):
            self._banned.setdefault(client, now + BAN_SECONDS * self.limits.ban)
        until = self._banned.get(client)
        if until is None:
            return None
        if now >= until:
            del self._banned[client]
            return None
        return web.Response(status=403, text="access too frequent", content_type="text/html")

    def _authenticate(self, request: web.Request, payload: str) -> str:
        headers = request.headers
        key, stamp = headers.get("X-BAPI-API-KEY"), headers.get("X-BAPI-TIMESTAMP", "")
        if not key:
            raise BybitNo(*codes.NO_KEY)
        window = headers.get("X-BAPI-RECV-WINDOW", "5000")
        now = self.venue.now_ms()
        if not stamp.isdigit() or not window.isdigit():
            raise BybitNo(codes.BAD_REQUEST, "params error: timestamp invalid")
        if not now - int(window) <= int(stamp) < now + 1000:
            raise BybitNo(
                codes.EXPIRED,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]",
            )
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise BybitNo(codes.BAD_KEY, "API key is invalid.")
        origin = f"{stamp}{key}{window}{payload}"
        if not same(sign_hex(credential.secret, origin), headers.get("X-BAPI-SIGN", "")):
            raise BybitNo(
                codes.BAD_SIGN,
                "error sign! please check your signature generation algorithm. "
                f"origin_string[{origin}]",
            )
        return credential.account

    def count(self, account: str, path: str, rate: int) -> dict[str, str]:
        """Count a request of an account; return the limit headers.

        Raises:
            BybitNo: 10006, over the limit of this endpoint.
        """
        limit = self.limits.allow(rate)
        window = self._windows.get(account, path, limit, 1.0)
        now = time.time()
        allowed = window.take(now)
        headers = {
            "X-Bapi-Limit": str(limit),
            "X-Bapi-Limit-Status": str(window.left),
            "X-Bapi-Limit-Reset-Timestamp": str(int(window.resets * 1000)),
        }
        if not allowed:
            raise BybitNo(*codes.TOO_MANY_VISITS, headers)
        return headers

    def _reply(
        self,
        code: int,
        text: str,
        result: Any,
        extra: Any = None,
        *,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> web.Response:
        now = self.venue.now_ms()
        message = {
            "retCode": code,
            "retMsg": text,
            "result": result,
            "retExtInfo": extra or {},
            "time": now,
        }
        return web.Response(
            body=dumps(message),
            status=status,
            content_type="application/json",
            headers={**(headers or {}), "Timenow": str(now), "Traceid": uuid.uuid4().hex},
        )

    # --- market

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/market/time``."""
        now = self.venue.now_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def status(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/system/status``."""
        return {"list": []}

    def instruments(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/instruments-info``."""
        category, wanted = params.get("category"), params.get("symbol")
        rows = []
        if category == "linear" and params.get("status", "Trading") == "Trading":
            rows = [
                shapes.instrument_row(contract, self.venue.rules)
                for contract in self.venue.contracts.values()
                if not wanted or contract.venue_symbol == wanted
            ]
        return {"category": category, "list": rows, "nextPageCursor": ""}

    def orderbook(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/orderbook``."""
        contract = self.desk.contract(params)
        limit = int(params.get("limit") or 25)
        book = self.venue.depth(contract.symbol, min(limit, 500))
        return {
            "s": contract.venue_symbol,
            "b": [[contract.price_text(t), contract.qty_text(n)] for t, n in book.bids],
            "a": [[contract.price_text(t), contract.qty_text(n)] for t, n in book.asks],
            "ts": book.ts_ms,
            "u": book.update_id,
            "seq": book.update_id,
            "cts": book.ts_ms,
        }

    def kline(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/kline``."""
        contract = self.desk.contract(params)
        seconds = INTERVALS.get(str(params.get("interval")))
        if seconds is None:
            raise BybitNo(codes.BAD_REQUEST, "Invalid period!")
        start, end = params.get("start"), params.get("end")
        klines = self.venue.klines(
            contract.symbol,
            seconds,
            start_ms=int(start) if start else None,
            end_ms=int(end) if end else None,
            limit=min(int(params.get("limit") or 200), 1000),
        )
        rows = [shapes.kline_row(kline, contract) for kline in reversed(klines)]
        return {"symbol": contract.venue_symbol, "category": "linear", "list": rows}

    def tickers(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/tickers``."""
        wanted = params.get("symbol")
        states = [
            self.venue.ticker(contract.symbol)
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        if params.get("category") != "linear":
            return {"category": params.get("category"), "list": []}
        if not states:
            raise BybitNo(codes.BAD_REQUEST, f"params error: symbol invalid {wanted}")
        rows = [
            shapes.ticker_row(
                state, self.venue.contracts[state.symbol], self.hour_ago(state.symbol)
            )
            for state in states
        ]
        return {"category": "linear", "list": rows}

    def hour_ago(self, symbol: str) -> str:
        """Return the price an hour ago as text."""
        start = self.venue.now_ms() - 3_600_000
        klines = self.venue.klines(symbol, 60, start_ms=start - start % 60_000, limit=1)
        return self.venue.contracts[symbol].price_text(klines[0].open) if klines else ""

    def recent_trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/recent-trade``."""
        contract = self.desk.contract(params)
        limit = min(int(params.get("limit") or 500), 1000)
        trades = self.venue.recent_trades(contract.symbol, limit)
        rows = [shapes.trade_row(trade, contract) for trade in reversed(trades)]
        return {"category": "linear", "list": rows}

    def funding_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/funding/history``."""
        contract = self.desk.contract(params)
        start = params.get("startTime")
        past = self.venue.funding_history(
            contract.symbol,
            start_ms=int(start) if start else None,
            limit=min(int(params.get("limit") or 200), 200),
        )
        rows = [
            {
                "symbol": contract.venue_symbol,
                "fundingRate": plain(rate),
                "fundingRateTimestamp": str(ts),
            }
            for ts, rate in reversed(past)
        ]
        return {"category": "linear", "list": rows}

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/open-interest``."""
        contract = self.desk.contract(params)
        ticker = self.venue.ticker(contract.symbol)
        row = {
            "openInterest": contract.qty_text(ticker.open_interest_lots),
            "timestamp": str(ticker.ts_ms),
        }
        return {
            "symbol": contract.venue_symbol,
            "category": "linear",
            "list": [row],
            "nextPageCursor": "",
        }

    def risk_limit(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/market/risk-limit``."""
        wanted = params.get("symbol")
        rows = [
            {
                "id": 1,
                "symbol": contract.venue_symbol,
                "riskLimitValue": "2000000",
                "maintenanceMargin": plain(contract.maintenance),
                "initialMargin": plain(1 / contract.instrument.max_leverage),
                "isLowestRisk": 1,
                "maxLeverage": f"{contract.instrument.max_leverage:.2f}",
                "mmDeduction": "",
            }
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    # --- account

    def api_key(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/user/query-api``."""
        return {
            "id": account,
            "note": "practice",
            "apiKey": "",
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": [],
                "Wallet": [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 90,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": int(account) if account.isdigit() else 0,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }

    def account_info(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/account/info``."""
        return {
            "marginMode": "REGULAR_MARGIN",
            "updatedTime": str(self.venue.now_ms()),
            "unifiedMarginStatus": 5,
            "dcpStatus": "ON" if account in self.windows_of_silence else "OFF",
            "timeWindow": self.windows_of_silence.get(account, 10),
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def wallet(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/account/wallet-balance``."""
        return {"list": [shapes.wallet_row(self.venue.wallet(account))]}

    def set_margin_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /v5/account/set-margin-mode``."""
        if params.get("setMarginMode") != "REGULAR_MARGIN":
            raise BybitNo(3400045, "Set margin mode failed")
        return {"reasons": []}

    def fee_rate(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/account/fee-rate``."""
        wanted = params.get("symbol")
        rows = [
            {
                "symbol": contract.venue_symbol,
                "takerFeeRate": plain(contract.instrument.taker_fee),
                "makerFeeRate": plain(contract.instrument.maker_fee),
                "baseCoin": "",
            }
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        return {"list": rows}

    def coins(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/asset/coin/query-info``."""
        return {"rows": []}

    def dead_man(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/disconnected-cancel-all``."""
        seconds = int(params.get("timeWindow") or 10)
        if not 3 <= seconds <= 300:
            raise BybitNo(codes.BAD_REQUEST, "params error: timeWindow invalid")
        self.windows_of_silence[account] = seconds
        return {}

    # --- positions

    def positions(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/position/list``."""
        if params.get("category") != "linear" or params.get("settleCoin") == "USDC":
            found = []
        elif params.get("symbol"):
            found = self.venue.positions(account, self.desk.contract(params).symbol)
        elif params.get("settleCoin") or params.get("baseCoin"):
            found = self.venue.positions(account)
        else:
            raise BybitNo(codes.BAD_REQUEST, "params error: symbol or settleCoin is required")
        rows = [
            shapes.position_row(position, self.venue.contracts[position.symbol], stream=False)
            for position in found
        ]
        return {"category": params.get("category"), "list": rows, "nextPageCursor": ""}

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/position/set-leverage``."""
        contract = self.desk.contract(params)
        buy, sell = read_number(params, "buyLeverage"), read_number(params, "sellLeverage")
        if buy is None or buy != sell:
            raise BybitNo(codes.BAD_REQUEST, "params error: buy leverage not equal sell leverage")
        try:
            self.venue.set_leverage(account, contract.symbol, buy)
        except Refusal as refusal:
            if refusal.kind is RefusalKind.UNCHANGED:
                raise BybitNo(*codes.LEVERAGE_SAME) from None
            raise
        return {}

    def switch_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /v5/position/switch-mode``."""
        if str(params.get("mode")) == "0":
            raise BybitNo(*codes.MODE_SAME)
        raise BybitNo(110029, "Hedge mode is not available for this symbol")

    # --- orders

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
        requests = params.get("request") or []
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
            rows += [shapes.funding_row(p, self.venue.contracts[p.symbol]) for p in payments]
        if wanted:
            rows = [row for row in rows if row["execType"] == wanted]
        rows.sort(key=lambda row: int(row["execTime"]))
        rows.reverse()
        return _page(rows, params, 100)

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
    return f"{row.get('execId') or row['orderId']}:{row.get('execTime') or row['createdTime']}"


R = BybitRest
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v5/market/time"): Route(R.time),
    ("GET", "/v5/system/status"): Route(R.status),
    ("GET", "/v5/market/instruments-info"): Route(R.instruments),
    ("GET", "/v5/market/orderbook"): Route(R.orderbook),
    ("GET", "/v5/market/kline"): Route(R.kline),
    ("GET", "/v5/market/tickers"): Route(R.tickers),
    ("GET", "/v5/market/recent-trade"): Route(R.recent_trades),
    ("GET", "/v5/market/funding/history"): Route(R.funding_history),
    ("GET", "/v5/market/open-interest"): Route(R.open_interest),
    ("GET", "/v5/market/risk-limit"): Route(R.risk_limit),
    ("GET", "/v5/user/query-api"): Route(R.api_key, 10),
    ("GET", "/v5/account/info"): Route(R.account_info, 50),
    ("GET", "/v5/account/wallet-balance"): Route(R.wallet, 50),
    ("POST", "/v5/account/set-margin-mode"): Route(R.set_margin_mode, 10),
    ("GET", "/v5/account/fee-rate"): Route(R.fee_rate, 10),
    ("GET", "/v5/asset/coin/query-info"): Route(R.coins, 10),
    ("GET", "/v5/position/list"): Route(R.positions, 50),
    ("POST", "/v5/position/set-leverage"): Route(R.set_leverage, 10),
    ("POST", "/v5/position/switch-mode"): Route(R.switch_mode, 10),
    ("POST", "/v5/order/create"): Route(R.create, 10),
    ("POST", "/v5/order/amend"): Route(R.amend, 10),
    ("POST", "/v5/order/cancel"): Route(R.cancel, 10),
    ("POST", "/v5/order/create-batch"): Route(R.create_batch, 10),
    ("POST", "/v5/order/amend-batch"): Route(R.amend_batch, 10),
    ("POST", "/v5/order/cancel-batch"): Route(R.cancel_batch, 10),
    ("POST", "/v5/order/cancel-all"): Route(R.cancel_all, 10),
    ("POST", "/v5/order/disconnected-cancel-all"): Route(R.dead_man, 5),
    ("GET", "/v5/order/realtime"): Route(R.realtime, 50),
    ("GET", "/v5/order/history"): Route(R.history, 50),
    ("GET", "/v5/execution/list"): Route(R.executions, 50),
}
