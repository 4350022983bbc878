"""What a forecast knew, and what acting on it earned."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.research.panel import Floats, Panel, Plan
from core.research.scores import (
    Bin,
    auc,
    auc_error,
    bootstrap_sharpe,
    calibration_error,
    probabilistic_sharpe,
    rank_correlation,
    reliability,
    sharpe,
)
from core.research.training import Forecast
from core.signals.model_strategy import follow

_DAY = 86_400
LATE_DAYS = 90
"""An edge that was there once need not be there any more."""
_PART = 0.01
"""Of a candle's turnover that orders may be without moving the price much."""


class Trial(Struct, frozen=True):
    """Out-of-sample scores of one configuration."""

    kind: str
    horizon: int
    """Candles."""
    label: str
    parameters: dict[str, Any]
    """What differs from the defaults."""
    samples: int
    auc: float
    auc_error: float
    """Standard error of the AUC, counting one sample a horizon: labels overlap in time, and symbols
    move together."""
    ic: float
    """Spearman correlation of probability and return, pooled."""
    brier_skill: float
    """Part of a coin's Brier score that is saved; above 0 is better than a coin."""
    late_skill: float
    """The same of the last 90 days."""
    calibration: float
    """Expected calibration error: by how much probabilities are off, mean."""
    reliability: tuple[Bin, ...]
    sharpe: float | None
    """Of daily returns after costs and funding, annualised."""
    sharpe_low: float | None
    """95 % interval, by a block bootstrap."""
    sharpe_high: float | None
    sharpe_gross: float | None
    break_even: float | None
    """Cost a side at which nothing is earned, fraction of notional."""
    funding: float
    """Paid for holding, part of equity a year; below 0 it was received."""
    turnover: float
    """Notional traded a day, as a multiple of equity."""
    exposure: float
    """Part of the time in a position."""
    capacity: float
    """Equity at which an order is 1 % of what its candle trades, at the median; quote."""
    probabilistic_sharpe: float
    timing: float
    """The same of the returns less what each symbol's mean position would have earned: a market
    that went one way pays whoever stood that way."""
    days: int
    daily: tuple[float, ...]
    """Returns a day after costs."""
    first_day: int
    """Of ``daily``, days since 1970 UTC."""


def score_trial(
    kind: str, panel: Panel, plan: Plan, said: Forecast, parameters: dict[str, Any] | None = None
) -> Trial:
    """Score an out-of-sample forecast."""
    chance = said.chance
    known = np.isfinite(chance) & np.isfinite(panel.ahead)
    rose = panel.ahead[known] > 0
    told = chance[known]
    wrong = (told - rose) ** 2
    times = panel.times[panel.at[known]]
    late = times > times.max(initial=0) - LATE_DAYS * _DAY * 1000
    played = trade(panel, plan, said)
    net, gross = played.net, played.gross
    measured, raw = sharpe(net, _DAY), sharpe(gross, _DAY)
    low, high = bootstrap_sharpe(net, _DAY, plan.seed) if measured else (None, None)
    traded = float(played.traded.sum())
    return Trial(
        kind,
        plan.horizon,
        plan.label,
        dict(parameters or {}),
        int(known.sum()),
        auc(told, rose),
        auc_error(rose, len(np.unique(panel.at[known])) / plan.horizon),
        rank_correlation(told, panel.ahead[known]),
        1.0 - float(wrong.mean()) / 0.25,
        1.0 - float(wrong[late].mean()) / 0.25,
        calibration_error(told, rose),
        reliability(told, rose),
        measured.value if measured else None,
        low,
        high,
        raw.value if raw else None,
        float(gross.sum() - played.paid.sum()) / traded if traded else None,
        float(played.paid.mean()) * 365.0,
        float(played.traded.mean()),
        played.exposure,
        played.capacity,
        probabilistic_sharpe(net),
        probabilistic_sharpe(net - played.stood),
        len(net),
        tuple(net.tolist()),
        played.first_day,
    )


class Played(Struct, frozen=True):
    """What the strategy did on a forecast, by day."""

    net: Floats
    """Return after costs and funding."""
    gross: Floats
    paid: Floats
    """Funding, part of equity."""
    traded: Floats
    """Notional, as a multiple of equity."""
    stood: Floats
    """What each symbol's mean position would have earned after funding, held all the time."""
    exposure: float
    capacity: float
    first_day: int


def trade(panel: Panel, plan: Plan, said: Forecast) -> Played:
    """Act on probabilities as the strategy does, each symbol with an equal part of the equity."""
    count = len(panel.symbols)
    days = panel.times[panel.at] // (_DAY * 1000)
    tested = np.isfinite(said.chance)
    first, last = int(days[tested].min()), int(days[tested].max())
    gross, paid, traded, stood = np.zeros((4, last - first + 1))
    held = 0.0
    room = []
    for who in range(count):
        mine = np.flatnonzero(tested & (panel.who == who))
        position = _positions(said.chance[mine], said.rise[mine], said.fall[mine])
        moved = np.abs(np.diff(position, prepend=0.0))
        day = days[mine] - first
        step, due = np.nan_to_num(panel.step[mine]), panel.paid[mine]
        np.add.at(gross, day, position * step / count)
        np.add.at(paid, day, position * due / count)
        mean = position.mean() if len(position) else 0.0
        np.add.at(stood, day, mean * (step - due) / count)
        np.add.at(traded, day, moved / count)
        if len(day):
            traded[day[-1]] += abs(position[-1]) / count  # out at the end
        held += float(np.abs(position).sum())
        acted = moved > 0
        room.append(_PART * panel.turnover[mine][acted] * count / moved[acted])
    rooms = np.concatenate(room)
    return Played(
        gross - traded * plan.cost - paid,
        gross,
        paid,
        traded,
        stood,
        held / max(int(tested.sum()), 1),
        float(np.median(rooms)) if len(rooms) else 0.0,
        first,
    )


def _positions(chance: Floats, rise: Floats, fall: Floats) -> Floats:
    target = 0
    path = []
    for said in zip(chance.tolist(), rise.tolist(), fall.tolist(), strict=True):
        target = follow(target, *said)
        path.append(target)
    return np.array(path, np.float64)


def together(trials: list[Trial]) -> NDArray[np.float64]:
    """Return the daily returns of trials on the days that all of them have; one column a trial."""
    first = max(one.first_day for one in trials)
    last = min(one.first_day + one.days for one in trials)
    rows = [one.daily[first - one.first_day : last - one.first_day] for one in trials]
    return np.array(rows).T
