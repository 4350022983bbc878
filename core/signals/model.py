"""Trained models: a probability from each row of features, and what acting on it should bring."""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Sequence
from math import exp, sqrt
from typing import Any

from msgspec import Struct

from core.clock import SECOND
from core.model.why import Factor
from core.signals import candle_features, context
from core.signals.features import Feature

REACH = 4.0
"""Deviations at which the linear model clips its inputs."""
DESCRIBED: dict[str, Feature] = {
    feature.name: feature
    for features in (candle_features.FEATURES, *(one.features for one in context.FAMILIES))
    for feature in features
}
"""Every feature there is, the candles' first."""


class Linear(Struct, frozen=True):
    """Logistic regression on standardised, clipped features.

    A value that is not known (NaN) counts as the mean, and adds the weight of its flag.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    absent: tuple[float, ...]
    bias: float

    def score(self, row: list[float]) -> float:
        """Return the log odds of a rise."""
        total = self.bias
        for value, mean, deviation, weight, absent in zip(
            row, self.mean, self.deviation, self.weights, self.absent, strict=True
        ):
            scaled = (value - mean) / deviation
            if scaled >= REACH:
                total += weight * REACH
            elif scaled <= -REACH:
                total -= weight * REACH
            elif scaled == scaled:  # not NaN
                total += weight * scaled
            else:
                total += absent
        return total

    def shares(self, row: list[float]) -> list[float]:
        """Return what each feature adds to the log odds."""
        found = []
        columns = (row, self.mean, self.deviation, self.weights, self.absent)
        for value, mean, deviation, weight, absent in zip(*columns, strict=True):
            scaled = (value - mean) / deviation
            known = scaled == scaled
            found.append(weight * max(-REACH, min(REACH, scaled)) if known else absent)
        return found


class Trees:
    """Boosted trees on LightGBM's fast single-row path of its C interface, one thread.

    ``Booster.predict`` takes 30 us and stalls for milliseconds when OpenMP finds the cores taken.

    Args:
        text: LightGBM's own text form; XGBoost's trees are kept in it too.
        width: features of a row.
    """

    def __init__(self, text: str, width: int) -> None:
        # LightGBM costs 0.5 s to import.
        import lightgbm
        from lightgbm.basic import _LIB, _safe_call

        self._booster = lightgbm.Booster(model_str=text)  # keeps the handle alive
        self._row = (ctypes.c_double * width)()
        self._fill = struct.Struct(f"{width}d").pack_into  # half the time of a slice
        self._out = ctypes.c_double()
        self._length = ctypes.c_int64()
        self._fast = ctypes.c_void_p()
        # Without letting go of the interpreter: where other threads work, getting it back takes a
        # turn of theirs, 5 ms as Python comes, and the call takes 9 us (make bench ARGS=signals).
        self._call = ctypes.PyDLL(_LIB._name).LGBM_BoosterPredictForMatSingleRowFast
        raw_score, from_first, all_trees, float64 = 1, 0, -1, 1
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster._handle,
                ctypes.c_int(raw_score),
                ctypes.c_int(from_first),
                ctypes.c_int(all_trees),
                ctypes.c_int(float64),
                ctypes.c_int32(width),
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
        self._fill(self._row, 0, *row)
        if self._call(*self._arguments):
            raise RuntimeError("LightGBM could not score a row")
        return self._out.value

    def shares(self, row: list[float]) -> list[float]:
        """Return what each feature adds to the log odds: Shapley values of the trees, 0.3 ms."""
        found: list[list[float]] = self._booster.predict(
            [row], pred_contrib=True, num_threads=1
        ).tolist()
        return found[0][:-1]


class Member(Struct, frozen=True):
    """One fitted model with its calibration; several make an ensemble."""

    kind: str
    """``linear``, ``lightgbm`` or ``xgboost``."""
    weight: float
    """Its part of the probability; the members' sum to 1."""
    slope: float
    """Platt calibration of the log odds."""
    offset: float
    linear: Linear | None = None
    trees: str = ""


class Recipe(Struct, frozen=True):
    """All that makes a probability of a row of features: what is stored of a model."""

    timeframe: int
    """Seconds."""
    horizon: int
    """Candles ahead that the probability speaks of."""
    features: tuple[str, ...]
    """Columns of a row, in their order."""
    definitions: str
    """Hash of what those features are."""
    known: tuple[str, ...]
    """Features that training never missed: without one of them there is no signal."""
    cost: float
    """Fraction of notional a side: fee, half spread and slippage."""
    reach: float
    """Expected size of a move over the horizon, in units of volatility times its root."""
    members: tuple[Member, ...]
    universe: tuple[str, ...] = ()
    """Symbols, sorted, whose mean or rank is among the features, or that it is judged beside: a
    desk of others has other ones. Empty where none is."""
    relative: bool = False
    """Whether it foretells the move less the mean of the venue's symbols, not the move itself."""
    fresh_until: int = 0
    """Nanoseconds UTC; models were never older than this when training tested them."""
    fades: int = 0
    """Seconds after that in which half of what it says beyond a coin is left; 0 for never."""


def define(features: Sequence[str]) -> str:
    """Return a hash that changes when one of these features comes to mean something else.

    Raises:
        KeyError: there is no such feature.
    """
    lines = "\n".join(repr(DESCRIBED[name]) for name in features)
    return hashlib.sha256(lines.encode()).hexdigest()


SURER = 1e-6
"""Than a coin: what must be said at least, whatever funding brings."""


