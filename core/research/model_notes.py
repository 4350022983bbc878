"""What a model said in a backtest, and whether it came true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from core.model.market import Candle
from core.research.scores import Bin, reliability
from core.signals.decision import Decision
from core.signals.model_strategy import ModelStrategy
from core.signals.strategy import Strategy

_ASKED = 200
"""Rows whose reasons are worked out: 0.3 ms each."""


class ModelReport(Struct, frozen=True):
    """What a model said in a backtest."""

    name: str
    calibration: tuple[Bin, ...]
    """Tenths of what it said, lowest first; empty where there is too little."""
    importance: tuple[tuple[str, float], ...]
    """Features with their part of all that moved its word, heaviest first."""


class ModelNotes:
    """Listens to the model strategies of a backtest; they do not notice."""

    def __init__(self) -> None:
        self._strategies: list[ModelStrategy] = []
        self._said: list[list[tuple[float, float]]] = []
        """Of each: close and probability of a rise, candle by candle; NaN where it said nothing."""
        self._rows: list[list[float]] = []

    def listen(self, make: Callable[[], Strategy]) -> Callable[[], Strategy]:
        """Return what makes the same strategies, listened to where they ask a model."""

        def employ() -> Strategy:
            strategy = make()
            if isinstance(strategy, ModelStrategy):
                self._follow(strategy)
            return strategy

        return employ

    def _follow(self, strategy: ModelStrategy) -> None:
        said: list[tuple[float, float]] = []
        self._strategies.append(strategy)
        self._said.append(said)
        decide = strategy.on_candle

        def on_candle(candle: Candle) -> Decision | None:
            decision = decide(candle)
            if strategy.said is None:
                said.append((candle.close, np.nan))
            else:
                said.append((candle.close, strategy.said.chance))
                self._rows.append(strategy.said.row)
            return decision

        strategy.on_candle = on_candle  # type: ignore[method-assign]

    def report(self, features: int = 12) -> ModelReport | None:
        """Return what the models said; None where none spoke.

        Args:
            features: most that are named.
        """
        if not self._rows:
            return None
        model = self._strategies[0].model
        chances, rises = [], []
        for series in self._said:
            close, chance = np.array(series).T if series else np.zeros((2, 0))
            if len(close) <= model.horizon:
                continue
            later, before = close[model.horizon :], close[: -model.horizon]
            known = np.isfinite(chance[: -model.horizon])
            chances.append(chance[: -model.horizon][known])
            rises.append((later > before)[known])
        said = np.concatenate(chances) if chances else np.zeros(0)
        rose = np.concatenate(rises) if rises else np.zeros(0, bool)
        weights: dict[str, float] = {}
        for row in self._rows[:: max(len(self._rows) // _ASKED, 1)]:
            for factor in model.explain(row, len(row)):
                weights[factor.name] = weights.get(factor.name, 0.0) + abs(factor.share)
        total = sum(weights.values()) or 1.0
        heaviest = sorted(weights.items(), key=lambda item: -item[1])[:features]
        return ModelReport(
            model.name,
            reliability(said, rose) if len(said) >= 100 else (),
            tuple((name, weight / total) for name, weight in heaviest),
        )
