from __future__ import annotations

import pytest

from core.clock import DAY, SECOND
from sentiment.articles import Article, Item, Rules, admit
from sentiment.stories import Stories

NOW = 1_790_000_000 * SECOND


def article(title: str, outlet: str = "A", url: str = "", seen: int = NOW) -> Article:
    url = url or f"https://{outlet.lower()}.example/{abs(hash(title))}"
    item = Item(source="rss", outlet=outlet, title=title, url=url, published=seen)
    admitted = admit(item, seen, Rules())
    assert isinstance(admitted, Article)
    return admitted


def test_ten_outlets_with_one_story_count_once() -> None:
    stories = Stories()
    told = [
        "SEC approves first spot Ethereum ETF in the US",
        "SEC Approves First Spot Ethereum ETF in US",
        "First spot Ethereum ETF approved: SEC approves in US",
        "BREAKING: SEC approves first US spot Ethereum ETFs",
    ]
    verdicts = [
        stories.add(article(title, outlet=f"O{number}"), ["ETH"])
        for number, title in enumerate(told)
    ]
    assert len(stories) == 1
    assert [verdict.copy for verdict in verdicts] == [1, 2, 3, 4]
    again = stories.add(article(told[0], outlet="O1", url="https://o1.example/again"), ["ETH"])
    assert again.repeat
    assert again.story.copies == 4
    assert stories.add(article(told[0], outlet="O0"), ["ETH"]).repeat  # the same address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Bitcoin price rises above key level as traders eye Fed",
            "Bitcoin price falls below key level as traders eye Fed",
        ),
        (
            "Tether mints $1B USDT on Tron network, data shows",
            "Tether mints $2B USDT on Tron network, data shows",
        ),
        (
            "Grayscale adds token to its large cap crypto fund",
            "Coinbase delists token from its institutional trading desk",
        ),
    ],
)
def test_alike_is_not_the_same(one: str, other: str) -> None:
    stories = Stories()
    stories.add(article(one))
    assert stories.add(article(other, outlet="B")).copy == 1
    assert len(stories) == 2


def test_the_same_template_about_another_asset_is_another_story() -> None:
    stories = Stories()
    stories.add(article("Coinbase to list Celestia perpetual futures next week"), ["TIA"])
    verdict = stories.add(
        article("Coinbase to list Injective perpetual futures next week", "B"), ["INJ"]
    )
    assert verdict.copy == 1


def test_a_story_is_forgotten_after_its_time() -> None:
    stories = Stories(keep=DAY)
    title = "Exchange halts withdrawals after an exploit"
    stories.add(article(title))
    assert stories.expire(NOW + DAY) == 0
    assert stories.expire(NOW + DAY + 1) == 1
    assert len(stories) == 0
    assert stories.add(article(title, "B", seen=NOW + 2 * DAY)).copy == 1


def test_prefix_search_finds_what_comparing_all_pairs_finds() -> None:
    import itertools
    import random

    rng = random.Random(5)
    words = [f"w{chr(97 + i)}{chr(97 + j)}" for i in range(6) for j in range(5)]
    titles = [" ".join(rng.sample(words, rng.randint(3, 9))) for _ in range(300)]
    stories = Stories()
    firsts: list[set[str]] = []
    for number, title in enumerate(titles):
        mine = set(title.split())
        expected = any(len(mine & it) / len(mine | it) >= 0.6 for it in firsts)
        verdict = stories.add(article(title, outlet=f"O{number}"))
        assert (verdict.copy > 1) == expected
        if not expected:
            firsts.append(mine)
    assert 0 < len(firsts) < len(titles)
    assert all(len(a & b) / len(a | b) < 0.6 for a, b in itertools.combinations(firsts, 2))
