from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.clock import SECOND
from core.config import News
from sentiment.articles import Article, Rules, admit
from sentiment.sources import alpha_vantage, coingecko, cryptopanic, newsapi, polygon
from sentiment.sources.feed import FEEDS, Feed
from sentiment.sources.feed import SAMPLE as FEED_SAMPLE
from sentiment.sources.registry import configured_sources
from sentiment.sources.source import Page, Problem, Source, SourceError, time_of

SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
FIXTURES = SHARED / "news_fixtures"
SINCE = 1_786_000_000 * SECOND
SERVICES: list[tuple[Source, bytes]] = [
    (newsapi.NewsApi(), newsapi.SAMPLE),
    (alpha_vantage.AlphaVantage(), alpha_vantage.SAMPLE),
    (polygon.Polygon(), polygon.SAMPLE),
    (coingecko.CoinGeckoNews(), coingecko.SAMPLE),
    (coingecko.CoinGeckoTrending(), coingecko.TRENDING_SAMPLE),
    (cryptopanic.CryptoPanic(), cryptopanic.SAMPLE),
]


def parse(source: Source, body: bytes) -> Page:
    if isinstance(source, Feed):
        pytest.importorskip("feedparser")
    return source.parse(body, source.first(SINCE))


def test_newsapi_sample() -> None:
    page = parse(newsapi.NewsApi(), newsapi.SAMPLE)
    (item,) = page.items  # the withdrawn one is left out
    assert (item.outlet, item.title) == ("The Daily Ledger", "Bitcoin climbs as funds return")
    assert item.published == 1_786_258_800 * SECOND
    assert page.following is None


def test_alpha_vantage_sample_keeps_coins_and_not_shares() -> None:
    (item,) = parse(alpha_vantage.AlphaVantage(), alpha_vantage.SAMPLE).items
    assert item.assets == (("ETH", 0.83),)
    assert item.published == time_of("2026-05-06T20:32:14Z")


def test_polygon_sample_takes_the_cursor_and_nothing_else_from_the_next_address() -> None:
    source = polygon.Polygon()
    page = parse(source, polygon.SAMPLE)
    assert page.items[0].assets == (("BTC", 1.0),)
    assert page.following is not None
    assert page.following.url == source.first(SINCE).url
    assert page.following.params == {"cursor": "YXA9MQ"}
    elsewhere = polygon.SAMPLE.replace(b"https://api.massive.com", b"https://evil.example")
    following = parse(source, elsewhere).following
    assert following is not None
    assert following.url == source.first(SINCE).url


def test_coingecko_samples() -> None:
    (item,) = parse(coingecko.CoinGeckoNews(), coingecko.SAMPLE).items
    assert item.assets == (("solana", 1.0), ("bitcoin", 1.0))
    (trend,) = parse(coingecko.CoinGeckoTrending(), coingecko.TRENDING_SAMPLE).trends
    assert (trend.symbol, trend.rank) == ("PEPE", 1)


def test_cryptopanic_sample_pages_by_number_so_that_no_token_is_kept() -> None:
    page = parse(cryptopanic.CryptoPanic(), cryptopanic.SAMPLE)
    assert page.items[0].assets == (("NEO", 1.0),)
    assert page.following is not None
    assert page.following.params["page"] == "2"


def test_feed_sample_becomes_a_clean_article() -> None:
    (item,) = parse(Feed("courier", "https://c.example/rss"), FEED_SAMPLE).items
    article = admit(item, 1_786_900_000 * SECOND, Rules())
    assert isinstance(article, Article)
    assert article.title == "Ether & friends gain"
    assert article.summary == "A calm day."
    assert (article.outlet, article.url) == ("Coin Courier", "https://c.example/1")
    assert article.published == time_of("2026-08-15T17:26:43Z")


