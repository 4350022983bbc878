"""How models on duty do: what is counted of them, kept, and shown."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

NO_MODEL = "no model is promoted"
"""Why none trades, at the beginning."""


class Day(Struct, frozen=True, gc=False, array_like=True):
    """What came of a model's predictions in a day (UTC), all instruments."""

    day: int
    """Days since 1970."""
    count: int
    hits: int
    """Predictions on the right side of one half."""
    brier: float
    """Sum of squared errors."""
    loss: float
    """Sum of negative log likelihoods."""


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
    auc: float
    """Out of sample, in training."""
    scored: int
    """Predictions whose outcome is known."""
    hit_rate: float | None
    brier_skill: float | None
    """Part of a coin's error that it saves, live; None before the first outcome."""
    days: int
    """With outcomes."""
    drifted: tuple[str, ...]
    """Features whose distribution has left that of the training."""


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
    """Open time (ms), open, high, low, close, volume; or time of the settlement (ms), rate."""
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
