"""Recordings: what went in comes out, in order, also after a crash."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.errors import RecordingError
from core.journal import parquet, recorder
from core.journal.recorder import Recorder
from core.journal.recording import (
    End,
    Session,
    read_end,
    read_recording,
    read_session,
)
from core.model.effect import Notify, Record
from core.model.event import Event, FeedChanged, FeedState, Tick
from core.model.market import Side, Trade
from core.model.record import StopMoved


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


SESSION = Session("practice", 1, 0, {}, "TEST", b"0123456789abcdef", "", msgspec.Raw(b"{}"))


def record(folder: Path, given: list[Event], name: str = "one") -> Recorder:
    recorder = Recorder(folder, name, SESSION, 7)
    recorder.start()
    for number, event in enumerate(given, 1):
        assert recorder.add(event) == number
        if number % 100 == 0:
            recorder.decided((Record(StopMoved("okx", "BTC", Decimal(1), "me", number)),))
        if number % 500 == 0:
            recorder.decided((Notify("info", f"number [{number}]", number),))
    return recorder


def read(path: Path, start: int = 1) -> list[Event]:
    return [recorded.event for recorded in read_recording(path, start)]


def test_a_closed_recording_is_parquet_and_reads_back(tmp_path: Path) -> None:
    given = events(3000)
    record(tmp_path, given).close("hash", 9)
    names = [path.name for path in sorted((tmp_path / "one").iterdir())]
    assert names == ["end.json", "events-000000000001.parquet", "session.json"]
    assert read(tmp_path / "one") == given
    import pyarrow.parquet as pq

    table = pq.read_table(next((tmp_path / "one").glob("*.parquet")))
    assert table.column("seq").to_pylist() == list(range(1, len(given) + 1))
    assert table.column("received").to_pylist() == [event.received for event in given]
    assert set(table.column("type").to_pylist()) == {"Trade", "Tick", "FeedChanged"}
    assert read_session(tmp_path / "one") == SESSION
    assert read_end(tmp_path / "one") == End(len(given), "hash", 9)


def test_a_crashed_spool_reads_up_to_its_last_whole_block_and_is_packed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = events(3000)
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    record(tmp_path, given).close("hash", 9)
    monkeypatch.undo()
    spool = next((tmp_path / "one").glob("*.spool"))
    assert read(tmp_path / "one") == given
    spool.write_bytes(spool.read_bytes()[:-7])
    cut = read(tmp_path / "one")
    assert cut == given[: len(cut)]
    assert len(given) - 1000 <= len(cut) < len(given)
    record(tmp_path, events(1), "two").close("hash", 9)
    assert not spool.exists()
    assert read(tmp_path / "one") == cut


@pytest.mark.parametrize("packed", [True, False])
def test_decisions_stay_with_their_event_and_reading_may_begin_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    if not packed:
        monkeypatch.setattr(recorder, "pack", lambda spools: False)
    given = events(3000)
    record(tmp_path, given).close("hash", 9)
    found = {r.seq: r.decisions for r in read_recording(tmp_path / "one") if r.decisions}
    assert list(found) == list(range(500, len(given) + 1, 500))
    for number, text in found.items():
        assert msgspec.json.decode(text) == [
            {"type": "Notify", "level": "info", "text": f"number [{number}]", "ts": number}
        ]
    assert read(tmp_path / "one", 2345) == given[2344:]
    assert next(read_recording(tmp_path / "one", 2500)).decisions == found[2500]


def test_a_session_of_another_version_is_told_apart_from_damage(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is not a recorded session"):
        read_session(tmp_path)
    (tmp_path / "session.json").write_text('{"environment": "practice", "epoch": 1}')
    with pytest.raises(RecordingError, match=r"another version of Killcord.*started"):
        read_session(tmp_path)


def test_segments_rotate_by_size_and_join_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SPOOL_BYTES", 20_000)
    monkeypatch.setattr(recorder, "pack", lambda spools: [parquet.convert(s) for s in spools])
    given = events(5000)
    record(tmp_path, given).close("hash", 9)
    segments = sorted((tmp_path / "one").glob("*.parquet"))
    assert len(segments) > 2
    assert read(tmp_path / "one") == given
    assert read(tmp_path / "one", 4321) == given[4320:]
    segments[1].unlink()
    with pytest.raises(RecordingError, match=r"event \d+ is missing"):
        read(tmp_path / "one")
    segments[0].unlink()
    with pytest.raises(RecordingError, match="event 1 is missing"):
        read(tmp_path / "one")


def test_damage_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    record(tmp_path, events(3000)).close("hash", 9)
    spool = next((tmp_path / "one").glob("*.spool"))
    data = bytearray(spool.read_bytes())
    data[100] ^= 1
    spool.write_bytes(data)
    with pytest.raises(RecordingError, match="block at byte 8 is damaged"):
        read(tmp_path / "one")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 no")
    with pytest.raises(RecordingError, match=r"bad\.parquet: is not a recording"):
        read(bad)
    with pytest.raises(RecordingError, match="holds no recording"):
        read(tmp_path)


def test_a_full_disk_ends_recording_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MIN_FREE_BYTES", 1 << 62)
    told: list[str] = []
    full = Recorder(tmp_path, "one", SESSION, 7, told.append)
    full.start()
    full.add(Tick(1))
    full.close("hash", 9)
    assert len(told) == 1
    assert full.stats.failure == told[0]


def test_sessions_are_forgotten_by_age_and_by_size(tmp_path: Path) -> None:
    import os
    import time

    for name, size, days in (("a", 10, 9.0), ("b", 500, 3.0), ("c", 500, 1.0), ("d", 10, 0.0)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "events-000000000001.parquet"
        file.write_bytes(bytes(size))
        os.utime(file, (time.time() - days * 86400,) * 2)
    recorder.forget(tmp_path, 7, 600, tmp_path / "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d"]
