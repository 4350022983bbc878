"""The device we draw on: how far behind it is, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import traceback
from collections.abc import Callable
from typing import Any

from textual.app import App

from tui.text import clean

SIGNALS = (signal.SIGHUP, signal.SIGTERM)
"""The window was closed or the connection lost; somebody asked us to end."""
TRACE_LINES = 30

_FAILED = (
    "The terminal failed; the desk goes on without it. Come back with: killcord attach\n"
    "Stop everything with: killcord kill"
)


def backlog(app: App[Any]) -> int:
    """Return queued terminal writes, 0 to 30; 0 when headless.

    Textual's writer queue is bounded and blocks the event loop when full: a terminal that stops
    reading would take the kill key with it. Textual 8.2 offers no public way to ask.
    """
    writer = getattr(app._driver, "_writer_thread", None)
    return writer._queue.qsize() if writer is not None else 0


def catch_signals(app: App[Any], end: Callable[[], None]) -> None:
    """End cleanly on SIGHUP and SIGTERM, which would otherwise kill the process on the spot.

    A hang-up brings SIGCONT with it, on which Textual 8.2 begins to read the device anew: a thread
    that spins on a dead one, and after the end of the app keeps the process from ending.
    """
    resume = signal.getsignal(signal.SIGCONT)

    def resumed(number: int, frame: Any) -> None:
        if callable(resume) and getattr(app._driver, "_must_signal_resume", False):
            resume(number, frame)

    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGCONT, resumed)
    for number in SIGNALS:
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
            asyncio.get_running_loop().add_signal_handler(number, end)


def release_signals() -> None:
    """Give the signals back."""
    for number in SIGNALS:
        with contextlib.suppress(ValueError, RuntimeError):
            asyncio.get_running_loop().remove_signal_handler(number)


def crash_text() -> str:
    """Return the exception being handled as text that is safe to print, without any values.

    Textual would print every local variable of every frame, with whatever a venue put in them.
    """
    lines = traceback.format_exc().splitlines()
    shown = [" " * (len(line) - len(line.lstrip())) + clean(line.strip()) for line in lines]
    return "\n".join([*shown[-TRACE_LINES:], "", _FAILED])
