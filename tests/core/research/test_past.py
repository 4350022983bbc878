"""Funding and facts: downloaded once, page by page, and kept beside the candles."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import RecordingError
from core.model.market import Fact
from core.research.archive import Archive
from core.research.candles import read_funding
from core.research.past import PAGE, Facts, PastDownload, Rates

EIGHT = 8 * 3_600_000
BTC = "BTC/USDT:USDT"
Row = tuple[int, float]


def venue(count: int, seed: int = 0) -> list[Row]:
    """What a venue has: one settlement every eight hours, the first at 8 o'clock of 1970."""
    return [(k * EIGHT, 1e-6 * ((k * 7 + seed) % 300 - 100)) for k in range(1, count + 1)]


def run(work: PastDownload, told: list[Row]) -> int:
    """Answer until nothing is asked any more; return how often that was."""
    asked = 0
    while (ask := work.next()) is not None:
        asked += 1
        assert asked < 50
        before = [row for row in told if row[0] < ask.before_ms]
        work.take(before[-ask.count :])
    return asked


def test_all_is_fetched_once_and_then_only_what_is_new(tmp_path: Path) -> None:
    rates = Rates(tmp_path, "bybit", BTC)
    told = venue(3 * PAGE + 20)
    end = told[-1][0] + 1
    assert run(PastDownload(rates, EIGHT, end), told) == 4
    assert rates.read() == tuple(told)
    assert rates.read(told[3][0], told[7][0]) == tuple(told[3:7])
    assert read_funding(rates.path)[BTC] == tuple(told)  # a file like any other
    assert not list(Archive(tmp_path).all())  # it is no series of candles
    more = venue(3 * PAGE + 25)
    work = PastDownload(rates, EIGHT, more[-1][0] + 1)
    assert run(work, more) == 1
    assert rates.read() == tuple(more)


def test_what_lies_before_and_between_is_fetched_when_it_is_wanted(tmp_path: Path) -> None:
    rates = Rates(tmp_path, "okx", BTC)
    told = venue(900)
    rates.write(told[300:500])
    rates.write(told[700:])
    run(PastDownload(rates, told[700][0], told[-1][0] + 1), told)
    assert len(rates.read()) == 400
    run(PastDownload(rates, told[10][0], told[-1][0] + 1), told)
    assert rates.read() == tuple(told[10:])
    # A venue that keeps less than is wanted has nothing older: that is no error.
    run(PastDownload(rates, 0, told[-1][0] + 1), told[10:])
    assert rates.read() == tuple(told[10:])
    run(PastDownload(Rates(tmp_path, "okx", "ETH/USDT:USDT"), 0, 10), [])


def test_another_market_is_not_joined_to_the_stored_one(tmp_path: Path) -> None:
    rates = Rates(tmp_path, "binance", BTC)
    run(PastDownload(rates, 0, 100 * EIGHT + 1), venue(100))
    other = venue(110, seed=5)
    with pytest.raises(RecordingError, match="another value"):
        run(PastDownload(rates, 0, 110 * EIGHT + 1), other)
    assert rates.read() == tuple(venue(100))
    run(PastDownload(rates, 0, 110 * EIGHT + 1, replace=True), other)
    assert rates.read() == tuple(other)
    # Also where only what lies before differs: nothing of the other market is left.
    long = venue(700, seed=9)
    rates.forget()
    rates.write([*venue(300, seed=5)[50:60], *long[400:]])
    run(PastDownload(rates, 0, 700 * EIGHT + 1, replace=True), long)
    assert rates.read() == tuple(long)
    rates.path.write_bytes(b"nonsense")
    with pytest.raises(RecordingError, match="cannot be read"):
        rates.read()


def test_what_venues_correct_is_corrected(tmp_path: Path) -> None:
    """Open interest is a statistic; the price of an index is not."""
    hours = [(k * 3_600_000, 900.0 + k % 7) for k in range(1, 101)]
    other = [(ts, value + (ts > 99 * 3_600_000)) for ts, value in hours]
    other.append((101 * 3_600_000, 5.0))
    end = 101 * 3_600_000 + 1
    for fact in Fact:
        past = Facts(tmp_path, "okx", BTC, fact, 3600)
        run(PastDownload(past, 0, end - 3_600_000), hours)
        assert past.read() == tuple(hours)
        if fact is Fact.INTEREST:
            run(PastDownload(past, 0, end), other)
            assert past.read() == tuple(other)
            past.path.write_bytes(b"nonsense")
            with pytest.raises(RecordingError, match="interest.parquet: .*download it again"):
                past.read()
            continue
        with pytest.raises(RecordingError, match="another value"):
            run(PastDownload(past, 0, end), other)
    assert not list(Archive(tmp_path).all())
