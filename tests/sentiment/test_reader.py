"""The reader over a real feed, and the command that runs it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from core.clock import HOUR, MINUTE, SECOND, SystemClock
from core.config import News
from core.errors import AlreadyRunning
from core.secrets import Secret
from sentiment.reader import Reader, hold
from sentiment.sources.coingecko import TRENDING_SAMPLE, CoinGeckoTrending
from sentiment.sources.feed import Feed
from sentiment.sources.source import Page, Request, per_day, per_minute
from tests.clock import ManualClock
from tests.sentiment.rss import RssServer
from tui.cli import main

START = 1_790_000_000 * SECOND
HACK = "Exchange halts Solana withdrawals after $90M hack"


def config(*feeds: RssServer, engine: str = "offline") -> News:
    # Quickly, because the feed's own limit per minute follows the interval.
    named = {f"feed{number}": feed.url for number, feed in enumerate(feeds)}
    return News(feeds=named, sources=(), poll=1.0, engine=engine)


async def test_a_headline_becomes_a_story_and_a_reading(feed: RssServer, tmp_path: Path) -> None:
    feed.publish(HACK)
    reader = Reader(config(feed), tmp_path, {}, SystemClock())
    assert await reader.poll()
    report = reader.report()
    (story,), (reading,), (source,) = report.stories, report.readings, report.sources
    assert (story.title, story.outlet, story.assets) == (HACK, "Loopback Times", ("SOL",))
    assert story.score is not None
    assert story.score < -0.5
    assert story.scorer == report.scorer != ""
    assert reading.asset == "SOL"
    assert reading.score == pytest.approx(story.score)
    assert [part.scorer for part in reading.parts] == [story.scorer]
    assert (source.name, source.state, source.articles) == ("feed0", "ok", 1)
    assert not await reader.poll()  # the same again is nothing new
    assert reader.report().sources[0].state == "unchanged"
    await reader.close()


async def test_what_was_read_outlives_a_restart(feed: RssServer, tmp_path: Path) -> None:
    feed.publish(HACK)
    first = Reader(config(feed), tmp_path, {}, SystemClock())
    await first.poll()
    before = first.report()
    await first.close()
    with (tmp_path / "articles.jsonl").open("ab") as file:
        file.write(b'{"article": {"id": "cut o')  # as a crash leaves it
    second = Reader(config(feed), tmp_path, {}, SystemClock())
    assert second.report().stories == before.stories
    assert not await second.poll()  # the feed says 304
    assert second.report().readings[0].score == pytest.approx(before.readings[0].score)
    await second.close()


async def test_a_story_of_two_outlets_counts_once(tmp_path: Path) -> None:
    feeds = RssServer("Block Times"), RssServer("Coin Courier")
    try:
        feeds[0].publish(HACK)
        feeds[1].publish(HACK.replace("$90M", "a $90M"))
        reader = Reader(config(*feeds), tmp_path, {}, SystemClock())
        await reader.poll()
        (story,) = reader.report().stories
        assert story.outlets == 2
        assert reader.report().readings[0].count == 2
        await reader.close()
    finally:
        for each in feeds:
            each.close()


async def test_a_model_that_does_not_load_is_said_with_every_score(
    feed: RssServer, tmp_path: Path
) -> None:
    feed.publish(HACK)
    reader = Reader(config(feed, engine=str(tmp_path / "none")), tmp_path, {}, SystemClock())
    await reader.poll()
    report = reader.report()
    assert report.scorer.startswith("offline ")
    assert report.instead_of == report.stories[0].instead_of == str(tmp_path / "none")
    assert report.readings[0].parts[0].scorer == f"{report.scorer} instead of {tmp_path / 'none'}"
    assert "no such folder" in report.problem
    await reader.close()


async def test_sources_that_fail_or_need_a_key_say_so(tmp_path: Path) -> None:
    gone = RssServer()
    gone.close()
    names = News(feeds={"gone": gone.url}, sources=("newsapi",))
    reader = Reader(names, tmp_path, {}, SystemClock())
    assert not await reader.poll()
    key, failed = reader.report().sources
    assert (key.state, failed.state) == ("needs key", "failed")
    assert "killcord keys add newsapi" in key.detail
    assert reader.report().readings == ()
    await reader.close()


async def test_names_and_weights_of_ones_own_count(tmp_path: Path) -> None:
    feeds = RssServer("Block Times"), RssServer("Coin Courier")
    try:
        feeds[0].publish("Foobarium exchange loses $90M in a hack")
        feeds[1].publish("Foobarium wins approval for a record fund")
        settings = config(*feeds).model_copy(
            update={"assets": {"FOO": ("foobarium",)}, "weights": {"Coin Courier": 4.0}}
        )
        reader = Reader(settings, tmp_path, {}, SystemClock())
        await reader.poll()
        (reading,) = (each for each in reader.report().readings if each.asset == "FOO")
        assert reading.score > 0.2  # the outlet that weighs four times as much
        assert [part.outlet for part in reading.parts] == ["Coin Courier", "Block Times"]
        assert sum(part.share for part in reading.parts) == pytest.approx(reading.score)
        assert reading.change == reading.score  # nothing was known an hour ago
        await reader.close()
    finally:
        for each in feeds:
            each.close()


async def test_what_was_left_out_and_what_failed_is_counted_by_its_reason(
    feed: RssServer, tmp_path: Path
) -> None:
    day = 86_400.0
    feed.publish(HACK)
    feed.publish("Bitcoin was young", at=-20 * day)
    feed.publish("Bitcoin will be old", at=+day)
    feed.publish("Bitcoin de retour : les prix grimpent dans la nuit avec les fonds")
    feed.publish("\u202e\x07 \u200b")
    clock = ManualClock(time.time_ns())
    reader = Reader(config(feed), tmp_path, {}, clock)
    await reader.poll()
    (source,) = reader.report().sources
    assert source.refused == {
        "too old": 1,
        "dated in the future": 1,
        "not English": 1,
        "no title": 1,
    }
    feed.answer = b"<html>sorry</html>"
    for _ in range(3):
        clock.set(clock.now() + HOUR)
        await reader.poll()
    (source,) = reader.report().sources
    assert (source.state, source.failed) == ("failed", {"unreadable answer": 3})
    assert source.refused["too old"] == 1
    await reader.close()


async def test_a_days_requests_last_the_day(tmp_path: Path) -> None:
    asked: list[int] = []

    class Daily(Feed):
        limits = (per_minute(5), per_day(24))

        def first(self, since: int) -> Request:
            asked.append(clock.now())
            return super().first(since)

    clock = ManualClock(START)
    feed = RssServer()
    source = Daily("daily", feed.url)
    source.limits = Daily.limits
    reader = Reader(config(), tmp_path, {}, clock, [source])
    for _ in range(3 * 60):
        await reader.poll()
        clock.set(clock.now() + MINUTE)
    assert asked == [START, START + HOUR, START + 2 * HOUR]
    await reader.close()
    feed.close()


async def test_a_parser_that_breaks_silences_no_other_source(
    feed: RssServer, tmp_path: Path
) -> None:
    class Broken(Feed):
        def parse(self, body: bytes, request: Request) -> Page:
            raise AttributeError("of a kind nobody thought of")

    feed.publish(HACK)
    sources = [Broken("broken", feed.url), Feed("good", feed.url)]
    reader = Reader(config(), tmp_path, {}, SystemClock(), sources)
    assert await reader.poll()
    broken, good = reader.report().sources
    assert (broken.state, broken.failed) == ("failed", {"unreadable answer": 1})
    assert "AttributeError" in broken.detail
    assert good.articles == 1
    await reader.close()


async def test_what_people_search_for_is_told_by_rank(feed: RssServer, tmp_path: Path) -> None:
    feed.answer = TRENDING_SAMPLE
    keys = {"COINGECKO_API_KEY": Secret("key")}
    source = CoinGeckoTrending(feed.url.removesuffix("/rss"))
    reader = Reader(config(), tmp_path, keys, SystemClock(), [source])
    assert not await reader.poll()
    report = reader.report()
    assert report.trending == ("PEPE",)
    assert report.sources[0].state == "ok"
    assert feed.paths == ["/api/v3/search/trending"]
    await reader.close()


def test_one_folder_has_one_reader(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(AlreadyRunning), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_the_command_reads_once(
    feed: RssServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    monkeypatch.delenv("NEWS_API_KEY", raising=False)
    (tmp_path / "config.toml").write_text(
        f"[limits]\n[news]\nsources = ['newsapi']\nfeeds = {{ local = '{feed.url}' }}\n"
    )
    feed.publish(HACK)
    assert main(["news", "--once", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["stories"][0]["assets"] == ["SOL"]
    assert said["readings"][0]["score"] < -0.5
    assert {source["name"]: source["state"] for source in said["sources"]} == {
        "newsapi": "needs key",
        "local": "ok",
    }
    assert main(["news", "--once"]) == 0  # the second request of this minute
    text = capsys.readouterr().out
    assert "needs key  killcord keys add newsapi" in text
    assert HACK in text
    (tmp_path / "config.toml").write_text("[limits]\n[news]\nenabled = 'no'\n")
    assert main(["news", "--once"]) == 2