def bounds(cost: float, reach: float, move: float, due: float = 0.0) -> tuple[float, float]:
    """Return the probabilities of a rise from which up a long and down a short pays.

    A long pays a round trip and its funding where (2p - 1) E|r| > 2 cost + due; a short where
    (1 - 2p) E|r| > 2 cost - due. Whatever funding brings, nobody bets against the odds.

    Args:
        cost: a side, fraction of notional.
        reach: see ``Recipe``.
        move: volatility a candle times the root of the horizon, log return.
        due: funding that a long should pay over the horizon, fraction of notional.
    """
    expected = reach * move
    up, down = (cost + 0.5 * due) / expected, (cost - 0.5 * due) / expected
    # Not by min and max: they cost as much as all the rest of a call for each candle.
    up = SURER if up < SURER else 0.5 if up > 0.5 else up
    down = SURER if down < SURER else 0.5 if down > 0.5 else down
    return 0.5 + up, 0.5 - down


def due_of(day: float, seconds: int) -> float:
    """Return the funding that a long should pay in a time; 0 where none is known.

    Args:
        day: the feature ``funding_day``, basis points; may be NaN.
        seconds: how long it is held.
    """
    return day * 1e-4 * seconds / 86_400 if day == day else 0.0


def edge_of(chance: float, expected: float, due: float, cost: float) -> float:
    """Return what acting on a probability should bring after costs, fraction of notional.

    Args:
        chance: of a rise; below one half it is a fall that is acted on.
        expected: size of the move over the horizon, log return.
        due: funding that a long should pay, fraction of notional; a short receives it.
        cost: a side, fraction of notional.
    """
    side = 1.0 if chance >= 0.5 else -1.0
    return side * ((2.0 * chance - 1.0) * expected - due) - 2.0 * cost


def kelly_of(edge: float, spread: float) -> float:
    """Return the part of equity at which it should grow fastest: edge by variance, at least 0.

    Args:
        edge: see ``edge_of``.
        spread: volatility over the horizon, log return.
    """
    return max(edge, 0.0) / (spread * spread) if spread > 0.0 else 0.0


class Model:
    """A stored model, ready to score.

    Args:
        name: its id.
        recipe: as stored.
    """

    def __init__(self, name: str, recipe: Recipe) -> None:
        self.name = name
        self.recipe = recipe
        self.timeframe = recipe.timeframe
        self.horizon = recipe.horizon
        self.foretells = "more than the others" if recipe.relative else "a rise"
        """What its probabilities are of."""
        self._root = sqrt(recipe.horizon)
        known = "funding_day" in recipe.features
        self._funding = recipe.features.index("funding_day") if known else None
        self._members = [
            (
                Trees(one.trees, len(recipe.features)) if one.linear is None else one.linear,
                one.slope,
                one.offset,
                one.weight,
            )
            for one in recipe.members
        ]

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self  # it never changes, and what LightGBM holds of it cannot be copied

    def probability(self, row: list[float]) -> float:
        """Return the calibrated probability that the price is higher after ``horizon`` candles."""
        total = 0.0
        for scorer, slope, offset, weight in self._members:
            odds = slope * scorer.score(row) + offset
            if odds > -700.0:
                total += weight / (1.0 + exp(-odds))
        return total

    def trust(self, now: int) -> float:
        """Return the part that counts of what it says beyond a coin: training is long ago some day.

        Args:
            now: nanoseconds UTC.

        Returns:
            0 to 1.
        """
        recipe = self.recipe
        late = now - recipe.fresh_until
        if late <= 0 or not recipe.fades:
            return 1.0
        return float(0.5 ** (late / (recipe.fades * SECOND)))

    def explain(self, row: list[float], most: int = 8) -> tuple[Factor, ...]:
        """Return the features that weigh most in what is said of a row, heaviest first."""
        total = [0.0] * len(row)
        for scorer, slope, _, weight in self._members:
            for at, share in enumerate(scorer.shares(row)):
                total[at] += weight * slope * share
        order = sorted(range(len(row)), key=lambda at: -abs(total[at]))[:most]
        return tuple(
            Factor(self.recipe.features[at], row[at] if row[at] == row[at] else None, total[at])
            for at in order
            if total[at]
        )

    def bounds(self, volatility: float, due: float = 0.0) -> tuple[float, float]:
        """Return the probabilities from which acting pays now; see ``bounds``.

        Args:
            volatility: log return a candle.
            due: funding that a long should pay, fraction of notional.
        """
        return bounds(self.recipe.cost, self.recipe.reach, volatility * self._root, due)

    def due(self, row: list[float]) -> float:
        """Return the funding that a long should pay over the horizon, fraction of notional."""
        if self._funding is None:
            return 0.0
        return due_of(row[self._funding], self.horizon * self.timeframe)

    def expect(self, volatility: float) -> float:
        """Return the expected size of a move over the horizon, log return.

        Args:
            volatility: log return a candle.
        """
        return self.recipe.reach * volatility * self._root

    def edge(self, chance: float, volatility: float, due: float = 0.0) -> float:
        """Return what acting on a probability should bring; see ``edge_of``.

        Args:
            chance: of a rise.
            volatility: log return a candle.
            due: funding that a long should pay, fraction of notional.
        """
        return edge_of(chance, self.expect(volatility), due, self.recipe.cost)

    def kelly(self, chance: float, volatility: float, due: float = 0.0) -> float:
        """Return the part of equity at which it should grow fastest; see ``kelly_of``.

        Args:
            chance: see ``edge``.
            volatility: the same.
            due: the same.
        """
        return kelly_of(self.edge(chance, volatility, due), volatility * self._root)
