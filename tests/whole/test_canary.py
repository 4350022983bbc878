"""No secret in anything that is written: while all is well, under faults, or in a crash."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import logging
import os
import pty
import select
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from core.desk import log_file
from core.desk.log_file import LogFile
from core.secrets import Secret
from exchanges.access import Access
from exchanges.practice.server import Options, serve
from exchanges.venue import open_gateway
from tests.whole.canary import Scan, forms
from tests.whole.conftest import ROOT, Desk, Killcord
from tests.whole.test_faults import mixed

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

CANARY = "c4n4ry" + "0123456789abcdef" * 2
PARTS = ("odd-bodies", "refused-requests", "server-errors", "malformed-frames", "rejected-stops")
TALKATIVE = '''
import logging

from core.signals.decision import Decision


class Talkative:
    """Trades BTC, raises on ETH, and turns on all logging there is."""

    warmup = 0

    def __init__(self, settings):
        self.target = 0
        logging.getLogger().setLevel(logging.DEBUG)
        logging.basicConfig(level=logging.DEBUG)

    def on_candle(self, candle):
        self.target = 1 - self.target
        if candle.symbol.startswith("ETH") and self.target:
            raise {raises}
        return Decision(self.target, 0.0, "in turn")
'''


def settings_of(killcord: Killcord, raises: str) -> None:
    path = killcord.home / "config.toml"
    text = path.read_text().replace("start = false", "start = true")
    path.write_text(text + "name = 'talkative'\n")
    (killcord.home / "strategies").mkdir()
    code = TALKATIVE.replace("{raises}", raises)
    (killcord.home / "strategies" / "talkative.py").write_text(code)
    killcord.environ |= {
        # The interpreter says what it can where a process dies of a signal.
        "PYTHONFAULTHANDLER": "1",
        "BYBIT_TESTNET_API_KEY": CANARY,
        "BYBIT_TESTNET_API_SECRET": CANARY,
        "NEWS_API_KEY": CANARY,
    }


def practice_keys(home: Path) -> list[str]:
    ready = json.loads((home / "run" / "practice.json").read_text())
    return [text for keys in ready["keys"].values() for text in keys.values()]


def attached(killcord: Killcord, seconds: float) -> bytes:
    """Return what a terminal on the desk paints until it dies of an abort."""
    pid, device = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "tui.cli", "attach"]
        os.execve(sys.executable, command, killcord.environ | {"TERM": "xterm-256color"})
    seen, end, aborted = b"", time.monotonic() + 30, False
    with contextlib.suppress(OSError):  # Linux ends a device like this
        while time.monotonic() < end:
            if select.select([device], [], [], 0.05)[0]:
                seen += os.read(device, 1 << 16)
            if b"PRACTICE" in seen and not aborted:
                aborted, end = True, time.monotonic() + seconds
        os.kill(pid, signal.SIGABRT)
        while data := os.read(device, 1 << 16):
            seen += data
    os.close(device)
    os.waitpid(pid, 0)
    assert aborted, seen[-500:]
    return seen


def command_lines() -> bytes:
    """Return the command lines of all processes."""
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += path.read_bytes() + b"\n"
    return found


def core_limit(pid: int) -> list[str]:
    """Return the limits on a process's core dumps."""
    text = Path(f"/proc/{pid}/limits").read_text()
    return next(line for line in text.splitlines() if "core file" in line).split()[4:6]


def search(killcord: Killcord, outputs: dict[str, bytes]) -> Scan:
    home = killcord.home
    scan = Scan([*practice_keys(home), CANARY])
    # The one file that has to hold the keys of the practice exchange.
    scan.look_into(home, home / "run" / "practice.json")
    for where, data in outputs.items():
        scan.look(where, data)
    return scan


def live_and_crash(killcord: Killcord, faults: str, number: signal.Signals) -> Scan:
    outputs: dict[str, bytes] = {}
    with killcord.desk("--seed", "7", "--faults", faults) as desk:
        desk.wait(
            "it trades, guarded",
            lambda s: (
                sum(v["fills"] for v in s["venues"]) > 5
                and (s["guard"] or {}).get("state") == "watching"
                and any("STRATEGY_FAILED" in str(line) for line in tuple(desk.lines))
            ),
        )
        outputs["terminal"] = attached(killcord, 1.0)
        for words in (("status",), ("config", "show"), ("keys", "list"), ("orders", "list")):
            done = killcord.run(*words)
            outputs[" ".join(words)] = (done.stdout + done.stderr).encode()
        guard = int((killcord.home / "run" / "guard.lock").read_text().split()[0])
        outputs["command lines"] = command_lines()
        assert core_limit(desk.process.pid) == core_limit(guard) == ["0", "0"]
        crash(desk, guard, number)
        outputs["desk"] = (json.dumps(desk.lines) + desk.errors).encode()
    return search(killcord, outputs)


