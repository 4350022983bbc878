"""What a strategy sees beside its own candles, as the engine brings it."""

from __future__ import annotations

from decimal import Decimal
from math import isnan, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.clock import HOUR, SECOND
from core.model.effect import Notify, RiskEvent, Signalled
from core.model.event import SentimentScored
from core.model.market import Candle, Fact, FactTold, FundingSettled, Ticker
from core.model.why import Factor
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import CandleFile
from core.research.panel import Around, columns_of, tabulate
from core.signals.context import Context
from core.signals.decision import Decision
from tests.core.engine.scene import BTC, ETH, START, Scene, config, instrument
from tests.core.research.test_backtest import random_bars, rules, settings

OKX = "okx"


class Watcher:
    """Writes down what it is shown, and follows the gap."""

    name = "watcher"
    timeframe = 5
    warmup = 1
    needs: tuple[str, ...] = ("venue_gap", "book_imbalance", "funding")
    context: Context
    seen: list[tuple[str, int, list[float]]]

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_candle(self, candle: Candle) -> Decision | None:
        self.seen.append((candle.venue, candle.ts, self.context.row))
        gap = self.context.row[0]
        return None if isnan(gap) else Decision(1 if gap < 0 else -1, gap, "gap")


def scene(**changes: Any) -> tuple[Scene, list[tuple[str, int, list[float]]]]:
    seen: list[tuple[str, int, list[float]]] = []
    one = Scene(config(venues=("bybit", OKX), **changes), make_strategy=lambda: Watcher(seen))
    one.open(instrument("bybit"), instrument(OKX))
    return one, seen


def test_candles_that_end_together_are_seen_together() -> None:
    one, seen = scene()
    one.now += 5 * SECOND
    one.give(one.candle(100.0), one.candle(100.0, OKX))  # the first have nobody to wait for
    assert [venue for venue, _, _ in seen] == ["bybit", OKX]
    seen.clear()
    one.now += 5 * SECOND
    assert not one.of(Signalled, one.give(one.candle(102.0)))
    assert seen == []
    effects = one.give(one.candle(100.0, OKX))
    assert [(venue, row[0]) for venue, _, row in seen] == [
        (OKX, pytest.approx(-1e4 * log(1.02))),
        ("bybit", pytest.approx(1e4 * log(1.02))),
    ]
    assert {signal.venue: signal.target for signal in one.of(Signalled, effects)} == {
        "bybit": -1,
        OKX: 1,
    }


def test_why_is_worked_out_when_somebody_asks() -> None:
    asked: list[int] = []

    class Explained(Watcher):
        def explanation(self) -> Any:
            row = self.context.row

            def explain() -> tuple[Factor, ...]:
                asked.append(1)
                return (Factor("venue_gap", row[0], -0.2),)

            return explain

    one = Scene(config(venues=("bybit", OKX)), make_strategy=lambda: Explained([]))
    one.open(instrument("bybit"), instrument(OKX))
    for price in (100.0, 102.0):
        one.now += 5 * SECOND
        one.give(one.candle(price), one.candle(100.0, OKX))
    assert asked == []
    why = one.engine.why(f"bybit|{BTC}")
    assert why is not None
    assert why.factors == (Factor("venue_gap", pytest.approx(1e4 * log(1.02)), -0.2),)
    assert asked == [1]


def test_a_silent_venue_is_waited_for_once_and_not_long() -> None:
    one, seen = scene()
    one.now += 5 * SECOND
    one.give(one.candle(100.0), one.candle(100.0, OKX))
    seen.clear()
    one.now += 5 * SECOND
    one.give(one.candle(102.0))
    one.wait(4)
    assert seen == []
    one.wait(1)
    assert [venue for venue, _, _ in seen] == ["bybit"]
    assert isnan(seen[0][2][0])
    seen.clear()
    one.give(one.candle(103.0))  # it was not there the last time either
    assert [venue for venue, _, _ in seen] == ["bybit"]


def test_books_and_tickers_reach_the_context_of_their_instrument() -> None:
    one, seen = scene()
    one.now = START + 11 * SECOND
    book = replace(one.book(100.0), bid_qty=3.0, ask_qty=1.0)
    told = Ticker("bybit", BTC, None, None, None, 0.0001, None, None, None, one.now, one.now)
    one.give(book, told)
    one.now += 4 * SECOND
    one.give(one.candle(100.0), one.candle(100.0, OKX))
    rows = {venue: row for venue, _, row in seen}
    assert rows["bybit"][1:] == [0.5, pytest.approx(1.0)]
    assert all(isnan(value) for value in rows[OKX][1:])


def test_settled_funding_reaches_contexts_also_those_made_later() -> None:
    one, seen = scene()
    one.now = START + 11 * SECOND
    past = [
        FundingSettled("bybit", BTC, 1e-4 * k, START - (20 - k) * HOUR, one.now) for k in range(12)
    ]
    impossible = replace(past[0], rate=5.0)
    told = one.give(*past, impossible, replace(past[0], symbol="NONE/USDT:USDT"))
    assert "no settlement" in one.of(Notify, told)[0].text
    one.now += 4 * SECOND
    one.give(one.candle(100.0), one.candle(100.0, OKX))
    rows = {venue: row for venue, _, row in seen}
    assert rows["bybit"][2] == pytest.approx(11.0)
    assert isnan(rows[OKX][2])
    world = one.engine._world
    slot = world.slots["bybit", BTC]
    slot.context = None
    world.employ(slot, Watcher(seen))
    one.now += 5 * SECOND
    one.give(one.candle(100.0), one.candle(100.0, OKX))
    assert [row for venue, _, row in seen if venue == "bybit"][-1][2] == pytest.approx(11.0)


