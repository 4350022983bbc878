"""The write-ahead log: nothing reported durable is lost, no damage goes unnoticed."""

import asyncio
import os
import re
import subprocess
import sys
from bisect import bisect_right
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import JournalCorrupt, StateError
from core.journal import frames, wal
from core.model.market import Side
from core.model.order import Order, OrderKind
from core.model.record import CashAdjusted, Intent
from core.portfolio.checkpoint import take
from core.portfolio.ledger import Ledger


def intent(number: int) -> Intent:
    order = Order(
        client_id=f"K1TEST01{number:09d}E000000",
        venue="bybit",
        symbol="BTC/USDT:USDT",
        side=Side.BUY,
        kind=OrderKind.MARKET,
        qty=Decimal("0.033"),
        created=number,
    )
    return Intent(order)


def adjusted(number: int) -> CashAdjusted:
    return CashAdjusted("okx", Decimal(number), number, "test")


async def filled(folder: Path, count: int) -> Path:
    journal = wal.begin(folder, "practice", None, Ledger(), 1)
    journal.start(lambda reason: pytest.fail(reason))
    for number in range(count):
        journal.append(adjusted(number))
    await journal.close()
    return journal.path


async def test_records_come_back_in_order_and_the_next_epoch_links_to_them(tmp_path: Path) -> None:
    journal = wal.begin(tmp_path, "practice", None, Ledger(), 1)
    journal.start(lambda reason: pytest.fail(reason))
    journal.append(adjusted(0))
    journal.append(adjusted(1))
    await journal.append_durable(intent(2))
    journal.append(adjusted(3))
    await journal.close()
    replay = frames.load(tmp_path)
    assert replay is not None
    assert replay.records == (adjusted(0), adjusted(1), intent(2), adjusted(3))
    assert replay.epoch.epoch == journal.epoch == 1
    later = wal.begin(tmp_path, "practice", replay, Ledger(), 2)
    await later.close()
    found = frames.load(tmp_path)
    assert found is not None
    assert (found.epoch.epoch, found.epoch.previous) == (2, replay.chain.hex())
    assert frames.verify(tmp_path).files == 2


async def test_a_turned_journal_replays_to_the_same_ledger(tmp_path: Path) -> None:
    journal = wal.begin(tmp_path, "practice", None, Ledger(), 1)
    journal.start(lambda reason: pytest.fail(reason))
    ledger = Ledger()
    for number in range(100):
        record = intent(number)
        ledger.apply(record)
        journal.append(record)
        if number % 30 == 29:
            journal.turn(ledger, number)
    waited = intent(100)
    ledger.apply(waited)
    await journal.append_durable(waited)
    await journal.close()
    replay = frames.load(tmp_path)
    assert replay is not None
    assert (replay.epoch.epoch, len(replay.records)) == (4, 11)
    assert frames.verify(tmp_path).records == 101
    assert take(frames.rebuild(replay)) == take(ledger)


async def test_waiting_intents_share_syncs_and_a_durable_record_is_on_disk(tmp_path: Path) -> None:
    journal = wal.begin(tmp_path, "practice", None, Ledger(), 1)
    journal.start(lambda reason: pytest.fail(reason))
    await asyncio.gather(*(journal.append_durable(intent(n)) for n in range(200)))
    assert len(frames.read(journal.path).records) == 200
    assert journal.stats.syncs < 20
    await journal.close()


async def test_a_caller_that_is_cancelled_leaves_a_whole_journal(tmp_path: Path) -> None:
    journal = wal.begin(tmp_path, "practice", None, Ledger(), 1)
    journal.start(pytest.fail)

    async def write(number: int) -> None:
        await journal.append_durable(intent(number))

    for steps in range(12):  # cancelled at every step of the way, and after the last
        task = asyncio.create_task(write(steps))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await journal.append_durable(intent(99))
    await journal.close()
    numbers = [record.order.created for record in frames.read(journal.path).records]  # type: ignore[union-attr]
    assert numbers[-1] == 99
    assert numbers == sorted(numbers)
    assert set(range(2, 12)) <= set(numbers), "what was given is written, whoever still waits"
    assert frames.verify(tmp_path).tail == ""


