"""Market frames of the three venues, from their documentation and from recordings."""

from __future__ import annotations

import json
import math

import pytest

from core.clock import SECOND
from core.model.market import BadMessage, BookTop, Depth, Side, Ticker, Trade
from exchanges import binance_feed, bybit_feed, okx_feed
from exchanges.binance_feed import BinanceFeed
from exchanges.bybit_feed import BybitFeed
from exchanges.feed import Feed
from exchanges.okx_feed import OkxFeed
from tests.exchanges.market import Resyncs, Seen, captured, instrument, recorded

FEEDS = {
    "bybit": (BybitFeed, instrument("bybit", "BTCUSDT")),
    "binance": (BinanceFeed, instrument("binance", "BTCUSDT")),
    "okx": (OkxFeed, instrument("okx", "BTC-USDT-SWAP", contract="0.01", lot="0.0001")),
}


def make(venue: str, *more: object) -> tuple[Feed, Seen, Resyncs]:
    kind, item = FEEDS[venue]
    seen, resyncs = Seen(), Resyncs()
    return kind([item, *more], seen, resyncs, {}), seen, resyncs


@pytest.mark.parametrize(
    ("venue", "frame", "expected"),
    [
        (
            "bybit",
            bybit_feed.TRADE_SAMPLE,
            Trade("bybit", "BTC/USDT:USDT", 16578.5, 0.001, Side.BUY,
                  "20f43950-d8dd-5b31-9112-a178eb6023af", 1672304486865_000000, 9),
        ),
        (
            "binance",
            binance_feed.TRADE_SAMPLE,
            Trade("binance", "BTC/USDT:USDT", 61800.3, 0.006, Side.BUY, "5266583935",
                  1723161256322_000000, 9),
        ),
        (
            "okx",
            okx_feed.TRADE_SAMPLE,  # 3 contracts of 0.01
            Trade("okx", "BTC/USDT:USDT", 42219.9, 0.03, Side.BUY, "130639474",
                  1630048897897_000000, 9),
        ),
        (
            "bybit",
            bybit_feed.TICKER_SAMPLE,
            Ticker("bybit", "BTC/USDT:USDT", 17216.0, 17217.33, 17227.36, -0.000212,
                   1673280000000_000000, 0.017103, 1570383121.943499, 1673272861686_000000, 9,
                   68744.761),
        ),
        (
            "binance",
            binance_feed.TICKER_SAMPLE,
            Ticker("binance", "BTC/USDT:USDT", 7405.1, None, None, None, None, 0.025, 18.5,
                   1571889248277_000000, 9),
        ),
        (
            "binance",
            binance_feed.MARK_SAMPLE,
            Ticker("binance", "BTC/USDT:USDT", None, 11794.15, 11784.62659091, 0.00038167,
                   1562306400000_000000, None, None, 1562305380000_000000, 9),
        ),
        (
            "okx",
            okx_feed.TICKER_SAMPLE,
            Ticker("okx", "BTC/USDT:USDT", 10000.0, None, None, None, None, 0.25, 22220000.0,
                   1597026383085_000000, 9),
        ),
        (
            "okx",
            okx_feed.MARK_SAMPLE,
            Ticker("okx", "BTC/USDT:USDT", None, 42310.6, None, None, None, None, None,
                   1630049139746_000000, 9),
        ),
        (
            "okx",
            okx_feed.FUNDING_SAMPLE,
            Ticker("okx", "BTC/USDT:USDT", None, None, None, 0.0001875391284828,
                   1700726400000_000000, None, None, 1700724675402_000000, 9),
        ),
        (
            "okx",
            okx_feed.INDEX_SAMPLE,
            Ticker("okx", "BTC/USDT:USDT", None, None, 43350.0, None, None, None, None,
                   1649419644492_000000, 9),
        ),
        (
            "okx",
            okx_feed.INTEREST_SAMPLE,  # in BTC, not in contracts
            Ticker("okx", "BTC/USDT:USDT", None, None, None, None, None, None, None,
                   1597026383085_000000, 9, 50.0),
        ),
        (
            "okx",
            okx_feed.TOP_SAMPLE,
            BookTop("okx", "BTC/USDT:USDT", 8445.9, 0.12, 8446.0, 0.95, 1597026383085_000000, 9),
        ),
    ],
)  # fmt: skip
def test_a_frame_becomes_its_event(venue: str, frame: str, expected: object) -> None:
    feed, seen, _ = make(venue)
    assert feed.take(frame, 9)
    assert seen == [expected]


