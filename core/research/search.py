"""Looking for an edge: every configuration walked forward, the best judged, and stored."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace

from core.model.event import ModelRole
from core.research.candles import CandleFile
from core.research.learning import RIDGE, ROUNDS, TREES
from core.research.reference import describe_rows
from core.research.training import (
    KINDS,
    Fitted,
    Fold,
    Panel,
    Plan,
    Trial,
    fit,
    gate,
    leak_checks,
    make_panel,
    run_trial,
    shuffle_labels,
)
from core.signals.registry import FEATURE_HASH, Check, Meta, Registry


class Finding(Struct, frozen=True, tag="train"):
    """The answer of ``killcord train``."""

    id: str
    """Of the model that was stored."""
    promoted: bool
    """Whether it trades from now on; a champion that is there is not replaced."""
    verdict: str
    """For a person: promoted, or why not."""
    kind: str
    horizon: int
    """Candles."""
    trials: tuple[dict[str, Any], ...]
    """Each configuration's scores out of sample; the linear baseline is always among them."""
    tried: int
    """Configurations ever tried on these candles: what the deflated Sharpe ratio counts."""
    gate: tuple[Check, ...]
    data: dict[str, Any]


def search(
    files: Sequence[CandleFile],
    plans: Sequence[Plan],
    registry: Registry,
    *,
    now: str,
    shuffled: bool = False,
    out_of_sample: int = 90,
    progress: Callable[[float], object] | None = None,
) -> Finding:
    """Train, score, judge and store; promote when every condition holds.

    Args:
        files: candles of one timeframe.
        plans: one a horizon.
        registry: gets the model, whatever comes of it.
        now: ISO 8601, UTC.
        out_of_sample: days that a model must have been tested on.
        shuffled: give labels to the wrong rows: what is found then is a bug.
        progress: told the part that is done.

    Raises:
        ValueError: too few candles for one step of the walk.
    """
    panels = [make_panel(files, plan.horizon) for plan in plans]
    if shuffled:
        panels = [
            replace(shuffle_labels(panel, plan.seed), hash=panel.hash + "-shuffled")
            for panel, plan in zip(panels, plans, strict=True)
        ]
    found: list[tuple[Panel, Plan, Trial]] = []
    steps = len(plans) * len(KINDS)
    for panel, plan in zip(panels, plans, strict=True):
        for kind in KINDS:
            done = len(found)

            def tell(part: float, done: int = done) -> None:
                if progress is not None:
                    progress((done + part) / steps)

            found.append((panel, plan, run_trial(kind, panel, plan, tell)))
    panel, plan, best = _choose(found)
    ratios = registry.note_trials(
        panel.hash,
        {_name(plan, trial): _daily_ratio(trial) for _, plan, trial in found},
    )
    checks = gate(best, ratios, leak_checks(files, panel, plan), out_of_sample)
    fitted = fit(best.kind, panel, _last_fold(panel, plan), plan)
    text = _text(fitted)
    meta = _describe(fitted, text, panel, plan, best, checks, now)
    if meta.id not in registry.names():
        registry.store(meta, text)
    failed = [check for check in checks if not check.passed]
    verdict = "no edge found: " + "; ".join(str(check) for check in failed)
    promoted = False
    if meta.passed:
        promoted = registry.admit(meta.id) is ModelRole.CHAMPION
        verdict = "promoted" if promoted else f"passed: watched beside {registry.champion}"
    return Finding(
        meta.id,
        promoted,
        verdict,
        best.kind,
        best.horizon,
        tuple(_scores(trial) for _, _, trial in found),
        len(ratios),
        checks,
        meta.data,
    )


def _choose(found: Sequence[tuple[Panel, Plan, Trial]]) -> tuple[Panel, Plan, Trial]:
    """Return the best configuration; LightGBM only where it beats the linear model beside it."""
    linear = {trial.horizon: trial for _, _, trial in found if trial.kind == "linear"}
    fit_to_win = [
        one
        for one in found
        if one[2].kind == "linear" or one[2].brier_skill > linear[one[2].horizon].brier_skill
    ]
    return max(fit_to_win, key=lambda one: one[2].probabilistic_sharpe)


def _last_fold(panel: Panel, plan: Plan) -> Fold:
    """Return the newest training part there is: its labels end with the candles."""
    end = len(panel.times) - plan.horizon - 1
    tune = plan.train // 5
    start = max(end - plan.train, 0)
    return Fold(range(start, end - tune - plan.purge), range(end - tune, end), range(0))


def _daily_ratio(trial: Trial) -> float:
    values = np.array(trial.daily)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread if spread > 0 else 0.0


def _name(plan: Plan, trial: Trial) -> str:
    return (
        f"{trial.kind} {plan.horizon} candles, window {plan.train}, test {plan.test},"
        f" cost {plan.cost:g}, seed {plan.seed}"
    )


def _text(fitted: Fitted) -> str:
    if fitted.kind == "lightgbm":
        return str(fitted.model.model_to_string())
    return msgspec.json.encode(fitted.model).decode()


def _scores(trial: Trial) -> dict[str, Any]:
    return {name: value for name, value in asdict(trial).items() if name != "daily"}


def _describe(
    fitted: Fitted,
    text: str,
    panel: Panel,
    plan: Plan,
    trial: Trial,
    checks: tuple[Check, ...],
    now: str,
) -> Meta:
    digest = hashlib.sha256(text.encode()).hexdigest()
    trees = fitted.kind == "lightgbm"
    identity = hashlib.sha256(f"{digest}{panel.hash}{plan}".encode()).hexdigest()[:12]
    return Meta(
        id=f"{fitted.kind}-{plan.horizon}x{plan.timeframe}-{identity}",
        kind=fitted.kind,
        file="model.txt" if trees else "model.json",
        sha256=digest,
        features=FEATURE_HASH,
        timeframe=plan.timeframe,
        horizon=plan.horizon,
        threshold=fitted.threshold,
        slope=fitted.slope,
        offset=fitted.offset,
        trained=now,
        data={
            "symbols": list(panel.symbols),
            "from_ms": int(panel.times[0]),
            "to_ms": int(panel.times[-1]),
            "rows": len(panel.at),
            "sha256": panel.hash,
        },
        parameters=asdict(plan) | (TREES | {"rounds": ROUNDS} if trees else {"ridge": RIDGE}),
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            "lightgbm": version("lightgbm"),
            "killcord": version("killcord"),
        },
        scores=_scores(trial),
        gate=checks,
        reference=describe_rows(panel.rows[panel.at >= _last_fold(panel, plan).fit.start]),
    )
