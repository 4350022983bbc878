"""Binance USDⓈ-M market frames: ``trade``, ``depth``, ``bookTicker``, ``ticker``, ``markPrice``.

Book rule: the stream has only changes; the snapshot comes from REST. Drop changes that end
before the snapshot's id; the first one applied must straddle it (U <= id <= u); after that
``pu`` must equal the last ``u``. Ids are global, so ``U`` is hardly ever ``pu`` + 1.
"""

# ruff: noqa: N815 - decoded fields bear the venue's own names

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.model.market import Side, Ticker, Trade
from exchanges.book import Level
from exchanges.feed import FIRST_SNAPSHOT, MILLI, Feed, Lane

TRADE_SAMPLE = (
    '{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,'
    '"p":"61800.30","q":"0.006","X":"MARKET","m":false}'
)
BOOK_SAMPLE = (
    '{"e":"depthUpdate","E":1571889248277,"T":1571889248276,"s":"BTCUSDT","U":390497796,'
    '"u":390497878,"pu":390497794,"b":[["7403.89","0.002"],["7403.90","3.906"]],'
    '"a":[["7405.96","3.340"],["7406.63","0"]]}'
)
SNAPSHOT_SAMPLE = (
    '{"lastUpdateId":390497800,"E":1571889248270,"T":1571889248268,'
    '"bids":[["7403.89","1.500"],["7403.00","9"]],"asks":[["7405.96","1"],["7406.63","4.525"]]}'
)
TOP_SAMPLE = (
    '{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT",'
    '"b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}'
)
TICKER_SAMPLE = (
    '{"e":"24hrTicker","E":1571889248277,"s":"BTCUSDT","p":"0.0015","P":"2.500","w":"0.0018",'
    '"c":"7405.10","Q":"10","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18.5",'
    '"O":0,"C":86400000,"F":0,"L":18150,"n":18151}'
)
MARK_SAMPLE = (
    '{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000",'
    '"i":"11784.62659091","P":"11784.25641265","r":"0.00038167","T":1562306400000}'
)


class _TradeFrame(Struct, gc=False):
    T: int
    s: str
    t: int
    p: float
    q: float
    m: bool
    X: str = "MARKET"


class _BookFrame(Struct, gc=False):
    T: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    pu: int


class _TopFrame(Struct, gc=False):
    u: int
    s: str
    b: float
    B: float
    a: float
    A: float
    T: int = 0


class _TickerFrame(Struct, gc=False):
    E: int
    s: str
    c: float
    q: float
    P: float | None = None
    o: float | None = None


class _MarkFrame(Struct, gc=False):
    E: int
    s: str
    p: float
    i: float
    r: float
    T: int


class _Snapshot(Struct, gc=False):
    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]
    T: int = 0


class _Envelope(Struct, gc=False):
    e: str = ""


class _Wrapped(Struct, gc=False):
    data: Raw


_trade = Decoder(_TradeFrame, strict=False).decode
_book = Decoder(_BookFrame, strict=False).decode
_top = Decoder(_TopFrame, strict=False).decode
_ticker = Decoder(_TickerFrame, strict=False).decode
_mark = Decoder(_MarkFrame, strict=False).decode
_snapshot = Decoder(_Snapshot, strict=False).decode
_envelope = Decoder(_Envelope).decode
_wrapped = Decoder(_Wrapped).decode


