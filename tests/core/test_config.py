"""The configuration reports everything that is wrong with it, at once and by name."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from core.config import DEFAULT_SYMBOLS, Config, Limits, News, Storage, differences
from core.config_file import load, render
from core.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def problems(path: Path, environ: dict[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigError) as raised:
        load(path, environ or {}, overrides)
    return str(raised.value)


def test_defaults_written_out_read_back_as_the_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, render()), {}, {}) == Config(limits=Limits())


@pytest.mark.parametrize("length", [0.25, 5.0, 900.0, 5_400.0, 86_400.0, 0.0123, 12_345.6789])
def test_a_time_written_out_reads_back_the_same(tmp_path: Path, length: float) -> None:
    config = Config(limits=Limits(stale_data=length))
    assert load(write(tmp_path, render(config)), {}, {}).limits.stale_data == length


def test_what_changed_is_told_by_name() -> None:
    before = Config(limits=Limits(), storage=Storage(database_url="postgresql://me:secret@x/y"))
    now = Config(
        limits=Limits(drawdown=Decimal("0.08")),
        symbols=("BTC", "ETH"),
        news=News(feeds={"mine": "https://x.example/rss"}),
    )
    assert "secret" not in json.dumps(before.rules())
    told = differences(json.loads(json.dumps(before.rules())), now.rules())
    assert told[:2] == [
        "limits.drawdown: 0.05 before, 0.08 now",
        "news.feeds: none before, mine https://x.example/rss now",
    ]
    assert len(told) == 3
    assert told[2].endswith("LTC/USDT:USDT before, BTC/USDT:USDT, ETH/USDT:USDT now")
    assert differences({"gone": 1, "limits": {}}, now.rules()) == []


def test_no_file_means_practice_with_limits(tmp_path: Path) -> None:
    config = load(tmp_path / "none.toml", {}, {})
    assert config.environment == "practice"
    assert config.symbols == DEFAULT_SYMBOLS
    assert config.limits.position_notional == Decimal("0.02")


def test_every_problem_is_reported_with_file_key_and_expectation(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        colour = "blue"
        venues = ["bybit", "mtgox"]
        symbols = []
        [limits]
        daily_loss = 3
        leverage = -1
        [strategy]
        fast = 10
        slow = 3
        timeframe = "soon"
        """,
    )
    text = problems(path, {"TRADING_ENVIRONMENT": "prod"}, **{"practice.seed": -1})
    for part in (
        f"{path}: colour: no such setting",
        f"{path}: venues: input should be 'bybit', 'binance' or 'okx', got 'mtgox'",
        f"{path}: symbols: name at least one symbol",
        f"{path}: limits.daily_loss: input should be less than or equal to 1, got 3",
        f"{path}: limits.leverage: input should be greater than 0, got -1",
        f"{path}: strategy.slow: must be greater than fast, got 3",
        f"{path}: strategy.timeframe: ",
        "environment variable TRADING_ENVIRONMENT: environment: ",
        "command line: practice.seed: ",
    ):
        assert part in text
    assert len(text.splitlines()) == 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limits = 5", "limits: "),
        ("environment = 'practice'", "limits: missing"),
        ("[limits\n", "not valid TOML"),
        ("[limits]\nposition_notional = nan", "limits.position_notional: "),
        ("practice = 3\n[limits]", "practice: "),
    ],
)
def test_a_broken_file_is_one_line_that_says_what_to_do(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = problems(write(tmp_path, text))
    assert expected in message
    assert len(message.splitlines()) == 1


def test_the_command_line_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "environment = 'practice'\n[limits]\n")
    environ = {"TRADING_ENVIRONMENT": "testnet", "DATABASE_URL": "sqlite+aiosqlite:///x"}
    assert load(path, {}, {}).environment == "practice"
    config = load(path, environ, {})
    assert (config.environment, config.storage.database_url) == ("testnet", "sqlite+aiosqlite:///x")
    assert load(path, environ, {"environment": "live"}).environment == "live"


def test_stored_testnet_keys_choose_testnet_when_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert load(path, {}, {}, testnet_keys=True).environment == "testnet"
    assert load(path, {"TRADING_ENVIRONMENT": "practice"}, {}, testnet_keys=True).environment == (
        "practice"
    )


@pytest.mark.parametrize("text", ["btc", "BTCUSDT", "BTC-USDT-SWAP", "BTC/USDT:USDT", " btc/usdt "])
def test_symbols_are_read_as_people_write_them(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"symbols = [{text!r}, 'BTC']\n[limits]\n")
    assert load(path, {}, {}).symbols == ("BTC/USDT:USDT",)


@pytest.mark.parametrize(
    ("text", "length"), [("250ms", 0.25), ("5s", 5), ("15m", 900), ("4h", 14400), ("7", 7)]
)
def test_durations(tmp_path: Path, text: str, length: float) -> None:
    path = write(tmp_path, f"[limits]\nstale_data = {text!r}\n")
    assert load(path, {}, {}).limits.stale_data == length