def crash(desk: Desk, guard: int, number: signal.Signals) -> None:
    os.kill(guard, number)
    desk.process.send_signal(number)
    desk.process.wait(20)
    for reader in desk._readers:
        reader.join(10)


def test_nothing_that_is_written_holds_a_secret(killcord: Killcord, tmp_path: Path) -> None:
    settings_of(killcord, "MemoryError(self.__dict__)")
    faults = mixed(tmp_path, *PARTS)
    scan = live_and_crash(killcord, faults, signal.SIGABRT)
    assert scan.hits == []
    assert scan.bytes > 100_000
    # Everything that can be written was: the scan would have seen it.
    names = {path.name for path in killcord.home.rglob("*")}
    assert {"killcord.log", "guard.log", "killcord.db", "session.json"} <= names
    log = (killcord.home / "killcord.log").read_text()
    assert "STRATEGY_FAILED" in log
    assert "Fatal Python error: Aborted" in (killcord.home / "guard.log").read_text()


@pytest.mark.soak
@pytest.mark.parametrize(
    ("raises", "number"),
    [
        ("RecursionError(str(vars(self)))", signal.SIGSEGV),
        ("OSError(5, str(candle))", signal.SIGBUS),
        ("UnicodeError(repr(self))", signal.SIGFPE),
        ("AssertionError(candle)", signal.SIGKILL),
        ("ExceptionGroup('many', [KeyError('a')])", signal.SIGQUIT),
    ],
)
def test_other_ways_to_die(
    killcord: Killcord, tmp_path: Path, raises: str, number: signal.Signals
) -> None:
    settings_of(killcord, raises)
    if signal.getsignal(number) is signal.SIG_IGN:
        # A shell has what it runs in the background ignore SIGQUIT, and all that this starts.
        signal.signal(number, signal.SIG_DFL)
    assert live_and_crash(killcord, mixed(tmp_path, *PARTS, "kicks"), number).hits == []


async def connect_and_log(folder: Path) -> tuple[bytes, list[str]]:
    """Let the adapters connect with everything logged; return the log and the keys."""
    server = await serve(Options(seed=3))
    log = LogFile(folder / "killcord.log")
    log.start()
    try:
        logging.getLogger().setLevel(logging.DEBUG)
        for venue, keys in server.ready["keys"].items():
            secrets = [Secret(keys.get(name, "")) for name in ("api_key", "secret", "passphrase")]
            gateway = open_gateway(venue, Access("practice", *secrets, server.ready["url"]))
            await gateway.connect()
            await gateway.close()
        logging.getLogger("test").info("connected")
    finally:
        log.close()
        await server.close()
    keys = [text for keys in server.ready["keys"].values() for text in keys.values()]
    return (folder / "killcord.log").read_bytes(), keys


@pytest.mark.parametrize("safe", [True, False])
async def test_without_what_keeps_the_log_clean_the_scan_finds_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: bool
) -> None:
    before = logging.getLogger("ccxt").level, logging.getLogger().level
    if not safe:
        monkeypatch.setattr(log_file, "scrub", str)
        monkeypatch.setattr(log_file, "LOUD", ())
        logging.getLogger("ccxt").setLevel(logging.NOTSET)
    try:
        written, keys = await connect_and_log(tmp_path)
    finally:
        logging.getLogger("ccxt").setLevel(before[0])
        logging.getLogger().setLevel(before[1])
    scan = Scan(keys)
    scan.look("log", written)
    assert bool(scan.hits) is not safe


def test_the_scan_finds_every_form_wherever_it_is_hidden(tmp_path: Path) -> None:
    for name, form in forms(CANARY).items():
        scan = Scan([CANARY])
        scan.look("there", b"before" + form + b"after")
        assert any(name in hit for hit in scan.hits), name
    for shift in range(12):
        scan = Scan([CANARY])
        scan.look("there", base64.b64encode(b"x" * shift + CANARY.encode() + b"yz"))
        assert scan.hits, shift
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(f"key={CANARY}".encode()))
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table t (a)")
        database.execute("insert into t values (?)", ("x" * 4080 + CANARY + "y" * 9000,))
    scan = Scan([CANARY])
    scan.look_into(tmp_path)
    assert {hit.split(" (")[0].rsplit("/")[-1] for hit in scan.hits if "unpacked" in hit} == {
        "old.log.gz",
        "a.db",
    }
    innocent = Scan([CANARY])
    innocent.look("here", b"c4n4ry, and nothing else")
    assert innocent.hits == []
