"""Logs of JSON lines that several processes add to."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from core.errors import RegistryError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is changing anything here; makes the folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        yield


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines. A last line without its end is one that a crash cut: left out.

    Raises:
        RegistryError: a line is none.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = []
    for row, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=dict[str, Any]))
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{path}: line {row}: {error}; remove that line") from error
    return found


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a JSON line, in the place of one that a crash cut."""
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(msgspec.json.encode(entry) + b"\n")
