"""Bybit v5 frames about the account: the topics order, execution, position and wallet.

The rows are the same in streams and queries.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from core.model.account import Balance, PositionReport
from core.model.market import Side
from core.model.order import Fill, OrderKind, OrderReport, OrderStatus
from exchanges.feed import MILLI
from exchanges.private import SETTLE, PrivateFeed, number, optional

ORDER_SAMPLE = (
    '{"id":"5923240c6880ab-c59f-420b-9adb-3639adc9dd90","topic":"order","creationTime":'
    '1672364262474,"data":[{"symbol":"ETHUSDT","orderId":"5cf98598-39a7-459e-97bf-76ca765ee020",'
    '"side":"Sell","orderType":"Market","cancelType":"UNKNOWN","price":"72.5","qty":"1","timeInForce":'
    '"IOC","orderStatus":"Filled","orderLinkId":"T1AAAA01000000001X7K2M9Q","reduceOnly":false,'
    '"leavesQty":"0","cumExecQty":"1","avgPrice":"75","createdTime":"1672364262444",'
    '"updatedTime":"1672364262457","rejectReason":"EC_NoError","stopOrderType":"","tpslMode":"",'
    '"triggerPrice":"","category":"linear"}]}'
)
FILL_SAMPLE = (
    '{"topic":"execution","id":"386825804_BTCUSDT_140612148849382","creationTime":1746270400355,'
    '"data":[{"category":"linear","symbol":"BTCUSDT","execFee":"26.3725275","execId":'
    '"0ab1bdf7-4219-438b-b30a-32ec863018f7","execPrice":"95900.1","execQty":"0.5","execType":'
    '"Trade","feeRate":"0.00055","orderId":"9aac161b-8ed6-450d-9cab-c5cc67c21784","orderLinkId":'
    '"T1AAAA01000000001X7K2M9Q","side":"Sell","execTime":"1746270400353","isMaker":false}]}'
)
POSITION_SAMPLE = (
    '{"id":"1003076014fb7eedb","topic":"position","creationTime":1762199126022,"data":'
    '[{"positionIdx":0,"symbol":"ETHUSDT","side":"Sell","size":"0.01","entryPrice":"3641.075",'
    '"leverage":"30","markPrice":"3641.33","unrealisedPnl":"-0.00255","liqPrice":"51764.83",'
    '"category":"linear"}]}'
)
WALLET_SAMPLE = (
    '{"id":"592324d2bce751","topic":"wallet","creationTime":1700034722104,"data":[{"coin":'
    '[{"coin":"BTC","walletBalance":"0.001"},{"coin":"USDT","walletBalance":"9647.75537647",'
    '"totalOrderIM":"0","totalPositionIM":"127.85","locked":"0"}]}]}'
)

_STATUS = {
    "Created": OrderStatus.ACKED,
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIAL,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_NO_REASON = frozenset({"EC_NoError", "EC_PerCancelRequest"})
"""Codes that say nothing: all is well, or it was asked for."""
EXECUTIONS = frozenset({"Trade", "AdlTrade", "BustTrade", "Settle"})
"""Execution types that move a position."""

T = TypeVar("T")


class OrderRow(Struct):
    """An order in a stream or a query."""

    symbol: str
    orderId: str
    side: str
    orderType: str
    orderStatus: str
    qty: str
    cumExecQty: str
    updatedTime: str
    price: str = ""
    orderLinkId: str = ""
    avgPrice: str = ""
    triggerPrice: str = ""
    reduceOnly: bool = False
    rejectReason: str = ""
    category: str = "linear"


class FillRow(Struct):
    """An execution in a stream or a query."""

    symbol: str
    execId: str
    execType: str
    execQty: str
    execPrice: str
    execFee: str
    execTime: str
    orderId: str
    side: str
    orderLinkId: str = ""
    isMaker: bool = False
    feeRate: str = ""
    category: str = "linear"


class PositionRow(Struct):
    """A position in a stream or a query: the average price is named differently in each."""

    symbol: str
    side: str
    size: str
    entryPrice: str = ""
    avgPrice: str = ""
    leverage: str = ""
    markPrice: str = ""
    unrealisedPnl: str = ""
    liqPrice: str = ""


class CoinRow(Struct):
    """One currency of a wallet."""

    coin: str
    walletBalance: str
    totalOrderIM: str = ""
    totalPositionIM: str = ""
    locked: str = ""


class WalletRow(Struct):
    """A wallet in a stream or a query."""

    coin: list[CoinRow]


class _Topic(Struct):
    topic: str = ""


class _Frame(Struct, Generic[T]):
    data: list[T]


_topic = Decoder(_Topic).decode
_order_frame = Decoder(_Frame[OrderRow]).decode
_fill_frame = Decoder(_Frame[FillRow]).decode
_position_frame = Decoder(_Frame[PositionRow]).decode
_wallet_frame = Decoder(_Frame[WalletRow]).decode


def read_order(row: OrderRow, symbol: str, received: int, source: str) -> OrderReport:
    """Turn an order row into a report."""
    trigger = optional(row.triggerPrice)
    limit = row.orderType == "Limit"
    kind = OrderKind.STOP if trigger else OrderKind.LIMIT if limit else OrderKind.MARKET
    reason = "" if row.rejectReason in _NO_REASON else row.rejectReason
    return OrderReport(
        "bybit", symbol, row.orderLinkId, row.orderId, SIDES[row.side], kind,
        _STATUS.get(row.orderStatus, OrderStatus.UNKNOWN), number(row.qty),
        number(row.cumExecQty), int(row.updatedTime) * MILLI, received,
        price=optional(row.price) if limit else None, trigger=trigger,
        average=optional(row.avgPrice), reduce_only=row.reduceOnly, reason=reason, source=source,
    )  # fmt: skip


def read_fill(row: FillRow, symbol: str, received: int, source: str) -> Fill:
    """Turn an execution row into a fill."""
    return Fill(
        "bybit", symbol, row.execId, row.orderLinkId, row.orderId, SIDES[row.side],
        number(row.execQty), number(row.execPrice), number(row.execFee), row.isMaker,
        int(row.execTime) * MILLI, received, source,
    )  # fmt: skip


def read_position(row: PositionRow, symbol: str, received: int) -> PositionReport:
    """Turn a position row into a report."""
    size = number(row.size)
    return PositionReport(
        "bybit", symbol, -size if row.side == "Sell" else size,
        number(row.entryPrice or row.avgPrice), received, mark=optional(row.markPrice),
        liquidation=optional(row.liqPrice), leverage=optional(row.leverage),
        unrealised=number(row.unrealisedPnl),
    )  # fmt: skip


def read_wallet(rows: Sequence[WalletRow], received: int) -> Balance | None:
    """Find the settlement currency in a wallet."""
    for row in rows:
        for coin in row.coin:
            if coin.coin == SETTLE:
                total = number(coin.walletBalance)
                used = number(coin.totalOrderIM) + number(coin.totalPositionIM)
                return Balance(
                    "bybit", SETTLE, total, received, free=total - used - number(coin.locked)
                )
    return None


class BybitPrivate(PrivateFeed):
    """The topics order, execution, position and wallet."""

    venue = "bybit"

    def _route(self, text: str, received: int) -> bool:
        if '"topic"' not in text:
            return False
        topic = _topic(text).topic
        take = {
            "order": self._take_orders,
            "execution": self._take_fills,
            "position": self._take_positions,
            "wallet": self._take_wallet,
        }.get(topic)
        if take is None:
            return False
        take(text, received)
        return True

    def _take_orders(self, text: str, received: int) -> None:
        for row in _order_frame(text).data:
            if item := self.instruments.get(row.symbol):
                self.sink(read_order(row, item.symbol, received, "stream"))

    def _take_fills(self, text: str, received: int) -> None:
        for row in _fill_frame(text).data:
            item = self.instruments.get(row.symbol)
            if item and row.execType in EXECUTIONS:
                self.sink(read_fill(row, item.symbol, received, "stream"))

    def _take_positions(self, text: str, received: int) -> None:
        for row in _position_frame(text).data:
            if item := self.instruments.get(row.symbol):
                self.sink(read_position(row, item.symbol, received))

    def _take_wallet(self, text: str, received: int) -> None:
        if balance := read_wallet(_wallet_frame(text).data, received):
            self.sink(balance)
