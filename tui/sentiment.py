"""``killcord sentiment``: judge a text, or measure an engine on labelled headlines."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.errors import UsageError
from tui.output import reply

if TYPE_CHECKING:
    from sentiment.evaluation import Evaluation


def score(arguments: argparse.Namespace) -> int:
    """Print what an engine makes of ``arguments.text`` and which assets it is about.

    ``arguments.engine`` is ``offline``, a folder or a hub name; when that one cannot answer, the
    offline engine does, and the output says so.

    Raises:
        UsageError: there is no text to judge.
    """
    from sentiment.articles import TITLE_LIMIT, clean_text
    from sentiment.entities import Assets
    from sentiment.scorer import WithFallback, open_engine

    text = clean_text(arguments.text, TITLE_LIMIT)
    links = Assets.load().link(text)
    engine = open_engine(arguments.engine)
    try:
        engine.score(["start"])  # loading is not scoring time
        began = time.perf_counter()
        (found,) = engine.score([text])
        milliseconds = (time.perf_counter() - began) * 1e3
    finally:
        engine.close()
    if found is None:
        raise UsageError("there is no text to judge; give a headline in quotes")
    problem = engine.problem if isinstance(engine, WithFallback) else ""
    facts = {
        "type": "sentiment",
        "text": text,
        "assets": links,
        "label": found.label,
        "value": round(found.value, 4),
        "confidence": round(found.confidence, 4),
        "probabilities": {
            "negative": round(found.negative, 4),
            "neutral": round(found.neutral, 4),
            "positive": round(found.positive, 4),
        },
        "scorer": {
            "engine": found.engine,
            "hash": found.hash,
            "instead_of": found.instead_of,
            "problem": problem,
        },
        "milliseconds": round(milliseconds, 3),
    }
    about = ", ".join(link.asset for link in links) or "no asset"
    lines = [
        f"{found.label} {found.value:+.2f}, confidence {found.confidence:.2f}: {about}",
        f"negative {found.negative:.2f}  neutral {found.neutral:.2f}  "
        f"positive {found.positive:.2f}",
        f"by {found.engine} {found.hash} in {milliseconds:.2f} ms",
    ]
    if found.instead_of:
        lines.append(f"instead of {found.instead_of}: {problem}")
    reply(arguments, facts, lines)
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Print how well an engine judges the labelled headlines in ``arguments.file``.

    No other engine steps in: figures of another would be worth nothing.

    Raises:
        UsageError: the file does not read.
        ModelUnavailable: the engine cannot answer.
    """
    from sentiment.evaluation import evaluate as measure
    from sentiment.scorer import open_engine

    engine = open_engine(arguments.engine, fallback=False)
    try:
        result = measure(engine, Path(arguments.file))
    finally:
        engine.close()
    facts = {"type": "evaluation", **msgspec.to_builtins(result)}
    reply(arguments, facts, _evaluation_lines(result))
    return 0


def _evaluation_lines(result: Evaluation) -> Iterator[str]:
    low, high = result.interval
    yield f"{result.file}: {result.headlines} headlines, {result.engine} {result.hash}"
    yield f"accuracy {result.accuracy:.3f}"
    yield f"macro-F1 {result.macro_f1:.3f}  (95 %: {low:.3f} to {high:.3f})"
    yield f"calibration error {result.calibration_error:.3f}"
    yield f"{result.per_second:,.0f} headlines a second, {result.unscored} without a score"
    yield ""
    yield f"{'is, judged as':>14}" + "".join(f"{label:>10}" for label in result.labels)
    for label, row in zip(result.labels, result.confusion, strict=True):
        cells = "".join(f"{count:>10}" for count in row)
        yield f"{label:>14}{cells}   F1 {result.f1[label]:.3f}"
