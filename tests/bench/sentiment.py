"""What reading news costs: the offline engine, linking, finding copies, a reading."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from core.clock import SECOND
from sentiment.aggregate import HALF_LIVES, Aggregator
from sentiment.articles import Article, Item, Rules, admit
from sentiment.entities import Assets, Link
from sentiment.scorer import open_engine
from sentiment.stories import Stories

TARGETS = {
    "offline headlines/s": ">= 2,000",
    "offline process, peak MB": "<= 130",
}
_START = 1_790_000_000 * SECOND
_SUBJECTS = ("Bitcoin", "Ether", "Solana", "Exchange", "Lender", "Regulator", "Miner", "Bank")
_VERBS = ("surges on", "falls after", "weighs", "sued over", "launches", "halts", "approves")
_OBJECTS = ("record inflows", "a hack", "new rules", "ETF hopes", "heavy losses", "a token sale")


def measure_offline() -> dict[str, float | str]:
    """Score the same 4,000 headlines, warm."""
    texts, engine = _headlines(4_000), open_engine()
    engine.score(texts[:100])
    began = time.perf_counter()
    engine.score(texts)
    return {"offline headlines/s": len(texts) / (time.perf_counter() - began)}


def measure_memory() -> dict[str, float | str]:
    """Peak memory of a process that scores 4,000 headlines and does nothing else."""
    code = (
        "import re\nfrom tests.bench.sentiment import _headlines\n"
        "from sentiment.scorer import open_engine\nopen_engine().score(_headlines(4000))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {"offline process, peak MB": int(done.stdout) / 1024}


def measure_articles() -> dict[str, float | str]:
    """Check, link and file 3,000 articles, and read one asset with 1,000 behind it."""
    texts, assets, stories = _headlines(3_000), Assets.load(), Stories()
    began = time.perf_counter()
    linked = [assets.link(text) for text in texts]
    linking = time.perf_counter() - began
    items = [
        Item("rss", "o", text, f"https://o.example/{n}", _START) for n, text in enumerate(texts)
    ]
    began = time.perf_counter()
    for item, links in zip(items, linked, strict=True):
        article = admit(item, _START + SECOND, Rules())
        if isinstance(article, Article):
            stories.add(article, [link.asset for link in links])
    filing = time.perf_counter() - began
    news, engine = Aggregator(), open_engine()
    for number, score in enumerate(engine.score(texts[:1_000])):
        article = Article(str(number), "rss", "o", "t", "", "", _START, _START)
        news.add(article, [Link("BTC", 1.0, "name")], score)
    began = time.perf_counter()
    for _ in range(20):
        news.read("BTC", _START + SECOND, HALF_LIVES[1])
    reading = (time.perf_counter() - began) / 20
    return {
        "link a headline to assets, us": 1e6 * linking / len(texts),
        "check an article and find its story, us": 1e6 * filing / len(texts),
        "read an asset with 1,000 articles, us": 1e6 * reading,
    }


def _headlines(count: int) -> list[str]:
    combined = [f"{s} {v} {o}" for s in _SUBJECTS for v in _VERBS for o in _OBJECTS]
    return [f"{combined[n % len(combined)]}, says report {n} on the week" for n in range(count)]


BENCHES: tuple[Callable[[], dict[str, float | str]], ...] = (
    measure_offline,
    measure_memory,
    measure_articles,
)
