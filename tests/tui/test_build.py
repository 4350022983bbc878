"""The build names the code: every line of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tui import build, cli


def test_the_build_changes_with_any_line_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in build._PACKAGES:
        (tmp_path / package / "deep").mkdir(parents=True)
        (tmp_path / package / "deep" / "code.py").write_text("a = 1\n")
    monkeypatch.setattr(build, "_ROOT", tmp_path)
    before = build.build()
    assert re.fullmatch(r"[0-9.]+\+[0-9a-f]{12}", before)
    assert build.build() == before
    (tmp_path / "exchanges" / "deep" / "code.py").write_text("a = 2\n")
    changed = build.build()
    assert changed != before
    (tmp_path / "exchanges" / "deep" / "code.py").rename(tmp_path / "exchanges" / "moved.py")
    assert build.build() not in (before, changed)


def test_the_version_is_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"killcord {build.build()}\n"
