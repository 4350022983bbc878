"""How good an engine is on labelled headlines: accuracy, macro-F1, confusion, calibration."""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from core.errors import UsageError, in_words
from sentiment.scorer import LABELS, Engine, Score

BATCH = 256
RESAMPLES = 1_000


class Evaluation(Struct, frozen=True):
    """Figures of one engine on one file.

    ``interval`` holds macro-F1 in 95 of 100 bootstrap samples. ``confusion`` has a row per true
    label and a column per given one, both in the order of ``labels``. ``calibration_error`` is
    the mean gap between stated and observed certainty over ten bins, weighted by size.
    """

    file: str
    engine: str
    hash: str
    headlines: int
    unscored: int
    accuracy: float
    macro_f1: float
    interval: tuple[float, float]
    f1: dict[str, float]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    per_second: float
    instead_of: str = ""


def read_labelled(path: Path) -> list[tuple[str, int]]:
    """Read a CSV or TSV file, plain or gzipped, with columns ``text`` and ``label``.

    A TSV without a header has the label first, as the program's own headlines.

    Raises:
        UsageError: the file does not read or a label is not one of the three.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode("utf-8-sig").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {in_words(error)}") from error
    if path.name.removesuffix(".gz").endswith(".tsv"):
        split = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
        pairs = [(cells[-1], cells[0]) for cells in split]
    else:
        rows = csv.DictReader(lines)
        if not {"text", "label"} <= set(rows.fieldnames or ()):
            raise UsageError(f"{path}: needs the columns text and label in its first line")
        pairs = [(row["text"] or "", row["label"] or "") for row in rows]
    wrong = next((label for _, label in pairs if label not in LABELS), None)
    if wrong is not None:
        raise UsageError(f"{path}: label {wrong!r} is none of {', '.join(LABELS)}")
    if not pairs:
        raise UsageError(f"{path}: holds no headline")
    return [(text, LABELS.index(label)) for text, label in pairs]


def evaluate(engine: Engine, path: Path, seed: int = 1) -> Evaluation:
    """Judge every headline of a file and compare.

    A text without a score counts as neutral, which is what the desk makes of it.
    """
    pairs = read_labelled(path)
    engine.score(["start"])  # loading is not scoring time
    scores: list[Score | None] = []
    began = time.perf_counter()
    for start in range(0, len(pairs), BATCH):
        scores += engine.score([text for text, _ in pairs[start : start + BATCH]])
    taken = max(time.perf_counter() - began, 1e-9)
    true = [label for _, label in pairs]
    given = [1 if score is None else LABELS.index(score.label) for score in scores]
    confusion = _confusion(true, given)
    return Evaluation(
        file=path.name,
        engine=engine.name,
        hash=engine.hash,
        headlines=len(pairs),
        unscored=scores.count(None),
        accuracy=sum(confusion[k][k] for k in range(3)) / len(pairs),
        macro_f1=sum(_f1(confusion)) / 3,
        interval=_interval(confusion, seed),
        f1=dict(zip(LABELS, _f1(confusion), strict=True)),
        labels=LABELS,
        confusion=tuple(tuple(row) for row in confusion),
        calibration_error=_calibration_error(true, scores),
        per_second=len(pairs) / taken,
        instead_of=next((score.instead_of for score in scores if score is not None), ""),
    )


def _confusion(true: Sequence[int], given: Sequence[int]) -> list[list[int]]:
    table = [[0] * 3 for _ in range(3)]
    for truth, guess in zip(true, given, strict=True):
        table[truth][guess] += 1
    return table


def _f1(confusion: Sequence[Sequence[int]]) -> list[float]:
    result = []
    for k in range(3):
        both = sum(confusion[k]) + sum(row[k] for row in confusion)
        result.append(2 * confusion[k][k] / both if both else 0.0)
    return result


def _interval(confusion: Sequence[Sequence[int]], seed: int) -> tuple[float, float]:
    # Resampling headlines is resampling cells of the confusion table.
    import numpy as np

    cells = np.array(confusion, dtype=float).ravel()
    count = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(count, cells / count, size=RESAMPLES)
    found = sorted(sum(_f1(table.reshape(3, 3).tolist())) / 3 for table in drawn)
    return found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES) - 1]


def _calibration_error(true: Sequence[int], scores: Sequence[Score | None]) -> float:
    bins = [[0, 0.0, 0] for _ in range(10)]
    for truth, score in zip(true, scores, strict=True):
        if score is None:
            continue
        top = max(score.probabilities)
        it = bins[min(9, int(top * 10))]
        it[0] += 1
        it[1] += top
        it[2] += int(LABELS.index(score.label) == truth)
    total = sum(it[0] for it in bins)
    return sum(abs(it[1] - it[2]) for it in bins) / total if total else 0.0
