"""Walk-forward training: every score comes from candles that no part of the model has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.research.candles import CandleFile
from core.research.feature_table import make_features
from core.research.learning import (
    Floats,
    calibrate,
    fit_linear,
    fit_trees,
    score_linear,
    score_trees,
    sigmoid,
)
from core.research.scores import deflated_sharpe, probabilistic_sharpe, sharpe
from core.signals.candle_features import WARMUP
from core.signals.model import follow
from core.signals.registry import Check

Ints = NDArray[np.int64]
Progress = Callable[[float], object] | None

KINDS = ("linear", "lightgbm")
_DAY = 86_400


class Plan(Struct, frozen=True):
    """How to train. Spans are in candles."""

    timeframe: int
    """Seconds."""
    horizon: int
    train: int
    test: int
    cost: float
    """Fraction of notional a side: fee, half spread and slippage."""
    seed: int = 1

    @property
    def purge(self) -> int:
        """Candles between training and test: the label's reach, and a day of embargo."""
        return self.horizon + 2 + max(_DAY // self.timeframe, 1)


class Panel(Struct, frozen=True):
    """Rows of all symbols, in order of time."""

    times: Ints
    """The distinct open times, milliseconds UTC."""
    at: Ints
    """Index into ``times`` of each row."""
    who: Ints
    """Symbol of each row."""
    rows: Floats
    ahead: Floats
    """Log return from the next open to the open ``horizon`` candles later; NaN at the end."""
    step: Floats
    """Return of the next candle, open to open: what a position decided now earns first."""
    symbols: tuple[str, ...]
    hash: str


def make_panel(files: Sequence[CandleFile], horizon: int) -> Panel:
    """Turn candle files of one timeframe into rows with labels.

    A row is known at the close of its candle. What is decided on it is filled at the next open.
    """
    parts = []
    digest = hashlib.sha256()
    for who, file in enumerate(sorted(files, key=lambda one: one.symbol)):
        columns = (file.open, file.high, file.low, file.close, file.volume)
        for column in (file.ts, *columns):
            digest.update(column.tobytes())
        rows = make_features(file.ts, *columns)
        opens = np.log(file.open)
        ahead, step = np.full(len(opens), np.nan), np.full(len(opens), np.nan)
        ahead[: -horizon - 1] = opens[horizon + 1 :] - opens[1:-horizon]
        step[:-2] = file.open[2:] / file.open[1:-1] - 1.0
        keep = slice(WARMUP - 1, None)
        parts.append((file.ts[keep], np.full(len(opens), who)[keep], rows[keep], ahead[keep],
                      step[keep]))  # fmt: skip
    ts, who_, rows, ahead, step = (np.concatenate([part[i] for part in parts]) for i in range(5))
    order = np.lexsort((who_, ts))
    times, at = np.unique(ts[order], return_inverse=True)
    return Panel(
        times,
        at.astype(np.int64),
        who_[order].astype(np.int64),
        rows[order],
        ahead[order],
        step[order],
        tuple(sorted(file.symbol for file in files)),
        digest.hexdigest(),
    )


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


class Fitted(Struct, frozen=True):
    """A model with its calibration and the probability from which it pays to act."""

    kind: str
    model: Any
    slope: float
    offset: float
    threshold: float


def fit(kind: str, panel: Panel, fold: Fold, plan: Plan) -> Fitted:
    """Fit and calibrate one model on a fold's training part."""
    rows, rose, moves = _labelled(panel, fold.fit)
    tune_rows, tune_rose, _ = _labelled(panel, fold.tune)
    if kind == "linear":
        model: Any = fit_linear(rows, rose)
        odds = score_linear(model, tune_rows)
    else:
        model = fit_trees(rows, rose, plan.seed)
        odds = score_trees(model, tune_rows)
    slope, offset = calibrate(odds, tune_rose)
    # (2p - 1) E|r| > two sides of cost
    threshold = 0.5 + plan.cost / max(float(np.abs(moves).mean()), 1e-9)
    return Fitted(kind, model, slope, offset, min(threshold, 1.0))


def predict(fitted: Fitted, rows: Floats) -> Floats:
    """Return calibrated probabilities of a rise."""
    score = score_linear if fitted.kind == "linear" else score_trees
    return sigmoid(fitted.slope * score(fitted.model, rows) + fitted.offset)


def _labelled(panel: Panel, span: range) -> tuple[Floats, Floats, Floats]:
    chosen = _rows_of(panel, span)
    chosen = chosen[np.isfinite(panel.ahead[chosen])]
    moves = panel.ahead[chosen]
    return panel.rows[chosen], (moves > 0).astype(np.float64), moves


def _rows_of(panel: Panel, span: range) -> Ints:
    first, last = np.searchsorted(panel.at, [span.start, span.stop])
    return np.arange(first, last)


class Trial(Struct, frozen=True):
    """Out-of-sample scores of one configuration."""

    kind: str
    horizon: int
    samples: int
    auc: float
    auc_error: float
    """Standard error of the AUC, counting one sample a horizon: labels overlap in time, and symbols
    move together."""
    ic: float
    """Spearman correlation of probability and return, pooled."""
    brier_skill: float
    """Part of a coin's Brier score that is saved; above 0 is better than a coin."""
    sharpe: float | None
    """Of daily returns after costs, annualised."""
    sharpe_low: float | None
    sharpe_high: float | None
    sharpe_gross: float | None
    turnover: float
    """Notional traded a day, as a multiple of equity."""
    exposure: float
    """Part of the time in a position."""
    probabilistic_sharpe: float
    days: int
    daily: tuple[float, ...]
    """Returns a day after costs."""


def run_trial(kind: str, panel: Panel, plan: Plan, progress: Progress = None) -> Trial:
    """Walk one configuration forward and score what it said."""
    folds = list(walk(len(panel.times), plan))
    if not folds:
        raise ValueError("too few candles for one fold")
    chance = np.full(len(panel.at), np.nan)
    bar = np.full(len(panel.at), np.nan)
    for done, fold in enumerate(folds):
        fitted = fit(kind, panel, fold, plan)
        rows = _rows_of(panel, fold.test)
        chance[rows] = predict(fitted, panel.rows[rows])
        bar[rows] = fitted.threshold
        if progress is not None:
            progress((done + 1) / len(folds))
    return score_trial(kind, panel, plan, chance, bar)


def score_trial(kind: str, panel: Panel, plan: Plan, chance: Floats, bar: Floats) -> Trial:
    """Score out-of-sample probabilities: what they knew, and what acting on them earned."""
    known = np.isfinite(chance) & np.isfinite(panel.ahead)
    rose = panel.ahead[known] > 0
    said = chance[known]
    net, gross, turnover, exposure = trade(panel, plan, chance, bar)
    measured, raw = sharpe(net, _DAY), sharpe(gross, _DAY)
    return Trial(
        kind,
        plan.horizon,
        int(known.sum()),
        auc(said, rose),
        _auc_error(rose, len(np.unique(panel.at[known])) / plan.horizon),
        _rank_correlation(said, panel.ahead[known]),
        1.0 - float(((said - rose) ** 2).mean()) / 0.25,
        measured.value if measured else None,
        measured.low if measured else None,
        measured.high if measured else None,
        raw.value if raw else None,
        turnover,
        exposure,
        probabilistic_sharpe(net),
        len(net),
        tuple(net.tolist()),
    )


def trade(
    panel: Panel, plan: Plan, chance: Floats, bar: Floats
) -> tuple[Floats, Floats, float, float]:
    """Act on probabilities as the strategy does, each symbol with an equal part of the equity.

    Returns:
        Daily returns after costs, before costs, notional traded a day, part of the time invested.
    """
    count = len(panel.symbols)
    days = panel.times[panel.at] // (_DAY * 1000)
    tested = np.isfinite(chance)
    first, last = int(days[tested].min()), int(days[tested].max())
    gross, paid = np.zeros(last - first + 1), np.zeros(last - first + 1)
    held = 0
    for who in range(count):
        mine = np.flatnonzero(tested & (panel.who == who))
        target = 0
        path = []
        for one, threshold in zip(chance[mine].tolist(), bar[mine].tolist(), strict=True):
            target = follow(target, one, threshold)
            path.append(target)
        position = np.array(path, np.float64)
        traded = np.abs(np.diff(position, prepend=0.0, append=0.0))
        day = days[mine] - first
        np.add.at(gross, day, position * np.nan_to_num(panel.step[mine]) / count)
        np.add.at(paid, day, traded[:-1] / count)
        if len(day):
            paid[day[-1]] += traded[-1] / count
        held += int(np.abs(position).sum())
    net = gross - paid * plan.cost
    return net, gross, float(paid.mean()), held / max(int(tested.sum()), 1)


def auc(said: Floats, rose: NDArray[np.bool_]) -> float:
    """Return the chance that a rise was given a higher probability than a fall; ties count half."""
    ups = int(rose.sum())
    downs = len(rose) - ups
    if not ups or not downs:
        return 0.5
    return float((_ranks(said)[rose].sum() - ups * (ups + 1) / 2) / (ups * downs))


def _auc_error(rose: NDArray[np.bool_], effective: float) -> float:
    """Return the standard error of the AUC of a worthless model (Mann and Whitney 1947)."""
    part = float(rose.mean())
    if not 0.0 < part < 1.0 or effective < 2:
        return 0.5
    return float(np.sqrt((1 / part + 1 / (1 - part)) / (12 * effective)))


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return np.asarray((upper - (counts - 1) / 2.0)[inverse], np.float64)


def _rank_correlation(one: Floats, two: Floats) -> float:
    a, b = _ranks(one), _ranks(two)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


# --- leaks ------------------------------------------------------------------------------------


def shuffle_labels(panel: Panel, seed: int) -> Panel:
    """Return the panel with labels and returns given to the wrong rows: nothing can be learnt."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(np.isfinite(panel.ahead)))
    ahead, step = panel.ahead.copy(), panel.step.copy()
    sorted_ = np.sort(order)
    ahead[sorted_] = panel.ahead[order]
    step[sorted_] = panel.step[order]
    return _changed(panel, ahead=ahead, step=step)


def leak_checks(files: Sequence[CandleFile], panel: Panel, plan: Plan) -> list[Check]:
    """Return what must hold if no future reaches the features.

    Shuffled labels must not be learnt; a future return planted among the features must be found, or
    the first test proves nothing; a row must not change when the candles after it are cut off.
    """
    blind = run_trial("linear", shuffle_labels(panel, plan.seed), plan).auc
    planted = panel.rows.copy()
    planted[:, 0] = np.nan_to_num(panel.ahead)
    seeing = run_trial("linear", _changed(panel, rows=planted), plan).auc
    worst = 0.0
    for file in files:
        for part in (0.5, 0.8):
            end = max(int(len(file.ts) * part), WARMUP)
            columns = [
                getattr(file, name) for name in ("ts", "open", "high", "low", "close", "volume")
            ]
            tail = max(end - 3 * WARMUP, 0)
            short = make_features(*(column[tail:end] for column in columns))[-1]
            longer = make_features(*(column[tail : end + WARMUP] for column in columns))
            worst = max(worst, float(np.nanmax(np.abs(short - longer[end - tail - 1]))))
    return [
        Check("shuffled labels teach nothing", blind, "AUC 0.48 to 0.52", 0.48 <= blind <= 0.52),
        Check("a planted future is found", seeing, "AUC above 0.9", seeing > 0.9),
        Check("features do not see the future", worst, "difference 0", worst < 1e-12),
    ]


def _changed(panel: Panel, **fields: Any) -> Panel:
    values = {name: getattr(panel, name) for name in Panel.__struct_fields__}
    return Panel(**(values | fields))


def gate(
    trial: Trial, ratios: Sequence[float], leaks: Sequence[Check], days: int = 90
) -> tuple[Check, ...]:
    """Return the conditions under which a model may trade.

    Args:
        trial: the chosen configuration.
        ratios: Sharpe ratios per day of every configuration ever tried on these candles.
        leaks: see ``leak_checks``.
        days: out of sample, at least.
    """
    spread = float(np.std(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    deflated = deflated_sharpe(trial.daily, max(len(ratios), 1), spread)
    chance = 0.5 + 2.0 * trial.auc_error
    low = trial.sharpe_low
    return (
        Check("days out of sample", trial.days, f"at least {days}", trial.days >= days),
        # A market that rose lets a model that only says "up" beat a coin and earn.
        Check("tells rises from falls", trial.auc, f"AUC above {chance:.3f}", trial.auc > chance),
        Check(
            "better than a coin", trial.brier_skill, "Brier skill above 0", trial.brier_skill > 0
        ),
        Check("earns after costs", low, "Sharpe interval above 0", bool(low and low > 0)),
        Check(
            f"not the luck of {len(ratios)} trials",
            deflated,
            "deflated Sharpe 0.95",
            deflated >= 0.95,
        ),
        *leaks,
    )
