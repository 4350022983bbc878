"""News in a running desk: a headline reaches the picture, and its process may die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sentiment.rss import RssServer
from tests.whole.conftest import Killcord

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


@pytest.fixture
def feed() -> Iterator[RssServer]:
    server = RssServer()
    yield server
    server.close()


def score(picture: dict[str, Any], asset: str) -> float:
    readings = (picture.get("news") or {}).get("readings", ())
    return next((reading["score"] for reading in readings if reading["asset"] == asset), 0.0)


def test_a_headline_moves_the_picture_and_trading_outlives_its_reader(
    killcord: Killcord, feed: RssServer
) -> None:
    config = killcord.home / "config.toml"
    text = f"[news]\nsources = []\npoll = '1s'\nfeeds = {{ local = '{feed.url}' }}\n"
    config.write_text(config.read_text() + text)
    with killcord.desk("--seed", "7") as desk:
        picture = desk.wait("news", lambda s: s["news"] and s["news"]["sources"])
        assert picture["news"]["sources"][0]["state"] in ("ok", "unchanged")
        assert score(picture, "SOL") == 0.0
        feed.publish("Exchange halts Solana withdrawals after $90M hack")
        published = time.monotonic()
        picture = desk.wait("a reading", lambda s: score(s, "SOL") < -0.3)
        print(f"seen after {time.monotonic() - published:.2f} s")
        (story,) = picture["news"]["stories"]
        assert story["assets"] == ["SOL"]
        assert story["scorer"] == picture["news"]["scorer"]

        reader = int((killcord.home / "news" / "reader.lock").read_text())
        os.kill(reader, signal.SIGKILL)
        picture = desk.wait("the loss", lambda s: "signal 9" in s["news"]["problem"])
        assert picture["news"]["scorer"] == ""
        assert picture["news"]["instead_of"] == story["scorer"]
        assert score(picture, "SOL") < -0.3  # old news is still news
        signals = len([line for line in desk.lines if line["type"] == "signal"])
        picture = desk.wait("another reader", lambda s: s["news"]["scorer"])
        assert score(picture, "SOL") < -0.3
        desk.wait(
            "trading",
            lambda _: len([x for x in tuple(desk.lines) if x["type"] == "signal"]) > signals,
        )
        assert picture["state"] == "armed"


def test_a_burst_of_bad_news_is_refused_by_the_gate(killcord: Killcord, feed: RssServer) -> None:
    config = killcord.home / "config.toml"
    text = f"[news]\nsources = []\npoll = '1s'\nfeeds = {{ local = '{feed.url}' }}\n"
    config.write_text(config.read_text() + text)
    with killcord.desk("--seed", "7") as desk:
        desk.wait("news", lambda s: s["news"] and s["state"] == "armed")
        feed.publish("Exchange halts Solana withdrawals after $90M hack")
        feed.publish("Solana plunges 30% as validators fail and panic spreads")
        feed.publish("SEC sues Solana foundation for fraud, investors lose millions")
        picture = desk.wait("the guard", lambda s: guard(s)["breached"])
        assert guard(picture)["detail"].startswith("SOL: no new longs for ")
        bought = killcord.run("buy", "bybit", "SOL", "1")
        assert bought.returncode == 3
        assert "BAD_NEWS" in bought.stdout + bought.stderr
        sold = killcord.run("sell", "bybit", "SOL", "1")
        assert "BAD_NEWS" not in sold.stdout + sold.stderr


def guard(picture: dict[str, Any]) -> dict[str, Any]:
    return next(limit for limit in picture["limits"] if limit["code"] == "BAD_NEWS")


def test_practice_reads_no_news_by_itself(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        picture = desk.wait("ready", lambda s: all(v["state"] == "ready" for v in s["venues"]))
    assert picture["news"] is None
    assert not (killcord.home / "news").exists()
