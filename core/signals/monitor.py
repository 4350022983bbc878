"""A model on duty, watched: what it said against what came, its rows against those of training.

Which alarms work is measured by ``make bench ARGS=alarms``; docs/models.md has the figures:

* Page-Hinkley on the daily hit rate (fall .01, threshold 2) sees an edge go, and seldom cries on
  the same days shuffled. ADWIN never fires; threshold 1 cries too often.
* A model is worse than a coin when its daily Brier skill is below 0 by two standard errors. A
  month below 0 happens to good models, too.
* The population stability index of features that look back at most 48 candles stays below .25.
  Features that look further back, and those of the week, pass it in normal months: they are not
  watched.
* The mean of the probabilities a model gives moves by less than half of the deviation they had over
  the rows of training, and their deviation stays between half and twice what it was.
* What orders pay a side is more than training assumed when it is so by two standard errors of days.

The first two end a model's duty, the others only mark it: rows that are new need not be wrong, and
whether a dearer model still earns is for the first two to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import log, sqrt

from msgspec import Struct
from msgspec.structs import replace

from core.clock import DAY, SECOND
from core.model.learning import Interval, Live, Record, Seen
from core.model.market import Candle
from core.risk.codes import Code
from core.signals.diary import FEWEST, MONTH, SEASON, Diary, earning, spoken, sum_up
from core.signals.model import Model
from core.signals.model_strategy import Said

FEWEST_DAYS = 30
"""Days with outcomes before any alarm."""
FALL, THRESHOLD = 0.01, 2.0
USUAL = 0.1
"""Standard deviation of daily hit rates that these were chosen for. One symbol a day ahead has 0.3:
taken as they are, such days ended every model within a year, however good."""
_APART = 3
"""Days that have no outcomes in common, nor a change of level between them, as a rule."""
STABLE = 0.25
"""Population stability index above which a feature has drifted."""
FEWEST_ROWS = 400
"""Fewer than one instrument's hours of 20 days, or doubts would come and go with every count."""
SPAN = 10
"""Days in one count of rows; the newest three are compared."""
SHIFT = 0.5
"""Of the mean probability, in deviations that it had in training."""
WIDENED = 2.0
"""Deviation of the probabilities against training, or the other way round."""
_SMALL = 1e-4


class Reference(Struct, frozen=True):
    """How a feature was distributed in training."""

    edges: tuple[float, ...]
    """Rising bounds of the bins."""
    shares: tuple[float, ...]
    """Of the rows, one more than edges."""


class Outcome(Struct, frozen=True, gc=False):
    """A prediction whose truth is known."""

    venue: str
    symbol: str
    ts: int
    """Open time of the candle it was made on, nanoseconds UTC."""
    chance: float
    move: float
    """Log return from the next open to the open ``horizon`` candles later; of a relative model less
    the mean of all that were foretold at the venue then."""
    size: float
    """The expected move, log return."""


class Doubt(Struct, frozen=True):
    """Something about a model on duty that is not as in training."""

    code: Code
    key: str
    """The same as long as the doubt is."""
    text: str
    """For a person, with its numbers."""


class _Said(Struct, gc=False):
    ts: int
    chance: float
    size: float
    """Expected move over the horizon, log return."""
    entry: float = 0.0


class _Stance(Struct, gc=False):
    """What is held of an instrument, as training plays it: from the open after each decision."""

    decided: int
    held: int
    ts: int = 0
    """Of the last candle."""
    open: float = 0.0
    due: float = 0.0
    """Funding that a long pays in a candle, fraction, at the last rate that the model saw."""


