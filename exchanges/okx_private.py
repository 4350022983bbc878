"""OKX v5 frames about the account: the channels orders, orders-algo, positions and account.

The rows are the same in streams and queries, fees included: negative when paid.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from core.model.account import Balance, PositionReport
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import Fill, OrderKind, OrderReport, OrderStatus
from exchanges.feed import MILLI
from exchanges.private import SETTLE, Names, PrivateFeed, number, optional

ORDER_SAMPLE = (
    '{"arg":{"channel":"orders","instType":"SWAP"},"data":[{"accFillSz":"3","algoClOrdId":"",'
    '"algoId":"","avgPx":"103698.9","cTime":"1746947317401","cancelSource":"","clOrdId":'
    '"T1AAAA01000000001X7K2M9Q","execType":"M","fillFee":"-0.621","fillPx":"103698.9","fillSz":'
    '"3","fillTime":"1746947317402","instId":"BTC-USDT-SWAP","instType":"SWAP","ordId":'
    '"2497956918703120384","ordType":"limit","px":"103698.9","reduceOnly":"false","side":"buy",'
    '"state":"filled","sz":"3","tradeId":"1518905529","uTime":"1746947317402"}]}'
)
ALGO_SAMPLE = (
    '{"arg":{"channel":"orders-algo","instType":"SWAP"},"data":[{"algoId":"706620792746729472",'
    '"algoClOrdId":"T1AAAA01000000002X7K2M9Q","ordId":"","instId":"BTC-USDT-SWAP","ordType":'
    '"conditional","state":"live","side":"sell","sz":"3","slTriggerPx":"95000","slOrdPx":"-1",'
    '"slTriggerPxType":"mark","reduceOnly":"true","actualPx":"","actualSz":"0","cTime":'
    '"1737400000000","uTime":"1737400000000"}]}'
)
POSITION_SAMPLE = (
    '{"arg":{"channel":"positions","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","pos":'
    '"-3","posSide":"net","avgPx":"3320","markPx":"3353.6","liqPx":"5000.1","lever":"10","upl":'
    '"-1.008","uTime":"1619507761462"}]}'
)
WALLET_SAMPLE = (
    '{"arg":{"channel":"account"},"data":[{"details":[{"ccy":"USDT","cashBal":"100.527","availBal"'
    ':"90.5","availEq":"90.5","eq":"100.6"},{"ccy":"BTC","cashBal":"0.1","availBal":"0.1"}]}]}'
)

_STATUS = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIAL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "mmp_canceled": OrderStatus.CANCELLED,
    # of algo orders; "effective" means triggered, what came of it is the child's affair:
    "pause": OrderStatus.OPEN,
    "partially_effective": OrderStatus.OPEN,
    "effective": OrderStatus.OPEN,
    "order_placed": OrderStatus.OPEN,
    "order_failed": OrderStatus.REJECTED,
    "partially_failed": OrderStatus.REJECTED,
}

T = TypeVar("T")


class Rows(Struct, Generic[T]):
    """What replies and frames carry alike."""

    data: list[T]


class OrderRow(Struct):
    """An order in a stream or a query; the fields of its last fill are in the stream only."""

    instId: str
    ordId: str
    side: Side
    ordType: str
    state: str
    sz: str
    accFillSz: str
    uTime: str
    clOrdId: str = ""
    px: str = ""
    avgPx: str = ""
    reduceOnly: str | bool = ""
    cancelSource: str = ""
    cancelSourceReason: str = ""
    algoClOrdId: str = ""
    algoId: str = ""
    tradeId: str = ""
    fillSz: str = ""
    fillPx: str = ""
    fillFee: str = ""
    fillTime: str = ""
    execType: str = ""


class AlgoRow(Struct):
    """A conditional order in a stream or a query."""

    instId: str
    algoId: str
    side: Side
    state: str
    sz: str
    uTime: str = ""
    cTime: str = ""
    algoClOrdId: str = ""
    ordId: str = ""
    ordIdList: list[str] = []
    slTriggerPx: str = ""
    tpTriggerPx: str = ""
    triggerPx: str = ""
    reduceOnly: str | bool = ""
    failCode: str = ""


class PositionRow(Struct):
    """A position in a stream or a query."""

    instId: str
    pos: str
    avgPx: str = ""
    markPx: str = ""
    liqPx: str = ""
    lever: str = ""
    upl: str = ""
    posSide: str = "net"


class CashRow(Struct):
    """One currency of the account."""

    ccy: str
    cashBal: str = ""
    availBal: str = ""
    availEq: str = ""


class WalletRow(Struct):
    """The account in a stream or a query."""

    details: list[CashRow]


class _Arg(Struct):
    channel: str = ""


class _Envelope(Struct):
    arg: _Arg | None = None
    event: str = ""


decode_orders = Decoder(Rows[OrderRow]).decode
decode_algos = Decoder(Rows[AlgoRow]).decode
decode_positions = Decoder(Rows[PositionRow]).decode
decode_wallets = Decoder(Rows[WalletRow]).decode
_envelope = Decoder(_Envelope).decode


def _yes(value: str | bool) -> bool:
    return value is True or value == "true"


def read_order(
    row: OrderRow, item: Instrument, names: Names, received: int, source: str
) -> OrderReport:
    """Turn an order row into a report; a stop's child is told as the stop."""
    client_id = row.algoClOrdId or names.client(item.symbol, row.ordId, row.clOrdId)
    stop = bool(row.algoClOrdId) or names.is_stop(client_id)
    if stop:
        names.mark_stop(client_id)
    names.link(item.symbol, row.ordId, client_id)
    market = row.ordType in ("market", "optimal_limit_ioc")
    kind = OrderKind.STOP if stop else OrderKind.MARKET if market else OrderKind.LIMIT
    size = item.contract_size
    return OrderReport(
        "okx", item.symbol, client_id, row.ordId, row.side, kind,
        _STATUS.get(row.state, OrderStatus.UNKNOWN), number(row.sz) * size,
        number(row.accFillSz) * size, int(row.uTime) * MILLI, received,
        price=optional(row.px) if kind is OrderKind.LIMIT else None, average=optional(row.avgPx),
        reduce_only=_yes(row.reduceOnly),
        reason=row.cancelSourceReason or (row.cancelSource and f"cancelSource {row.cancelSource}"),
        source=source,
    )  # fmt: skip


