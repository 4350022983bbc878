"""Files that are written whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.files import clear_drafts, write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_private(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "state" / "kept.json"
    write_whole(path, b"old", durable=durable)
    write_whole(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"old"


def test_drafts_of_writers_that_died_are_cleared_and_no_others(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "gone": f".HALTED.{dead.pid}.{dead.pid}.new",
        "mine": f".HALTED.{os.getpid()}.7.new",
        "another's": f".a.b.json.{os.getppid()}.7.new",
        "not ours": ".something.new",
        "kept": "HALTED",
    }
    for name in names.values():
        (tmp_path / name).write_bytes(b"x")
    clear_drafts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(names.values()) - {names["gone"]}
