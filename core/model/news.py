"""What the news process tells the desk: stories, a reading per asset, how each source is."""

from __future__ import annotations

import re

from msgspec import Struct

from core.clock import HOUR

HALF_LIFE = 6 * HOUR
"""Nanoseconds in which an article's weight in a reading halves."""
MARKET = "MARKET"
"""The entity of news about the market as a whole."""
_SCALED = re.compile(r"10{3,6}(?=[A-Z])")


def news_asset(base: str) -> str:
    """Return the asset that news name for a base currency: ``PEPE`` for ``1000PEPE``."""
    return _SCALED.sub("", base, count=1) if base[:4] == "1000" else base


class NewsOpinion(Struct, frozen=True, gc=False):
    """What a language model made of a story. It is shown, and moves nothing; its text is untrusted.

    ``direction`` is up, down or none, ``horizon`` hours, days or weeks, ``confidence`` the model's
    own, 0 to 1.
    """

    analyst: str
    """Service and model."""
    assets: tuple[str, ...]
    direction: str
    horizon: str
    confidence: float
    reason: str


class NewsPart(Struct, frozen=True, gc=False):
    """One story's part in a reading; its texts are untrusted."""

    story: str
    title: str
    outlet: str
    """Who had it first."""
    outlets: int
    value: float
    """The story's own score, -1 to 1."""
    share: float
    """Its part of the reading's score; all parts, those left out too, add up to it."""
    scorer: str = ""
    """Who judged it, and instead of whom."""
    opinion: NewsOpinion | None = None


class NewsReading(Struct, frozen=True, gc=False):
    """What the news says about an asset now.

    ``score`` is from -1 to 1, ``evidence`` from 0 to 1 (0: nothing is known), ``dispersion`` the
    weighted standard deviation of the articles, ``count`` the articles of the last day,
    ``newest`` when the last one became known, nanoseconds UTC. ``change`` is the score less what
    it was an hour before. ``parts`` are the weightiest stories, weightiest first.
    """

    asset: str
    score: float
    evidence: float
    dispersion: float
    count: int
    newest: int
    change: float = 0.0
    parts: tuple[NewsPart, ...] = ()


class NewsStory(Struct, frozen=True, gc=False):
    """One piece of news, however many outlets carry it. Its texts are untrusted."""

    id: str
    title: str
    outlet: str
    """Who had it first."""
    outlets: int
    url: str
    published: int
    seen: int
    """When we knew of it, nanoseconds UTC."""
    assets: tuple[str, ...]
    score: float | None
    """From -1 to 1; None where there was no text to judge."""
    confidence: float
    scorer: str
    """Name and hash of the engine that judged."""
    instead_of: str = ""
    """The engine that should have judged and could not."""
    probabilities: tuple[float, float, float] | None = None
    """Of negative, neutral, positive."""
    names: tuple[str, ...] = ()
    """The outlets, first one first."""
    opinion: NewsOpinion | None = None
    """A second reading, where an analyst is wished and has read it."""


class NewsSource(Struct, frozen=True, gc=False):
    """How one source is. ``state``: ok, unchanged, needs key, waiting or failed."""

    name: str
    state: str
    detail: str
    articles: int
    """Taken from it since the start."""
    refused: dict[str, int] = {}
    """Why entries of its last answer were no article, and how many: ``too old``, ``no date``."""
    failed: dict[str, int] = {}
    """What went wrong since the start, and how often: ``quota exceeded``, ``unreadable answer``."""


class NewsReport(Struct, frozen=True, gc=False, tag_field="type", tag="news"):
    """What a reader of news knows. ``stories`` are newest first.

    ``scorer`` is who judges at present, ``instead_of`` the engine that should and cannot, and
    ``problem`` says why. ``trending`` are the assets most searched for, most first.
    """

    stories: tuple[NewsStory, ...]
    readings: tuple[NewsReading, ...]
    sources: tuple[NewsSource, ...]
    scorer: str
    instead_of: str = ""
    problem: str = ""
    trending: tuple[str, ...] = ()
