from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.model.instrument import VENUES
from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.clock import FundingClock
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.market import Market
from exchanges.practice.state import (
    BookChanged,
    KlineChanged,
    OrderRequest,
    PracticeEvent,
    PublicTrade,
)
from exchanges.practice.synthetic import SyntheticMarket
from tests.exchanges.practice.floor import BTC, START_MS

MINUTE = 60_000


class Run:
    """Three venues on a market, on a clock that the test turns."""

    def __init__(self, market: Market, start_ms: int = START_MS, speed: float = 1.0) -> None:
        self.market = market
        self.start = self.now = start_ms
        self.venues = {
            name: PracticeVenue(
                name, market.contracts(name), market, FundingClock(start_ms, speed), self.clock
            )
            for name in VENUES
        }
        market.open(self.venues, start_ms, speed)
        self.trades: list[tuple[str, PublicTrade]] = []
        self.books: list[tuple[str, BookChanged]] = []
        self.klines: list[tuple[str, KlineChanged]] = []
        for name, venue in self.venues.items():
            venue.add_account("me", Decimal(1_000_000), f"key {name}", "secret")
            venue.subscribe(self._keeper(name))

    def _keeper(self, name: str) -> Callable[[PracticeEvent], None]:
        kept: dict[type, list[Any]] = {
            PublicTrade: self.trades,
            BookChanged: self.books,
            KlineChanged: self.klines,
        }

        def keep(event: PracticeEvent) -> None:
            if type(event) in kept:
                kept[type(event)].append((name, event))

        return keep

    def clock(self) -> int:
        return self.now

    def turn(self, seconds: float, step_ms: int = 100) -> None:
        for _ in range(int(seconds * 1000 / step_ms)):
            self.now += step_ms
            self.market.advance(self.now)
            for venue in self.venues.values():
                venue.tick()

    def books_now(self) -> dict[tuple[str, str], tuple[object, object]]:
        return {
            (name, symbol): (tape.book.levels(1, 200), tape.book.levels(-1, 200))
            for name, venue in self.venues.items()
            for symbol, tape in venue.tapes.items()
        }


@pytest.fixture(scope="module")
def five_minutes() -> Run:
    run = Run(SyntheticMarket(7))
    run.turn(300)
    return run


def story(run: Run) -> dict[str, list[tuple[object, ...]]]:
    """The trades of each venue, in the order they were told."""
    told: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for name, t in run.trades:
        told[name].append((t.symbol, t.tick, t.lots, t.side, t.ts_ms - run.start))
    return told


def test_a_seed_gives_the_same_market_whenever_it_starts_and_however_it_is_turned() -> None:
    one = Run(SyntheticMarket(7))
    two = Run(SyntheticMarket(7), start_ms=START_MS + 86_412_345)
    other = Run(SyntheticMarket(8))
    one.turn(70)
    two.turn(63, step_ms=700)
    two.turn(7)
    other.turn(70)
    assert story(one) == story(two)
    assert one.books_now() == two.books_now()
    assert story(one) != story(other)
    assert len(one.trades) > 1000


