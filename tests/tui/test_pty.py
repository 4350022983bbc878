"""The terminal as a process in a pty: how it ends, and that a stuck screen stops no kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.terminal import STALLED, Pty, kill_while_stalled, served

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with served(hz=10) as folder:
        yield folder


def wait_exit(pid: int, timeout: float = 10.0) -> int:
    deadline = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        assert time.monotonic() < deadline, "the terminal did not end"
        time.sleep(0.01)


def test_sigterm_restores_the_screen(home: Path) -> None:
    terminal = Pty(home, 10, (120, 40))
    terminal.read_until(b"PRACTICE")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.read_until(b"\x1b[?1049l")  # back from the alternate screen
    assert wait_exit(terminal.pid) == 0
    os.close(terminal.fd)


def test_a_closed_window_ends_the_terminal_and_nothing_else(home: Path) -> None:
    terminal = Pty(home, 10, (120, 40))
    terminal.read_until(b"PRACTICE")
    os.close(terminal.fd)
    assert wait_exit(terminal.pid) == 0
    other = Pty(home, 10, (80, 24))  # the desk's socket still answers
    other.read_until(b"PRACTICE")
    other.close()


def test_a_hang_up_does_not_make_it_read_the_device_twice(home: Path) -> None:
    # SIGCONT comes with SIGHUP; a second thread on a device that is gone would spin for ever.
    terminal = Pty(home, 10, (120, 40))
    os.write(terminal.fd, b"?")
    terminal.read_until(b"esc goes back")
    os.write(terminal.fd, b"\x1b")
    terminal.read_until(b"PRACTICE")
    threads = len(os.listdir(f"/proc/{terminal.pid}/task"))
    os.kill(terminal.pid, signal.SIGCONT)
    os.write(terminal.fd, b"?")
    terminal.read_until(b"esc goes back")
    deadline = time.monotonic() + 10
    while len(os.listdir(f"/proc/{terminal.pid}/task")) > threads:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.close(terminal.fd)
    assert wait_exit(terminal.pid) == 0


def test_hostile_text_never_reaches_the_device() -> None:
    with served(hz=5, picture="hostile") as folder:
        terminal = Pty(folder, 10, (120, 40))
        terminal.read_until(b"HALTED")
        seen = b""
        for key in b"11234455vv66770":
            os.write(terminal.fd, bytes([key]))
            seen += terminal.read_text(0.3)
        os.write(terminal.fd, b"4c")
        seen += terminal.read_text(1.0)
        terminal.close()
    assert b"evil" in seen
    for attack in (
        b"\x1b]52",
        b"\x1b]0;",
        b"owned",
        b"\x1b[6n",
        "\x9b".encode(),
        "\u202e".encode(),
    ):
        assert attack not in seen


def test_the_kill_key_works_while_nobody_reads_the_screen() -> None:
    # Two seconds of frames fill the pty and Textual's queue of 30; without the guard in
    # TerminalApp.frame the key would wait until someone reads.
    assert float(kill_while_stalled(2.0)[STALLED]) < 1.0
