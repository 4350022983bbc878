"""Does a strategy see the future? What it decided must not change when what came after does.

The candles are played again with everything after an instant made up, and again with everything
after it cut off. Signals, finished round trips and equity up to that instant must be the same. A
strategy that fails looks ahead, or keeps something between runs, or is not deterministic; a
backtest of it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from core.model.instrument import Instrument
from core.research.bars import Bars
from core.research.result import BacktestResult

PLACES = (0.2, 0.4, 0.6, 0.8)
"""Where the candles are cut, parts of all."""
Candles = Mapping[Instrument, Bars]


class Audit(Struct, frozen=True):
    """What a look-ahead audit found."""

    runs: int
    signals: int
    """Signals that were compared, over all runs."""
    clean: bool
    finding: str
    """The first thing that changed with the future; empty when nothing did."""


def audit(
    candles: Candles,
    play: Callable[[Candles], BacktestResult],
    progress: Callable[[float], object] | None = None,
) -> Audit:
    """Play candles with other futures, and compare what was decided before.

    Args:
        candles: see ``core.research.backtest``.
        play: runs the backtest; makes new strategies each time.
        progress: told the part that is done, 0 to 1.
    """
    longest = max((bars.ts for bars in candles.values()), key=len)
    whole = play(candles)
    runs, compared = 1, 0
    total = 2 * len(PLACES) + 1
    for place in PLACES:
        # The opening of a candle: those before it have closed by then.
        cut = int(longest[int(len(longest) * place)])
        for change, what in ((_truncate, "cut off"), (_make_up, "made up")):
            if progress is not None:
                progress(runs / total)
            other = change(candles, cut)
            runs += 1
            if not all(len(bars.ts) for bars in other.values()):
                continue
            finding, count = _compare(whole, play(other), cut)
            compared += count
            if finding:
                return Audit(runs, compared, False, f"with the future {what}: {finding}")
    return Audit(runs, compared, True, "")


def _truncate(candles: Candles, cut: int) -> Candles:
    found = {}
    for rules, bars in candles.items():
        rows = int(np.searchsorted(np.asarray(bars.ts), cut))
        found[rules] = bars.part(0, rows)
    return found


def _make_up(candles: Candles, cut: int) -> Candles:
    """Turn everything from an instant on into a walk of another direction and size."""
    found = {}
    for number, (rules, bars) in enumerate(candles.items()):
        ts = np.asarray(bars.ts)
        rows = int(np.searchsorted(ts, cut))
        rest = len(ts) - rows
        rng = np.random.default_rng([number, rows])
        tick = float(rules.tick)
        columns = [np.array(column, np.float64) for column in bars.columns]
        start = columns[3][rows - 1] if rows else columns[0][0]
        path = start * np.exp(np.cumsum(rng.standard_normal((rest, 4)) * 0.004).reshape(rest, 4))
        path = np.maximum(np.round(path / tick), 1.0) * tick
        columns[0][rows:], columns[3][rows:] = path[:, 0], path[:, 3]
        columns[1][rows:], columns[2][rows:] = path.max(axis=1), path.min(axis=1)
        columns[4][rows:] = rng.uniform(0.0, 2.0, rest) * (columns[4].mean() + 1.0)
        found[rules] = Bars(ts, *columns)
    return found


def _compare(whole: BacktestResult, other: BacktestResult, cut: int) -> tuple[str, int]:
    """Return what differs before an instant, and how many signals were compared."""
    mine = [signal for signal in whole.signals if signal.ts <= cut]
    theirs = [signal for signal in other.signals if signal.ts <= cut]
    for one, two in zip(mine, theirs, strict=False):
        if one != two:
            return f"the signal {one} became {two}", len(mine)
    if len(mine) != len(theirs):
        longer = max(mine, theirs, key=len)
        return f"the signal {longer[min(len(mine), len(theirs))]} came or went", len(mine)
    for name, then, now in (
        ("a round trip", [t for t in whole.trips if t.closed < cut], other.trips),
        ("equity", [p for p in whole.curve if p[0] < cut], other.curve),
    ):
        for value, again in zip(then, now, strict=False):
            if value != again:
                return f"{name} {value} became {again}", len(mine)
    return "", len(mine)
