"""Scoring headlines: one interface, two engines, and which of them spoke on every score.

The offline engine (``sentiment.offline``) is always there. A transformer runs in a process of its
own (``sentiment.transformer``); when it fails, the offline engine answers and every score says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from core.errors import StateError
from core.secrets import Secret

LABELS = ("negative", "neutral", "positive")


class ModelUnavailable(StateError):
    """A model cannot be loaded or has stopped answering; the text says why and what to do."""


class Score(Struct, frozen=True):
    """What an engine makes of one text: three probabilities that sum to 1.

    ``engine`` and ``hash`` name who judged, to the last weight. ``instead_of`` names the engine
    that should have judged and could not.
    """

    negative: float
    neutral: float
    positive: float
    engine: str
    hash: str
    instead_of: str = ""

    @property
    def label(self) -> str:
        """The likeliest of negative, neutral and positive."""
        return max(zip(self.probabilities, LABELS, strict=True))[1]

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Negative, neutral, positive."""
        return (self.negative, self.neutral, self.positive)

    @property
    def judge(self) -> str:
        """Name and hash of who judged, and instead of whom."""
        judge = f"{self.engine} {self.hash}".strip()
        return f"{judge} instead of {self.instead_of}" if self.instead_of else judge

    @property
    def value(self) -> float:
        """From -1 to 1: positive less negative probability."""
        return self.positive - self.negative

    @property
    def confidence(self) -> float:
        """From 0, all three equally likely, to 1, no doubt: one less the normalised entropy."""
        entropy = -sum(p * math.log(p) for p in self.probabilities if p > 0)
        return max(0.0, 1.0 - entropy / math.log(3))


class Engine(Protocol):
    """Judges texts. ``name`` is for people, ``hash`` pins everything the answer depends on."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def hash(self) -> str:
        """Twelve hex digits over weights, vocabulary and settings."""
        ...

    def score(self, texts: Sequence[str]) -> list[Score | None]:
        """Return one score per text, None where there is no text to judge.

        Blocks while it works; call it off the event loop.

        Raises:
            ModelUnavailable: the engine cannot answer.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class WithFallback:
    """An engine that may fail, with another that takes over and says so.

    After a failure the wanted engine is started again, at first after ``wait`` seconds, then
    after twice as long each time, up to ten minutes.

    Args:
        wanted: name of the engine that should judge, for the label.
        start: makes it; raises ModelUnavailable when it cannot.
        fallback: answers meanwhile.
        monotonic: seconds, for the waiting time.
    """

    def __init__(
        self,
        wanted: str,
        start: Callable[[], Engine],
        fallback: Engine,
        wait: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._start = start
        self._fallback = fallback
        self._first_wait = self._wait = wait
        self._monotonic = monotonic
        self._engine: Engine | None = None
        self._retry_at = -math.inf
        self.problem = ""
        """Why the wanted engine does not answer; empty while it does."""

    @property
    def name(self) -> str:
        """The engine that answers now."""
        return self._engine.name if self._engine else self._fallback.name

    @property
    def hash(self) -> str:
        """Its hash."""
        return self._engine.hash if self._engine else self._fallback.hash

    def score(self, texts: Sequence[str]) -> list[Score | None]:
        """Return scores of the wanted engine, or else of the fallback, labelled as such."""
        try:
            if self._engine is None and self._monotonic() >= self._retry_at:
                self._engine = self._start()
            if self._engine is not None:
                scores = self._engine.score(texts)
                self.problem, self._wait = "", self._first_wait
                return scores
        except ModelUnavailable as error:
            self.problem = str(error)
            if self._engine is not None:
                self._engine.close()
                self._engine = None
            self._retry_at = self._monotonic() + self._wait
            self._wait = min(600.0, 2 * self._wait)
        return [
            None
            if score is None
            else Score(*score.probabilities, score.engine, score.hash, self._wanted)
            for score in self._fallback.score(texts)
        ]

    def close(self) -> None:
        """End both engines."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        self._fallback.close()


def open_engine(
    engine: str = "offline", *, fallback: bool = True, token: Secret | None = None
) -> Engine:
    """Return the engine called ``offline``, or the transformer in a folder or of a hub name.

    Nothing is loaded yet for a transformer: its process starts with the first texts.

    Args:
        engine: ``offline``, a folder, or ``owner/name``.
        fallback: let the offline engine answer when the transformer cannot.
        token: of the hub, for models that need one.
    """
    from sentiment.offline import OfflineEngine

    if engine == "offline":
        return OfflineEngine.load()
    from sentiment.transformer import TransformerEngine

    if not fallback:
        return TransformerEngine(engine, token)
    return WithFallback(engine, lambda: TransformerEngine(engine, token), OfflineEngine.load())
