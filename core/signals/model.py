"""Trained models at work: a probability from each row of features, and who trades on it."""

from __future__ import annotations

import ctypes
from math import exp
from typing import Protocol

from msgspec import Struct

from core import config
from core.model.market import Candle
from core.signals.candle_features import NAMES, WARMUP, CandleFeatures
from core.signals.decision import Decision

REACH = 4.0
"""Deviations at which the linear model clips its inputs."""


class Linear(Struct, frozen=True):
    """Logistic regression on standardised, clipped features."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def score(self, row: list[float]) -> float:
        """Return the log odds of a rise."""
        total = self.bias
        for value, mean, deviation, weight in zip(
            row, self.mean, self.deviation, self.weights, strict=True
        ):
            scaled = (value - mean) / deviation
            total += weight * (-REACH if scaled < -REACH else REACH if scaled > REACH else scaled)
        return total


class Scorer(Protocol):
    """Log odds from a row of features."""

    def score(self, row: list[float]) -> float:
        """Return the log odds of a rise."""
        ...


class Trees:
    """A LightGBM model on the C interface's fast single-row path, one thread.

    ``Booster.predict`` takes 30 us and stalls for milliseconds when OpenMP finds the cores taken.

    Args:
        text: LightGBM's own text form.
    """

    def __init__(self, text: str) -> None:
        # LightGBM costs 0.5 s to import.
        import lightgbm
        from lightgbm.basic import _LIB, _safe_call

        self._booster = lightgbm.Booster(model_str=text)  # keeps the handle alive
        self._row = (ctypes.c_double * len(NAMES))()
        self._out = ctypes.c_double()
        self._length = ctypes.c_int64()
        self._fast = ctypes.c_void_p()
        self._call = _LIB.LGBM_BoosterPredictForMatSingleRowFast
        raw_score, from_first, all_trees, float64 = 1, 0, -1, 1
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster._handle,
                ctypes.c_int(raw_score),
                ctypes.c_int(from_first),
                ctypes.c_int(all_trees),
                ctypes.c_int(float64),
                ctypes.c_int32(len(NAMES)),
                b"num_threads=1",
                ctypes.byref(self._fast),
            )
        )
        self._arguments = (
            self._fast,
            ctypes.byref(self._row),
            ctypes.byref(self._length),
            ctypes.byref(self._out),
        )

    def score(self, row: list[float]) -> float:
        """Return the log odds of a rise."""
        self._row[:] = row  # type: ignore[assignment]  # the stub wants c_double; floats are taken
        if self._call(*self._arguments):
            raise RuntimeError("LightGBM could not score a row")
        return self._out.value


class Model(Struct, frozen=True):
    """A promoted model, ready to score."""

    name: str
    timeframe: int
    """Seconds."""
    horizon: int
    """Candles ahead that the probability speaks of."""
    threshold: float
    """Probability from which the expected move pays the round trip."""
    slope: float
    """Platt calibration of the log odds."""
    offset: float
    scorer: Scorer

    def probability(self, row: list[float]) -> float:
        """Return the calibrated probability that the price is higher after ``horizon`` candles."""
        odds = self.slope * self.scorer.score(row) + self.offset
        return 1.0 / (1.0 + exp(-odds)) if odds > -700.0 else 0.0


class ModelStrategy:
    """Long where a rise is probable enough to pay the costs, short where a fall is; out at a coin.

    The score is the probability of a rise less one half.
    """

    def __init__(self, settings: config.Strategy, model: Model) -> None:
        self.name = "lightgbm"
        self.timeframe = int(settings.timeframe)
        self.warmup = WARMUP
        self._features = CandleFeatures()
        self._model = model
        self._target = 0
        self.said: tuple[list[float], float] | None = None
        """The row that the model saw last, and the probability it gave; None when it saw none."""

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; decide when the probability crosses a threshold."""
        self.said = None
        row = self._features.update(
            candle.ts, candle.open, candle.high, candle.low, candle.close, candle.volume
        )
        if row is None:
            return None
        model = self._model
        chance = model.probability(row)
        self.said = row, chance
        target = follow(self._target, chance, model.threshold)
        if target == self._target:
            return None
        self._target = target
        return Decision(
            target,
            chance - 0.5,
            f"{chance:.1%} for a rise in {model.horizon} candles; {model.name}",
        )

    def take_over(self, target: int) -> None:
        """Begin with the direction that is wanted already, whoever wanted it."""
        self._target = target


def follow(target: int, chance: float, threshold: float) -> int:
    """Return the wanted direction: in beyond the threshold, out when the odds have turned."""
    if chance >= threshold:
        return 1
    if chance <= 1.0 - threshold:
        return -1
    return 0 if target * (chance - 0.5) < 0 else target
