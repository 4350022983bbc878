"""All sources by name."""

from __future__ import annotations

from collections.abc import Mapping

from sentiment.sources.alpha_vantage import AlphaVantage
from sentiment.sources.coingecko import CoinGeckoNews, CoinGeckoTrending
from sentiment.sources.cryptopanic import CryptoPanic
from sentiment.sources.feed import FEEDS, Feed
from sentiment.sources.newsapi import NewsApi
from sentiment.sources.polygon import Polygon
from sentiment.sources.source import Source


def all_sources(feeds: Mapping[str, str] = FEEDS) -> list[Source]:
    """Return every service and the given feeds (name to address)."""
    services: list[Source] = [
        NewsApi(),
        AlphaVantage(),
        Polygon(),
        CoinGeckoNews(),
        CoinGeckoTrending(),
        CryptoPanic(),
    ]
    return services + [Feed(name, url) for name, url in feeds.items()]
