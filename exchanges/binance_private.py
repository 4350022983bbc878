"""Binance USDⓈ-M frames about the account: the events of a listen key.

Streams name a field by a letter where queries spell it out: each has rows of its own.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field
from msgspec.json import Decoder

from core.model.account import Balance, PositionReport
from core.model.market import Side
from core.model.order import Fill, OrderKind, OrderReport, OrderStatus
from exchanges.feed import MILLI
from exchanges.private import SETTLE, Names, PrivateFeed, number, optional

ORDER_SAMPLE = (
    '{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT",'
    '"c":"T1AAAA01000000001X7K2M9Q","S":"SELL","o":"LIMIT","f":"GTC","q":"0.001","p":"7103.04",'
    '"ap":"7103.04","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,"l":"0.0005",'
    '"z":"0.0005","L":"7103.04","N":"USDT","n":"0.00071030","T":1568879465650,"t":71,"m":true,'
    '"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","rp":"0"}}'
)
ALGO_SAMPLE = (
    '{"e":"ALGO_UPDATE","T":1750515742297,"E":1750515742303,"o":{"caid":'
    '"T1AAAA01000000002X7K2M9Q","aid":2148719,"at":"CONDITIONAL","o":"STOP_MARKET","s":"BNBUSDT",'
    '"S":"SELL","ps":"BOTH","f":"GTC","q":"0.01","X":"TRIGGERED","ai":"8886999","ap":"0.00000",'
    '"aq":"0.00000","act":"0","tp":"750","p":"0","wt":"MARK_PRICE","R":true,"tt":1750515742290}}'
)
ACCOUNT_SAMPLE = (
    '{"e":"ACCOUNT_UPDATE","E":1564745798939,"T":1564745798938,"a":{"m":"ORDER","B":[{"a":"USDT",'
    '"wb":"122624.12345678","cw":"100.12345678","bc":"50.12345678"}],"P":[{"s":"BTCUSDT",'
    '"pa":"-0.002","ep":"7103.04","bep":"7103.00","cr":"200","up":"0.5","mt":"cross","iw":"0",'
    '"ps":"BOTH"}]}}'
)

_STATUS = {
    "NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.PARTIAL,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    # of algo orders:
    "TRIGGERING": OrderStatus.OPEN,
    "TRIGGERED": OrderStatus.OPEN,
}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_KINDS = {"LIMIT": OrderKind.LIMIT, "MARKET": OrderKind.MARKET}


class _OrderEvent(Struct):
    """``o`` of ORDER_TRADE_UPDATE."""

    s: str
    c: str
    S: str
    o: str
    q: str
    p: str
    ap: str
    x: str
    X: str
    i: int
    l: str  # noqa: E741 - the venue's name
    z: str
    L: str
    T: int
    t: int
    m: bool
    R: bool
    n: str = "0"
    sp: str = ""


class _OrderFrame(Struct):
    o: _OrderEvent


class _AlgoEvent(Struct):
    """``o`` of ALGO_UPDATE."""

    caid: str
    aid: int
    s: str
    S: str
    o: str
    q: str
    X: str
    tp: str
    ai: str | int = ""
    ap: str = ""
    aq: str = ""
    p: str = ""
    R: bool = False


class _AlgoFrame(Struct):
    T: int
    o: _AlgoEvent


class _CashEvent(Struct):
    a: str
    wb: str


class _PositionEvent(Struct):
    s: str
    pa: str
    ep: str
    up: str = ""


class _AccountEvent(Struct):
    B: list[_CashEvent] = field(default_factory=list)
    P: list[_PositionEvent] = field(default_factory=list)


class _AccountFrame(Struct):
    a: _AccountEvent


class OrderRow(Struct):
    """An ordinary order in a query."""

    symbol: str
    orderId: int
    clientOrderId: str
    side: str
    type: str
    status: str
    origQty: str
    executedQty: str
    price: str = ""
    avgPrice: str = ""
    reduceOnly: bool = False
    updateTime: int = 0
    stopPrice: str = ""


class AlgoRow(Struct):
    """A conditional order in a query."""

    algoId: int
    clientAlgoId: str
    symbol: str
    side: str
    quantity: str
    algoStatus: str
    triggerPrice: str
    orderType: str = ""
    price: str = ""
    reduceOnly: bool = False
    actualOrderId: str | int = ""
    actualPrice: str = ""
    actualQty: str = ""
    updateTime: int = 0


class _Event(Struct):
    e: str = ""


_event = Decoder(_Event).decode
_order_frame = Decoder(_OrderFrame).decode
_algo_frame = Decoder(_AlgoFrame).decode
_account_frame = Decoder(_AccountFrame).decode


def read_order(row: OrderRow, symbol: str, names: Names, received: int, source: str) -> OrderReport:
    """Turn an ordinary order's row into a report; a stop's child is told as the stop."""
    venue_id = str(row.orderId)
    client_id = names.client(symbol, venue_id, row.clientOrderId)
    names.link(symbol, venue_id, client_id)
    stop = names.is_child(symbol, venue_id)
    kind = OrderKind.STOP if stop else _KINDS.get(row.type, OrderKind.STOP)
    return OrderReport(
        "binance", symbol, client_id, venue_id, SIDES[row.side], kind,
        _STATUS.get(row.status, OrderStatus.UNKNOWN), number(row.origQty),
        number(row.executedQty), row.updateTime * MILLI, received,
        price=optional(row.price) if kind is OrderKind.LIMIT else None,
        trigger=optional(row.stopPrice), average=optional(row.avgPrice),
        reduce_only=row.reduceOnly, source=source,
    )  # fmt: skip


def read_algo(row: AlgoRow, symbol: str, names: Names, received: int, source: str) -> OrderReport:
    """Turn a conditional order's row into a report."""
    venue_id = str(row.algoId)
    names.mark_stop(row.clientAlgoId, venue_id)
    if row.actualOrderId:
        names.link(symbol, str(row.actualOrderId), row.clientAlgoId)
    filled = number(row.actualQty)
    return OrderReport(
        "binance", symbol, row.clientAlgoId, venue_id, SIDES[row.side], OrderKind.STOP,
        _algo_status(row.algoStatus, filled), number(row.quantity), filled,
        row.updateTime * MILLI, received, trigger=optional(row.triggerPrice),
        average=optional(row.actualPrice), reduce_only=row.reduceOnly, source=source,
    )  # fmt: skip


