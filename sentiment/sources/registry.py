"""Which sources are asked."""

from __future__ import annotations

import math

from core.config import News
from sentiment.sources.alpha_vantage import AlphaVantage
from sentiment.sources.coingecko import CoinGeckoNews, CoinGeckoTrending
from sentiment.sources.cryptopanic import CryptoPanic
from sentiment.sources.feed import FEEDS, Feed
from sentiment.sources.newsapi import NewsApi
from sentiment.sources.polygon import Polygon
from sentiment.sources.source import Source


def configured_sources(news: News) -> list[Source]:
    """Return the services and feeds that the configuration names.

    A feed is asked twice a minute at most, more often only where ``poll`` says so.
    """
    known: list[Source] = [
        NewsApi(),
        AlphaVantage(),
        Polygon(),
        CoinGeckoNews(),
        CoinGeckoTrending(),
        CryptoPanic(),
    ]
    services = [source for source in known if source.name in news.sources]
    often = max(2, math.ceil(60.0 / news.poll) + 1)
    feeds = news.feeds or FEEDS
    return [*services, *(Feed(name, address, often) for name, address in feeds.items())]
