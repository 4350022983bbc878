"""What the terminal costs, in a real pty, with every pane changing.

The desk's side is a loopback control server in a process of its own, so that only the terminal is
measured. Times are wall clock of one run on a machine that may be busy; take the median of several.
"""

from __future__ import annotations

import fcntl
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FIRST_PAINT = "terminal, first paint, s"
SHARE = "160x50, 10 Hz, every pane changing: share of a core"
STALLED = "kill key to desk, screen not read for 5 s, s"

TARGETS = {
    FIRST_PAINT: "<= 0.45",
    "terminal resident at first paint, MB": "<= 60",
    SHARE: "<= 0.15",
    "160x50, 10 Hz, every pane changing: ms of processor a frame": "<= 15",
    "160x50, 10 Hz, every pane changing: bytes a frame": "<= 20,000",
    "terminal resident while running, MB": "<= 80",
    STALLED: "<= 1",
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
    """

    def __init__(self, home: Path, fps: int, size: tuple[int, int]) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            for name in ("NO_COLOR", "TEXTUAL_FPS", "PYTHONDONTWRITEBYTECODE"):
                environment.pop(name, None)
            # An installed program has its bytecode; without it the start takes twice as long.
            environment["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")
            command = [sys.executable, "-c", _START, str(home), str(fps)]
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
            end = time.monotonic() + 20
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the loopback control server did not start")
                time.sleep(0.02)
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
            time.sleep(0.001)
        took = time.perf_counter() - at
        terminal.close()
    return {STALLED: round(took, 3)}


BENCHES = (first_paint, live, kill_while_stalled)
