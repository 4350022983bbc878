from __future__ import annotations

import math
import random

import pytest

from core.clock import DAY, HOUR, MINUTE
from sentiment.aggregate import SATURATION, Aggregator
from sentiment.articles import Article
from sentiment.entities import Link
from sentiment.scorer import Score

NOW = 1_790_000_000_000_000_000
GOOD = Score(0.05, 0.05, 0.90, "offline", "abc")
BAD = Score(0.90, 0.05, 0.05, "offline", "abc")
UNSURE = Score(1 / 3, 1 / 3, 1 / 3, "offline", "abc")
BTC = [Link("BTC", 1.0, "name")]


def article(number: int = 0, at: int = NOW, seen: int | None = None, outlet: str = "A") -> Article:
    seen = at if seen is None else seen
    return Article(f"id{number}", "rss", outlet, f"Title {number}", "", "", at, seen)


def test_no_news_is_no_view() -> None:
    reading = Aggregator().read("BTC", NOW, HOUR)
    assert (reading.score, reading.evidence, reading.count, reading.newest) == (0, 0, 0, 0)


def test_the_score_is_the_weighted_mean_and_evidence_fades_by_half_life() -> None:
    news = Aggregator()
    news.add(article(1), BTC, GOOD)
    news.add(article(2, NOW - HOUR), BTC, BAD)
    reading = news.read("BTC", NOW, HOUR)
    assert reading.score == pytest.approx((GOOD.value + 0.5 * BAD.value) / 1.5)
    weight = 1.5 * GOOD.confidence
    assert reading.evidence == pytest.approx(1 - math.exp(-weight / SATURATION))
    later = news.read("BTC", NOW + HOUR, HOUR)
    assert later.score == pytest.approx(reading.score)
    assert later.evidence == pytest.approx(1 - math.exp(-weight / 2 / SATURATION))
    assert news.read("BTC", NOW, DAY).score < reading.score  # the slow one remembers the bad news


def test_dispersion_tells_agreement_from_dispute() -> None:
    agreed, disputed = Aggregator(), Aggregator()
    for number in range(4):
        agreed.add(article(number), BTC, GOOD)
        disputed.add(article(number), BTC, GOOD if number % 2 else BAD)
    assert agreed.read("BTC", NOW, HOUR).dispersion == pytest.approx(0.0, abs=1e-6)
    assert disputed.read("BTC", NOW, HOUR).dispersion == pytest.approx(0.85)
    assert disputed.read("BTC", NOW, HOUR).score == pytest.approx(0.0, abs=1e-9)


def test_copies_count_less_and_repeats_not_at_all() -> None:
    news = Aggregator()
    first = news.add(article(1), BTC, GOOD, copy=1)
    assert news.add(article(2), BTC, GOOD, copy=4) == pytest.approx(first / 2)
    assert news.add(article(3), BTC, GOOD, copy=0) == 0.0
    assert news.read("BTC", NOW, HOUR).count == 2


def test_the_copies_of_a_story_are_one_part_of_a_reading() -> None:
    news = Aggregator()
    news.add(article(1), BTC, BAD, copy=1, story="id1")
    news.add(article(2, NOW + MINUTE, outlet="B"), BTC, BAD, copy=2, story="id1")
    news.add(article(3), BTC, GOOD)
    bad, good = news.explain("BTC", NOW + MINUTE, HOUR)
    assert (bad.story, bad.title, bad.outlet, bad.outlets) == ("id1", "Title 1", "A", 2)
    assert (good.story, good.outlets) == ("id3", 1)
    assert bad.value == pytest.approx(BAD.value)
    assert bad.share + good.share == pytest.approx(news.read("BTC", NOW + MINUTE, HOUR).score)


def test_sources_relevance_and_confidence_weigh() -> None:
    news = Aggregator({"Gazette": 2.0, "Rumours": 0.0})
    plain = news.add(article(1), [], GOOD)
    assert news.add(article(2, outlet="Gazette"), [], GOOD) == pytest.approx(2 * plain)
    assert news.add(article(3, outlet="Rumours"), [], GOOD) == pytest.approx(0.25 * plain)
    assert news.add(article(4), [], UNSURE) == pytest.approx(0.0, abs=1e-9)
    assert news.add(article(5), BTC, None) == 0.0
    both = Aggregator()
    both.add(article(1), [Link("BTC", 1.0, "name"), Link("ETH", 0.5, "name")], GOOD)
    assert both.read("ETH", NOW, HOUR).evidence < both.read("BTC", NOW, HOUR).evidence
    assert both.assets() == ["BTC", "ETH"]


def test_what_was_not_known_yet_does_not_count() -> None:
    news = Aggregator()
    news.add(article(1, at=NOW - HOUR, seen=NOW), BTC, GOOD)
    assert news.read("BTC", NOW - MINUTE, HOUR).evidence == 0.0
    reading = news.read("BTC", NOW, HOUR)
    assert reading.newest == NOW
    assert reading.evidence == pytest.approx(1 - math.exp(-GOOD.confidence / 2 / SATURATION))


def test_old_news_no_longer_counts() -> None:
    news = Aggregator(keep=DAY)
    news.add(article(1), BTC, GOOD)
    assert news.read("BTC", NOW + DAY, DAY).evidence > 0
    assert news.read("BTC", NOW + DAY + 1, DAY).evidence == 0


@pytest.mark.parametrize("half_life", [HOUR, 6 * HOUR, DAY])
def test_the_articles_behind_a_number_add_up_to_it(half_life: int) -> None:
    rng = random.Random(half_life)
    news = Aggregator()
    for number in range(200):
        a, b, c = (rng.random() for _ in range(3))
        score = Score(a / (a + b + c), b / (a + b + c), c / (a + b + c), "x", "y")
        at = NOW - rng.randrange(4 * DAY)
        news.add(article(number, at, at + rng.randrange(HOUR)), BTC, score, rng.randint(1, 9))
    parts = news.explain("BTC", NOW, half_life)
    assert sum(part.share for part in parts) == pytest.approx(
        news.read("BTC", NOW, half_life).score
    )
    assert [abs(part.share) for part in parts] == sorted(
        (abs(part.share) for part in parts), reverse=True
    )
