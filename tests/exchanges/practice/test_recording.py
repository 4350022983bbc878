from __future__ import annotations

import gzip
import itertools
import json
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from core.errors import RecordingError
from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.market import choose_market
from exchanges.practice.state import OrderRequest
from tests.exchanges.practice.floor import BTC, START_MS
from tests.exchanges.practice.test_synthetic import Run

SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
BOOK = SHARED / "l2" / "binance" / "usdm_btcusdt_20240808.gz"
T0 = 1_723_161_255_000_000_000


def delta(first: int, last: int, pu: int, bids: list, asks: list) -> dict:  # type: ignore[type-arg]
    data = {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "pu": pu}
    return {"stream": "btcusdt@depth@0ms", "data": data | {"b": bids, "a": asks}}


def trade(price: str, qty: str, maker_buys: bool) -> dict:  # type: ignore[type-arg]
    data = {
        "e": "trade",
        "s": "BTCUSDT",
        "t": 1,
        "p": price,
        "q": qty,
        "X": "MARKET",
        "m": maker_buys,
    }
    return {"stream": "btcusdt@trade", "data": data}


SNAPSHOT = {"lastUpdateId": 105, "bids": [["99.9", "5"], ["99.8", "1.5"]], "asks": [["100.1", "4"]]}
FRAMES = [
    delta(90, 99, 89, [["99.9", "1"]], []),
    delta(100, 110, 99, [["99.9", "7"]], [["100.0", "2"]]),
    SNAPSHOT,
    delta(112, 120, 110, [], [["100.0", "0"], ["100.2", "3"]]),
    trade("99.9", "0.5", True),
    delta(125, 130, 120, [["99.9", "6.5"]], []),
]


def write(path: Path, frames: list, step_ns: int = 100_000_000) -> Path:  # type: ignore[type-arg]
    with gzip.open(path, "wt") as file:
        for number, frame in enumerate(frames):
            text = frame if isinstance(frame, str) else json.dumps(frame, separators=(",", ":"))
            file.write(f"{T0 + number * step_ns} {text}\n")
    return path


def levels(run: Run, venue: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    depth, contract = run.venues[venue].depth(BTC, 100), run.venues[venue].contracts[BTC]
    return tuple(  # type: ignore[return-value]
        [(contract.price_text(tick), str(contract.qty(lots).normalize())) for tick, lots in side]
        for side in (depth.bids, depth.asks)
    )


def test_deltas_before_the_snapshot_are_applied_when_they_overlap_it(tmp_path: Path) -> None:
    run = Run(choose_market(str(write(tmp_path / "a.gz", FRAMES)), 1))
    for venue in run.venues:
        bids, asks = levels(run, venue)
        assert bids == [("99.9", "7"), ("99.8", "1.5")]
        assert asks == [("100.0", "2"), ("100.1", "4")]
    run.turn(0.1)
    assert levels(run, "okx")[1] == [("100.1", "4"), ("100.2", "3")]
    assert run.trades == []
    run.turn(0.3)
    assert levels(run, "okx")[0][0] == ("99.9", "6.5")
    assert {(name, t.tick, t.side) for name, t in run.trades} == {
        (name, 999, Side.SELL) for name in run.venues
    }
    assert run.market.status()["finished"]
    assert run.market.status()["messages"] == 3


def test_speed_and_span(tmp_path: Path) -> None:
    run = Run(choose_market(str(write(tmp_path / "a.gz", FRAMES)), 1), speed=3.0)
    run.turn(0.1)
    assert run.market.status() | {"kind": "book"} == run.market.status()
    assert run.market.status()["messages"] == 3
    assert run.market.status()["span_seconds"] == 0.3


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([*FRAMES, "{nonsense"], r"line 7: .*malformed"),
        ([*FRAMES, delta(140, 141, 139, [], [])], r"line 7: a gap in the updates: 130, then 139"),
        ([SNAPSHOT, delta(107, 110, 106, [], [])], r"line 2: updates 105 to 106"),
        ([*FRAMES, SNAPSHOT], r"line 7: a second snapshot"),
        (FRAMES[:2], r"line 2: the recording ends without a book snapshot"),
        ([], r"line 0: the recording ends"),
        ([*FRAMES, delta(131, 131, 130, [["x", "1"]], [])], r"line 7: .*float"),
    ],
)  # fmt: skip
def test_a_bad_recording_is_named_with_its_line(
    tmp_path: Path,
    frames: list,
    problem: str,  # type: ignore[type-arg]
) -> None:
    path = write(tmp_path / "bad.gz", frames)
    with pytest.raises(RecordingError, match=f"bad.gz: {problem}"):
        choose_market(str(path), 1)


