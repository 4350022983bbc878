"""``killcord sweep`` and ``walk-forward`` as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.research.files import columns, write
from tui.cli import main

pytest.importorskip("optuna")
CHOICES = ("--param", "strategy.fast=3:9:3", "--param", "strategy.slow=6,20")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path / "home"))


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    data = columns(2_000, 3, step_ms=3_600_000)
    return write(tmp_path / "okx_perp" / "BTCUSDT.parquet", data).parent


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_sweep_is_honest_and_goes_on(candles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("sweep", "--candles", candles, "--workers", 1, *CHOICES)
    answer = run(capsys, *call)
    assert answer["type"] == "sweep"
    assert answer["kernel"]
    assert answer["points"] == answer["total"] == 4  # slow must be above fast
    assert 0 <= answer["deflated_sharpe"] <= 1
    ratios = [row["sharpe"] for row in answer["best"]]
    assert ratios == sorted(ratios, reverse=True)
    assert answer["checked"]["point"] == answer["best"][0]["point"]
    assert len(answer["decision_hash"]) == 32
    again = run(capsys, *call)
    assert again["bars_per_second"] == 0  # nothing was left to do
    assert again["best"] == answer["best"]


def test_other_funding_is_another_search(
    candles: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    start = int(columns(2_000, 3, step_ms=3_600_000)["ts_ms"][0])
    start -= start % (8 * 3_600_000)
    call = ("sweep", "--candles", candles, "--workers", 1, *CHOICES)
    studies = {run(capsys, *call)["study"]}
    for rate in (0.0001, 0.01):
        path = tmp_path / f"okx_{rate}.csv"
        rows = "".join(f"BTCUSDT,{start + k * 8 * 3_600_000},{rate}\n" for k in range(1, 240))
        path.write_text("symbol,ts_ms,funding_rate\n" + rows)
        answer = run(capsys, *call, "--funding", path)
        assert answer["bars_per_second"] > 0  # nothing of another question was taken over
        studies.add(answer["study"])
    assert len(studies) == 3


def test_it_says_what_has_no_form_for_the_kernel(
    candles: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = tmp_path / "home" / "strategies" / "idle.py"
    own.parent.mkdir(parents=True)
    own.write_text(
        "class Idle:\n    def __init__(self, settings): ...\n    def on_candle(self, candle): ...\n"
    )
    call = ["sweep", "--candles", str(candles), "--strategy", "idle", "--workers", "1"]
    assert main([*call, "--param", "strategy.slow=20"]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("through the engine (idle has no form for the fast kernel; ema_")
    assert "  through the engine (idle has" in told.out


def test_a_search_that_was_damaged_is_named(
    candles: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sweeps.sqlite").write_bytes(b"not a database " * 100)
    call = ["sweep", "--candles", str(candles), "--strategy", "funding_carry"]
    assert main([*call, "--param", "strategy.stop_distance=0.01,0.02"]) == 5
    told = capsys.readouterr().err
    assert "sweeps.sqlite: the database cannot be used" in told
    assert "funding_carry never trades: give --funding FILE" in told


def test_a_walk_trades_what_it_chose_before(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("walk-forward", "--candles", candles, "--workers", 1, *CHOICES)
    answer = run(capsys, *call, "--train", "30d", "--test", "15d")
    assert len(answer["folds"]) == answer["total"] == 4
    assert [fold["begin"] for fold in answer["folds"]] == sorted(
        f["begin"] for f in answer["folds"]
    )
    assert all(len(fold["daily"]) <= 16 for fold in answer["folds"])
    assert answer["trades"] == sum(fold["trades"] for fold in answer["folds"]) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("sweep",), 2, "--param"),
        (("sweep", "--param", "strategy.fast=x"), 2, "KEY=LOW:HIGH:STEP"),
        (("sweep", "--param", "strategy.quick=1:3:1"), 2, "no such setting"),
        (("sweep", *CHOICES, "--trials", "0"), 2, "--trials"),
        (
            ("sweep", *CHOICES, "--storage", "postgresql://x:secret@127.0.0.1:1/none"),
            5,
            "--storage postgresql://...@127.0.0.1:1/none: the database cannot be used",
        ),
        (("sweep", *CHOICES, "--scheduler", "tcp://127.0.0.1:1"), 5, "no cluster answers"),
        (("sweep", *CHOICES, "--scheduler", "tcp://here"), 5, "expected an address"),
        (("walk-forward", *CHOICES, "--train", "5s"), 2, "--train"),
        (("walk-forward", *CHOICES, "--train", "900d"), 2, "too short"),
        (("walk-forward", "--param", "strategy.slow=1,2"), 2, "no combination"),
    ],
)
def test_bad_usage(
    candles: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    assert main([*arguments, "--candles", str(candles)]) == code
    assert text in capsys.readouterr().err
