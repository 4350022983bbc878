"""What a model must pass before it may trade, and the tests for leaks that every training runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from msgspec.structs import replace

from core.research.candles import CandleFile
from core.research.panel import Around, Floats, Panel, Plan, change, tabulate
from core.research.rehearsal import Rehearsal
from core.research.scores import Overfitting, deflated_sharpe
from core.research.training import Forecast, forecast
from core.research.trial import LATE_DAYS, Trial, score_trial
from core.signals.candle_features import WARMUP
from core.signals.registry import Check

SUSPECT = 0.55
"""An AUC on the direction of an hour above this was a leak whenever it was looked into."""
_FEWEST_MOVES = 200
"""Candles of which a correlation says something."""
_ALIKE = 0.3
"""Correlation of moves below which nobody can tell whether they are of one time."""
_CLEARLY = 0.1
"""By how much more moves must be alike at another time than at the same."""
_COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def shuffle_labels(panel: Panel, seed: int) -> Panel:
    """Return the panel with labels and returns given to the wrong rows: nothing can be learnt."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(np.isfinite(panel.ahead)))
    ahead, step = panel.ahead.copy(), panel.step.copy()
    sorted_ = np.sort(order)
    ahead[sorted_] = panel.ahead[order]
    step[sorted_] = panel.step[order]
    return change(panel, ahead=ahead, step=step)


def leak_checks(
    files: Sequence[CandleFile],
    around: Around,
    panel: Panel,
    plan: Plan,
    trial: Trial,
    again: Callable[[Panel], Forecast],
) -> list[Check]:
    """Return what must hold if no future reaches the features.

    * Shuffled labels must not be learnt; a future return planted among the features must be found,
      or the first test proves nothing.
    * A row must not change when everything after its candle is cut off.
    * Rows shifted one candle into the past must know nearly as much: an edge that is gone a candle
      later is a leak, or the bounce between bid and ask, which nobody can trade.
    * What stands beside the candles must move when they do: times of another zone, or those of a
      candle's end instead of its open, would show the future.

    Args:
        files: that the panel was made of.
        around: the same.
        panel: see ``make_panels``.
        plan: the same.
        trial: of the configuration that is judged: trees find leaks that a linear model does not.
        again: walks that configuration forward on another panel.
    """
    shuffled = _linear(shuffle_labels(panel, plan.seed), plan)
    # Three standard errors, where rows are few: shuffled labels do not overlap.
    reach = max(0.02, sqrt(3.0 / max(shuffled.samples, 1)))
    blind = shuffled.auc
    planted = panel.rows.copy()
    planted[:, 0] = np.nan_to_num(panel.ahead)
    seeing = _linear(change(panel, rows=planted), plan).auc
    shifted = _shift(panel)
    later = score_trial(trial.kind, shifted, plan, again(shifted)).auc
    edge = trial.auc - 0.5
    kept = (later - 0.5) / edge if edge > 2.0 * trial.auc_error else None
    least = 0.5 if trial.auc > SUSPECT else 0.25
    worst = audit(files, around)
    late = misplaced(files, around)
    return [
        Check(
            "shuffled labels teach nothing",
            blind,
            f"AUC {0.5 - reach:.3g} to {0.5 + reach:.3g}",
            abs(blind - 0.5) <= reach,
        ),
        Check("a planted future is found", seeing, "AUC above 0.9", seeing > 0.9),
        Check("features do not see the future", worst, "difference 0", worst < 1e-12),
        Check(
            "a candle later the edge is still there",
            kept,
            f"{least:g} of it",
            kept is None or kept >= least,
        ),
        Check("what stands beside moves with it", late, "0 candles apart", not late),
    ]


def misplaced(files: Sequence[CandleFile], around: Around) -> float | None:
    """Return by how many candles what stands beside moves before (above 0) or after the candles.

    Looked for within three candles and at whole hours up to fourteen: zones.

    Returns:
        The furthest; None where nothing moves enough with anything to tell.
    """
    found: list[int] = []
    leaders: dict[str, CandleFile] = {}
    for file in files:
        leader = leaders.setdefault(file.venue, file)
        beside = [one for one in around.others if one.symbol == file.symbol]
        beside += [around.index[file.symbol]] if file.symbol in around.index else []
        beside += [leader] if leader is not file else []
        found += [lag for one in beside if (lag := _lag(file, one)) is not None]
    return float(max(found, key=abs)) if found else None


def _lag(file: CandleFile, other: CandleFile) -> int | None:
    """Return by how many candles another series moves before this one; None: hard to say."""
    _, mine, theirs = np.intersect1d(file.ts, other.ts, return_indices=True)
    if len(mine) < _FEWEST_MOVES:
        return None
    own, its = _moves(file.close[mine]), _moves(other.close[theirs])
    hour = 3600 // file.timeframe
    lags = {*range(-3, 4), *(hours * hour for hours in range(-14, 15))}
    alike = {
        lag: float((own[lag:] * its[: len(its) - lag]).mean())
        if lag >= 0
        else float((own[:lag] * its[-lag:]).mean())
        for lag in lags
        if abs(lag) < len(own) // 2
    }
    best = max(sorted(alike), key=alike.__getitem__)
    if not alike[best] > _ALIKE:
        return None
    return best if alike[best] > alike[0] + _CLEARLY else 0


