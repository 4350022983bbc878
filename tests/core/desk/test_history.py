"""Rows that the desk writes for people and reports."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from core.clock import DAY, HOUR, SECOND
from core.desk.history import History
from core.journal.store import Store
from core.model.event import SentimentScored
from core.model.market import Side, Trade
from core.model.news import NewsStory
from core.portfolio.ledger import Ledger

START = 1_790_000_000 * SECOND


def story(number: int, seen: int, **changes: Any) -> NewsStory:
    values: dict[str, Any] = {
        "id": str(number),
        "title": "Exchange halts withdrawals",
        "outlet": "Times",
        "outlets": 1,
        "url": "https://t.example/1",
        "published": seen - SECOND,
        "seen": seen,
        "assets": ("SOL",),
        "score": -0.7,
        "confidence": 0.6,
        "scorer": "offline abc",
        "probabilities": (0.8, 0.1, 0.1),
        "names": ("Times",),
    }
    return NewsStory(**(values | changes))


STORIES = "SELECT id, outlets, assets, score, negative FROM articles ORDER BY id"


async def rows(path: Path, wanted: int, query: str = STORIES) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(10):
        while True:
            with sqlite3.connect(path) as connection:
                found = connection.execute(query).fetchall()
            connection.close()
            if len(found) == wanted:
                return found
            await asyncio.sleep(0.02)


async def test_stories_are_kept_once_and_for_as_long_as_wanted(tmp_path: Path) -> None:
    store = Store("", tmp_path)
    await store.open(lambda reason: None)
    try:
        history = History(store, Ledger(), article_days=30)
        mute = story(2, START, score=None, probabilities=None)
        history.news(SentimentScored(START, "offline abc", stories=(story(1, START), mute)))
        path = tmp_path / "killcord.db"
        await rows(path, 2)
        again = story(1, START, outlets=2, names=("Times", "Post"))
        late = START + 30 * DAY - HOUR
        history.news(SentimentScored(late, "offline abc", stories=(again, story(3, late))))
        assert await rows(path, 3) == [
            ("1", '["Times","Post"]', '["SOL"]', -0.7, 0.8),
            ("2", '["Times"]', '["SOL"]', None, None),
            ("3", '["Times"]', '["SOL"]', -0.7, 0.8),
        ]
        history.news(SentimentScored(late + 2 * HOUR, "offline abc"))
        assert [row[0] for row in await rows(path, 1)] == ["3"]
    finally:
        await store.close()


async def test_a_trade_of_tomorrow_does_not_end_the_candles(tmp_path: Path) -> None:
    store = Store("", tmp_path)
    await store.open(lambda reason: None)
    try:
        history = History(store, Ledger(), article_days=30)
        for seconds, ts in ((0, 0), (1, DAY), (61, 61 * SECOND), (121, 121 * SECOND)):
            received = START + seconds * SECOND
            trade = Trade(
                "okx", "BTC", 10.0 + seconds, 1.0, Side.BUY, str(ts), START + ts, received
            )
            history.trade(trade)
        found = await rows(tmp_path / "killcord.db", 2, "SELECT close FROM candles ORDER BY ts")
        assert found == [(10.0,), (71.0,)]
    finally:
        await store.close()
