"""OKX v5 WebSocket: public, private and business sockets, with order entry on the private one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from exchanges.practice.contracts import Contract
from exchanges.practice.okx import quotes, shapes
from exchanges.practice.okx.market import BARS
from exchanges.practice.okx.orders import OkxNo
from exchanges.practice.okx.rest import OkxRest
from exchanges.practice.okx.trading import overall
from exchanges.practice.state import (
    BookChanged,
    Change,
    Filled,
    FundingSettled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PracticeEvent,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    Refusal,
    TickerChanged,
    WalletChanged,
)
from exchanges.practice.wire import (
    BookView,
    Session,
    Topics,
    converse,
    loads,
    plain,
    same,
    sign_base64,
)

SILENCE = 30.0
"""Seconds without a message before the venue hangs up; clients send ``ping``."""
DEPTHS = {"books": 400, "books5": 5, "bbo-tbt": 1, "books50-l2-tbt": 50, "books-l2-tbt": 400}
FULL = frozenset({"books5", "bbo-tbt"})
"""Book channels that send whole views; the others send a snapshot, then changes."""
MARKET = frozenset(
    {"trades", "tickers", "mark-price", "funding-rate", "open-interest", "price-limit"}
)
PRIVATE = frozenset({"orders", "positions", "account", "balance_and_position", "fills"})
ALGO = frozenset({"orders-algo", "algo-advance"})


class OkxStream:
    """The WebSocket side of the OKX dialect."""

    def __init__(self, rest: OkxRest) -> None:
        self.rest = rest
        self.venue = rest.venue
        self.topics = Topics()
        self._books: dict[str, BookView] = {}
        self._args: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, tuple[int, ...]] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            PublicTrade: self._on_trade,
            BookChanged: self._on_book,
            TickerChanged: self._on_ticker,
            KlineChanged: self._on_kline,
            OrderChanged: self._on_order,
            Filled: self._on_fill,
            PositionChanged: self._on_position,
            WalletChanged: self._on_wallet,
            FundingSettled: lambda _: None,
        }
        self.venue.subscribe(self.on_event)

    def on_event(self, event: PracticeEvent) -> None:
        """Turn an event of the exchange into frames for those who subscribed."""
        self._handlers[type(event)](event)

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
            if self._contract(name) is None:
                return OkxNo(
                    "60018", f"Wrong URL or channel:{channel},instId:{name} doesn't exist."
                )
        return None

    def _contract(self, name: str) -> Contract | None:
        try:
            return self.venue.contract_of(name)
        except Refusal:
            return None

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
        contract = self._contract(str(arg.get("instId", "")))
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
            rows = [shapes.balance_row(self.venue.wallet(session.account))]
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

    # --- market events

    def _wrap(
        self, topic: str, data: list[Any], *, action: str = "", first: bool = False
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"arg": self._args[topic]}
        if action:
            message["action"] = action
        if first:
            message |= {"eventType": "snapshot", "curPage": 1, "lastPage": True}
        message["data"] = data
        return message

    def _on_trade(self, trade: PublicTrade) -> None:
        contract = self.venue.contracts[trade.symbol]
        topic = f"trades:{contract.venue_symbol}"
        if topic in self.topics:
            row = quotes.trade_row(trade, contract, stream=True)
            self.topics.publish(topic, self._wrap(topic, [row]))

    def _on_book(self, change: BookChanged) -> None:
        contract = self.venue.contracts[change.symbol]
        for channel in DEPTHS:
            topic = f"{channel}:{contract.venue_symbol}"
            if topic not in self.topics:
                continue
            view = self._books[topic]
            previous = view.update_id
            bids, asks = view.change(self.venue.depth(change.symbol, view.depth))
            if channel in FULL:
                if bids or asks:
                    self.topics.publish(topic, self._snapshot(channel, topic, contract, view))
            elif bids or asks:
                row = {
                    "asks": quotes.levels(asks, contract),
                    "bids": quotes.levels(bids, contract),
                    "ts": str(view.ts_ms),
                    "checksum": 0,
                    "seqId": view.update_id,
                    "prevSeqId": previous,
                }
                self.topics.publish(topic, self._wrap(topic, [row], action="update"))
            else:
                view.update_id = previous
        self._tell_ticker(f"tickers:{contract.venue_symbol}", contract)

    def _tell_ticker(self, topic: str, contract: Contract) -> None:
        """Send a ticker when the best levels or the last trade moved, as the venue does."""
        if topic not in self.topics:
            return
        ticker = self.venue.ticker(contract.symbol)
        shown = (ticker.bid_tick, ticker.bid_lots, ticker.ask_tick, ticker.ask_lots)
        known = (*shown, ticker.last_tick, ticker.last_lots)
        if self._shown.get(topic) != known:
            self._shown[topic] = known
            self.topics.publish(topic, self._wrap(topic, [quotes.ticker_row(ticker, contract)]))

    def _snapshot(
        self, channel: str, topic: str, contract: Contract, view: BookView
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "asks": quotes.levels(list(view.asks.items()), contract),
            "bids": quotes.levels(list(view.bids.items()), contract),
            "ts": str(view.ts_ms),
            "seqId": view.update_id,
        }
        if channel in FULL:
            row["instId"] = contract.venue_symbol
            return self._wrap(topic, [row])
        row |= {"checksum": 0, "prevSeqId": -1}
        return self._wrap(topic, [row], action="snapshot")

    def _on_ticker(self, event: TickerChanged) -> None:
        contract = self.venue.contracts[event.ticker.symbol]
        for channel in MARKET:
            topic = f"{channel}:{contract.venue_symbol}"
            if channel not in {"trades", "tickers"} and topic in self.topics:
                row = self._market_row(channel, event.ticker, contract)
                self.topics.publish(topic, self._wrap(topic, [row]))

    def _market_row(self, channel: str, ticker: Any, contract: Contract) -> dict[str, Any]:
        if channel == "tickers":
            return quotes.ticker_row(ticker, contract)
        if channel == "mark-price":
            return quotes.mark_row(ticker, contract)
        if channel == "funding-rate":
            return quotes.funding_row(ticker, contract)
        name = {"instId": contract.venue_symbol}
        market = self.rest.market
        found = market.open_interest if channel == "open-interest" else market.price_limit
        row: dict[str, Any] = found("", name)[0]
        return row

    def _on_kline(self, event: KlineChanged) -> None:
        contract = self.venue.contracts[event.symbol]
        for bar in BARS:
            topic = f"candle{bar}:{contract.venue_symbol}"
            if topic not in self.topics:
                continue
            if bar == "1m":
                row = quotes.kline_row(event.kline, contract)
                self.topics.publish(topic, self._wrap(topic, [row]))
            else:
                self._push_kline(topic, contract, bar)

    def _push_kline(self, topic: str, contract: Contract, bar: str) -> None:
        klines = self.venue.klines(contract.symbol, BARS[bar], limit=1)
        rows = [quotes.kline_row(kline, contract) for kline in klines]
        self.topics.publish(topic, self._wrap(topic, rows))

    # --- account events

    def _tell(self, channel: str, account: str, symbol: str, row: dict[str, Any]) -> None:
        """Push to everyone of an account whose filter lets the instrument through."""
        begin = f"{channel}@{account}|"
        contract = self.venue.contracts.get(symbol)
        for topic in self.topics:
            if not topic.startswith(begin):
                continue
            arg = self._args[topic]
            kind, name = arg.get("instType", "ANY"), arg.get("instId")
            family = arg.get("instFamily")
            if kind not in {"ANY", "SWAP"}:
                continue
            if contract is not None:
                if name and name != contract.venue_symbol:
                    continue
                if family and family != f"{contract.instrument.base}-USDT":
                    continue
            self.topics.publish(topic, self._wrap(topic, [row]))

    def _listening(self, channel: str, account: str) -> bool:
        begin = f"{channel}@{account}|"
        return any(topic.startswith(begin) for topic in self.topics)

    def _tell_order(self, order: PracticeOrder, fill: PracticeFill | None) -> None:
        if not self._listening("orders", order.account):
            return
        contract = self.venue.contracts[order.symbol]
        row = shapes.order_push(
            order,
            contract,
            self.rest.desk.parent_of(order),
            fill,
            self.venue.leverage(order.account, order.symbol),
            self.rest.account.last(order.symbol),
        )
        self._tell("orders", order.account, order.symbol, row)

    def _on_order(self, event: OrderChanged) -> None:
        order = event.order
        if order.conditional:
            self._tell_algo(order)
            return
        if event.what is not Change.FILLED:
            self._tell_order(order, None)
        if order.parent_id and order.done:
            parent = self.rest.desk.parent_of(order)
            if parent is not None:
                self._tell_algo(parent)

    def _tell_algo(self, order: PracticeOrder) -> None:
        row = self.rest.desk.algo_row(order)
        if self._listening("orders-algo", order.account):
            push = row | {
                "amendResult": "",
                "notionalUsd": plain(order.qty * (order.trigger or order.qty)),
                "reqId": "",
            }
            self._tell("orders-algo", order.account, order.symbol, push)

    def _on_fill(self, event: Filled) -> None:
        self._tell_order(event.order, event.fill)

    def _on_position(self, event: PositionChanged) -> None:
        position = event.position
        contract = self.venue.contracts[position.symbol]
        row = shapes.position_row(position, contract, self.rest.account.last(position.symbol))
        self._tell("positions", event.account, position.symbol, row)

    def _on_wallet(self, event: WalletChanged) -> None:
        self._tell("account", event.account, "", shapes.balance_row(event.wallet))
        if self._listening("balance_and_position", event.account):
            what = "funding_fee" if event.cause == "funding" else "filled"
            self._tell("balance_and_position", event.account, "", self._both(event.account, what))

    def _both(self, account: str, what: str) -> dict[str, Any]:
        wallet = self.venue.wallet(account)
        positions = [
            {
                "posId": row["posId"],
                "tradeId": row["tradeId"],
                "instId": row["instId"],
                "instType": "SWAP",
                "mgnMode": "cross",
                "posSide": "net",
                "pos": row["pos"],
                "ccy": "USDT",
                "posCcy": "",
                "avgPx": row["avgPx"],
                "uTime": row["uTime"],
            }
            for row in self.rest.account.positions(account, {})
        ]
        cash = {"ccy": "USDT", "cashBal": plain(wallet.balance)}
        stamp = str(wallet.updated_ms)
        return {
            "pTime": str(self.venue.now_ms()),
            "eventType": what,
            "balData": [cash | {"uTime": stamp}],
            "posData": positions,
            "trades": [],
        }


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