def _algo_status(text: str, filled: Decimal) -> OrderStatus:
    if text == "FINISHED":
        return OrderStatus.FILLED if filled else OrderStatus.CANCELLED
    return _STATUS.get(text, OrderStatus.UNKNOWN)


class BinancePrivate(PrivateFeed):
    """The events of a listen key."""

    venue = "binance"

    def _route(self, text: str, received: int) -> bool:
        event = _event(text).e if text.startswith("{") else ""
        if event == "ORDER_TRADE_UPDATE":
            self._take_order(_order_frame(text).o, received)
        elif event == "ALGO_UPDATE":
            self._take_algo(_algo_frame(text), received)
        elif event == "ACCOUNT_UPDATE":
            self._take_account(_account_frame(text).a, received)
        elif event == "listenKeyExpired":
            # ccxt ignores it and waits for ever on a socket that says nothing any more.
            self.expired("the listen key expired")
        else:
            return event in ("TRADE_LITE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL")
        return True

    def _take_order(self, row: _OrderEvent, received: int) -> None:
        item = self.instruments.get(row.s)
        if item is None:
            return
        venue_id = str(row.i)
        client_id = self.names.client(item.symbol, venue_id, row.c)
        if self.names.is_stop(row.c):
            client_id = row.c
        self.names.link(item.symbol, venue_id, client_id)
        stop = self.names.is_stop(client_id)
        kind = OrderKind.STOP if stop else _KINDS.get(row.o, OrderKind.STOP)
        ts = row.T * MILLI
        report = OrderReport(
            "binance", item.symbol, client_id, venue_id, SIDES[row.S], kind,
            _STATUS.get(row.X, OrderStatus.UNKNOWN), number(row.q), number(row.z), ts, received,
            price=optional(row.p) if kind is OrderKind.LIMIT else None,
            trigger=optional(row.sp), average=optional(row.ap), reduce_only=row.R,
        )  # fmt: skip
        if row.x == "TRADE":
            # The fill first: it is what positions are made of, the report only checks it.
            self.sink(
                Fill("binance", item.symbol, str(row.t), client_id, venue_id, SIDES[row.S],
                     number(row.l), number(row.L), number(row.n), row.m, ts, received)
            )  # fmt: skip
        self.sink(report)

    def _take_algo(self, frame: _AlgoFrame, received: int) -> None:
        row = frame.o
        item = self.instruments.get(row.s)
        if item is None:
            return
        self.sink(
            read_algo(
                AlgoRow(
                    row.aid, row.caid, row.s, row.S, row.q, row.X, row.tp, reduceOnly=row.R,
                    actualOrderId=row.ai, actualPrice=row.ap, actualQty=row.aq,
                    updateTime=frame.T,
                ),
                item.symbol, self.names, received, "stream",
            )
        )  # fmt: skip

    def _take_account(self, row: _AccountEvent, received: int) -> None:
        for cash in row.B:
            if cash.a == SETTLE:
                self.sink(Balance("binance", SETTLE, number(cash.wb), received))
        for position in row.P:
            if item := self.instruments.get(position.s):
                self.sink(
                    PositionReport(
                        "binance", item.symbol, number(position.pa), number(position.ep), received,
                        unrealised=number(position.up),
                    )
                )  # fmt: skip
