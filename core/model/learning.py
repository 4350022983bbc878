"""How models on duty do: what is counted of them, kept, and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

NO_MODEL = "no model is promoted"
"""Why none trades, at the beginning."""


class Spoken(Struct, frozen=True, gc=False, array_like=True):
    """What a model said in a day."""

    count: int = 0
    """Probabilities."""
    total: float = 0.0
    squares: float = 0.0
    """Sum of their squares."""
    stood: int = 0
    """Candles after which it wanted what it wanted, silent ones too."""
    held: int = 0
    """Of these, where that was a position."""


class Agreement(Struct, frozen=True, gc=False, array_like=True):
    """Sums of what was said (``x``: probability less one half) and what came, over outcomes.

    ``y`` is the move in units of what was expected at that moment, within 3: it has no scale.
    """

    x: float = 0.0
    xx: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    xy: float = 0.0


class Earned(Struct, frozen=True, gc=False, array_like=True):
    """What following a model would have earned in a day: each instrument with one unit."""

    net: float = 0.0
    """Sum over instruments, fraction of a unit, after the costs that training assumed."""
    turned: float = 0.0
    """Units traded."""
    places: int = 0
    """Instruments."""


class Paid(Struct, frozen=True, gc=False, array_like=True):
    """What the orders of a day paid, quote."""

    traded: float = 0.0
    """Notional."""
    slipped: float = 0.0
    """Lost against the close they were decided on; below 0 is won."""
    fees: float = 0.0


class Day(Struct, frozen=True, gc=False, array_like=True):
    """What a model said, what came of it, and what it cost in a day (UTC), all instruments."""

    day: int
    """Days since 1970."""
    count: int = 0
    """Predictions whose truth became known."""
    hits: int = 0
    """Predictions on the right side of one half."""
    brier: float = 0.0
    """Sum of squared errors."""
    loss: float = 0.0
    """Sum of negative log likelihoods."""
    spoken: Spoken = Spoken()
    agreement: Agreement = Agreement()
    earned: Earned = Earned()
    paid: Paid = Paid()


class Seen(Struct, frozen=True, gc=False, array_like=True):
    """Rows that a model saw over some days: how many fell into each bin of each feature."""

    day: int
    """The first day."""
    rows: int
    counts: tuple[tuple[int, ...], ...]
    """By watched feature, in the order of the model's reference."""


class Record(Struct, frozen=True, gc=False):
    """What is kept of a model's life, so that a restart forgets none of it."""

    days: tuple[Day, ...] = ()
    """Oldest first."""
    seen: tuple[Seen, ...] = ()
    """Oldest first."""


class Interval(Struct, frozen=True, gc=False):
    """A mean of days, and how sure one may be of it."""

    mean: float
    low: float
    """90 % interval, by a block bootstrap: what is above 0 here is so in 95 of 100 samples."""
    high: float


class Live(Struct, frozen=True, gc=False):
    """How a model has done on duty. None: nothing is known yet."""

    days: int = 0
    """With outcomes."""
    scored: int = 0
    """Predictions whose outcome is known."""
    hit_rate: float | None = None
    brier_skill: float | None = None
    """Part of a coin's error that it saves."""
    ic: float | None = None
    """Pooled correlation of probability and move (in expected moves), 90 days."""
    said: float | None = None
    """Mean probability of a rise, 30 days."""
    spread: float | None = None
    """Standard deviation of the same."""
    held: float | None = None
    """Part of the time in a position, 30 days."""
    net: Interval | None = None
    """Return a day of following it, after the costs assumed, 90 days."""
    orders: float = 0.0
    """Notional of its orders, quote, 30 days that had some."""
    slippage: float | None = None
    """What they lost against the close they were decided on, fraction a side."""
    cost: float | None = None
    """Slippage and fees, fraction a side."""


class Promise(Struct, frozen=True, gc=False):
    """What training led to expect. None: an older model does not say."""

    auc: float
    """Out of sample."""
    cost: float
    """Fees, half spread and slippage, fraction a side."""
    said: float | None = None
    """Mean probability of a rise over the rows of training."""
    spread: float | None = None
    held: float | None = None
    """Part of the time in a position, out of sample."""


