"""Context features: one event at a time in the engine, all at once for training; both the same."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.clock import SECOND
from core.errors import ConfigError
from core.model.event import Event
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
from core.research.candles import CandleFile, read_candles, read_funding
from core.signals.context import FAMILIES, NAMES, TABLES, Context, Family, History, Place
from core.signals.universe import Universe

SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
Tabulate = Callable[[History], np.ndarray]
VENUE, SYMBOL = "binance", "BTC/USDT:USDT"
START = 1_700_000_000 // 3600 * 3600


def candle_file(
    count: int,
    seconds: int,
    start: int = START,
    venue: str = VENUE,
    symbol: str = SYMBOL,
    seed: int = 1,
) -> CandleFile:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    ts = start * 1000 + np.arange(count, dtype=np.int64) * seconds * 1000
    volume = rng.uniform(1, 9, count)
    return CandleFile(
        Path(f"{venue}/{symbol}"), venue, symbol, seconds, ts, close, close, close, close, volume
    )


def candles(file: CandleFile) -> list[Candle]:
    rows = zip(file.ts.tolist(), file.close.tolist(), file.volume.tolist(), strict=True)
    return [
        Candle(
            file.venue, file.symbol, file.timeframe, c, c, c, c, v, ts * 1_000_000,
            (ts // 1000 + file.timeframe) * SECOND,
        )
        for ts, c, v in rows
    ]  # fmt: skip


def live(kind: type[Family], history: History, place: Place) -> np.ndarray:
    """The values of each candle as the engine has them: a candle closes a second after its end."""
    family = kind(place)
    company = set(kind.company(place))
    heard: list[tuple[int, int, object]] = []
    for event in history.events:
        if type(event) in kind.hears:
            heard.append((event.received, 0, event))
    for file in history.others:
        if (file.venue, file.symbol) in company:
            heard += [(c.received + SECOND, 1, c) for c in candles(file)]
    rows = [(c.received + SECOND, 2, c) for c in candles(history.own)]
    table = []
    for _, order, event in sorted(heard + rows, key=lambda one: one[:2]):
        if order == 2:
            table.append(family.close(event))
        else:
            family.hear(event)
    return np.array(table)


def check(kind: type[Family], tabulate: Tabulate, history: History, place: Place) -> np.ndarray:
    table = tabulate(history)
    np.testing.assert_allclose(live(kind, history, place), table, rtol=1e-9, atol=1e-9)
    return table


def table_of(kind: type[Family]) -> Tabulate:
    return TABLES[FAMILIES.index(kind)]


def named(kind: type[Family], table: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip([one.name for one in kind.features], table.T, strict=True))


# --- books --------------------------------------------------------------------------------------

BOOK = FAMILIES[0]
PLACE = Place(VENUE, SYMBOL, 1)


def market(seed: int, count: int, gap: float) -> list[Event]:
    """Books and trades at uneven times, with silences."""
    rng = np.random.default_rng(seed)
    now = START * SECOND
    bid = 1000
    events: list[Event] = []
    for _ in range(count):
        now += int(rng.exponential(gap) * SECOND) + int(rng.random() < 0.01) * 90 * SECOND
        bid += int(rng.integers(-2, 3))
        kind = rng.integers(0, 3)
        quantity = [float(x) for x in rng.uniform(0.1, 5.0, 24)]
        width = int(rng.integers(1, 4))
        if kind == 0:
            top = (bid / 10, quantity[0], (bid + width) / 10, quantity[1])
            events.append(BookTop(VENUE, SYMBOL, *top, now, now))
        elif kind == 1:
            bids = tuple(((bid - i) / 10, quantity[i]) for i in range(12))
            asks = tuple(((bid + width + i) / 10, quantity[12 + i]) for i in range(12))
            events.append(Depth(VENUE, SYMBOL, bids, asks, now, now))
        else:
            side = Side.BUY if quantity[2] > 2.5 else Side.SELL
            events.append(Trade(VENUE, SYMBOL, bid / 10, quantity[3], side, "1", now, now))
    return events


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.05, 0.7, 20.0]),
    span=st.sampled_from([1, 5, 60]),
)
def test_books_one_at_a_time_equal_books_at_once(seed: int, gap: float, span: int) -> None:
    events = market(seed, 120, gap)
    length = int((events[-1].received // SECOND - START) // span) + 2
    own = candle_file(min(length, 3_000), span)
    check(BOOK, table_of(BOOK), History(own, events=events), Place(VENUE, SYMBOL, span))


def test_a_book_by_hand() -> None:
    at = START * SECOND
    half = SECOND // 2
    events: list[Event] = [
        BookTop(VENUE, SYMBOL, 99.0, 3.0, 101.0, 1.0, at, at),
        BookTop(VENUE, SYMBOL, 99.0, 5.0, 101.0, 5.0, at + half, at + half),
        Trade(VENUE, SYMBOL, 101.0, 3.0, Side.BUY, "1", at + half, at + half),
        Trade(VENUE, SYMBOL, 99.0, 1.0, Side.SELL, "2", at + half, at + half),
    ]
    history = History(candle_file(2, 1), events=events)
    found = named(BOOK, check(BOOK, table_of(BOOK), history, PLACE))
    assert found["book_imbalance"][0] == 0.0
    assert found["book_imbalance_mean"][0] == pytest.approx(0.25)
    assert found["spread"][0] == pytest.approx(200.0)
    assert found["ofi"][0] == pytest.approx(-1.0)  # 2 more on the bid, 4 more on the ask
    assert found["taker_flow"][0] == pytest.approx(0.5)
    assert np.isnan(found["depth_imbalance"][0])
    assert found["book_imbalance_mean"][1] == 0.0  # the last book holds
    assert np.isnan(found["taker_flow"][1])


def recorded(name: str) -> list[Event]:
    path = SHARED / "l2" / "binance" / name
    if not path.exists():
        pytest.skip(f"no shared recording at {path}")
    events: list[Event] = []
    with gzip.open(path, "rt") as file:
        for line in file:
            received, _, frame = line.partition(" ")
            data = json.loads(frame).get("data", {})
            now = int(received)
            if data.get("e") == "bookTicker":
                top = [float(data[key]) for key in ("b", "B", "a", "A")]
                events.append(BookTop(VENUE, SYMBOL, *top, now, now))
            elif data.get("e") == "trade":
                side = Side.SELL if data["m"] else Side.BUY
                price, qty = float(data["p"]), float(data["q"])
                events.append(Trade(VENUE, SYMBOL, price, qty, side, "1", now, now))
    return events


def test_books_on_a_real_recording() -> None:
    events = recorded("usdm_btcusdt_20240808.gz")
    start = events[0].received // SECOND
    own = candle_file(340, 1, start)
    found = named(BOOK, check(BOOK, table_of(BOOK), History(own, events=events), PLACE))
    assert np.isfinite(found["ofi"]).mean() > 0.9
    tops = [e for e in events if isinstance(e, BookTop)]
    times = np.array([e.received for e in tops])
    middle = np.array([(e.bid + e.ask) / 2 for e in tops])
    at = np.searchsorted(times, (start + np.arange(1, 340)) * SECOND) - 1
    ahead = np.append(np.diff(np.log(middle[at])), [np.nan, np.nan])
    known = np.isfinite(found["ofi"]) & np.isfinite(ahead)
    # What the literature and our own measurement found: flow moves the next second's price.
    assert np.corrcoef(found["ofi"][known], np.sign(ahead[known]))[0, 1] > 0.1


# --- candles of others ----------------------------------------------------------------------------

VENUES, LEADER, MARKET, FUNDING, BASIS, INTEREST = FAMILIES[1:7]
TWO = Place(VENUE, "ETH/USDT:USDT", 3600, (VENUE, "okx", "bybit"), (SYMBOL, "ETH/USDT:USDT"))


def without(file: CandleFile, rows: list[int]) -> CandleFile:
    keep = np.setdiff1d(np.arange(len(file.ts)), rows)
    columns = {
        name: getattr(file, name)[keep] for name in ("ts", "open", "high", "low", "close", "volume")
    }
    return replace(file, **columns)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    missing=st.lists(st.integers(0, 149), max_size=5),
    start=st.integers(-60, 60),
)
def test_other_venues_and_the_leader_are_the_same_at_once(
    seed: int, missing: list[int], start: int
) -> None:
    own = candle_file(150, 3600, symbol=TWO.symbol, seed=seed)
    okx = candle_file(150, 3600, venue="okx", symbol=TWO.symbol, seed=seed)
    volume = np.random.default_rng(seed).uniform(0.0, 9.0, 150)
    volume[missing] = 0.0
    okx = without(replace(okx, close=okx.close * 1.0003, volume=volume), missing[::2])
    bybit = candle_file(100, 3600, START + start * 3600, "bybit", TWO.symbol, seed)
    lead = candle_file(200, 3600, START + start * 3600, seed=seed + 1)
    history = History(own, others=(okx, bybit, lead))
    found = named(VENUES, check(VENUES, table_of(VENUES), history, TWO))
    assert np.isfinite(found["venue_gap"]).sum() >= 140
    shares = found["venue_share_z"]
    if not missing:
        assert np.isfinite(shares[48:]).all()
        assert shares[48:].std() > 0.5
    check(LEADER, table_of(LEADER), history, TWO)
    check(LEADER, table_of(LEADER), History(lead), Place(VENUE, SYMBOL, 3600))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    missing=st.lists(st.integers(0, 149), max_size=4),
    holes=st.lists(st.integers(0, 149), max_size=3),
    start=st.integers(-60, 60),
    flat=st.booleans(),
)
def test_the_market_is_the_same_at_once(
    seed: int, missing: list[int], holes: list[int], start: int, flat: bool
) -> None:
    """Symbols that miss candles, come later or end earlier are left out of those candles alone."""
    own = without(candle_file(150, 3600, symbol="ETH/USDT:USDT", seed=seed), holes)
    btc = without(candle_file(150, 3600, seed=seed + 1), missing)
    sol = candle_file(100, 3600, START + start * 3600, symbol="SOL/USDT:USDT", seed=seed + 2)
    twin = replace(own, symbol="ADA/USDT:USDT", close=own.close * 3.0)  # shares every rank
    if flat:
        sol = replace(sol, close=np.full(100, 7.0))
    elsewhere = candle_file(150, 3600, venue="okx", symbol="SOL/USDT:USDT", seed=seed)
    symbols = tuple(one.symbol for one in (own, btc, sol, twin))
    place = Place(VENUE, own.symbol, 3600, (VENUE, "okx"), symbols)
    history = History(own, others=(btc, sol, twin, elsewhere))
    found = named(MARKET, check(MARKET, table_of(MARKET), history, place))
    assert np.nanmax(np.abs(found["rank_4"])) <= 0.5
    assert np.isfinite(found["beside_24"]).sum() >= (40 if len(holes) < 2 else 0)


def test_the_market_by_hand() -> None:
    """Three symbols: the mean counts those that are there, the rank lies among them."""
    names = ("A", "B", "C")
    place = Place(VENUE, "A", 3600, (VENUE,), names)
    files = [candle_file(60, 3600, symbol=name, seed=k) for k, name in enumerate(names)]
    files[2] = without(files[2], [58])  # so it has no return at the last candle
    history = History(files[0], others=tuple(files[1:]))
    found = named(MARKET, check(MARKET, table_of(MARKET), history, place))
    a, b = (np.diff(np.log(one.close))[-1] for one in files[:2])
    unit = np.sqrt((np.diff(np.log(files[0].close))[-48:] ** 2).mean())
    assert found["market_1"][-1] == pytest.approx((a + b) / 2 / unit)
    assert found["beside_1"][-1] == pytest.approx((a - b) / 2 / unit)
    assert found["rank_1"][-1] == (0.5 if a > b else -0.5)
    a, b, c = (np.diff(np.log(one.close[:58]))[-1] for one in files)
    assert found["market_1"][57] == pytest.approx((a + b + c) / 3 / unit, rel=0.2)
    assert found["rank_1"][57] == (int(a > b) + int(a > c)) / 2 - 0.5
    alone = table_of(MARKET)(History(files[0]))
    assert np.isnan(alone).all()


def test_instruments_that_share_a_universe_see_what_each_would_see_alone() -> None:
    """One whose context is made later, too: the others are ahead of the past it is shown."""
    names = ("A", "B", "C", "D")
    files = [candle_file(140, 3600, symbol=name, seed=k) for k, name in enumerate(names)]
    rows = {name: candles(file) for name, file in zip(names, files, strict=True)}
    universe = Universe(3600)
    places = {name: Place(VENUE, name, 3600, (VENUE,), names, universe=universe) for name in names}
    shared = {name: MARKET(place) for name, place in places.items()}
    late = Context([feature.name for feature in MARKET.features], places["D"])
    found = []
    for number, together in enumerate(zip(*rows.values(), strict=True)):
        for name in names:
            for candle in together:
                if candle.symbol != name:
                    shared[name].hear(candle)
        if number == 100:
            past = [row for name in "ABC" for row in rows[name][:number]]
            late.warm(rows["D"][:number], past)
        if number >= 100:
            for candle in together[:3]:
                late.hear(candle)
            late.close(together[3])
        found.append({name: shared[name].close(c) for name, c in zip(names, together, strict=True)})
        if number >= 100:
            np.testing.assert_array_equal(late.row, found[-1]["D"])
    for k, file in enumerate(files):
        others = tuple(one for one in files if one is not file)
        table = table_of(MARKET)(History(file, others=others))
        mine = np.array([row[names[k]] for row in found])
        np.testing.assert_allclose(mine, table, rtol=1e-9, atol=1e-9)
    assert np.isfinite(late.row).all()


def test_the_market_on_real_candles() -> None:
    names = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
    files = [shared(f"binance_spot_1h_2024_2026/{name}") for name in names]
    files = [without(one, list(range(len(one.ts) - 3_000))) for one in files]
    place = Place(VENUE, files[1].symbol, 3600, (VENUE,), tuple(one.symbol for one in files))
    history = History(files[1], others=(files[0], *files[2:]))
    found = named(MARKET, check(MARKET, table_of(MARKET), history, place))
    assert np.isfinite(found["beside_24"]).sum() > 2_900
    # Bitcoin and three that follow it: the mean says more of the next one than its rank could.
    assert np.corrcoef(found["market_24"][50:], found["beside_24"][50:])[0, 1] < 0.9
    assert abs(np.nanmean(found["rank_1"])) < 0.05


def test_a_companion_whose_history_comes_late_counts() -> None:
    own = candle_file(60, 3600, symbol=TWO.symbol, seed=3)
    okx = candle_file(60, 3600, venue="okx", symbol=TWO.symbol, seed=4)
    family = VENUES(TWO)
    for candle in candles(own)[:-1]:
        assert np.isnan(family.close(candle)).all()
    for candle in candles(okx):
        family.hear(candle)
    np.testing.assert_allclose(
        family.close(candles(own)[-1]), table_of(VENUES)(History(own, others=(okx,)))[-1]
    )


def shared(name: str) -> CandleFile:
    path = SHARED / "candles" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no shared candles at {path}")
    return read_candles(path)


def test_other_venues_on_real_candles() -> None:
    place = replace(TWO, timeframe=300, symbol="SOL/USDT:USDT")
    binance = shared("binance_perp_5m_2025/SOLUSDT")
    bybit = shared("bybit_perp_5m_2025_2026/SOLUSDT")
    lead = shared("binance_perp_5m_2025/BTCUSDT")
    binance = without(binance, list(range(len(binance.ts) - 12_000)))
    history = History(binance, others=(bybit, lead))
    found = named(VENUES, check(VENUES, table_of(VENUES), history, place))
    gaps = found["venue_gap"][np.isfinite(found["venue_gap"])]
    assert len(gaps) > 10_000
    assert abs(np.median(gaps)) < 10  # basis points
    check(LEADER, table_of(LEADER), history, place)
    spot = shared("binance_spot_5m_2025/SOLUSDT")
    table = table_of(BASIS)(History(binance, index=spot))
    place = replace(place, symbol=binance.symbol)
    tickers = [index_ticker(ts * 1_000_000 + 299 * SECOND, close) for ts, close in pairs(spot)]
    one = live(BASIS, History(binance, events=tickers), place)
    np.testing.assert_allclose(one, table, rtol=1e-9, atol=1e-9)


def pairs(file: CandleFile) -> list[tuple[int, float]]:
    return list(zip(file.ts.tolist(), file.close.tolist(), strict=True))


def index_ticker(now: int, index: float | None) -> Ticker:
    return Ticker(VENUE, SYMBOL, None, None, index, None, None, None, None, now, now)


def funding_ticker(now: int, rate: float | None, due: int | None) -> Ticker:
    return Ticker(VENUE, SYMBOL, None, None, None, rate, due, None, None, now, now)


def test_an_old_index_is_none() -> None:
    own = candle_file(3, 3600)
    at = START * SECOND
    family = BASIS(Place(VENUE, SYMBOL, 3600))
    first, second, third = candles(own)
    family.hear(index_ticker(at + 3500 * SECOND, 100.0))
    assert np.isnan(family.close(first)[0])  # 100 s old
    family.hear(index_ticker(at + 7199 * SECOND, 100.0))
    family.hear(index_ticker(at + 7200 * SECOND, 999.0))  # already the next candle
    family.hear(index_ticker(at + 7201 * SECOND, None))
    assert family.close(second)[0] == pytest.approx(np.log(own.close[1] / 100) * 1e4)
    assert np.isnan(family.close(third)).all()


@pytest.mark.parametrize(("kind", "fact"), [(BASIS, Fact.INDEX), (INTEREST, Fact.INTEREST)])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_told_later_counts_like_what_was_heard(
    kind: type[Family], fact: Fact, seed: int
) -> None:
    """A desk that starts, or a venue that was away: what was not heard is asked for."""
    rng = np.random.default_rng(seed)
    own = without(candle_file(130, 3600, seed=seed), [20] if seed % 2 else [])
    values = own.close * rng.uniform(0.99, 1.01, len(own.close))
    ends = own.ts + 3_600_000
    family = kind(Place(VENUE, SYMBOL, 3600))

    def tell(rows: np.ndarray) -> None:
        for row in rng.permutation(rows):
            at = int(ends[row]) * 1_000_000
            family.hear(FactTold(VENUE, SYMBOL, fact, float(values[row]), at, at + SECOND))

    heard = rng.random(len(ends)) < 0.5
    tell(np.arange(10, 40))  # at the start, before the candles of the warm-up
    shown, rows = candles(own), []
    for row, candle in enumerate(shown):
        if row == 95:
            assert np.isnan(rows[-1]).any()
            tell(np.arange(40, 95))
        if row >= 95 or heard[row]:
            now, value = int(ends[row]) * 1_000_000 - SECOND, float(values[row])
            told = index_ticker(now, value) if fact is Fact.INDEX else interest_ticker(now, value)
            family.hear(told)
        rows.append(family.close(candle))
    facts = {fact: list(zip(ends.tolist(), values.tolist(), strict=True))}
    table = table_of(kind)(History(own, facts=facts))
    # Each wants one candle more to fill it than it looks back on, and the last told were 55.
    np.testing.assert_allclose(rows[95:], table[95:], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.array(rows)[34:40, 0], table[34:40, 0], rtol=1e-9, atol=1e-9)
    assert np.isfinite(table[95:]).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), gap=st.sampled_from([20.0, 200.0, 2000.0]))
def test_open_interest_one_at_a_time_equals_it_at_once(seed: int, gap: float) -> None:
    rng = np.random.default_rng(seed)
    now = START * SECOND
    events: list[Event] = []
    for _ in range(300):
        now += int(rng.exponential(gap) * SECOND) + 1
        held = None if rng.random() < 0.3 else float(rng.uniform(900, 1100))
        events.append(interest_ticker(now, held))
    own = without(candle_file(60, 600), [40])
    history = History(own, events=events)
    place = Place(VENUE, SYMBOL, 600)
    found = named(INTEREST, check(INTEREST, table_of(INTEREST), history, place))
    assert np.isnan(found["interest_24"][:24]).all()
    if gap < 100.0:
        assert np.isfinite(found["interest_1"]).any()


def interest_ticker(now: int, held: float | None) -> Ticker:
    return Ticker(VENUE, SYMBOL, None, None, None, None, None, None, None, now, now, held)


def test_old_open_interest_is_none() -> None:
    at, minute = START * SECOND, 60 * SECOND
    family = INTEREST(Place(VENUE, SYMBOL, 3600))
    one, two, three, four = candles(candle_file(4, 3600))
    family.hear(interest_ticker(at + 55 * minute, 100.0))
    family.hear(interest_ticker(at + 55 * minute, 0.0))  # of nothing there is no ratio
    assert np.isnan(family.close(one)).all()
    family.hear(interest_ticker(at + 119 * minute, 110.0))
    family.hear(interest_ticker(at + 120 * minute, 999.0))  # already the next candle
    assert family.close(two)[0] == pytest.approx(np.log(1.1))
    family.hear(interest_ticker(at + 165 * minute, 121.0))
    assert np.isnan(family.close(three)[0])  # a quarter of an hour old
    family.hear(interest_ticker(at + 239 * minute, 121.0))
    assert np.isnan(family.close(four)[0])


# --- funding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
def test_funding_on_real_settlements(told: bool) -> None:
    """Live a venue tells the coming rate every few seconds; a backtest what was settled."""
    path = SHARED / "funding" / "binance_usdm.csv.gz"
    if not path.exists():
        pytest.skip(f"no shared funding at {path}")
    settled = read_funding(path)["BTC/USDT:USDT"][:60]
    start = settled[0][0] // 1000
    own = candle_file(8 * 60, 3600, start)
    events: list[Event] = []
    for (ts, rate), (after, _) in itertools.pairwise(settled):
        due = ts * 1_000_000
        if told:
            events.append(funding_ticker(due - 5 * 3600 * SECOND, 0.5, due))  # not yet final
            events.append(funding_ticker(due - 2 * SECOND, rate, None))
            events.append(funding_ticker(due + SECOND, 0.7, after * 1_000_000))
        else:
            events.append(funding_ticker(due, rate, None))
    history = History(own, funding=settled[:-1], events=events)
    table = table_of(FUNDING)(history)
    one = live(FUNDING, history, Place(VENUE, SYMBOL, 3600))
    rows = slice(None, 8 * 58)
    np.testing.assert_allclose(one[rows, :2], table[rows, :2], rtol=1e-9, atol=1e-9)
    both = np.isfinite(table[rows, 2])
    np.testing.assert_allclose(one[rows, 2][both], table[rows, 2][both], atol=1e-9)
    assert both.mean() > 0.9
    assert np.isfinite(table[rows, 1]).mean() > 0.8


def test_a_rate_that_is_told_once_is_settled_when_its_time_has_come() -> None:
    """Bybit tells the rate and its time once, and then only what has changed."""
    at = START * SECOND
    hour = 3600 * SECOND
    family = FUNDING(Place(VENUE, SYMBOL, 3600))
    family.hear(funding_ticker(at, 0.0001, at + 8 * hour))
    for minute in range(1, 480):
        family.hear(funding_ticker(at + minute * 60 * SECOND, None, None))
    family.hear(funding_ticker(at + 8 * hour + SECOND, None, at + 16 * hour))
    row = family.close(candles(candle_file(9, 3600))[8])
    assert row[0] == pytest.approx(1.0)
    assert row[2] == pytest.approx(7 / 8)


def settlement(ts: int, rate: float) -> FundingSettled:
    return FundingSettled(VENUE, SYMBOL, rate, ts, ts + 90 * SECOND)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), again=st.integers(1, 30))
def test_funding_that_was_asked_for_is_what_training_saw(seed: int, again: int) -> None:
    """Asked at a start and every so many hours; between, the stream's word counts."""
    rng = np.random.default_rng(seed)
    hour, eight = 3600 * SECOND, 8 * 3600 * SECOND
    begin = START * SECOND // eight * eight
    known = [(begin + k * eight, float(rng.normal(1e-4, 1e-4))) for k in range(-12, 12)]
    family = FUNDING(Place(VENUE, SYMBOL, 3600))
    own = candle_file(80, 3600, begin // SECOND)
    rows = []
    for number, candle in enumerate(candles(own)):
        due = candle.ts // eight * eight + eight
        settled = dict(known)[due]
        told = settled if due - candle.ts == hour else 0.5
        family.hear(funding_ticker(candle.ts + SECOND, None, due))
        family.hear(funding_ticker(candle.ts + hour - SECOND, told, None))
        if number % again == 0:
            for ts, rate in [one for one in known if one[0] <= candle.ts][-10:]:
                family.hear(settlement(ts, rate))
        rows.append(family.close(candle))
    history = History(own, funding=tuple((ts // 1_000_000, rate) for ts, rate in known))
    table = table_of(FUNDING)(history)
    np.testing.assert_allclose(np.array(rows), table, rtol=1e-9, atol=1e-9)
    assert np.isfinite(table).all()


def test_the_venues_word_on_a_settlement_is_the_last() -> None:
    at, hour = START * SECOND, 3600 * SECOND
    family = FUNDING(Place(VENUE, SYMBOL, 3600))
    for k in range(9):
        family.hear(settlement(at - (9 - k) * 8 * hour, 0.0001))
    family.hear(funding_ticker(at, 0.0002, at + hour))
    family.hear(funding_ticker(at + hour - SECOND, 0.0003, None))
    family.hear(funding_ticker(at + hour + SECOND, 0.0009, at + 9 * hour))
    one, two, three = candles(candle_file(3, 3600))
    assert family.close(one)[0] == pytest.approx(1.0)
    assert family.close(two)[:2] == [pytest.approx(3.0), pytest.approx(11 / 9)]
    family.hear(settlement(at + hour, 0.0004))
    assert family.close(three)[:2] == [pytest.approx(4.0), pytest.approx(12 / 9)]
    # Asked after a nap and before the stream tells the next time: nothing is forgotten.
    family.hear(settlement(at + 9 * hour, 0.0005))
    family.hear(funding_ticker(at + 10 * hour, 0.0009, at + 17 * hour))
    row = family.close(candles(candle_file(11, 3600))[10])
    assert row[:2] == [pytest.approx(5.0), pytest.approx(16 / 9)]


def test_a_settlement_that_was_slept_through_is_not_made_up() -> None:
    at = START * SECOND
    hour = 3600 * SECOND
    family = FUNDING(Place(VENUE, SYMBOL, 3600))
    family.hear(funding_ticker(at, 0.001, at + 8 * hour))
    family.hear(funding_ticker(at + 20 * hour, 0.002, at + 24 * hour))
    row = family.close(candles(candle_file(21, 3600))[20])
    assert np.isnan(row[:2]).all()
    assert row[2] == pytest.approx(3 / 8)


# --- the context --------------------------------------------------------------------------------


def test_every_feature_is_described_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for family in FAMILIES:
        assert all(one.window > 0 and one.unit and one.source for one in family.features)


def test_families_hear_the_company_that_they_asked_for_and_no_other() -> None:
    own = candle_file(60, 3600, symbol=TWO.symbol, seed=3)
    okx = candle_file(60, 3600, venue="okx", symbol=TWO.symbol, seed=4)
    lead = candle_file(60, 3600, seed=5)
    context = Context(NAMES, TWO)
    for one in zip(*(candles(file) for file in (okx, lead, own)), strict=True):
        for other in one[:2]:
            context.hear(other)
        context.close(one[2])
    history = History(own, others=(okx, lead))
    wanted = np.concatenate([table(history)[-1] for table in TABLES])
    np.testing.assert_allclose(context.row, wanted, rtol=1e-9, atol=1e-9)
    assert np.isfinite(context.row).sum() == 10 + 9  # the leader is the market's other symbol


def test_a_context_gives_what_was_asked_for_in_that_order() -> None:
    context = Context(["taker_flow", "spread"], PLACE)
    at = START * SECOND
    context.hear(Trade(VENUE, SYMBOL, 1.0, 1.0, Side.BUY, "1", at, at))
    context.close(candles(candle_file(1, 1))[0])
    assert context.row[0] == 1.0
    assert np.isnan(context.row[1])
    assert context.values()["taker_flow"] == 1.0
    with pytest.raises(ConfigError, match="crystal"):
        Context(["crystal"], PLACE)
