"""OKX v5 market frames: trades, books, bbo-tbt, tickers, and what belongs to a perpetual.

Book rule: ``action`` snapshot replaces (``prevSeqId`` -1), update must carry the last ``seqId`` as
its ``prevSeqId``; an update with both equal is a heartbeat; ``seqId`` may fall after maintenance.
The checksum is no longer computed by the venue (always 0). Sizes are contracts.

What other venues tell in one ticker comes in five channels: tickers, mark-price, funding-rate,
open-interest, and index-tickers, which are of the index (BTC-USDT) instead of the swap.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from core.model.market import Side, Ticker, Trade
from exchanges.book import Level
from exchanges.feed import MILLI, Feed

TRADE_SAMPLE = (
    '{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP",'
    '"tradeId":"130639474","px":"42219.9","sz":"3","side":"buy","ts":"1630048897897","count":"3"}]}'
)
BOOK_SAMPLE = (
    '{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":'
    '[["8476.98","415","0","13"],["8477","7","0","2"]],"bids":[["8476.97","256","0","12"],'
    '["8475.55","0","0","0"]],"ts":"1597026383085","checksum":0,"prevSeqId":123456,'
    '"seqId":123457}]}'
)
TOP_SAMPLE = (
    '{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"asks":[["8446","95","0",'
    '"3"]],"bids":[["8445.9","12","0","2"]],"ts":"1597026383085","seqId":363996337}]}'
)
TICKER_SAMPLE = (
    '{"arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":'
    '"BTC-USDT-SWAP","last":"10000","lastSz":"0.1","askPx":"10000.1","askSz":"11","bidPx":'
    '"9999.9","bidSz":"5","open24h":"8000","high24h":"10000","low24h":"8000","volCcy24h":"2222",'
    '"vol24h":"222200","sodUtc0":"2222","sodUtc8":"2222","ts":"1597026383085"}]}'
)
MARK_SAMPLE = (
    '{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP",'
    '"instId":"BTC-USDT-SWAP","markPx":"42310.6","ts":"1630049139746"}]}'
)
FUNDING_SAMPLE = (
    '{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP",'
    '"instId":"BTC-USDT-SWAP","fundingRate":"0.0001875391284828","fundingTime":"1700726400000",'
    '"nextFundingTime":"1700755200000","ts":"1700724675402"}]}'
)
INDEX_SAMPLE = (
    '{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
    '"idxPx":"43350","high24h":"43649.7","sodUtc0":"43444.1","open24h":"43640.8","low24h":'
    '"43261.9","sodUtc8":"43328.7","ts":"1649419644492"}]}'
)
INTEREST_SAMPLE = (
    '{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP",'
    '"instId":"BTC-USDT-SWAP","oi":"5000","oiCcy":"50","oiUsd":"2167500","ts":"1597026383085"}]}'
)


class _TradeRow(Struct, gc=False):
    instId: str
    tradeId: str
    px: float
    sz: float
    side: Side
    ts: int


class _TradeFrame(Struct, gc=False):
    data: list[_TradeRow]


class _Arg(Struct, gc=False):
    channel: str
    instId: str = ""


class _BookData(Struct, gc=False):
    asks: list[Level]
    bids: list[Level]
    ts: int
    seqId: int = 0
    prevSeqId: int = -2


class _BookFrame(Struct, gc=False):
    arg: _Arg
    data: list[_BookData]
    action: str = ""


class _TickerRow(Struct, gc=False):
    instId: str
    last: float
    ts: int
    open24h: float = 0.0
    volCcy24h: float = 0.0


class _TickerFrame(Struct, gc=False):
    data: list[_TickerRow]


class _MarkRow(Struct, gc=False):
    instId: str
    markPx: float
    ts: int


class _MarkFrame(Struct, gc=False):
    data: list[_MarkRow]


class _FundingRow(Struct, gc=False):
    instId: str
    fundingRate: float
    fundingTime: int
    ts: int


class _FundingFrame(Struct, gc=False):
    data: list[_FundingRow]


class _IndexRow(Struct, gc=False):
    instId: str
    idxPx: float
    ts: int


class _IndexFrame(Struct, gc=False):
    data: list[_IndexRow]


class _InterestRow(Struct, gc=False):
    instId: str
    oiCcy: float
    ts: int


class _InterestFrame(Struct, gc=False):
    data: list[_InterestRow]


class _Envelope(Struct, gc=False):
    arg: _Arg | None = None
    event: str = ""


_trades = Decoder(_TradeFrame, strict=False).decode
_book = Decoder(_BookFrame, strict=False).decode
_ticker = Decoder(_TickerFrame, strict=False).decode
_mark = Decoder(_MarkFrame, strict=False).decode
_funding = Decoder(_FundingFrame, strict=False).decode
_index = Decoder(_IndexFrame, strict=False).decode
_interest = Decoder(_InterestFrame, strict=False).decode
_envelope = Decoder(_Envelope).decode
_HEAD = '{"arg":{"channel":"'


class OkxFeed(Feed):
    """Decodes OKX's public stream."""

    venue = "okx"

    def _route(self, text: str, received: int) -> bool:
        if text[:19] == _HEAD and '"data":[' in text:
            channel = text[19 : text.find('"', 19)]
        elif text[:1] == "{":
            envelope = _envelope(text)
            if envelope.event or envelope.arg is None:
                return False
            channel = envelope.arg.channel
        else:
            return False
        if channel == "trades":
            self._take_trades(text, received)
        elif channel in ("bbo-tbt", "books"):
            self._take_book(text, received)
        elif channel in _SLOW:
            self._take_slow(channel, text, received)
        else:
            return False
        return True

    def _take_trades(self, text: str, received: int) -> None:
        self.last_message["trades"] = received
        lanes = self.lanes
        for row in _trades(text).data:
            lane = lanes.get(row.instId)
            if lane is not None:
                scale = lane.scale
                self.sink(
                    Trade(
                        "okx", lane.symbol, row.px, scale(row.sz) if scale else row.sz, row.side,
                        row.tradeId, row.ts * MILLI, received,
                    )
                )  # fmt: skip

    def _take_book(self, text: str, received: int) -> None:
        self.last_message["books"] = received
        frame = _book(text)
        lane = self.lanes.get(frame.arg.instId)
        if lane is None:
            return
        for data in frame.data:
            ts = data.ts * MILLI
            if frame.arg.channel == "bbo-tbt":
                if data.bids and data.asks:
                    bid, ask = data.bids[0], data.asks[0]
                    # 0 where the venue sent no id: then it counts as new.
                    sequence = data.seqId or lane.top_sequence
                    top = (bid.price, bid.size, ask.price, ask.size)
                    self._best(lane, top, sequence, ts, received)
                continue
            bids, asks = data.bids, data.asks
            last = lane.book.sequence
            if frame.action == "snapshot":
                self._snapshot(lane, bids, asks, data.seqId, ts, received)
            elif last is None:
                self._lost(lane, "change before any snapshot", received)
            elif data.prevSeqId in (last, -2):
                if data.seqId < last:
                    lane.top_sequence = data.seqId
                self._change(lane, bids, asks, data.seqId, ts, received)
            else:
                self._lost(lane, f"gap: prevSeqId {data.prevSeqId} after {last}", received)

    def _take_slow(self, channel: str, text: str, received: int) -> None:
        """Tell what one of the slow channels knows, and nothing of what the others do."""
        self.last_message["tickers"] = received
        decode, make = _SLOW[channel]
        for row in decode(text).data:
            name = swap_of(row.instId) if channel == "index-tickers" else row.instId
            lane = self.lanes.get(name)
            if lane is not None:
                self.sink(make(row, lane.symbol, row.ts * MILLI, received))


