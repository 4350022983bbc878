"""``attach --ssh``: what is asked of ssh, and what its ends mean."""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

import pytest

from core.errors import UsageError, VenueUnavailable
from tui import ssh


def asked(**changes: object) -> argparse.Namespace:
    values = {"ssh": "ana@desk", "remote": "killcord", "remote_home": "", "control": False}
    return argparse.Namespace(**(values | {"fps": None} | changes))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ssh that notes its arguments and ends as it is told."""
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/asked\nexit $(cat {tmp_path}/code)\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_the_other_side_is_told_what_this_one_wants(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ssh.attach(asked(control=True, remote_home="/my desk", fps=5)) == 0
    words = (fake / "asked").read_text().splitlines()
    assert words[-3:] == [
        "--",
        "ana@desk",
        "exec env COLORTERM=truecolor 'KILLCORD_HOME=/my desk' killcord attach --control --fps 5",
    ]
    assert "-t" in words


def test_a_host_that_looks_like_an_option_is_none(fake: Path) -> None:
    ssh.attach(asked(ssh="-oProxyCommand=rm"))
    words = (fake / "asked").read_text().splitlines()
    assert words.index("--") < words.index("-oProxyCommand=rm")


def test_ends_that_a_person_must_know_of(
    fake: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (fake / "code").write_text("255")
    with pytest.raises(VenueUnavailable, match="a desk there goes on without it"):
        ssh.attach(asked())
    assert "\x1b[?1049l" in capfd.readouterr().err  # the screen is given back
    (fake / "code").write_text("127")
    with pytest.raises(UsageError, match="--remote PROGRAM"):
        ssh.attach(asked())
    (fake / "code").write_text("4")  # no desk over there: it said so itself
    assert ssh.attach(asked()) == 4
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="not installed"):
        ssh.attach(asked())
