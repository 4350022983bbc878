"""News in a running desk: a headline reaches the picture, and its process may die."""

from __future__ import annotations

import os
import signal as signal_module
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.home import Home
from tests.sentiment.rss import RssServer
from tests.sentiment.tiny import train
from tests.whole.conftest import Desk, Killcord
from tui.control import ask

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


@pytest.fixture
def feed() -> Iterator[RssServer]:
    server = RssServer()
    yield server
    server.close()


def score(picture: dict[str, Any], asset: str) -> float:
    readings = (picture.get("news") or {}).get("readings", ())
    return next((reading["score"] for reading in readings if reading["asset"] == asset), 0.0)


NEWSY = """
from core.signals.decision import Decision


class Newsy:
    needs = ("news_score",)
    warmup = 0

    def __init__(self, settings):
        self.count = self.target = 0

    def on_candle(self, candle):
        self.count += 1
        (score,) = self.context.row
        known = score == score
        # Without news it goes in and out, so that there is trading to be seen.
        target = (score > 0) - (score < 0) if known else self.count // 3 % 2
        if target == self.target:
            return None
        self.target = target
        parts = (("news_score", score),) if known else ()
        return Decision(target, score if known else 0.0, "as the news say", parts)
"""


def configure(killcord: Killcord, feed: RssServer, engine: str = "offline") -> None:
    """Let a desk read the feed once a second, and trade on what it says."""
    (killcord.home / "strategies").mkdir()
    (killcord.home / "strategies" / "newsy.py").write_text(NEWSY)
    (killcord.home / "config.toml").write_text(
        "[limits]\nloop_lag = 60\n[strategy]\nname = 'newsy'\ntimeframe = '1s'\n"
        f"[news]\nsources = []\npoll = '1s'\nengine = '{engine}'\n"
        f"feeds = {{ local = '{feed.url}' }}\n"
    )


def signals(desk: Desk, symbol: str = "") -> list[dict[str, Any]]:
    return [x for x in tuple(desk.lines) if x["type"] == "signal" and symbol in x["text"]]


def test_a_headline_moves_the_picture_and_a_decision_and_trading_outlives_its_reader(
    killcord: Killcord, feed: RssServer
) -> None:
    configure(killcord, feed)
    socket = Home(killcord.home).socket
    with killcord.desk("--seed", "7") as desk:
        picture = desk.wait("news", lambda s: s["news"] and s["news"]["sources"])
        assert picture["news"]["sources"][0]["state"] in ("ok", "unchanged")
        assert score(picture, "SOL") == 0.0
        feed.publish("Exchange halts Solana withdrawals after $90M hack")
        published = time.monotonic()

        def decided() -> dict[str, Any] | None:
            found = ask(socket, "GET", "/v1/snapshot")["signals"]
            mine = (s for s in found if s["symbol"].startswith("SOL/") and s["score"] < -0.3)
            return next(mine, None)

        while (signal := decided()) is None:
            assert time.monotonic() - published < 60
            time.sleep(0.02)
        print(f"decided {time.monotonic() - published:.2f} s after publication")
        picture = desk.snapshot()
        (story,) = picture["news"]["stories"]
        assert story["assets"] == ["SOL"]
        assert story["scorer"] == picture["news"]["scorer"]
        assert score(picture, "SOL") < -0.3
        assert signal["target"] == -1
        why = ask(socket, "GET", f"/v1/why?id={signal['venue']}|{signal['symbol']}")
        assert why["signal"]["parts"] == [["news_score", why["news"]["score"]]]
        assert why["news"]["parts"][0]["title"] == story["title"]

        reader = int((killcord.home / "news" / "reader.lock").read_text())
        os.kill(reader, signal_module.SIGKILL)
        picture = desk.wait("the loss", lambda s: "signal 9" in s["news"]["problem"])
        assert picture["news"]["scorer"] == ""
        assert picture["news"]["instead_of"] == story["scorer"]
        assert score(picture, "SOL") < -0.3  # old news is still news
        before = len(signals(desk))
        picture = desk.wait("another reader", lambda s: s["news"]["scorer"])
        assert score(picture, "SOL") < -0.3
        desk.wait("trading", lambda _: len(signals(desk)) > before)
        assert picture["state"] == "armed"
        killcord.json("stop")
        desk.finish()
    (path,) = killcord.home.rglob("killcord.db")
    with sqlite3.connect(path) as store:
        rows = store.execute("SELECT title, assets, scorer FROM articles").fetchall()
    store.close()
    assert rows == [(story["title"], '["SOL"]', story["scorer"])]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.mark.timeout(600)  # torch takes minutes to load where ten others want the processor
def test_killing_the_scorer_means_the_fallback_by_its_name_and_trading_goes_on(
    killcord: Killcord, feed: RssServer, model: Path
) -> None:
    configure(killcord, feed, str(model))
    with killcord.desk("--seed", "7") as desk:
        feed.publish("Exchange halts Solana withdrawals after $90M hack")
        picture = desk.wait("a score", lambda s: s["news"] and s["news"]["stories"], 240)
        (first,) = picture["news"]["stories"]
        assert first["scorer"].startswith("tiny-bert ")
        assert first["instead_of"] == ""
        reader = int((killcord.home / "news" / "reader.lock").read_text())
        (scorer,) = children(reader)
        assert b"sentiment.worker" in Path(f"/proc/{scorer}/cmdline").read_bytes()
        os.kill(scorer, signal_module.SIGKILL)
        before = len(signals(desk))
        feed.publish("Bitcoin ETF inflows climb to record")
        picture = desk.wait("the fallback", lambda s: len(s["news"]["stories"]) == 2)
        second = next(s for s in picture["news"]["stories"] if s["assets"] == ["BTC"])
        assert second["scorer"].startswith("offline ")
        assert second["instead_of"] == str(model)
        assert picture["news"]["scorer"] == second["scorer"]
        assert "died" in picture["news"]["problem"]
        desk.wait("trading", lambda _: len(signals(desk)) > before)
        assert desk.snapshot()["state"] == "armed"


def children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return list(dict.fromkeys(found))


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
