"""Waiting for a condition: as long as it takes, and an error when it never comes true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 20.0
"""Seconds; generous, because a busy machine must not fail a test."""
STEP = 0.005


async def until(check: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait on the running loop until ``check`` is true, and return what it returned.

    Raises:
        AssertionError: not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"it did not come true in {seconds:g} s"
        await asyncio.sleep(STEP)
    return found


def wait_until(check: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait in this thread; the rest is as in ``until``."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"it did not come true in {seconds:g} s"
        time.sleep(STEP)
    return found
