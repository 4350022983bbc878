"""Recorded sessions as history for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from core.clock import SECOND
from core.errors import RecordingError, UsageError
from core.model.event import Event, Tick
from core.research.books import read_books
from core.research.honesty import audit
from core.research.panel import Around, columns_of, tabulate
from tests.core.journal.test_recording import record
from tests.core.signals.test_context import (
    START,
    SYMBOL,
    VENUE,
    candle_file,
    interest_ticker,
    market,
)


def test_sessions_are_read_in_order_and_become_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Event] = market(1, 400, 0.7)
    for number, event in enumerate(heard[::5]):
        told = interest_ticker(event.received, 100.0 + number)
        heard.insert(heard.index(event), told)
    other = replace(heard[20], venue="okx")
    silent = replace(heard[0], open_interest=None)  # a ticker of something else
    given = [silent, *heard, other, Tick(heard[-1].received)]
    record(tmp_path, given[:200], "20260101T000000-000001").close("x", 1)
    record(tmp_path, given[200:], "20260101T010000-000201").close("x", 2)
    key = (VENUE, SYMBOL)
    found = read_books([tmp_path], [key])
    assert found[key] == heard

    seconds = (heard[-1].received // SECOND - START) + 2
    file = candle_file(min(seconds, 600), 1)
    around = Around(events=found)
    table = dict(zip(columns_of(), tabulate(file, [file], around).T, strict=True))
    assert np.isfinite(table["book_imbalance"]).mean() > 0.5
    assert np.isfinite(table["interest_24"]).mean() > 0.5
    assert audit([file], around) == 0.0

    monkeypatch.setattr("core.research.books.MOST", 100)
    with pytest.raises(UsageError, match="fewer sessions"):
        read_books([tmp_path], [key])
    with pytest.raises(RecordingError, match="holds no recording"):
        read_books([tmp_path / "none"], [key])
