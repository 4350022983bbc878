"""Bybit v5 WebSocket: public linear topics, private topics, and the trade socket."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from exchanges.practice.bybit import codes, quotes, shapes
from exchanges.practice.bybit.market import INTERVALS
from exchanges.practice.bybit.orders import BybitNo
from exchanges.practice.bybit.rest import BybitRest
from exchanges.practice.contracts import Contract
from exchanges.practice.state import (
    BookChanged,
    Filled,
    FundingSettled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PracticeEvent,
    PublicTrade,
    Refusal,
    TickerChanged,
    TickerState,
    WalletChanged,
)
from exchanges.practice.wire import (
    BookView,
    Session,
    Topics,
    converse,
    loads,
    same,
    sign_hex,
)

DEPTHS = {"1": 1, "50": 50, "200": 200, "1000": 1000}
PRIVATE = frozenset(
    {"order", "order.linear", "execution", "execution.linear", "execution.fast"}
    | {"execution.fast.linear", "position", "position.linear", "wallet", "dcp.future", "greeks"}
)
_RESEND_MS = 3000
"""A one-level book that does not change is sent again after this long."""


class BybitStream:
    """The WebSocket side of the Bybit dialect."""

    def __init__(self, rest: BybitRest) -> None:
        self.rest = rest
        self.venue = rest.venue
        self.topics = Topics()
        self._books: dict[str, BookView] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._last_tick: dict[str, int] = {}
        self._directions: dict[str, str] = {}
        self._hour_ago: dict[str, tuple[int, str]] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            PublicTrade: self._on_trade,
            BookChanged: self._on_book,
            TickerChanged: self._on_ticker,
            KlineChanged: self._on_kline,
            OrderChanged: self._on_order,
            Filled: self._on_fill,
            PositionChanged: self._on_position,
            WalletChanged: self._on_wallet,
            FundingSettled: self._on_funding,
        }
        self.venue.subscribe(self.on_event)

    def on_event(self, event: PracticeEvent) -> None:
        """Turn an event of the exchange into frames for those who subscribed."""
        self._handlers[type(event)](event)

    async def public(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/v5/public/linear``; the other categories have no instruments here."""
        return await converse(request, self.topics, self._public_text, on_open=_greet)

    async def private(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/v5/private``."""
        return await converse(
            request, self.topics, self._private_text, on_open=_greet, on_close=self._lost
        )

    async def trade(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/v5/trade``: order entry over a socket."""
        return await converse(request, self.topics, self._trade_text, on_open=_greet)

    # --- what clients say

    def _public_text(self, session: Session, text: str) -> None:
        message = _read(session, text)
        if message is None or _ping(session, message, private=False):
            return
        self._topics_request(session, message, self._public_topic, private=False)

    def _private_text(self, session: Session, text: str) -> None:
        message = _read(session, text)
        if message is None or _ping(session, message, private=True):
            return
        if message.get("op") == "auth":
            self._login(session, message, trade=False)
        elif session.account is None:
            session.send(_ack(session, message, ok=False, text="Request not authorized"))
        else:
            self._topics_request(session, message, self._private_topic, private=True)

    def _trade_text(self, session: Session, text: str) -> None:
        message = _read(session, text)
        if message is None:
            return
        op = str(message.get("op"))
        if op == "ping":
            stamp = str(self.venue.now_ms())
            session.send({"op": "pong", "retCode": 0, "data": [stamp], "connId": _name(session)})
        elif op == "auth":
            self._login(session, message, trade=True)
        elif session.account is None:
            session.send(self._verdict(session, message, 10005, "Request not authorized", {}))
        else:
            self._place(session, message, op)

    def _place(self, session: Session, message: dict[str, Any], op: str) -> None:
        act = {
            "order.create": self.rest.desk.create,
            "order.amend": self.rest.desk.amend,
            "order.cancel": self.rest.desk.cancel,
        }.get(op)
        params = (message.get("args") or [{}])[0]
        headers = message.get("header") or {}
        try:
            if act is None or not isinstance(params, dict) or not isinstance(headers, dict):
                raise BybitNo(10001, f"unknown op {op}, or args and header that are no objects")
            self._in_time(str(headers.get("X-BAPI-TIMESTAMP", "")), headers)
            self.rest.count(session.account, op.replace("order.", "/v5/order/"), 10)
            result = act(session.account, params)
        except BybitNo as no:
            session.send(self._verdict(session, message, no.code, no.text, {}))
        else:
            session.send(self._verdict(session, message, 0, "OK", result))

    def _in_time(self, stamp: str, headers: dict[str, Any]) -> None:
        window = str(headers.get("X-BAPI-RECV-WINDOW") or 5000)
        now = self.venue.now_ms()
        numbers = stamp.isdigit() and window.isdigit()
        if not numbers or not now - int(window) <= int(stamp) < now + 1000:
            raise BybitNo(codes.EXPIRED, "req_timestamp outside of recv_window")

    def _verdict(
        self, session: Session, message: dict[str, Any], code: int, text: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        now = self.venue.now_ms()
        return {
            "reqId": str(message.get("reqId", "")),
            "retCode": code,
            "retMsg": text,
            "op": message.get("op"),
            "data": data,
            "retExtInfo": {},
            "header": {
                "X-Bapi-Limit": "10",
                "X-Bapi-Limit-Status": "9",
                "X-Bapi-Limit-Reset-Timestamp": str(now),
                "Traceid": uuid.uuid4().hex,
                "Timenow": str(now),
            },
            "connId": _name(session),
        }

    def _login(self, session: Session, message: dict[str, Any], *, trade: bool) -> None:
        key, expires, signature = [*map(str, message.get("args") or ()), "", "", ""][:3]
        credential = self.venue.api_keys.get(key)
        code, text = 0, ""
        if credential is None:
            code, text = codes.BAD_KEY, "API key is invalid."
        elif not expires.isdigit() or int(expires) < self.venue.now_ms():
            code, text = 10004, "Params Error"
        elif not same(sign_hex(credential.secret, f"GET/realtime{expires}"), signature):
            code, text = codes.BAD_SIGN, "Error sign, please check your signature generation."
        else:
            session.account = credential.account
        if trade:
            session.send(
                {
                    "reqId": str(message.get("reqId", "")),
                    "retCode": code,
                    "retMsg": text or "OK",
                    "op": "auth",
                    "connId": _name(session),
                }
            )
            return
        reply = _ack(session, message, ok=code == 0, text=text)
        if code:
            reply["retCode"] = code
        session.send(reply)

    def _topics_request(
        self,
        session: Session,
        message: dict[str, Any],
        accept: Callable[[Session, str], Callable[[], None] | None],
        *,
        private: bool,
    ) -> None:
        op, args = message.get("op"), [str(arg) for arg in message.get("args") or ()]
        if op not in {"subscribe", "unsubscribe"}:
            session.send(_ack(session, message, ok=False, text="Invalid op"))
            return
        if op == "unsubscribe":
            for topic in args:
                self.topics.remove(self._key(session, topic, private=private), session)
            session.send(_ack(session, message, ok=True, text=""))
            return
        bad = [topic for topic in args if not self._known(topic, private=private)]
        if bad:
            text = f"error:handler not found,topic:{bad[0]}"
            session.send(_ack(session, message, ok=False, text=text))
            return
        session.send(_ack(session, message, ok=True, text="subscribe" if private else ""))
        for topic in args:
            first = accept(session, topic)
            if first is not None:
                first()

    @staticmethod
    def _key(session: Session, topic: str, *, private: bool) -> str:
        return f"{topic}@{session.account}" if private else topic

    def _known(self, topic: str, *, private: bool) -> bool:
        if private:
            return topic in PRIVATE
        head, _, rest = topic.partition(".")
        middle, _, symbol = rest.partition(".")
        if head in {"tickers", "publicTrade"}:
            return self._contract(rest) is not None
        if head == "orderbook":
            return middle in DEPTHS and self._contract(symbol) is not None
        if head == "kline":
            return middle in INTERVALS and self._contract(symbol) is not None
        return head in {"liquidation", "allLiquidation"}

    def _contract(self, venue_symbol: str) -> Contract | None:
        try:
            return self.venue.contract_of(venue_symbol)
        except Refusal:
            return None

    def _private_topic(self, session: Session, topic: str) -> None:
        self.topics.add(f"{topic}@{session.account}", session)
        if topic == "dcp.future" and session.account in self.rest.account.windows_of_silence:
            self.venue.arm_countdown(session.account, 0)

    def _lost(self, session: Session) -> None:
        """Start the countdown of an account whose last watching stream is gone."""
        topic = f"dcp.future@{session.account}"
        seconds = self.rest.account.windows_of_silence.get(session.account)
        if seconds and topic in session.topics and len(self.topics.listeners(topic)) == 1:
            self.venue.arm_countdown(session.account, seconds * 1000)

    def _public_topic(self, session: Session, topic: str) -> Callable[[], None] | None:
        fresh = topic not in self.topics
        if not self.topics.add(topic, session):
            return None
        contract = self._contract(topic.rpartition(".")[2])
        if contract is None:
            return None
        if topic.startswith("orderbook."):
            view = self._books.get(topic)
            if fresh or view is None:
                view = self._books[topic] = BookView(DEPTHS[topic.split(".")[1]])
                view.change(self.venue.depth(contract.symbol, view.depth))
            return lambda: session.send(_snapshot(topic, contract, view))
        if topic.startswith("tickers."):
            if fresh:
                self._tickers[topic] = self._ticker(self.venue.ticker(contract.symbol), contract)
            row, now = self._tickers[topic], self.venue.now_ms()
            return lambda: session.send(_push(topic, "snapshot", row, now, cs=now))
        if topic.startswith("kline."):
            return lambda: self._push_kline(topic, contract)
        return None

    # --- what the exchange says

    def _on_trade(self, trade: PublicTrade) -> None:
        contract = self.venue.contracts[trade.symbol]
        last = self._last_tick.get(trade.symbol, trade.tick)
        before = self._directions.get(trade.symbol, "ZeroPlusTick")
        if trade.tick > last:
            direction = "PlusTick"
        elif trade.tick < last:
            direction = "MinusTick"
        else:
            direction = "ZeroPlusTick" if before.endswith("PlusTick") else "ZeroMinusTick"
        self._last_tick[trade.symbol], self._directions[trade.symbol] = trade.tick, direction
        topic = f"publicTrade.{contract.venue_symbol}"
        if topic in self.topics:
            row = {
                "T": trade.ts_ms,
                "s": contract.venue_symbol,
                "S": shapes.SIDES[trade.side],
                "v": contract.qty_text(trade.lots),
                "p": contract.price_text(trade.tick),
                "L": direction,
                "i": trade.trade_id,
                "BT": False,
                "RPI": False,
                "seq": trade.number,
            }
            self.topics.publish(topic, _push(topic, "snapshot", [row], self.venue.now_ms()))

    def _on_book(self, change: BookChanged) -> None:
        contract = self.venue.contracts[change.symbol]
        name = contract.venue_symbol
        for level in DEPTHS:
            topic = f"orderbook.{level}.{name}"
            if topic not in self.topics:
                continue
            view = self._books[topic]
            before = view.ts_ms
            bids, asks = view.change(self.venue.depth(change.symbol, view.depth))
            if not bids and not asks and (view.depth > 1 or view.ts_ms - before < _RESEND_MS):
                view.number -= 1
                view.ts_ms = before
                continue
            if view.depth == 1:
                self.topics.publish(topic, _snapshot(topic, contract, view))
            else:
                self.topics.publish(topic, _book(topic, "delta", contract, view, bids, asks))
        if f"tickers.{name}" in self.topics:
            self._on_ticker(TickerChanged(self.venue.ticker(change.symbol)))

    def _on_ticker(self, event: TickerChanged) -> None:
        contract = self.venue.contracts[event.ticker.symbol]
        topic = f"tickers.{contract.venue_symbol}"
        if topic not in self.topics:
            return
        row, before = self._ticker(event.ticker, contract), self._tickers[topic]
        changed = {key: value for key, value in row.items() if before.get(key) != value}
        self._tickers[topic] = row
        if changed:
            delta = {"symbol": contract.venue_symbol, **changed}
            self.topics.publish(
                topic, _push(topic, "delta", delta, event.ticker.ts_ms, cs=event.ticker.ts_ms)
            )

    def _ticker(self, ticker: TickerState, contract: Contract) -> dict[str, Any]:
        minute = ticker.ts_ms // 60_000
        known = self._hour_ago.get(ticker.symbol)
        if known is None or known[0] != minute:
            known = self._hour_ago[ticker.symbol] = minute, self.rest.market.hour_ago(ticker.symbol)
        row = quotes.ticker_row(ticker, contract, known[1])
        direction = self._directions.get(ticker.symbol, "ZeroPlusTick")
        return {"symbol": row.pop("symbol"), "tickDirection": direction, **row}

    def _on_kline(self, event: KlineChanged) -> None:
        contract = self.venue.contracts[event.symbol]
        for interval in INTERVALS:
            topic = f"kline.{interval}.{contract.venue_symbol}"
            if topic not in self.topics:
                continue
            if interval == "1":
                now = self.venue.now_ms()
                row = quotes.kline_push(event.kline, contract, "1", 60, now)
                self.topics.publish(topic, _push(topic, "snapshot", [row], now))
            else:
                self._push_kline(topic, contract)

    def _push_kline(self, topic: str, contract: Contract) -> None:
        interval = topic.split(".")[1]
        seconds, now = INTERVALS[interval], self.venue.now_ms()
        klines = self.venue.klines(contract.symbol, seconds, limit=1)
        rows = [quotes.kline_push(k, contract, interval, seconds, now) for k in klines]
        self.topics.publish(topic, _push(topic, "snapshot", rows, now))

    def _tell(self, name: str, account: str, row: dict[str, Any]) -> None:
        for topic in (name, f"{name}.linear"):
            key = f"{topic}@{account}"
            if key in self.topics:
                message = {
                    "id": f"{account}{uuid.uuid4().hex[:16]}",
                    "topic": topic,
                    "creationTime": self.venue.now_ms(),
                    "data": [row],
                }
                self.topics.publish(key, message)

    def _on_order(self, event: OrderChanged) -> None:
        order = event.order
        self._tell("order", order.account, shapes.order_row(order, self._of(order.symbol)))

    def _on_fill(self, event: Filled) -> None:
        fill = event.fill
        contract = self._of(fill.symbol)
        mark = self.venue.ticker(fill.symbol).mark
        closed = fill.qty if fill.realised else fill.qty * 0
        self._tell("execution", fill.account, shapes.fill_row(fill, contract, mark, closed))
        fast = f"execution.fast@{fill.account}"
        if fast in self.topics:
            row = {
                "category": "linear",
                "symbol": contract.venue_symbol,
                "execId": fill.trade_id,
                "execPrice": str(fill.price),
                "execQty": str(fill.qty),
                "orderId": fill.order_id,
                "isMaker": fill.maker,
                "orderLinkId": fill.client_id,
                "side": shapes.SIDES[fill.side],
                "execTime": str(fill.ts_ms),
                "seq": fill.ts_ms,
            }
            message = {"topic": "execution.fast", "creationTime": fill.ts_ms, "data": [row]}
            self.topics.publish(fast, message)

    def _on_position(self, event: PositionChanged) -> None:
        row = shapes.position_row(event.position, self._of(event.position.symbol), stream=True)
        self._tell("position", event.account, row)

    def _on_wallet(self, event: WalletChanged) -> None:
        key = f"wallet@{event.account}"
        if key in self.topics:
            message = {
                "id": f"{event.account}{uuid.uuid4().hex[:16]}",
                "topic": "wallet",
                "creationTime": self.venue.now_ms(),
                "data": [shapes.wallet_row(event.wallet)],
            }
            self.topics.publish(key, message)

    def _on_funding(self, event: FundingSettled) -> None:
        payment = event.payment
        row = shapes.funding_row(payment, self._of(payment.symbol))
        self._tell("execution", payment.account, row)

    def _of(self, symbol: str) -> Contract:
        return self.venue.contracts[symbol]


def _greet(session: Session) -> None:
    session.login["name"] = f"{uuid.uuid4().hex[:20]}-{int(time.time()) % 9973:x}"


def _name(session: Session) -> str:
    return str(session.login["name"])


def _read(session: Session, text: str) -> dict[str, Any] | None:
    try:
        message = loads(text)
    except ValueError:
        message = None
    if isinstance(message, dict) and isinstance(message.get("args") or [], list):
        return message
    session.send({"success": False, "ret_msg": "Invalid JSON", "conn_id": _name(session), "op": ""})
    return None


def _ping(session: Session, message: dict[str, Any], *, private: bool) -> bool:
    if message.get("op") != "ping":
        return False
    req = str(message.get("req_id", ""))
    if private:
        stamp = str(int(time.time() * 1000))
        reply = {"req_id": req, "op": "pong", "args": [stamp], "conn_id": _name(session)}
    else:
        reply = _ack(session, message, ok=True, text="pong")
    session.send(reply)
    return True


def _ack(session: Session, message: dict[str, Any], *, ok: bool, text: str) -> dict[str, Any]:
    return {
        "success": ok,
        "ret_msg": text,
        "conn_id": _name(session),
        "req_id": str(message.get("req_id", "")),
        "op": message.get("op", ""),
    }


def _push(topic: str, kind: str, data: Any, now: int, *, cs: int | None = None) -> dict[str, Any]:
    message = {"topic": topic, "type": kind, "ts": now, "data": data}
    if cs is not None:
        message["cs"] = cs
    return message


def _snapshot(topic: str, contract: Contract, view: BookView) -> dict[str, Any]:
    bids, asks = list(view.bids.items()), list(view.asks.items())
    return _book(topic, "snapshot", contract, view, bids, asks)


def _book(
    topic: str,
    kind: str,
    contract: Contract,
    view: BookView,
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
) -> dict[str, Any]:
    price, qty = contract.price_text, contract.qty_text
    return {
        "topic": topic,
        "type": kind,
        "ts": view.ts_ms,
        "data": {
            "s": contract.venue_symbol,
            "b": [[price(tick), qty(lots) if lots else "0"] for tick, lots in bids],
            "a": [[price(tick), qty(lots) if lots else "0"] for tick, lots in asks],
            "u": view.number,
            "seq": view.update_id,
        },
        "cts": view.ts_ms,
    }
