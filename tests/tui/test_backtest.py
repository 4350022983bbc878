"""``killcord backtest`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.research.files import START_MS, columns, write
from tests.core.research.test_flow import frames
from tui.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "okx_perp_1m"
    for seed, base in enumerate(("BTC", "ETH")):
        write(folder / f"{base}USDT.parquet", columns(3_000, seed))
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["backtest", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_same_twice_and_all_the_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(capsys, "--strategy", "ema_cross", "--candles", folder)
    two = run(capsys, "--strategy", "ema_cross", "--candles", folder)
    timing = {"seconds", "bars_per_second"}
    assert {k: v for k, v in one.items() if k not in timing} == {
        k: v for k, v in two.items() if k not in timing
    }
    assert one["type"] == "backtest"
    assert one["bars"] == 6_000
    assert (one["venues"], one["symbols"]) == (["okx"], ["BTC", "ETH"])
    assert one["start"] == "2023-11-15T00:00:00Z"
    assert one["trades"] > 50
    assert one["sharpe_low"] < one["sharpe"] < one["sharpe_high"]
    assert 0 < one["max_drawdown"] < 1
    assert one["fees"] == pytest.approx(sum(part["fees"] for part in one["by_symbol"]))
    assert len(one["decision_hash"]) == 32
    other = run(capsys, "--candles", folder, "--set", "strategy.slow=30")
    assert other["decision_hash"] != one["decision_hash"]


def test_a_strategy_that_raises_is_a_failed_backtest(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = tmp_path / "home" / "strategies" / "brittle.py"
    own.parent.mkdir(parents=True)
    own.write_text(
        "class Brittle:\n"
        "    def __init__(self, settings): ...\n"
        "    def on_candle(self, candle):\n"
        "        return 1 / 0\n"
    )
    call = ["--strategy", "brittle", "--candles", str(folder)]
    assert main(["backtest", *call]) == 1
    told = capsys.readouterr().out
    assert "FAILED        okx BTC/USDT:USDT: brittle is stopped here: ZeroDivisionError" in told
    assert "(brittle.py line 4 in on_candle)" in told
    assert main(["backtest", *call, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["failed"]) == 2
    # Trying settings of it ends at the first.
    choice = ["--param", "strategy.slow=20,40", "--workers", "1"]
    pytest.importorskip("optuna")
    assert main(["sweep", *call, *choice]) == 1
    assert "killcord: the strategy raised: okx BTC" in capsys.readouterr().err
    own.write_text("import nothing_that_is_here\n")
    assert main(["sweep", *call, *choice]) == 2
    assert f"{own}: does not import: line 1: ModuleNotFoundError" in capsys.readouterr().err


def test_costs_are_what_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calm = ("--set", "strategy.fast=20", "--set", "strategy.slow=60", "--symbols", "ETH")
    plain = run(capsys, "--candles", folder, *calm, "--taker-fee", "0")
    assert plain["fees"] == 0
    assert plain["symbols"] == ["ETH"]
    dear = run(capsys, "--candles", folder, *calm, "--taker-fee", "0", "--slippage", "2")
    assert dear["equity_end"] < plain["equity_end"]
    funding = folder.parent / "funding.csv"
    rows = "".join(f"ETHUSDT,{START_MS + i * 3_600_000},0.001\n" for i in range(48))
    funding.write_text("symbol,ts_ms,funding_rate\n" + rows)
    funded = run(capsys, "--candles", folder, *calm, "--taker-fee", "0", "--funding", funding)
    apart = folder.parent / "settled"  # a folder with a file a venue
    apart.mkdir()
    (apart / "okx_swap.csv").write_bytes(funding.read_bytes())
    other = run(capsys, "--candles", folder, *calm, "--taker-fee", "0", "--funding", apart)
    assert other["decision_hash"] == funded["decision_hash"]
    assert funded["funding"] != 0


def test_a_table_for_a_person(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", "--candles", str(folder), "--symbols", "BTC"]) == 0
    text = capsys.readouterr().out
    for word in ("Sharpe", "95 % interval", "max drawdown", "fees", "bars/s", "decisions", "BTC"):
        assert word in text


@pytest.mark.parametrize(
    ("extra", "code", "text"),
    [
        (("--strategy", "nonsense"), 2, "strategy.name"),
        (("--symbols", "DOGE"), 2, "DOGE in"),
        (("--symbols", "DOGE"), 2, "there is BTC, ETH"),
        (("--set", "strategy.fast"), 2, "KEY=VALUE"),
        (("--set", "strategy.fast=x"), 2, "strategy.fast"),
        (("--set", "strategy.quick=3"), 2, "no such setting"),
        (("--taker-fee", "nan"), 2, "--taker-fee"),
        (("--balance", "0"), 2, "--balance"),
        (("--html", "/nowhere/at/all.html"), 2, "--html"),
        (("--config", "/nowhere/at/all.toml"), 2, "no such file"),
        (("--funding", "/nowhere/at/all.csv"), 1, "cannot be read"),
    ],
)
def test_bad_usage(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    extra: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    assert main(["backtest", "--candles", str(folder), *extra]) == code
    assert text in capsys.readouterr().err


def test_files_that_do_not_fit_together(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = write(tmp_path / "SOLUSDT.csv", columns(50, step_ms=300_000))
    assert main(["backtest", "--candles", str(folder), str(slow)]) == 2
    assert "one timeframe" in capsys.readouterr().err
    twice = [str(folder / "BTCUSDT.parquet")] * 2
    assert main(["backtest", "--candles", *twice]) == 2
    assert "same symbol" in capsys.readouterr().err
    bad = columns(50)
    bad["close"][20] = float("nan")
    write(folder / "XRPUSDT.parquet", bad)
    assert main(["backtest", "--candles", str(folder), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "XRPUSDT.parquet: row 21" in answer["detail"]


def test_trades_and_books_are_played_by_the_same_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trades = tmp_path / "binance_btcusdt.csv"
    prices = [60_000 + 40 * (i // 150 % 2) + i % 7 for i in range(3_000)]
    rows = "".join(
        f"{START_MS + i * 250},{price},0.5,{'buy' if i % 3 else 'sell'}\n"
        for i, price in enumerate(prices)
    )
    trades.write_text("ts_ms,price,qty,side\n" + rows)
    answer = run(capsys, "--trades", trades, "--timeframe", "5s", "--latency", "20")
    assert (answer["source"], answer["venues"]) == ("trades", ["binance"])
    assert answer["timeframe"] == 5
    assert answer["trades"] >= 5
    again = run(capsys, "--trades", trades, "--timeframe", "5s", "--latency", "20")
    assert again["decision_hash"] == answer["decision_hash"]
    late = run(capsys, "--trades", trades, "--timeframe", "5s", "--latency", "900")
    assert late["equity_end"] != answer["equity_end"]
    answer = run(capsys, "--books", frames(tmp_path / "books.gz"))
    assert (answer["source"], answer["bars"]) == ("books", 8)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 2, "one of --candles, --trades"),
        (("--trades", "a.csv", "--books", "b.gz"), 2, "one of --candles"),
        (("--trades", "/nowhere/btcusdt.csv"), 1, "no such file"),
        (("--books", "/nowhere/btcusdt.gz"), 1, "no such file"),
        (("--recording", "last"), 1, "nothing is recorded"),
        (("--recording", "last", "--audit"), 2, "--audit"),
        (("--trades", "/nowhere/btcusdt.csv", "--latency", "soon"), 1, "no such file"),
    ],
)
def test_nothing_to_play(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, text: str
) -> None:
    assert main(["backtest", *arguments]) == code
    assert text in capsys.readouterr().err


def test_a_page_and_an_audit(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    chosen = ("--candles", folder, "--symbols", "BTC", "--set", "strategy.slow=30")
    answer = run(capsys, *chosen, "--html", page, "--audit")
    assert answer["decision_hash"] in page.read_text()
    assert answer["audit"]["clean"]
    assert answer["trips"]["won"] > 0
    assert answer["monte_carlo"]["draws"] == 1000
    assert answer["months"][0]["month"] == "2023-11"
    assert answer["curve"][-1][1] == answer["equity_end"]
    assert main(["backtest", *map(str, chosen), "--audit"]) == 0
    text = capsys.readouterr().out
    assert "look-ahead    clean" in text
    assert "luck" in text


def test_a_strategy_that_cheats_fails_its_audit(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "home" / "strategies"
    own.mkdir(parents=True)
    (own / "keeps.py").write_text(
        "from core.signals.decision import Decision\n"
        "seen = []\n"
        "class Keeps:\n"
        "    warmup = 1\n"
        "    def __init__(self, settings):\n"
        "        self.name, self.timeframe = 'keeps', int(settings.timeframe)\n"
        "    def on_candle(self, candle):\n"
        "        seen.append(candle)\n"
        "        if len(seen) % 7 == 0:\n"
        "            return Decision(1 if len(seen) % 2 else -1, 0.0, 'kept')\n"
    )
    arguments = ["backtest", "--candles", str(folder), "--symbols", "BTC"]
    assert main([*arguments, "--strategy", "keeps", "--audit"]) == 1
    assert "SEES THE FUTURE" in capsys.readouterr().out