def test_times_that_go_back_files_that_are_not_gzip_and_places_with_nothing(tmp_path: Path) -> None:
    backward = write(tmp_path / "back.gz", FRAMES, step_ns=-1)
    (tmp_path / "text.gz").write_text("not gzip at all")
    whole = write(tmp_path / "whole.gz", FRAMES).read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty").mkdir()
    for path, problem in (
        (backward, "line 2: the receive time goes backwards"),
        (tmp_path / "text.gz", "line 0: cannot be read"),
        (tmp_path / "cut.gz", "cannot be read"),
        (tmp_path / "empty", "neither"),
        (tmp_path / "nowhere", "no such file"),
    ):
        with pytest.raises(RecordingError, match=problem):
            choose_market(str(path), 1)


def test_a_user_trades_on_the_recording_and_it_recovers(tmp_path: Path) -> None:
    quiet = [SNAPSHOT] + [delta(106 + i, 106 + i, 105 + i, [["99.0", "1"]], []) for i in range(40)]
    market = choose_market(str(write(tmp_path / "a.gz", quiet)), 1)
    run = Run(market)
    venue = run.venues["bybit"]

    def order(side: Side, qty: str, price: str) -> Decimal:
        request = OrderRequest(
            symbol=BTC, side=side, kind=OrderKind.LIMIT, qty=Decimal(qty), price=Decimal(price),
            tif=TimeInForce.IOC,
        )  # fmt: skip
        return venue.submit("me", request).filled

    assert order(Side.BUY, "3", "100.1") == 3
    assert levels(run, "bybit")[1] == [("100.1", "1")]
    assert levels(run, "okx")[1] == [("100.1", "4")]
    run.turn(2)
    assert levels(run, "bybit")[1] == [("100.1", "4")]


@pytest.mark.skipif(not BOOK.exists(), reason=f"no recorded book at {BOOK}")
def test_the_recorded_book_is_rebuilt_exactly_and_never_crosses() -> None:
    run = Run(choose_market(str(BOOK), 1))
    venue = run.venues["binance"]
    book = venue.tapes[BTC].book
    turns, before = 0, run.market.status()["trades"]
    while not run.market.status()["finished"]:
        run.turn(0.5, step_ms=500)
        bid, ask = book.best(1), book.best(-1)
        assert bid is not None
        assert ask is not None
        assert bid < ask
        turns += 1
    assert 560 < turns < 580  # 345 s, the first 60 s of which are past at the start
    status = run.market.status()
    assert status["messages"] == status["messages_total"] == 93_899
    assert status["trades"] - before == len(run.trades) / 3
    # The same file read the plain way: Decimal texts, and the venue's rule for the first delta.
    plain: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    early, last = [], None
    with gzip.open(BOOK, "rt") as file:
        for line in file:
            frame = json.loads(line.partition(" ")[2])
            if "lastUpdateId" in frame:
                last = frame["lastUpdateId"]
                plain["b"], plain["a"] = dict(frame["bids"]), dict(frame["asks"])
            elif frame["data"].get("e") == "depthUpdate":
                early.append(frame["data"])
    for data in early:
        if last is not None and data["u"] >= last:
            for side in ("b", "a"):
                plain[side].update(dict(data[side]))
    for sign, side in ((1, "b"), (-1, "a")):
        expected = {Decimal(p): Decimal(q) for p, q in plain[side].items() if float(q)}
        contract = venue.contracts[BTC]
        assert expected == {
            contract.price(tick): contract.qty(lots) for tick, lots in book.levels(sign, 100_000)
        }


# --- candles


