"""The terminal as a person has it: a pty, a desk of its own, and a desk that outlives it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.desk.lock import holder
from tests.whole.conftest import ROOT, Killcord

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


class Pty:
    """A program in a pseudo-terminal of a given size."""

    def __init__(self, killcord: Killcord, *arguments: str, size: tuple[int, int]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(
                sys.executable,
                [sys.executable, "-m", "tui.cli", *arguments],
                killcord.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            )
        columns, rows = size
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = ""

    def read_until(self, ready: Callable[[str], object], timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while not ready(self.seen):
            assert time.monotonic() < deadline, f"not seen in {timeout:g} s: {self.seen[-2000:]!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def hang_up(self) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def state(killcord: Killcord) -> dict[str, Any]:
    return dict(killcord.json("status"))


def wait_state(killcord: Killcord, ready: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        done = killcord.run("status")
        if done.returncode == 0 and ready(picture := state(killcord)):
            return picture
        assert time.monotonic() < deadline, done.stdout + done.stderr


def test_closing_the_terminal_leaves_the_desk_running(killcord: Killcord) -> None:
    try:
        terminal = Pty(killcord, "--env", "practice", "--seed", "7", size=(140, 45))
        terminal.read_until(lambda text: "PRACTICE" in text and "BTC" in text)
        before = wait_state(killcord, lambda s: s["fills"])
        terminal.hang_up()
        after = wait_state(killcord, lambda s: s["seq"] > before["seq"] + 100)
        assert after["started"] == before["started"]

        second = Pty(killcord, "attach", size=(80, 24))
        second.read_until(lambda text: "PRACTICE" in text)
        second.press(b"\x0b")  # ctrl+k: the kill cord
        wait_state(killcord, lambda s: s["state"] == "halted")
        second.press(b"\x06")  # ctrl+f: flatten
        wait_state(
            killcord,
            lambda s: (
                len(s["kill"]) == 3 and all(k["verdict"] == "FLAT_VERIFIED" for k in s["kill"])
            ),
        )
        os.kill(second.pid, signal.SIGTERM)
        second.hang_up()
        assert state(killcord)["state"] == "halted"
    finally:
        killcord.run("stop")

    replay = Pty(killcord, "replay", "last", size=(80, 24))
    replay.read_until(lambda text: "REPLAY" in text and "identical" in text)
    replay.press(b"A")  # the next alarm: the cord of before
    replay.read_until(lambda text: "HALTED" in text)
    replay.press(b"\x11")  # ctrl+q
    replay.read_until(lambda text: "\x1b[?1049l" in text)
    replay.hang_up()


def test_a_desk_that_is_killed_leaves_its_terminal_standing(killcord: Killcord) -> None:
    terminal = Pty(killcord, "--env", "practice", "--seed", "7", size=(140, 45))
    terminal.read_until(lambda text: "PRACTICE" in text and "BTC" in text)
    desk = holder(killcord.home / "run" / "desk.lock")
    assert desk is not None
    os.kill(desk, signal.SIGKILL)
    terminal.read_until(lambda text: "killed by SIGKILL" in text)
    terminal.press(b"\x11")  # ctrl+q
    terminal.read_until(lambda text: "\x1b[?1049l" in text)
    terminal.hang_up()
