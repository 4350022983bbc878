"""Keys come from safe places only, and a Secret shows itself to no one."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import KeyRefused, UsageError
from core.home import Home
from core.keys import KeyIndex, credentials, has_testnet_keys, news_keys, variables
from core.secrets import Secret
from core.vault import Vault, VaultUnavailable

CANARY = "canary-7f3a"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_secret_does_not_print(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger("test").warning("key %s %r", secret, secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", str([secret]), caplog.text]
    assert not any(CANARY in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret.reveal() == CANARY


def test_names_follow_the_venue() -> None:
    assert variables("bybit", "testnet") == ("BYBIT_TESTNET_API_KEY", "BYBIT_TESTNET_API_SECRET")
    assert variables("okx", "testnet")[2] == "OKX_DEMO_API_PASSPHRASE"
    assert variables("okx", "live")[0] == "OKX_LIVE_API_KEY"
    with pytest.raises(UsageError, match="no venue 'kraken'"):
        variables("kraken", "live")
    with pytest.raises(UsageError, match="practice has no keys"):
        variables("okx", "practice")


def test_testnet_keys_may_come_from_the_environment(home: Home) -> None:
    environ = {"BYBIT_TESTNET_API_KEY": "k", "BYBIT_TESTNET_API_SECRET": CANARY}
    found = credentials("bybit", "testnet", home, environ)
    assert found is not None
    assert (found.key.reveal(), found.secret.reveal()) == ("k", CANARY)
    assert found.source == "environment"
    assert CANARY not in repr(found)
    assert has_testnet_keys(home, environ)
    assert credentials("okx", "testnet", home, environ) is None


def test_live_keys_in_the_environment_are_refused(home: Home) -> None:
    environ = {"BINANCE_LIVE_API_KEY": "k", "BINANCE_LIVE_API_SECRET": CANARY}
    with pytest.raises(KeyRefused, match="keyring only") as raised:
        credentials("binance", "live", home, environ)
    assert CANARY not in str(raised.value)


def test_a_part_of_a_key_is_named(home: Home) -> None:
    with pytest.raises(KeyRefused, match="OKX_DEMO_API_SECRET, OKX_DEMO_API_PASSPHRASE is not set"):
        credentials("okx", "testnet", home, {"OKX_DEMO_API_KEY": "k"})


def test_a_key_that_left_the_keyring_is_missed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    KeyIndex(home).change("bybit", "live", present=True)
    monkeypatch.setattr(Vault, "fetch", lambda *_: {"BYBIT_LIVE_API_KEY": Secret("k")})
    with pytest.raises(KeyRefused, match="BYBIT_LIVE_API_SECRET is no longer in the OS keyring"):
        credentials("bybit", "live", home, {})
    assert credentials("okx", "live", home, {}) is None


def test_the_index_remembers_names_alone(home: Home) -> None:
    index = KeyIndex(home)
    index.change("okx", "live", present=True)
    index.change("bybit", "testnet", present=True)
    index.change("okx", "live", present=False)
    assert index.stored() == {("bybit", "testnet")}
    (home.config / "keys.json").write_text("not json")
    assert index.stored() == frozenset()


@pytest.mark.parametrize(
    "backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"]
)
def test_a_backend_that_keeps_nothing_safe_is_refused(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    with pytest.raises(VaultUnavailable, match="no OS keyring that keeps secrets safe") as raised:
        Vault("killcord-test").store({"NAME": Secret(CANARY)})
    assert CANARY not in str(raised.value)


def test_a_keyring_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slow_backend.py").write_text(
        "import time\nfrom keyring.backend import KeyringBackend\ntime.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "slow_backend.Keyring")
    monkeypatch.setattr("core.vault.TIME_LIMIT", 0.5)
    with pytest.raises(VaultUnavailable, match="did not answer"):
        Vault("killcord-test").fetch(["NAME"])


ROUND_TRIP = """
from core.secrets import Secret
from core.vault import Vault
vault = Vault("killcord-test")
print(vault.store({"A": Secret("one"), "B": Secret("two")}))
found = vault.fetch(["A", "B", "C"])
assert {k: v.reveal() for k, v in found.items()} == {"A": "one", "B": "two"}
vault.remove(["A", "C"])
assert set(vault.fetch(["A", "B"])) == {"B"}
assert Vault("killcord-other").fetch(["B"]) == {}
"""


def test_the_secret_service_keeps_what_it_is_given(tmp_path: Path) -> None:
    if not (shutil.which("dbus-run-session") and shutil.which("gnome-keyring-daemon")):
        pytest.skip("needs dbus-run-session and gnome-keyring-daemon (Debian: dbus, gnome-keyring)")
    shell = (
        "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 &&"
        f' {sys.executable} -W ignore -c "$ROUND_TRIP"'
    )
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", shell],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "ROUND_TRIP": ROUND_TRIP},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SecretService" in done.stdout


def test_keys_of_news_services_come_from_the_environment_too(home: Home) -> None:
    assert news_keys(home, {}) == {}
    found = news_keys(home, {"NEWS_API_KEY": CANARY, "POLYGON_API_KEY": ""})
    assert list(found) == ["NEWS_API_KEY"]
    assert found["NEWS_API_KEY"].reveal() == CANARY
    # A stored news key says nothing about venues.
    KeyIndex(home).change("newsapi", "news", present=True)
    assert not has_testnet_keys(home, {})
