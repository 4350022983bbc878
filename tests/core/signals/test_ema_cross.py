from __future__ import annotations

import numpy as np
import pytest

from core import config
from core.clock import SECOND
from core.errors import ConfigError
from core.model.market import Candle
from core.signals.strategy import strategy_maker


def candle(close: float, index: int) -> Candle:
    return Candle("okx", "X", 5, close, close, close, close, 1.0, index * 5 * SECOND, 0)


def batch(prices: list[float], length: int) -> list[float]:
    """The weighted sum written out: no recursion to share a mistake with."""
    weight = 2 / (length + 1)
    out = []
    for n in range(len(prices)):
        parts = [weight * (1 - weight) ** (n - k) * prices[k] for k in range(1, n + 1)]
        out.append((1 - weight) ** n * prices[0] + sum(parts))
    return out


def test_it_decides_exactly_at_the_crosses() -> None:
    prices = (100 + np.cumsum(np.random.default_rng(5).normal(size=500))).tolist()
    strategy = strategy_maker(config.Strategy(fast=3, slow=9))()
    got = []
    for index, price in enumerate(prices):
        decision = strategy.on_candle(candle(price, index))
        if decision is not None:
            got.append((index, decision.target))
            assert decision.score * decision.target > 0
    signs = np.sign(np.array(batch(prices, 3)) - np.array(batch(prices, 9)))
    expected = [(i, int(signs[i])) for i in range(8, len(prices)) if signs[i] != signs[i - 1]]
    assert got == expected
    assert len(got) > 20


def test_unknown_names_and_fractions_of_a_second_are_refused() -> None:
    with pytest.raises(ConfigError, match="ema_cross"):
        strategy_maker(config.Strategy(name="crystal_ball"))
    with pytest.raises(ConfigError, match="whole"):
        strategy_maker(config.Strategy(timeframe=2.5))
