"""Bybit v5 frames: what subscribers of the public and the private topics are told."""

from __future__ import annotations

import uuid
from typing import Any

from exchanges.practice.bybit import holdings, quotes, shapes
from exchanges.practice.bybit.market import INTERVALS
from exchanges.practice.bybit.rest import BybitRest
from exchanges.practice.contracts import Contract
from exchanges.practice.pushes import Pushes
from exchanges.practice.state import (
    BookChanged,
    Filled,
    FundingSettled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    TickerChanged,
    TickerState,
    WalletChanged,
)
from exchanges.practice.wire import BookView

DEPTHS = {"1": 1, "50": 50, "200": 200, "1000": 1000}
_RESEND_MS = 3000
"""A one-level book that does not change is sent again after this long."""


class BybitPushes(Pushes):
    """Trades, books, tickers and klines; orders, executions, positions and the wallet."""

    def __init__(self, rest: BybitRest) -> None:
        super().__init__(rest.venue)
        self.rest = rest
        self._books: dict[str, BookView] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._last_tick: dict[str, int] = {}
        self._directions: dict[str, str] = {}
        self._hour_ago: dict[str, tuple[int, str]] = {}

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
            self.topics.publish(topic, push(topic, "snapshot", [row], self.venue.now_ms()))

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
                self.topics.publish(topic, snapshot(topic, contract, view))
            else:
                self.topics.publish(topic, _book(topic, "delta", contract, view, bids, asks))
        if f"tickers.{name}" in self.topics:
            self._on_ticker(TickerChanged(change.symbol))

    def _on_ticker(self, event: TickerChanged) -> None:
        contract = self.venue.contracts[event.symbol]
        topic = f"tickers.{contract.venue_symbol}"
        if topic not in self.topics:
            return
        ticker = self.venue.ticker(event.symbol)
        row, before = self._ticker(ticker, contract), self._tickers[topic]
        changed = {key: value for key, value in row.items() if before.get(key) != value}
        self._tickers[topic] = row
        if changed:
            delta = {"symbol": contract.venue_symbol, **changed}
            self.topics.publish(topic, push(topic, "delta", delta, ticker.ts_ms, cs=ticker.ts_ms))

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
                self.topics.publish(topic, push(topic, "snapshot", [row], now))
            else:
                self._push_kline(topic, contract)

    def _push_kline(self, topic: str, contract: Contract) -> None:
        interval = topic.split(".")[1]
        seconds, now = INTERVALS[interval], self.venue.now_ms()
        klines = self.venue.klines(contract.symbol, seconds, limit=1)
        rows = [quotes.kline_push(k, contract, interval, seconds, now) for k in klines]
        self.topics.publish(topic, push(topic, "snapshot", rows, now))

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
        row = holdings.position_row(event.position, self._of(event.position.symbol), stream=True)
        self._tell("position", event.account, row)

    def _on_wallet(self, event: WalletChanged) -> None:
        key = f"wallet@{event.account}"
        if key in self.topics:
            message = {
                "id": f"{event.account}{uuid.uuid4().hex[:16]}",
                "topic": "wallet",
                "creationTime": self.venue.now_ms(),
                "data": [holdings.wallet_row(event.wallet)],
            }
            self.topics.publish(key, message)

    def _on_funding(self, event: FundingSettled) -> None:
        payment = event.payment
        row = holdings.funding_row(payment, self._of(payment.symbol))
        self._tell("execution", payment.account, row)

    def _of(self, symbol: str) -> Contract:
        return self.venue.contracts[symbol]


def push(topic: str, kind: str, data: Any, now: int, *, cs: int | None = None) -> dict[str, Any]:
    """Return a message of a public topic: ``kind`` snapshot or delta, ``now`` in ms."""
    message = {"topic": topic, "type": kind, "ts": now, "data": data}
    if cs is not None:
        message["cs"] = cs
    return message


def snapshot(topic: str, contract: Contract, view: BookView) -> dict[str, Any]:
    """Return a whole book."""
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
