"""What the news process tells the desk: stories, a reading per asset, how each source is."""

from __future__ import annotations

from msgspec import Struct


class NewsReading(Struct, frozen=True, gc=False):
    """What the news says about an asset now.

    ``score`` is from -1 to 1, ``evidence`` from 0 to 1 (0: nothing is known), ``dispersion`` the
    weighted standard deviation of the articles, ``count`` the articles of the last day,
    ``newest`` when the last one became known, nanoseconds UTC.
    """

    asset: str
    score: float
    evidence: float
    dispersion: float
    count: int
    newest: int


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


class NewsSource(Struct, frozen=True, gc=False):
    """How one source is. ``state``: ok, unchanged, needs key, waiting or failed."""

    name: str
    state: str
    detail: str
    articles: int
    """Taken from it since the start."""
    refused: int
    """Entries of its last answer that were no article: foreign, undated, too old, broken."""


class NewsReport(Struct, frozen=True, gc=False, tag_field="type", tag="news"):
    """What a reader of news knows. ``stories`` are newest first.

    ``scorer`` is who judges at present, ``instead_of`` the engine that should and cannot, and
    ``problem`` says why.
    """

    stories: tuple[NewsStory, ...]
    readings: tuple[NewsReading, ...]
    sources: tuple[NewsSource, ...]
    scorer: str
    instead_of: str = ""
    problem: str = ""
