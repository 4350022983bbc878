"""Walk-forward training: every forecast is of candles that no part of the model has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.clock import SECOND
from core.research.labels import decay
from core.research.learning import calibrate, fit_kind, score, sigmoid
from core.research.panel import Floats, Ints, Panel, Plan, rows_of
from core.signals.families import market
from core.signals.model import SURER, Linear, Member, Recipe, define

Progress = Callable[[float], object] | None

_DAY = 86_400
_FADES = 4
"""Training spans hold as many half-lives of what a model learnt. Of what linear models of 120 days
of hours said beyond a coin, 0.42 came true in the first 30 days, 0.16 in the next 30, and then the
reverse (24 symbols; ``make bench ARGS=alarms``)."""
_FEWEST_TURNS = 10
"""How often a feature passes its mean while a model learns, at least. What turns less often is a
trend of that time: of four days of minutes, weekday, hour and funding made the probabilities of a
linear model off by 0.02 to 0.05, and its AUC less by 0.01."""
_SURE = 1e-6
"""Least weight of a member that is worse than a coin, so that there is always one."""


class Fold(Struct, frozen=True):
    """One step of the walk: times (indices) to fit, to calibrate and to test, with gaps between."""

    fit: range
    tune: range
    test: range


def walk(times: int, plan: Plan) -> Iterator[Fold]:
    """Yield the folds: rolling training, split by time, purged before calibration and test alike.

    No sample is ever shuffled across time, and no label of an earlier part reaches a later one.
    """
    tune = plan.train // 5
    start = plan.train + plan.purge
    while start < times:
        test = range(start, min(start + plan.test, times))
        end = start - plan.purge
        tuning = range(end - tune, end)
        yield Fold(range(end - plan.train, end - tune - plan.purge), tuning, test)
        start = test.stop


def last_fold(panel: Panel, plan: Plan) -> Fold:
    """Return the newest training part there is: its labels end with the candles."""
    end = len(panel.times) - plan.horizon - 1
    tune = plan.train // 5
    start = max(end - plan.train, 0)
    return Fold(range(start, end - tune - plan.purge), range(end - tune, end), range(0))


class Fitted(Struct, frozen=True):
    """A model with its calibration."""

    kind: str
    model: Any
    slope: float
    offset: float
    reach: float
    """Mean size of a move over the horizon, in expected moves."""

    def predict(self, rows: Floats) -> Floats:
        """Return calibrated probabilities of a rise."""
        return sigmoid(self.slope * score(self.model, rows) + self.offset)

    def uses(self) -> NDArray[np.bool_]:
        """Return which features move what it says."""
        if isinstance(self.model, Linear):
            moves = np.abs([self.model.weights, self.model.absent]).sum(axis=0)
        else:
            moves = self.model.feature_importance()
        return np.asarray(moves > 0)

    def member(self, weight: float) -> Member:
        """Return it as it is stored."""
        if isinstance(self.model, Linear):
            return Member(self.kind, weight, self.slope, self.offset, self.model)
        text = str(self.model.model_to_string())
        return Member(self.kind, weight, self.slope, self.offset, None, text)


def fit(
    kind: str,
    panel: Panel,
    fold: Fold,
    plan: Plan,
    parameters: Mapping[str, Any] | None = None,
) -> Fitted:
    """Fit and calibrate one model on a fold's training part.

    Nothing is learnt of a feature that hardly turned in that part.
    """
    rows, rose, chosen = _labelled(panel, fold.fit)
    rows[:, _turns(rows, panel.who[chosen]) < _FEWEST_TURNS] = 0.0
    weights = _count(panel, chosen) * decay(fold.fit.stop - panel.at[chosen], plan.half_life)
    model = fit_kind(kind, rows, rose, weights, plan.seed, parameters)
    tune_rows, tune_rose, later = _labelled(panel, fold.tune)
    slope, offset = calibrate(score(model, tune_rows), tune_rose, _count(panel, later))
    sizes = np.abs(panel.ahead[chosen]) / panel.move[chosen]
    return Fitted(kind, model, slope, offset, float(sizes.mean()))


def _count(panel: Panel, chosen: Ints) -> Floats:
    """Return the part of an independent sample that each row is.

    Labels overlap in time; and symbols move together: all rows of a time count as one.
    """
    _, at, beside = np.unique(panel.at[chosen], return_inverse=True, return_counts=True)
    return np.asarray(panel.alone[chosen] / beside[at])


def _turns(rows: Floats, who: Ints) -> Floats:
    """Return how often each column passes its mean, a symbol; a missing value is below it."""
    order = np.argsort(who, kind="stable")
    known = np.isfinite(rows)
    mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    above = (rows > mean)[order]
    same = np.diff(who[order]) == 0
    passed = (above[1:] != above[:-1])[same].sum(axis=0)
    return np.asarray(passed / len(np.unique(who)))


def _labelled(panel: Panel, span: range) -> tuple[Floats, Floats, Ints]:
    chosen = rows_of(panel, span)
    chosen = chosen[np.isfinite(panel.ahead[chosen])]
    return panel.rows[chosen], (panel.ahead[chosen] > 0).astype(np.float64), chosen


class Forecast(Struct, frozen=True):
    """What one configuration said of every candle it was tested on."""

    chance: Floats
    """Probability of a rise by row of the panel; NaN where not tested."""
    rise: Floats
    """Probability from which up a long pays, by row."""
    fall: Floats
    """Probability from which down a short pays, by row."""
    size: Floats
    """Expected size of the move over the horizon, log return, by row."""
    due: Floats
    """Funding that a long should pay over the horizon, fraction of notional, by row."""


def forecast(
    kind: str,
    panel: Panel,
    plan: Plan,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = None,
) -> Forecast:
    """Walk one configuration forward.

    Raises:
        ValueError: too few candles for one fold.
    """
    folds = list(walk(len(panel.times), plan))
    if not folds:
        raise ValueError("too few candles for one fold")
    chance, rise, fall, size = np.full((4, len(panel.at)), np.nan)
    due = _due(panel, plan)
    for done, fold in enumerate(folds):
        fitted = fit(kind, panel, fold, plan, parameters)
        rows = rows_of(panel, fold.test)
        chance[rows] = fitted.predict(panel.rows[rows])
        # As ``core.signals.model.bounds``.
        expected = size[rows] = fitted.reach * panel.move[rows]
        up = 0.5 + (plan.cost + 0.5 * due[rows]) / expected
        down = 0.5 - (plan.cost - 0.5 * due[rows]) / expected
        rise[rows] = np.clip(up, 0.5 + SURER, 1.0)
        fall[rows] = np.clip(down, 0.0, 0.5 - SURER)
        if progress is not None:
            progress((done + 1) / len(folds))
    return Forecast(chance, rise, fall, size, due)


def _due(panel: Panel, plan: Plan) -> Floats:
    """Return the funding that a long should pay over the horizon, as ``Model.due``."""
    if "funding_day" not in panel.names:
        return np.zeros(len(panel.at))
    day = panel.rows[:, panel.names.index("funding_day")]
    return np.asarray(np.nan_to_num(day) * (1e-4 * plan.horizon * plan.timeframe / _DAY))


def blend(panel: Panel, plan: Plan, members: Sequence[Forecast]) -> tuple[Forecast, list[float]]:
    """Average forecasts by what each has shown out of sample up to then.

    The weights of a fold are the members' Brier skills in the folds whose labels were known before
    it; equal in the first ones, or where none beat a coin.

    Returns:
        The forecast, and the weights that all folds together give.
    """
    columns = np.zeros((4, len(panel.at)))
    told = np.stack([[one.chance, one.rise, one.fall, one.size] for one in members])
    said = told[:, 0]
    known = np.isfinite(panel.ahead) & np.isfinite(said[0])
    rose = panel.ahead > 0
    saved = np.where(known, 0.25 - (said - rose) ** 2, 0.0)
    tested = np.zeros(len(panel.at), bool)
    for fold in walk(len(panel.times), plan):
        rows = rows_of(panel, fold.test)
        before = rows_of(panel, range(fold.test.start - plan.purge))
        weights = _weigh(saved[:, before].sum(axis=1))
        columns[:, rows] = np.tensordot(weights, told[:, :, rows], 1)
        tested[rows] = True
    columns[:, ~tested] = np.nan
    chance, rise, fall, size = columns
    together = Forecast(chance, rise, fall, size, members[0].due)
    return together, _weigh(saved.sum(axis=1)).tolist()


def _weigh(saved: Floats) -> Floats:
    useful = np.maximum(saved, 0.0)
    if not useful.sum() > _SURE:
        return np.full(len(saved), 1.0 / len(saved))
    return np.asarray(useful / useful.sum())


def make_recipe(
    fitted: Sequence[Fitted], weights: Sequence[float], panel: Panel, plan: Plan
) -> Recipe:
    """Return what is stored of a model: of one, or of several that make an ensemble."""
    relative = plan.label == "relative"
    beside = not market.NAMES.isdisjoint(panel.names)
    universe = {title.rpartition(" ")[2] for title in panel.symbols}
    used = {name for one in fitted for name in np.array(panel.names)[one.uses()]}
    # Candles from the newest on, until it is as old as those of the walk were when it ended.
    left = last_fold(panel, plan).tune.stop + plan.purge + plan.test + 1 - len(panel.times)
    fresh_until = int(panel.times[-1]) * 1_000_000 + left * plan.timeframe * SECOND
    return Recipe(
        plan.timeframe,
        plan.horizon,
        panel.names,
        define(panel.names),
        tuple(name for name in panel.known if name in used),
        plan.cost,
        sum(one.reach * weight for one, weight in zip(fitted, weights, strict=True)),
        tuple(one.member(weight) for one, weight in zip(fitted, weights, strict=True)),
        tuple(sorted(universe)) if beside or relative else (),
        relative,
        fresh_until,
        plan.train * plan.timeframe // _FADES,
    )