def write_candles(path: Path, rows: int = 2000, minutes: int = 5, **columns: object) -> Path:
    rng = np.random.default_rng(4)
    close = 90_000 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows)))
    opened = np.concatenate([[90_000.0], close[:-1]])
    reach = np.abs(rng.normal(0, 1e-3, (2, rows)))
    table = {
        "ts_ms": 1_735_689_600_000 + np.arange(rows) * minutes * 60_000,
        "open": opened.round(1),
        "high": (np.maximum(opened, close) * (1 + reach[0])).round(1),
        "low": (np.minimum(opened, close) * (1 - reach[1])).round(1),
        "close": close.round(1),
        "volume": np.full(rows, 10.0),
    } | columns
    table["high"] = np.maximum(table["high"], np.maximum(table["open"], table["close"]))
    table["low"] = np.minimum(table["low"], np.minimum(table["open"], table["close"]))
    pyarrow.parquet.write_table(pyarrow.table(table | columns), path)
    return path


def test_candles_are_played_as_they_were(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "BTCUSDT.parquet")
    rows = pyarrow.parquet.read_table(path).to_pydict()
    run = Run(choose_market(str(tmp_path), 1), start_ms=START_MS - START_MS % 300_000, speed=10.0)
    run.turn(60)
    venue = run.venues["okx"]
    tick = venue.contracts[BTC].tick_size
    prices = [t.tick * tick for name, t in run.trades if name == "okx"]
    # Ten market minutes in one: the two candles after the half of the file that is the past.
    assert prices[0] == pytest.approx(rows["open"][1000], rel=3e-4)
    assert max(prices) == pytest.approx(max(rows["high"][1000:1002]), rel=3e-4)
    assert min(prices) == pytest.approx(min(rows["low"][1000:1002]), rel=3e-4)
    assert prices[-1] == pytest.approx(rows["close"][1001], rel=3e-4)
    past = venue.klines(BTC, 60, end_ms=run.start - 31 * 60_000, limit=100_000)
    assert all(b.start_ms - a.start_ms == 60_000 for a, b in itertools.pairwise(past))
    for back in range(7, 200):  # five-minute candles of the past, from the half hour backward
        at = 1000 - back
        group = [
            c for c in past if -back * 300_000 <= c.start_ms - run.start < -(back - 1) * 300_000
        ]
        assert group[0].open * tick == pytest.approx(rows["open"][at], rel=3e-4)
        assert max(c.high for c in group) * tick == pytest.approx(rows["high"][at], rel=3e-4)
        assert min(c.low for c in group) * tick == pytest.approx(rows["low"][at], rel=3e-4)


def test_candles_end(tmp_path: Path) -> None:
    write_candles(tmp_path / "BTCUSDT.parquet", rows=14)
    run = Run(choose_market(str(tmp_path / "BTCUSDT.parquet"), 1), speed=100.0)
    assert not run.market.status()["finished"]
    run.turn(25)
    count = len(run.trades)
    assert run.market.status()["finished"]
    run.turn(5)
    assert len(run.trades) == count > 100


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"ts_ms": np.arange(2000) * 1000}, "not of whole minutes"),
        ({"ts_ms": np.delete(np.arange(2001), 77) * 60_000}, "row 77: a gap"),
        ({"low": np.full(2000, 1e9)}, "row 0: not a candle"),
        ({"close": np.full(2000, np.nan)}, "row 0: not a candle"),
        ({"open": ["x"] * 2000}, "not of numbers"),
    ],
)
def test_bad_candles_are_named(tmp_path: Path, columns: dict, problem: str) -> None:  # type: ignore[type-arg]
    good = write_candles(tmp_path / "ok.parquet")
    table = pyarrow.parquet.read_table(good).to_pydict() | columns
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "BTCUSDT.parquet")
    with pytest.raises(RecordingError, match=f"BTCUSDT.parquet: .*{problem}"):
        choose_market(str(tmp_path / "BTCUSDT.parquet"), 1)


def test_files_that_do_not_fit_together_or_are_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RecordingError, match=r"x\.parquet: cannot be read"):
        choose_market(str(tmp_path), 1)
    (tmp_path / "x.parquet").unlink()
    write_candles(tmp_path / "BTCUSDT.parquet")
    write_candles(tmp_path / "ETHUSDT.parquet", minutes=1)
    with pytest.raises(RecordingError, match=r"ETHUSDT\.parquet: another timeframe"):
        choose_market(str(tmp_path), 1)
