"""Bybit v5 WebSocket: public linear topics, private topics, and the trade socket."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from exchanges.practice.bybit import codes
from exchanges.practice.bybit.market import INTERVALS
from exchanges.practice.bybit.orders import BybitNo
from exchanges.practice.bybit.pushes import DEPTHS, BybitPushes, push, snapshot
from exchanges.practice.wire import BookView, Session, converse, loads, same, sign_hex

PRIVATE = frozenset(
    {"order", "order.linear", "execution", "execution.linear", "execution.fast"}
    | {"execution.fast.linear", "position", "position.linear", "wallet", "dcp.future", "greeks"}
)


class BybitStream(BybitPushes):
    """The WebSocket side of the Bybit dialect: what clients ask for."""

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
            return lambda: session.send(snapshot(topic, contract, view))
        if topic.startswith("tickers."):
            if fresh:
                self._tickers[topic] = self._ticker(self.venue.ticker(contract.symbol), contract)
            row, now = self._tickers[topic], self.venue.now_ms()
            return lambda: session.send(push(topic, "snapshot", row, now, cs=now))
        if topic.startswith("kline."):
            return lambda: self._push_kline(topic, contract)
        return None


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
