"""A strategy that sees the future is found; one that does not passes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.model.market import Candle
from core.research.audit import Candles, audit
from core.research.backtest import run_backtest
from core.research.result import BacktestResult
from core.signals.decision import Decision
from core.signals.strategy import Strategy
from tests.core.research.test_backtest import BTC, ETH, random_bars, rules, settings

CANDLES = {rules(BTC): random_bars(500, 1), rules(ETH): random_bars(500, 2)}
CONFIG = settings(symbols=(BTC, ETH))


def playing(
    make: Callable[[Candles], Callable[[], Strategy]] | None,
) -> Callable[[Candles], BacktestResult]:
    def play(candles: Candles) -> BacktestResult:
        chosen = make(candles) if make is not None else None
        return run_backtest(candles, CONFIG, make_strategy=chosen)

    return play


class Peeping:
    """Knows all candles of an instrument by their times, and looks some ahead."""

    name = "peeping"
    timeframe = 60
    warmup = 1

    def __init__(self, candles: Candles, reach: int) -> None:
        self._closes = {
            one.symbol: dict(zip(np.asarray(b.ts).tolist(), b.close, strict=True))
            for one, b in candles.items()
        }
        self._reach = reach * 60_000_000_000
        self._side = 0

    def on_candle(self, candle: Candle) -> Decision | None:
        ahead = self._closes[candle.symbol].get(candle.ts + self._reach, candle.close)
        side = 1 if ahead > candle.close else -1 if ahead < candle.close else 0
        if side == self._side:
            return None
        self._side = side
        return Decision(side, 0.0, "")


def test_an_honest_strategy_is_clean() -> None:
    done: list[float] = []
    found = audit(CANDLES, playing(None), done.append)
    assert (found.clean, found.finding, found.runs) == (True, "", 9)
    assert found.signals > 100
    assert done == sorted(done)


@pytest.mark.parametrize("reach", [1, 5])
def test_one_that_looks_ahead_is_caught(reach: int) -> None:
    found = audit(CANDLES, playing(lambda candles: lambda: Peeping(candles, reach)))
    assert not found.clean
    assert "signal" in found.finding
    assert "cut off" in found.finding or "made up" in found.finding


def test_one_that_keeps_something_between_runs_is_caught() -> None:
    count = 0

    class Counting(Peeping):
        def on_candle(self, candle: Candle) -> Decision | None:
            nonlocal count
            count += 1
            return Decision(1 if count // 7 % 2 else -1, 0.0, "") if count % 7 == 0 else None

    found = audit(CANDLES, playing(lambda candles: lambda: Counting(candles, 0)))
    assert not found.clean
