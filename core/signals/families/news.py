"""What the news says about an instrument's asset, and about the market.

A reading is worked out by the news process (``docs/sentiment.md``) and comes in as an event. It
stands until the next one: what fades meanwhile is the evidence, with the readings' own half-life.
No relation of headlines with later returns has been shown on the data we have; a model has to show
out of sample that it gains from these.
"""

from __future__ import annotations

from collections import deque
from math import log1p
from typing import TYPE_CHECKING, ClassVar

from core.clock import HOUR, SECOND
from core.model.event import SentimentScored
from core.model.instrument import short_symbol
from core.model.market import Candle
from core.model.news import HALF_LIFE, MARKET, NewsReading, news_asset
from core.signals.features import NAN, Feature

if TYPE_CHECKING:
    from core.signals.context import Floats, History, Key, Place

_WORDS = 64
"""Words kept for a candle that closes late: one comes every few seconds at most."""
FEATURES = (
    Feature("news_score", 1, "-1 to 1", "the asset's reading; NaN: nothing is known"),
    Feature("news_evidence", 1, "0 to 1", "how much the reading rests on, fading"),
    Feature("news_count", 1, "log of 1 + n", "articles of the last day"),
    Feature("news_dispersion", 1, "0 to 1", "weighted deviation of the articles' scores"),
    Feature("news_change", 1, "-2 to 2", "the score less what it was an hour before"),
    Feature("news_age", 1, "log of 1 + hours", "since the newest article became known"),
    Feature("news_market", 1, "-1 to 1", "the reading of the market as a whole"),
)


class News:
    """The last word on an instrument's asset before each close."""

    features: ClassVar[tuple[Feature, ...]] = FEATURES
    hears: ClassVar[tuple[type, ...]] = (SentimentScored,)

    def __init__(self, place: Place) -> None:
        self._span = place.timeframe * SECOND
        self._asset = news_asset(short_symbol(place.symbol))
        self._heard: deque[tuple[int, NewsReading | None, NewsReading | None]] = deque(
            maxlen=_WORDS
        )
        """When, on the asset, on the market; the first one was in force at the last close."""

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Nobody's candles."""
        return ()

    @staticmethod
    def lacks(place: Place) -> str:
        """Say where no news is read."""
        return "" if place.news else "news is not read here: [news] in the configuration"

    def hear(self, event: SentimentScored) -> None:
        """Take a word of the news."""
        if event.readings is None:
            return
        own = market = None
        for reading in event.readings:
            if reading.asset == self._asset:
                own = reading
            elif reading.asset == MARKET:
                market = reading
        self._heard.append((event.received, own, market))

    def close(self, candle: Candle) -> list[float]:
        """Return the candle's values."""
        end = candle.ts + self._span
        heard = self._heard
        while len(heard) > 1 and heard[1][0] < end:
            heard.popleft()
        if not heard or heard[0][0] >= end:
            return [NAN] * len(FEATURES)
        told, own, market = heard[0]
        wide = market.score if market is not None else NAN
        if own is None:
            return [NAN, 0.0, 0.0, NAN, NAN, NAN, wide]
        return [
            own.score,
            1.0 - (1.0 - own.evidence) ** (0.5 ** ((end - told) / HALF_LIFE)),
            log1p(own.count),
            own.dispersion,
            own.change,
            log1p((end - own.newest) / HOUR),
            wide,
        ]


def tabulate(history: History) -> Floats:
    """Return the values of each candle, from a recording."""
    import numpy as np

    file = history.own
    ends = file.ts * 1_000_000 + file.timeframe * SECOND
    table = np.full((len(ends), len(FEATURES)), np.nan)
    words = [
        (event.received, {reading.asset: reading for reading in event.readings})
        for event in history.events
        if isinstance(event, SentimentScored) and event.readings is not None
    ]
    if not words:
        return table
    times = np.array([received for received, _ in words])
    at = np.searchsorted(times, ends, "left") - 1
    known = at >= 0
    asset = news_asset(short_symbol(file.symbol))

    def column(name: str, entity: str, without: float = np.nan) -> Floats:
        """Return a field of the reading in force at each end."""
        said = [getattr(by.get(entity), name, without) for _, by in words]
        return np.where(known, np.array(said, np.float64)[at], np.nan)

    faded = 0.5 ** ((ends - times[at]) / HALF_LIFE)
    table[:, 0] = column("score", asset)
    table[:, 1] = 1.0 - (1.0 - column("evidence", asset, 0.0)) ** faded
    table[:, 2] = np.log1p(column("count", asset, 0.0))
    table[:, 3] = column("dispersion", asset)
    table[:, 4] = column("change", asset)
    table[:, 5] = np.log1p((ends - column("newest", asset)) / HOUR)
    table[:, 6] = column("score", MARKET)
    return table
