"""Which build of the program runs: its version and a hash of its code."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("core", "exchanges", "sentiment", "tui")


def build() -> str:
    """Return ``0.1.0+0123456789ab``: equal where version and every line of the code are.

    Reads some 450 files: 20 ms.
    """
    from importlib.metadata import version

    digest = hashlib.blake2b(digest_size=6)
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return f"{version('killcord')}+{digest.hexdigest()}"