def _of_the_day(row: _TickerRow, symbol: str, ts: int, at: int) -> Ticker:
    change = row.last / row.open24h - 1.0 if row.open24h else None
    turnover = row.volCcy24h * row.last
    return Ticker("okx", symbol, row.last, None, None, None, None, change, turnover, ts, at)


def _of_mark(row: _MarkRow, symbol: str, ts: int, at: int) -> Ticker:
    return Ticker("okx", symbol, None, row.markPx, None, None, None, None, None, ts, at)


def _of_funding(row: _FundingRow, symbol: str, ts: int, at: int) -> Ticker:
    due = row.fundingTime * MILLI
    return Ticker("okx", symbol, None, None, None, row.fundingRate, due, None, None, ts, at)


def _of_index(row: _IndexRow, symbol: str, ts: int, at: int) -> Ticker:
    return Ticker("okx", symbol, None, None, row.idxPx, None, None, None, None, ts, at)


def _of_interest(row: _InterestRow, symbol: str, ts: int, at: int) -> Ticker:
    return Ticker("okx", symbol, None, None, None, None, None, None, None, ts, at, row.oiCcy)


_SLOW: dict[str, tuple[Callable[[str], Any], Callable[[Any, str, int, int], Ticker]]] = {
    "tickers": (_ticker, _of_the_day),
    "mark-price": (_mark, _of_mark),
    "funding-rate": (_funding, _of_funding),
    "index-tickers": (_index, _of_index),
    "open-interest": (_interest, _of_interest),
}
"""Channel to its decoder, and what makes an event of one of its rows."""


def swap_of(index: str) -> str:
    """Return the name of the perpetual of an index: BTC-USDT-SWAP of BTC-USDT."""
    return f"{index}-SWAP"


def index_of(swap: str) -> str:
    """Return the name of the index of a perpetual: BTC-USDT of BTC-USDT-SWAP."""
    return swap.removesuffix("-SWAP")
