"""What a model on duty said, earned and paid, day by day, and what that comes to."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from math import log, sqrt
from typing import Any

from msgspec.structs import replace

from core.model.learning import (
    Agreement,
    Comparison,
    Day,
    Earned,
    Interval,
    Live,
    Paid,
    Spoken,
)

KEPT = 400
"""Days."""
SEASON, MONTH = 90, 30
"""Days over which results, and what changes faster, are looked at."""
FEWEST = 10
"""Days of which an interval says something."""
_OUTCOMES = 100
"""Of which a correlation says something."""
_MOST = 3.0
"""Expected moves; what is further counts as much."""
_COIN = log(2.0)
"""Log loss of a prediction that says nothing."""
_BLOCK, _DRAWS = 5, 500
"""Of the bootstrap: neighbouring days are alike."""


class Diary:
    """Counts by day. What comes late counts to the newest day there is.

    Args:
        days: known from before, oldest first.
    """

    def __init__(self, days: Iterable[Day]) -> None:
        self._days = deque(days, maxlen=KEPT)
        self.changed = True
        """Set whenever something is noted; whoever looks unsets it."""

    @property
    def days(self) -> tuple[Day, ...]:
        """All of them, oldest first; the last is running."""
        return tuple(self._days)

    def note_said(self, day: int, chance: float | None, *, held: bool) -> None:
        """Count what the model said of a candle, and whether it wants a position after it."""
        was = self._today(day).spoken
        said = 0.0 if chance is None else chance
        self._change(
            spoken=Spoken(
                was.count + (chance is not None),
                was.total + said,
                was.squares + said * said,
                was.stood + 1,
                was.held + held,
            )
        )

    def note_outcome(self, day: int, chance: float, move: float, size: float) -> None:
        """Count a prediction whose truth is known.

        Args:
            day: in which it became known.
            chance: that was given to a rise.
            move: log return over the horizon.
            size: expected move over the horizon when it was said, log return.
        """
        was = self._today(day)
        rose = move > 0.0
        error = chance - rose
        x, y = chance - 0.5, min(max(move / size, -_MOST), _MOST) if size > 0.0 else 0.0
        sums = was.agreement
        self._change(
            count=was.count + 1,
            hits=was.hits + ((chance > 0.5) == rose),
            brier=was.brier + error * error,
            loss=was.loss - log(max(chance if rose else 1.0 - chance, 1e-12)),
            agreement=Agreement(
                sums.x + x, sums.xx + x * x, sums.y + y, sums.yy + y * y, sums.xy + x * y
            ),
        )

    def note_earned(self, day: int, net: float, turned: float, places: int) -> None:
        """Count what a candle brought to a unit that follows the model."""
        was = self._today(day).earned
        self._change(earned=Earned(was.net + net, was.turned + turned, max(was.places, places)))

    def note_paid(self, day: int, traded: float, slipped: float, fees: float) -> None:
        """Count a fill; see ``Paid``."""
        was = self._today(day).paid
        self._change(paid=Paid(was.traded + traded, was.slipped + slipped, was.fees + fees))

    def _today(self, day: int) -> Day:
        if not self._days or self._days[-1].day < day:
            self._days.append(Day(day))
        return self._days[-1]

    def _change(self, **changes: Any) -> None:
        self._days[-1] = replace(self._days[-1], **changes)
        self.changed = True


def sum_up(days: Sequence[Day], earned: Interval | None) -> Live:
    """Return what days come to.

    Args:
        days: oldest first, the last running.
        earned: see ``earning``, which takes longer than all the rest.
    """
    scored = [day for day in days if day.count]
    count = sum(day.count for day in scored)
    month = days[-MONTH:]
    said, spread = spoken(month)
    stood = sum(day.spoken.stood for day in month)
    paid = [day.paid for day in days if day.paid.traded][-MONTH:]
    traded = sum(one.traded for one in paid)
    slipped, fees = sum(one.slipped for one in paid), sum(one.fees for one in paid)
    return Live(
        len(scored),
        count,
        sum(day.hits for day in scored) / count if count else None,
        1.0 - 4.0 * sum(day.brier for day in scored) / count if count else None,
        correlation(scored[-SEASON:]),
        said,
        spread,
        sum(day.spoken.held for day in month) / stood if stood else None,
        earned,
        traded,
        slipped / traded if traded else None,
        (slipped + fees) / traded if traded else None,
    )


def earning(days: Sequence[Day]) -> Interval | None:
    """Return the daily return of following the model; the running day is not a day yet."""
    return interval([net(day) for day in days[:-1] if day.earned.places][-SEASON:])


def compare(champion: Sequence[Day] | None, challenger: Sequence[Day], needed: int) -> Comparison:
    """Hold a challenger against the champion, on whole days that both have seen.

    Where no model trades it is held against saying nothing: a coin, and no position.

    Args:
        champion: its days, oldest first, the last running; None where no model trades.
        challenger: the same.
        needed: fewest days for a judgement.
    """
    days = challenger[:-1]
    if champion is None:
        losses = [_COIN - day.loss / day.count for day in days if day.count]
        nets = [net(day) for day in days if day.earned.places]
    else:
        known = {day.day: day for day in champion[:-1]}
        pairs = [(known[day.day], day) for day in days if day.day in known]
        losses = [a.loss / a.count - b.loss / b.count for a, b in pairs if a.count and b.count]
        nets = [net(b) - net(a) for a, b in pairs if a.earned.places and b.earned.places]
    return Comparison(
        min(len(losses), len(nets)),
        needed,
        interval(losses),
        interval(nets),
        alone=champion is None,
    )


def net(day: Day) -> float:
    """Return what an equity in equal parts on all instruments made in a day, fraction."""
    return day.earned.net / day.earned.places


def spoken(days: Iterable[Day]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation of the probabilities that were said; None for none."""
    parts = [day.spoken for day in days]
    count = sum(one.count for one in parts)
    if not count:
        return None, None
    mean = sum(one.total for one in parts) / count
    square = sum(one.squares for one in parts) / count
    return mean, sqrt(max(square - mean * mean, 0.0))


def correlation(days: Sequence[Day]) -> float | None:
    """Return the correlation of what was said and what came.

    None for fewer than a hundred outcomes, or where one of the two stands still.

    Pooled over days: a mean of daily correlations favours whatever bets on a reversal.
    """
    count = sum(day.count for day in days)
    sums = [day.agreement for day in days]
    x, y = sum(one.x for one in sums), sum(one.y for one in sums)
    xx = count * sum(one.xx for one in sums) - x * x
    yy = count * sum(one.yy for one in sums) - y * y
    if count < _OUTCOMES or min(xx, yy) <= 1e-12 * count:
        return None
    return (count * sum(one.xy for one in sums) - x * y) / sqrt(xx * yy)


def interval(values: Sequence[float]) -> Interval | None:
    """Return the mean of daily values with its 90 % interval; None for fewer than ten.

    A block bootstrap, whose answer is the same for the same number of days.
    """
    count = len(values)
    if count < FEWEST:
        return None
    total = [0.0]
    for value in values:
        total.append(total[-1] + value)
    rng = random.Random(count)
    blocks = -(-count // _BLOCK)
    means = []
    for _ in range(_DRAWS):
        starts = [rng.randrange(count - _BLOCK + 1) for _ in range(blocks)]
        means.append(sum(total[at + _BLOCK] - total[at] for at in starts) / (blocks * _BLOCK))
    means.sort()
    tail = _DRAWS // 20
    return Interval(total[-1] / count, means[tail - 1], means[-tail])
