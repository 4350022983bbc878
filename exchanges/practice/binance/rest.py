"""Binance USDⓈ-M REST: authentication, weights and the endpoints a futures trader uses."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from core.model.instrument import Instrument
from exchanges.practice.binance import codes, shapes
from exchanges.practice.binance.orders import (
    BinanceNo,
    OrderDesk,
    read_int,
    read_number,
    require,
)
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import PracticeOrder, Refusal, RefusalKind, WalletState
from exchanges.practice.wire import (
    Limits,
    Window,
    Windows,
    dumps,
    fixed,
    loads,
    plain,
    same,
    sign_hex,
)

INTERVALS = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800,
}  # fmt: skip
WEIGHT = 2400
"""Request weight of an address in a minute."""
ORDERS_10S = 300
ORDERS_1M = 1200
BAN_SECONDS = 120.0
PATIENCE = 20
"""Requests over the limit in one minute before 429 turns into a 418 ban."""
LISTEN_KEY_MS = 3_600_000

Params = Mapping[str, Any]
Handler = Callable[["BinanceRest", str, Params], Any]

PUBLIC, KEY_ONLY, SIGNED = "public", "key", "signed"


class Route(Struct, frozen=True):
    """An endpoint. ``weight`` may depend on the parameters; ``orders`` counts as order entry."""

    handler: Handler
    security: str = SIGNED
    weight: int | Callable[[Params], int] = 1
    orders: bool = False


class ListenKey(Struct):
    """A user stream that a key may connect to until it expires."""

    key: str
    account: str
    expires: int


class BinanceRest:
    """The REST side of the Binance dialect."""

    def __init__(self, venue: PracticeVenue, limits: Limits) -> None:
        self.venue = venue
        self.limits = limits
        self.desk = OrderDesk(venue)
        self.listen_keys: dict[str, ListenKey] = {}
        self._windows = Windows()
        self._over: dict[str, tuple[float, int]] = {}
        self._banned: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path.removeprefix("/binance")
        route = ROUTES.get((request.method, path))
        if route is None:
            return web.Response(status=404, text="<html><body>404 Not found</body></html>")
        query = request.raw_path.partition("?")[2]
        body = await request.text() if request.method in {"POST", "PUT"} else ""
        params = dict(parse_qsl(query, keep_blank_values=True))
        params.update(parse_qsl(body, keep_blank_values=True))
        headers: dict[str, str] = {}
        try:
            headers = self.weigh(request.remote or "", route, params)
            account = self._authenticate(request, route.security, query, body, params)
            if route.orders:
                headers |= self.count_order(account)
            result = route.handler(self, account, params)
        except BinanceNo as no:
            return web.Response(
                status=no.status,
                body=dumps({"code": no.code, "msg": no.text}),
                content_type="application/json",
                headers=headers | no.headers,
            )
        return web.Response(body=dumps(result), content_type="application/json", headers=headers)

    def weigh(self, client: str, route: Route, params: Params) -> dict[str, str]:
        """Count the weight of a request; return the headers.

        Raises:
            BinanceNo: 429 over the limit, 418 while banned.
        """
        now = time.time()
        until = self._banned.get(client)
        if until is not None and now < until:
            raise self._stop(418, codes.BANNED, until - now, ip=client, until=int(until * 1000))
        self._banned.pop(client, None)
        weight = route.weight if isinstance(route.weight, int) else route.weight(params)
        window = self._windows.get(client, "weight", self.limits.allow(WEIGHT), 60.0)
        if not window.take(now, weight):
            self._warn(client, window, now)
        return {"X-MBX-USED-WEIGHT-1M": str(window.used)}

    def _warn(self, client: str, window: Window, now: float) -> None:
        start, warned = self._over.get(client, (window.start, 0))
        warned = warned + 1 if start == window.start else 1
        self._over[client] = window.start, warned
        if warned > PATIENCE:
            until = now + BAN_SECONDS * self.limits.ban
            self._banned[client] = until
            raise self._stop(418, codes.BANNED, until - now, ip=client, until=int(until * 1000))
        raise self._stop(
            429, codes.TOO_MANY_REQUESTS, window.resets - now, ip=client, limit=window.limit
        )

    @staticmethod
    def _stop(status: int, words: tuple[int, str], wait: float, **facts: object) -> BinanceNo:
        no = BinanceNo(words[0], words[1].format(**facts), status)
        no.headers = {"Retry-After": str(max(1, int(wait + 0.999)))}
        return no

    def count_order(self, account: str) -> dict[str, str]:
        """Count an order request; return the headers.

        Raises:
            BinanceNo: 429, code -1015.
        """
        now, headers = time.time(), {}
        for name, limit, seconds in (("10S", ORDERS_10S, 10.0), ("1M", ORDERS_1M, 60.0)):
            window = self._windows.get(account, name, self.limits.allow(limit), seconds)
            allowed = window.take(now)
            headers[f"X-MBX-ORDER-COUNT-{name}"] = str(window.used)
            if not allowed:
                interval = "10 SECOND" if name == "10S" else "MINUTE"
                words = codes.TOO_MANY_ORDERS
                raise self._stop(
                    429, words, window.resets - now, limit=window.limit, interval=interval
                )
        return headers

    def _authenticate(
        self, request: web.Request, security: str, query: str, body: str, params: Params
    ) -> str:
        if security == PUBLIC:
            return ""
        key = request.headers.get("X-MBX-APIKEY", "")
        payload = "&".join(
            part
            for text in (query, body)
            for part in text.split("&")
            if part and not part.startswith("signature=")
        )
        if security == KEY_ONLY:
            return self.account_of(key)
        return self.verify(key, payload, params)

    def account_of(self, key: str) -> str:
        """Return the account behind a key.

        Raises:
            BinanceNo: no key, or an unknown one.
        """
        if not key:
            raise BinanceNo(*codes.NO_KEY, 401)
        credential = self.venue.api_keys.get(key)
        if credential is None:
            raise BinanceNo(*codes.BAD_KEY, 401)
        return credential.account

    def verify(self, key: str, payload: str, params: Params) -> str:
        """Check timestamp and signature of a signed request; return the account."""
        account = self.account_of(key)
        stamp = read_int({"timestamp": require(params, "timestamp")}, "timestamp") or 0
        window = read_int(params, "recvWindow", 5000) or 5000
        if window > 60_000:
            raise BinanceNo(-1131, "recvWindow must be less than 60000")
        signature = require(params, "signature")
        now = self.venue.now_ms()
        if stamp >= now + 1000:
            raise BinanceNo(*codes.AHEAD)
        if now - stamp > window:
            raise BinanceNo(*codes.EXPIRED)
        if not same(sign_hex(self.venue.api_keys[key].secret, payload), unquote(signature)):
            raise BinanceNo(*codes.BAD_SIGN)
        return account

    # --- market

    def ping(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/ping``."""
        return {}

    def time(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/time``."""
        return {"serverTime": self.venue.now_ms()}

    def exchange_info(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/exchangeInfo``."""
        return {
            "timezone": "UTC",
            "serverTime": self.venue.now_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": rate_limits(self.limits),
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [
                shapes.symbol_row(contract, self.venue.rules)
                for contract in self.venue.contracts.values()
            ],
        }

    def no_symbols(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v3/exchangeInfo``."""
        return {
            "timezone": "UTC",
            "serverTime": self.venue.now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [],
        }

    def depth(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/depth``."""
        contract = self.desk.contract(params)
        limit = read_int(params, "limit", 500) or 500
        if limit not in {5, 10, 20, 50, 100, 500, 1000}:
            raise BinanceNo(-4021, f"{limit} is not valid depth limit.")
        return shapes.depth_row(self.venue.depth(contract.symbol, limit), contract)

    def trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/trades``."""
        contract = self.desk.contract(params)
        limit = min(read_int(params, "limit", 500) or 500, 1000)
        found = self.venue.recent_trades(contract.symbol, limit)
        return [shapes.trade_row(trade, contract) for trade in found]

    def agg_trades(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/aggTrades``."""
        contract = self.desk.contract(params)
        limit = min(read_int(params, "limit", 500) or 500, 1000)
        start, end = read_int(params, "startTime"), read_int(params, "endTime")
        rows = [
            {
                "a": trade.number,
                "p": contract.price_text(trade.tick),
                "q": contract.qty_text(trade.lots),
                "nq": contract.qty_text(trade.lots),
                "f": trade.number,
                "l": trade.number,
                "T": trade.ts_ms,
                "m": trade.side == "sell",
            }
            for trade in self.venue.recent_trades(contract.symbol, 100_000)
            if (start or 0) <= trade.ts_ms <= (end or trade.ts_ms)
        ]
        return rows[:limit] if start else rows[-limit:]

    def klines(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/klines``."""
        contract = self.desk.contract(params)
        seconds = INTERVALS.get(require(params, "interval"))
        if seconds is None:
            raise BinanceNo(-1120, "Invalid interval.")
        found = self.venue.klines(
            contract.symbol,
            seconds,
            start_ms=read_int(params, "startTime"),
            end_ms=read_int(params, "endTime"),
            limit=min(read_int(params, "limit", 500) or 500, 1500),
        )
        return [shapes.kline_row(kline, contract, seconds) for kline in found]

    def day(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/24hr``."""
        return self._each(params, lambda c: shapes.day_row(self.venue.ticker(c.symbol), c))

    def premium(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/premiumIndex``."""
        return self._each(params, lambda c: shapes.premium_row(self.venue.ticker(c.symbol), c))

    def book_ticker(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/bookTicker``."""
        return self._each(params, lambda c: shapes.book_row(self.venue.ticker(c.symbol), c))

    def price(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/ticker/price``."""

        def row(contract: Contract) -> dict[str, Any]:
            ticker = self.venue.ticker(contract.symbol)
            return {
                "symbol": contract.venue_symbol,
                "price": contract.price_text(ticker.last_tick),
                "time": ticker.ts_ms,
            }

        return self._each(params, row)

    def _each(self, params: Params, row: Callable[[Contract], dict[str, Any]]) -> Any:
        if params.get("symbol"):
            return row(self.desk.contract(params))
        return [row(contract) for contract in self.venue.contracts.values()]

    def funding_info(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/fundingInfo``."""
        return [
            {
                "symbol": contract.venue_symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": self.venue.rules.funding_hours,
                "disclaimer": False,
            }
            for contract in self.venue.contracts.values()
        ]

    def funding_rates(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/fundingRate``."""
        contract = self.desk.contract(params)
        past = self.venue.funding_history(
            contract.symbol,
            start_ms=read_int(params, "startTime"),
            limit=min(read_int(params, "limit", 100) or 100, 1000),
        )
        mark = self.venue.ticker(contract.symbol).mark
        return [
            {
                "symbol": contract.venue_symbol,
                "fundingTime": ts,
                "fundingRate": fixed(rate, 8),
                "markPrice": mark,
            }
            for ts, rate in past
        ]

    def open_interest(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/openInterest``."""
        contract = self.desk.contract(params)
        ticker = self.venue.ticker(contract.symbol)
        return {
            "openInterest": contract.qty_text(ticker.open_interest_lots),
            "symbol": contract.venue_symbol,
            "time": ticker.ts_ms,
        }

    def none(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/capital/config/getall``."""
        return []

    def system_status(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/system/status``."""
        return {"status": 0, "msg": "normal"}

    def restrictions(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/account/apiRestrictions``."""
        return {
            "ipRestrict": False,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableFutures": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableMargin": False,
            "enableSpotAndMarginTrading": False,
            "enablePortfolioMarginTrading": False,
        }

    # --- account

    def account(self, account: str, _: Params) -> Any:
        """Answer ``GET /fapi/v2/account``."""
        positions = [
            (position, self.venue.contracts[position.symbol])
            for position in self.venue.positions(account)
        ]
        return shapes.account_row(self._wallet(account), positions)

    def _wallet(self, account: str) -> WalletState:
        """Return the money; clients skip an asset that was never updated."""
        wallet = self.venue.wallet(account)
        return wallet if wallet.updated_ms else replace(wallet, updated_ms=self.venue.now_ms())

    def balance(self, account: str, _: Params) -> Any:
        """Answer ``GET /fapi/v2/balance``."""
        asset = shapes.asset_row(self._wallet(account))
        return [
            {
                "accountAlias": account,
                "asset": "USDT",
                "balance": asset["walletBalance"],
                "crossWalletBalance": asset["crossWalletBalance"],
                "crossUnPnl": asset["crossUnPnl"],
                "availableBalance": asset["availableBalance"],
                "maxWithdrawAmount": asset["maxWithdrawAmount"],
                "marginAvailable": True,
                "updateTime": asset["updateTime"],
            }
        ]

    def account_config(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/accountConfig``."""
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": False,
            "canWithdraw": False,
            "dualSidePosition": False,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def risk(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v3/positionRisk``."""
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        return [
            shapes.risk_row(position, self.venue.contracts[position.symbol])
            for position in self.venue.positions(account, symbol)
            if position.qty
        ]

    def risk_v2(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v2/positionRisk``."""
        symbols = [self.desk.contract(params).symbol] if params.get("symbol") else None
        return [
            shapes.risk_row_v2(position, self.venue.contracts[symbol])
            for symbol in symbols or self.venue.contracts
            for position in self.venue.positions(account, symbol)
        ]

    def brackets(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/leverageBracket``."""

        def row(contract: Contract) -> dict[str, Any]:
            bracket = {
                "bracket": 1,
                "initialLeverage": int(contract.instrument.max_leverage),
                "notionalCap": 20_000_000,
                "notionalFloor": 0,
                "maintMarginRatio": float(contract.maintenance),
                "cum": 0.0,
            }
            return {"symbol": contract.venue_symbol, "notionalCoef": 1.0, "brackets": [bracket]}

        if params.get("symbol"):
            return [row(self.desk.contract(params))]
        return [row(contract) for contract in self.venue.contracts.values()]

    def commission(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/commissionRate``."""
        contract = self.desk.contract(params)
        instrument: Instrument = contract.instrument
        return {
            "symbol": contract.venue_symbol,
            "makerCommissionRate": plain(instrument.maker_fee),
            "takerCommissionRate": plain(instrument.taker_fee),
            "rpiCommissionRate": "0.00005000",
        }

    def symbol_config(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/symbolConfig``."""
        contracts = (
            [self.desk.contract(params)]
            if params.get("symbol")
            else list(self.venue.contracts.values())
        )
        return [
            {
                "symbol": contract.venue_symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": int(self.venue.leverage(account, contract.symbol)),
                "maxNotionalValue": "20000000",
            }
            for contract in contracts
        ]

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/leverage``."""
        contract = self.desk.contract(params)
        leverage = read_number({"leverage": require(params, "leverage")}, "leverage")
        try:
            self.venue.set_leverage(account, contract.symbol, leverage or 0)  # type: ignore[arg-type]
        except Refusal as refusal:
            if refusal.kind is not RefusalKind.UNCHANGED:
                if refusal.kind is RefusalKind.BAD_LEVERAGE:
                    raise BinanceNo(-4028, f"Leverage {leverage} is not valid") from None
                raise BinanceNo(*codes.refusal_code(refusal)) from None
        return {
            "symbol": contract.venue_symbol,
            "leverage": int(leverage or 0),
            "maxNotionalValue": "20000000",
        }

    def margin_type(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/marginType``."""
        self.desk.contract(params)
        if require(params, "marginType") == "CROSSED":
            raise BinanceNo(*codes.MARGIN_SAME)
        raise BinanceNo(-4067, "The practice venue has cross margin only.")

    def position_mode(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/positionSide/dual``."""
        return {"dualSidePosition": False}

    def set_position_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/positionSide/dual``."""
        if require(params, "dualSidePosition").lower() == "false":
            raise BinanceNo(*codes.MODE_SAME)
        raise BinanceNo(-4068, "The practice venue has one-way positions only.")

    def assets_mode(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/multiAssetsMargin``."""
        return {"multiAssetsMargin": False}

    def set_assets_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/multiAssetsMargin``."""
        if require(params, "multiAssetsMargin").lower() == "false":
            raise BinanceNo(-4171, "No need to change position side.")
        raise BinanceNo(-4168, "The practice venue has single-asset margin only.")

    def income(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/income``."""
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        since, until = read_int(params, "startTime", 0) or 0, read_int(params, "endTime")
        wanted = params.get("incomeType")
        rows: list[dict[str, Any]] = []

        def add(kind: str, name: str, amount: Any, ts: int, number: str, trade: str) -> None:
            if wanted in (None, "", kind):
                rows.append(
                    {
                        "symbol": self.venue.contracts[name].venue_symbol,
                        "incomeType": kind,
                        "income": fixed(amount, 8),
                        "asset": "USDT",
                        "info": kind if kind != "FUNDING_FEE" else "",
                        "time": ts,
                        "tranId": shapes.number_of(number),
                        "tradeId": trade,
                    }
                )

        for payment in self.venue.funding_payments(
            account, symbol, since_ms=since, until_ms=until, limit=100_000
        ):
            number = payment.payment_id
            add("FUNDING_FEE", payment.symbol, payment.amount, payment.ts_ms, number, "")
        if wanted in (None, "", "COMMISSION", "REALIZED_PNL"):
            for fill in self.venue.fills(
                account, symbol, since_ms=since, until_ms=until, limit=100_000
            ):
                number = fill.trade_id
                add("COMMISSION", fill.symbol, -fill.fee, fill.ts_ms, number, number)
                if fill.realised:
                    add("REALIZED_PNL", fill.symbol, fill.realised, fill.ts_ms, number, number)
        rows.sort(key=lambda row: int(row["time"]))
        limit = min(read_int(params, "limit", 100) or 100, 1000)
        return rows[:limit] if since else rows[-limit:]

    # --- orders

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
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        return [self._row(order) for order in self.venue.open_orders(account, symbol, False)]

    def all(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/allOrders``."""
        contract = self.desk.contract(params)
        orders = self.venue.order_history(
            account,
            contract.symbol,
            since_ms=read_int(params, "startTime", 0) or 0,
            until_ms=read_int(params, "endTime"),
            limit=min(read_int(params, "limit", 500) or 500, 1000),
            conditional=False,
        )
        first = read_int(params, "orderId", 0) or 0
        return [self._row(o) for o in orders if shapes.number_of(o.order_id) >= first]

    def cancel_all(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/allOpenOrders``."""
        self.venue.cancel_all(account, self.desk.contract(params).symbol, False)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def create_batch(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/batchOrders``."""
        orders = loads(require(params, "batchOrders"))
        return self._batch(orders, lambda order: self.desk.create(account, order))

    def amend_batch(self, account: str, params: Params) -> Any:
        """Answer ``PUT /fapi/v1/batchOrders``."""
        orders = loads(require(params, "batchOrders"))
        return self._batch(orders, lambda order: self.desk.amend(account, order))

    def cancel_batch(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/batchOrders``."""
        lower = {key.lower(): value for key, value in params.items()}
        symbol = require(params, "symbol")
        numbers = loads(unquote(lower.get("orderidlist") or "[]"))
        names = loads(unquote(lower.get("origclientorderidlist") or "[]"))
        orders = [{"symbol": symbol, "orderId": str(number)} for number in numbers]
        orders += [{"symbol": symbol, "origClientOrderId": name} for name in names]
        return self._batch(orders, lambda order: self.desk.cancel(account, order), most=10)

    @staticmethod
    def _batch(
        orders: list[dict[str, Any]], act: Callable[[Params], dict[str, Any]], most: int = 5
    ) -> Any:
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
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        orders = self.venue.open_orders(account, symbol, True)
        return [self.desk.algo_row(order) for order in orders]

    def all_algo(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/allAlgoOrders``."""
        contract = self.desk.contract(params)
        orders = self.venue.order_history(
            account,
            contract.symbol,
            since_ms=read_int(params, "startTime", 0) or 0,
            until_ms=read_int(params, "endTime"),
            limit=min(read_int(params, "limit", 500) or 500, 1000),
            conditional=True,
        )
        return [self.desk.algo_row(order) for order in orders]

    def cancel_all_algo(self, account: str, params: Params) -> Any:
        """Answer ``DELETE /fapi/v1/algoOpenOrders``."""
        self.venue.cancel_all(account, self.desk.contract(params).symbol, True)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _row(self, order: PracticeOrder) -> dict[str, Any]:
        return shapes.order_row(order, self.venue.contracts[order.symbol])

    # --- user stream

    def listen(self, account: str, _: Params) -> Any:
        """Answer ``POST /fapi/v1/listenKey``."""
        now = self.venue.now_ms()
        for known in self.listen_keys.values():
            if known.account == account and known.expires > now:
                known.expires = now + LISTEN_KEY_MS
                return {"listenKey": known.key}
        key = secrets.token_urlsafe(48).replace("-", "a").replace("_", "b")
        self.listen_keys[key] = ListenKey(key, account, now + LISTEN_KEY_MS)
        return {"listenKey": key}

    def keep_listening(self, account: str, _: Params) -> Any:
        """Answer ``PUT /fapi/v1/listenKey``."""
        now = self.venue.now_ms()
        for known in self.listen_keys.values():
            if known.account == account and known.expires > now:
                known.expires = now + LISTEN_KEY_MS
                return {"listenKey": known.key}
        raise BinanceNo(*codes.BAD_LISTEN_KEY)

    def stop_listening(self, account: str, _: Params) -> Any:
        """Answer ``DELETE /fapi/v1/listenKey``."""
        for known in self.listen_keys.values():
            if known.account == account:
                known.expires = 0
        return {}


def rate_limits(limits: Limits) -> list[dict[str, Any]]:
    """Return the limits as ``exchangeInfo`` announces them."""
    return [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.allow(WEIGHT),
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.allow(ORDERS_1M),
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": limits.allow(ORDERS_10S),
        },
    ]


def _by_limit(*steps: tuple[int, int]) -> Callable[[Params], int]:
    """Weigh a request by its ``limit``: the weight of the first step it does not exceed."""

    def weigh(params: Params) -> int:
        limit = read_int(params, "limit", 500) or 500
        return next((weight for most, weight in steps if limit <= most), steps[-1][1])

    return weigh


def _by_symbol(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if params.get("symbol") else every


R = BinanceRest
_DEPTH = _by_limit((50, 2), (100, 5), (500, 10), (1000, 20))
_KLINES = _by_limit((99, 1), (499, 2), (1000, 5), (1500, 10))
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v1/ping"): Route(R.ping, PUBLIC),
    ("GET", "/fapi/v1/time"): Route(R.time, PUBLIC),
    ("GET", "/fapi/v1/exchangeInfo"): Route(R.exchange_info, PUBLIC),
    ("GET", "/fapi/v1/depth"): Route(R.depth, PUBLIC, _DEPTH),
    ("GET", "/fapi/v1/trades"): Route(R.trades, PUBLIC, 5),
    ("GET", "/fapi/v1/historicalTrades"): Route(R.trades, KEY_ONLY, 20),
    ("GET", "/fapi/v1/aggTrades"): Route(R.agg_trades, PUBLIC, 20),
    ("GET", "/fapi/v1/klines"): Route(R.klines, PUBLIC, _KLINES),
    ("GET", "/fapi/v1/ticker/24hr"): Route(R.day, PUBLIC, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(R.book_ticker, PUBLIC, _by_symbol(2, 5)),
    ("GET", "/fapi/v1/ticker/price"): Route(R.price, PUBLIC, _by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): Route(R.price, PUBLIC, _by_symbol(1, 2)),
    ("GET", "/fapi/v1/premiumIndex"): Route(R.premium, PUBLIC, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingInfo"): Route(R.funding_info, PUBLIC),
    ("GET", "/fapi/v1/fundingRate"): Route(R.funding_rates, PUBLIC),
    ("GET", "/fapi/v1/openInterest"): Route(R.open_interest, PUBLIC),
    ("GET", "/fapi/v2/account"): Route(R.account, weight=5),
    ("GET", "/fapi/v3/account"): Route(R.account, weight=5),
    ("GET", "/fapi/v2/balance"): Route(R.balance, weight=5),
    ("GET", "/fapi/v3/balance"): Route(R.balance, weight=5),
    ("GET", "/fapi/v1/accountConfig"): Route(R.account_config, weight=5),
    ("GET", "/fapi/v2/positionRisk"): Route(R.risk_v2, weight=5),
    ("GET", "/fapi/v3/positionRisk"): Route(R.risk, weight=5),
    ("GET", "/fapi/v1/leverageBracket"): Route(R.brackets),
    ("GET", "/fapi/v1/commissionRate"): Route(R.commission, weight=20),
    ("GET", "/fapi/v1/symbolConfig"): Route(R.symbol_config, weight=5),
    ("POST", "/fapi/v1/leverage"): Route(R.set_leverage),
    ("POST", "/fapi/v1/marginType"): Route(R.margin_type),
    ("GET", "/fapi/v1/positionSide/dual"): Route(R.position_mode, weight=30),
    ("POST", "/fapi/v1/positionSide/dual"): Route(R.set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(R.assets_mode, weight=30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Route(R.set_assets_mode),
    ("GET", "/fapi/v1/income"): Route(R.income, weight=30),
    ("POST", "/fapi/v1/order"): Route(R.create, weight=0, orders=True),
    ("POST", "/fapi/v1/order/test"): Route(R.test, weight=0, orders=True),
    ("PUT", "/fapi/v1/order"): Route(R.amend, weight=0, orders=True),
    ("DELETE", "/fapi/v1/order"): Route(R.cancel),
    ("GET", "/fapi/v1/order"): Route(R.find),
    ("GET", "/fapi/v1/openOrder"): Route(R.find_open),
    ("GET", "/fapi/v1/openOrders"): Route(R.open, weight=_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): Route(R.all, weight=5),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(R.cancel_all),
    ("POST", "/fapi/v1/batchOrders"): Route(R.create_batch, weight=5, orders=True),
    ("PUT", "/fapi/v1/batchOrders"): Route(R.amend_batch, weight=5, orders=True),
    ("DELETE", "/fapi/v1/batchOrders"): Route(R.cancel_batch),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(R.countdown, weight=10),
    ("GET", "/fapi/v1/userTrades"): Route(R.fills, weight=5),
    ("POST", "/fapi/v1/algoOrder"): Route(R.create_algo, weight=0, orders=True),
    ("DELETE", "/fapi/v1/algoOrder"): Route(R.cancel_algo),
    ("GET", "/fapi/v1/algoOrder"): Route(R.find_algo),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(R.open_algo, weight=_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(R.all_algo, weight=5),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(R.cancel_all_algo),
    ("POST", "/fapi/v1/listenKey"): Route(R.listen, KEY_ONLY),
    ("PUT", "/fapi/v1/listenKey"): Route(R.keep_listening, KEY_ONLY),
    ("DELETE", "/fapi/v1/listenKey"): Route(R.stop_listening, KEY_ONLY),
    ("GET", "/sapi/v1/system/status"): Route(R.system_status, PUBLIC),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(R.restrictions),
    ("GET", "/sapi/v1/capital/config/getall"): Route(R.none),
    ("GET", "/sapi/v1/margin/allPairs"): Route(R.none),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(R.none),
    ("GET", "/api/v3/ping"): Route(R.ping, PUBLIC),
    ("GET", "/api/v3/time"): Route(R.time, PUBLIC),
    ("GET", "/api/v3/exchangeInfo"): Route(R.no_symbols, PUBLIC),
    ("GET", "/dapi/v1/exchangeInfo"): Route(R.no_symbols, PUBLIC),
}
