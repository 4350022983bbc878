"""RSS and Atom feeds: the one source that is free, live and needs no key."""

from __future__ import annotations

import importlib
import re
from calendar import timegm
from typing import Any, Final, Literal

from core.clock import SECOND
from sentiment.articles import Item
from sentiment.sources.source import (
    Limit,
    Page,
    Problem,
    Request,
    SourceError,
    per_minute,
    refusal_by_status,
    text_of,
)

SAMPLE: Final = b"""<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>
<title>Coin Courier</title><language>en</language><item>
<title><![CDATA[Ether &amp; friends gain]]></title><link>https://c.example/1?utm_source=rss</link>
<pubDate>Sat, 15 Aug 2026 17:26:43 +0000</pubDate>
<description><![CDATA[<p>A <b>calm</b> day.</p>]]></description></item></channel></rss>"""

FEEDS: Final = {
    "coindesk": "https://www.coindesk.com/arc/outboundfeeds/rss/",
    "cointelegraph": "https://cointelegraph.com/rss",
    "decrypt": "https://decrypt.co/feed",
    "theblock": "https://www.theblock.co/rss.xml",
    "blockworks": "https://blockworks.co/feed",
    "bitcoinmagazine": "https://bitcoinmagazine.com/feed",
    "cryptoslate": "https://cryptoslate.com/feed/",
    "thedefiant": "https://thedefiant.io/api/feed",
    "sec": "https://www.sec.gov/news/pressreleases.rss",
    "fed": "https://www.federalreserve.gov/feeds/press_all.xml",
}
"""Name to address: outlets that report on crypto, and two authorities that move it."""

MOST = 200
"""Entries read of one feed, newest first; feeds measured hold 20 to 100."""

# An entity declared in the document can grow to gigabytes when it is resolved; no feed needs one.
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)


class Feed:
    """One feed.

    Args:
        name: for people and for source weights.
        url: its address.
        requests: most of them in a minute.
    """

    secret = ""
    key_in: tuple[Literal[""], str] = ("", "")
    pages = 1

    def __init__(self, name: str, url: str, requests: int = 2) -> None:
        self.name = name
        self.limits: tuple[Limit, ...] = (per_minute(requests),)
        self._url = url

    def first(self, since: int) -> Request:
        """Return the request; a feed is always asked for all of it."""
        return Request(self._url)

    def parse(self, body: bytes, request: Request) -> Page:
        """Read a feed; see ``SAMPLE``. Slow (10 to 100 ms): not on the desk's loop."""
        if _ENTITY.search(body):
            raise SourceError(Problem.BROKEN, "declares entities")
        feedparser: Any = importlib.import_module("feedparser")
        # Sanitising is left to ``articles.clean_text``, which keeps no markup at all.
        feed = feedparser.parse(
            body, response_headers={}, sanitize_html=False, resolve_relative_uris=False
        )
        if not feed.get("version") and not feed.entries:
            html = body.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html"))
            raise SourceError(Problem.BROKEN, "HTML instead of a feed" if html else "not a feed")
        language = text_of(feed.feed.get("language"))
        outlet = text_of(feed.feed.get("title")) or self.name
        items, skipped = [], 0
        for entry in feed.entries[:MOST]:
            # Asked for by "in": feedparser answers for one date with the other, and warns.
            dates = [entry[key] for key in ("published_parsed", "updated_parsed") if key in entry]
            if not text_of(entry.get("title")):
                skipped += 1
                continue
            items.append(
                Item(
                    source=self.name,
                    outlet=outlet,
                    title=entry["title"],
                    url=text_of(entry.get("link")),
                    published=_nanoseconds(dates[0] if dates else None),
                    summary=text_of(entry.get("summary")),
                    language=language,
                )
            )
        return Page(tuple(items), skipped=skipped)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        """Read a reply with an error status."""
        return refusal_by_status(status, b"")


def _nanoseconds(moment: object) -> int | None:
    try:
        return timegm(moment) * SECOND  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
