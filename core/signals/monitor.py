"""A model on duty, watched: what it said against what came, its rows against those of training.

Which alarms work was measured (hourly candles of 2023 to 2026):

* Page-Hinkley on the daily hit rate (fall .01, threshold 2) found both breaks in 870 days and cried
  0.1 to 0.2 times in as many days of shuffled ones. ADWIN never fired, threshold 1 fired twice.
* A model is worse than a coin when its daily Brier skill is below 0 by two standard errors. A
  month below 0 happens to good models one time in three.
* The population stability index of features that look back at most 72 candles stayed below .14 in
  every month; .25 is an alarm. Features of 168 candles and of the week pass .25 in a third of
  normal months, raw volatility in most: they are not watched.

The first two end a model's duty, the third only marks it: rows that are new need not be wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from math import log, sqrt

from msgspec import Struct

from core.clock import DAY, SECOND
from core.model.learning import Day, Record, Seen
from core.model.market import Candle
from core.signals.model import Model

FEWEST_DAYS = 30
"""Days with outcomes before any alarm."""
KEPT_DAYS = 400
SKILL_DAYS = 90
FALL, THRESHOLD = 0.01, 2.0
STABLE = 0.25
"""Population stability index above which a feature has drifted."""
FEWEST_ROWS = 500
SPAN = 10
"""Days in one count of rows; the newest three are compared."""
_BINS = 10
_SMALL = 1e-4


class Reference(Struct, frozen=True):
    """How a feature was distributed in training."""

    edges: tuple[float, ...]
    """Rising bounds of the bins."""
    shares: tuple[float, ...]
    """Of the rows, one more than edges."""


class Outcome(Struct, frozen=True, gc=False):
    """A prediction whose truth is known."""

    ts: int
    """Open time of the candle it was made on, nanoseconds UTC."""
    chance: float
    move: float
    """Log return from the next open to the open ``horizon`` candles later."""


class _Said(Struct, gc=False):
    ts: int
    chance: float
    entry: float = 0.0


class Monitor:
    """Scores one model while it works.

    Args:
        model: whose probabilities they are.
        reference: of the watched features, by name.
        names: of the model's features, in the order of its rows.
        since: nanoseconds UTC; candles that ended before are not counted.
        record: what is known from before.
    """

    def __init__(
        self,
        model: Model,
        reference: Mapping[str, Reference],
        names: Sequence[str],
        since: int,
        record: Record,
    ) -> None:
        self.model = model
        self.since = since
        self.watched = tuple(name for name in names if name in reference)
        self._columns = tuple((names.index(name), reference[name].edges) for name in self.watched)
        self._reference = tuple(reference[name].shares for name in self.watched)
        self._span = model.timeframe * SECOND
        self._said: dict[tuple[str, str], deque[_Said]] = {}
        self._days = deque(record.days, maxlen=KEPT_DAYS)
        fits = all(len(one.counts) == len(self.watched) for one in record.seen)
        self._seen = deque(record.seen[:-1] if fits else (), maxlen=3)
        self._rows = self._first = 0
        self._counts = self._zeros()
        if fits and record.seen:
            # The count that was running goes on, or a restart a day would leave three short ones.
            last = record.seen[-1]
            self._first, self._rows = last.day, last.rows
            self._counts = [list(counts) for counts in last.counts]

    def saw(self, candle: Candle, row: list[float], chance: float) -> None:
        """Remember what the model said of a candle, if that is news."""
        if candle.ts + self._span > self.since:
            said = self._said.setdefault((candle.venue, candle.symbol), deque())
            said.append(_Said(candle.ts, chance))
            self._count(candle.ts, row)

    def settle(self, candle: Candle) -> Outcome | None:
        """Take an instrument's next candle; return what it proves, before anything new is said."""
        said = self._said.get((candle.venue, candle.symbol))
        if not said:
            return None
        if said[-1].ts + self._span == candle.ts:
            said[-1].entry = candle.open
        due = candle.ts - (self.model.horizon + 1) * self._span
        found = None
        while said and said[0].ts <= due:
            one = said.popleft()
            # A gap in the candles leaves a prediction without its entry or its exit.
            if one.ts == due and one.entry > 0.0:
                found = Outcome(one.ts, one.chance, log(candle.open / one.entry))
        if found is not None:
            self._add(candle.ts // DAY, found)
        return found

    @property
    def days(self) -> tuple[Day, ...]:
        """Outcomes by day, oldest first."""
        return tuple(self._days)

    def record(self) -> Record:
        """Return what must be known after a restart."""
        return Record(tuple(self._days), tuple(self._all_seen()))

    def hit_rate(self) -> float | None:
        """Return the part of predictions on the right side; None before the first outcome."""
        count = sum(day.count for day in self._days)
        return sum(day.hits for day in self._days) / count if count else None

    def brier_skill(self) -> float | None:
        """Return the part of a coin's squared error that was saved; None before an outcome."""
        count = sum(day.count for day in self._days)
        return 1.0 - 4.0 * sum(day.brier for day in self._days) / count if count else None

    def failure(self) -> str:
        """Return why the model must leave; empty while it need not. Days that are whole count."""
        days = list(self._days)[:-1]
        if len(days) < FEWEST_DAYS:
            return ""
        rates = [day.hits / day.count for day in days]
        if page_hinkley(rates):
            before, now = _mean(rates[: len(rates) // 2]), _mean(rates[-FEWEST_DAYS:])
            return f"its hit rate fell from {before:.1%} to {now:.1%}"
        skills = [0.25 - day.brier / day.count for day in days[-SKILL_DAYS:]]
        mean = _mean(skills)
        error = sqrt(sum((one - mean) ** 2 for one in skills) / (len(skills) - 1) / len(skills))
        if mean + 2.0 * error < 0.0:
            return f"its probabilities are worse than a coin's over {len(skills)} days"
        return ""

    def drifted(self) -> tuple[str, ...]:
        """Return the watched features that are no longer distributed as in training."""
        spans = list(self._all_seen())
        rows = sum(one.rows for one in spans)
        if rows < FEWEST_ROWS or len(spans) < 3:
            return ()
        found = []
        for k, name in enumerate(self.watched):
            counts = [
                sum(one.counts[k][b] for one in spans) for b in range(len(self._reference[k]))
            ]
            if stability([n / max(sum(counts), 1) for n in counts], self._reference[k]) > STABLE:
                found.append(name)
        return tuple(found)

    # --- counting -----------------------------------------------------------------------------

    def _add(self, day: int, one: Outcome) -> None:
        rose = one.move > 0.0
        error = one.chance - rose
        right = (one.chance > 0.5) == rose
        loss = -log(max(one.chance if rose else 1.0 - one.chance, 1e-12))
        last = self._days[-1] if self._days else None
        if last is None or last.day != day:
            self._days.append(Day(day, 1, int(right), error * error, loss))
        else:
            self._days[-1] = Day(
                day, last.count + 1, last.hits + right, last.brier + error * error, last.loss + loss
            )

    def _count(self, ts: int, row: list[float]) -> None:
        day = ts // DAY
        if not self._rows:
            self._first = day
        elif day >= self._first + SPAN:
            self._seen.append(self._running())
            self._rows, self._counts = 0, self._zeros()
            self._first = day
        self._rows += 1
        for (column, edges), counts in zip(self._columns, self._counts, strict=True):
            value = row[column]
            if value == value:  # a NaN is in no bin
                counts[bisect_left(edges, value)] += 1

    def _zeros(self) -> list[list[int]]:
        return [[0] * len(shares) for shares in self._reference]

    def _running(self) -> Seen:
        return Seen(self._first, self._rows, tuple(tuple(counts) for counts in self._counts))

    def _all_seen(self) -> list[Seen]:
        return ([*self._seen, self._running()] if self._rows else [*self._seen])[-3:]


def page_hinkley(values: Sequence[float]) -> bool:
    """Return whether the mean of a series has fallen (Page 1954, Hinkley 1971).

    As ``river.drift.PageHinkley(mode="down", delta=FALL, threshold=THRESHOLD)`` does it, and like
    that begun anew with the series.
    """
    total = most = mean = 0.0
    for count, value in enumerate(values, 1):
        mean += (value - mean) / count
        total = 0.9999 * total + value - mean + FALL
        most = max(most, total)
        if count >= FEWEST_DAYS and most - total > THRESHOLD:
            return True
    return False


def stability(shares: Sequence[float], reference: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same bins."""
    total = 0.0
    for now, then in zip(shares, reference, strict=True):
        a, b = max(now, _SMALL), max(then, _SMALL)
        total += (a - b) * log(a / b)
    return total


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