class Monitor:
    """Scores one model while it works.

    Args:
        model: whose probabilities they are.
        reference: of the watched features, by name.
        names: of the model's features, in the order of its rows.
        said: mean and standard deviation of its probabilities over the rows of training; None
            where that is not known.
        since: nanoseconds UTC; candles that ended before are not counted.
        record: what is known from before.
    """

    def __init__(
        self,
        model: Model,
        reference: Mapping[str, Reference],
        names: Sequence[str],
        said: tuple[float, float] | None,
        since: int,
        record: Record,
    ) -> None:
        self.model = model
        self.since = since
        self.watched = tuple(name for name in names if name in reference)
        self._columns = tuple((names.index(name), reference[name].edges) for name in self.watched)
        self._reference = tuple(reference[name].shares for name in self.watched)
        self._promised = said
        self._span = model.timeframe * SECOND
        self._said: dict[tuple[str, str], deque[_Said]] = {}
        self._stances: dict[tuple[str, str], _Stance] = {}
        self._together: dict[str, list[Outcome]] = {}
        """By venue, outcomes of the newest candle of a relative model: their mean is to come."""
        self.diary = Diary(record.days)
        self._earning: tuple[int, Interval | None] = (-1, None)
        self._live: Live | None = None
        fits = all(len(one.counts) == len(self.watched) for one in record.seen)
        self._seen = deque(record.seen[:-1] if fits else (), maxlen=3)
        self._rows = self._first = 0
        self._counts = self._zeros()
        if fits and record.seen:
            # The count that was running goes on, or a restart a day would leave three short ones.
            last = record.seen[-1]
            self._first, self._rows = last.day, last.rows
            self._counts = [list(counts) for counts in last.counts]

    def saw(self, candle: Candle, said: Said | None, target: int) -> None:
        """Remember what the model said of a candle and what it wants after it, if that is news.

        Args:
            candle: that has just closed.
            said: None where it was silent.
            target: direction it wants.
        """
        if candle.ts + self._span <= self.since:
            return
        key = candle.venue, candle.symbol
        stance = self._stances.get(key)
        if stance is None:
            # What it takes over costs it nothing.
            stance = self._stances[key] = _Stance(target, target, candle.ts, candle.open)
        stance.decided = target
        if said is not None:
            stance.due = self.model.due(said.row) / self.model.horizon
        told = None if said is None else said.told
        self.diary.note_said(candle.ts // DAY, told, held=target != 0)
        if said is not None:
            waiting = self._said.setdefault(key, deque())
            waiting.append(_Said(candle.ts, said.chance, said.size))
            self._count(candle.ts, said.row)

    def settle(self, candle: Candle) -> Sequence[Outcome]:
        """Take an instrument's next candle; return what it proves, before anything new is said.

        A relative model's outcomes are known a candle later, when all symbols have closed theirs.
        """
        key = candle.venue, candle.symbol
        self._follow(self._stances.get(key), candle)
        said = self._said.get(key)
        if not said:
            return ()
        if said[-1].ts + self._span == candle.ts:
            said[-1].entry = candle.open
        due = candle.ts - (self.model.horizon + 1) * self._span
        found = None
        while said and said[0].ts <= due:
            one = said.popleft()
            # A gap in the candles leaves a prediction without its entry or its exit.
            if one.ts == due and one.entry > 0.0:
                move = log(candle.open / one.entry)
                found = Outcome(*key, one.ts, one.chance, move, one.size)
        if found is None:
            return ()
        known = self._compare(found) if self.model.recipe.relative else (found,)
        for outcome in known:
            day = candle.ts // DAY
            self.diary.note_outcome(day, outcome.chance, outcome.move, outcome.size)
        return known

    def _compare(self, found: Outcome) -> Sequence[Outcome]:
        """Return the outcomes of the candle before, each less their mean; keep those of this one.

        One that is alone proves nothing.
        """
        waiting = self._together.setdefault(found.venue, [])
        if not waiting or waiting[0].ts == found.ts:
            waiting.append(found)
            return ()
        self._together[found.venue] = [found]
        if len(waiting) < 2:
            return ()
        mean = sum([one.move for one in waiting]) / len(waiting)
        return [replace(one, move=one.move - mean) for one in waiting]

    def _follow(self, stance: _Stance | None, candle: Candle) -> None:
        """Count what was held from the last open to this one; then hold what was decided since."""
        if stance is None or candle.ts <= stance.ts:
            return
        if stance.ts + self._span == candle.ts:
            turned = abs(stance.decided - stance.held)
            won = stance.held * (candle.open / stance.open - 1.0 - stance.due)
            cost = turned * self.model.recipe.cost
            self.diary.note_earned(candle.ts // DAY, won - cost, turned, len(self._stances))
        stance.held, stance.ts, stance.open = stance.decided, candle.ts, candle.open

    def paid(
        self, day: int, sign: int, price: Decimal, qty: Decimal, fee: Decimal, at: float
    ) -> None:
        """Count a fill of an order that followed the model.

        Args:
            day: of the candle it was decided on, days since 1970.
            sign: +1 bought, -1 sold.
            price: of the fill.
            qty: base units.
            fee: quote, positive when paid.
            at: close of that candle.
        """
        size = float(qty)
        self.diary.note_paid(day, at * size, sign * (float(price) - at) * size, float(fee))

    def record(self) -> Record:
        """Return what must be known after a restart."""
        return Record(self.diary.days, tuple(self._all_seen()))

    def live(self) -> Live:
        """Return how it does; worked out when something was noted: a terminal asks all the time."""
        if self._live is None or self.diary.changed:
            days = self.diary.days
            last = days[-1].day if days else 0
            if self._earning[0] != last:
                self._earning = last, earning(days)
            self._live = sum_up(days, self._earning[1])
            self.diary.changed = False
        return self._live

    def failure(self) -> str:
        """Return why the model must leave; empty while it need not. Days that are whole count."""
        days = [day for day in self.diary.days[:-1] if day.count]
        if len(days) < FEWEST_DAYS:
            return ""
        rates = [day.hits / day.count for day in days]
        if page_hinkley(rates):
            before, now = _mean(rates[: len(rates) // 2]), _mean(rates[-FEWEST_DAYS:])
            return f"its hit rate fell from {before:.1%} to {now:.1%}"
        skills = [0.25 - day.brier / day.count for day in days[-SEASON:]]
        if worse_than_a_coin(skills):
            return f"its probabilities are worse than a coin's over {len(skills)} days"
        return ""

    def doubts(self) -> tuple[Doubt, ...]:
        """Return what is not as in training: a reason to look, not to leave."""
        drifted = ", ".join(self.drifted())
        found = [Doubt(Code.MODEL_DRIFT, drifted, f"features left training: {drifted}")]
        found = found if drifted else []
        return (*found, *self._strange_words(), *self._dear_orders())

    def _strange_words(self) -> list[Doubt]:
        days = self.diary.days[-MONTH:]
        mean, spread = spoken(days)
        if self._promised is None or mean is None or spread is None:
            return []
        if sum(day.spoken.count for day in days) < FEWEST_ROWS or len(days) < 2 * SPAN:
            return []
        before, width = self._promised
        usual = width / WIDENED <= spread <= width * WIDENED
        if usual and abs(mean - before) <= SHIFT * width:
            return []
        text = (
            f"probabilities left training: {mean:.1%} with a spread of {spread:.1%},"
            f" {before:.1%} with {width:.1%} there"
        )
        return [Doubt(Code.MODEL_DRIFT, "probabilities", text)]

    def _dear_orders(self) -> list[Doubt]:
        paid = [day.paid for day in self.diary.days if day.paid.traded][-MONTH:]
        rates = [(one.slipped + one.fees) / one.traded for one in paid]
        assumed = self.model.recipe.cost
        if len(rates) < FEWEST or _mean(rates) - 2.0 * _error(rates) <= assumed:
            return []
        text = (
            f"orders pay {_mean(rates) * 1e4:.1f} bp a side, training assumed {assumed * 1e4:.1f}"
        )
        return [Doubt(Code.MODEL_COST, "orders", text)]

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
    that begun anew with the series; both wider where days differ by more than is usual.
    """
    apart = [(a - b) ** 2 for a, b in zip(values, values[_APART:], strict=False)]
    noise = sqrt(sum(apart) / (2 * len(apart))) if apart else 0.0
    scale = max(noise / USUAL, 1.0)
    total = most = mean = 0.0
    for count, value in enumerate(values, 1):
        mean += (value - mean) / count
        total = 0.9999 * total + (value - mean) / scale + FALL
        most = max(most, total)
        if count >= FEWEST_DAYS and most - total > THRESHOLD:
            return True
    return False


def worse_than_a_coin(skills: Sequence[float]) -> bool:
    """Return whether daily Brier skills are below 0 by two standard errors."""
    return _mean(skills) + 2.0 * _error(skills) < 0.0


def stability(shares: Sequence[float], reference: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same bins."""
    total = 0.0
    for now, then in zip(shares, reference, strict=True):
        a, b = max(now, _SMALL), max(then, _SMALL)
        total += (a - b) * log(a / b)
    return total


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _error(values: Sequence[float]) -> float:
    """Return the standard error of a mean."""
    mean, count = _mean(values), len(values)
    return sqrt(sum((one - mean) ** 2 for one in values) / (count - 1) / count)
