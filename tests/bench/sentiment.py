"""What reading news costs: both engines, linking, copies, a reading, and the desk beside it.

The transformer's figures need torch, which is no dependency: run the bench where it is installed.
The model is of MiniLM-L6's shape with random weights: speed does not depend on what they say.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.clock import HOUR, SECOND
from core.home import Home
from sentiment.aggregate import Aggregator
from sentiment.articles import Article, Item, Rules, admit
from sentiment.entities import Assets, Link
from sentiment.scorer import open_engine
from sentiment.stories import Stories
from sentiment.training import read_headlines
from sentiment.transformer import TransformerEngine
from tests.sentiment.rss import RssServer
from tests.waiting import wait_until
from tui.control import ask

TARGETS = {
    "offline headlines/s": ">= 2,000",
    "offline process, peak MB": "<= 130",
    "MiniLM-size int8 headlines/s at batch 32": ">= 300",
    "MiniLM-size int8, one headline, median ms": "<= 10",
    "MiniLM-size int8 process, peak MB": "",
    "desk loop lag p99 while 1,000 articles come, ms": "<= 10",
}
_ARTICLES = 1_000
_OUTLETS = 5
_WATCH_S = 20.0
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
        "import json, re, sys\nfrom sentiment.scorer import open_engine\n"
        "open_engine().score(json.load(sys.stdin))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    texts = json.dumps(_headlines(4_000))
    done = subprocess.run(
        [sys.executable, "-c", code], input=texts, capture_output=True, text=True, check=True
    )
    return {"offline process, peak MB": int(done.stdout) / 1024}


def measure_transformer() -> dict[str, float | str]:
    """Score with a MiniLM-size classifier in its own process, as the news process does."""
    if importlib.util.find_spec("torch") is None:
        return {"MiniLM-size int8 headlines/s at batch 32": "skipped: torch is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        # Made in a process of its own: torch in this one would be measured with it.
        code = "import sys\nfrom tests.bench.sentiment import make_model\nmake_model(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True)
        engine = TransformerEngine(folder)
        try:
            texts = _headlines(32 * 12)
            engine.score(texts[:64])
            began, used = time.perf_counter(), _cpu_seconds(engine.pid)
            for start in range(0, len(texts), 32):
                engine.score(texts[start : start + 32])
            rate = len(texts) / (time.perf_counter() - began)
            rate_alone = len(texts) / (_cpu_seconds(engine.pid) - used)
            singles = []
            for text in texts[:60]:
                began = time.perf_counter()
                engine.score([text])
                singles.append(1e3 * (time.perf_counter() - began))
            status = Path(f"/proc/{engine.pid}/status").read_text()
        finally:
            engine.close()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    assert peak is not None
    return {
        "MiniLM-size int8 headlines/s at batch 32": rate,
        "MiniLM-size int8 headlines a second of processor time": rate_alone,
        "MiniLM-size int8, one headline, median ms": statistics.median(singles),
        "MiniLM-size int8 process, peak MB": int(peak[1]) / 1024,
    }


def _cpu_seconds(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_model(folder: str) -> None:
    """Save a classifier of MiniLM-L6's shape (22.7 million parameters) with a real tokenizer."""
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    tokenizers = importlib.import_module("tokenizers")
    raw = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = tokenizers.normalizers.BertNormalizer()
    raw.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=4_000, special_tokens=special)
    raw.train_from_iterator(read_headlines()[0], trainer)
    raw.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=128,
    ).save_pretrained(folder)  # fmt: skip
    names = {0: "negative", 1: "neutral", 2: "positive"}
    config = transformers.BertConfig(
        vocab_size=30_522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=1536, num_labels=3, id2label=names,
        label2id={name: at for at, name in names.items()},
    )  # fmt: skip
    torch.manual_seed(1)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)


def measure_desk() -> dict[str, float | str]:
    """Let 1,000 articles come to a trading practice desk in 20 s; read how late its loop woke."""
    feeds = [RssServer(f"Outlet {number}") for number in range(_OUTLETS)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            named = ", ".join(f"f{number} = '{feed.url}'" for number, feed in enumerate(feeds))
            (home / "config.toml").write_text(
                f"[limits]\n[news]\nsources = []\npoll = '1s'\nfeeds = {{ {named} }}\n"
            )
            return _watch_desk(home, feeds)
    finally:
        for feed in feeds:
            feed.close()


def _watch_desk(home: Path, feeds: list[RssServer]) -> dict[str, float | str]:
    command = ["-m", "tui.cli", "--no-ui", "--json", "--env", "practice", "--seed", "7"]
    desk = subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"KILLCORD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert desk.stdout is not None
    lines = threading.Thread(target=desk.stdout.read, daemon=True)
    try:
        for line in desk.stdout:
            if json.loads(line).get("text", "").startswith("ready in"):
                break
        lines.start()
        path = Home(home).socket
        wait_until(lambda: (ask(path, "GET", "/v1/snapshot")["news"] or {}).get("sources"), 60)
        quiet = _lags(path, lambda _: None)
        titles = iter(_headlines(_ARTICLES))

        def publish(step: int) -> None:
            for feed in feeds:
                for _ in range(_ARTICLES // _OUTLETS // 20):
                    feed.publish(next(titles))

        busy = _lags(path, publish)
        wait_until(lambda: _taken(path) >= _ARTICLES, 300)
        taken = _taken(path)
    finally:
        desk.terminate()
        desk.wait(30)
        lines.join(10)
        # One that waits for another desk takes a part of a core from the next bench.
        with contextlib.suppress(OSError):
            practice = json.loads((home / "run" / "practice.json").read_text())["pid"]
            os.kill(practice, signal.SIGTERM)
    return {
        "desk loop lag p99 without news, ms": quiet,
        "desk loop lag p99 while 1,000 articles come, ms": busy,
        "articles that came": taken,
    }


def _taken(path: Path) -> float:
    sources = ask(path, "GET", "/v1/snapshot")["news"]["sources"]
    return float(sum(source["articles"] for source in sources))


def _lags(path: Path, act: Callable[[int], None]) -> float:
    """Act twenty times in twenty seconds; return the 99th percentile of the desk's loop lag, ms."""
    before = _histogram(path)
    for step in range(20):
        act(step)
        time.sleep(_WATCH_S / 20)  # the load's cadence
    counts = [
        (bound, count - earlier)
        for (bound, count), (_, earlier) in zip(_histogram(path), before, strict=True)
    ]
    wanted = 0.99 * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            # Evenly between the bounds, as Prometheus reads a histogram.
            return (
                low
                if math.isinf(bound)
                else low + (bound - low) * (wanted - below) / (count - below)
            )
        low, below = bound, count
    raise AssertionError("a histogram ends at infinity")


def _histogram(path: Path) -> list[tuple[float, float]]:
    """Return bounds in milliseconds with the lags up to each."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: desk\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    pattern = r'killcord_loop_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)'
    found = [(1e3 * float(le), float(n)) for le, n in re.findall(pattern, text)]
    assert found, text[:500]
    return found


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
        news.read("BTC", _START + SECOND, 6 * HOUR)
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
    measure_transformer,
    measure_desk,
)
