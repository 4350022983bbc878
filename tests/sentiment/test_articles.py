from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.clock import DAY, HOUR, SECOND
from sentiment.articles import (
    Article,
    Item,
    Rejection,
    Rules,
    admit,
    clean_text,
    clean_url,
    is_english,
)

NOW = 1_790_000_000 * SECOND
SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def item(title: str = "Bitcoin rises", url: str = "https://a.example/1", **more: object) -> Item:
    values = {"source": "rss", "outlet": "A", "published": NOW - HOUR, **more}
    return Item(title=title, url=url, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (item(title=" \u200b<b></b>&nbsp; "), Rejection.NO_TITLE),
        (item(title="— !"), Rejection.NO_TITLE),
        (item(published=None), Rejection.NO_DATE),
        (item(published=NOW + HOUR), Rejection.FUTURE),
        (item(published=NOW - 4 * DAY), Rejection.ANCIENT),
        (item(published=0), Rejection.ANCIENT),
        (item(title="Биткоин вырос на 5% за сутки"), Rejection.LANGUAGE),
        (item(title="Bitcoin sube con fuerza en los mercados de Asia"), Rejection.LANGUAGE),
        (item(title="Bitcoin news", language="fr"), Rejection.LANGUAGE),
    ],
)
def test_what_is_no_article_is_rejected_with_the_reason(given: Item, why: Rejection) -> None:
    assert admit(given, NOW, Rules()) is why


def test_an_outlet_whose_clock_is_ahead_does_not_date_from_the_future() -> None:
    admitted = admit(item(published=NOW + 60 * SECOND), NOW, Rules())
    assert isinstance(admitted, Article)
    assert admitted.published == NOW == admitted.first_seen


def test_markup_escapes_and_invisible_characters_leave_plain_text() -> None:
    dirty = (
        'NEO &amp;lt;b&amp;gt;up&amp;lt;/b&amp;gt; <span class="x">20.99%</span>'
        "\x1b[31m\u202e\x00\nnow"
    )
    assert clean_text(dirty, 300) == "NEO up 20.99% [31m now"
    assert clean_text("profit < loss and 3 > 2", 300) == "profit < loss and 3 > 2"
    assert clean_text("AT&amp;T", 300) == "AT&T"
    assert len(clean_text("x" * 10_000_000, 300)) == 300


def test_one_address_in_many_dresses_is_one_article() -> None:
    dressed = [
        "https://www.a.example/story/?utm_source=rss&utm_medium=feed",
        "https://a.example/story#comments",
        "https://A.example/story/",
    ]
    assert {clean_url(url) for url in dressed} == {"https://a.example/story"}
    assert clean_url("https://a.example/s?id=7&utm_source=x") == "https://a.example/s?id=7"
    for bad in ("javascript:alert(1)", "file:///etc/passwd", "http://[::1", "https://", "x"):
        assert clean_url(bad) == ""


@pytest.mark.parametrize(
    "title",
    [
        "Bitcoin Surges Past $100K",
        "XRP, ADA, SOL: weekly recap",
        "Solana memecoin mania cools",
        "El Salvador buys 500 BTC",
        "Société Générale to issue a euro stablecoin on Ethereum",
        "Nexo",
        "7%",
    ],
)
def test_english_titles_pass(title: str) -> None:
    assert is_english(title)


@pytest.mark.parametrize(
    "title",
    [
        "Mladé nezajímá zlato, investují raději do Bitcoinu",
        "Bitcoin fällt unter 60.000 Dollar und die Anleger sind nervös",
        "Le cours du Bitcoin est en hausse dans les marchés",
        "Cena bitcoina rośnie po decyzji Fed",
        "比特币突破10万美元",
        "Harga Bitcoin naik dan akan tembus rekor",
        "O Bitcoin sobe com a decisão do Fed e não para",
    ],
)
def test_other_languages_are_seen(title: str) -> None:
    assert not is_english(title)


def test_real_payload_keeps_english_and_drops_the_rest() -> None:
    path = SHARED / "news_fixtures" / "newsapi_everything_bitcoin_20200809.json"
    if not path.exists():
        pytest.skip("shared news fixtures are not here")
    titles = [entry["title"] for entry in json.loads(path.read_text())["articles"]]
    kept = [title for title in titles if is_english(clean_text(title, 300))]
    assert "Yield Farming Fuels Buzz Around DeFi, but Fundamentals Are Lagging" in kept
    assert "Mladé nezajímá zlato, investují raději do Bitcoinu" not in kept
