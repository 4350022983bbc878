"""Every kind of bad input at once, from a real server: counted by source, and nobody else waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from aiohttp import web

from core.clock import SystemClock
from core.config import News
from core.secrets import Secret
from sentiment.reader import Reader
from sentiment.sources.alpha_vantage import AlphaVantage
from sentiment.sources.coingecko import CoinGeckoNews
from sentiment.sources.cryptopanic import CryptoPanic
from sentiment.sources.feed import Feed
from sentiment.sources.newsapi import NewsApi
from sentiment.sources.polygon import Polygon
from tests.clock import ManualClock
from tests.web import EVERYTHING, serving

FEEDS = (
    "good",
    "dates",
    "signs",
    "latin",
    "lies",
    "html",
    "bomb",
    "noise",
    "huge",
    "endless",
    "hangs",
    "gone",
)
KEY = "k3y-that-must-not-show"
GOOD = "Exchange halts Solana withdrawals after $90M hack"


def rss(*entries: tuple[str, float], at: float, encoding: str = "utf-8") -> bytes:
    items = "".join(
        f"<item><title>{escape(title)}</title><link>https://x.example/{abs(hash(title))}</link>"
        f"<pubDate>{formatdate(at + shift)}</pubDate></item>"
        for title, shift in entries
    )
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel>'
        f"<title>Times</title>{items}</channel></rss>"
    )
    return text.encode(encoding, errors="replace")


class Server:
    """Plays every source badly, and one feed well."""

    def __init__(self) -> None:
        self.url = ""
        self.held = asyncio.Event()
        self.now = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/endless":
            return web.Response(status=302, headers={"Location": "/endless"})
        if path == "/hangs":
            await self.held.wait()
        if path == "/huge":
            reply = web.StreamResponse()
            await reply.prepare(request)
            try:
                await reply.write(rss(at=self.now)[:-20])
                for _ in range(100):
                    await reply.write(b"<item>" + b"x" * 100_000)  # 10 MB
            except ConnectionError:
                pass
            return reply
        body, status = self._bodies(path)
        return web.Response(status=status, body=body)

    def _bodies(self, path: str) -> tuple[bytes, int]:
        now = self.now
        quota = b'{"Information": "our standard API rate limit is 25 requests per day."}'
        refused = b'{"status": "error", "code": "apiKeyInvalid", "message": "revoked"}'
        return {
            "/good": (rss((GOOD, -60.0), at=now), 200),
            "/dates": (
                rss(("Bitcoin is born", -5e8), ("Bitcoin in a year", 3e7), ("x", 0), at=now),
                200,
            ),
            "/signs": (
                rss(
                    ("<b>Ether</b> &lt;script&gt;alert(1)&lt;/script&gt; gains\u202e\u200b", -60),
                    ("\u200b\u202e", -60),
                    at=now,
                ),
                200,
            ),
            "/latin": (
                rss(("The bank of Crédit buys Bitcoin for £5m", -60), at=now, encoding="cp1252"),
                200,
            ),
            "/lies": (
                rss(("Caf\u00e9 takes Dogecoin at last for its drinks", -60), at=now).replace(
                    b"utf-8", b"ascii"
                ),
                200,
            ),
            "/html": (b"<!DOCTYPE html><html><body>Checking your browser</body></html>", 200),
            "/bomb": (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><rss><channel/></rss>', 200),
            "/noise": (bytes(range(256)) * 50, 200),
            "/v2/everything": (refused, 401),
            "/query": (quota, 200),
            "/v2/reference/news": (b'{"status": "OK", "results": [{"title"', 200),
            "/api/v3/news": (b'[7, {"title": null}, {"title": ["x"]}, null]', 200),
            "/api/v1/posts/": (b"<html>nginx</html>", 200),
        }.get(path, (b"", 404))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with serving({EVERYTHING: made.handle}) as made.url:
        yield made
        made.held.set()


async def test_bad_sources_are_counted_and_shown_and_hold_nobody_up(
    server: Server, tmp_path: Path
) -> None:
    clock = ManualClock(SystemClock().now())
    server.now = clock.now() / 1e9
    sources = [
        *(Feed(name, f"{server.url}/{name}") for name in FEEDS),
        NewsApi(base=server.url),
        AlphaVantage(base=server.url),
        Polygon(base=server.url),
        CoinGeckoNews(base=server.url),
        CryptoPanic(base=server.url),
    ]
    keys = {source.secret: Secret(KEY) for source in sources if source.secret}
    reader = Reader(News(), tmp_path, keys, clock, sources)
    await reader.poll(0.0)
    async with asyncio.timeout(60):
        # One source hangs; what the others say is there all the same.
        while silent(reader) != {"hangs"}:
            await reader.late(5.0)
        assert GOOD in {story.title for story in reader.report().stories}
        server.held.set()
        while silent(reader):
            await reader.late(5.0)
    report = reader.report()
    await reader.close()
    told = {source.name: source for source in report.sources}
    assert [source.name for source in report.sources] == [source.name for source in sources]
    assert told["good"].state == "ok"
    assert {story.title for story in report.stories} == {
        GOOD,
        "Ether alert(1) gains",
        "The bank of Crédit buys Bitcoin for £5m",
        "Café takes Dogecoin at last for its drinks",
        "x",
    }
    assert told["dates"].refused == {"too old": 1, "dated in the future": 1}
    assert told["signs"].refused == {"no title": 1}
    assert told["coingecko"].refused == {"not as documented": 4}
    broken = {"unreadable answer": 1}
    for name in ("html", "bomb", "noise", "huge", "endless", "polygon", "cryptopanic"):
        assert (told[name].state, told[name].failed) == ("failed", broken), told[name]
    assert "larger than 4 MB" in told["huge"].detail
    assert "redirects without end" in told["endless"].detail
    assert told["newsapi"].failed == {"key refused": 1}
    assert told["alphavantage"].failed == {"quota exceeded": 1}
    assert told["gone"].state == told["hangs"].state == "failed"
    assert KEY not in repr(report)


def silent(reader: Reader) -> set[str]:
    """Return the sources that have not answered yet."""
    return {s.name for s in reader.report().sources if s.detail == "asked, no answer yet"}
