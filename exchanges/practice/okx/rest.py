"""OKX v5 REST: authentication, limits and the endpoints a swap trader uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct

from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import codes, shapes
from exchanges.practice.okx.orders import OkxNo, OrderDesk, bad, read_number, require
from exchanges.practice.state import OrderRequest, PracticeOrder, Refusal, RefusalKind
from exchanges.practice.wire import (
    Limits,
    Windows,
    dumps,
    fixed,
    loads,
    plain,
    same,
    sign_base64,
    truth,
)

BARS = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1H": 3600, "2H": 7200, "4H": 14400,
    "6Hutc": 21600, "12Hutc": 43200, "1Dutc": 86400, "6H": 21600, "12H": 43200, "1D": 86400,
    "1W": 604800, "1Wutc": 604800,
}  # fmt: skip
WINDOW_MS = 30_000
"""A request's time may be this far from the venue's clock."""
ACCOUNT_ORDERS = 1000
"""Orders and amendments of a sub-account in 2 s."""

Params = Mapping[str, Any]
Handler = Callable[["OkxRest", str, Any], Any]


class Route(Struct, frozen=True):
    """An endpoint. ``rate`` is requests in 2 s: of an account if private, else of an address."""

    handler: Handler
    rate: int
    private: bool = True
    many: bool = False
    """The reply's ``data`` elements carry a verdict each."""


