"""OKX v5 frames: what subscribers of the market and the account channels are told."""

from __future__ import annotations

from typing import Any

from exchanges.practice.contracts import Contract
from exchanges.practice.okx import holdings, quotes, shapes
from exchanges.practice.okx.market import BARS
from exchanges.practice.okx.rest import OkxRest
from exchanges.practice.pushes import Pushes
from exchanges.practice.state import (
    BookChanged,
    Change,
    Filled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    TickerChanged,
    WalletChanged,
)
from exchanges.practice.wire import BookView, plain

DEPTHS = {"books": 400, "books5": 5, "bbo-tbt": 1, "books50-l2-tbt": 50, "books-l2-tbt": 400}
FULL = frozenset({"books5", "bbo-tbt"})
"""Book channels that send whole views; the others send a snapshot, then changes."""
INDEX = "index-tickers"
"""The one channel of an index (BTC-USDT) instead of its swap."""
MARKET = frozenset(
    {"trades", "tickers", "mark-price", "funding-rate", "open-interest", "price-limit", INDEX}
)


class OkxPushes(Pushes):
    """Each topic is a channel with its argument, which comes back in every frame."""

    def __init__(self, rest: OkxRest) -> None:
        super().__init__(rest.venue)
        self.rest = rest
        self._books: dict[str, BookView] = {}
        self._args: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, tuple[int, ...]] = {}

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
        contract = self.venue.contracts[event.symbol]
        for channel in MARKET:
            name = contract.venue_symbol
            topic = f"{channel}:{quotes.index_name(contract) if channel == INDEX else name}"
            if channel not in {"trades", "tickers"} and topic in self.topics:
                row = self._market_row(channel, self.venue.ticker(event.symbol), contract)
                self.topics.publish(topic, self._wrap(topic, [row]))

    def _market_row(self, channel: str, ticker: Any, contract: Contract) -> dict[str, Any]:
        if channel == "tickers":
            return quotes.ticker_row(ticker, contract)
        if channel == "mark-price":
            return quotes.mark_row(ticker, contract)
        if channel == "funding-rate":
            return quotes.funding_row(ticker, contract)
        if channel == INDEX:
            return quotes.index_row(ticker, contract)
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
        row = holdings.position_row(position, contract, self.rest.account.last(position.symbol))
        self._tell("positions", event.account, position.symbol, row)

    def _on_wallet(self, event: WalletChanged) -> None:
        self._tell("account", event.account, "", holdings.balance_row(event.wallet))
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
