"""Room on the disk: without it no intent is durable, and nothing new may be sent."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.errors import StateError

START = 64 * 1024 * 1024
"""Bytes without which a desk does not start: an hour of a busy journal and its checkpoint."""
TRADE = 200 * 1024 * 1024
"""Bytes below which no new risk is opened; what reduces it goes on."""


def free(folder: Path) -> int:
    """Return the bytes that this user may still write there.

    Raises:
        StateError: the folder cannot be looked at.
    """
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise StateError(
            f"{folder}: the room on its disk cannot be told ({error.strerror}); "
            "see that the folder exists, or move the home with KILLCORD_HOME"
        ) from error


def check(folder: Path) -> None:
    """Refuse to start where there is no room.

    Raises:
        StateError: naming the folder and what is missing.
    """
    left = free(folder)
    if left < START:
        raise StateError(
            f"{folder}: {left // 2**20} MB free, {START // 2**20} MB are needed to start; "
            "free some, or move the home with KILLCORD_HOME"
        )
