"""How models age on real candles, and what the alarms that watch them do: how often for nothing.

A model is trained on 120 days of hours of 24 symbols, and the 30 days after that are looked at as
``core.signals.monitor`` would; then the same a month later.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import numpy as np

from core.research.candles import CandleFile, find_files, read_candles
from core.research.panel import Floats, Panel, Plan, make_panels, rows_of
from core.research.reference import LONGEST, describe, shares
from core.research.training import Fold, fit, forecast, walk
from core.signals.candle_features import FEATURES
from core.signals.diary import SEASON
from core.signals.monitor import (
    FEWEST_DAYS,
    SHIFT,
    STABLE,
    WIDENED,
    page_hinkley,
    stability,
    worse_than_a_coin,
)
from tests.bench.signals import HOURLY

HORIZONS = (4, 24)
TRAIN, MONTH = 120 * 24, 30 * 24
AGES = ("1 to 30", "31 to 60", "61 to 90")
SHUFFLES = 100
LEAST = 1e-4
"""Deviation of probabilities that say something."""
FELL, WORSE = "hit rate fell", "worse than a coin"
CLOCK = ("hour_", "week_")
WATCHED = f"features of up to {LONGEST} candles, greatest stability index of a month"
SHIFTED = "mean probability of a month, greatest shift in deviations"
SPREAD = "deviation of the probabilities, least and greatest part of training's"
TARGETS = {
    WATCHED: f"< {STABLE}",
    SHIFTED: f"< {SHIFT}",
    SPREAD: f"{1 / WIDENED:g} to {WIDENED:g}",
}


@cache
def panels() -> list[Panel]:
    files: list[CandleFile] = [read_candles(path) for path in find_files(HOURLY)]
    return make_panels(files, [plan(horizon) for horizon in HORIZONS])


def plan(horizon: int) -> Plan:
    return Plan(3600, horizon, TRAIN, MONTH, 0.00065)


def months(panel: Panel, horizon: int) -> Iterator[tuple[Fold, range]]:
    """Yield each fold whose test is a whole month, and the times it learns from."""
    for fold in walk(len(panel.times), plan(horizon)):
        if len(fold.test) == MONTH:
            yield fold, range(fold.fit.start, fold.tune.stop)


def index(before: Floats, after: Floats) -> float:
    """Return the stability index of values against the deciles they had before."""
    reference = describe(before)
    assert reference is not None
    return stability(shares(after, reference.edges), reference.shares)


def measure_rows() -> dict[str, float | str]:
    """How stable rows are, by how far their features look back."""
    panel = panels()[0]
    found: dict[bool, dict[tuple[str, int], float]] = {True: {}, False: {}}
    for fold, learnt in months(panel, HORIZONS[0]):
        before, after = rows_of(panel, learnt), rows_of(panel, fold.test)
        for feature in FEATURES:
            if feature.name.startswith(CLOCK) or feature.name not in panel.names:
                continue
            column = panel.names.index(feature.name)
            value = index(panel.rows[before, column], panel.rows[after, column])
            found[feature.window <= LONGEST][feature.name, fold.test.start] = value
    near, far = found[True], found[False]
    (worst, _), most = max(near.items(), key=lambda item: item[1])
    return {
        "months": len({month for _, month in near}),
        WATCHED: most,
        "which that was": worst,
        "features that look further back, part of months beyond the alarm": (
            sum(value > STABLE for value in far.values()) / len(far)
        ),
    }


def measure_words() -> dict[str, float | str]:
    """What models say in the month after their training, against what they say of its rows."""
    shifts, widths = [], []
    for panel, horizon in zip(panels(), HORIZONS, strict=True):
        for kind in ("linear", "lightgbm"):
            for fold, learnt in months(panel, horizon):
                fitted = fit(kind, panel, fold, plan(horizon))
                then, now = (
                    fitted.predict(panel.rows[rows_of(panel, span)]) for span in (learnt, fold.test)
                )
                if then.std() < LEAST:
                    continue  # it learnt nothing, and says one number
                shifts.append(abs(float(now.mean() - then.mean())) / float(then.std()))
                widths.append(float(now.std() / then.std()))
    return {
        "months of models": len(shifts),
        SHIFTED: max(shifts),
        SPREAD: f"{min(widths):.2f} to {max(widths):.2f}",
    }


def measure_ages() -> dict[str, float | str]:
    """How much of what linear models say beyond a coin comes true, by the time since training."""
    said, came = np.zeros((2, len(AGES)))
    for panel, horizon in zip(panels(), HORIZONS, strict=True):
        for fold, _ in months(panel, horizon):
            fitted = fit("linear", panel, fold, plan(horizon))
            for age in range(len(AGES)):
                start = fold.test.start + age * MONTH
                rows = rows_of(panel, range(start, start + MONTH))
                rows = rows[np.isfinite(panel.ahead[rows])]
                beyond = fitted.predict(panel.rows[rows]) - 0.5
                said[age] += beyond @ beyond
                came[age] += beyond @ ((panel.ahead[rows] > 0) - 0.5)
    parts = (came / said).tolist()
    return {
        f"part of what is said that comes true, days {age}": part
        for age, part in zip(AGES, parts, strict=True)
    }


def measure_hits() -> dict[str, float | str]:
    """Whether the hit rate's fall is seen; and how often what demotes would without a reason.

    Without a reason: the same days in another order, and as good as a coin on the mean.
    """
    found: dict[str, float | str] = {}
    for panel, horizon in zip(panels(), HORIZONS, strict=True):
        said = forecast("linear", panel, plan(horizon))
        known = np.isfinite(said.chance) & np.isfinite(panel.ahead)
        right = ((said.chance > 0.5) == (panel.ahead > 0))[known]
        days = (panel.times[panel.at] // 86_400_000)[known]
        error = ((said.chance - (panel.ahead > 0)) ** 2)[known]
        every = np.unique(days)
        rates = [float(right[days == day].mean()) for day in every]
        skills = np.array([0.25 - error[days == day].mean() for day in every])
        coin = (skills - skills.mean()).tolist()
        rng = random.Random(horizon)
        text = f"{len(rates)} days, {horizon} h ahead"
        found[f"{text}: {FELL}"] = "yes" if page_hinkley(rates) else "no"
        for name, values, alarm in ((FELL, rates, page_hinkley), (WORSE, coin, ended)):
            alarms = sum(alarm(rng.sample(values, len(values))) for _ in range(SHUFFLES))
            found[f"{text}, part of shuffles: {name}"] = alarms / SHUFFLES
    return found


def ended(skills: list[float]) -> bool:
    """Whether a model is found worse than a coin on any of its days: it is looked at daily."""
    whole = range(FEWEST_DAYS, len(skills) + 1)
    return any(worse_than_a_coin(skills[max(day - SEASON, 0) : day]) for day in whole)


def absent() -> dict[str, float | str]:
    return {"not measured": f"no candles in {HOURLY.name}"}


BENCHES = (
    (measure_rows, measure_words, measure_ages, measure_hits) if HOURLY.is_dir() else (absent,)
)
