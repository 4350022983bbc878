"""What pulls the kill cord from outside without a socket: signals and the kill file."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from core.model.event import KillMode

KILL_SIGNAL_MODE = KillMode.CANCEL
"""What SIGTERM and SIGUSR1 pull: infrastructure sends signals, and an infrastructure fault is no
reason to sell; positions keep their stops. ``killcord kill``, hotkeys and loss limits flatten."""
KILL_POLL = 0.2
"""Seconds between looks for the kill file."""

Pull = Callable[[KillMode, str, str], None]
"""Pulls the cord: mode, cause, actor."""


class Signals:
    """Handles the process's signals from ``start`` to ``close``.

    SIGTERM pulls the cord and ends the desk, SIGUSR1 pulls it, SIGINT ends the desk in order,
    SIGHUP is ignored: a terminal that closes takes nothing with it.
    """

    def __init__(self, pull: Pull, stop: Callable[[str], None]) -> None:
        self.terminated = False
        """Whether SIGTERM came: the desk ends after its venues have answered."""
        self._pull = pull
        self._stop = stop

    def start(self) -> None:
        """Begin to handle them, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGTERM, self._terminate)
        self._loop.add_signal_handler(signal.SIGINT, self._stop, "interrupted")
        self._loop.add_signal_handler(
            signal.SIGUSR1, self._pull, KILL_SIGNAL_MODE, "SIGUSR1", f"signal:{os.getuid()}"
        )
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def close(self) -> None:
        """Give SIGTERM, SIGINT and SIGUSR1 back."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            self._loop.remove_signal_handler(number)

    def _terminate(self) -> None:
        self.terminated = True
        self._pull(KILL_SIGNAL_MODE, "SIGTERM", f"signal:{os.getuid()}")
        self._stop("SIGTERM")


class KillFile:
    """A file that pulls the cord by being there; its text may name the mode."""

    def __init__(self, path: Path, pull: Pull) -> None:
        self._path = path
        self._pull = pull

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(KILL_POLL)

    def _look(self) -> None:
        if self._path.exists():
            self._pull(self._mode(), f"kill file {self._path}", "file")
            self._path.unlink(missing_ok=True)

    def _mode(self) -> KillMode:
        """Read the mode that the file names; an empty or odd one means CANCEL."""
        try:
            return KillMode(self._path.read_text(errors="replace")[:100].strip().lower())
        except (OSError, ValueError):
            return KillMode.CANCEL
