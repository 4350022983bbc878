"""``killcord strategies`` at a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.signals.strategy import BUILT_IN
from tests.core.research.files import columns, write
from tui.cli import main


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    return tmp_path / "strategies"


def test_a_new_one_trades_as_written(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strategies", "new", "my_breakout"]) == 0
    assert str(own / "my_breakout.py") in capsys.readouterr().out
    folder = write(tmp_path / "okx_perp_1m" / "BTCUSDT.parquet", columns(1_500, 1)).parent
    call = ["backtest", "--strategy", "my_breakout", "--candles", str(folder), "--audit", "--json"]
    assert main(call) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["trades"] > 5
    assert answer["audit"]["clean"]
    written = (own / "my_breakout.py").read_text()
    assert main(["strategies", "new", "my_breakout"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (own / "my_breakout.py").read_text() == written


@pytest.mark.parametrize("name", ["", "../x", "2nd", "class", "Mine", "ema_cross", "ensemble"])
def test_names_that_cannot_be(own: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "new", *([name] if name else [])]) == 2
    assert "name" in capsys.readouterr().err
    assert not own.exists()


def test_all_are_listed_and_a_broken_one_hides_none(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strategies", "new", "mine"]) == 0
    (own / "broken.py").write_text("import nothing_that_is_here\n")
    capsys.readouterr()
    assert main(["strategies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("* ema_cross ") and "Long when" in line for line in lines)
    assert any(line.startswith("! broken ") and "does not import" in line for line in lines)
    assert any(line.startswith("  mine ") for line in lines)
    assert main(["strategies", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    names = {one["name"]: one["own"] for one in answer["strategies"]}
    assert {name for name, mine in names.items() if not mine} == {*BUILT_IN, "ensemble"}
    assert {name for name, mine in names.items() if mine} == {"mine", "broken"}
