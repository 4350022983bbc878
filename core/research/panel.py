"""The rows that are learnt from: features and labels of all symbols, in order of time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.model.event import Event, SentimentScored, encode
from core.model.market import Fact
from core.research.candles import CandleFile
from core.research.feature_table import make_features, volatility
from core.research.labels import Labels, fixed_horizon, relate, triple_barrier, uniqueness
from core.signals import candle_features
from core.signals.candle_features import WARMUP
from core.signals.context import FAMILIES, TABLES, History, Key

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DAY = 86_400
_MOST_MISSING = 0.5
"""A column that is missing more often than this is left out."""
_NEVER = 0.001
"""A feature that is missing less often than this in training must be known to act on a model."""


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
    label: str = "horizon"
    """``horizon``; ``barrier`` for triple barriers within it; ``relative`` for the move less the
    mean of the venue's symbols."""
    width: float = 1.0
    """Of the barriers, in expected moves."""
    half_life: int = 0
    """Candles in which a sample's weight halves; 0 for never."""

    @property
    def purge(self) -> int:
        """Candles between training and test: the label's reach, and a day of embargo."""
        return self.horizon + 2 + max(_DAY // self.timeframe, 1)


class Around(Struct, frozen=True):
    """What is known beside the candles that are learnt from."""

    index: Mapping[str, CandleFile] = {}
    """Index or spot candles by symbol."""
    others: tuple[CandleFile, ...] = ()
    """Candles beside those that are learnt from: the same symbols at other venues."""
    funding: Mapping[Key, tuple[tuple[int, float], ...]] = {}
    """Settlements by venue and symbol; see ``History``."""
    facts: Mapping[tuple[str, str, Fact], tuple[tuple[int, float], ...]] = {}
    """What was told of the past by venue and symbol; see ``History``."""
    events: Mapping[Key, Sequence[Event]] = {}
    """Recorded books and trades by venue and symbol; see ``History``."""
    news: tuple[SentimentScored, ...] = ()
    """What the news said, oldest first."""


class Panel(Struct, frozen=True):
    """Rows of all symbols, in order of time."""

    times: Ints
    """The distinct open times, milliseconds UTC."""
    at: Ints
    """Index into ``times`` of each row."""
    who: Ints
    """File of each row, see ``in_order``."""
    rows: Floats
    """Features; NaN where one is not known."""
    ahead: Floats
    """Log return from the next open to the label's end; NaN where it is not known."""
    alone: Floats
    """Uniqueness of each label, 0 to 1."""
    move: Floats
    """Expected move over the horizon: volatility a candle by its root; log return."""
    step: Floats
    """Return of the next candle, open to open: what a position decided now earns first."""
    paid: Floats
    """Funding that a long pays in that candle, fraction of notional; 0 where none is known."""
    turnover: Floats
    """Quote traded in the candle."""
    symbols: tuple[str, ...]
    names: tuple[str, ...]
    """Of the features."""
    known: tuple[str, ...]
    """Those of them that are never missing."""
    unclear: int
    """Rows without a label because a candle reached both barriers."""
    silent: int
    """Candles without volume: a halt, or a venue's filler."""
    hash: str
    """Of everything the rows were made of."""


def make_panels(
    files: Sequence[CandleFile], plans: Sequence[Plan], around: Around | None = None
) -> list[Panel]:
    """Turn candle files of one timeframe into rows with labels: the same rows for every plan.

    A row is known at the close of its candle. What is decided on it is filled at the next open.
    Context features are among the columns where there are data for them: files of one symbol at
    several venues are each other's company.

    Raises:
        ValueError: no file has a row.
    """
    around = around or Around()
    files = in_order(files)
    ts = np.concatenate([file.ts[WARMUP - 1 :] for file in files])
    owner = np.concatenate([np.full(len(one.ts[WARMUP - 1 :]), i) for i, one in enumerate(files)])
    order = np.lexsort((owner, ts))

    def sort(columns: Iterable[NDArray[Any]]) -> NDArray[Any]:
        """Join a column of each file, without the warm-up, in order of time."""
        return np.concatenate([column[WARMUP - 1 :] for column in columns])[order]

    if not len(ts):
        raise ValueError(f"too few candles: features look back on {WARMUP}")
    times, at = np.unique(ts[order], return_inverse=True)
    rows, names, known = _features(files, around, order)
    step = sort(_steps(file) for file in files)
    paid = sort(_paid(one, around.funding.get((one.venue, one.symbol), ())) for one in files)
    turnover = sort(file.volume * file.close for file in files)
    digest = _hash(files, around)
    panels = []
    for plan in plans:
        labels, moves = zip(*(label(file, plan) for file in files), strict=True)
        if plan.label == "relative":
            labels = tuple(relate(files, labels))
        panels.append(
            Panel(
                times,
                at.astype(np.int64),
                owner[order].astype(np.int64),
                rows,
                sort(one.ahead for one in labels),
                sort(uniqueness(one.lasts) for one in labels),
                sort(moves),
                step,
                paid,
                turnover,
                tuple(_title(file, files) for file in files),
                names,
                known,
                sum(one.unclear for one in labels),
                sum(file.silent for file in files),
                digest,
            )
        )
    return panels


def in_order(files: Sequence[CandleFile]) -> list[CandleFile]:
    """Return files in the order in which ``Panel.who`` numbers them."""
    return sorted(files, key=lambda one: (one.symbol, one.venue))


def _features(
    files: Sequence[CandleFile], around: Around, order: Ints
) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
    """Return the rows in this order, the names of their columns, and those never missing."""
    tables = [tabulate(file, files, around)[WARMUP - 1 :] for file in files]
    missing = np.array([np.isnan(table).sum(axis=0) for table in tables]).sum(axis=0) / len(order)
    keep = missing <= _MOST_MISSING
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows = np.empty((len(order), int(keep.sum())))
    first = 0
    for table in tables:
        rows[place[first : first + len(table)]] = table[:, keep]
        first += len(table)
    names = np.array(columns_of())[keep].tolist()
    parts = missing[keep].tolist()
    known = tuple(name for name, part in zip(names, parts, strict=True) if part < _NEVER)
    return rows, tuple(names), known


def _steps(file: CandleFile) -> Floats:
    step = np.full(len(file.open), np.nan)
    step[:-2] = file.open[2:] / file.open[1:-1] - 1.0
    return step


def _paid(file: CandleFile, settled: Sequence[tuple[int, float]]) -> Floats:
    """Return the rates settled after the next open, up to the one after it."""
    times = np.array([ts for ts, _ in settled], np.int64)
    total = np.concatenate([[0.0], np.cumsum([rate for _, rate in settled])])
    step = file.timeframe * 1000
    first, last = (np.searchsorted(times, file.ts + n * step, "right") for n in (1, 2))
    return np.asarray(total[last] - total[first])


def _title(file: CandleFile, files: Sequence[CandleFile]) -> str:
    """Return a file's symbol, with the venue where another file has the same."""
    alone = sum(one.symbol == file.symbol for one in files) == 1
    return file.symbol if alone else f"{file.venue} {file.symbol}"


def columns_of() -> tuple[str, ...]:
    """Return the names of the columns that ``tabulate`` makes."""
    return (
        *candle_features.NAMES,
        *(feature.name for family in FAMILIES for feature in family.features),
    )


def tabulate(file: CandleFile, files: Sequence[CandleFile], around: Around) -> Floats:
    """Return all features of one file's candles, from these and what is around them."""
    history = History(
        file,
        others=(*(one for one in files if one is not file), *around.others),
        index=around.index.get(file.symbol),
        facts={
            fact: told
            for fact in Fact
            if (told := around.facts.get((file.venue, file.symbol, fact)))
        },
        funding=around.funding.get((file.venue, file.symbol), ()),
        events=(*around.events.get((file.venue, file.symbol), ()), *around.news),
    )
    own = make_features(file.ts, file.open, file.high, file.low, file.close, file.volume)
    return np.hstack([own, *(table(history) for table in TABLES)])


def label(file: CandleFile, plan: Plan) -> tuple[Labels, Floats]:
    """Return the labels, and the expected move over the horizon at each candle's close."""
    move = volatility(file.close) * np.sqrt(plan.horizon)
    if plan.label == "barrier":
        return triple_barrier(file, plan.horizon, move, plan.width), move
    return fixed_horizon(file, plan.horizon), move


def change(panel: Panel, **fields: Any) -> Panel:
    """Return the panel with other fields; nothing is copied."""
    values = {name: getattr(panel, name) for name in Panel.__struct_fields__}
    return Panel(**(values | fields))


def rows_of(panel: Panel, span: range) -> Ints:
    """Return the rows of a span of times."""
    first, last = np.searchsorted(panel.at, [span.start, span.stop])
    return np.arange(first, last)


def _hash(files: Sequence[CandleFile], around: Around) -> str:
    digest = hashlib.sha256()
    index = (one for _, one in sorted(around.index.items()))
    for file in (*files, *around.others, *index):
        digest.update(f"{file.venue} {file.symbol} {file.timeframe}".encode())
        for column in (file.ts, file.open, file.high, file.low, file.close, file.volume):
            digest.update(column.tobytes())
    for key, settled in sorted(around.funding.items()):
        digest.update(f"{key} {settled}".encode())
    for place, told in sorted(around.facts.items()):
        digest.update(f"{place} {told}".encode())
    for key, events in sorted(around.events.items()):
        digest.update(f"{key}".encode())
        for event in events:
            digest.update(encode(event))
    for word in around.news:
        digest.update(encode(word))
    return digest.hexdigest()