@pytest.mark.parametrize("venue", list(FEEDS))
def test_key_order_does_not_matter(venue: str) -> None:
    module = {"bybit": bybit_feed, "binance": binance_feed, "okx": okx_feed}[venue]
    frame = json.loads(module.TRADE_SAMPLE)
    turned = json.dumps(dict(reversed(frame.items())))
    feed, seen, _ = make(venue)
    assert feed.take(turned, 9)
    assert len(seen.of(Trade)) == 1


@pytest.mark.parametrize("venue", list(FEEDS))
@pytest.mark.parametrize(
    "control",
    ['{"success":true,"ret_msg":"","op":"subscribe"}', '{"result":null,"id":1}', "pong",
     '{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"}}'],
)  # fmt: skip
def test_control_frames_are_left_to_ccxt(venue: str, control: str) -> None:
    feed, seen, _ = make(venue)
    assert not feed.take(control, 9)
    assert not seen


def test_a_broken_frame_is_a_bad_message_wherever_it_is_cut() -> None:
    for venue, frames in {
        "bybit": (bybit_feed.TRADE_SAMPLE, bybit_feed.TICKER_SAMPLE, bybit_feed.BOOK_SAMPLE),
        "binance": (binance_feed.TRADE_SAMPLE, binance_feed.TOP_SAMPLE, binance_feed.MARK_SAMPLE),
        "okx": (okx_feed.TRADE_SAMPLE, okx_feed.TICKER_SAMPLE, okx_feed.BOOK_SAMPLE),
    }.items():
        for frame in frames:
            feed, seen, _ = make(venue)
            for length in range(40, len(frame)):
                if feed.take(frame[:length], 9):
                    assert isinstance(seen[-1], BadMessage)
            assert feed.bad == len(seen)
            assert feed.bad > len(frame) // 2


@pytest.mark.parametrize("text", ['"abc"', '""', '"1e9999x"', "null", "[]", "{}"])
def test_a_price_that_is_no_number_is_a_bad_message(text: str) -> None:
    frame = bybit_feed.TRADE_SAMPLE.replace('"16578.50"', text)
    feed, seen, _ = make("bybit")
    assert feed.take(frame, 9)
    assert [type(event) for event in seen] == [BadMessage]


# --- books ------------------------------------------------------------------------------------


