"""NewsAPI ``/v2/everything``. The free plan gives 100 requests a day and news a day late."""

from __future__ import annotations

from typing import Final, Literal

from sentiment.articles import Item
from sentiment.sources.source import (
    Limit,
    Page,
    Problem,
    Request,
    SourceError,
    field_of,
    iso,
    next_page,
    per_day,
    read_json,
    refusal_by_status,
    text_of,
    time_of,
    titled,
)

SAMPLE: Final = b"""{"status": "ok", "totalResults": 2, "articles": [
 {"source": {"id": null, "name": "The Daily Ledger"}, "author": "A. Writer",
  "title": "Bitcoin climbs as funds return", "description": "Inflows for a third week.",
  "url": "https://ledger.example/a?utm_source=x", "urlToImage": null,
  "publishedAt": "2026-08-09T07:00:00Z", "content": "Inflows for a third [+900 chars]"},
 {"source": {"id": null, "name": "[Removed]"}, "title": "[Removed]", "description": "[Removed]",
  "url": "https://removed.com", "publishedAt": "1970-01-01T00:00:00Z"}]}"""

QUERY = (
    "bitcoin OR ethereum OR crypto OR cryptocurrency OR stablecoin OR blockchain OR solana OR xrp"
)
PAGE_SIZE = 100


class NewsApi:
    """English articles that match a query, newest first."""

    name = "newsapi"
    secret = "NEWS_API_KEY"
    key_in: tuple[Literal["header"], str] = ("header", "X-Api-Key")
    limits: tuple[Limit, ...] = (per_day(100),)
    pages = 2

    def __init__(self, base: str = "https://newsapi.org") -> None:
        self._base = base

    def first(self, since: int) -> Request:
        """Return the request for what is newer than ``since``."""
        return Request(
            f"{self._base}/v2/everything",
            {
                "q": QUERY,
                "language": "en",
                "sortBy": "publishedAt",
                "pageSize": str(PAGE_SIZE),
                "from": iso(since),
            },
        )

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict) or not isinstance(reply.get("articles"), list):
            raise self._error(reply if isinstance(reply, dict) else {})
        items = []
        entries, skipped = titled(reply["articles"])
        for entry in entries:
            if entry["title"] == "[Removed]":  # withdrawn by its publisher
                continue
            items.append(
                Item(
                    source=self.name,
                    outlet=field_of(entry.get("source"), "name"),
                    title=entry["title"],
                    url=text_of(entry.get("url")),
                    published=time_of(entry.get("publishedAt")),
                    summary=text_of(entry.get("description")),
                )
            )
        total = reply.get("totalResults")
        more = isinstance(total, int) and total > request.page * PAGE_SIZE and reply["articles"]
        return Page(tuple(items), next_page(request) if more else None, skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read an error; 426 says that the plan holds no more pages, which is an end."""
        try:
            reply = read_json(body)
        except SourceError:
            return refusal_by_status(status, body)
        if isinstance(reply, dict) and reply.get("code") == "maximumResultsReached":
            return None
        if isinstance(reply, dict) and reply.get("status") == "error":
            return self._error(reply)
        return refusal_by_status(status, body)

    def _error(self, reply: dict[str, object]) -> SourceError:
        code = text_of(reply.get("code"))
        detail = f"{code}: {text_of(reply.get('message'))}" if code else "no articles in the reply"
        if code in {"rateLimited", "apiKeyExhausted"}:
            return SourceError(Problem.QUOTA, detail)
        if code in {"apiKeyInvalid", "apiKeyDisabled", "apiKeyMissing"}:
            return SourceError(Problem.KEY, detail)
        return SourceError(Problem.BROKEN, detail)
