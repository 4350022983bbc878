"""What the terminal costs, in a real pty, with every pane changing.

The desk's side is a loopback control server in a process of its own, so that only the terminal is
measured. Times are wall clock of one run on a machine that may be busy; take the median of several.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import KillcordError
from core.home import Home
from tests.waiting import wait_until
from tui.control import ask

ROOT = Path(__file__).resolve().parents[2]

FIRST_PAINT = "terminal, first paint, s"
SHARE = "160x50, 10 Hz, every pane changing: share of a core"
STALLED = "kill key to desk, screen not read for 5 s, s"
KEY = "160x50, 10 Hz, every pane changing: key to the desk's socket"
HOLD = "a frame holds the terminal, 3 x 1,000 trades/s at the desk"
LAG = "desk loop lag"
STOCK = "the tables of that screen as stock DataTables"

TARGETS = {
    FIRST_PAINT: "<= 0.45",
    "terminal resident at first paint, MB": "<= 60",
    SHARE: "<= 0.15",
    "160x50, 10 Hz, every pane changing: ms of processor a frame": "<= 15",
    "160x50, 10 Hz, every pane changing: bytes a frame": "<= 20,000",
    "terminal resident while running, MB": "<= 80",
    STALLED: "<= 1",
    f"{KEY}, p95 ms": "<= 30",
    f"{HOLD}, p99 ms": "<= 100",
    f"{LAG}, more with a terminal stalled for 5 s, ms": "<= 20",
}

_START = (
    "import sys; from pathlib import Path; from core.home import Home;"
    "from tui.app import TerminalApp;"
    "TerminalApp(Home(Path(sys.argv[1])), fps=int(sys.argv[2])).run()"
)
_BURST_S = 0.02
"""Output after a pause this long belongs to another frame."""


class Pty:
    """The terminal in a pseudo-terminal.

    Args:
        home: folder of the desk's control socket.
        fps: frames a second.
        size: columns and rows.
        script: what to run instead, beside this file; gets home, fps and ``more``.
    """

    def __init__(
        self, home: Path, fps: int, size: tuple[int, int], script: str = "", *more: str
    ) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            for name in ("NO_COLOR", "TEXTUAL_FPS", "PYTHONDONTWRITEBYTECODE"):
                environment.pop(name, None)
            # An installed program has its bytecode; without it the start takes twice as long.
            environment["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")
            program = [str(Path(__file__).with_name(script))] if script else ["-c", _START]
            command = [sys.executable, *program, str(home), str(fps), *more]
            os.execve(sys.executable, command, environment)
        columns, rows = size
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_for(self, seconds: float) -> tuple[int, int]:
        """Read what is painted for a while and return bytes and frames."""
        end = time.perf_counter() + seconds
        last = 0.0
        size = frames = 0
        while (now := time.perf_counter()) < end:
            if select.select([self.fd], [], [], min(0.05, end - now))[0]:
                size += len(os.read(self.fd, 1 << 16))
                at = time.perf_counter()
                frames += at - last > _BURST_S
                last = at
        return size, frames

    def read_text(self, seconds: float) -> bytes:
        """Read what is painted for a while and return it."""
        end = time.perf_counter() + seconds
        seen = b""
        while (now := time.perf_counter()) < end:
            if select.select([self.fd], [], [], min(0.05, end - now))[0]:
                seen += os.read(self.fd, 1 << 16)
        return seen

    def read_until(self, word: bytes, timeout: float = 20.0) -> float:
        """Read until a word was painted and return the seconds since the start."""
        end = time.perf_counter() + timeout
        seen = b""
        while word not in seen:
            if time.perf_counter() > end:
                raise TimeoutError(f"{word!r} was not painted in {timeout} s: {seen[-300:]!r}")
            if select.select([self.fd], [], [], 0.05)[0]:
                seen = seen[-4096:] + os.read(self.fd, 1 << 16)
        return time.perf_counter() - self.started

    @property
    def megabytes(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @property
    def cpu(self) -> float:
        """Processor seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the terminal."""
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self.fd, 1 << 16):
                    break
            except OSError:
                break
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextmanager
def served(hz: float, picture: str = "busy") -> Iterator[Path]:
    """Serve changing pictures at ``hz`` from another process; yields the home.

    Args:
        hz: pictures a second.
        picture: a function of ``tests.tui.pictures``.
    """
    with tempfile.TemporaryDirectory(prefix="killcord-bench-") as folder:
        home = Path(folder)
        socket = home / "run" / "desk.sock"
        server = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("serve_pictures.py")),
                str(socket),
                "--hz",
                str(hz),
                "--picture",
                picture,
            ]
        )
        try:
            wait_until(lambda: socket.exists() or server.poll() is not None)
            if server.poll() is not None:
                raise RuntimeError("the loopback control server did not start")
            yield home
        finally:
            server.terminate()
            server.wait()


def first_paint(runs: int = 5) -> dict[str, float | str]:
    """Measure the start: time to the first paint and the first data, memory at the first paint.

    Returns:
        Medians; seconds from exec, megabytes resident.
    """
    paints, datas, sizes = [], [], []
    with served(hz=10) as home:
        for run in range(runs + 1):
            terminal = Pty(home, 10, (160, 50))
            if run == 0:  # writes the bytecode
                terminal.read_until(b"PRACTICE")
                terminal.close()
                continue
            # The kill key stands in the footer from the first frame on.
            paints.append(terminal.read_until(b"F12"))
            sizes.append(terminal.megabytes)
            datas.append(terminal.read_until(b"PRACTICE"))
            terminal.close()
    return {
        FIRST_PAINT: round(statistics.median(paints), 3),
        "terminal, first data, s": round(statistics.median(datas), 3),
        "terminal resident at first paint, MB": round(statistics.median(sizes), 1),
    }


def live(
    seconds: float = 10.0, hz: int = 10, size: tuple[int, int] = (160, 50)
) -> dict[str, float]:
    """Measure the running terminal with every pane changing on every frame.

    Returns:
        Share of one core, processor milliseconds and bytes a frame, frames a second, megabytes.
    """
    with served(hz=hz) as home:
        terminal = Pty(home, hz, size)
        terminal.read_until(b"PRACTICE")
        terminal.read_for(2.0)  # aiohttp arrives, caches fill
        before, at = terminal.cpu, time.perf_counter()
        painted, frames = terminal.read_for(seconds)
        used, took = terminal.cpu - before, time.perf_counter() - at
        result = {
            SHARE: round(used / took, 3),
            "160x50, 10 Hz, every pane changing: ms of processor a frame": round(
                1000 * used / max(frames, 1), 2
            ),
            "160x50, 10 Hz, every pane changing: bytes a frame": round(painted / max(frames, 1)),
            "160x50, 10 Hz, every pane changing: frames a second": round(frames / took, 1),
            "terminal resident while running, MB": round(terminal.megabytes, 1),
        }
        terminal.close()
    return result


def kill_while_stalled(seconds: float = 5.0) -> dict[str, float | str]:
    """Measure the kill key while the terminal has stopped reading.

    Returns:
        Seconds from the key to the command at the desk's socket, after a stall of ``seconds``.
    """
    with served(hz=10) as home:
        terminal = Pty(home, 10, (160, 50))
        terminal.read_until(b"PRACTICE")
        terminal.read_for(2.0)
        time.sleep(seconds)  # nobody reads: the pty's buffer and Textual's queue fill up
        log = home / "commands.log"
        os.write(terminal.fd, b"\x0b")
        at = time.perf_counter()
        while not log.exists() and time.perf_counter() - at < 10:
            time.sleep(0.001)  # how finely it is measured
        took = time.perf_counter() - at
        terminal.close()
    return {STALLED: round(took, 3)}


def key_to_desk(presses: int = 60, script: str = "") -> list[float]:
    """Press the kill key again and again and return how long each took to reach the desk's socket.

    Returns:
        Milliseconds, sorted: the terminal's part and one request on the socket.
    """
    with served(hz=10) as home:
        terminal = Pty(home, 10, (160, 50), script)
        terminal.read_until(b"PRACTICE")
        terminal.read_for(2.0)
        log = home / "commands.log"
        pressed = []
        for number in range(presses):
            # At every phase of a frame, never in step with it.
            terminal.read_for(0.2 + 0.1 * number / presses)
            pressed.append(time.time())
            os.write(terminal.fd, b"\x0b")
        deadline = time.monotonic() + 30
        while not log.exists() or len(log.read_text().splitlines()) < presses:
            terminal.read_for(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError("not every key reached the desk")
        arrived = [float(line.split()[0]) for line in log.read_text().splitlines()]
        terminal.close()
    return sorted(1000 * (at - since) for at, since in zip(arrived, pressed, strict=True))


def keys() -> dict[str, float]:
    """Measure the way of a key to the desk, every pane changing."""
    took = key_to_desk()
    return {
        f"{KEY}, p50 ms": round(took[len(took) // 2], 1),
        f"{KEY}, p95 ms": round(took[int(len(took) * 0.95)], 1),
    }


@contextmanager
def busy_desk(trades: int = 1000) -> Iterator[Path]:
    """Run a practice desk with so many more trades a second and venue; yields its home."""
    with tempfile.TemporaryDirectory(prefix="killcord-bench-") as folder:
        home = Path(folder)
        script = str(Path(__file__).with_name("serve_desk.py"))
        desk = subprocess.Popen([sys.executable, script, folder, "--trades", str(trades)])
        try:
            # Ready, and warm: three seconds of its load are through.
            wait_until(lambda: _events(home) > 9 * trades or desk.poll() is not None, 60)
            if desk.poll() is not None:
                raise RuntimeError("the desk did not start")
            yield home
        finally:
            desk.terminate()
            desk.wait()


def _events(home: Path) -> int:
    """Return the events that the desk has handled; 0 while a venue is not ready."""
    try:
        picture = ask(Home(home).socket, "GET", "/v1/snapshot")
    except KillcordError:
        return 0
    ready = all(venue["state"] == "ready" for venue in picture["venues"])
    return int(picture["events"]) if ready else 0


def under_load(seconds: float = 15.0) -> dict[str, float]:
    """Measure frames on a busy desk, and what a terminal that stalls costs that desk.

    Returns:
        The longest hold of the terminal's loop in each frame, p99 and worst; events a second at
        the desk; the worst lag of its loop while the terminal is read and while it is not.
    """
    with busy_desk() as home:
        socket = Home(home).socket
        result = home / "holds.json"
        terminal = Pty(home, 10, (160, 50), "measured_terminal.py", str(result))
        terminal.read_until(b"PRACTICE")
        terminal.read_for(3.0)
        before, at = ask(socket, "GET", "/v1/snapshot")["events"], time.perf_counter()
        terminal.read_for(seconds)
        events = ask(socket, "GET", "/v1/snapshot")["events"] - before
        rate = events / (time.perf_counter() - at)
        read = max(_lags(socket, 5.0, lambda: terminal.read_for(0.25)))
        # As often as above, but nobody reads the terminal.
        stalled = max(_lags(socket, 5.0, lambda: time.sleep(0.25)))
        terminal.close()
        holds = sorted(json.loads(result.read_text())[30:])
    return {
        f"{HOLD}, p99 ms": round(holds[int(len(holds) * 0.99)], 1),
        f"{HOLD}, p50 ms": round(holds[len(holds) // 2], 1),
        "events a second at that desk": round(rate),
        f"{LAG}, terminal read, worst ms": round(read, 1),
        f"{LAG}, more with a terminal stalled for 5 s, ms": round(max(0.0, stalled - read), 1),
    }


def _lags(socket: Path, seconds: float, wait: Callable[[], object]) -> Iterator[float]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        wait()
        yield ask(socket, "GET", "/v1/snapshot")["loop_lag_ms"]


def stock(seconds: float = 10.0, hz: int = 10) -> dict[str, float]:
    """Measure seven stock DataTables with the same rows, without chart and depth."""
    with served(hz=hz) as home:
        terminal = Pty(home, hz, (160, 50), "stock_screen.py")
        terminal.read_until(b"PRACTICE")
        terminal.read_for(3.0)
        before, at = terminal.cpu, time.perf_counter()
        painted, frames = terminal.read_for(seconds)
        used, took = terminal.cpu - before, time.perf_counter() - at
        megabytes = terminal.megabytes
        terminal.close()
    keys = key_to_desk(script="stock_screen.py")
    return {
        f"{STOCK}: share of a core": round(used / took, 3),
        f"{STOCK}: frames a second of 10": round(frames / took, 1),
        f"{STOCK}: ms of processor a frame": round(1000 * used / max(frames, 1), 2),
        f"{STOCK}: bytes a frame": round(painted / max(frames, 1)),
        f"{STOCK}: key to the desk's socket, p95 ms": round(keys[int(len(keys) * 0.95)], 1),
        f"{STOCK}: resident, MB": round(megabytes, 1),
    }


BENCHES = (first_paint, live, keys, under_load, kill_while_stalled, stock)
