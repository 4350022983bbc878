"""Binance USDⓈ-M frames: what subscribers of the market streams and the user stream are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from msgspec import Struct

from exchanges.practice.binance import quotes, shapes
from exchanges.practice.binance.market import INTERVALS
from exchanges.practice.binance.rest import BinanceRest
from exchanges.practice.contracts import Contract
from exchanges.practice.pushes import Pushes
from exchanges.practice.state import (
    BookChanged,
    Change,
    Filled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PracticeOrder,
    PublicTrade,
    TickerChanged,
    WalletChanged,
    WalletState,
)
from exchanges.practice.wire import plain

DEPTH_SPEEDS = ("depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms")
PARTIAL_DEPTHS = tuple(
    f"depth{levels}{speed}"
    for levels in (5, 10, 20)
    for speed in ("", "@100ms", "@250ms", "@500ms")
)


class Pending(Struct):
    """What an account is told at the end of the loop's turn: money first, then orders."""

    reason: str = "ORDER"
    wallet: WalletState | None = None
    change: Any = 0
    positions: dict[str, dict[str, Any]] = {}
    messages: list[dict[str, Any]] = []


class BinancePushes(Pushes):
    """Frames go out bare or wrapped with the stream's name, as each client asked for them."""

    def __init__(self, rest: BinanceRest) -> None:
        super().__init__(rest.venue)
        self.rest = rest
        self._pending: dict[str, Pending] = {}

    # --- market events

    def _publish(self, name: str, build: Callable[[], Any]) -> None:
        """Build a message if anybody wants it, bare or wrapped."""
        wrapped = f"stream:{name}"
        bare = name in self.topics
        if not bare and wrapped not in self.topics:
            return
        data = build()
        if bare:
            self.topics.publish(name, data)
        self.topics.publish(wrapped, {"stream": name, "data": data})

    def _on_trade(self, trade: PublicTrade) -> None:
        contract = self.venue.contracts[trade.symbol]
        name = contract.venue_symbol.lower()
        price, qty = contract.price_text(trade.tick), contract.qty_text(trade.lots)
        seller = trade.side == "sell"
        self._publish(
            f"{name}@trade",
            lambda: {
                "e": "trade",
                "E": self.venue.now_ms(),
                "T": trade.ts_ms,
                "s": contract.venue_symbol,
                "t": trade.number,
                "p": price,
                "q": qty,
                "X": "MARKET",
                "m": seller,
            },
        )
        self._publish(
            f"{name}@aggTrade",
            lambda: {
                "e": "aggTrade",
                "E": self.venue.now_ms(),
                "a": trade.number,
                "s": contract.venue_symbol,
                "p": price,
                "q": qty,
                "nq": qty,
                "f": trade.number,
                "l": trade.number,
                "T": trade.ts_ms,
                "m": seller,
            },
        )

    def _on_book(self, change: BookChanged) -> None:
        contract = self.venue.contracts[change.symbol]
        symbol = contract.venue_symbol
        name = symbol.lower()

        def diff() -> dict[str, Any]:
            return {
                "e": "depthUpdate",
                "E": self.venue.now_ms(),
                "T": change.ts_ms,
                "s": symbol,
                "U": change.first_id,
                "u": change.last_id,
                "pu": change.prev_id,
                "b": quotes.levels(change.bids, contract),
                "a": quotes.levels(change.asks, contract),
            }

        for channel in DEPTH_SPEEDS:
            self._publish(f"{name}@{channel}", diff)
        for channel in PARTIAL_DEPTHS:
            self._publish(f"{name}@{channel}", partial(self._partial, change, contract, channel))
        for stream in (f"{name}@bookTicker", "!bookTicker"):
            self._publish(stream, lambda: self._top(change, contract))

    def _partial(self, change: BookChanged, contract: Contract, channel: str) -> dict[str, Any]:
        count = int(channel.removeprefix("depth").partition("@")[0])
        book = self.venue.depth(change.symbol, count)
        return {
            "e": "depthUpdate",
            "E": self.venue.now_ms(),
            "T": change.ts_ms,
            "s": contract.venue_symbol,
            "U": change.first_id,
            "u": change.last_id,
            "pu": change.prev_id,
            "b": quotes.levels(book.bids, contract),
            "a": quotes.levels(book.asks, contract),
        }

    def _top(self, change: BookChanged, contract: Contract) -> dict[str, Any]:
        book = self.venue.depth(change.symbol, 1)
        bid = book.bids[0] if book.bids else (0, 0)
        ask = book.asks[0] if book.asks else (0, 0)
        return {
            "e": "bookTicker",
            "u": change.last_id,
            "s": contract.venue_symbol,
            "b": contract.price_text(bid[0]),
            "B": contract.qty_text(bid[1]),
            "a": contract.price_text(ask[0]),
            "A": contract.qty_text(ask[1]),
            "T": change.ts_ms,
            "E": self.venue.now_ms(),
        }

    def _on_ticker(self, event: TickerChanged) -> None:
        contract = self.venue.contracts[event.symbol]
        ticker = cache(partial(self.venue.ticker, event.symbol))
        name = contract.venue_symbol.lower()
        rows: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
            ("miniTicker", lambda: quotes.mini_event(ticker(), contract)),
            ("ticker", lambda: quotes.day_event(ticker(), contract)),
            ("markPrice", lambda: quotes.mark_event(ticker(), contract)),
            ("markPrice@1s", lambda: quotes.mark_event(ticker(), contract)),
        )
        for channel, build in rows:
            self._publish(f"{name}@{channel}", build)
            every = f"!{channel.replace('@', '@arr@', 1) if '@' in channel else channel + '@arr'}"
            self._publish(every, partial(_alone, build))

    def _on_kline(self, event: KlineChanged) -> None:
        contract = self.venue.contracts[event.symbol]
        name = contract.venue_symbol.lower()
        for interval, seconds in INTERVALS.items():
            self._publish(
                f"{name}@kline_{interval}",
                partial(self._kline, event, contract, interval, seconds),
            )

    def _kline(
        self, event: KlineChanged, contract: Contract, interval: str, seconds: int
    ) -> dict[str, Any]:
        kline = event.kline
        if seconds != 60:
            kline = self.venue.klines(event.symbol, seconds, limit=1)[-1]
        return quotes.kline_event(kline, contract, interval, seconds, self.venue.now_ms())

    # --- account events

    def _account(self, account: str, reason: str = "ORDER") -> Pending | None:
        """Return what the account is owed at the end of this turn; None when nobody listens."""
        if f"user@{account}" not in self.topics:
            return None
        pending = self._pending.get(account)
        if pending is not None and pending.reason != reason and pending.wallet is not None:
            self._flush(account)
            pending = None
        if pending is None:
            pending = self._pending[account] = Pending(positions={}, messages=[])
            asyncio.get_running_loop().call_soon(self._flush, account)
        pending.reason = reason
        return pending

    def _flush(self, account: str) -> None:
        pending = self._pending.pop(account, None)
        if pending is None:
            return
        topic, now = f"user@{account}", self.venue.now_ms()
        if pending.wallet is not None or pending.positions:
            wallet = pending.wallet or self.venue.wallet(account)
            balance = plain(wallet.balance)
            funding = pending.reason == "FUNDING_FEE"
            self.topics.publish(
                topic,
                {
                    "e": "ACCOUNT_UPDATE",
                    "E": now,
                    "T": now,
                    "a": {
                        "m": pending.reason,
                        "B": [
                            {
                                "a": "USDT",
                                "wb": balance,
                                "cw": balance,
                                "bc": plain(pending.change) if funding else "0",
                            }
                        ],
                        "P": list(pending.positions.values()),
                    },
                },
            )
        for message in pending.messages:
            self.topics.publish(topic, message)

    def _on_wallet(self, event: WalletChanged) -> None:
        reason = "FUNDING_FEE" if event.cause == "funding" else "ORDER"
        pending = self._account(event.account, reason)
        if pending is not None:
            pending.wallet = event.wallet
            pending.change += event.delta

    def _on_position(self, event: PositionChanged) -> None:
        position = event.position
        contract = self.venue.contracts[position.symbol]
        if event.cause == "funding":
            return
        pending = self._account(event.account)
        if pending is None:
            return
        if event.cause == "leverage":
            now = self.venue.now_ms()
            config = {"s": contract.venue_symbol, "l": int(position.leverage)}
            pending.messages.append(
                {"e": "ACCOUNT_CONFIG_UPDATE", "E": now, "T": now, "ac": config}
            )
            return
        pending.positions[position.symbol] = {
            "s": contract.venue_symbol,
            "pa": plain(position.qty),
            "ep": plain(position.entry),
            "cr": plain(position.realised),
            "up": plain(position.unrealised),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
            "ma": "USDT",
            "bep": plain(position.entry),
        }

    def _on_fill(self, event: Filled) -> None:
        fill, order = event.fill, event.order
        pending = self._account(fill.account)
        if pending is None:
            return
        contract = self.venue.contracts[fill.symbol]
        execution = "CALCULATED" if fill.liquidation else "TRADE"
        pending.messages.append(
            {
                "e": "ORDER_TRADE_UPDATE",
                "E": self.venue.now_ms(),
                "T": fill.ts_ms,
                "o": shapes.order_event(order, contract, execution, fill),
            }
        )

    def _on_order(self, event: OrderChanged) -> None:
        order = event.order
        pending = self._account(order.account)
        if pending is None:
            return
        if order.conditional:
            self._tell_algo(pending, order)
            return
        execution = _execution(event)
        if execution:
            contract = self.venue.contracts[order.symbol]
            pending.messages.append(
                {
                    "e": "ORDER_TRADE_UPDATE",
                    "E": self.venue.now_ms(),
                    "T": order.updated_ms,
                    "o": shapes.order_event(order, contract, execution, None),
                }
            )
        if order.parent_id and order.done:
            parent = self.venue.find_order(order.account, order.symbol, order.parent_id)
            if parent is not None:
                self._tell_algo(pending, parent)

    def _tell_algo(self, pending: Pending, order: PracticeOrder) -> None:
        contract = self.venue.contracts[order.symbol]
        child = self.rest.desk.child_of(order)
        now = self.venue.now_ms()
        row = shapes.algo_event(order, contract, child)
        pending.messages.append({"e": "ALGO_UPDATE", "T": now, "E": now, "o": row})


def _alone(build: Callable[[], Any]) -> list[Any]:
    return [build()]


def _execution(event: OrderChanged) -> str:
    """Say what happened to the order; empty when a fill has told it already."""
    if event.what is Change.ENDED:
        return "CANCELED" if shapes.status_of(event.order) == "CANCELED" else "EXPIRED"
    return {Change.ACCEPTED: "NEW", Change.AMENDED: "AMENDMENT"}.get(event.what, "")
