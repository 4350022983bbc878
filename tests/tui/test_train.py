"""``killcord train`` and ``killcord models`` as a person calls them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from core.home import Home
from core.journal.recorder import Recorder
from core.journal.recording import Session
from core.model.event import SentimentScored, Tick
from core.model.market import Fact
from core.model.news import NewsReading
from core.research.past import Facts, Rates
from core.research.search import Finding
from tests.core.research.files import columns, write
from tests.core.research.forecasts import FLAT
from tui.cli import main
from tui.train import of_made_up_candles

SESSION = Session("practice", 1, 0, {}, "TEST", b"0123456789abcdef", "", msgspec.Raw(b"{}"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_walk_without_edge_is_a_normal_answer(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = columns(1_500, step_ms=3_600_000)
    data["volume"][40:45] = 0.0
    path = write(tmp_path / "BTCUSDT.parquet", data)
    train = ["train", "--candles", str(path), "--window", "600", "--test", "100"]
    assert main([*train, "--horizons", "4", "--json"]) == 0, capsys.readouterr()
    answer = json.loads(capsys.readouterr().out)
    assert answer["type"] == "train"
    assert not answer["promoted"]
    assert [trial["kind"] for trial in answer["trials"]] == [
        "linear",
        "lightgbm",
        "xgboost",
        "ensemble",
    ]
    assert main([*train, "--horizons", "2"]) == 0
    text = capsys.readouterr().out
    assert "no edge found" in text
    assert "not the luck of 8 trials" in text
    assert "5 candles have no volume." in text
    assert "as the engine trades it, with stops, sizes and limits: " in text
    assert main([*train, "--horizons", "2", "--set", "strategy.stop_distance=0.9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rehearsal"]["stops"] == 0
    assert main([*train, "--set", "strategy.stop=1"]) == 2
    assert "strategy.stop: no such setting" in capsys.readouterr().err
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed["models"]) == 2
    assert listed["champion"] == ""
    assert main(["models"]) == 0
    assert "no edge" in capsys.readouterr().out
    assert main(["models", "show", answer["id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["symbols"] == ["BTC/USDT:USDT"]
    assert main(["models", "show", answer["id"]]) == 0
    # Fresh for a test of 100 hours and the gaps around it; a quarter of 600 is 150 hours.
    assert "  fresh      until " in (text := capsys.readouterr().out)
    assert "half of what it says fades every 150 h" in text
    assert "    as the engine trades it, with stops, sizes and limits: " in text
    assert main(["models", "promote", answer["id"]]) == 3
    assert "did not pass" in capsys.readouterr().err
    assert main(["models", "demote"]) == 0
    assert "no model was promoted" in capsys.readouterr().out
    backtest = ["backtest", "--strategy", "lightgbm", "--candles", str(path)]
    assert main(backtest) == 2
    assert "killcord train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--candles"),
        (["--synthetic", "ledge=1"], "edge=X"),
        (["--synthetic", "edge=7"], "edge=X"),
        (["--synthetic", "edge=0", "--horizons", "x"], "--horizons"),
        (["--synthetic", "edge=0", "--horizons", "0"], "--horizons"),
        (["--synthetic", "edge=0", "--window", "3"], "--window"),
        (["--synthetic", "edge=0", "--cost", "x"], "--cost"),
        (["--synthetic", "edge=0", "--window", "9000"], "smaller --window"),
        (["--synthetic", "edge=0", "--trials", "-1"], "--trials"),
    ],
)
def test_bad_usage(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *arguments]) == 2
    assert text in capsys.readouterr().err


def test_models_needs_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show"]) == 2
    assert main(["models", "promote", "nothing"]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "no models yet" in capsys.readouterr().out


def test_what_is_around_the_candles_is_read_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3_600_000
    data = columns(900, step_ms=hour)
    for folder in ("binance_perp_1h", "bybit_perp_1h", "binance_spot_1h"):
        for base in ("BTC", "ETH"):
            write(tmp_path / folder / f"{base}USDT.parquet", columns(900, len(folder), hour))
    funding = tmp_path / "funding.csv"
    rows = [f"BTCUSDT,{ts},0.0001" for ts in data["ts_ms"][::8].tolist()]
    funding.write_text("\n".join(["symbol,ts_ms,funding_rate", *rows]))
    monkeypatch.setattr("core.research.search.kinds_here", lambda: ("linear",))
    monkeypatch.setattr("tui.train.kinds_here", lambda: ("linear",))
    train = ["train", "--window", "500", "--test", "100", "--horizons", "4", "--candles"]
    train += [str(tmp_path / "binance_perp_1h"), str(tmp_path / "bybit_perp_1h")]
    around = ["--spot", str(tmp_path / "binance_spot_1h"), "--funding", str(funding)]
    assert main([*train, *around, "--json"]) == 0, capsys.readouterr()
    features = set(json.loads(capsys.readouterr().out)["data"]["features"])
    assert {"venue_gap", "lead_4", "basis_z", "funding", "rsi_14"} <= features
    assert not {"ofi", "spread"} & features  # nobody recorded books
    assert main([*train, *around[:2]]) == 0
    assert "pip install xgboost-cpu" in capsys.readouterr().out
    session = tmp_path / "recording" / "one"
    recorder = Recorder(session.parent, session.name, SESSION, 7)
    recorder.start()
    for number, ts in enumerate(data["ts_ms"].tolist()):
        at = ts * 1_000_000 + 5
        reading = NewsReading("BTC", 0.1 * (number % 7 - 3), 0.4, 0.1, 3, at, 0.1)
        recorder.add(Tick(at))
        recorder.add(SentimentScored(at, "offline", readings=(reading,)))
    recorder.close("hash", 9)
    for path in (session, session.parent):
        assert main([*train, "--news", str(path), "--json"]) == 0, capsys.readouterr()
        features = set(json.loads(capsys.readouterr().out)["data"]["features"])
        assert {"news_score", "news_change", "news_evidence"} <= features
        assert "news_market" not in features  # nobody spoke of the market
    silent = tmp_path / "silent" / "one"
    recorder = Recorder(silent.parent, silent.name, SESSION, 7)
    recorder.start()
    recorder.add(Tick(1))
    recorder.close("hash", 9)
    assert main([*train, "--news", str(silent)]) == 2
    assert "no news was read while it recorded" in capsys.readouterr().err
    assert main([*train, "--news", str(tmp_path / "nothing")]) == 1
    write(tmp_path / "spot_5m" / "BTCUSDT.parquet", columns(900, 1, 300_000))
    assert main([*train, "--spot", str(tmp_path / "spot_5m")]) == 2
    assert "--spot: candles of 300 s" in capsys.readouterr().err
    folder = tmp_path / "funding"
    folder.mkdir()
    text = funding.read_text()
    (folder / "okx_swap.csv").write_text(text)
    assert main([*train, "--funding", str(folder)]) == 2  # neither Binance's nor Bybit's
    assert "--funding: nothing of BTC" in capsys.readouterr().err
    (folder / "bybit_linear.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert main([*train, "--funding", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["data"]
    assert "funding" not in found["features"]  # of Bybit's Bitcoin alone: most rows have none
    (folder / "binance_usdm.csv").write_text(text)
    (folder / "bybit_more.csv").write_text(text.replace("BTCUSDT", "ETHUSDT"))
    assert main([*train, "--funding", str(folder), "--json"]) == 0
    assert "funding" in json.loads(capsys.readouterr().out)["data"]["features"]
    (tmp_path / "silent.csv").mkdir()
    assert main([*train, "--funding", str(tmp_path / "silent.csv")]) == 1
    assert "no file of funding" in capsys.readouterr().err
    assert main([*train, "--funding", str(funding), "--symbols", "ETH"]) == 2
    assert "--funding: nothing of ETH" in capsys.readouterr().err


def test_what_is_stored_of_other_venues_is_looked_at(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that trades the model sees the other venues and what funding was settled."""
    hour = 3_600_000
    for venue in ("bybit", "okx"):
        for base in ("BTC", "ETH"):
            write(tmp_path / f"{venue}_perp_1h" / f"{base}USDT.parquet", columns(900, 3, hour))
        assert main(["history", "import", str(tmp_path / f"{venue}_perp_1h")]) == 0
    monkeypatch.setattr("core.research.search.kinds_here", lambda: ("linear",))
    monkeypatch.setattr("tui.train.kinds_here", lambda: ("linear",))
    capsys.readouterr()
    train = ["train", "--window", "500", "--test", "100", "--horizons", "4"]
    train += ["--venue", "bybit", "--timeframe", "1h", "--json"]
    assert main(train) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert {"venue_gap", "rank_24"} <= set(data["features"])
    assert "funding" not in data["features"]
    assert data["rows"] == 2 * (900 - 168)  # of Bybit alone
    for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT"):
        start = int(columns(900, 3, hour)["ts_ms"][0])
        rates = Rates(Home.find().history("practice"), "bybit", symbol)
        rates.write([(start + k * 8 * hour, 1e-5 * k) for k in range(120)])
        for fact, value in ((Fact.INDEX, 100.0), (Fact.INTEREST, 900.0)):
            past = Facts(Home.find().history("practice"), "bybit", symbol, fact, 3600)
            past.write([(start + k * hour, value + k % 7) for k in range(1, 901)])
    assert main(train) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert {"venue_gap", "funding", "funding_mean"} <= set(data["features"])
    assert {"basis", "basis_z", "interest_24"} <= set(data["features"])
    assert "basis_z" not in data["missing"]
    # A backtest of what is stored plays several venues together, as a desk trades them.
    play = ["backtest", "--timeframe", "1h", "--json", "--venue"]
    assert main([*play, "bybit,okx"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["venues"], report["bars"]) == (["bybit", "okx"], 4 * 900)
    assert report["funding"]
    with pytest.raises(SystemExit):
        main([*play, "bybit,kraken"])
    assert "no venue 'kraken'" in capsys.readouterr().err
    assert main([*play, "bybit,okx", "--candles", str(tmp_path / "bybit_perp_1h")]) == 2


def test_what_is_foretold_may_be_who_does_better(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.research.search.kinds_here", lambda: ("linear",))
    monkeypatch.setattr("tui.train.kinds_here", lambda: ("linear",))
    train = ["train", "--window", "600", "--test", "200", "--horizons", "4", "--label", "relative"]
    assert main([*train, "--synthetic", "edge=0.3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"][0]["label"] == "relative"
    assert found["trials"][0]["auc"] > 0.55
    recipe = json.loads((home / "models-synthetic" / found["id"] / "model.json").read_text())
    assert recipe["relative"]
    assert len(recipe["universe"]) == 4
    path = write(tmp_path / "BTCUSDT.parquet", columns(900, step_ms=3_600_000))
    assert main([*train, "--candles", str(path)]) == 2
    assert "none to be compared with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        ("promoted: a desk with strategy lightgbm trades it", "promoted, and no desk trades it"),
        ("passed: it is watched beside the model that trades", "passed, and no desk trades it"),
        ("no edge found, nothing was promoted", "no edge found, nothing was promoted"),
    ],
)
def test_what_learnt_from_made_up_candles_claims_no_desk(verdict: str, told: str) -> None:
    found = Finding("x", True, verdict, "linear", 4, (), 0, 1, None, (), {}, FLAT)
    assert of_made_up_candles(found).verdict.startswith(told)
