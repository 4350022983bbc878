"""Polygon, now Massive: ``/v2/reference/news``. Made for shares; crypto tickers begin with X:."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

from sentiment.articles import Item
from sentiment.sources.source import (
    Limit,
    Page,
    Problem,
    Request,
    SourceError,
    field_of,
    iso,
    list_of,
    per_minute,
    read_json,
    refusal_by_status,
    text_of,
    time_of,
    titled,
)

SAMPLE: Final = b"""{"status": "OK", "count": 1, "request_id": "r",
 "next_url": "https://api.massive.com/v2/reference/news?cursor=YXA9MQ",
 "results": [{"id": "n1", "publisher": {"name": "Market Desk", "homepage_url": "https://m.example"},
  "title": "Miners rally with Bitcoin", "author": "B. Writer",
  "published_utc": "2026-08-15T14:30:00Z", "article_url": "https://m.example/miners",
  "tickers": ["X:BTCUSD", "RIOT"], "description": "Shares of miners rose.",
  "insights": [{"ticker": "RIOT", "sentiment": "positive", "sentiment_reasoning": "Up."}]}]}"""


class Polygon:
    """The latest news of the service, page by page."""

    name = "polygon"
    secret = "POLYGON_API_KEY"
    key_in: tuple[Literal["bearer"], str] = ("bearer", "")
    limits: tuple[Limit, ...] = (per_minute(5),)
    pages = 2

    def __init__(self, base: str = "https://api.massive.com") -> None:
        self._base = base

    def first(self, since: int) -> Request:
        """Return the request for what is newer than ``since``."""
        params = {"order": "desc", "sort": "published_utc", "limit": "100"}
        return Request(
            f"{self._base}/v2/reference/news", {**params, "published_utc.gte": iso(since)}
        )

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
            said = field_of(reply, "error")
            kind = Problem.QUOTA if "exceeded the maximum requests" in said else Problem.BROKEN
            raise SourceError(kind, said or "no results in the reply")
        entries, skipped = titled(reply["results"])
        items = tuple(
            Item(
                source=self.name,
                outlet=field_of(entry.get("publisher"), "name"),
                title=entry["title"],
                url=text_of(entry.get("article_url")),
                published=time_of(entry.get("published_utc")),
                summary=text_of(entry.get("description")),
                assets=tuple(
                    (ticker[2:].removesuffix("USD"), 1.0)
                    for ticker in list_of(entry.get("tickers"))
                    if isinstance(ticker, str) and ticker.startswith("X:")
                ),
            )
            for entry in entries
        )
        return Page(items, self._next(reply.get("next_url"), request), skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return refusal_by_status(status, body)

    def _next(self, address: object, request: Request) -> Request | None:
        # Only the cursor is taken over: the key must go nowhere but to our own address.
        params = dict(parse_qsl(urlsplit(text_of(address)).query))
        cursor = params.get("cursor", "")
        return Request(request.url, {"cursor": cursor}, request.page + 1) if cursor else None
