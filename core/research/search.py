"""Looking for an edge: every configuration walked forward, the best judged, and stored."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from core.config import Config
from core.model.event import ModelRole
from core.research.candles import CandleFile
from core.research.honesty import gate, leak_checks, shuffle_labels
from core.research.learning import DEFAULTS, kinds_here
from core.research.looks import look_at, note_trials
from core.research.panel import Around, Panel, Plan, change, make_panels
from core.research.reference import describe_rows
from core.research.rehearsal import Rehearsal, rehearse
from core.research.scores import Overfitting, overfitting
from core.research.training import (
    Fitted,
    Forecast,
    blend,
    fit,
    forecast,
    last_fold,
    make_recipe,
)
from core.research.trial import Trial, score_trial, together
from core.research.tuning import Configuration, close_storage, open_storage, tune
from core.signals.model import Recipe
from core.signals.registry import Check, Meta, Registry

ENSEMBLE = "ensemble"
SHUFFLED = "-shuffled"
"""How the hash of rows with wrong labels ends."""


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
    judged: int
    """Which of them was judged, from 0."""
    tried: int
    """Configurations ever tried on these candles: what the deflated Sharpe ratio counts."""
    overfitting: Overfitting | None
    """What choosing the best of them was worth."""
    gate: tuple[Check, ...]
    data: dict[str, Any]
    rehearsal: Rehearsal
    """Of what was judged."""


class Candidate(Struct, frozen=True):
    """One configuration, walked forward."""

    panel: Panel
    plan: Plan
    trial: Trial
    said: Forecast
    members: tuple[Candidate, ...] = ()
    """Of an ensemble."""
    weights: tuple[float, ...] = ()


def search(
    files: Sequence[CandleFile],
    plans: Sequence[Plan],
    registry: Registry,
    *,
    now: str,
    trading: Config,
    around: Around | None = None,
    shuffled: bool = False,
    trials: int = 0,
    storage: str = "",
    out_of_sample: int = 90,
    shadow: int = 30,
    progress: Callable[[float], object] | None = None,
) -> Finding:
    """Train, score, judge and store; promote when every condition holds.

    Args:
        files: candles of one timeframe.
        plans: one a horizon.
        registry: gets the model, whatever comes of it.
        now: ISO 8601, UTC.
        trading: settings of the desk that shall trade the model; see ``rehearse``.
        around: what is known beside the candles.
        out_of_sample: days that a model must have been tested on.
        shadow: see ``Registry.admit``.
        shuffled: give labels to the wrong rows: what is found then is a bug.
        trials: configurations to try beyond the defaults, see ``tune``.
        storage: of the study, see ``tune``.
        progress: told the part that is done.

    Raises:
        ValueError: too few candles for one step of the walk.
        UsageError, ClusterUnavailable: see ``tune``.
    """
    around = around or Around()
    if trials:
        close_storage(open_storage(storage))  # a database that is away is said before the hours
    panels = make_panels(files, plans, around)
    if shuffled:
        panels = [
            change(shuffle_labels(panel, plan.seed), hash=panel.hash + SHUFFLED)
            for panel, plan in zip(panels, plans, strict=True)
        ]
    tried = _Tried(panels, plans, len(plans) * len(kinds_here()) + trials, progress)
    for at in range(len(plans)):
        for kind in kinds_here():
            tried.run((at, kind, {}))
    if trials:
        tried.tune(trials, storage)
    tried.blend()
    return _judge(files, around, tried, registry, trading, now, out_of_sample, shadow)


class _Tried:
    """The configurations of one search, as they are walked forward."""

    def __init__(
        self,
        panels: Sequence[Panel],
        plans: Sequence[Plan],
        steps: int,
        progress: Callable[[float], object] | None,
    ) -> None:
        self._panels = panels
        self._plans = plans
        self._steps = steps
        self._progress = progress
        self.found: list[Candidate] = []
        self.ratios: dict[str, float] = {}
        """Sharpe ratio a day by configuration, those of others that share the study too."""

    def run(self, configuration: Configuration) -> Candidate:
        """Walk one configuration forward."""
        at, kind, parameters = configuration
        done = len(self.found)

        def tell(part: float) -> None:
            if self._progress is not None:
                self._progress(min((done + part) / self._steps, 1.0))

        panel, plan = self._panels[at], self._plans[at]
        said = forecast(kind, panel, plan, parameters, tell)
        trial = score_trial(kind, panel, plan, said, parameters)
        return self._add(Candidate(panel, plan, trial, said))

    def tune(self, trials: int, storage: str) -> None:
        """Try parameters; the best that others found in the same study is walked here, too."""
        noted = tune(
            trials,
            len(self._plans),
            kinds_here(),
            self._attempt,
            name=_study(self._panels, self._plans),
            seed=self._plans[0].seed,
            storage=storage,
        )
        mine = set(self.ratios)
        self.ratios.update({one["name"]: one["ratio"] for one in noted})
        best = max(noted, key=lambda one: float(one["skill"]))
        if best["name"] not in mine and best["configuration"][1] in kinds_here():
            self.run(tuple(best["configuration"]))

    def blend(self) -> None:
        """Add the ensemble of each plan."""
        for panel in self._panels:
            self._add(_ensemble([one for one in self.found if one.panel is panel]))

    def _add(self, one: Candidate) -> Candidate:
        self.found.append(one)
        self.ratios[_name(one.plan, one.trial)] = _daily_ratio(one.trial)
        return one

    def _attempt(self, configuration: Configuration) -> tuple[float, dict[str, Any]]:
        one = self.run(configuration)
        name, skill = _name(one.plan, one.trial), one.trial.brier_skill
        return skill, {
            "name": name,
            "ratio": self.ratios[name],
            "skill": skill,
            "configuration": list(configuration),
        }


def _judge(
    files: Sequence[CandleFile],
    around: Around,
    tried: _Tried,
    registry: Registry,
    trading: Config,
    now: str,
    out_of_sample: int,
    shadow: int,
) -> Finding:
    """Store the best, and promote it if it passes."""
    found = tried.found
    best = choose(found)
    salt = SHUFFLED if best.panel.hash.endswith(SHUFFLED) else ""
    look = look_at(files, best.panel.names, [one.trial for one in found], salt)
    all_ratios = note_trials(registry.folder, look, dict(tried.ratios))
    chosen = overfitting(together([one.trial for one in found]))
    leaks = leak_checks(
        files, around, best.panel, best.plan, best.trial, lambda panel: _again(best, panel)
    )
    rehearsal = rehearse(files, around, best.panel, best.plan, best.said, trading)
    checks = gate(best.trial, all_ratios, chosen, leaks, rehearsal, out_of_sample)
    fitted, weights = _fit(best), best.weights or (1.0,)
    recipe = make_recipe(fitted, weights, best.panel, best.plan)
    file = msgspec.json.encode(recipe)
    meta = _describe(best, fitted, recipe, hashlib.sha256(file).hexdigest(), checks, rehearsal, now)
    registry.store(meta, file)
    role = None
    if meta.passed:
        role = registry.admit(meta.id, shadow)
    else:
        _dismiss(registry, meta)
    return Finding(
        meta.id,
        role is ModelRole.CHAMPION,
        _verdict(meta, role, registry),
        best.trial.kind,
        best.trial.horizon,
        tuple(_scores(one.trial) for one in found),
        next(number for number, one in enumerate(found) if one is best),
        len(all_ratios),
        chosen,
        checks,
        meta.data,
        rehearsal,
    )


def _dismiss(registry: Registry, meta: Meta) -> None:
    """Take a model off duty that does not pass any more, for all that has been tried since."""
    for role in ModelRole:
        if registry.on_duty(role) == meta.id:
            registry.demote(f"trained again, it does not pass: {_failed(meta)}", role=role)


def _failed(meta: Meta) -> str:
    return ", ".join(check.name for check in meta.gate if not check.passed)


def _verdict(meta: Meta, role: ModelRole | None, registry: Registry) -> str:
    if role is ModelRole.CHAMPION:
        return "promoted: a desk with strategy lightgbm trades it"
    if role is ModelRole.CHALLENGER and registry.champion:
        return "passed: it is watched beside the model that trades, and may replace it"
    if role is ModelRole.CHALLENGER:
        return "passed: outcomes ended the last model, so it is watched before it trades"
    if meta.passed:
        demoted = registry.demoted(meta.id)
        why = "another is being watched" if demoted is None else f"it was demoted: {demoted}"
        return f"passed: {why}; `killcord models promote {meta.id}` puts it on"
    return f"no edge found, nothing was promoted; it does not pass: {_failed(meta)}"


def _baseline(found: Sequence[Candidate], plan: Plan) -> Candidate:
    """Return the linear model of a plan, with its default parameters."""
    return next(one for one in found if one.plan is plan and one.trial.kind == "linear")


def choose(found: Sequence[Candidate]) -> Candidate:
    """Return the configuration whose weaker evidence is strongest: what it knows, or what it earns.

    Trees count only where they beat the linear model beside them.
    """
    fit_to_win = [
        one
        for one in found
        if one.trial.kind == "linear"
        or one.trial.brier_skill > _baseline(found, one.plan).trial.brier_skill
    ]
    return max(fit_to_win, key=lambda one: _evidence(one.trial))


def _evidence(trial: Trial) -> float:
    knows = NormalDist().cdf((trial.auc - 0.5) / trial.auc_error)
    return min(knows, trial.probabilistic_sharpe)


def _ensemble(found: Sequence[Candidate]) -> Candidate:
    """Return the ensemble of the best configuration of each kind on one panel."""
    best: dict[str, Candidate] = {}
    for one in found:
        kind = one.trial.kind
        if kind not in best or one.trial.brier_skill > best[kind].trial.brier_skill:
            best[kind] = one
    members = tuple(best.values())
    panel, plan = members[0].panel, members[0].plan
    said, weights = blend(panel, plan, [one.said for one in members])
    parameters = {one.trial.kind: one.trial.parameters for one in members}
    parameters = {kind: value for kind, value in parameters.items() if value}
    trial = score_trial(ENSEMBLE, panel, plan, said, parameters)
    return Candidate(panel, plan, trial, said, members, tuple(weights))


def _fit(best: Candidate) -> list[Fitted]:
    """Fit what is to be stored, on the newest training part."""
    fold = last_fold(best.panel, best.plan)
    return [
        fit(one.trial.kind, best.panel, fold, best.plan, one.trial.parameters)
        for one in best.members or (best,)
    ]


def _again(best: Candidate, panel: Panel) -> Forecast:
    """Walk a configuration forward on another panel."""
    said = [
        forecast(one.trial.kind, panel, best.plan, one.trial.parameters)
        for one in best.members or (best,)
    ]
    return blend(panel, best.plan, said)[0] if best.members else said[0]


def _daily_ratio(trial: Trial) -> float:
    values = np.array(trial.daily)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread if spread > 0 else 0.0


def _name(plan: Plan, trial: Trial) -> str:
    different = "".join(f", {key} {value}" for key, value in sorted(trial.parameters.items()))
    plan_text = ", ".join(f"{key} {value}" for key, value in asdict(plan).items())
    return f"{trial.kind}{different}; {plan_text}"


def _study(panels: Sequence[Panel], plans: Sequence[Plan]) -> str:
    text = "".join(f"{panel.hash}{plan}" for panel, plan in zip(panels, plans, strict=True))
    return "killcord-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _scores(trial: Trial) -> dict[str, Any]:
    hidden = ("daily", "first_day")
    return {key: value for key, value in asdict(trial).items() if key not in hidden}


def _describe(
    best: Candidate,
    fitted: Sequence[Fitted],
    recipe: Recipe,
    digest: str,
    checks: tuple[Check, ...],
    rehearsal: Rehearsal,
    now: str,
) -> Meta:
    panel, plan, trial = best.panel, best.plan, best.trial
    identity = hashlib.sha256(f"{digest}{panel.hash}{plan}".encode()).hexdigest()[:12]
    learnt = panel.at >= last_fold(panel, plan).fit.start
    chosen = {one.trial.kind: one.trial.parameters for one in best.members or (best,)}
    used = np.any([one.uses() for one in fitted], axis=0)
    rows = panel.rows[learnt]
    said = np.average([one.predict(rows) for one in fitted], axis=0, weights=best.weights or None)
    return Meta(
        id=f"{trial.kind}-{plan.horizon}x{plan.timeframe}-{identity}",
        kind=trial.kind,
        sha256=digest,
        features=panel.names,
        timeframe=plan.timeframe,
        horizon=plan.horizon,
        trained=now,
        data={
            "symbols": list(panel.symbols),
            "from_ms": int(panel.times[0]),
            "to_ms": int(panel.times[-1]),
            "rows": len(panel.at),
            "fresh_until_ms": recipe.fresh_until // 1_000_000,
            "fades": recipe.fades,
            "features": list(panel.names),
            "missing": [name for name in panel.names if name not in panel.known],
            "unclear": panel.unclear,
            "silent": panel.silent,
            "sha256": panel.hash,
        },
        parameters=asdict(plan)
        | {kind: DEFAULTS[kind] | dict(parameters) for kind, parameters in chosen.items()}
        | ({"weights": list(best.weights)} if best.weights else {}),
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            "killcord": version("killcord"),
            # Trees of every kind are kept in its text form, and scored by it.
            "lightgbm": version("lightgbm"),
            **{kind: import_module(kind).__version__ for kind in chosen if kind != "linear"},
        },
        scores=_scores(trial) | {"rehearsal": asdict(rehearsal)},
        gate=checks,
        reference=describe_rows(np.array(panel.names)[used].tolist(), rows[:, used]),
        said=(float(said.mean()), float(said.std())),
    )