async def test_every_torn_tail_is_cut_back_to_the_last_whole_record(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    data = path.read_bytes()
    last = data.rindex(b"\xabKW\x01")
    for size in range(last + 1, len(data)):
        path.write_bytes(data[:size])
        replay = frames.load(tmp_path)
        assert replay is not None
        assert replay.records == (adjusted(0), adjusted(1))
        assert replay.torn == size - last
        assert path.stat().st_size == last
        kept = path.with_suffix(f".torn-{last}")
        assert kept.read_bytes() == data[last:size], "what is cut is not thrown away"
    assert frames.files(tmp_path) == [path]


async def test_a_tail_of_zeros_is_torn_not_corrupt(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    with path.open("ab") as file:
        file.write(bytes(4096))
    replay = frames.read(path)
    assert (len(replay.records), replay.torn) == (3, 4096)


@settings(max_examples=300)
@given(data=st.data())
def test_any_changed_byte_before_the_last_record_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("wal")
    path = asyncio.run(filled(folder, 4))
    good = path.read_bytes()
    at = data.draw(st.integers(0, good.rindex(b"\xabKW\x01") - 1))
    bit = data.draw(st.integers(0, 7))
    path.write_bytes(good[:at] + bytes([good[at] ^ (1 << bit)]) + good[at + 1 :])
    with pytest.raises(JournalCorrupt, match=r"record \d"):
        frames.verify(path)


async def test_any_changed_byte_at_all_is_told_and_names_the_record(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    good = path.read_bytes()
    whole = frames.verify(path)
    assert whole.tail == ""
    starts = [found.start() for found in re.finditer(rb"\xabKW\x01", good)]
    assert len(starts) == 4
    for at in range(len(good)):
        number = bisect_right(starts, at) - 1
        for flip in (0x01, 0x10, 0x80, 0xFF):
            path.write_bytes(good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :])
            try:
                told = frames.verify(path).tail
            except JournalCorrupt as error:
                told = str(error)
            assert f"{path.name}: record {number} at byte {starts[number]} " in told, (at, flip)


async def test_a_missing_file_between_epochs_is_found(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    for _ in range(2):
        replay = frames.load(tmp_path)
        await wal.begin(tmp_path, "practice", replay, frames.rebuild(replay), 2).close()
    assert frames.verify(tmp_path).files == 3
    (tmp_path / "journal-000002.wal").unlink()
    with pytest.raises(JournalCorrupt, match="does not continue"):
        frames.verify(tmp_path)


async def test_an_older_file_that_is_cut_is_not_a_torn_tail(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    replay = frames.load(tmp_path)
    await wal.begin(tmp_path, "practice", replay, frames.rebuild(replay), 2).close()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(JournalCorrupt, match=r"record \d+ .*cut or changed"):
        frames.verify(tmp_path)


async def test_a_dropped_or_swapped_record_breaks_the_chain(tmp_path: Path) -> None:
    path = await filled(tmp_path, 4)
    parts = [b"\xabKW\x01" + part for part in path.read_bytes().split(b"\xabKW\x01")[1:]]
    path.write_bytes(b"".join(parts[:2] + parts[3:]))
    with pytest.raises(JournalCorrupt, match=r"record 2 .*does not follow"):
        frames.verify(path)
    path.write_bytes(b"".join([parts[0], parts[2], parts[1], *parts[3:]]))
    with pytest.raises(JournalCorrupt, match=r"record 1 .*does not follow"):
        frames.verify(path)


async def test_a_replaced_file_between_epochs_is_found(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    replay = frames.load(tmp_path)
    await wal.begin(tmp_path, "practice", replay, Ledger(), 2).close()
    elsewhere = tmp_path / "other"
    (tmp_path / "journal-000001.wal").write_bytes((await filled(elsewhere, 2)).read_bytes())
    with pytest.raises(JournalCorrupt, match="does not continue"):
        frames.verify(tmp_path)


async def test_a_refusing_disk_fails_the_intent_and_is_told_once(tmp_path: Path) -> None:
    journal = wal.begin(tmp_path, "practice", None, Ledger(), 1)
    told: list[str] = []
    journal.start(told.append)
    os.close(journal._descriptor)
    with pytest.raises(StateError, match="cannot be written"):
        await journal.append_durable(intent(1))
    with pytest.raises(StateError, match="cannot be written"):
        await journal.append_durable(intent(2))
    journal._descriptor = -1
    await journal.close()
    assert len(told) == 1


def test_an_unwritable_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="journal cannot be written"):
        wal.begin(tmp_path / "file", "practice", None, Ledger(), 1)


_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.core.journal.test_wal import intent
from core.journal import frames, wal
from core.portfolio.checkpoint import take
from core.portfolio.ledger import Ledger
async def main():
    folder = Path({folder!r})
    journal = wal.begin(folder, "practice", frames.load(folder), Ledger(), 1)
    journal.start(lambda reason: None)
    number = 0
    while True:
        await journal.append_durable(intent(number))
        print(number, flush=True)
        number += 1
asyncio.run(main())
"""


def test_what_was_durable_survives_kill_9(tmp_path: Path) -> None:
    code = _WRITER.format(folder=str(tmp_path))
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
        ) as child:
            assert child.stdout is not None
            seen = -1
            for line in child.stdout:
                seen = int(line)
                if seen >= 40:
                    child.kill()
                    break
            rest = child.stdout.read().split("\n")
            seen = max([seen, *(int(line) for line in rest[:-1] if line)])
        replay = frames.load(tmp_path)
        assert replay is not None
        numbers = [r.order.created for r in replay.records if isinstance(r, Intent)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > seen
