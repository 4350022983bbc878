"""Fitting: a linear model and boosted trees on rows of features, and their calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from math import inf, nextafter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.signals.model import REACH, Linear

Floats = NDArray[np.float64]

KINDS = ("linear", "lightgbm", "xgboost")
LINEAR: dict[str, Any] = {"ridge": 60.0}
"""Penalty of the linear model's weights, in samples: 60 expect each to be within 0.13 of none. By
rows it would vanish where labels overlap: 94 days of hours are 2,254 rows, but 94 labels of a
day."""
TREES: dict[str, Any] = {
    "rounds": 120,
    "num_leaves": 8,
    "min_data_in_leaf": 1500,
    "learning_rate": 0.03,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
    "lambda_l2": 10.0,
}
"""LightGBM. Few leaves with many rows each: on candles, larger trees learn noise. ``lambda_l2`` is
in samples, as the linear model's penalty."""
BOOST: dict[str, Any] = {
    "rounds": 120,
    "max_depth": 3,
    "min_child_weight": 400.0,
    "learning_rate": 0.03,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
    "lambda_l2": 10.0,
}
"""XGBoost, as large as LightGBM's."""
_SLOPE, _SLOPE_SPREAD = 0.5, 0.7
"""Of the calibration: what a model says beyond a coin is half true, as a rule."""
_DRIFT = 0.05
"""Log odds: by how much rises are more or less frequent than falls, as a rule. How often the price
rose in the last months is a trend of that time."""
DEFAULTS: dict[str, dict[str, Any]] = {"linear": LINEAR, "lightgbm": TREES, "xgboost": BOOST}


def kinds_here() -> tuple[str, ...]:
    """Return the kinds of models that can be trained; XGBoost is an optional extra."""
    return KINDS if find_spec("xgboost") else KINDS[:2]


