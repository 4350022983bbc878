"""What pulls the kill cord from outside without a socket: signals and the kill file."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from core.model.event import KillMode

KILL_SIGNAL_MODE = KillMode.CANCEL
"""What SIGTERM, SIGUSR1 and SIGUSR2 pull: infrastructure sends signals, and an infrastructure fault
is no reason to sell; positions keep their stops. ``killcord kill``, hotkeys and loss limits
flatten."""
KILL_POLL = 0.1
"""Seconds between looks for the kill file."""
KILL_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)

Pull = Callable[[KillMode, str, str], None]
"""Pulls the cord: mode, cause, actor."""


class Signals:
    """Handles the process's signals from ``start`` to ``close``.

    SIGTERM pulls the cord and ends the desk, SIGUSR1 and SIGUSR2 pull it, SIGINT ends the desk in
    order, SIGHUP is ignored: a terminal that closes takes nothing with it.
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
        hear_signals(self._loop, self._pull)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def close(self) -> None:
        """Give them back."""
        for number in (signal.SIGTERM, signal.SIGINT, *KILL_SIGNALS):
            self._loop.remove_signal_handler(number)

    def _terminate(self) -> None:
        self.terminated = True
        self._pull(KILL_SIGNAL_MODE, "SIGTERM", f"signal:{os.getuid()}")
        self._stop("SIGTERM")


def hear_signals(loop: asyncio.AbstractEventLoop, pull: Pull) -> None:
    """Have the signals that mean the cord, and nothing else, pull it."""
    for number in KILL_SIGNALS:
        loop.add_signal_handler(
            number, pull, KILL_SIGNAL_MODE, number.name, f"signal:{os.getuid()}"
        )


class KillFile:
    """A file that pulls the cord by being there; its text may name the mode.

    Args:
        path: the file.
        pull: pulls the cord.
        patience: seconds for which another may take it: the desk before its guard.
    """

    def __init__(self, path: Path, pull: Pull, patience: float = 0.0) -> None:
        self._path = path
        self._pull = pull
        self._patience = patience

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            if self._path.exists():
                await asyncio.sleep(self._patience)
                self._take()
            await asyncio.sleep(KILL_POLL)

    def _take(self) -> None:
        if self._path.exists():
            self._pull(self._mode(), f"kill file {self._path}", "file")
            self._path.unlink(missing_ok=True)

    def _mode(self) -> KillMode:
        """Read the mode that the file names; an empty or odd one means CANCEL."""
        try:
            return KillMode(self._path.read_text(errors="replace")[:100].strip().lower())
        except (OSError, ValueError):
            return KillMode.CANCEL