class Comparison(Struct, frozen=True, gc=False):
    """Challenger against champion, on the days that both have seen; or against no model."""

    days: int
    needed: int
    loss: Interval | None
    """By how much its log loss a prediction is smaller."""
    net: Interval | None
    """By how much its return a day is larger, after costs."""
    alone: bool = False
    """Whether no model trades: it is held against a coin, and against no position."""

    @property
    def favours(self) -> bool:
        """Whether the challenger is better in both, beyond luck, over enough days."""
        return (
            self.days >= self.needed
            and self.loss is not None
            and self.net is not None
            and min(self.loss.low, self.net.low) > 0.0
        )


class ModelView(Struct, frozen=True, gc=False):
    """A model on duty."""

    id: str
    role: str
    kind: str
    timeframe: int
    horizon: int
    """Candles."""
    trained: int
    """Nanoseconds UTC."""
    since: int
    """On duty, nanoseconds UTC."""
    state: str
    """``ok`` or ``degraded``."""
    detail: str
    """What is wrong, for a person; empty when nothing is."""
    trust: float
    """Part that counts of what it says beyond a coin, 0 to 1: less when it is old or in doubt."""
    promise: Promise
    live: Live


class TrainingView(Struct, frozen=True, gc=False):
    """What the trainer does."""

    state: str
    """``waiting``, ``fetching``, ``training``, or ``failed``."""
    text: str
    """For a person, one line."""
    part: float | None
    """How much is done, 0 to 1; None while nothing runs."""
    finished: int
    """When training ended last, nanoseconds UTC; 0 for never."""
    due: int
    """When it begins again, nanoseconds UTC; 0 for not planned."""


class LearningView(Struct, frozen=True, gc=False):
    """Models and training, as a terminal sees them."""

    champion: ModelView | None
    challenger: ModelView | None
    training: TrainingView | None
    cause: str
    """Why no model trades; empty while one does."""
    comparison: Comparison | None = None
    """Of the two models on duty."""


# --- what the desk and its training process say to each other -------------------------------------


class Order(Struct, frozen=True):
    """What to learn from."""

    models: str
    """The registry's folder."""
    history: str
    """The archive's."""
    venue: str
    symbols: tuple[str, ...]
    timeframe: int
    """Seconds."""
    horizons: tuple[int, ...]
    """Candles."""
    seconds: int
    """Of history, as far as there is that much."""
    now_ms: int
    cost: float
    """Fraction of notional a side."""
    out_of_sample: int
    """Days."""
    shadow: int
    """Days for which a challenger is left alone."""
    trading: dict[str, Any]
    """What the desk trades by, see ``core.config.Config.rules``."""
    replace: bool
    """Whether what is stored and the venue no longer has may be thrown away."""
    others: tuple[str, ...] = ()
    """Venues whose candles are looked at beside those of ``venue``."""
    sessions: str = ""
    """The folder of recorded sessions, whose news are looked at; empty where none is read."""


class Matter(StrEnum):
    """What the worker asks for."""

    CANDLES = "candles"
    FUNDING = "funding"
    INDEX = "index"
    INTEREST = "interest"


class Asked(Struct, frozen=True, tag=True):
    """The worker wants the last ``count`` rows of a symbol at a venue before ``before_ms``."""

    venue: str
    symbol: str
    matter: Matter
    before_ms: int
    count: int


class Answer(Struct, frozen=True):
    """The rows, or why there are none."""

    rows: tuple[tuple[float, ...], ...] = ()
    """Open time (ms), open, high, low, close, volume; else time (ms), rate or value."""
    problem: str = ""


class Progress(Struct, frozen=True, tag=True):
    """How far the worker is."""

    text: str
    part: float


class Verdict(Struct, frozen=True, tag=True):
    """What a training came to."""

    id: str
    kind: str
    promoted: bool
    text: str
    """For a person."""
    failed: bool = False
    """Whether it ended without an answer."""