def fit_kind(
    kind: str,
    rows: Floats,
    rose: Floats,
    weights: Floats,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    """Fit one model.

    Args:
        kind: see ``KINDS``.
        rows: one row of features a sample; NaN where one is not known.
        rose: 1.0 where the price rose, else 0.0.
        weights: of the samples, positive; they sum to as many as are independent.
        seed: the same rows and seed give the same model, bit for bit.
        parameters: what differs from ``DEFAULTS``.
    """
    chosen = DEFAULTS[kind] | dict(parameters or {})
    if kind == "linear":
        return fit_linear(rows, rose, weights, chosen["ridge"])
    fit = fit_trees if kind == "lightgbm" else fit_boost
    each = weights.mean()  # trees count rows of weight 1
    chosen["lambda_l2"] /= each
    return fit(rows, rose, weights / each, seed, chosen)


def score(model: Any, rows: Floats) -> Floats:
    """Return the log odds of many rows."""
    if isinstance(model, Linear):
        scaled = (rows - np.array(model.mean)) / np.array(model.deviation)
        missing = np.isnan(scaled)
        scaled = np.clip(np.where(missing, 0.0, scaled), -REACH, REACH)
        total = scaled @ np.array(model.weights) + missing @ np.array(model.absent)
        return np.asarray(total + model.bias)
    return np.asarray(model.predict(rows, raw_score=True, num_threads=1), np.float64)


def fit_linear(rows: Floats, rose: Floats, weights: Floats, ridge: float) -> Linear:
    """Fit logistic regression by Newton's method on standardised features clipped at 4.

    A missing value is the mean, and a flag with a weight of its own.
    """
    missing = np.isnan(rows)
    gaps = missing.any(axis=0)
    mean, deviation = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
    deviation[deviation < 1e-12] = 1.0
    inputs = np.clip((rows - mean) / deviation, -REACH, REACH)
    inputs[missing] = 0.0
    table = np.column_stack([inputs, missing[:, gaps], np.ones(len(rows))])
    penalty = np.full(table.shape[1], ridge)
    penalty[-1] = 1.0 / _DRIFT**2
    found = newton(table, rose, weights, penalty, np.zeros(len(penalty)))
    width = rows.shape[1]
    absent = np.zeros(width)
    absent[gaps] = found[width:-1]
    return Linear(
        tuple(mean.tolist()),
        tuple(deviation.tolist()),
        tuple(found[:width].tolist()),
        tuple(absent.tolist()),
        float(found[-1]),
    )


def newton(inputs: Floats, rose: Floats, weights: Floats, penalty: Floats, start: Floats) -> Floats:
    """Return the weights of a logistic regression.

    Args:
        inputs: one row a sample.
        rose: 1.0 or 0.0 a sample.
        weights: of the samples.
        penalty: a weight: one by the variance that it is expected to have about ``start``.
        start: what the weights are expected to be.
    """
    found = start.copy()
    for _ in range(25):
        chance = sigmoid(inputs @ found)
        slope = inputs.T @ (weights * (chance - rose)) + penalty * (found - start)
        curve = (inputs * (weights * chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(curve + np.diag(penalty), slope)
        found -= step
        if np.abs(step).max() < 1e-9:
            break
    return found


def fit_trees(
    rows: Floats, rose: Floats, weights: Floats, seed: int, chosen: Mapping[str, Any]
) -> Any:
    """Fit LightGBM."""
    import lightgbm

    parameters = dict(chosen) | {
        "objective": "binary",
        "boost_from_average": False,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
        "seed": seed,
    }
    rounds = parameters.pop("rounds")
    parameters["min_data_in_leaf"] = min(parameters["min_data_in_leaf"], max(len(rows) // 20, 20))
    data = lightgbm.Dataset(rows, rose, weight=weights)
    return lightgbm.train(parameters, data, num_boost_round=rounds)


def fit_boost(
    rows: Floats, rose: Floats, weights: Floats, seed: int, chosen: Mapping[str, Any]
) -> Any:
    """Fit XGBoost; its trees are given back as LightGBM's, which score them the same."""
    import lightgbm
    import xgboost

    least = min(chosen["min_child_weight"], max(len(rows) // 80, 5))
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "max_depth": chosen["max_depth"],
            "min_child_weight": least,
            "learning_rate": chosen["learning_rate"],
            "colsample_bytree": chosen["feature_fraction"],
            "subsample": chosen["bagging_fraction"],
            "reg_lambda": chosen["lambda_l2"],
            "base_score": 0.5,
            "nthread": 1,
            "seed": seed,
        },
        xgboost.DMatrix(rows, rose, weight=weights),
        num_boost_round=chosen["rounds"],
    )
    text = translate(booster.save_raw("json").decode(), rows.shape[1])
    return lightgbm.Booster(model_str=text)


def translate(text: str, width: int) -> str:
    """Return XGBoost's trees (its JSON, base score 0.5) in LightGBM's text form.

    One form is stored and one path scores: LightGBM's takes 8 us a row. XGBoost goes left where a
    value, as a float32, is below the condition; the threshold is put so that a double decides the
    same.

    Args:
        text: ``Booster.save_raw("json")``.
        width: features of a row.
    """
    model = json.loads(text)["learner"]["gradient_booster"]["model"]
    trees = [_translate_tree(number, tree) for number, tree in enumerate(model["trees"])]
    head = [
        "tree",
        "version=v4",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={width - 1}",
        "objective=binary sigmoid:1",
        "feature_names=" + " ".join(f"Column_{i}" for i in range(width)),
        "feature_infos=" + " ".join(["[-inf:inf]"] * width),
        "tree_sizes=" + " ".join(str(len(tree)) for tree in trees),
    ]
    return "\n".join(head) + "\n\n" + "".join(trees) + "end of trees\n"


def _translate_tree(number: int, tree: Mapping[str, Any]) -> str:
    left, right = tree["left_children"], tree["right_children"]
    values = tree["split_conditions"]
    inner = [node for node, child in enumerate(left) if child >= 0]
    leaves = [node for node, child in enumerate(left) if child < 0]
    # LightGBM numbers inner nodes from 0 and leaves from -1 downwards.
    place = {node: at for at, node in enumerate(inner)} | {n: ~at for at, n in enumerate(leaves)}
    missing_is_nan, goes_left = 8, 2
    lines: dict[str, list[Any]] = {
        "split_feature": [tree["split_indices"][node] for node in inner],
        "split_gain": [tree["loss_changes"][node] for node in inner],
        "threshold": [repr(_threshold(values[node])) for node in inner],
        "decision_type": [
            missing_is_nan + goes_left * bool(tree["default_left"][node]) for node in inner
        ],
        "left_child": [place[left[node]] for node in inner],
        "right_child": [place[right[node]] for node in inner],
        "leaf_value": [repr(float(np.float32(values[node]))) for node in leaves],
        "leaf_weight": [tree["sum_hessian"][node] for node in leaves],
        "leaf_count": [0] * len(leaves),
        "internal_value": [0] * len(inner),
        "internal_weight": [0] * len(inner),
        "internal_count": [0] * len(inner),
    }
    text = f"Tree={number}\nnum_leaves={len(leaves)}\nnum_cat=0\n"
    text += "".join(f"{name}={' '.join(map(str, items))}\n" for name, items in lines.items())
    return text + "is_linear=0\nshrinkage=1\n\n\n"


def _threshold(condition: float) -> float:
    """Return the largest double that, rounded to float32, is below the condition."""
    at = np.float32(condition)
    below = np.nextafter(at, np.float32(-inf))
    middle = (float(at) + float(below)) / 2.0
    return middle if np.float32(middle) < at else nextafter(middle, -inf)


def calibrate(odds: Floats, rose: Floats, weights: Floats) -> tuple[float, float]:
    """Return slope and offset of Platt's calibration; never a slope that turns the model over.

    Both are held near what is usual until there are samples enough to say otherwise: 24 days hold
    24 independent moves of a day. Left to those, slopes of models that knew nothing were 0 to 4.

    Args:
        odds: log odds of a part that the model has not seen.
        rose: 1.0 where the price rose, else 0.0.
        weights: of the samples; they sum to as many as are independent.
    """
    table = np.column_stack([odds, np.ones(len(odds))])
    penalty = 1.0 / np.array([_SLOPE_SPREAD, _DRIFT]) ** 2
    slope, offset = newton(table, rose, weights, penalty, np.array([_SLOPE, 0.0]))
    if slope <= 0:
        return 0.0, 0.0
    return float(slope), float(offset)


def sigmoid(odds: Floats) -> Floats:
    """Return probabilities of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))))
