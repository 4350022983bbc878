"""The device we draw on: how far behind it is, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from textual.app import App

from tui.text import clean

SIGNALS = (signal.SIGHUP, signal.SIGTERM)
"""The window was closed or the connection lost; somebody asked us to end."""
LAST_WAIT_S = 3.0
"""How long a clean end may take once the device is gone."""
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


def catch_signals(end: Callable[[], None]) -> None:
    """End cleanly on SIGHUP and SIGTERM, which would otherwise kill the process on the spot.

    A device that stopped reading before it went away can hold the loop in a write for ever, and
    the loop would never hear of the signal: after ``LAST_WAIT_S`` the process ends regardless.
    """
    loop = asyncio.get_running_loop()

    def caught(number: int, _: FrameType | None) -> None:
        last = threading.Timer(LAST_WAIT_S, os._exit, (128 + number,))
        last.daemon = True
        last.start()
        loop.call_soon_threadsafe(end)

    for number in SIGNALS:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(number, caught)


def release_signals() -> None:
    """Give the signals back."""
    for number in SIGNALS:
        with contextlib.suppress(ValueError):
            signal.signal(number, signal.SIG_DFL)


def crash_text() -> str:
    """Return the exception being handled as text that is safe to print, without any values.

    Textual would print every local variable of every frame, with whatever a venue put in them.
    """
    lines = traceback.format_exc().splitlines()
    shown = [" " * (len(line) - len(line.lstrip())) + clean(line.strip()) for line in lines]
    return "\n".join([*shown[-TRACE_LINES:], "", _FAILED])
