"""What remembering costs: the write-ahead log, the store, the recording, and the picture."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Coroutine
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from core.config import DEFAULT_SYMBOLS, Config
from core.engine.engine import Engine
from core.engine.picture import ShellFacts
from core.journal import frames, wal
from core.journal.recorder import Recorder
from core.journal.recording import Session
from core.journal.store import Store
from core.model.account import Balance, VenueSwept
from core.model.event import VenueOpened
from core.model.instrument import VENUES
from core.model.market import BookTop, Side, Trade
from core.model.order import Fill, Order, OrderKind
from core.model.record import Intent
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from exchanges.practice.contracts import list_contracts

TARGETS = {
    "journal append on the loop, us": "<= 3",
    "event recorded on the loop, us": "<= 3",
    "store rows/s in the background": ">= 50,000",
    "durable intent over bare fsync, p50 ms": "<= 3",
}
_ORDER = Order(
    "K1TEST01000000001E000000", "bybit", "BTC/USDT:USDT", Side.BUY, OrderKind.MARKET,
    Decimal("0.033"), 1,
)  # fmt: skip
_FILL = Fill(
    "bybit", "BTC/USDT:USDT", "t1", _ORDER.client_id, "v1", Side.BUY, Decimal("0.033"),
    Decimal("61234.5"), Decimal("1.11"), False, 1, 1,
)  # fmt: skip

_SESSION = Session("practice", 1, 0, {}, "TEST", b"0123456789abcdef", "", msgspec.Raw(b"{}"))


def append() -> dict[str, float | str]:
    """Time one append and one recorded event on the loop while their threads keep up."""
    return _in_folder(_append)


async def _append(folder: Path) -> dict[str, float | str]:
    journal = wal.begin(folder, "practice", None, Ledger(), 1)
    journal.start(lambda reason: None)
    recorder = Recorder(folder / "recording", "bench", _SESSION, 1)
    recorder.start()
    trade = Trade("bybit", "BTC/USDT:USDT", 61234.5, 0.01, Side.BUY, "1", 1, 1)
    appends, adds = [], []
    for _ in range(60):
        appends.append(_each(lambda: journal.append(_FILL), 200))
        adds.append(_each(lambda: recorder.add(trade), 200))
        await asyncio.sleep(0.02)
    await journal.close()
    await asyncio.to_thread(recorder.close, "", 1)
    return {
        "journal append on the loop, us": statistics.median(appends),
        "event recorded on the loop, us": statistics.median(adds),
    }


def durable() -> dict[str, float | str]:
    """Compare a durable intent with a bare write and fdatasync on the same disk, interleaved."""
    return _in_folder(_durable)


async def _durable(folder: Path) -> dict[str, float | str]:
    journal = wal.begin(folder, "practice", None, Ledger(), 1)
    journal.start(lambda reason: None)
    descriptor = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    bare, intents = [], []
    for _ in range(300):
        bare.append(_each(lambda: _sync(descriptor), 1) / 1000)
        started = time.perf_counter()
        await journal.append_durable(Intent(_ORDER))
        intents.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    for _ in range(20):
        await asyncio.gather(*(journal.append_durable(Intent(_ORDER)) for _ in range(30)))
    shared = (time.perf_counter() - started) / 20 * 1000
    os.close(descriptor)
    await journal.close()
    return {
        "bare write + fdatasync, p50 ms": statistics.median(bare),
        "durable intent, p50 ms": statistics.median(intents),
        "durable intent, p99 ms": statistics.quantiles(intents, n=100)[98],
        "durable intent over bare fsync, p50 ms": statistics.median(
            a - b for a, b in zip(sorted(intents), sorted(bare), strict=True)
        ),
        "30 intents at once, ms until all are durable": shared,
    }


def replay() -> dict[str, float | str]:
    """Time reading, checking and decoding a journal of 100,000 records."""
    return _in_folder(_replay)


async def _replay(folder: Path) -> dict[str, float | str]:
    journal = wal.begin(folder, "practice", None, Ledger(), 1)
    journal.start(lambda reason: None)
    for _ in range(50_000):
        journal.append(Intent(_ORDER))
        journal.append(_FILL)
    await journal.close()
    started = time.perf_counter()
    found = frames.load(folder)
    frames.rebuild(found)
    seconds = time.perf_counter() - started
    assert found is not None
    return {"journal replay, records/s": len(found.records) / seconds}


def store() -> dict[str, float | str]:
    """Time rows through SQLAlchemy into SQLite, and how late the loop is meanwhile."""
    return _in_folder(_store)


async def _store(folder: Path) -> dict[str, float | str]:
    rates: dict[str, list[float]] = {"candles": [], "fills": []}
    lags: list[float] = []
    for attempt in range(6):
        table = ("candles", "fills")[attempt % 2]
        make = _candle if table == "candles" else _fill
        (folder / str(attempt)).mkdir()
        target = Store("", folder / str(attempt))
        await target.open(lambda text: None)
        started = time.perf_counter()
        for number in range(100_000):
            target.put(table, make(number))
        while target.stats.rows < 100_000:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append((time.perf_counter() - before - 0.005) * 1000)
        rates[table].append(100_000 / (time.perf_counter() - started))
        await target.close()
    put = _each(partial(target.put, "candles", _candle(0)), 1000)
    return {
        "store rows/s in the background": statistics.median(rates["candles"]),
        "store rows/s, with four exact decimals a row": statistics.median(rates["fills"]),
        "store put on the loop, us": put,
        "loop lateness while the store writes, p50 ms": statistics.median(lags),
    }


def picture() -> dict[str, float | str]:
    """Time a snapshot of 3 venues x 10 instruments and its encoding."""
    engine = Engine(Config.model_validate({"limits": {}}), ClientIds("TEST", 1, bytes(32)))
    now = time.time_ns()
    for venue in VENUES:
        rules = tuple(c.instrument for c in list_contracts(venue).values())
        engine.process(VenueOpened(venue, "1", rules, 0.0, now))
        balance = Balance(venue, "USDT", Decimal(100_000), now)
        engine.process(VenueSwept(venue, "1", (), (), balance, (), (), now, now))
        for symbol in DEFAULT_SYMBOLS:
            for step in range(200):
                at = now + step * 1_000_000_000
                engine.process(BookTop(venue, symbol, 100.0, 1.0, 100.1, 1.0, at, at))
                engine.process(Trade(venue, symbol, 100.0, 1.0, Side.BUY, str(step), at, at))
    facts = ShellFacts("practice", "synthetic", now)
    encode = msgspec.json.Encoder().encode
    made = engine.snapshot(now, facts)
    return {
        "snapshot of 3 x 10 markets, us": _median(lambda: engine.snapshot(now, facts)),
        "snapshot encode, us": _median(lambda: encode(made)),
        "snapshot size, bytes": float(len(encode(made))),
    }


BENCHES = (append, durable, replay, store, picture)


def _candle(number: int) -> dict[str, Any]:
    return {
        "venue": "bybit", "symbol": "BTC/USDT:USDT", "timeframe": 60, "ts": number,
        "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10.0,
    }  # fmt: skip


def _fill(number: int) -> dict[str, Any]:
    price = Decimal("61234.5")
    return {
        "venue": "bybit", "symbol": "BTC/USDT:USDT", "trade_id": str(number), "ts": number,
        "client_id": "K1", "venue_id": "1", "side": "buy", "qty": price, "price": price,
        "commission": price, "pnl": price, "strategy": "ema_cross", "maker": False,
        "execution_ms": 1.0,
    }  # fmt: skip


def _sync(descriptor: int) -> None:
    os.write(descriptor, bytes(512))
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _each(work: Any, count: int) -> float:
    """Return microseconds a call, over ``count`` calls."""
    started = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - started) / count * 1e6


def _median(work: Any) -> float:
    return statistics.median(_each(work, 5) for _ in range(40))


def _in_folder(bench: Any) -> dict[str, float | str]:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        work: Coroutine[Any, Any, dict[str, float | str]] = bench(Path(folder))
        return asyncio.run(work)