@pytest.mark.parametrize(("source", "sample"), SERVICES, ids=lambda it: getattr(it, "name", ""))
def test_what_is_no_json_is_named_so(source: Source, sample: bytes) -> None:
    for body, says in [
        (b"<!DOCTYPE html><html>maintenance</html>", "HTML"),
        (sample[: len(sample) // 2], "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ]:
        with pytest.raises(SourceError, match=says) as caught:
            parse(source, body)
        assert caught.value.kind is Problem.BROKEN
    for body in (b"null", b"3", b'{"x": []}', b'"text"'):
        with pytest.raises(SourceError):
            parse(source, body)


def mutations(value: object) -> list[object]:
    """Every variant of a payload in which one part is of another type."""
    found: list[object] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            for replacement in (None, 7, "x", [], {}, [None], *mutations(inner)):
                found.append({**value, key: replacement})
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for replacement in (None, 7, "x", [], {}, *mutations(inner)):
                found.append([*value[:index], replacement, *value[index + 1 :]])
    return found


@pytest.mark.parametrize(("source", "sample"), SERVICES, ids=lambda it: getattr(it, "name", ""))
def test_no_change_of_type_anywhere_breaks_a_parser(source: Source, sample: bytes) -> None:
    import json

    variants = mutations(json.loads(sample))
    assert len(variants) > 20
    for variant in variants:
        try:
            page = parse(source, json.dumps(variant).encode())
        except SourceError:
            continue
        for item in page.items:
            assert isinstance(item.title, str)
            admit(item, 1_786_900_000 * SECOND, Rules())


@pytest.mark.parametrize(
    ("source", "body", "kind"),
    [
        (alpha_vantage.AlphaVantage(),
         b'{"Information": "We have detected your API key as ABCDEFGH12345678 and our standard '
         b'API rate limit is 25 requests per day."}', Problem.QUOTA),
        (alpha_vantage.AlphaVantage(),
         b'{"Note": "Our standard API call frequency is 5 calls per minute."}', Problem.QUOTA),
        (alpha_vantage.AlphaVantage(),
         b'{"Error Message": "the parameter apikey is invalid or missing."}', Problem.KEY),
        (alpha_vantage.AlphaVantage(),
         b'{"Information": "This is a premium endpoint."}', Problem.PLAN),
        (newsapi.NewsApi(),
         b'{"status": "error", "code": "apiKeyExhausted", "message": "x"}', Problem.QUOTA),
        (polygon.Polygon(),
         b'{"status": "ERROR", "error": "You\'ve exceeded the maximum requests per minute"}',
         Problem.QUOTA),
        (coingecko.CoinGeckoNews(),
         b'{"status": {"error_code": 10005, "error_message": "limited to paid"}}', Problem.PLAN),
        (cryptopanic.CryptoPanic(),
         b'{"status": "Incomplete", "info": "Token not found"}', Problem.KEY),
    ],
)  # fmt: skip
def test_errors_that_come_as_success_are_errors(source: Source, body: bytes, kind: Problem) -> None:
    with pytest.raises(SourceError) as caught:
        parse(source, body)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!DOCTYPE html><html><body>Just a moment...</body></html>", "HTML|not a feed"),
        (b"", "not a feed"),
        (b"\x00\x01\x02" * 100, "not a feed"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
         b"<rss><channel><title>&b;</title></channel></rss>", "entities"),
    ],
)  # fmt: skip
def test_what_is_no_feed(body: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse(Feed("f", "https://c.example/rss"), body)


def test_a_feed_in_another_encoding_without_dates_or_titles() -> None:
    feed = Feed("f", "https://c.example/rss")
    body = FEED_SAMPLE.replace(b"UTF-8", b"ISO-8859-1").replace(b"calm", b"caf\xe9")
    assert "café" in parse(feed, body).items[0].summary
    body = FEED_SAMPLE.replace(b"Sat, 15 Aug 2026 17:26:43 +0000", b"soon")
    assert parse(feed, body).items[0].published is None
    body = FEED_SAMPLE.replace(b"<title><![CDATA[Ether &amp; friends gain]]></title>", b"")
    assert parse(feed, body).skipped == 1
    assert parse(feed, FEED_SAMPLE[:-60]).items  # cut off behind the first entry


def test_atom() -> None:
    body = b"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">
    <title>Atomic</title><entry><title>Fork done</title><link href="https://a.example/1"/>
    <updated>2026-08-15T10:00:00+02:00</updated><summary type="html">&lt;i&gt;x&lt;/i&gt;</summary>
    </entry></feed>"""
    (item,) = parse(Feed("a", "https://a.example"), body).items
    assert (item.title, item.url) == ("Fork done", "https://a.example/1")
    assert item.published == time_of("2026-08-15T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-08-15T14:30:00Z", 1_786_804_200),
        ("20260815T143000", 1_786_804_200),
        ("Sat, 15 Aug 2026 16:30:00 +0200", 1_786_804_200),
        ("2018-01-18T09:45:28.965353Z", 1_516_268_728),
        (1_786_804_200, 1_786_804_200),
        ("1786804200", 1_786_804_200),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        (1e30, None),
        ("9999-99-99", None),
        ("99999999-01-01", None),
        (["2026"], None),
    ],
)
def test_dates(text: object, seconds: int | None) -> None:
    assert time_of(text) == (None if seconds is None else seconds * SECOND)


def test_every_source_has_its_own_name_and_limits() -> None:
    sources = configured_sources(News())
    names = [source.name for source in sources]
    assert len(set(names)) == len(names) == 6 + len(FEEDS)
    assert all(source.limits and source.pages >= 1 for source in sources)
    assert all(bool(source.secret) == bool(source.key_in[0]) for source in sources)


# --- payloads that others recorded ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "source", "items", "assets"),
    [
        ("newsapi_everything_bitcoin_20200809.json", newsapi.NewsApi(), 20, False),
        ("alphavantage_news_sentiment_crypto_20240506.json", SERVICES[1][0], 21, True),
        ("cryptopanic_posts_generic_20180118.json", cryptopanic.CryptoPanic(), 40, True),
        ("cryptopanic_posts_neo_20180118.json", cryptopanic.CryptoPanic(), 20, True),
        ("rss_coindesk.xml", Feed("coindesk", "https://x"), 2, False),
        ("rss_cointelegraph.xml", Feed("cointelegraph", "https://x"), 2, False),
    ],
)  # fmt: skip
def test_recorded_payloads(file: str, source: Source, items: int, assets: bool) -> None:
    path = FIXTURES / file
    if not path.exists():
        pytest.skip("the shared news payloads are not here")
    page = parse(source, path.read_bytes())
    assert len(page.items) + page.skipped == items
    assert page.skipped == 0
    assert any(item.assets for item in page.items) == assets
    for item in page.items:
        assert item.published is not None
        assert item.outlet
        article = admit(item, item.published + SECOND, Rules(english_only=False))
        assert isinstance(article, Article)
        assert "<" not in article.title
        assert article.url.startswith("http")
