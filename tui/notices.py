"""What rings, and what the desktop is told: fills, alarms, and what waits for a person."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from core.model.snapshot import LogView, Snapshot
from core.terminal import Told
from tui.text import clean

GAP_S = 3.0
"""Seconds between two notes to the desktop; what happens meanwhile is counted into the next."""
LONGEST = 160


class Notice(NamedTuple):
    """What is new since the last picture."""

    alarms: tuple[LogView, ...] = ()
    """Alarms, and entries that began to wait."""
    fills: tuple[LogView, ...] = ()

    def told(self, wanted: Told) -> tuple[LogView, ...]:
        """Return the lines that somebody who set ``wanted`` is told of, oldest first."""
        if wanted == "none":
            return ()
        return self.alarms if wanted == "alarms" else (*self.fills, *self.alarms)


class Notices:
    """Finds what is new in each picture. What was there before the first is not new."""

    def __init__(self) -> None:
        self._seen = -1

    def take(self, snapshot: Snapshot) -> Notice:
        """Return what is new in this picture."""
        if not snapshot.log:
            return Notice()
        before, self._seen = self._seen, snapshot.log[-1].seq
        if before < 0 or before >= self._seen:
            return Notice()
        new = [line for line in snapshot.log if line.seq > before]
        return Notice(
            tuple(line for line in new if line.level == "alarm" or _waits(line)),
            tuple(line for line in new if line.kind == "fill"),
        )


class Desktop:
    """Tells the desktop.

    Through notify-send where this machine has a screen, else through the terminal, which works over
    SSH too.

    Args:
        environ: of the process.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        screen = environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")
        near = screen and not environ.get("SSH_CONNECTION")
        self._program = shutil.which("notify-send") if near else None
        self._rich = "VTE_VERSION" in environ or environ.get("TERM", "").startswith(
            ("foot", "rxvt")
        )
        self._tmux = "TMUX" in environ
        self._due = 0.0
        self._missed = 0

    def compose(self, lines: tuple[LogView, ...], now: float) -> str:
        """Return the text to show, empty while it is too early; ``now`` in monotonic seconds."""
        self._missed += len(lines)
        if not lines or now < self._due:
            return ""
        self._due = now + GAP_S
        more = f" (and {self._missed - 1} more)" if self._missed > 1 else ""
        self._missed = 0
        return clean(lines[-1].text, LONGEST) + more

    @property
    def through_terminal(self) -> bool:
        """Whether the text goes to the terminal as a sequence."""
        return self._program is None

    def sequence(self, text: str) -> str:
        """Return the text as what terminals take for a notification (OSC 9, or 777)."""
        # A semicolon would end a field of 777; the text itself is clean of escapes.
        body = f"777;notify;Killcord;{text.replace(';', ',')}" if self._rich else f"9;{text}"
        whole = f"\x1b]{body}\x07"
        return f"\x1bPtmux;\x1b{whole}\x1b\\" if self._tmux else whole

    def show(self, text: str) -> None:
        """Show it with notify-send; blocks until that program has ended."""
        if self._program is not None:
            subprocess.run(
                [self._program, "--app-name=killcord", "Killcord", text],
                timeout=5,
                check=False,
                capture_output=True,
            )


def _waits(line: LogView) -> bool:
    return line.kind == "signal" and line.level == "warning"