def test_venues_are_tied_and_books_are_whole(five_minutes: Run) -> None:
    closes: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for name, trade in five_minutes.trades:
        tick = five_minutes.venues[name].contracts[trade.symbol].tick_size
        closes[name, trade.symbol][trade.ts_ms // 5000] = trade.tick * tick
    for symbol in five_minutes.venues["bybit"].contracts:
        slots = sorted(set.intersection(*(set(closes[name, symbol]) for name in VENUES)))
        prices = np.array([[closes[name, symbol][slot] for slot in slots] for name in VENUES])
        assert np.max(np.abs(np.median(prices / prices[0], axis=1) - 1)) < 5e-4
        returns = np.diff(np.log(prices[:, ::3]))
        assert np.corrcoef(returns)[0, 1:].min() > 0.6
    for name, venue in five_minutes.venues.items():
        for symbol, tape in venue.tapes.items():
            bids, asks = tape.book.levels(1, 500), tape.book.levels(-1, 500)
            assert bids[0][0] < asks[0][0], (name, symbol)
            assert min(len(bids), len(asks)) >= 50


def test_following_the_changes_gives_the_book(five_minutes: Run) -> None:
    followed: dict[tuple[str, str, int], dict[int, int]] = defaultdict(dict)
    last: dict[tuple[str, str], int] = {}
    run = Run(SyntheticMarket(3))
    for name, venue in run.venues.items():
        for symbol in venue.tapes:
            snapshot = venue.depth(symbol, 1000)
            followed[name, symbol, 1] = dict(snapshot.bids)
            followed[name, symbol, -1] = dict(snapshot.asks)
            last[name, symbol] = snapshot.update_id
    run.books.clear()
    run.turn(20)
    for name, change in run.books:
        assert change.prev_id == last[name, change.symbol] < change.first_id <= change.last_id
        last[name, change.symbol] = change.last_id
        for sign, levels in ((1, change.bids), (-1, change.asks)):
            book = followed[name, change.symbol, sign]
            for tick, lots in levels:
                book[tick] = lots
                if not lots:
                    del book[tick]
    for (name, symbol), (bids, asks) in run.books_now().items():
        assert followed[name, symbol, 1] == dict(bids)  # type: ignore[call-overload]
        assert followed[name, symbol, -1] == dict(asks)  # type: ignore[call-overload]


def test_averages_cross_about_once_a_minute(five_minutes: Run) -> None:
    prices: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for name, trade in five_minutes.trades:
        prices[name, trade.symbol][trade.ts_ms // 5000] = trade.tick
    rates = []
    for candles in prices.values():
        fast = slow = float(candles[min(candles)])
        signs, close = [], fast
        for slot in range(min(candles), max(candles) + 1):
            close = candles.get(slot, close)
            fast += (close - fast) / 2
            slow += (close - slow) / 5
            if fast != slow:
                signs.append(fast > slow)
        crosses = sum(1 for a, b in itertools.pairwise(signs) if a != b)
        rates.append(crosses / 5)
        assert crosses >= 1
    assert 0.7 < np.mean(rates) < 2.5


@pytest.mark.parametrize("offset", [0, 59_999])
def test_the_past_is_thirty_days_and_runs_into_the_present(offset: int) -> None:
    run = Run(SyntheticMarket(5), start_ms=START_MS + offset)
    run.turn(130)
    for name, symbols in (("okx", [BTC]), ("bybit", ["LTC/USDT:USDT"])):
        venue = run.venues[name]
        for symbol in symbols:
            candles = venue.klines(symbol, 60, limit=100_000)
            assert candles[-1].start_ms == run.now - run.now % MINUTE
            assert len(candles) >= 30 * 1440
            for before, after in itertools.pairwise(candles):
                assert after.start_ms - before.start_ms == MINUTE
                assert abs(after.open / before.close - 1) < 1e-3, (name, symbol, after)
                assert after.low <= min(after.open, after.close)
                assert after.high >= max(after.open, after.close)
                assert before.closed
                assert after.lots >= after.buy_lots >= 0
            returns = np.diff(np.log([candle.close for candle in candles]))
            days = returns[: len(returns) // 1440 * 1440].reshape(-1, 1440).sum(axis=1)
            assert 0.01 < np.std(days) < 0.12
            hours = venue.klines(symbol, 3600, limit=50)
            minutes = [c for c in candles if c.start_ms >= hours[0].start_ms]
            assert sum(c.lots for c in hours) == sum(c.lots for c in minutes)
            assert max(c.high for c in hours) == max(c.high for c in minutes)


@pytest.mark.parametrize("offset", [0, 17_123, 59_999])
def test_the_last_minute_alone_is_that_of_the_whole_past(offset: int) -> None:
    run = Run(SyntheticMarket(5), start_ms=START_MS + offset)
    for symbol in (BTC, "LTC/USDT:USDT"):
        whole = run.market.candles("okx", symbol)
        alone = run.market.last_minute("okx", symbol)
        for name in whole.__struct_fields__:
            assert getattr(alone, name).tolist() == getattr(whole, name)[-1:].tolist()


@pytest.mark.parametrize("offset", [0, 17 * MINUTE + 3_000, 59 * MINUTE])
def test_a_year_of_hours_lies_before_the_minutes(offset: int) -> None:
    run = Run(SyntheticMarket(2), START_MS + offset)
    for venue in run.venues.values():
        hours = venue.klines(BTC, 3600, start_ms=0, limit=20_000)
        starts = [one.start_ms for one in hours]
        assert starts[0] < run.start - 394 * 24 * 60 * MINUTE
        assert set(np.diff(starts).tolist()) == {60 * MINUTE}
        assert starts[-1] == run.start - run.start % (60 * MINUTE)
        for before, after in itertools.pairwise(hours):
            # The price of a candle is where the one before it ended, give or take a trade.
            assert abs(after.open / before.close - 1) < 0.002
            assert before.low <= min(before.open, before.close)
            assert before.high >= max(before.open, before.close)
        moves = np.diff(np.log([one.close for one in hours]))
        old, new = moves[: 365 * 24].std(), moves[-29 * 24 :].std()
        assert 0.75 < old / new < 1.33
        assert len(venue.klines(BTC, 14_400, start_ms=0, limit=20_000)) >= len(hours) // 4
        assert venue.klines(BTC, 1800, start_ms=0, limit=1)[0].start_ms > starts[8_000]


def test_what_venues_differ_by_says_nothing_of_the_next_candle() -> None:
    """Neither of hours nor of minutes, nor one asset of another: it is noise, drawn apart."""
    run = Run(SyntheticMarket(2))
    symbols = list(run.venues["bybit"].contracts)[:4]
    for seconds, count in ((3600, 8_000), (60, 40_000)):
        closes = {
            (venue, symbol): np.log(
                [one.close for one in run.venues[venue].klines(symbol, seconds, limit=count)]
            )
            for venue in VENUES
            for symbol in symbols
        }
        for symbol in symbols:
            mean = np.mean([closes[venue, symbol] for venue in VENUES], axis=0)
            ahead = np.diff(mean)
            for venue in VENUES:
                apart = (closes[venue, symbol] - mean)[:-1]
                assert abs(np.corrcoef(apart, ahead)[0, 1]) < 0.06, (venue, symbol, seconds)
        own = [np.diff(closes["okx", symbol]) for symbol in symbols]
        together = np.corrcoef(own)[np.triu_indices(len(symbols), 1)]
        assert ((together > 0.2) & (together < 0.95)).all(), together


def test_candles_are_those_of_the_trades_before_and_after_the_start() -> None:
    run = Run(SyntheticMarket(5), start_ms=START_MS + 12_345)
    run.turn(130)
    venue = run.venues["okx"]
    trades = venue.recent_trades(BTC, 10_000)
    assert trades[0].ts_ms <= run.start - 15 * MINUTE
    assert [t.number for t in trades] == list(range(trades[0].number, trades[-1].number + 1))
    assert len({t.trade_id for t in trades}) == len(trades)
    candles = venue.klines(BTC, 60, start_ms=run.start - 20 * MINUTE, limit=100)
    assert len(candles) >= 22
    for candle in candles:
        inside = [t for t in trades if 0 <= t.ts_ms - candle.start_ms < MINUTE]
        assert candle.lots == sum(t.lots for t in inside)
        assert candle.trades == len(inside)
        assert candle.close == inside[-1].tick
        assert (candle.high, candle.low) == (
            max(t.tick for t in inside),
            min(t.tick for t in inside),
        )
    closed = [event.kline for name, event in run.klines if name == "okx" and event.kline.closed]
    assert {c.start_ms for c in closed} == {
        run.start - run.start % MINUTE + i * MINUTE for i in (0, 1)
    }


def test_klines_by_start_by_end_and_beyond() -> None:
    run = Run(SyntheticMarket(5))
    run.turn(1)
    venue = run.venues["binance"]
    some = venue.klines(BTC, 300, start_ms=START_MS - 3_600_000, limit=3)
    assert [c.start_ms for c in some] == [START_MS - 3_600_000 + i * 300_000 for i in range(3)]
    assert all(c.closed for c in some)
    until = venue.klines(BTC, 60, end_ms=START_MS - 600_000, limit=5)
    assert until[-1].start_ms == START_MS - 600_000
    assert len(until) == 5
    assert venue.klines(BTC, 60, start_ms=START_MS + 86_400_000, limit=5) == []
    assert venue.klines(BTC, 60, start_ms=0, limit=2)[0].start_ms == START_MS - 30 * MINUTE * 1441


def test_a_user_eats_the_book_and_the_market_comes_back() -> None:
    run = Run(SyntheticMarket(7))
    run.turn(1)
    venue = run.venues["bybit"]
    before = venue.depth(BTC, 5)
    lots = sum(size for _, size in before.asks) + 1
    order = venue.submit(
        "me",
        OrderRequest(
            symbol=BTC, side=Side.BUY, kind=OrderKind.MARKET, qty=venue.contracts[BTC].qty(lots)
        ),
    )
    assert order.filled == order.qty
    assert venue.depth(BTC, 1).asks[0][0] > before.asks[-1][0]
    run.turn(0.3)
    whole = run.market._quoters[0]._keys[-1][-4:]  # type: ignore[attr-defined]
    assert [-key for key in reversed(whole)] == [tick for tick, _ in venue.depth(BTC, 4).asks]
    run.turn(2.7)
    after = venue.depth(BTC, 1000)
    last = run.market._bids[0][run.market._step]  # type: ignore[attr-defined]
    assert abs(after.asks[0][0] - last - 1) <= 1
    assert len(after.asks) >= 50


def test_speed_compresses_the_same_market() -> None:
    slow, fast = Run(SyntheticMarket(7)), Run(SyntheticMarket(7), speed=10.0)
    slow.turn(60)
    fast.turn(6)
    for name in VENUES:
        paces = [
            [(t.symbol, t.lots, t.side) for venue, t in run.trades if venue == name]
            for run in (slow, fast)
        ]
        assert paces[0] == paces[1]
    assert max(t.ts_ms for _, t in fast.trades) <= fast.now


def test_tickers_agree_with_candles(five_minutes: Run) -> None:
    venue = five_minutes.venues["binance"]
    for ticker in venue.tickers():
        day = venue.klines(ticker.symbol, 60, start_ms=five_minutes.now - 86_400_000, limit=1441)
        assert ticker.high_24h_tick == max(c.high for c in day)
        assert ticker.low_24h_tick == min(c.low for c in day)
        assert ticker.last_tick == day[-1].close
        assert ticker.bid_tick < ticker.ask_tick
        price = float(ticker.mark) / venue.contracts[ticker.symbol].tick_size
        assert abs(price / ticker.last_tick - 1) < 2e-3
        assert -0.001 < float(ticker.funding_rate) < 0.001