def test_what_a_venue_tells_of_the_past_reaches_contexts_also_those_made_later() -> None:
    seen: list[Any] = []

    class Based(Watcher):
        timeframe = 3600
        needs = ("basis", "basis_4", "interest_4")

        def on_candle(self, candle: Candle) -> None:
            self.seen.append(self.context.row)

    settings = config(strategy={"name": "ema_cross", "timeframe": 3600})
    one = Scene(settings, make_strategy=lambda: Based(seen))
    one.open()
    start = START - START % HOUR - 6 * HOUR
    one.now = START

    def told(hours: int, fact: Fact, value: float) -> FactTold:
        return FactTold("bybit", BTC, fact, value, start + hours * HOUR, one.now)

    past = [told(n, fact, 100.0 + n) for n in range(1, 6) for fact in Fact]
    wrong = one.give(*past, told(1, Fact.INDEX, -1.0), told(30, Fact.INDEX, 100.0))
    assert "no index" in one.of(Notify, wrong)[0].text
    one.give(replace(past[0], symbol="NONE/USDT:USDT"))
    shown = [
        Candle("bybit", BTC, 3600, 100.0, 100.0, 100.0, 100.0, 1.0, start + n * HOUR, one.now)
        for n in range(5)
    ]
    one.give(*shown)
    wanted = [1e4 * log(100 / 105), 1e4 * log(101 / 105), log(105 / 101)]
    assert seen[-1] == pytest.approx(wanted)
    world = one.engine._world
    slot = world.slots["bybit", BTC]
    slot.context = None
    world.employ(slot, Based(seen))
    assert slot.context is not None
    slot.context.warm(shown, ())
    one.now += HOUR
    last = replace(shown[-1], ts=shown[-1].ts + HOUR, received=one.now)
    one.give(replace(past[-2], value=106.0, ts=past[-2].ts + HOUR, received=one.now), last)
    assert seen[-1][:2] == pytest.approx([1e4 * log(100 / 106), 1e4 * log(102 / 106)])


def test_a_context_that_raises_stops_its_strategy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one, seen = scene()

    def fail(self: Context, event: object) -> None:
        raise ValueError("broken feature")

    monkeypatch.setattr(Context, "hear", fail)
    one.now += 5 * SECOND
    events = one.of(RiskEvent, one.give(one.book(100.0)))
    assert [(event.venue, event.code) for event in events] == [("bybit", "STRATEGY_FAILED")]
    assert "broken feature" in events[0].detail
    one.give(SentimentScored(one.now, ""), one.candle(100.0), one.candle(100.0, OKX))
    assert seen == []


def test_a_backtest_sees_the_same_whatever_the_order_of_its_instruments() -> None:
    bars = {
        rules(): random_bars(400, 1),
        rules(venue=OKX): random_bars(400, 2),
    }

    def run(data: dict[Any, Bars]) -> list[tuple[str, int, list[float]]]:
        seen: list[tuple[str, int, list[float]]] = []
        setting = settings(venues=("bybit", OKX))

        class Minute(Watcher):
            timeframe = 60
            needs = ("venue_gap", "venue_gap_z", "lead_4", "lag_4")

        result = run_backtest(data, setting, make_strategy=lambda: Minute(seen))
        assert result.trades > 20
        assert result.fees > Decimal(0)
        return sorted(seen, key=lambda one: one[:2])

    one, two = run(bars), run(dict(reversed(bars.items())))
    first = one[0][1]  # then nobody is known to be there, and nobody is waited for
    one, two = ([row for row in seen if row[1] > first] for seen in (one, two))
    assert repr(one) == repr(two)
    gap = [row[0] for venue, _, row in one if venue == "bybit"]
    a, b = (data.close[1:] for data in bars.values())
    assert gap == pytest.approx([1e4 * log(x / y) for x, y in zip(a, b, strict=True)])


def test_the_engine_sees_what_training_saw() -> None:
    """Rows of a backtest of four instruments, against the batch form of the same candles."""
    needs = ("venue_gap", "venue_gap_4", "venue_gap_z", "lead_1", "lead_24", "lag_4",
             "market_1", "market_24", "beside_4", "rank_1", "rank_24")  # fmt: skip
    keys = [(venue, symbol) for venue in ("bybit", OKX) for symbol in (BTC, ETH)]
    data = {
        rules(symbol, venue): random_bars(300, number)
        for number, (venue, symbol) in enumerate(keys)
    }
    seen: list[tuple[str, str, int, list[float]]] = []

    class Minute(Watcher):
        timeframe = 60

        def __init__(self) -> None:
            self.needs = needs

        def on_candle(self, candle: Candle) -> Decision | None:
            seen.append((candle.venue, candle.symbol, candle.ts, self.context.row))
            return None

    run_backtest(data, settings(venues=("bybit", OKX), symbols=(BTC, ETH)), make_strategy=Minute)
    files = [
        CandleFile(
            Path("x"), one.venue, one.symbol, 60, np.array(bars.ts) // 1_000_000,
            *(np.array(column) for column in bars.columns),
        )
        for one, bars in data.items()
    ]  # fmt: skip
    for file in files:
        table = tabulate(file, files, Around())
        columns = [columns_of().index(name) for name in needs]
        rows = [
            row for venue, symbol, _, row in seen if (venue, symbol) == (file.venue, file.symbol)
        ]
        # Of the very first candle nobody is known to be there, and nobody is waited for.
        np.testing.assert_allclose(rows[1:], table[1:, columns], rtol=1e-9, atol=1e-9)
        assert np.isfinite(table[100:, columns]).all()
