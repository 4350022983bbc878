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
    per_day,
    per_minute,
    read_json,
    refusal_by_status,
    text_of,
    time_of,
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

    def __init__(self, base: str = "https://cryptopanic.com", path: str = "/api/v1/posts/") -> None:
        self._address = base + path

    def first(self, since: int) -> Request:
        """Return the request for the newest page; the service takes no start."""
        return Request(self._address, {"public": "true", "kind": "news", "regions": "en"})

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
            said = text_of(reply.get("info")) if isinstance(reply, dict) else ""
            kind = Problem.KEY if "token" in said.lower() else Problem.BROKEN
            raise SourceError(kind, said or "no results in the reply")
        items, skipped = [], 0
        for entry in reply["results"]:
            if not isinstance(entry, dict) or not text_of(entry.get("title")):
                skipped += 1
                continue
            source, currencies = entry.get("source"), entry.get("currencies")
            items.append(
                Item(
                    source=self.name,
                    outlet=text_of(source.get("title")) if isinstance(source, dict) else "",
                    title=entry["title"],
                    url=text_of(entry.get("url")),
                    published=time_of(entry.get("published_at")),
                    assets=tuple(
                        (text_of(it.get("code")), 1.0)
                        for it in (currencies if isinstance(currencies, list) else ())
                        if isinstance(it, dict) and text_of(it.get("code"))
                    ),
                )
            )
        # The address of the next page carries the token, so only its number is used.
        page = request.page + 1
        following = Request(request.url, {**request.params, "page": str(page)}, page)
        more = bool(text_of(reply.get("next"))) and bool(reply["results"])
        return Page(tuple(items), following if more else None, skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return refusal_by_status(status, body)
