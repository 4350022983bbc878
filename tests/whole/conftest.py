"""Whole desks: real processes over real sockets, each in a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import KillcordError
from core.home import Home
from tui.control import ask

ROOT = Path(__file__).parents[2]
SHARED_DATA = Path(os.environ.get("KILLCORD_SHARED_DATA", ROOT.parent / "shared" / "data"))


class Killcord:
    """The program, as a person runs it, in one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._children: list[subprocess.Popen[bytes]] = []
        names = ("TRADING_ENVIRONMENT", "ALLOW_LIVE_TRADING", "DATABASE_URL")
        self.environ = {k: v for k, v in os.environ.items() if k not in names}
        self.environ["KILLCORD_HOME"] = str(home)
        # One-second candles: positions on every venue within seconds instead of half a minute.
        # No guard: each would cost a start, and act where a test kills its desk on purpose.
        # Two symbols: all ten cost five times the processor, and prove no more.
        (home / "config.toml").write_text(
            "symbols = ['BTC', 'ETH']\n[limits]\nloop_lag = 60\n[guard]\nstart = false\n"
            "[strategy]\ntimeframe = '1s'\n"
        )

    def run(
        self, *arguments: str, timeout: float = 60, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def json(self, *arguments: str, timeout: float = 60) -> Any:
        """Run one command that must succeed and return its JSON."""
        done = self.run(*arguments, "--json", timeout=timeout)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def snapshot(self) -> dict[str, Any]:
        """Return the desk's picture, as ``killcord status --json`` does; empty without an answer.

        Asked for on the socket: waiting would start a program several times a second.
        """
        try:
            return dict(ask(Home(self.home).socket, "GET", "/v1/snapshot"))
        except KillcordError:
            return {}

    @contextlib.contextmanager
    def desk(self, *arguments: str, env: str = "practice") -> Iterator[Desk]:
        """Run a headless desk; whatever is left of it is ended by pid afterwards."""
        desk = Desk(self, "--no-ui", "--json", "--env", env, *arguments)
        try:
            yield desk
        finally:
            desk.end()

    def start_practice(self, *arguments: str) -> None:
        """Start the home's practice exchange before a desk would: the desk finds and uses it."""
        ready = self.home / "run" / "practice.json"
        ready.parent.mkdir(exist_ok=True)
        child = subprocess.Popen(
            [sys.executable, "-m", "exchanges.practice", "--ready-file", str(ready), *arguments],
            cwd=ROOT,
            env=self.environ,
        )
        self._children.append(child)
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert child.poll() is None, "the practice exchange ended"
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end_practice(self) -> None:
        """End the home's practice exchange, if one was left behind."""
        ready = self.home / "run" / "practice.json"
        with contextlib.suppress(OSError, ValueError, KeyError, ProcessLookupError):
            os.kill(json.loads(ready.read_text())["pid"], signal.SIGTERM)
        for child in self._children:
            child.wait(10)


class Desk:
    """A running headless desk and the lines it prints."""

    def __init__(self, killcord: Killcord, *arguments: str) -> None:
        self.killcord = killcord
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env=killcord.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.errors = ""
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.errors += line

    def snapshot(self) -> dict[str, Any]:
        """Return the desk's picture; empty while it does not answer."""
        return self.killcord.snapshot()

    def wait(
        self, what: str, ready: Callable[[dict[str, Any]], object], timeout: float = 60
    ) -> dict[str, Any]:
        """Wait until the desk's picture satisfies ``ready`` and return it."""
        deadline = time.monotonic() + timeout
        picture: dict[str, Any] = {}
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the desk ended: {self.errors}"
            picture = self.snapshot() or picture
            if picture and ready(picture):
                return picture
            time.sleep(0.02)
        pytest.fail(
            f"not within {timeout:g} s: {what}\n{json.dumps(picture)[:3000]}\n{self.errors}"
        )

    def wait_line(self, start: str, timeout: float = 60) -> None:
        """Wait until a printed line's text begins with ``start``."""
        self._wait_printed(lambda line: line.get("text", "").startswith(start), start, timeout)

    def wait_kind(self, kind: str, timeout: float = 60) -> None:
        """Wait until a line of a type is printed, such as ``order``."""
        self._wait_printed(lambda line: line["type"] == kind, kind, timeout)

    def _wait_printed(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, timeout: float
    ) -> None:
        deadline = time.monotonic() + timeout
        while not any(wanted(line) for line in tuple(self.lines)):
            assert self.process.poll() is None, f"the desk ended: {self.errors}"
            assert time.monotonic() < deadline, f"no line {what!r}: {self.lines[-5:]}"
            time.sleep(0.005)

    def finish(self, timeout: float = 60) -> dict[str, Any]:
        """Wait for a clean end and return the summary, its last line."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(10)
        assert code == 0, f"exit code {code}: {self.errors}"
        assert self.lines, self.errors
        assert self.lines[-1]["type"] == "summary"
        return self.lines[-1]

    def end(self) -> None:
        """End the process if it still runs: the test is over, an orderly end costs seconds."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def killcord(tmp_path: Path) -> Iterator[Killcord]:
    program = Killcord(tmp_path)
    yield program
    program.end_practice()


def recording(name: str) -> Path:
    """Return a file of the shared data, or skip."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"{name}: the shared data is not here (KILLCORD_SHARED_DATA)")
    return path
