"""The training process as a desk runs it: a child that asks for what it wants to know."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from core.journal.recorder import Recorder
from core.journal.recording import Session
from core.model.event import SentimentScored
from core.model.learning import Answer, Asked, Matter, Order, Progress, Verdict
from core.model.news import NewsReading
from core.research.candles import CandleFile
from core.research.synthetic import plant_edge
from core.signals.registry import Registry
from tests.core.research.forecasts import TRADING

SESSION = Session("practice", 1, 0, {}, "TEST", b"0123456789abcdef", "", msgspec.Raw(b"{}"))
HOUR_MS = 3_600_000
EIGHT = 8 * HOUR_MS
COUNT = 2_600


def market() -> dict[tuple[str, str], CandleFile]:
    """Two venues whose prices differ a little; OKX lacks the second symbol."""
    found = {}
    for file in plant_edge(0.2, COUNT, 2, 3600, 3):
        found["bybit", file.symbol] = file
        noise = 1.0 + 1e-4 * np.sin(np.arange(COUNT))
        prices = {name: getattr(file, name) * noise for name in ("open", "high", "low", "close")}
        found["okx", file.symbol] = replace(file, venue="okx", **prices)
    del found["okx", file.symbol]
    return found


def rows_of(
    candles: dict[tuple[str, str], CandleFile], asked: Asked
) -> tuple[tuple[float, ...], ...]:
    """What a venue answers."""
    if asked.matter is Matter.FUNDING:
        newest = (asked.before_ms - 1) // EIGHT
        times = [n * EIGHT for n in range(newest - asked.count + 1, newest + 1)]
        return tuple((ts, 1e-5 * (ts // EIGHT % 11)) for ts in times)
    if asked.matter is Matter.INDEX:
        return index_rows(candles[asked.venue, asked.symbol], asked)
    if asked.matter is Matter.INTEREST:
        newest = (asked.before_ms - 1) // HOUR_MS
        times = [n * HOUR_MS for n in range(newest - asked.count + 1, newest + 1)]
        return tuple((ts, 900.0 + ts // HOUR_MS % 17) for ts in times)
    file = candles[asked.venue, asked.symbol]
    last = int(np.searchsorted(file.ts, asked.before_ms))
    rows = range(max(last - asked.count, 0), last)
    columns = (file.ts, file.open, file.high, file.low, file.close, file.volume)
    return tuple(tuple(float(column[row]) for column in columns) for row in rows)


def index_rows(file: CandleFile, asked: Asked) -> tuple[tuple[float, ...], ...]:
    """Ends of the candles, and closes of which they are a little off."""
    ends = file.ts + HOUR_MS
    last = int(np.searchsorted(ends, asked.before_ms))
    first = max(last - asked.count, 0)
    values = file.close * (1.0 + 2e-4 * np.cos(np.arange(len(ends))))
    return tuple(zip(ends[first:last].tolist(), values[first:last].tolist(), strict=True))


def test_it_learns_from_what_the_desk_will_see(tmp_path: Path) -> None:
    """Rows of one venue; beside them the other's candles, funding, and what the news said."""
    candles = market()
    first, second = (symbol for venue, symbol in candles if venue == "bybit")
    file = candles["bybit", first]
    recorder = Recorder(tmp_path / "recording", "one", SESSION, 7)
    recorder.start()
    for number, ts in enumerate(file.ts.tolist()):
        asset = first.partition("/")[0] if number % 2 else second.partition("/")[0]
        reading = NewsReading(asset, 0.1 * (number % 7 - 3), 0.4, 0.1, 3, ts * 1_000_000, 0.1)
        market_wide = replace(reading, asset="MARKET")
        at = ts * 1_000_000 + 5
        recorder.add(SentimentScored(at, "offline", readings=(reading, market_wide)))
    recorder.close("hash", 9)
    order = Order(
        str(tmp_path / "models"), str(tmp_path / "history"), "bybit", (first, second), 3600, (4,),
        COUNT * 3600, int(file.ts[-1]) + HOUR_MS, 0.0005, 20, 30, TRADING.rules(), True, ("okx",),
        str(tmp_path / "recording"),
    )  # fmt: skip
    asked, told, verdict = talk(order, candles)
    assert not verdict.failed, verdict.text
    assert asked["okx", second, Matter.CANDLES] == 1  # it has none, and that is no error
    assert asked["bybit", first, Matter.FUNDING] >= 1
    assert any("beside okx" in text for text in told)
    (name,) = Registry(tmp_path / "models").names()
    meta = Registry(tmp_path / "models").read(name)
    features = set(meta.features)
    assert {"basis", "basis_4", "basis_z", "interest_1", "interest_24"} <= features
    assert {"basis_z", "interest_24", "funding_mean"} <= set(meta.features) - set(
        meta.data["missing"]
    )
    assert {"funding", "funding_mean", "market_4", "beside_24", "rank_1", "news_market"} <= features
    assert "venue_gap" in features  # of half of the rows: the second symbol is at one venue only
    assert {check.name: check.passed for check in meta.gate}["features do not see the future"]
    assert meta.scores["rehearsal"]["trades"] > 0
    # What was fetched is kept: another training asks for next to nothing.
    again, _, _ = talk(replace(order, models=str(tmp_path / "other")), candles)
    assert again.total() < asked.total() / 2


def test_a_symbol_that_was_listed_late_joins_in_then(tmp_path: Path) -> None:
    """A month of one symbol must not cost the others their year."""
    candles = market()
    first, second = (symbol for venue, symbol in candles if venue == "bybit")
    young = candles["bybit", second]
    columns = ("ts", "open", "high", "low", "close", "volume")
    newest = {name: getattr(young, name)[-700:] for name in columns}
    candles["bybit", second] = replace(young, **newest)
    order = Order(
        str(tmp_path / "models"), str(tmp_path / "history"), "bybit", (first, second), 3600, (4,),
        COUNT * 3600, int(young.ts[-1]) + HOUR_MS, 0.0005, 20, 30, TRADING.rules(), True,
    )  # fmt: skip
    _, _, verdict = talk(order, candles)
    assert not verdict.failed, verdict.text
    meta = Registry(tmp_path / "models").read(verdict.id)
    assert meta.data["symbols"] == sorted((first, second))
    assert meta.scores["days"] > 40


def talk(
    order: Order, candles: dict[tuple[str, str], CandleFile]
) -> tuple[Counter[Any], list[str], Verdict]:
    """Run one training; return what was asked how often, what it said, and its verdict."""
    asked: Counter[Any] = Counter()
    said: list[str] = []
    decode = msgspec.json.Decoder(Progress | Asked | Verdict).decode
    with subprocess.Popen(
        [sys.executable, "-m", "core.research.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            message = decode(line)
            if isinstance(message, Verdict):
                return asked, said, message
            if isinstance(message, Progress):
                said.append(message.text)
                continue
            asked[message.venue, message.symbol, message.matter] += 1
            known = message.matter is Matter.FUNDING or (message.venue, message.symbol) in candles
            answer = Answer(rows_of(candles, message)) if known else Answer(problem="not listed")
            process.stdin.write(msgspec.json.encode(answer) + b"\n")
            process.stdin.flush()
    raise AssertionError("the process ended without a verdict")
