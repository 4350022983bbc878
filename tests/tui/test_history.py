"""``killcord history`` where there is nothing to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli import main


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("history download kraken BTC 1h", 2, "no venue 'kraken'"),
        ("history download okx BTC 1y", 2, "expected a timeframe"),
        ("history download okx BTC 5s", 2, "a minute and longer"),
        ("history download okx , 1h", 2, "name a symbol"),
        ("history download okx BTC 1h --from soon", 2, "--from soon: expected a date"),
        ("history download okx BTC 1h --from 2026-02-02 --to 2026-02-01", 2, "lies after"),
        ("history export okx BTC 1h x.parquet", 2, "history download okx BTC 1h"),
        ("history export okx BTC 1h x.zip", 2, "ends in .parquet or .csv"),
        ("history import nowhere", 1, "no such file"),
        ("backtest --venue okx --timeframe 1h", 2, "history download okx BTC 1h"),
        ("backtest", 2, "--venue and --timeframe for stored candles"),
        ("train --venue okx --timeframe 1h --symbol ETH", 2, "history download okx ETH 1h"),
    ],
)
def test_it_says_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    code: int,
    text: str,
) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == code
    assert text in capsys.readouterr().err