class OkxRest:
    """The REST side of the OKX dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self._windows = Windows()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path.removeprefix("/okx")
        route = ROUTES.get((request.method, path.removeprefix("/api/v5")))
        if route is None:
            return _reply("404", "Not Found", [], status=404)
        raw_query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method == "POST" else ""
        arrived = self.venue.now_ms()
        try:
            account = ""
            if route.private:
                account = self._authenticate(request, path, raw_query, body)
            self.count(account or request.remote or "", path, route.rate)
            params: Any = dict(parse_qsl(raw_query, keep_blank_values=True))
            if body:
                params = _read(body)
            data = route.handler(self, account, params)
        except OkxNo as no:
            if route.many:
                return _verdicts([_failure(no, {})], arrived)
            return _reply(no.code, no.text, [], status=no.status)
        except Refusal as refusal:
            return _reply(*codes.refusal_code(refusal), [])
        except ValueError:
            return _reply("51000", "Parameter error", [], status=400)
        return _verdicts(data, arrived) if route.many else _reply("0", "", data)

    def _authenticate(self, request: web.Request, path: str, query: str, body: str) -> str:
        headers = request.headers
        key, sign = headers.get("OK-ACCESS-KEY", ""), headers.get("OK-ACCESS-SIGN", "")
        stamp = headers.get("OK-ACCESS-TIMESTAMP", "")
        phrase = headers.get("OK-ACCESS-PASSPHRASE", "")
        for value, words in (
            (key, codes.NO_KEY),
            (sign, codes.NO_SIGN),
            (stamp, codes.NO_TIMESTAMP),
            (phrase, codes.NO_PASSPHRASE),
        ):
            if not value:
                raise OkxNo(*words, 401)
        try:
            sent = datetime.fromisoformat(stamp).timestamp() * 1000
        except ValueError:
            raise OkxNo(*codes.BAD_TIMESTAMP, 401) from None
        if abs(self.venue.now_ms() - sent) > WINDOW_MS:
            raise OkxNo(*codes.EXPIRED, 401)
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise OkxNo(*codes.BAD_KEY, 401)
        if not same(credential.passphrase, phrase):
            raise OkxNo(*codes.BAD_PASSPHRASE, 401)
        text = f"{stamp}{request.method}{path}{'?' + query if query else ''}{body}"
        if not same(sign_base64(credential.secret, text), sign):
            raise OkxNo(*codes.BAD_SIGN, 401)
        return credential.account

    def count(self, client: str, path: str, rate: int) -> None:
        """Count a request.

        Raises:
            OkxNo: 50011 over the endpoint's limit, with HTTP status 429.
        """
        if not self._windows.get(client, path, self.limits.allow(rate), 2.0).take(time.time()):
            raise OkxNo(*codes.TOO_MANY, 429)

    def count_orders(self, account: str, orders: int = 1) -> None:
        """Count orders of a sub-account.

        Raises:
            OkxNo: 50061.
        """
        window = self._windows.get(account, "orders", self.limits.allow(ACCOUNT_ORDERS), 2.0)
        if not window.take(time.time(), orders):
            raise OkxNo("50061", "The maximum sub-account rate limit has been exceeded.")

    # --- public

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/public/time``."""
        return [{"ts": str(self.venue.now_ms())}]

    def status(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/system/status``."""
        return []

    def instruments(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/instruments``."""
        kind, wanted = require(params, "instType"), params.get("instId")
        if kind not in {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}:
            raise bad("instType")
        return [
            shapes.instrument_row(contract, self.desk.code_of(contract))
            for contract in self.venue.contracts.values()
            if kind == "SWAP" and (not wanted or contract.venue_symbol == wanted)
        ]

    def funding_rate(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/funding-rate``."""
        contract = self.desk.contract(params)
        return [shapes.funding_row(self.venue.ticker(contract.symbol), contract)]

    def funding_history(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/funding-rate-history``."""
        contract = self.desk.contract(params)
        limit = min(int(params.get("limit") or 100), 400)
        before, after = int(params.get("before") or 0), int(params.get("after") or 1 << 62)
        past = self.venue.funding_history(contract.symbol, start_ms=None, limit=400)
        rows = [
            {
                "formulaType": "withRate",
                "fundingRate": plain(rate),
                "fundingTime": str(ts),
                "instId": contract.venue_symbol,
                "instType": "SWAP",
                "method": "current_period",
                "realizedRate": plain(rate),
            }
            for ts, rate in reversed(past)
            if before < ts < after
        ]
        return rows[:limit]

    def mark_price(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/mark-price``."""
        wanted = params.get("instId")
        return [
            shapes.mark_row(self.venue.ticker(contract.symbol), contract)
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/open-interest``."""
        wanted = params.get("instId")
        rows = []
        for contract in self.venue.contracts.values():
            if wanted and contract.venue_symbol != wanted:
                continue
            ticker = self.venue.ticker(contract.symbol)
            held = contract.qty(ticker.open_interest_lots)
            rows.append(
                {
                    "instType": "SWAP",
                    "instId": contract.venue_symbol,
                    "oi": contract.qty_text(ticker.open_interest_lots),
                    "oiCcy": plain(held),
                    "oiUsd": fixed(held * Decimal(ticker.mark), 2),
                    "ts": str(ticker.ts_ms),
                }
            )
        return rows

    def tiers(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/position-tiers``."""
        family = str(params.get("instFamily") or params.get("uly") or "")
        return [
            {
                "baseMaxLoan": "",
                "imr": plain(1 / contract.instrument.max_leverage),
                "instId": "",
                "instFamily": f"{contract.instrument.base}-USDT",
                "maxLever": plain(contract.instrument.max_leverage),
                "maxSz": "100000000",
                "minSz": "0",
                "mmr": plain(contract.maintenance),
                "optMgnFactor": "0",
                "quoteMaxLoan": "",
                "tier": "1",
                "uly": f"{contract.instrument.base}-USDT",
            }
            for contract in self.venue.contracts.values()
            if not family or family == f"{contract.instrument.base}-USDT"
        ]

    def price_limit(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/public/price-limit``."""
        contract = self.desk.contract(params)
        ticker = self.venue.ticker(contract.symbol)
        mark, band = Decimal(ticker.mark), self.venue.rules.price_band
        instrument = contract.instrument
        return [
            {
                "instType": "SWAP",
                "instId": contract.venue_symbol,
                "buyLmt": plain(instrument.round_price(mark * (1 + band))),
                "sellLmt": plain(instrument.round_price(mark * (1 - band))),
                "ts": str(ticker.ts_ms),
                "enabled": True,
            }
        ]

    def ticker(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/ticker``."""
        contract = self.desk.contract(params)
        return [shapes.ticker_row(self.venue.ticker(contract.symbol), contract)]

    def tickers(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/tickers``."""
        if params.get("instType") != "SWAP":
            return []
        return [
            shapes.ticker_row(ticker, self.venue.contracts[ticker.symbol])
            for ticker in self.venue.tickers()
        ]

    def books(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/books``."""
        contract = self.desk.contract(params)
        book = self.venue.depth(contract.symbol, min(int(params.get("sz") or 1), 400))
        return [
            {
                "asks": shapes.levels(book.asks, contract),
                "bids": shapes.levels(book.bids, contract),
                "ts": str(book.ts_ms),
                "seqId": book.update_id,
            }
        ]

    def candles(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/candles``."""
        return self._candles(params, 300, 100)

    def history_candles(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/history-candles``."""
        return self._candles(params, 300, 100)

    def _candles(self, params: Params, most: int, usual: int) -> Any:
        contract = self.desk.contract(params)
        seconds = BARS.get(str(params.get("bar") or "1m"))
        if seconds is None:
            raise bad("bar")
        after, before = params.get("after"), params.get("before")
        limit = min(int(params.get("limit") or usual), most)
        if before and not after:
            found = self.venue.klines(
                contract.symbol, seconds, start_ms=int(before) + 1, limit=most
            )
            found = found[-limit:]
        else:
            end = int(after) - 1 if after else None
            found = self.venue.klines(contract.symbol, seconds, end_ms=end, limit=limit)
            if before:
                found = [kline for kline in found if kline.start_ms > int(before)]
        return [shapes.kline_row(kline, contract) for kline in reversed(found)]

    def trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/market/trades``."""
        contract = self.desk.contract(params)
        found = self.venue.recent_trades(contract.symbol, min(int(params.get("limit") or 100), 500))
        return [shapes.trade_row(trade, contract, stream=False) for trade in reversed(found)]

    # --- account

    def config(self, account: str, _: Params) -> Any:
        """Answer ``GET /api/v5/account/config``."""
        return [
            {
                "acctLv": "2",
                "acctStpMode": "cancel_maker",
                "autoLoan": False,
                "ctIsoMode": "automatic",
                "enableSpotBorrow": False,
                "greeksType": "PA",
                "feeType": "0",
                "ip": "",
                "type": "0",
                "kycLv": "3",
                "label": "practice",
                "level": "Lv1",
                "levelTmp": "",
                "liquidationGear": "-1",
                "mainUid": account,
                "mgnIsoMode": "automatic",
                "opAuth": "0",
                "perm": "read_only,trade",
                "posMode": "net_mode",
                "roleType": "0",
                "spotBorrowAutoRepay": False,
                "spotOffsetType": "",
                "spotRoleType": "0",
                "spotTraderInsts": [],
                "traderInsts": [],
                "stgyType": "0",
                "uid": account,
                "settleCcy": "USDT",
                "settleCcyList": ["USDT"],
            }
        ]

    def balance(self, account: str, _: Params) -> Any:
        """Answer ``GET /api/v5/account/balance``."""
        return [shapes.balance_row(self.venue.wallet(account))]

    def positions(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/positions``."""
        names = str(params.get("instId") or "")
        if params.get("instType", "SWAP") != "SWAP":
            return []
        if names:
            contracts = [self.desk.contract({"instId": name}) for name in names.split(",")]
            found = [p for c in contracts for p in self.venue.positions(account, c.symbol)]
        else:
            found = self.venue.positions(account)
        rows = []
        for position in found:
            if position.qty:
                contract = self.venue.contracts[position.symbol]
                rows.append(shapes.position_row(position, contract, self.last(position.symbol)))
        return rows

    def last(self, symbol: str) -> str:
        """Return the last price as text."""
        contract = self.venue.contracts[symbol]
        return contract.price_text(self.venue.ticker(symbol).last_tick)

    def leverage(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/leverage-info``."""
        mode = require(params, "mgnMode")
        return [
            {
                "instId": name,
                "ccy": "",
                "mgnMode": mode,
                "posSide": "net",
                "lever": plain(
                    self.venue.leverage(account, self.desk.contract({"instId": name}).symbol)
                ),
            }
            for name in require(params, "instId").split(",")
        ]

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /api/v5/account/set-leverage``."""
        contract = self.desk.contract(params)
        if require(params, "mgnMode") != "cross":
            raise bad("mgnMode")
        lever = read_number({"lever": require(params, "lever")}, "lever") or Decimal(0)
        try:
            self.venue.set_leverage(account, contract.symbol, lever)
        except Refusal as refusal:
            if refusal.kind is not RefusalKind.UNCHANGED:
                raise OkxNo(*codes.refusal_code(refusal)) from None
        return [
            {
                "lever": plain(lever),
                "mgnMode": "cross",
                "instId": contract.venue_symbol,
                "posSide": "net",
            }
        ]

    def set_position_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /api/v5/account/set-position-mode``."""
        if require(params, "posMode") != "net_mode":
            raise OkxNo(*codes.HAS_POSITIONS)
        return [{"posMode": "net_mode"}]

    def bills(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/bills``."""
        wanted, name = str(params.get("type") or ""), str(params.get("instId") or "")
        symbol = self.desk.contract(params).symbol if name else None
        begin, end = int(params.get("begin") or 0), params.get("end")
        until = int(end) if end else None
        balance = self.venue.wallet(account).balance
        rows = []
        if wanted in {"", "8"}:
            rows += [
                shapes.funding_bill(payment, self.venue.contracts[payment.symbol], balance)
                for payment in self.venue.funding_payments(
                    account, symbol, since_ms=begin, until_ms=until, limit=100_000
                )
            ]
        if wanted in {"", "2"}:
            rows += [
                shapes.trade_bill(fill, self.venue.contracts[fill.symbol], balance)
                for fill in self.venue.fills(
                    account, symbol, since_ms=begin, until_ms=until, limit=100_000
                )
            ]
        rows.sort(key=lambda row: (int(row["ts"]), row["billId"]), reverse=True)
        return _page(rows, params, "billId")

    def trade_fee(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/trade-fee``."""
        instrument = next(iter(self.venue.contracts.values())).instrument
        kind = require(params, "instType")
        return [
            {
                "category": "1",
                "delivery": "",
                "exercise": "",
                "feeGroup": [],
                "fiat": [],
                "instType": kind,
                "level": "Lv1",
                "maker": plain(-instrument.maker_fee),
                "makerU": plain(-instrument.maker_fee),
                "makerUSDC": plain(-instrument.maker_fee),
                "ruleType": "normal",
                "taker": plain(-instrument.taker_fee),
                "takerU": plain(-instrument.taker_fee),
                "takerUSDC": plain(-instrument.taker_fee),
                "ts": str(self.venue.now_ms()),
            }
        ]

    def none(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/asset/currencies``."""
        return []

    # --- orders

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
                rows.append(_failure(no, request))
        return rows

    def cancel_all_after(self, account: str, params: Any) -> Any:
        """Answer ``POST /api/v5/trade/cancel-all-after``."""
        seconds = int(require(params, "timeOut"))
        if seconds and not 10 <= seconds <= 120:
            raise bad("timeOut")
        fires = self.venue.arm_countdown(account, seconds * 1000)
        return [{"triggerTime": str(fires), "tag": "", "ts": str(self.venue.now_ms())}]

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
        return _page(_filter(rows, params, "ordType", "state", "instType"), params, "ordId")

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
        return _page(_filter(rows, params, "ordType", "state", "instType"), params, "ordId")

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
        return _page(self._algo_rows(orders, wanted, params), params, "algoId")

    def algo_history(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/trade/orders-algo-history``."""
        wanted = require(params, "ordType").split(",")
        orders = self.venue.order_history(
            account, self._symbol(params), conditional=True, limit=1000
        )
        done = [order for order in orders if order.done]
        rows = self._algo_rows(done, wanted, params)
        return _page(_filter(rows, params, "state"), params, "algoId")

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
        return _page(_filter(rows, params, "instType"), params, "billId")

    def _symbol(self, params: Params) -> str | None:
        return self.desk.contract(params).symbol if params.get("instId") else None


def _read(body: str) -> Any:
    try:
        return loads(body)
    except ValueError:
        raise OkxNo(*codes.BAD_JSON, 400) from None


def _filter(rows: list[dict[str, Any]], params: Params, *names: str) -> list[dict[str, Any]]:
    """Keep the rows that have what the request asks for."""
    for name in names:
        wanted = str(params.get(name) or "")
        if wanted and wanted != "ANY":
            rows = [row for row in rows if row[name] in wanted.split(",")]
    return rows


def _page(rows: list[dict[str, Any]], params: Params, key: str) -> list[dict[str, Any]]:
    """Cut a page out of rows that are newest first: ``after`` an id means older than it."""
    ids = [row[key] for row in rows]
    after, before = str(params.get("after") or ""), str(params.get("before") or "")
    if after:
        rows = (
            rows[ids.index(after) + 1 :]
            if after in ids
            else [row for row in rows if int(row[key]) < int(after)]
        )
    elif before:
        rows = [row for row in rows if int(row[key]) > int(before)]
    return rows[: max(1, min(int(params.get("limit") or 100), 100))]


def _failure(no: OkxNo, request: Params) -> dict[str, Any]:
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


def _verdicts(rows: list[dict[str, Any]], arrived: int) -> web.Response:
    code, text = overall(rows)
    message = {
        "code": code,
        "msg": text,
        "data": rows,
        "inTime": str(arrived * 1000),
        "outTime": str(time.time_ns() // 1000),
    }
    return web.Response(body=dumps(message), content_type="application/json")


def _reply(code: str, text: str, data: Any, status: int = 200) -> web.Response:
    body = dumps({"code": code, "msg": text, "data": data})
    return web.Response(body=body, status=status, content_type="application/json")


R = OkxRest
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/public/time"): Route(R.time, 10, False),
    ("GET", "/system/status"): Route(R.status, 2, False),
    ("GET", "/public/instruments"): Route(R.instruments, 20, False),
    ("GET", "/public/funding-rate"): Route(R.funding_rate, 20, False),
    ("GET", "/public/funding-rate-history"): Route(R.funding_history, 10, False),
    ("GET", "/public/mark-price"): Route(R.mark_price, 10, False),
    ("GET", "/public/open-interest"): Route(R.open_interest, 20, False),
    ("GET", "/public/position-tiers"): Route(R.tiers, 10, False),
    ("GET", "/public/price-limit"): Route(R.price_limit, 20, False),
    ("GET", "/market/ticker"): Route(R.ticker, 20, False),
    ("GET", "/market/tickers"): Route(R.tickers, 20, False),
    ("GET", "/market/books"): Route(R.books, 40, False),
    ("GET", "/market/candles"): Route(R.candles, 40, False),
    ("GET", "/market/history-candles"): Route(R.history_candles, 20, False),
    ("GET", "/market/trades"): Route(R.trades, 100, False),
    ("GET", "/market/history-trades"): Route(R.trades, 20, False),
    ("GET", "/account/config"): Route(R.config, 5),
    ("GET", "/account/instruments"): Route(R.instruments, 20),
    ("GET", "/account/balance"): Route(R.balance, 10),
    ("GET", "/account/positions"): Route(R.positions, 10),
    ("GET", "/account/leverage-info"): Route(R.leverage, 20),
    ("POST", "/account/set-leverage"): Route(R.set_leverage, 40),
    ("POST", "/account/set-position-mode"): Route(R.set_position_mode, 5),
    ("GET", "/account/bills"): Route(R.bills, 10),
    ("GET", "/account/bills-archive"): Route(R.bills, 10),
    ("GET", "/account/trade-fee"): Route(R.trade_fee, 5),
    ("GET", "/asset/currencies"): Route(R.none, 12),
    ("GET", "/asset/balances"): Route(R.none, 12),
    ("POST", "/trade/order"): Route(R.create, 60, many=True),
    ("POST", "/trade/batch-orders"): Route(R.create_many, 300, many=True),
    ("POST", "/trade/amend-order"): Route(R.amend, 60, many=True),
    ("POST", "/trade/amend-batch-orders"): Route(R.amend_many, 300, many=True),
    ("POST", "/trade/cancel-order"): Route(R.cancel, 60, many=True),
    ("POST", "/trade/cancel-batch-orders"): Route(R.cancel_many, 300, many=True),
    ("POST", "/trade/cancel-all-after"): Route(R.cancel_all_after, 2),
    ("POST", "/trade/close-position"): Route(R.close_position, 20),
    ("GET", "/trade/order"): Route(R.find, 60),
    ("GET", "/trade/orders-pending"): Route(R.pending, 60),
    ("GET", "/trade/orders-history"): Route(R.history, 40),
    ("GET", "/trade/orders-history-archive"): Route(R.history, 20),
    ("GET", "/trade/fills"): Route(R.fills, 60),
    ("GET", "/trade/fills-history"): Route(R.fills, 10),
    ("POST", "/trade/order-algo"): Route(R.create_algo, 20, many=True),
    ("POST", "/trade/cancel-algos"): Route(R.cancel_algos, 20, many=True),
    ("GET", "/trade/order-algo"): Route(R.find_algo, 20),
    ("GET", "/trade/orders-algo-pending"): Route(R.pending_algos, 20),
    ("GET", "/trade/orders-algo-history"): Route(R.algo_history, 20),
}
