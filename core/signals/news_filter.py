"""Entries against clear news are left out, whatever strategy wants them."""

from __future__ import annotations

from msgspec import structs

from core.model.news import NewsReading
from core.signals.decision import Decision

EVIDENCE = 0.1
"""Least evidence of a reading that is heeded: about one story that its judge is sure of."""


def heed(decision: Decision, reading: NewsReading | None, bar: float) -> Decision:
    """Return a decision, or the one to stay out where the news is clearly against it.

    Args:
        decision: the strategy's.
        reading: of the asset; None where nothing is known.
        bar: score from which news is clear, 0 to 1.
    """
    if (
        reading is None
        or reading.evidence < EVIDENCE
        or abs(reading.score) < bar
        or decision.target * reading.score >= 0
    ):
        return decision
    side = "long" if decision.target > 0 else "short"
    word = "article" if reading.count == 1 else "articles"
    text = f"no {side} against news {reading.score:+.2f} ({reading.count} {word})"
    return structs.replace(decision, target=0, reason=f"{text}; {decision.reason}")
