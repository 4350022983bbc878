"""CoinGecko: ``/news`` (paid plans only) and ``/search/trending`` (with the free demo key)."""

from __future__ import annotations

from typing import Final, Literal

from sentiment.articles import Item
from sentiment.sources.source import (
    Limit,
    Page,
    Problem,
    Request,
    SourceError,
    Trend,
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

SAMPLE: Final = b"""[{"title": "Solana fees fall", "url": "https://g.example/sol",
 "image": "https://g.example/i.png", "author": "C. Writer", "posted_at": "2026-08-15T10:00:00Z",
 "type": "news", "source_name": "Gazette", "related_coin_ids": ["solana", "bitcoin"]}]"""
TRENDING_SAMPLE: Final = b"""{"coins": [{"item": {"id": "pepe", "coin_id": 29850, "name": "Pepe",
 "symbol": "PEPE", "market_cap_rank": 30, "score": 0}}], "nfts": [], "categories": []}"""

PAGE_SIZE = 20


class CoinGeckoNews:
    """News of the service, at most 20 a page."""

    name = "coingecko"
    secret = "COINGECKO_API_KEY"
    key_in: tuple[Literal["header"], str] = ("header", "x-cg-pro-api-key")
    limits: tuple[Limit, ...] = (per_minute(30),)
    pages = 3

    def __init__(self, base: str = "https://pro-api.coingecko.com") -> None:
        self._base = base

    def first(self, since: int) -> Request:
        """Return the request for the newest page; the service takes no start."""
        params = {"per_page": str(PAGE_SIZE), "page": "1", "language": "en", "type": "news"}
        return Request(f"{self._base}/api/v3/news", params)

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, list):
            raise _error(reply)
        entries, skipped = titled(reply)
        items = tuple(
            Item(
                source=self.name,
                outlet=text_of(entry.get("source_name")),
                title=entry["title"],
                url=text_of(entry.get("url")),
                published=time_of(entry.get("posted_at")),
                assets=tuple(
                    (coin, 1.0)
                    for coin in list_of(entry.get("related_coin_ids"))
                    if isinstance(coin, str)
                ),
            )
            for entry in entries
        )
        more = len(reply) >= PAGE_SIZE and request.page < 20
        return Page(items, next_page(request) if more else None, skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read an error; 10005 says that the plan has no news."""
        return _refusal(status, body)


class CoinGeckoTrending:
    """The coins most searched for, by rank: what people look at, not what is said. No articles."""

    name = "coingecko-trending"
    secret = "COINGECKO_API_KEY"
    key_in: tuple[Literal["header"], str] = ("header", "x-cg-demo-api-key")
    # The demo plan has 10,000 requests a month.
    limits: tuple[Limit, ...] = (per_minute(30), per_day(300))
    pages = 1

    def __init__(self, base: str = "https://api.coingecko.com") -> None:
        self._base = base

    def first(self, since: int) -> Request:
        """Return the request; ``since`` has no meaning here."""
        return Request(f"{self._base}/api/v3/search/trending")

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``TRENDING_SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict) or not isinstance(reply.get("coins"), list):
            raise _error(reply)
        trends: list[Trend] = []
        skipped = 0
        for entry in reply["coins"]:
            coin = entry.get("item") if isinstance(entry, dict) else None
            if not isinstance(coin, dict) or not text_of(coin.get("symbol")):
                skipped += 1
                continue
            trends.append(Trend(coin["symbol"].upper(), text_of(coin.get("name")), len(trends) + 1))
        return Page(skipped=skipped, trends=tuple(trends))

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return _refusal(status, body)


def _refusal(status: int, body: bytes) -> SourceError:
    try:
        reply = read_json(body)
    except SourceError:
        return refusal_by_status(status, body)
    if isinstance(reply, dict) and isinstance(reply.get("status"), dict):
        return _error(reply)
    return refusal_by_status(status, body)


def _error(reply: object) -> SourceError:
    status = reply.get("status") if isinstance(reply, dict) else None
    if not isinstance(status, dict):
        return SourceError(Problem.BROKEN, "not the documented shape")
    code, said = status.get("error_code"), text_of(status.get("error_message"))
    kinds = {10005: Problem.PLAN, 429: Problem.QUOTA, 10002: Problem.KEY, 10010: Problem.KEY}
    kinds[10011] = Problem.KEY
    kind = kinds.get(code, Problem.BROKEN) if isinstance(code, int) else Problem.BROKEN
    return SourceError(kind, f"{code}: {said}")
