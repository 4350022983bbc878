"""The backtest against thirty lines that share nothing with it but the rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.clock import MINUTE
from core.config import Config, Limits, Strategy
from core.model.instrument import Instrument
from core.model.market import Candle, Fact, FactTold
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import CandleFile
from core.signals.context import Context, History
from core.signals.families import basis, interest

D = Decimal
START = 1_700_000_000 // 60 * MINUTE
BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"


def rules(symbol: str = BTC, venue: str = "bybit") -> Instrument:
    return Instrument(
        venue, symbol, "X", symbol[:3], D("0.1"), D("0.001"), D("0.001"), D(5), taker_fee=D("0.001")
    )


def random_bars(count: int, seed: int, start: float = 5_000.0, step: float = 9.0) -> Bars:
    rng = np.random.default_rng(seed)
    path = np.round(start + np.cumsum(rng.standard_t(4, size=count * 4) * step), 1)
    path = path.reshape(count, 4)
    path[1:, 0] = path[:-1, 3]
    ts = [START + i * MINUTE for i in range(count)]
    columns = (path[:, 0], path.max(axis=1), path.min(axis=1), path[:, 3])
    return Bars(ts, *(c.tolist() for c in columns), [1.0] * count)


def settings(**changes: Any) -> Config:
    limits = {
        "daily_loss": 1,
        "drawdown": 1,
        "loss_streak": 100,
        "loss_streak_cooldown": 0.001,
        "leverage": 20,
        "venue_notional": 20,
        "position_notional": 1,
        "order_notional": 1,
        "loss_to_stop": 1,
    } | changes.pop("limits", {})
    strategy = {"timeframe": 60, "fast": 5, "slow": 20, "stop_distance": "0.01", "share": "0.5"}
    values: dict[str, Any] = {
        "venues": ("bybit",),
        "symbols": (BTC,),
        "limits": Limits(**limits),
        "strategy": Strategy(**(strategy | changes.pop("strategy", {}))),
    }
    return Config(**(values | changes))


def reference(bars: Bars) -> tuple[int, int, Decimal]:
    """Round trips, stops hit and final equity, by hand: one instrument, no resizing."""
    cash, qty, entry, stop = D(100_000), D(0), D(0), D(0)
    fast = slow = 0.0
    side = trips = stops = 0
    want = 0
    rows = list(zip(bars.open, bars.high, bars.low, bars.close, strict=True))
    for i, (open_, high, low, close) in enumerate(rows):
        price = D(repr(open_))
        if want and want * qty <= 0:
            last = D(repr(rows[i - 1][3]))
            if qty:
                cash += (price - entry) * qty - abs(qty) * price * D("0.001")
                qty, trips = D(0), trips + 1
            size = cash * D("0.5") / last // D("0.001") * D("0.001")
            qty, entry = size * want, price
            cash -= size * price * D("0.001")
            stop = ((entry * (1 - D("0.01") * want)) / D("0.1")).to_integral_value() * D("0.1")
        want = 0
        hit = D(repr(low)) <= stop if qty > 0 else D(repr(high)) >= stop
        if qty and hit:
            cash += (stop - entry) * qty - abs(qty) * stop * D("0.001")
            qty, trips, stops = D(0), trips + 1, stops + 1
        fast = close if i == 0 else fast + 2 / 6 * (close - fast)
        slow = close if i == 0 else slow + 2 / 21 * (close - slow)
        now = 1 if fast > slow else -1 if fast < slow else side
        if now != side:
            if side and i + 1 >= 20:
                want = now
            side = now
    return trips, stops, cash + (D(repr(rows[-1][3])) - entry) * qty


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_agrees_with_arithmetic(seed: int) -> None:
    bars = random_bars(4_000, seed)
    result = run_backtest({rules(): bars}, settings())
    trips, stops, equity = reference(bars)
    assert (result.trades, result.stops) == (trips, stops)
    assert trips > 100
    assert stops > 10
    assert abs(result.equity_end - equity) < D("1e-9")
    assert result.refusals == 0
    assert result.equity_start == 100_000


def test_the_same_candles_give_the_same_decisions() -> None:
    bars = random_bars(1_000, 7)
    one = run_backtest({rules(): bars}, settings())
    two = run_backtest({rules(): bars}, settings())
    other = run_backtest({rules(): random_bars(1_000, 8)}, settings())
    assert one.decision_hash == two.decision_hash
    assert one.decision_hash != other.decision_hash
    assert len(one.decision_hash) == 32
    assert run_backtest({rules(): bars}, settings(), hashing=False).equity_end == one.equity_end


def test_many_instruments_share_one_account() -> None:
    bars = {rules(BTC): random_bars(800, 1), rules(ETH): random_bars(800, 2)}
    both = run_backtest(bars, settings(symbols=(BTC, ETH)))
    alone = [
        run_backtest({one: columns}, settings(symbols=(BTC, ETH))) for one, columns in bars.items()
    ]
    assert both.bars == 1600
    assert both.trades == sum(result.trades for result in alone)
    assert both.equity_start == 100_000


def test_two_venues_each_take_their_part() -> None:
    bars = random_bars(800, 1)
    result = run_backtest(
        {rules(BTC, venue): bars for venue in ("bybit", "okx")},
        settings(venues=("bybit", "okx")),
    )
    single = run_backtest({rules(): bars}, settings())
    assert result.trades == 2 * single.trades
    assert result.equity_start == 200_000


def test_a_loss_limit_halts_flattens_and_ends_the_trading() -> None:
    bars = random_bars(4_000, 1)
    result = run_backtest({rules(): bars}, settings(limits={"drawdown": "0.02"}))
    assert "DRAWDOWN" in result.halted
    assert result.equity_end >= 97_000
    # Flat at the end: every fee and profit is cash.
    assert result.equity_end == result.equity_start + result.realised - result.fees


@pytest.mark.parametrize(
    ("candles", "changes", "text"),
    [
        ({rules(): Bars([], [], [], [], [], [])}, {}, "no candles"),
        ({rules(): Bars([1], [1.0], [], [], [], [])}, {}, "lengths"),
        ({rules(ETH): random_bars(5, 1)}, {}, "symbols"),
        ({rules(): random_bars(5, 1)}, {"venues": ("bybit", "okx")}, "venues"),
    ],
)
def test_bad_input(candles: Any, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        run_backtest(candles, settings(**changes))


def test_funding_is_paid_on_what_is_held() -> None:
    bars = random_bars(2_000, 1)
    rates = [(START + i * 480 * MINUTE, 0.0001 * (1 + i)) for i in range(5)]
    free = run_backtest({rules(): bars}, settings())
    paid = run_backtest({rules(): bars}, settings(), funding={rules(): rates})
    assert paid.funding
    assert paid.trades == free.trades
    # The first settlement lies at the start, where nothing can be held.
    late = run_backtest({rules(): bars}, settings(), funding={rules(): rates[1:]})
    assert late.funding == paid.funding
    assert paid.equity_end - free.equity_end == pytest.approx(paid.funding, abs=D("20"))
    assert sum(one.funding for one in paid.results) == paid.funding
    shared = {rules(BTC): bars, rules(ETH): random_bars(2_000, 2)}
    both = run_backtest(shared, settings(symbols=(BTC, ETH)), funding={rules(BTC): rates})
    assert [bool(one.funding) for one in both.results] == [True, False]


def test_slippage_makes_every_taker_fill_worse() -> None:
    bars = random_bars(2_000, 1)
    far = settings(strategy={"stop_distance": "0.5", "share": "0.02"})  # stops and sizes stay
    free = run_backtest({rules(): bars}, far)
    slid = run_backtest({rules(): bars}, far, slippage=0.0005)
    assert slid.trades == free.trades
    lost = free.equity_end - slid.equity_end
    turnover = free.fees / D("0.001")
    assert lost == pytest.approx(turnover * D("0.0005"), rel=D("0.03"))


def test_the_curve_is_hourly_and_ends_at_the_end() -> None:
    bars = random_bars(601, 1)
    done: list[float] = []
    result = run_backtest({rules(): bars}, settings(), progress=done.append)
    times = [ts for ts, _ in result.curve]
    assert times[0] == START
    assert times[-1] == bars.ts[-1] + MINUTE
    assert set(np.diff(times[1:-1]).tolist()) == {60 * MINUTE}
    assert result.curve[0][1] == 100_000
    assert result.curve[-1][1] == float(result.equity_end)
    assert done == sorted(done)
    assert 0 < done[0] < done[-1] < 1


def test_what_is_known_beside_candles_is_what_training_knows() -> None:
    """Index and open interest at the end of each candle, some of which are not known."""
    bars = random_bars(300, 3)
    rng = np.random.default_rng(3)
    step = 60_000_000_000
    ends = np.asarray(bars.ts) + step
    values = np.asarray(bars.close) * rng.uniform(0.99, 1.01, len(ends))
    kept = rng.random(len(ends)) < 0.98
    rows: list[list[float]] = []

    class Looking:
        name = "looking"
        timeframe = 60
        warmup = 1
        needs = ("basis", "basis_4", "basis_z", "interest_1", "interest_24")
        context: Context

        def on_candle(self, candle: Candle) -> None:
            rows.append(self.context.row)

    told = [(end, value) for end, value in zip(ends[kept].tolist(), values[kept], strict=True)]
    facts = [
        FactTold("bybit", BTC, fact, float(value), end, end) for end, value in told for fact in Fact
    ]
    config = settings(strategy={"timeframe": 60})
    run_backtest({rules(): bars}, config, facts={rules(): facts}, make_strategy=Looking)
    columns = [np.asarray(column, np.float64) for column in bars.columns]
    own = CandleFile(Path(), "bybit", BTC, 60, np.asarray(bars.ts) // 1_000_000, *columns)
    known = [(end // 1_000_000, float(value)) for end, value in told]
    history = History(own, facts=dict.fromkeys(Fact, known))
    table = np.hstack([basis.tabulate(history), interest.tabulate(history)[:, [0, 2]]])
    np.testing.assert_allclose(rows, table, rtol=1e-9, atol=1e-9)
    assert np.isfinite(table).any(axis=0).all()
