"""``killcord verify`` on a journal that a desk wrote, and on the same one after a change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.clock import SECOND
from core.journal import wal
from core.model.event import TradingState
from core.model.record import StateRecorded
from core.portfolio.ledger import Ledger
from tui.cli import main


@pytest.fixture
async def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    folder = tmp_path / "practice" / "journal"
    writing = wal.begin(folder, "practice", None, Ledger(), SECOND)
    writing.start(pytest.fail)
    for number in range(3):
        writing.append(StateRecorded(TradingState.DISARMED, "test", "me", number))
    await writing.close()
    return writing.path


def test_a_good_journal(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--env", "practice", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["type"], facts["files"], facts["records"]) == ("verified", 1, 3)
    assert main(["verify", str(journal)]) == 0
    assert "3 records" in capsys.readouterr().out


@pytest.mark.parametrize("at", [3, 60, -200, -2])
def test_a_changed_byte_fails_and_names_the_record(
    journal: Path, capsys: pytest.CaptureFixture[str], at: int
) -> None:
    data = bytearray(journal.read_bytes())
    data[at] ^= 1
    journal.write_bytes(bytes(data))
    assert main(["verify", "--env", "practice"]) == 1
    assert "record" in capsys.readouterr().err


def test_no_journal_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "no journal" in capsys.readouterr().err
