"""OKX v5 WebSocket: public, private and business sockets, with order entry on the private one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from exchanges.practice.contracts import Contract
from exchanges.practice.okx import holdings
from exchanges.practice.okx.market import BARS
from exchanges.practice.okx.orders import OkxNo
from exchanges.practice.okx.pushes import DEPTHS, INDEX, MARKET, OkxPushes
from exchanges.practice.okx.trading import overall
from exchanges.practice.wire import BookView, Session, converse, loads, same, sign_base64

SILENCE = 30.0
"""Seconds without a message before the venue hangs up; clients send ``ping``."""
PRIVATE = frozenset({"orders", "positions", "account", "balance_and_position", "fills"})
ALGO = frozenset({"orders-algo", "algo-advance"})


class OkxStream(OkxPushes):
    """The WebSocket side of the OKX dialect: what clients ask for."""

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``/public``, ``/private`` or ``/business``."""
        access = request.match_info["access"]

        def on_open(session: Session) -> None:
            session.login = {"access": access, "conn": uuid.uuid4().hex[:8]}

        return await converse(request, self.topics, self._text, on_open=on_open, silence=SILENCE)

    # --- what clients say

    def _text(self, session: Session, text: str) -> None:
        if text == "ping":
            session.send_text("pong")
            return
        try:
            message = loads(text)
            op, args = message.get("op"), message.get("args")
        except (ValueError, AttributeError):
            _error(session, "60012", f"Invalid request: {text[:200]}")
            return
        if not isinstance(args, list) or not all(isinstance(arg, dict) for arg in args):
            _error(session, "60013", "Invalid args")
        elif op == "login":
            self._login(session, args)
        elif op in {"subscribe", "unsubscribe"}:
            number = message.get("id")
            for arg in args:
                self._subscribe(session, arg, number, on=op == "subscribe")
        else:
            self._place(session, str(op), message)

    def _login(self, session: Session, args: list[dict[str, Any]]) -> None:
        if session.login["access"] == "public":
            _error(session, "60008", "The current channel does not support logging in.")
            return
        given = args[0] if args else {}
        credential = self.venue.api_keys.get(str(given.get("apiKey")))
        stamp = str(given.get("timestamp", ""))
        if credential is None:
            _error(session, "60005", "Invalid apiKey")
        elif not _recent(stamp, self.venue.now_ms() / 1000):
            _error(session, "60006", "Timestamp request expired")
        elif not same(credential.passphrase, str(given.get("passphrase", ""))):
            _error(session, "60024", "Wrong passphrase")
        elif not same(
            sign_base64(credential.secret, f"{stamp}GET/users/self/verify"),
            str(given.get("sign", "")),
        ):
            _error(session, "60007", "Invalid sign")
        else:
            session.account = credential.account
            conn = session.login["conn"]
            session.send({"event": "login", "msg": "", "code": "0", "connId": conn})

    def _subscribe(self, session: Session, arg: dict[str, Any], number: Any, *, on: bool) -> None:
        channel = str(arg.get("channel", ""))
        no = self._objection(session, channel, arg)
        if no is not None:
            _error(session, no.code, no.text, number)
            return
        topic = self._topic(session, channel, arg)
        event: dict[str, Any] = {
            "event": "subscribe" if on else "unsubscribe",
            "arg": arg,
            "connId": session.login["conn"],
        }
        if number is not None:
            event["id"] = number
        session.send(event)
        if not on:
            self.topics.remove(topic, session)
            return
        fresh = topic not in self.topics
        self._args[topic] = _public_arg(arg, session.account)
        if self.topics.add(topic, session):
            self._greet(session, channel, topic, arg, fresh)

    def _objection(self, session: Session, channel: str, arg: dict[str, Any]) -> OkxNo | None:
        """Say why a subscription is refused; None when it is not."""
        access = session.login["access"]
        candle = channel.startswith("candle")
        home = "public"
        if channel in PRIVATE:
            home = "private"
        elif channel in ALGO or candle:
            home = "business"
        elif channel not in MARKET and channel not in DEPTHS and channel != "instruments":
            return OkxNo("60018", f"Wrong URL or channel:{channel} doesn't exist.")
        if home != access:
            return OkxNo("60018", f"Wrong URL or channel:{channel} doesn't exist.")
        if (channel in PRIVATE or channel in ALGO) and session.account is None:
            return OkxNo("60011", "Please log in")
        if candle and channel.removeprefix("candle") not in BARS:
            return OkxNo("60018", f"Wrong URL or channel:{channel} doesn't exist.")
        if channel in MARKET or channel in DEPTHS or candle:
            name = str(arg.get("instId", ""))
            if self._named(channel, name) is None:
                return OkxNo(
                    "60018", f"Wrong URL or channel:{channel},instId:{name} doesn't exist."
                )
        return None

    def _named(self, channel: str, name: str) -> Contract | None:
        """Return the swap that a channel's argument means: an index is named without it."""
        if channel != INDEX:
            return self._contract(name)
        return None if name.endswith("-SWAP") else self._contract(f"{name}-SWAP")

    @staticmethod
    def _topic(session: Session, channel: str, arg: dict[str, Any]) -> str:
        if channel in PRIVATE or channel in ALGO:
            # The arguments differ between clients and come back in every push.
            rest = ",".join(f"{key}={arg[key]}" for key in sorted(arg) if key != "channel")
            return f"{channel}@{session.account}|{rest}"
        return f"{channel}:{arg.get('instId', '')}"

    def _greet(
        self, session: Session, channel: str, topic: str, arg: dict[str, Any], fresh: bool
    ) -> None:
        """Send what a channel sends first: a snapshot."""
        contract = self._named(channel, str(arg.get("instId", "")))
        if channel in DEPTHS and contract is not None:
            view = self._books.get(topic)
            if fresh or view is None:
                view = self._books[topic] = BookView(DEPTHS[channel])
                view.change(self.venue.depth(contract.symbol, view.depth))
            session.send(self._snapshot(channel, topic, contract, view))
        elif channel in MARKET and channel != "trades" and contract is not None:
            ticker = self.venue.ticker(contract.symbol)
            session.send(self._wrap(topic, [self._market_row(channel, ticker, contract)]))
        elif channel.startswith("candle") and contract is not None:
            self._push_kline(topic, contract, channel.removeprefix("candle"))
        elif channel == "account":
            rows = [holdings.balance_row(self.venue.wallet(session.account))]
            session.send(self._wrap(topic, rows, first=True))
        elif channel == "positions":
            rows = self.rest.account.positions(session.account, _named(arg))
            session.send(self._wrap(topic, rows, first=True))
        elif channel == "balance_and_position":
            session.send(self._wrap(topic, [self._both(session.account, "snapshot")]))
        elif channel == "instruments":
            session.send(self._wrap(topic, self.rest.market.instruments("", {"instType": "SWAP"})))

    def _place(self, session: Session, op: str, message: dict[str, Any]) -> None:
        desk, number = self.rest.desk, str(message.get("id", ""))
        acts: dict[str, tuple[Callable[[str, Any], dict[str, Any]], bool, str, int]] = {
            "order": (desk.create, True, "/api/v5/trade/order", 60),
            "batch-orders": (desk.create, True, "/api/v5/trade/batch-orders", 300),
            "amend-order": (desk.amend, True, "/api/v5/trade/amend-order", 60),
            "batch-amend-orders": (desk.amend, True, "/api/v5/trade/amend-batch-orders", 300),
            "cancel-order": (desk.cancel, False, "/api/v5/trade/cancel-order", 60),
            "batch-cancel-orders": (desk.cancel, False, "/api/v5/trade/cancel-batch-orders", 300),
        }
        if op not in acts:
            _error(session, "60019", f"Invalid op: {op}", message.get("id"))
            return
        act, orders, path, rate = acts[op]
        arrived = str(self.venue.now_ms() * 1000)
        reply: dict[str, Any] = {"id": number, "op": op, "code": "0", "msg": "", "data": []}
        try:
            if session.login["access"] != "private":
                raise OkxNo("60028", "The current operation is not supported by this URL.")
            if session.account is None:
                raise OkxNo("60011", "Please log in")
            self.rest.count(session.account, path, rate)
            rows = self.rest.trading.each(session.account, message["args"], act, orders=orders)
            code, text = overall(rows)
            reply |= {"code": code, "msg": text, "data": rows}
        except OkxNo as no:
            reply |= {"code": no.code, "msg": no.text}
        reply |= {"inTime": arrived, "outTime": str(time.time_ns() // 1000)}
        session.send(reply)


def _recent(stamp: str, now: float) -> bool:
    try:
        return abs(now - float(stamp)) <= 30
    except ValueError:
        return False


def _named(arg: dict[str, Any]) -> dict[str, Any]:
    return {"instId": arg["instId"]} if arg.get("instId") else {}


def _public_arg(arg: dict[str, Any], account: str | None) -> dict[str, Any]:
    """Return the argument as pushes repeat it: the venue adds the account to private ones."""
    private = arg.get("channel") in PRIVATE or arg.get("channel") in ALGO
    return {**arg, "uid": account} if private else dict(arg)


def _error(session: Session, code: str, text: str, number: Any = None) -> None:
    message = {"event": "error", "code": code, "msg": text, "connId": session.login["conn"]}
    if number is not None:
        message["id"] = number
    session.send(message)
