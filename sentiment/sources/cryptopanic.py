"""CryptoPanic ``/posts``: headlines gathered from many outlets, with the coins they name."""

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
    list_of,
    next_page,
    per_day,
    per_minute,
    read_json,
    refusal_by_status,
    text_of,
    time_of,
    titled,
)

SAMPLE: Final = b"""{"count": 2, "next": "https://cryptopanic.com/api/v1/posts/?page=2",
 "previous": null, "results": [{"kind": "news", "domain": "block.example",
  "source": {"title": "Block Times", "region": "en", "domain": "block.example"},
  "title": "NEO price is up <span class=\\"green\\">20%</span>",
  "published_at": "2026-01-18T09:45:28Z", "url": "https://cryptopanic.com/news/1/",
  "currencies": [{"code": "NEO", "title": "NEO", "slug": "neo"}],
  "votes": {"negative": 0, "positive": 4, "important": 2}}]}"""


class CryptoPanic:
    """News posts, newest first."""

    name = "cryptopanic"
    secret = "CRYPTOPANIC_API_KEY"
    key_in: tuple[Literal["query"], str] = ("query", "auth_token")
    limits: tuple[Limit, ...] = (per_minute(5), per_day(200))
    pages = 2

    def __init__(self, base: str = "https://cryptopanic.com") -> None:
        self._address = f"{base}/api/v1/posts/"

    def first(self, since: int) -> Request:
        """Return the request for the newest page; the service takes no start."""
        return Request(self._address, {"public": "true", "kind": "news", "regions": "en"})

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
            said = field_of(reply, "info")
            kind = Problem.KEY if "token" in said.lower() else Problem.BROKEN
            raise SourceError(kind, said or "no results in the reply")
        entries, skipped = titled(reply["results"])
        items = tuple(
            Item(
                source=self.name,
                outlet=field_of(entry.get("source"), "title"),
                title=entry["title"],
                url=text_of(entry.get("url")),
                published=time_of(entry.get("published_at")),
                assets=tuple(
                    (code, 1.0)
                    for it in list_of(entry.get("currencies"))
                    if (code := field_of(it, "code"))
                ),
            )
            for entry in entries
        )
        # The address of the next page carries the token, so only its number is used.
        more = bool(text_of(reply.get("next"))) and bool(reply["results"])
        return Page(items, next_page(request) if more else None, skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return refusal_by_status(status, body)
