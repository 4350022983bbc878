"""Alpha Vantage ``NEWS_SENTIMENT``. Errors and exceeded quotas come with status 200.

Its messages repeat the key they were sent ("We have detected your API key as ..."); the fetcher
takes the key out of whatever a source says.
"""

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
    list_of,
    per_day,
    per_minute,
    read_json,
    refusal_by_status,
    text_of,
    time_of,
    titled,
)

SAMPLE: Final = b"""{"items": "1", "feed": [
 {"title": "Ether slips before upgrade", "url": "https://wire.example/ether",
  "time_published": "20260506T203214", "summary": "Traders wait.", "source": "Wire",
  "overall_sentiment_score": -0.153, "ticker_sentiment": [
   {"ticker": "CRYPTO:ETH", "relevance_score": "0.83", "ticker_sentiment_score": "-0.2"},
   {"ticker": "COIN", "relevance_score": "0.1", "ticker_sentiment_score": "0.0"}]}]}"""


class AlphaVantage:
    """News on the topic blockchain, newest first. Tickers would narrow it to all at once."""

    name = "alphavantage"
    secret = "ALPHA_VANTAGE_API_KEY"
    key_in: tuple[Literal["query"], str] = ("query", "apikey")
    limits: tuple[Limit, ...] = (per_day(25), per_minute(5))
    pages = 1

    def __init__(self, base: str = "https://www.alphavantage.co") -> None:
        self._base = base

    def first(self, since: int) -> Request:
        """Return the request for what is newer than ``since``."""
        compact = iso(since).replace("-", "").replace(":", "")[:13]
        params = {"function": "NEWS_SENTIMENT", "topics": "blockchain", "sort": "LATEST"}
        return Request(f"{self._base}/query", {**params, "time_from": compact, "limit": "200"})

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a reply; see ``SAMPLE``."""
        reply = read_json(body)
        if not isinstance(reply, dict):
            raise SourceError(Problem.BROKEN, "not an object")
        if not isinstance(reply.get("feed"), list):
            raise self._error(reply)
        entries, skipped = titled(reply["feed"])
        items = tuple(
            Item(
                source=self.name,
                outlet=text_of(entry.get("source")),
                title=entry["title"],
                url=text_of(entry.get("url")),
                published=time_of(entry.get("time_published")),
                summary=text_of(entry.get("summary")),
                assets=_assets(entry.get("ticker_sentiment")),
            )
            for entry in entries
        )
        return Page(items, skipped=skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return refusal_by_status(status, body)

    def _error(self, reply: dict[str, object]) -> SourceError:
        said = next(
            (str(reply[key]) for key in ("Information", "Note", "Error Message") if key in reply),
            "no feed in the reply",
        )
        lower = said.lower()
        if any(word in lower for word in ("rate limit", "requests per", "call frequency")):
            return SourceError(Problem.QUOTA, said)
        if "premium" in lower:
            return SourceError(Problem.PLAN, said)
        if "apikey" in lower or "api key" in lower:
            return SourceError(Problem.KEY, said)
        return SourceError(Problem.BROKEN, said)


def _assets(entries: object) -> tuple[tuple[str, float], ...]:
    found = []
    for entry in list_of(entries):
        ticker = field_of(entry, "ticker")
        if not ticker.startswith("CRYPTO:"):  # shares may be spelled like a coin
            continue
        try:
            found.append((ticker.removeprefix("CRYPTO:"), float(entry["relevance_score"])))
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(found)