def read_algo(
    row: AlgoRow, item: Instrument, names: Names, received: int, source: str
) -> OrderReport:
    """Turn a conditional order's row into a report."""
    names.mark_stop(row.algoClOrdId, row.algoId)
    for child in (row.ordId, *row.ordIdList):
        names.link(item.symbol, child, row.algoClOrdId)
    size = item.contract_size
    return OrderReport(
        "okx", item.symbol, row.algoClOrdId, row.algoId, row.side, OrderKind.STOP,
        _STATUS.get(row.state, OrderStatus.UNKNOWN), number(row.sz) * size, Decimal(0),
        int(row.uTime or row.cTime) * MILLI, received,
        trigger=optional(row.slTriggerPx or row.triggerPx or row.tpTriggerPx),
        reduce_only=_yes(row.reduceOnly),
        reason=f"failCode {row.failCode}" if row.failCode not in ("", "0") else "", source=source,
    )  # fmt: skip


def read_position(row: PositionRow, item: Instrument, received: int) -> PositionReport:
    """Turn a position row into a report."""
    qty = number(row.pos) * item.contract_size
    return PositionReport(
        "okx", item.symbol, -qty if row.posSide == "short" else qty, number(row.avgPx), received,
        mark=optional(row.markPx), liquidation=optional(row.liqPx), leverage=optional(row.lever),
        unrealised=number(row.upl),
    )  # fmt: skip


def read_wallet(rows: Sequence[WalletRow], received: int) -> Balance | None:
    """Find the settlement currency in the account."""
    for row in rows:
        for cash in row.details:
            if cash.ccy == SETTLE:
                free = number(cash.availEq or cash.availBal)
                return Balance("okx", SETTLE, number(cash.cashBal), received, free=free)
    return None


class OkxPrivate(PrivateFeed):
    """The channels orders, orders-algo, positions and account."""

    venue = "okx"

    def _route(self, text: str, received: int) -> bool:
        if not text.startswith("{"):
            return False
        envelope = _envelope(text)
        channel = envelope.arg.channel if envelope.arg and not envelope.event else ""
        if channel == "orders":
            for order in decode_orders(text).data:
                self._take_order(order, received)
        elif channel == "orders-algo":
            for algo in decode_algos(text).data:
                if item := self.instruments.get(algo.instId):
                    self.sink(read_algo(algo, item, self.names, received, "stream"))
        elif channel == "positions":
            for position in decode_positions(text).data:
                if item := self.instruments.get(position.instId):
                    self.sink(read_position(position, item, received))
        elif channel == "account":
            if balance := read_wallet(decode_wallets(text).data, received):
                self.sink(balance)
        else:
            return False
        return True

    def _take_order(self, row: OrderRow, received: int) -> None:
        item = self.instruments.get(row.instId)
        if item is None:
            return
        report = read_order(row, item, self.names, received, "stream")
        filled = number(row.fillSz)
        if filled and row.tradeId:
            self.sink(
                Fill("okx", item.symbol, row.tradeId, report.client_id, row.ordId, row.side,
                     filled * item.contract_size, number(row.fillPx), -number(row.fillFee),
                     row.execType == "M", int(row.fillTime) * MILLI, received)
            )  # fmt: skip
        self.sink(report)
