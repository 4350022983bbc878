"""``killcord guard`` as a supervisor starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui import cli, guard


def test_a_guard_may_be_started_before_the_first_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("KILLCORD_HOME", str(home))
    monkeypatch.setattr(guard, "CHILD_PATIENCE", 0.05)
    assert cli.main(["guard", "--child"]) == 4  # no desk came
    assert (home / "run").is_dir()