def bybit_book(kind: str, u: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": u * 7}
    frame = {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": 1000 + u, "data": data}
    return json.dumps(frame, separators=(",", ":"))


def okx_book(action: str, before: int, seq: int, bids: object, asks: object) -> str:
    data = {"asks": asks, "bids": bids, "ts": "1597026383085", "checksum": 0,
            "prevSeqId": before, "seqId": seq}  # fmt: skip
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    return json.dumps({"arg": arg, "action": action, "data": [data]}, separators=(",", ":"))


def binance_book(first: int, last: int, before: int, bids: object, asks: object) -> str:
    return json.dumps(
        {"e": "depthUpdate", "E": 1, "T": 1000 + last, "s": "BTCUSDT", "U": first, "u": last,
         "pu": before, "b": bids, "a": asks},
        separators=(",", ":"),
    )  # fmt: skip


def binance_snapshot(last: int, bids: object, asks: object) -> str:
    return json.dumps({"lastUpdateId": last, "T": 999, "bids": bids, "asks": asks})


def test_bybit_applies_changes_and_asks_again_after_a_gap() -> None:
    feed, seen, resyncs = make("bybit")
    feed.take(bybit_book("snapshot", 5, [["100", "1"], ["99", "2"]], [["101", "3"]]), 1)
    feed.take(bybit_book("delta", 6, [["100", "0"]], [["101", "4"], ["102", "1"]]), 2)
    feed.flush(3)
    assert seen[-1] == Depth(
        "bybit", "BTC/USDT:USDT", ((99.0, 2.0),), ((101.0, 4.0), (102.0, 1.0)), 1006_000000, 3
    )
    feed.take(bybit_book("delta", 8, [["98", "1"]], []), 4)
    feed.take(bybit_book("delta", 9, [["97", "1"]], []), 5)
    assert resyncs == [("BTCUSDT", "gap: 8 after 6")]
    assert len(seen.of(BadMessage)) == 1
    seen.clear()
    feed.flush(6)
    assert not seen, "a book with a gap must not be shown"
    feed.take(bybit_book("snapshot", 20, [["100", "1"]], [["101", "3"]]), 7)
    feed.flush(8)
    assert seen.of(Depth)


def test_bybit_restart_of_the_service_is_a_snapshot() -> None:
    feed, seen, resyncs = make("bybit")
    feed.take(bybit_book("snapshot", 500, [["100", "1"]], [["101", "3"]]), 1)
    feed.take(bybit_book("delta", 1, [["90", "1"]], [["91", "3"]]), 2)
    assert not resyncs
    assert isinstance(seen[-1], BookTop)
    assert (seen[-1].bid, seen[-1].ask) == (90.0, 91.0)


def test_a_crossed_book_is_bad_and_brought_back() -> None:
    feed, seen, resyncs = make("bybit")
    feed.take(bybit_book("snapshot", 5, [["100", "1"]], [["101", "3"]]), 1)
    feed.take(bybit_book("delta", 6, [["101.5", "1"]], []), 2)
    assert [type(event) for event in seen] == [BookTop, BadMessage]
    assert len(resyncs) == 1


def test_a_book_that_is_crossed_again_and_again_is_doubted() -> None:
    feed, seen, resyncs = make("bybit")
    for second in range(3):  # a stream that lies is right for a moment after each snapshot
        now = second * SECOND
        feed.take(bybit_book("snapshot", 5, [["100", "1"]], [["101", "3"]]), now + 1)
        feed.take(bybit_book("delta", 6, [["101.5", "1"]], []), now + 2)
    assert len(resyncs) == 3
    seen.clear()
    feed.take(bybit_book("snapshot", 5, [["100", "1"]], [["101", "3"]]), 3 * SECOND)
    feed.take(bybit_book("delta", 6, [["100.5", "1"]], []), 4 * SECOND)
    feed.flush(5 * SECOND)
    assert not seen, "it has not been in step for long enough"
    feed.take(bybit_book("delta", 7, [["100.6", "1"]], []), 8 * SECOND)
    feed.flush(8 * SECOND)
    assert [type(event) for event in seen] == [BookTop, Depth]


def test_best_prices_are_not_told_while_their_book_is_lost() -> None:
    feed, seen, _ = make("binance")
    feed.snapshot("BTCUSDT", binance_snapshot(10, [["100", "1"]], [["101", "1"]]), 1)
    feed.take(binance_book(8, 12, 7, [["99", "1"]], []), 2)
    feed.take(binance_book(20, 21, 19, [["98", "1"]], []), 3)
    seen.clear()
    ticker = (
        '{"e":"bookTicker","u":30,"s":"BTCUSDT","b":"100.5","B":"1","a":"101.5","A":"1",'
        '"T":2000,"E":2000}'
    )
    feed.take(ticker, 4)
    assert not seen.of(BookTop)


def test_okx_follows_the_chain_of_sequence_ids() -> None:
    feed, seen, resyncs = make("okx")
    feed.take(okx_book("snapshot", -1, 10, [["100", "5", "0", "1"]], [["101", "7", "0", "1"]]), 1)
    feed.take(okx_book("update", 10, 10, [], []), 2)  # heartbeat
    feed.take(okx_book("update", 10, 15, [["100", "3", "0", "1"]], []), 3)
    feed.take(okx_book("update", 15, 4, [["99", "3", "0", "1"]], []), 4)  # ids start anew
    feed.flush(5)
    assert not resyncs
    # 3 and 7 contracts of 0.01: exact digits, not 0.07000000000000001
    assert seen[-1] == Depth(
        "okx", "BTC/USDT:USDT", ((100.0, 0.03), (99.0, 0.03)), ((101.0, 0.07),),
        1597026383085_000000, 5,
    )  # fmt: skip
    feed.take(okx_book("update", 5, 6, [], [["101", "0", "0", "0"]]), 6)
    assert resyncs == [("BTC-USDT-SWAP", "gap: prevSeqId 5 after 4")]


def test_binance_joins_snapshot_and_buffered_changes() -> None:
    feed, seen, resyncs = make("binance")
    assert isinstance(feed, BinanceFeed)
    feed.take(binance_book(80, 95, 79, [["1", "1"]], []), 1)  # older than the snapshot
    feed.take(binance_book(96, 104, 95, [["100", "9"]], []), 2)  # straddles it
    feed.take(binance_book(110, 120, 104, [["100.5", "2"]], []), 3)
    assert resyncs == [("BTCUSDT", "first snapshot")]
    assert not seen
    assert feed.snapshot("BTCUSDT", binance_snapshot(100, [["100", "1"]], [["101", "3"]]), 4)
    feed.take(binance_book(130, 140, 120, [], [["101", "0"], ["102", "5"]]), 5)
    feed.flush(6)
    assert seen[-1] == Depth(
        "binance", "BTC/USDT:USDT", ((100.5, 2.0), (100.0, 9.0)), ((102.0, 5.0),), 1140_000000, 6
    )


def test_binance_sample_snapshot_and_sample_change_make_a_book() -> None:
    feed, seen, _ = make("binance")
    assert isinstance(feed, BinanceFeed)
    feed.take(binance_feed.BOOK_SAMPLE, 1)
    assert feed.snapshot("BTCUSDT", binance_feed.SNAPSHOT_SAMPLE, 2)
    feed.flush(3)
    depth = seen[-1]
    assert isinstance(depth, Depth)
    assert depth.bids == ((7403.9, 3.906), (7403.89, 0.002), (7403.0, 9.0))
    assert depth.asks == ((7405.96, 3.34),)


def test_binance_wants_a_later_snapshot_when_the_stream_began_after_it() -> None:
    feed, seen, _ = make("binance")
    assert isinstance(feed, BinanceFeed)
    feed.take(binance_book(200, 210, 190, [["100", "9"]], []), 2)
    assert not feed.snapshot("BTCUSDT", binance_snapshot(100, [["100", "1"]], [["101", "3"]]), 4)
    assert feed.snapshot("BTCUSDT", binance_snapshot(205, [["100", "1"]], [["101", "3"]]), 5)
    assert seen.of(BookTop)


def test_binance_quiet_instrument_is_synchronised_before_its_first_change() -> None:
    feed, seen, resyncs = make("binance")
    assert isinstance(feed, BinanceFeed)
    assert feed.snapshot("BTCUSDT", binance_snapshot(100, [["100", "1"]], [["101", "3"]]), 1)
    assert seen.of(BookTop)
    feed.take(binance_book(90, 100, 85, [["99", "5"]], []), 2)
    feed.take(binance_book(101, 105, 100, [["100.5", "5"]], []), 3)
    assert not resyncs
    assert seen[-1].bid == 100.5
    feed.take(binance_book(111, 115, 110, [["100.6", "5"]], []), 4)
    assert resyncs == [("BTCUSDT", "gap: pu 110 after 105")]


def test_an_older_top_does_not_replace_a_newer_one() -> None:
    feed, seen, _ = make("binance")
    assert isinstance(feed, BinanceFeed)
    feed.snapshot("BTCUSDT", binance_snapshot(100, [["100", "1"]], [["101", "3"]]), 1)
    top = '{"e":"bookTicker","u":%d,"s":"BTCUSDT","b":"%s","B":"1","a":"101","A":"1","T":1}'
    feed.take(top % (150, "100.2"), 2)
    feed.take(top % (140, "100.1"), 3)
    feed.take(binance_book(101, 145, 100, [["100.1", "5"]], []), 4)
    assert [event.bid for event in seen.of(BookTop)] == [100.0, 100.2]
    feed.take(binance_book(146, 160, 145, [["100.1", "0"], ["100.3", "5"]], []), 5)
    assert seen[-1].bid == 100.3


# --- recordings -------------------------------------------------------------------------------


def check_events(seen: Seen) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in seen:
        counts[type(event).__name__] = counts.get(type(event).__name__, 0) + 1
        if isinstance(event, Trade):
            assert event.price > 0
            assert event.qty > 0
        if isinstance(event, BookTop):
            assert 0 < event.bid < event.ask
    return counts


def test_recorded_bybit_session() -> None:
    names = [instrument("bybit", f"{base}USDT", base) for base in ("BTC", "ETH", "SOL", "DOGE")]
    seen, resyncs = Seen(), Resyncs()
    feed = BybitFeed(names, seen, resyncs, {})
    linear = ""
    for line in recorded("wire/bybit/cryptofeed_v5_20260809.jsonl.gz"):
        record = json.loads(line)
        if record["t"] == "connect" and record["addr"].endswith("/linear"):
            linear = record["conn"]
        elif record["t"] == "recv" and record["conn"] == linear:
            feed.take(record["data"], int(record["ts"] * 1e9))
            feed.flush(int(record["ts"] * 1e9))
    counts = check_events(seen)
    assert not resyncs
    assert "BadMessage" not in counts
    assert counts["Depth"] > 1000
    assert counts["Trade"] > 100
    assert counts["Ticker"] > 100


def test_recorded_binance_book_stays_whole() -> None:
    seen, resyncs = Seen(), Resyncs()
    feed = BinanceFeed([instrument("binance", "BTCUSDT")], seen, resyncs, {})
    for frames, line in enumerate(recorded("l2/binance/usdm_btcusdt_20240808.gz")):
        received, _, text = line.rstrip("\n").partition(" ")
        if text.startswith('{"lastUpdateId"'):
            assert feed.snapshot("BTCUSDT", text, int(received))
        else:
            assert feed.take(text, int(received))
        if frames % 500 == 0:
            feed.flush(int(received))
        if frames == 40_000:
            break
    counts = check_events(seen)
    assert resyncs == [("BTCUSDT", "first snapshot")]
    assert "BadMessage" not in counts
    assert counts["Trade"] > 5_000
    assert counts["BookTop"] > 10_000
    depth = seen.of(Depth)[-1]
    assert len(depth.bids) == len(depth.asks) == 20
    top = seen.of(BookTop)[-1]
    assert math.isclose(depth.bids[0][0], top.bid, rel_tol=1e-4)


def test_recorded_okx_session() -> None:
    seen, resyncs = Seen(), Resyncs()
    names = [instrument("okx", name, name.split("-")[0]) for name in
             ("BTC-USDT", "BTC-USD-220527", "UNI-USD-SWAP")]  # fmt: skip
    feed = OkxFeed(names, seen, resyncs, {})
    for text in captured("wire/okx/cryptofeed_v5_20220513.jsonl.gz"):
        feed.take(text, 1)
        feed.flush(1)
    counts = check_events(seen)
    assert "BadMessage" not in counts
    assert counts["Depth"] > 200
    assert counts["Trade"] >= 10
    assert counts["Ticker"] > 20


def test_recorded_binance_session_of_many_symbols() -> None:
    seen, resyncs = Seen(), Resyncs()
    bases = ("SUSHI", "AKRO", "KEEP", "CTK")
    feed = BinanceFeed([instrument("binance", f"{b}USDT", b) for b in bases], seen, resyncs, {})
    path = "wire/binance/cryptofeed_usdm_20210722.jsonl.gz"
    for line in recorded(path):
        record = json.loads(line)
        if record["t"] == "recv":
            feed.take(record["data"], int(record["ts"] * 1e9))
        elif record["t"] == "http" and "/depth?" in (record.get("url") or ""):
            symbol = record["url"].partition("symbol=")[2].partition("&")[0]
            assert feed.snapshot(symbol, record["data"], int(record["ts"] * 1e9))
    feed.flush(1)
    counts = check_events(seen)
    assert "BadMessage" not in counts
    assert sorted(symbol for symbol, _ in resyncs) == sorted(f"{b}USDT" for b in bases)
    assert len(seen.of(Depth)) == 4
    assert counts["BookTop"] > 200