def _moves(close: Floats) -> Floats:
    moves = np.diff(np.log(close))
    spread = moves.std()
    return np.asarray((moves - moves.mean()) / spread if spread > 0 else moves)


def _linear(panel: Panel, plan: Plan) -> Trial:
    return score_trial("linear", panel, plan, forecast("linear", panel, plan))


def _shift(panel: Panel) -> Panel:
    """Return the panel with each symbol's rows one candle late."""
    rows = panel.rows.copy()
    for who in range(len(panel.symbols)):
        mine = np.flatnonzero(panel.who == who)
        rows[mine[1:]] = panel.rows[mine[:-1]]
    return change(panel, rows=rows)


def audit(files: Sequence[CandleFile], around: Around) -> float:
    """Return by how much a row changes when what comes after its candle is cut off; 0 is honest."""
    worst = 0.0
    for file in files:
        for part in (0.5, 0.8):
            last = max(int(len(file.ts) * part), WARMUP)
            if last >= len(file.ts):
                continue
            since = int(file.ts[max(last - 3 * WARMUP, 0)])
            now = int(file.ts[last])
            later = int(file.ts[min(last + WARMUP, len(file.ts) - 1)])
            short = _known(file, files, around, since, now)[-1]
            longer = _known(file, files, around, since, later)[len(_cut(file, since, now).ts) - 1]
            if (np.isnan(short) != np.isnan(longer)).any():
                return np.inf
            worst = max(worst, float(np.nanmax(np.abs(short - longer))))
    return worst


def _known(
    file: CandleFile, files: Sequence[CandleFile], around: Around, since: int, until: int
) -> np.ndarray:
    """Return the features of what is known from one candle's open to another's close."""
    own = _cut(file, since, until)
    end = until + file.timeframe * 1000
    known = Around(
        {name: _cut(one, since, until) for name, one in around.index.items()},
        tuple(_cut(one, since, until) for one in around.others),
        funding={
            key: tuple(one for one in settled if one[0] < end)
            for key, settled in around.funding.items()
        },
        facts={
            key: tuple(one for one in told if one[0] <= end) for key, told in around.facts.items()
        },
        events={
            key: tuple(one for one in events if one.received < end * 1_000_000)
            for key, events in around.events.items()
        },
        news=tuple(word for word in around.news if word.received < end * 1_000_000),
    )
    return tabulate(own, [_cut(one, since, until) for one in files if one is not file], known)


def _cut(file: CandleFile, since: int, until: int) -> CandleFile:
    first, last = np.searchsorted(file.ts, [since, until + 1])
    return replace(file, **{name: getattr(file, name)[first:last] for name in _COLUMNS})


def gate(
    trial: Trial,
    ratios: Sequence[float],
    chosen: Overfitting | None,
    leaks: Sequence[Check],
    rehearsal: Rehearsal,
    days: int = 90,
) -> tuple[Check, ...]:
    """Return the conditions under which a model may trade.

    Args:
        trial: the chosen configuration.
        ratios: Sharpe ratios per day of every configuration ever tried on these candles.
        chosen: what choosing among the configurations of this search was worth.
        leaks: see ``leak_checks``.
        rehearsal: of the chosen configuration.
        days: out of sample, at least.
    """
    spread = float(np.std(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    deflated = deflated_sharpe(trial.daily, max(len(ratios), 1), spread)
    chance = 0.5 + 2.0 * trial.auc_error
    skill, low, off = trial.brier_skill, trial.sharpe_low, trial.calibration
    loses = chosen.loses if chosen else None
    return (
        Check("days out of sample", trial.days, f"at least {days}", trial.days >= days),
        # A market that rose lets a model that only says "up" beat a coin and earn.
        Check("tells rises from falls", trial.auc, f"AUC above {chance:.3f}", trial.auc > chance),
        Check("better than a coin", skill, "Brier skill above 0", skill > 0),
        Check(
            f"better than a coin in the last {LATE_DAYS} days",
            trial.late_skill,
            "Brier skill above 0",
            trial.late_skill > 0,
        ),
        Check("means what it says", off, "calibration error at most 0.05", off <= 0.05),
        Check("earns after costs", low, "Sharpe interval above 0", bool(low and low > 0)),
        Check(
            "earns as the engine trades it",
            rehearsal.sharpe_low,
            "Sharpe interval above 0, no loss limit",
            rehearsal.earns,
        ),
        Check(
            "earns by its timing",
            trial.timing,
            "0.95 that it beats its mean position",
            trial.timing >= 0.95,
        ),
        Check(
            f"not the luck of {len(ratios)} trials",
            deflated,
            "deflated Sharpe 0.95",
            deflated >= 0.95,
        ),
        Check(
            "the best of one half earns in the other",
            loses,
            "loses in at most 0.25 of the splits",
            loses is not None and loses <= 0.25,
        ),
        *leaks,
    )
