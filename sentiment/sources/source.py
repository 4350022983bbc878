"""What every source is: a first request, and a parser from a reply to items and the next request.

A source knows nothing of sockets, keys or clocks: ``sentiment.sources.fetch`` does the asking. So
a parser is tested with the sample payload in its module, and the client against a real server.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from msgspec import Struct

from core.clock import DAY, MINUTE, SECOND
from sentiment.articles import Item


class Limit(Struct, frozen=True):
    """At most ``requests`` in any ``window`` nanoseconds."""

    requests: int
    window: int


def pace(limits: tuple[Limit, ...]) -> int:
    """Return the nanoseconds between two requests that make a day's quota last the day."""
    daily = (limit for limit in limits if limit.window >= DAY)
    return max((limit.window // limit.requests for limit in daily), default=0)


def per_minute(requests: int) -> Limit:
    """Return a limit per minute."""
    return Limit(requests, MINUTE)


def per_day(requests: int) -> Limit:
    """Return a limit per 24 hours."""
    return Limit(requests, DAY)


class Request(Struct, frozen=True):
    """A GET without its key; the key is put in only where it is sent."""

    url: str
    params: dict[str, str] = {}
    page: int = 1


class Trend(Struct, frozen=True):
    """An asset that people search for; ``rank`` 1 is the most searched."""

    symbol: str
    name: str
    rank: int


class Page(Struct, frozen=True):
    """What one reply holds. ``skipped`` counts entries that were not as documented."""

    items: tuple[Item, ...] = ()
    following: Request | None = None
    skipped: int = 0
    trends: tuple[Trend, ...] = ()


class Problem(StrEnum):
    """What can be wrong with a source."""

    KEY = "key refused"
    PLAN = "not in this plan"
    QUOTA = "quota exceeded"
    BROKEN = "unreadable answer"
    SERVER = "server error"
    NETWORK = "not reachable"


class SourceError(Exception):
    """A source gave no usable answer.

    Args:
        kind: what is wrong.
        detail: in the source's own words, shortened; never holds a key.
    """

    def __init__(self, kind: Problem, detail: str = "") -> None:
        self.kind = kind
        self.detail = " ".join(detail.split())[:200]
        super().__init__(f"{kind.value}: {self.detail}" if detail else kind.value)


class Source(Protocol):
    """One place that gives headlines.

    ``secret`` names the key it needs, "" for none. ``key_in`` says where the key goes: a header,
    a bearer token or a query parameter. ``pages`` is the most pages fetched at a time.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def secret(self) -> str: ...  # noqa: D102
    @property
    def key_in(self) -> tuple[Literal["", "header", "bearer", "query"], str]: ...  # noqa: D102
    @property
    def limits(self) -> tuple[Limit, ...]: ...  # noqa: D102
    @property
    def pages(self) -> int: ...  # noqa: D102

    def first(self, since: int) -> Request:
        """Return the request for what is newer than ``since``, nanoseconds UTC."""
        ...

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply with status 200.

        Raises:
            SourceError: it is an error in the shape of a reply, or cannot be read.
        """
        ...

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with another status; None for the end of the pages."""
        ...


def read_json(body: bytes) -> Any:
    """Decode a JSON reply, in UTF-8 or, against the rules, Windows-1252.

    Raises:
        SourceError: it is HTML, cut off, or no JSON at all.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "HTML instead of JSON" if text.lstrip()[:1] == "<" else f"not JSON: {error}"
        raise SourceError(Problem.BROKEN, what) from error


def refusal_by_status(status: int, body: bytes) -> SourceError:
    """Return the error that an HTTP status means, with the server's message where it has one."""
    detail = f"HTTP {status}"
    try:
        said = json.loads(body)
        if isinstance(said, dict):
            for key in ("message", "error", "detail", "info", "error_message"):
                if isinstance(said.get(key), str):
                    detail += f": {said[key]}"
                    break
    except ValueError:
        pass
    kinds = {401: Problem.KEY, 402: Problem.PLAN, 403: Problem.KEY, 429: Problem.QUOTA}
    if status in kinds:
        return SourceError(kinds[status], detail)
    return SourceError(Problem.SERVER if status >= 500 else Problem.BROKEN, detail)


def text_of(value: object) -> str:
    """Return a string field, "" where it is absent or of another type."""
    return value if isinstance(value, str) else ""


def field_of(value: object, name: str) -> str:
    """Return a string field of an object, "" where there is no such object or field."""
    return text_of(value.get(name)) if isinstance(value, dict) else ""


def list_of(value: object) -> list[Any]:
    """Return a list, an empty one where it is absent or of another type."""
    return value if isinstance(value, list) else []


def titled(entries: list[Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the entries that have a title, and how many have none or are no objects."""
    good = [entry for entry in entries if field_of(entry, "title")]
    return good, len(entries) - len(good)


def next_page(request: Request) -> Request:
    """Return the request for the page after, where a parameter ``page`` counts them from 1."""
    page = request.page + 1
    return Request(request.url, {**request.params, "page": str(page)}, page)


def time_of(value: object) -> int | None:
    """Read a date as nanoseconds UTC: ISO 8601, compact ISO, RFC 2822, or epoch seconds.

    Dates without a zone are UTC, as every source documents. None where it is no date.
    """
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return int(value * SECOND) if 0 < value < 1e11 else None
        text = str(value).strip()
        if text.isdigit() and len(text) <= 11:
            return int(text) * SECOND
        iso_like = text[:4].isdigit()
        moment = datetime.fromisoformat(text) if iso_like else parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * SECOND
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def iso(moment: int) -> str:
    """Return nanoseconds UTC as ISO 8601 with seconds."""
    return datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