class BinanceFeed(Feed):
    """Decodes Binance's futures streams, bare or wrapped in ``{"stream":…,"data":…}``."""

    venue = "binance"

    def _route(self, text: str, received: int) -> bool:
        head = text[:10]
        if head == '{"e":"trad':
            self._take_trade(text, received)
        elif head == '{"e":"book':
            self._take_top(text, received)
        elif head == '{"e":"dept':
            self._take_book(text, received)
        elif head == '{"e":"24hr':
            self._take_ticker(text, received)
        elif head == '{"e":"mark':
            self._take_mark(text, received)
        elif head == '{"stream":':
            return self._route(bytes(_wrapped(text).data).decode(), received)
        else:
            return self._route_slowly(text, received)
        return True

    def _route_slowly(self, text: str, received: int) -> bool:
        """Route the rarer channels, and frames whose keys come in another order."""
        if not text.startswith("{"):
            return False
        event = _envelope(text).e
        if event == "markPriceUpdate":
            self._take_mark(text, received)
        elif event in ("24hrTicker", "24hrMiniTicker"):
            self._take_ticker(text, received)
        elif event == "trade":
            self._take_trade(text, received)
        elif event == "depthUpdate":
            self._take_book(text, received)
        elif event == "bookTicker":
            self._take_top(text, received)
        else:
            return False
        return True

    def _take_trade(self, text: str, received: int) -> None:
        self.last_message["trades"] = received
        row = _trade(text)
        lane = self.lanes.get(row.s)
        # Trades of the insurance fund and of auto-deleveraging carry X = NA and are no market.
        if lane is not None and row.X == "MARKET":
            side = Side.SELL if row.m else Side.BUY
            self.sink(
                Trade(
                    "binance", lane.symbol, row.p, row.q, side, str(row.t), row.T * MILLI, received
                )
            )

    def _take_top(self, text: str, received: int) -> None:
        self.last_message["books"] = received
        row = _top(text)
        lane = self.lanes.get(row.s)
        if lane is not None:
            self._best(lane, (row.b, row.B, row.a, row.A), row.u, row.T * MILLI, received)

    def _take_book(self, text: str, received: int) -> None:
        self.last_message["books"] = received
        row = _book(text)
        lane = self.lanes.get(row.s)
        if lane is None:
            return
        if lane.book.sequence is None:
            lane.pending.append((row.U, row.u, row.pu, row.b, row.a, row.T * MILLI))
            if not lane.stale:
                lane.stale = True
                self._resync(row.s, FIRST_SNAPSHOT)
        elif not self._follow(lane, row.U, row.u, row.pu, row.b, row.a, row.T * MILLI, received):
            lane.pending.append((row.U, row.u, row.pu, row.b, row.a, row.T * MILLI))

    def _follow(
        self,
        lane: Lane,
        first: int,
        last: int,
        previous: int,
        bids: list[Level],
        asks: list[Level],
        ts: int,
        received: int,
    ) -> bool:
        """Apply one change to a synchronised book; False when it does not follow."""
        known = lane.book.sequence
        assert known is not None
        if last < known:
            return True
        if previous == known or (lane.fresh and min(first, previous) <= known):
            lane.fresh = False
            self._change(lane, bids, asks, last, ts, received)
            return True
        self._lost(lane, f"gap: pu {previous} after {known}", received)
        return False

    def snapshot(self, venue_symbol: str, text: str, received: int) -> bool:
        """Take a REST snapshot, then the changes that waited for it.

        Returns:
            Whether the book is synchronised; False asks for a later snapshot.

        Raises:
            msgspec.MsgspecError: the body is not a snapshot.
        """
        lane = self.lanes[venue_symbol]
        body = _snapshot(text)
        waiting = [change for change in lane.pending if change[1] >= body.lastUpdateId]
        if waiting and min(waiting[0][0], waiting[0][2]) > body.lastUpdateId:
            return False
        lane.pending = []
        lane.fresh = True
        self._snapshot(lane, body.bids, body.asks, body.lastUpdateId, body.T * MILLI, received)
        for first, last, previous, bids, asks, ts in waiting:
            if lane.book.sequence is None or not self._follow(
                lane, first, last, previous, bids, asks, ts, received
            ):
                return lane.stale
        return True

    def _take_ticker(self, text: str, received: int) -> None:
        self.last_message["tickers"] = received
        row = _ticker(text)
        lane = self.lanes.get(row.s)
        if lane is None:
            return
        change = None
        if row.P is not None:
            change = row.P / 100.0
        elif row.o:
            change = row.c / row.o - 1.0
        self.sink(
            Ticker(
                "binance", lane.symbol, row.c, None, None, None, None, change, row.q,
                row.E * MILLI, received,
            )
        )  # fmt: skip

    def _take_mark(self, text: str, received: int) -> None:
        self.last_message["tickers"] = received
        row = _mark(text)
        lane = self.lanes.get(row.s)
        if lane is not None:
            self.sink(
                Ticker(
                    "binance", lane.symbol, None, row.p, row.i, row.r, row.T * MILLI or None,
                    None, None, row.E * MILLI, received,
                )
            )  # fmt: skip
