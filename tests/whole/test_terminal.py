"""The terminal as a person has it: a pty, a desk of its own, and a desk that outlives it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.desk.lock import holder
from tests.waiting import wait_until
from tests.whole.conftest import ROOT, Killcord
from tui.client import DeskClient

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

    def read_until(self, ready: Callable[[str], object], timeout: float = 60) -> None:
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
    def found() -> dict[str, Any]:
        picture = killcord.snapshot()
        return picture if picture and ready(picture) else {}

    return wait_until(found, 60)


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


class Follower(threading.Thread):
    """A second terminal's client, attached the whole time, in a loop of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.client = DeskClient(path, hz=10, name="follower", claim="none")
        self.lines: list[int] = []
        """Numbers of the log lines, as they came."""
        self.events: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        task = asyncio.create_task(self.client.run())
        while not self.over.is_set():
            picture = self.client.latest
            if picture is not None and (not self.events or picture.events > self.events[-1]):
                self.events.append(picture.events)
                newest = self.lines[-1] if self.lines else picture.log[0].seq - 1
                self.lines += [line.seq for line in picture.log if line.seq > newest]
            await asyncio.sleep(0.01)
        task.cancel()


def come_and_go(killcord: Killcord, light: int, real: int) -> None:
    with killcord.desk("--seed", "7") as desk:
        desk.wait("fills", lambda s: sum(v["fills"] for v in s["venues"]) >= 3)
        follower = Follower(killcord.home / "run" / "desk.sock")
        follower.start()
        started, before = desk.snapshot()["started"], desk.snapshot()["events"]
        script = ROOT / "tests" / "whole" / "light_terminals.py"
        socket = str(killcord.home / "run" / "desk.sock")
        done = subprocess.run(
            [sys.executable, str(script), socket, str(light)], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for _ in range(real):
            terminal = Pty(killcord, "attach", "--control", size=(80, 24))
            terminal.read_until(lambda text: "PRACTICE" in text)
            terminal.hang_up()
        after = desk.wait("more events", lambda s: s["events"] > before + 100)
        assert after["started"] == started
        deadline = time.monotonic() + 20
        while follower.events[-1] < after["events"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert desk.snapshot()["control"] == {"holder": "", "name": "", "terminals": 1}
        follower.over.set()
        follower.join()
        assert follower.lines == list(range(follower.lines[0], follower.lines[-1] + 1))
        assert follower.client.error == ""


def test_fifty_terminals_come_and_go_and_the_desk_goes_on(killcord: Killcord) -> None:
    come_and_go(killcord, light=47, real=3)


def test_a_desk_is_reached_through_ssh(killcord: Killcord, tmp_path: Path) -> None:
    # A stand-in that runs here what ssh would run there: what is ours is the command and its words.
    (tmp_path / "ssh").write_text('#!/bin/sh\nfor word; do :; done\nexec sh -c "$word"\n')
    (tmp_path / "killcord").write_text(
        f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tui.cli "$@"\n'
    )
    for program in ("ssh", "killcord"):
        (tmp_path / program).chmod(0o755)
    killcord.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    with killcord.desk("--seed", "7") as desk:
        desk.wait("a picture", bool)
        home = str(killcord.home)
        terminal = Pty(
            killcord, "attach", "--ssh", "ana@desk", "--remote-home", home, size=(120, 30)
        )
        terminal.read_until(lambda text: "READ-ONLY" in text)
        terminal.seen = ""
        terminal.press(b"\x14")  # ctrl+t: take control
        desk.wait("control", lambda s: s["control"]["holder"])
        terminal.read_until(lambda text: "disarm" in text)  # it knows: keys that change things
        terminal.press(b"\x11")  # ctrl+q asks what becomes of the desk
        terminal.read_until(lambda text: "becomes of it" in text)
        terminal.press(b"\r")
        terminal.read_until(lambda text: "come back with" in text)
        terminal.hang_up()
        desk.wait("nobody", lambda s: not s["control"]["holder"])


@pytest.mark.soak
def test_fifty_real_terminals_come_and_go(killcord: Killcord) -> None:
    come_and_go(killcord, light=0, real=50)
