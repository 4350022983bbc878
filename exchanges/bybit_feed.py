"""Bybit v5 market frames (linear): ``publicTrade``, ``orderbook.N``, ``tickers``.

Book rule: ``type`` snapshot replaces, delta changes; the update id ``u`` of a depth rises by one
a message; ``u`` = 1 is a snapshot after a restart of the venue's service. ccxt checks none of it.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from msgspec import Struct
from msgspec.json import Decoder

from core.model.market import Side, Ticker, Trade
from exchanges.book import Level
from exchanges.feed import MILLI, Feed

TRADE_SAMPLE = (
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":'
    '[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
    '"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}'
)
BOOK_SAMPLE = (
    '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT",'
    '"b":[["30247.20","30.028"],["30245.40","0.224"]],"a":[["30248.70","0"]],"u":177400507,'
    '"seq":66544703342},"cts":1687940967464}'
)
TICKER_SAMPLE = (
    '{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT",'
    '"price24hPcnt":"0.017103","lastPrice":"17216.00","turnover24h":"1570383121.943499",'
    '"nextFundingTime":"1673280000000","fundingRate":"-0.000212","markPrice":"17217.33",'
    '"indexPrice":"17227.36","openInterest":"68744.761","openInterestValue":"1183599972.27"},'
    '"cs":24987956059,"ts":1673272861686}'
)


class _TradeRow(Struct, gc=False):
    T: int
    s: str
    S: str
    v: float
    p: float
    i: str


class _TradeFrame(Struct, gc=False):
    data: list[_TradeRow]


class _BookData(Struct, gc=False):
    s: str
    b: list[Level]
    a: list[Level]
    u: int


class _BookFrame(Struct, gc=False):
    type: str
    ts: int
    data: _BookData


class _TickerData(Struct, gc=False):
    symbol: str
    lastPrice: float | None = None
    markPrice: float | None = None
    indexPrice: float | None = None
    fundingRate: float | None = None
    nextFundingTime: int | None = None
    price24hPcnt: float | None = None
    turnover24h: float | None = None
    openInterest: float | None = None


class _TickerFrame(Struct, gc=False):
    ts: int
    data: _TickerData


class _Envelope(Struct, gc=False):
    topic: str = ""


_trades = Decoder(_TradeFrame, strict=False).decode
_book = Decoder(_BookFrame, strict=False).decode
_ticker = Decoder(_TickerFrame, strict=False).decode
_envelope = Decoder(_Envelope).decode
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}


class BybitFeed(Feed):
    """Decodes Bybit's public stream."""

    venue = "bybit"

    def _route(self, text: str, received: int) -> bool:
        # Frames of these channels begin with their topic; 3 characters tell which one.
        head = text[:13]
        if head == '{"topic":"pub':
            self._take_trades(text, received)
        elif head == '{"topic":"ord' and text[15:19] == "book":
            self._take_book(text, received)
        elif head == '{"topic":"tic':
            self._take_ticker(text, received)
        else:
            return self._route_slowly(text, received)
        return True

    def _route_slowly(self, text: str, received: int) -> bool:
        """Route a frame whose keys come in another order."""
        if '"topic"' not in text:
            return False
        topic = _envelope(text).topic
        if topic.startswith("publicTrade."):
            self._take_trades(text, received)
        elif topic.startswith("orderbook."):
            self._take_book(text, received)
        elif topic.startswith("tickers."):
            self._take_ticker(text, received)
        else:
            return False
        return True

    def _take_trades(self, text: str, received: int) -> None:
        self.last_message["trades"] = received
        lanes = self.lanes
        for row in _trades(text).data:
            lane = lanes.get(row.s)
            if lane is not None:
                self.sink(
                    Trade(
                        "bybit", lane.symbol, row.p, row.v, _SIDES[row.S], row.i,
                        row.T * MILLI, received,
                    )
                )  # fmt: skip

    def _take_book(self, text: str, received: int) -> None:
        self.last_message["books"] = received
        frame = _book(text)
        data = frame.data
        lane = self.lanes.get(data.s)
        if lane is None:
            return
        ts = frame.ts * MILLI
        if frame.type == "snapshot" or data.u == 1:
            self._snapshot(lane, data.b, data.a, data.u, ts, received)
            return
        last = lane.book.sequence
        if last is None:
            self._lost(lane, "change before any snapshot", received)
        elif data.u == last + 1:
            self._change(lane, data.b, data.a, data.u, ts, received)
        elif data.u > last:
            self._lost(lane, f"gap: {data.u} after {last}", received)

    def _take_ticker(self, text: str, received: int) -> None:
        self.last_message["tickers"] = received
        frame = _ticker(text)
        data = frame.data
        lane = self.lanes.get(data.symbol)
        if lane is None:
            return
        settles = data.nextFundingTime
        self.sink(
            Ticker(
                "bybit",
                lane.symbol,
                data.lastPrice,
                data.markPrice,
                data.indexPrice,
                data.fundingRate,
                settles * MILLI if settles else None,
                data.price24hPcnt,
                data.turnover24h,
                frame.ts * MILLI,
                received,
                data.openInterest,
            )
        )
