"""Order flow through the engine: latency, queues, partial fills, margin; files read and refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from core.clock import SECOND
from core.config import Config
from core.errors import RecordingError
from core.home import Home
from core.journal import recorder
from core.journal.recording import read_recording
from core.model.event import Close, Event, Submit, Tick
from core.model.instrument import Instrument
from core.model.market import (
    BookTop,
    Candle,
    Depth,
    Fact,
    FactTold,
    FundingSettled,
    Side,
    Ticker,
    Trade,
)
from core.model.order import Fill, OrderKind, OrderReport, TimeInForce
from core.research.backtest import make_engine
from core.research.flow import run_flow
from core.research.flow_venue import FlowVenue
from core.research.ticks import read_ticks, tick_events
from core.signals.context import Context
from core.signals.decision import Decision
from core.signals.ema_cross import EmaCross
from exchanges.recorded import identify, read_frames
from tests.core.engine.scene import config, instrument
from tests.core.research.test_backtest import BTC, ETH, rules, settings
from tests.core.research.test_replay import RecordedScene

D = Decimal
START = 1_700_000_000 * SECOND
LATENCY = SECOND // 10


class Silent:
    name = "silent"
    timeframe = 60
    warmup = 1

    def on_candle(self, candle: Candle) -> Decision | None:
        return None


class Floor:
    """A venue, an engine and what the engine was told."""

    def __init__(self, *instruments: Instrument, balance: int = 100_000, **changes: Any) -> None:
        instruments = instruments or (rules(),)
        # A stop so far away that it only matters where a test says otherwise.
        changes = {"strategy": {"stop_distance": "0.5"}} | changes
        config = settings(symbols=tuple(one.symbol for one in instruments), **changes)
        self.engine = make_engine(config, True, Silent)
        self.venue = FlowVenue(self.engine, instruments, D(balance), START, {}, LATENCY)
        self.told: list[Event] = []
        process = self.engine.process

        def remember(event: Event) -> Any:
            self.told.append(event)
            return process(event)

        self.engine.process = remember  # type: ignore[method-assign]
        self.venue.open()
        self.venue.arm()
        self.now = START

    def play(self, event: Event) -> None:
        self.venue.advance(event.received)
        self.venue.see(event)
        self.venue.tell(event)

    def depth(self, bids: Any, asks: Any, symbol: str = BTC, after: float = 0.0) -> None:
        self.now += int(after * SECOND)
        self.play(Depth("bybit", symbol, tuple(bids), tuple(asks), self.now, self.now))

    def trade(self, price: float, qty: float, side: Side, after: float = 0.01) -> None:
        self.now += int(after * SECOND)
        self.play(Trade("bybit", BTC, price, qty, side, str(self.now), self.now, self.now))

    def order(self, side: Side, qty: str, price: str | None = None, **changes: Any) -> None:
        kind = OrderKind.LIMIT if price else OrderKind.MARKET
        limit = D(price) if price else None
        self.venue.tell(
            Submit("r", "me", "bybit", BTC, side, D(qty), self.now, kind, limit, **changes)
        )

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.venue.advance(self.now)
        self.venue.tell(Tick(self.now))

    def fills(self) -> list[tuple[Decimal, Decimal, bool]]:
        return [(e.qty, e.price, e.maker) for e in self.told if isinstance(e, Fill)]


def test_a_market_order_meets_the_book_as_it_is_when_it_arrives() -> None:
    floor = Floor()
    floor.depth([(99.0, 5.0)], [(101.0, 5.0)])
    floor.order(Side.BUY, "1")
    assert floor.fills() == []
    floor.depth([(100.0, 5.0)], [(102.0, 5.0)], after=0.05)  # moves while the order travels
    floor.wait(0.1)
    assert floor.fills() == []  # filled at the venue; word of it travels
    floor.wait(0.06)
    assert floor.fills() == [(D(1), D("102.0"), False)]
    fill = next(event for event in floor.told if isinstance(event, Fill))
    assert fill.ts == START + LATENCY
    assert fill.received == START + 2 * LATENCY


def test_a_large_order_eats_level_after_level() -> None:
    floor = Floor()
    floor.depth([(99.0, 9.0)], [(101.0, 1.0), (101.5, 1.5), (102.0, 9.0)])
    floor.order(Side.BUY, "3")
    floor.wait(0.3)
    assert [fill[:2] for fill in floor.fills()] == [
        (D(1), D("101.0")),
        (D("1.5"), D("101.5")),
        (D("0.5"), D("102.0")),
    ]
    floor.order(Side.BUY, "1")
    floor.wait(0.3)
    assert floor.fills()[-1][1] == D("102.0")  # what was eaten is gone
    floor.depth([(99.0, 9.0)], [(101.0, 1.0), (102.0, 9.0)])
    floor.order(Side.BUY, "1")
    floor.wait(0.3)
    assert floor.fills()[-1][1] == D("101.0")  # until the recording sets it anew


def test_a_resting_order_waits_for_its_turn_and_fills_in_parts() -> None:
    floor = Floor()
    floor.depth([(99.0, 2.0)], [(101.0, 5.0)])
    floor.order(Side.BUY, "1", "99")
    floor.wait(0.3)
    floor.trade(99.0, 1.5, Side.SELL)  # 2.0 stood before it
    floor.wait(0.3)
    assert floor.fills() == []
    floor.trade(99.0, 0.9, Side.SELL)  # 0.5 of them, then ours
    floor.wait(0.3)
    assert floor.fills() == [(D("0.4"), D("99.0"), True)]
    floor.trade(98.5, 0.7, Side.SELL)  # through the price
    floor.wait(0.3)
    assert [fill[0] for fill in floor.fills()] == [D("0.4"), D("0.6")]
    assert floor.engine.ledger.positions["bybit", BTC].qty == 1
    assert not any(
        order.order.kind is OrderKind.LIMIT for order in floor.engine.ledger.working.values()
    )


def test_an_exit_that_finds_no_depth_is_tried_again_after_a_while() -> None:
    floor = Floor()
    floor.depth([(99.0, 5.0)], [(101.0, 5.0)])
    floor.order(Side.BUY, "1")
    floor.wait(0.5)
    floor.depth([], [(101.0, 5.0)])
    floor.venue.tell(Close("r", "me", floor.now))
    orders = floor.venue.orders
    for _ in range(20):
        floor.wait(0.25)
    assert orders <= floor.venue.orders <= orders + 5
    floor.depth([(99.0, 5.0)], [(101.0, 5.0)])
    for _ in range(20):
        floor.wait(0.25)
    assert floor.engine.ledger.positions["bybit", BTC].qty == 0


def test_what_the_book_cannot_fill_is_dropped_and_told() -> None:
    floor = Floor()
    floor.depth([(99.0, 5.0)], [(101.0, 0.25)])
    floor.order(Side.BUY, "1", "101", tif=TimeInForce.IOC)
    floor.order(Side.BUY, "1", "101.5", tif=TimeInForce.POST_ONLY)
    floor.wait(0.3)
    ends = [(e.reason, e.filled) for e in floor.told if isinstance(e, OrderReport)]
    assert ends == [("ioc", D("0.25"))]
    assert [fill[0] for fill in floor.fills()] == [D("0.25")]
    assert floor.venue.listings["bybit", BTC].book.best(1) == 1015  # nothing left to cross


def test_a_stop_fires_on_trades() -> None:
    floor = Floor(strategy={"stop_distance": "0.01"})
    floor.depth([(99.9, 5.0)], [(100.0, 5.0)])
    floor.order(Side.BUY, "1")
    floor.wait(0.5)
    assert [o.order.kind for o in floor.engine.ledger.working.values()] == [OrderKind.STOP]
    floor.depth([(98.0, 5.0)], [(98.1, 5.0)], after=0.1)
    floor.trade(98.5, 0.1, Side.SELL)
    floor.wait(0.3)
    assert floor.venue.stops == 1
    assert floor.engine.ledger.positions["bybit", BTC].qty == 0
    assert floor.fills()[-1][1] == D("98.0")


def test_an_account_whose_margin_is_used_up_is_liquidated() -> None:
    far = {"stop_distance": "0.9"}
    wide = {"leverage": 20, "venue_notional": 20, "position_notional": 1, "loss_to_stop": 1}
    floor = Floor(balance=1_000, strategy=far, limits=wide)
    floor.depth([(99.9, 500.0)], [(100.0, 500.0)])
    for _ in range(4):
        floor.order(Side.BUY, "9", stop=D("50"))
        floor.wait(0.5)
    held = floor.engine.ledger.positions["bybit", BTC].qty
    assert held == D(9)  # the gate allows one times equity
    listing = floor.venue.listings["bybit", BTC]
    assert listing.lots == 9000
    floor.engine.ledger.accounts["bybit"].cash = D(48)
    floor.venue._accounts["bybit"].balance = D(48)
    floor.depth([(95.0, 500.0)], [(95.1, 500.0)], after=1)
    floor.trade(95.0, 1.0, Side.SELL, after=1)
    floor.wait(1)
    assert floor.venue.liquidations == 1
    assert listing.lots == 0
    assert floor.engine.ledger.positions["bybit", BTC].qty == 0


def test_margin_that_is_not_there_refuses_an_order() -> None:
    floor = Floor()
    floor.depth([(99.9, 500.0)], [(100.0, 500.0)])
    floor.venue._accounts["bybit"].balance = D(5)
    floor.order(Side.BUY, "1")
    floor.wait(0.5)
    assert floor.fills() == []
    assert floor.venue.refused["ORDER_REJECTED"] == 1


def test_funding_comes_with_the_tickers() -> None:
    floor = Floor()
    floor.depth([(99.9, 5.0)], [(100.0, 5.0)])
    floor.order(Side.BUY, "1")
    floor.wait(0.5)
    settles = floor.now + SECOND
    for after in (0, 2):
        now = floor.now + after * SECOND
        floor.play(Ticker("bybit", BTC, None, 100.0, None, 0.0001, settles, None, None, now, now))
    floor.now += 2 * SECOND
    floor.wait(0.3)
    assert floor.engine.ledger.funding == D("-0.0100")


def flow(count: int, seed: int = 1) -> Iterator[Event]:
    rng = np.random.default_rng(seed)
    price = 100.0
    for at in range(count):
        now = START + at * SECOND // 4
        price = round(max(price + float(rng.normal(0, 0.15)), 50.0), 1)
        bid, ask = round(price - 0.1, 1), round(price + 0.1, 1)
        yield BookTop("bybit", BTC, bid, 900.0, ask, 900.0, now, now)
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        yield Trade("bybit", BTC, ask if side == "buy" else bid, 0.5, side, str(at), now, now)


def playing(**changes: Any) -> Config:
    return settings(strategy={"timeframe": 5, "fast": 2, "slow": 5}, **changes)


def test_the_same_flow_gives_the_same_decisions() -> None:
    def run(latency: int) -> Any:
        events = list(flow(3_000))
        return run_flow(events, [rules()], playing(), start=START, latency=latency)

    one, two, slower = run(LATENCY), run(LATENCY), run(SECOND)
    assert one.decision_hash == two.decision_hash
    assert one.trades > 10
    assert one.stops
    assert slower.equity_end != one.equity_end
    assert len(one.trips) == one.trades
    assert sum(trip.net for trip in one.trips) == pytest.approx(
        float(sum(each.realised - each.fees for each in one.results)), abs=60
    )


def test_what_venues_told_of_the_past_is_seen_again() -> None:
    """A desk's recording has it; without it features would be others than the desk's were."""
    rows: list[list[float]] = []

    class Looking(Silent):
        timeframe = 5
        needs = ("funding", "basis")
        context: Context

        def on_candle(self, candle: Candle) -> Decision | None:
            rows.append(self.context.row)
            return None

    first = START + 1
    told = [FundingSettled("bybit", BTC, 3e-4, START - 3600 * SECOND, first)]
    ends = [START + 5 * SECOND * n for n in range(1, 20)]
    told += [FactTold("bybit", BTC, Fact.INDEX, 1000.0, end, end) for end in ends]  # type: ignore[misc]
    events = sorted([*told, *flow(400)], key=lambda event: event.received)
    run_flow(events, [rules()], playing(), start=START, make_strategy=lambda: Looking())
    assert [row[0] for row in rows] == pytest.approx([3.0] * len(rows))
    assert np.isfinite([row[1] for row in rows][:10]).all()


def test_a_loss_limit_flattens_over_the_wire() -> None:
    config = playing(limits={"drawdown": "0.001"})
    result = run_flow(list(flow(3_000)), [rules()], config, start=START, latency=LATENCY)
    assert "DRAWDOWN" in result.halted
    assert result.equity_end == result.equity_start + result.realised - result.fees


@pytest.mark.parametrize("latency", [0, LATENCY])
def test_several_symbols_play_together(latency: int) -> None:
    other = [
        type(event)(
            **{name: getattr(event, name) for name in event.__struct_fields__} | {"symbol": ETH}
        )
        for event in flow(800, 2)
    ]
    events = sorted([*flow(800), *other], key=lambda event: event.received)
    config = playing(symbols=(BTC, ETH))
    result = run_flow(events, [rules(), rules(ETH)], config, start=START, latency=latency)
    assert all(one.trades for one in result.results)


# --- files


def write_trades(path: Path, **columns: Any) -> Path:
    data = {
        "timestamp": [1, 2, 3],
        "price": [100.0, 101.0, 100.5],
        "quantity": [1.0, 2.0, 3.0],
        "buyer_maker": ["True", "False", "True"],
    } | columns
    pyarrow.parquet.write_table(pyarrow.table(data), path)
    return path


def test_trades_without_quotes_get_a_book_of_their_own(tmp_path: Path) -> None:
    file = read_ticks(write_trades(tmp_path / "okx_btcusdt.parquet"))
    assert (file.venue, file.symbol, file.quotes) == ("okx", BTC, False)
    events = list(tick_events(file, "okx", False, 0.1))
    sides = [event.side for event in events if isinstance(event, Trade)]
    assert sides == ["sell", "buy", "sell"]
    tops = [(e.bid, e.ask) for e in events if isinstance(e, BookTop)]
    assert tops == [(100.0, 100.1), (100.9, 101.0), (100.5, 100.6)]
    assert all(isinstance(one, Trade) for one in tick_events(file, "okx", True, 0.1))


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"price": [100.0, float("nan"), 1.0]}, "row 2"),
        ({"quantity": [1.0, 1.0, -1.0]}, "row 3"),
        ({"timestamp": [1, 3, 2]}, "row 3"),
        ({"buyer_maker": ["True", "maybe", "True"]}, "row 2: buyer_maker 'maybe'"),
        ({"price": ["a", "b", "c"]}, "not of numbers"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, columns: dict[str, Any], text: str) -> None:
    path = write_trades(tmp_path / "okx_btcusdt.parquet", **columns)
    with pytest.raises(RecordingError, match=text) as caught:
        read_ticks(path)
    assert str(path) in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no symbol"):
        read_ticks(write_trades(tmp_path / "trades.parquet"))
    broken = tmp_path / "btcusdt.json"
    broken.write_text("{")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_ticks(broken)
    with pytest.raises(RecordingError, match="no such file"):
        read_ticks(tmp_path / "btcusdt.csv")
    broken.write_text("nothing\n" * 3)
    with pytest.raises(RecordingError, match="no order book frames"):
        identify(broken)


def frames(path: Path, *, gap: bool = False, spot: bool = False) -> Path:
    def line(at: int, stream: str, data: dict[str, Any]) -> str:
        return f"{START + at * SECOND // 10} " + json.dumps(
            {"stream": f"btcusdt@{stream}", "data": data}, separators=(",", ":")
        )

    def delta(at: int, first: int, last: int, before: int, **sides: Any) -> str:
        more = {} if spot else {"T": 1_700_000_000_000, "pu": before}
        return line(
            at,
            "depth",
            {"e": "depthUpdate", "E": 1_700_000_000_000, "s": "BTCUSDT", "U": first, "u": last}
            | more
            | {"b": sides.get("b", []), "a": sides.get("a", [])},
        )

    snapshot = {"lastUpdateId": 10, "bids": [["100.0", "1"]], "asks": [["100.1", "2"]]}
    top = {"u": 13, "s": "BTCUSDT", "b": "100.0", "B": "4", "a": "100.1", "A": "2"}
    print_ = {"e": "trade", "E": 1, "T": 1_700_000_000_000, "s": "BTCUSDT", "t": 1, "p": "100.1"}
    rows = [
        delta(0, 9, 11, 8, b=[["100.0", "3"]]),
        f"{START + SECOND // 10} " + json.dumps(snapshot, separators=(",", ":")),
        delta(2, 12, 12, 11, a=[["100.2", "5"]]),
        line(
            3, "bookTicker", top if spot else {"e": "bookTicker"} | top | {"T": 1_700_000_000_000}
        ),
        line(4, "trade", print_ | {"q": "0.5", "m": False}),
        delta(5, 20 if gap else 13, 21, 19 if gap else 12, b=[["99.9", "1"]]),
    ]
    path.write_bytes(gzip.compress("\n".join(rows).encode() + b"\n"))
    return path


@pytest.mark.parametrize("spot", [False, True])
def test_recorded_frames_become_the_events_they_would_have_been(tmp_path: Path, spot: bool) -> None:
    path = frames(tmp_path / "btc.gz", spot=spot)
    assert identify(path)[:2] == ("binance", "BTC")
    events = list(read_frames(path, rules(venue="binance").__class__(**fields("binance"))))
    kinds = [type(event).__name__ for event in events]
    assert kinds[0] == "BookTop"
    assert "Trade" in kinds
    assert "Depth" in kinds
    first = events[0]
    assert isinstance(first, BookTop)
    assert (first.bid, first.bid_qty, first.ask) == (100.0, 1.0, 100.1)


def fields(venue: str) -> dict[str, Any]:
    one = rules(venue=venue)
    values = {name: getattr(one, name) for name in one.__struct_fields__}
    return values | {"venue_symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data.replace(b'"depthUpdate"', b'"depthUpdate', 1), "line 1"),
        (lambda data: data[:40], "line 1"),
        (lambda data: b"x " + data, "line 1: not a receive time"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, change: Any, text: str) -> None:
    path = frames(tmp_path / "btc.gz")
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    with pytest.raises(RecordingError, match=text):
        list(read_frames(path, Instrument(**fields("binance"))))


def test_a_gap_in_the_book_is_named(tmp_path: Path) -> None:
    path = frames(tmp_path / "btc.gz", gap=True)
    with pytest.raises(RecordingError, match=r"line 6: .*gap"):
        list(read_frames(path, Instrument(**fields("binance"))))


# --- a desk's own recording


class Noting:
    """Follows the averages, and notes what it said."""

    def __init__(self, said: list[Any]) -> None:
        self._inner = EmaCross(config().strategy)
        self.name, self.timeframe, self.warmup = "ema_cross", 5, 4
        self._said = said

    def on_candle(self, candle: Candle) -> Decision | None:
        decision = self._inner.on_candle(candle)
        if decision is not None:
            self._said.append((candle.ts, decision.target, decision.score))
        return decision


def test_a_recorded_session_gives_the_same_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    live: list[Any] = []
    scene = RecordedScene(Home(tmp_path), make_strategy=lambda: Noting(live))
    scene.trade(6)
    path = scene.end()
    again: list[Any] = []
    result = run_flow(
        (one.event for one in read_recording(path)),
        [instrument()],
        scene.settings,
        start=scene.now - 600 * SECOND,
        latency=LATENCY,
        make_strategy=lambda: Noting(again),
    )
    assert len(live) > 4
    assert again == live
    assert result.orders > 4
