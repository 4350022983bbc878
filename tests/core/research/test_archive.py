"""The archive of candles: stored once, in any order, with what is missing known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RecordingError
from core.research.archive import Archive, Ask, Download, Series, timeframe_of, timeframe_text

HOUR_MS = 3_600_000
START = 1_774_915_200_000
"""2026-03-31 00:00 UTC: a day before a month ends."""
BTC = "BTC/USDT:USDT"


def row(hour: int, price: float = 100.0) -> list[float]:
    return [START + hour * HOUR_MS, price, price + 1, price - 1, price, 2.0]


class Venue:
    """Answers as the adapters do: the last candles before an instant."""

    def __init__(self, hours: list[int], price: float = 100.0) -> None:
        self.rows = [row(hour, price) for hour in hours]
        self.asked: list[Ask] = []

    def answer(self, ask: Ask) -> list[list[float]]:
        self.asked.append(ask)
        return [one for one in self.rows if one[0] < ask.before_ms][-ask.count :]


def series(folder: Path) -> Series:
    return Archive(folder).series("okx", BTC, 3600)


def fill(work: Download, venue: Venue, pages: int = 10**9) -> None:
    while pages and (ask := work.next()) is not None:
        work.take(venue.answer(ask))
        pages -= 1


def span(hours: int) -> tuple[int, int]:
    return START, START + hours * HOUR_MS


@settings(max_examples=25)
@given(
    have=st.sets(st.integers(0, 59)),
    known=st.sets(st.integers(0, 59)),
    page=st.integers(1, 25),
    pages=st.integers(0, 5),
)
def test_a_download_ends_with_all_that_the_venue_has(
    tmp_path_factory: pytest.TempPathFactory, have: set[int], known: set[int], page: int, pages: int
) -> None:
    one = series(tmp_path_factory.mktemp("archive"))
    one.write([row(hour) for hour in sorted(known & have)])
    venue = Venue(sorted(have))
    fill(Download(one, *span(60), page), venue, pages)  # and then it is killed
    work = Download(one, *span(60), page)
    fill(work, venue)
    assert one.matrix().tolist() == venue.rows
    left = [ts for first, after in work.gaps() for ts in range(first, after, HOUR_MS)]
    holes = set(range(min(have, default=60), 60)) - have
    assert left == [START + hour * HOUR_MS for hour in sorted(holes)]
    assert work.part == 1.0


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    venue = Venue(list(range(48)))
    fill(Download(series(tmp_path), *span(48)), venue)
    again = Venue(list(range(60)))
    fill(Download(series(tmp_path), *span(60)), again)
    # Three that are known, to see that it is the same market; then the new ones.
    assert [ask.count for ask in again.asked] == [3, 12]
    assert sorted(path.name for path in series(tmp_path).folder.iterdir()) == [
        "2026-03.parquet",
        "2026-04.parquet",
    ]


def test_another_past_is_refused_or_replaced(tmp_path: Path) -> None:
    fill(Download(series(tmp_path), *span(24)), Venue(list(range(24))))
    other = Venue(list(range(48)), price=200.0)
    with pytest.raises(RecordingError, match="2026-03-31 21:00 than is stored; --replace"):
        fill(Download(series(tmp_path), *span(48)), other)
    assert len(series(tmp_path).matrix()) == 24
    work = Download(series(tmp_path), *span(48), replace=True)
    fill(work, other)
    assert work.replaced == 24
    assert series(tmp_path).matrix().tolist() == other.rows


def test_the_newest_stretch_without_a_gap_is_read(tmp_path: Path) -> None:
    series(tmp_path).write([row(hour) for hour in (0, 1, 2, 5, 6, 30)] + [row(31)])
    assert series(tmp_path).read().ts.tolist() == [START + h * HOUR_MS for h in (30, 31)]
    held = Archive(tmp_path).describe(series(tmp_path))
    assert (held.candles, held.gaps, held.missing) == (7, 2, 25)
    assert [one.folder for one in Archive(tmp_path).all()] == [series(tmp_path).folder]


@pytest.mark.parametrize(
    "bad",
    [
        [START, 100.0, 99.0, 98.0, 100.0, 1.0],
        [START, 100.0, 101.0, 99.0, float("nan"), 1.0],
        [START, 100.0, 101.0, 99.0, 100.0, -1.0],
        [START + 1, 100.0, 101.0, 99.0, 100.0, 1.0],
    ],
)
def test_a_venue_that_talks_nonsense_is_named(tmp_path: Path, bad: list[float]) -> None:
    work = Download(series(tmp_path), *span(1))
    assert work.next() is not None
    with pytest.raises(RecordingError, match="okx BTC/USDT:USDT: 2026-03-31 00:00: not a candle"):
        work.take([bad])
    assert not len(series(tmp_path).matrix())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    series(tmp_path).write([row(0), row(1)])
    path = series(tmp_path).folder / "2026-03.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordingError, match=r"2026-03.parquet: .*; remove it and download"):
        series(tmp_path).read()


def test_the_newest_word_on_a_candle_counts(tmp_path: Path) -> None:
    series(tmp_path).write([row(0), row(1)])
    series(tmp_path).write([row(1, 50.0), row(1, 60.0)])
    np.testing.assert_array_equal(series(tmp_path).matrix()[:, 1], [100.0, 60.0])


@pytest.mark.parametrize(
    ("text", "length"), [("1m", 60), ("15m", 900), ("4h", 14400), ("1d", 86400)]
)
def test_timeframes_are_written_as_people_do(text: str, length: int) -> None:
    assert timeframe_of(text) == length
    assert timeframe_text(length) == text


@pytest.mark.parametrize("text", ["", "h", "0m", "1x", "-1m", "1.5h"])
def test_other_timeframes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a timeframe"):
        timeframe_of(text)
