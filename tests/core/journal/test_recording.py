"""Recordings: what went in comes out, in order, also after a crash."""

from pathlib import Path

import pytest

from core.errors import RecordingError
from core.journal import parquet, recording
from core.journal.recording import Recorder, read_recording
from core.model.event import Event, FeedChanged, FeedState, Tick
from core.model.market import Side, Trade


def events(count: int) -> list[Event]:
    found: list[Event] = []
    for n in range(count):
        found.append(
            Trade("bybit", "BTC/USDT:USDT", 61234.5 + n, 0.001, Side.SELL, str(n), n, n + 5)
        )
        if n % 10 == 0:
            found.append(Tick(n))
        if n % 50 == 0:
            found.append(FeedChanged("okx", "books", FeedState.STALE, n, 'no "data"\nfor 5 s'))
    return found


def record(folder: Path, given: list[Event], name: str = "one") -> Recorder:
    recorder = Recorder(folder, name, {"seed": 7}, 7)
    recorder.start()
    assert [recorder.add(event) for event in given] == list(range(1, len(given) + 1))
    return recorder


def test_a_closed_recording_is_parquet_and_reads_back(tmp_path: Path) -> None:
    given = events(3000)
    record(tmp_path, given).close()
    assert [path.suffix for path in sorted((tmp_path / "one").iterdir())] == [".parquet", ".json"]
    assert list(read_recording(tmp_path / "one")) == given
    import pyarrow.parquet as pq

    table = pq.read_table(next((tmp_path / "one").glob("*.parquet")))
    assert table.column("seq").to_pylist() == list(range(1, len(given) + 1))
    assert table.column("received").to_pylist() == [event.received for event in given]
    assert set(table.column("type").to_pylist()) == {"Trade", "Tick", "FeedChanged"}


def test_a_crashed_spool_reads_up_to_its_last_whole_block_and_is_packed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = events(3000)
    monkeypatch.setattr(recording, "pack", lambda spools: False)
    record(tmp_path, given).close()
    monkeypatch.undo()
    spool = next((tmp_path / "one").glob("*.spool"))
    assert list(read_recording(tmp_path / "one")) == given
    spool.write_bytes(spool.read_bytes()[:-7])
    cut = list(read_recording(tmp_path / "one"))
    assert cut == given[: len(cut)]
    assert len(given) - 1000 <= len(cut) < len(given)
    record(tmp_path, events(1), "two").close()
    assert not spool.exists()
    assert list(read_recording(tmp_path / "one")) == cut


def test_segments_rotate_by_size_and_join_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SPOOL_BYTES", 20_000)
    monkeypatch.setattr(recording, "pack", lambda spools: [parquet.convert(s) for s in spools])
    given = events(5000)
    record(tmp_path, given).close()
    segments = sorted((tmp_path / "one").glob("*.parquet"))
    assert len(segments) > 2
    assert list(read_recording(tmp_path / "one")) == given
    segments[1].unlink()
    with pytest.raises(RecordingError, match=r"event \d+ is missing"):
        list(read_recording(tmp_path / "one"))


def test_damage_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "pack", lambda spools: False)
    record(tmp_path, events(3000)).close()
    spool = next((tmp_path / "one").glob("*.spool"))
    data = bytearray(spool.read_bytes())
    data[100] ^= 1
    spool.write_bytes(data)
    with pytest.raises(RecordingError, match="block at byte 8 is damaged"):
        list(read_recording(tmp_path / "one"))
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 no")
    with pytest.raises(RecordingError, match=r"bad\.parquet: is not a recording"):
        list(read_recording(bad))
    with pytest.raises(RecordingError, match="holds no recording"):
        list(read_recording(tmp_path))


def test_a_full_disk_ends_recording_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MIN_FREE_BYTES", 1 << 62)
    told: list[str] = []
    recorder = Recorder(tmp_path, "one", {}, 7, told.append)
    recorder.start()
    recorder.add(Tick(1))
    recorder.close()
    assert len(told) == 1
    assert recorder.stats.failure == told[0]


def test_sessions_are_forgotten_by_age_and_by_size(tmp_path: Path) -> None:
    import os
    import time

    for name, size, days in (("a", 10, 9.0), ("b", 500, 3.0), ("c", 500, 1.0), ("d", 10, 0.0)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "events-000000000001.parquet"
        file.write_bytes(bytes(size))
        os.utime(file, (time.time() - days * 86400,) * 2)
    recording.forget(tmp_path, 7, 600, tmp_path / "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d"]
