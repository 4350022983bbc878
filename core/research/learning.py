"""Fitting: a linear model and LightGBM on rows of features, and their calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.signals.model import REACH, Linear

Floats = NDArray[np.float64]

TREES: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 8,
    "min_data_in_leaf": 1500,
    "learning_rate": 0.03,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 50.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
"""Few leaves with many rows each: on candles, larger trees learn noise."""
ROUNDS = 120
RIDGE = 1e-3
"""Penalty of the linear model's weights, per row."""


def fit_linear(rows: Floats, rose: Floats) -> Linear:
    """Fit logistic regression by Newton's method on standardised features clipped at 4.

    Args:
        rows: one row of features a sample.
        rose: 1.0 where the price rose, else 0.0.
    """
    mean = rows.mean(axis=0)
    deviation = rows.std(axis=0)
    deviation[deviation < 1e-12] = 1.0
    inputs = np.clip((rows - mean) / deviation, -REACH, REACH)
    weights = newton(np.column_stack([inputs, np.ones(len(rows))]), rose, RIDGE)
    return Linear(
        tuple(mean.tolist()),
        tuple(deviation.tolist()),
        tuple(weights[:-1].tolist()),
        float(weights[-1]),
    )


def newton(inputs: Floats, rose: Floats, ridge: float) -> Floats:
    """Return the weights of a logistic regression; the last column, the bias, is not penalised."""
    count, width = inputs.shape
    weights = np.zeros(width)
    penalty = np.full(width, ridge * count)
    penalty[-1] = 1e-9 * count
    for _ in range(25):
        chance = sigmoid(inputs @ weights)
        slope = inputs.T @ (chance - rose) + penalty * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(curve + np.diag(penalty), slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def score_linear(model: Linear, rows: Floats) -> Floats:
    """Return the log odds of many rows."""
    scaled = (rows - np.array(model.mean)) / np.array(model.deviation)
    return np.asarray(np.clip(scaled, -REACH, REACH) @ np.array(model.weights) + model.bias)


def fit_trees(rows: Floats, rose: Floats, seed: int) -> Any:
    """Fit LightGBM; the same rows and seed give the same text, bit for bit."""
    import lightgbm

    parameters = TREES | {"seed": seed}
    parameters["min_data_in_leaf"] = min(parameters["min_data_in_leaf"], max(len(rows) // 20, 20))
    return lightgbm.train(parameters, lightgbm.Dataset(rows, rose), num_boost_round=ROUNDS)


def score_trees(model: Any, rows: Floats) -> Floats:
    """Return the log odds of many rows."""
    return np.asarray(model.predict(rows, raw_score=True, num_threads=1), np.float64)


def calibrate(odds: Floats, rose: Floats) -> tuple[float, float]:
    """Return slope and offset of Platt's calibration; never a slope that turns the model over."""
    slope, offset = newton(np.column_stack([odds, np.ones(len(odds))]), rose, 1e-6)
    if slope <= 0:
        return 0.0, 0.0
    return float(slope), float(offset)


def sigmoid(odds: Floats) -> Floats:
    """Return probabilities of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))))
