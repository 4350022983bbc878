"""Files that are written whole: a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import get_native_id


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file anew, readable by this user alone.

    Args:
        path: its folder is made where it is missing.
        data: all of it.
        durable: return when the disk has it; takes about two disk syncs.

    Raises:
        OSError: the disk refused; the old file stands.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Several may write the same file (desk, its cord's thread and guard the latch): each has its
    # own draft.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{get_native_id()}.new")
    try:
        with open(draft, "wb", opener=_private) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def clear_drafts(folder: Path) -> None:
    """Remove what writers that died left of files they were writing whole."""
    for draft in folder.glob(".*.new"):
        with suppress(OSError, ValueError):
            pid = int(draft.name.split(".")[-3])
            if pid != os.getpid() and not _lives(pid):
                draft.unlink(missing_ok=True)


def keep_newest(folder: Path, pattern: str, most: int) -> None:
    """Remove all but the newest files of a kind; their names sort by age."""
    for path in sorted(folder.glob(pattern))[:-most]:
        with suppress(OSError):
            path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
