"""Bad input is one line that says what to do, the right exit code, and nothing half-started."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path

import pytest

from tests.whole.conftest import Killcord

pytestmark = [pytest.mark.whole, pytest.mark.timeout(120)]


def check(killcord: Killcord, *arguments: str, code: int, says: str, **environ: str) -> None:
    done = killcord.run(*arguments, timeout=60, **environ)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


def write_config(killcord: Killcord, text: str) -> Path:
    path = killcord.home / "config.toml"
    path.write_text(text)
    return path


HEADLESS = ("--no-ui", "--env", "practice", "--for", "5s")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("venues = ['mtgox']\n[limits]", "venues: input should be 'bybit', 'binance' or 'okx'"),
        ("symbols = ['NOSUCHCOIN']\n[limits]", "NOSUCHCOIN"),
        ("[limits\n", "not valid TOML"),
        ("environment = 'practice'\n", "limits: missing"),
        ("[limits]\ndaily_loss = 40", "limits.daily_loss"),
        ("[limits]\n[strategy]\nname = 'magic'", "magic"),
    ],
)
def test_a_bad_configuration_does_not_start(killcord: Killcord, text: str, says: str) -> None:
    write_config(killcord, text)
    check(killcord, *HEADLESS, code=2, says=says)


def test_a_configuration_file_that_is_not_there(killcord: Killcord) -> None:
    check(killcord, *HEADLESS, "--config", "/no/such.toml", code=2, says="no such file")


def test_commands_without_a_desk(killcord: Killcord) -> None:
    for command in (("status",), ("kill",), ("positions",), ("attach",), ("stop",)):
        check(killcord, *command, code=4, says="no desk is running here")
    done = killcord.run("status", "--json")
    assert json.loads(done.stdout)["error"] == "NoDesk"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("buy", "mtgox", "BTC", "1"), "no venue 'mtgox'"),
        (("buy", "bybit", "BTC", "much"), "QTY must be a number above 0"),
        (("buy", "bybit", "BTC", "1e30"), "QTY must be a number above 0 and below"),
        (("buy", "bybit", "BTC", "1", "--post-only"), "--post-only needs --limit"),
        (("cancel",), "say what to cancel"),
        (("kill", "--venue", "mtgox"), "no venue 'mtgox'"),
        (("keys", "add"), "name a venue"),
        (("--no-ui", "--for", "soon"), "--for takes a duration"),
    ],
)
def test_bad_usage(killcord: Killcord, arguments: tuple[str, ...], says: str) -> None:
    check(killcord, *arguments, code=2, says=says)


def test_testnet_without_keys_says_how_to_add_them(killcord: Killcord) -> None:
    check(killcord, "--no-ui", "--env", "testnet", code=2, says="killcord keys add")


def test_live_needs_both_gates_and_stored_keys(killcord: Killcord) -> None:
    check(killcord, "--no-ui", "--env", "live", code=3, says="TRADING_ENVIRONMENT=live")
    check(
        killcord, "--no-ui", "--env", "live", code=3, says="ALLOW_LIVE_TRADING=true",
        TRADING_ENVIRONMENT="live",
    )  # fmt: skip
    check(
        killcord, "--no-ui", code=3, says="OS keyring only",
        TRADING_ENVIRONMENT="live", ALLOW_LIVE_TRADING="true",
        BYBIT_LIVE_API_KEY="k", BYBIT_LIVE_API_SECRET="s",
    )  # fmt: skip


def test_a_recording_that_does_not_parse(killcord: Killcord, tmp_path: Path) -> None:
    for name, content in (("a.gz", b"1 not json\n"), ("b.gz", b"")):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content))
        check(killcord, *HEADLESS, "--market", str(path), code=1, says=name)
    check(killcord, *HEADLESS, "--market", str(tmp_path / "none.gz"), code=1, says="none.gz")


def test_a_port_in_use(killcord: Killcord) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        check(killcord, "practice", "--port", port, "--for", "5s", code=5, says=port)


def test_a_second_desk_of_the_same_home_ends_before_it_begins(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("a desk", lambda s: s)
        check(killcord, *HEADLESS, code=3, says="another desk")
        assert desk.process.poll() is None


def test_a_state_folder_that_cannot_be_written(killcord: Killcord, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    check(killcord, *HEADLESS, code=2, says="KILLCORD_HOME", KILLCORD_HOME=str(tmp_path / "file"))


def test_a_command_the_desk_cannot_read_is_refused_with_the_reason(killcord: Killcord) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("a desk that is armed", lambda s: s["state"] == "armed" and s["fills"])
        unknown = killcord.run("buy", "bybit", "NOSUCH", "1", "--json")
        assert unknown.returncode == 3
        assert json.loads(unknown.stdout)["ok"] is False
        big = killcord.run("buy", "bybit", "BTC", "1000", "--json")
        answer = json.loads(big.stdout)
        assert big.returncode == 3
        assert answer["code"]
        assert any(digit in answer["detail"] for digit in "0123456789")
