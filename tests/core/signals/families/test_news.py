"""What the news says as features, as events and as a table; and what it holds back."""

from __future__ import annotations

from math import isnan, log1p

import numpy as np
import pytest

from core.clock import HOUR, MINUTE, SECOND
from core.model.event import Event, SentimentScored
from core.model.market import Candle
from core.model.news import NewsReading
from core.signals.context import Context, History, Place
from core.signals.decision import Decision
from core.signals.families.news import News, tabulate
from core.signals.news_filter import heed
from tests.core.signals.test_context import START, SYMBOL, VENUE, candle_file, check, named

PLACE = Place(VENUE, SYMBOL, 60, news=True)
BEGIN = START * SECOND


def reading(
    asset: str = "BTC", score: float = -0.6, at: int = BEGIN, **changes: float
) -> NewsReading:
    values = {"evidence": 0.4, "dispersion": 0.2, "count": 3, "change": -0.5} | changes
    return NewsReading(asset=asset, score=score, newest=at, **values)  # type: ignore[arg-type]


def word(at: int, *readings: NewsReading) -> SentimentScored:
    return SentimentScored(at, "offline abc", readings=readings)


def random_words(seed: int, count: int) -> list[Event]:
    rng = np.random.default_rng(seed)
    now = BEGIN - 10 * MINUTE
    words: list[Event] = []
    for number in range(count):
        now += int(rng.exponential(40) * SECOND)
        score, evidence, spread, change = (float(x) for x in rng.uniform(0, 1, 4))
        own = reading(
            "BTC", score - 0.5, now - 5 * MINUTE, evidence=evidence, dispersion=spread,
            count=number, change=change,
        )  # fmt: skip
        said = [own, reading("MARKET", -score), reading("ETH", 0.9)]
        silent = number % 7 == 3
        words.append(SentimentScored(now, "", problem="died") if silent else word(now, *said))
        if number % 11 == 5:
            words.append(word(now + 1, reading("ETH", 0.9)))
    # At the very end of a candle: it belongs to the next one.
    return sorted([*words, word(BEGIN + 5 * MINUTE, reading())], key=lambda e: e.received)


def test_the_table_has_the_values_of_the_events() -> None:
    file = candle_file(120, 60)
    table = check(News, tabulate, History(file, events=random_words(1, 150)), PLACE)
    columns = named(News, table)
    assert 0 < np.isnan(columns["news_score"]).mean() < 0.5
    assert np.nanmin(columns["news_evidence"]) >= 0.0


def test_before_the_first_word_nothing_is_known() -> None:
    file = candle_file(5, 60)
    table = check(News, tabulate, History(file, events=[word(BEGIN + HOUR, reading())]), PLACE)
    assert np.isnan(table).all()
    assert np.isnan(tabulate(History(file))).all()


def test_silence_on_an_asset_is_known_and_old_news_loses_evidence() -> None:
    news = News(PLACE)
    news.hear(word(BEGIN + SECOND, reading("ETH"), reading("MARKET", 0.3)))
    score, evidence, count, *_, market = news.close(candle(0))
    assert isnan(score)
    assert (evidence, count, market) == (0.0, 0.0, 0.3)
    news.hear(word(BEGIN + 60 * SECOND + 1, reading(at=BEGIN)))
    assert news.close(candle(1))[0] == -0.6
    score, evidence, count, _, change, age, market = news.close(candle(361))
    assert (score, change) == (-0.6, -0.5)  # the score stands
    assert evidence == pytest.approx(1 - 0.6**0.5, rel=1e-2)  # six hours later
    assert count == log1p(3)
    assert age == pytest.approx(log1p(6), rel=1e-2)
    assert isnan(market)


def candle(number: int) -> Candle:
    ts = BEGIN + number * 60 * SECOND
    return Candle(VENUE, SYMBOL, 60, 1.0, 1.0, 1.0, 1.0, 1.0, ts, ts + 61 * SECOND)


def test_a_contract_of_a_thousand_coins_hears_of_the_coin() -> None:
    news = News(Place(VENUE, "1000PEPE/USDT:USDT", 60, news=True))
    news.hear(word(BEGIN, reading("PEPE", 0.8)))
    assert news.close(candle(0))[0] == 0.8


def test_where_no_news_is_read_that_is_said() -> None:
    assert Context(("news_score",), PLACE).lacks == ()
    assert "[news]" in Context(("news_score",), Place(VENUE, SYMBOL, 60)).lacks[0]


@pytest.mark.parametrize(
    ("target", "score", "evidence", "wanted"),
    [
        (1, -0.6, 0.4, 0),
        (1, -0.39, 0.4, 1),
        (1, -0.6, 0.05, 1),
        (1, 0.6, 0.4, 1),
        (-1, 0.6, 0.4, 0),
        (-1, -0.6, 0.4, -1),
        (0, -0.6, 0.4, 0),
    ],
)
def test_entries_against_clear_news_are_left_out(
    target: int, score: float, evidence: float, wanted: int
) -> None:
    said = heed(Decision(target, 1.5, "crossed"), reading(score=score, evidence=evidence), 0.4)
    assert said.target == wanted
    held = wanted != target
    assert said.reason == (
        f"no {'long' if target > 0 else 'short'} against news {score:+.2f} (3 articles); crossed"
        if held
        else "crossed"
    )
    assert heed(Decision(target, 1.5, "crossed"), None, 0.4).target == target
