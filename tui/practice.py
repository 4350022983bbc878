"""The practice exchange as a process of its own: start it, find it again, stop it.

It outlives the desk, so that a desk that was killed finds its orders and positions where it left
them; and it ends by itself when nobody has been connected for a while.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from core.errors import KillcordError, RecordingError, UsageError, VenueUnavailable
from core.home import Home
from tui.output import say

if TYPE_CHECKING:
    from core.config import Practice

START_LIMIT = 60.0
"""Seconds; a synthetic market accepts in about 1 s, a long recording is read first."""
IDLE_EXIT = 900
"""Seconds without a client after which an orphan ends."""


class PracticeServer(Struct, frozen=True):
    """A practice exchange that accepts connections."""

    pid: int
    url: str
    keys: dict[str, dict[str, str]]
    """Venue to api_key, secret and, on OKX, passphrase."""

    def status(self) -> dict[str, Any]:
        """Ask it how it is.

        Raises:
            VenueUnavailable: it does not answer.
        """
        return dict(self._call("GET", "/practice/status"))

    def stop(self) -> None:
        """End it; one that is gone already is no error."""
        try:
            self._call("POST", "/practice/stop")
        except VenueUnavailable:
            return
        deadline = time.monotonic() + 5
        while _alive(self.pid) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _call(self, method: str, path: str) -> Any:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise VenueUnavailable(
                f"the practice exchange at {self.url} does not answer; start the desk anew"
            ) from error
        finally:
            connection.close()


def ensure(home: Home, options: Practice) -> PracticeServer:
    """Return the home's practice exchange: the running one if it plays the same, else a new one.

    Raises:
        RecordingError: the market to play does not parse.
        VenueUnavailable: it cannot start.
    """
    running = find_running(home)
    if running is not None:
        status = running.status()
        names = ("seed", "market_source", "speed", "faults_source")
        wanted = (
            options.seed,
            _market_path(options.market),
            options.speed,
            _script_path(options.faults),
        )
        if tuple(status.get(name) for name in names) == wanted:
            return running
        running.stop()
    return _start(home, options)


def _market_path(market: str) -> str:
    return market if market == "synthetic" else str(Path(market).expanduser().resolve())


def _script_path(faults: str) -> str:
    path = Path(faults).expanduser()
    return str(path.resolve()) if faults and path.is_file() else faults


def find_running(home: Home) -> PracticeServer | None:
    """Return the home's practice exchange if one runs and answers."""
    try:
        server = read_ready_file(home.practice)
        server.status()
    except (OSError, ValueError, KeyError, VenueUnavailable):
        return None
    return server


def read_ready_file(path: Path) -> PracticeServer:
    """Read what a practice exchange wrote when it began to accept."""
    ready = json.loads(path.read_text())
    return PracticeServer(pid=ready["pid"], url=ready["url"], keys=ready["keys"])


def arguments(options: Practice, ready_file: Path, *, port: int = 0) -> list[str]:
    """Return the command that runs a practice exchange."""
    return [
        sys.executable, "-m", "exchanges.practice",
        "--port", str(port),
        "--seed", str(options.seed),
        "--market", _market_path(options.market),
        "--speed", str(options.speed),
        "--balance", str(options.balance),
        "--ready-file", str(ready_file),
        *(["--faults", _script_path(options.faults)] if options.faults else []),
    ]  # fmt: skip


def _start(home: Home, options: Practice) -> PracticeServer:
    home.practice.unlink(missing_ok=True)
    log = home.run / "practice.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*arguments(options, home.practice), "--idle-exit", str(IDLE_EXIT)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if home.practice.exists():
            return read_ready_file(home.practice)
        if (code := child.poll()) is not None:
            raise _failure(code, log.read_text(errors="replace"))
        time.sleep(0.01)
    child.kill()
    raise VenueUnavailable(f"the practice exchange did not start in {START_LIMIT:g} s: see {log}")


def _failure(code: int, output: str) -> KillcordError:
    lines = output.strip().splitlines() or [f"the practice exchange ended with code {code}"]
    text = lines[-1].removeprefix("killcord: ")
    kinds = {kind.exit_code: kind for kind in (VenueUnavailable, RecordingError)}
    if text.startswith("faults "):
        return UsageError(text)
    return kinds.get(code, VenueUnavailable)(text)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A child of ours that ended is a zombie until it is waited for.
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return True


def serve_alone(options: Practice, *, port: int, duration: float | None, as_json: bool) -> int:
    """Run a practice exchange in the foreground; print its URLs and keys when it accepts.

    Args:
        port: 0 chooses a free one.
        duration: seconds after which it ends; None: at ctrl+c.
        as_json: print the ready file's JSON, one line.
    """
    with tempfile.TemporaryDirectory(prefix="killcord-") as folder:
        ready = Path(folder) / "practice.json"
        child = subprocess.Popen(
            arguments(options, ready, port=port), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            while not ready.exists():
                if child.poll() is not None:
                    assert child.stderr
                    raise _failure(child.returncode, child.stderr.read().decode())
                time.sleep(0.01)
            say(_introduction(json.loads(ready.read_text()), as_json=as_json))
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(duration)
        except KeyboardInterrupt:
            pass
        finally:
            child.terminate()
            child.wait(10)
    return 0


def _introduction(ready: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"type": "practice", **ready})
    lines = [f"practice exchange at {ready['url']}, ctrl+c ends it"]
    for venue, keys in ready["keys"].items():
        lines.append(f"{venue:9}" + "  ".join(f"{name} {text}" for name, text in keys.items()))
    lines.append("how to point ccxt at it: docs/practice.md")
    return "\n".join(lines)
