"""From a feed on a socket to a number per asset, through every part in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from core.clock import HOUR, MINUTE, SECOND
from sentiment.aggregate import Aggregator, Reading
from sentiment.articles import Article, Item, Rejection, Rules, admit
from sentiment.entities import MARKET, Assets
from sentiment.scorer import open_engine
from sentiment.sources.cryptopanic import CryptoPanic
from sentiment.sources.fetch import Fetcher, State
from sentiment.sources.memory import Memory
from sentiment.stories import Stories
from tests.clock import ManualClock
from tests.web import serving

START = 1_786_900_000 * SECOND
HEADLINES = [
    ("Block Times", "Exchange halts Solana withdrawals after $90M hack", ["SOL"]),
    ("Coin Courier", "Exchange halts Solana withdrawals after a $90M hack", []),
    ("Ledger", "Bitcoin ETF inflows climb to record", []),
    ("Diario", "Bitcoin sube con fuerza en los mercados de Asia", ["BTC"]),
    ("Ledger", "Crypto market awaits Fed decision", []),
]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def posts(request: web.Request) -> web.Response:
        results = [
            {
                "title": title,
                "published_at": "2026-08-16T17:00:00Z",
                "url": f"https://cryptopanic.com/news/{number}/",
                "source": {"title": outlet},
                "currencies": [{"code": code} for code in codes],
            }
            for number, (outlet, title, codes) in enumerate(HEADLINES)
        ]
        return web.json_response({"next": None, "results": results})

    async with serving({"/api/v1/posts/": posts}) as url:
        yield url


async def test_headlines_become_readings(address: str, tmp_path: Path) -> None:
    from core.secrets import Secret

    clock = ManualClock(START)
    keys = {"CRYPTOPANIC_API_KEY": Secret("k")}
    fetcher = Fetcher(Memory(tmp_path / "sources.json"), keys, clock)
    poll = await fetcher.poll(CryptoPanic(base=address))
    await fetcher.close()
    assert poll.state is State.OK

    readings = replay(poll.items, clock.now())
    assert readings["SOL"].score < -0.3
    assert readings["BTC"].score > 0.3
    assert readings["SOL"].count == 2  # the second outlet counts, for less
    assert abs(readings[MARKET].score) < 0.4
    assert readings["SOL"].newest == START
    assert replay(poll.items, clock.now()) == readings  # the same in, the same out


def replay(items: tuple[Item, ...], now: int) -> dict[str, Reading]:
    assets, stories, news, engine = Assets.load(), Stories(), Aggregator(), open_engine()
    rejected = []
    for item in items:
        article = admit(item, now, Rules())
        if not isinstance(article, Article):
            rejected.append(article)
            continue
        links = assets.link(article.title, article.summary, article.assets)
        verdict = stories.add(article, [link.asset for link in links])
        (score,) = engine.score([article.title])
        news.add(article, links, score, 0 if verdict.repeat else verdict.copy)
    assert rejected == [Rejection.LANGUAGE]
    assert len(stories) == 3
    return {asset: news.read(asset, now + MINUTE, HOUR) for asset in news.assets()}
