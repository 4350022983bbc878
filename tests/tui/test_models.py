"""``killcord models`` at a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.signals.registry import FILE, Registry
from tests.core.signals.models import follower
from tui.cli import main


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("KILLCORD_HOME", str(tmp_path))
    found = Registry(tmp_path / "practice" / "models")
    for weight in (1.0, 2.0, 3.0):
        meta, text = follower(weight, name=f"model-{weight:g}")
        found.store(meta, text.encode())
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["models", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_corrupt_entry_hides_no_other(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.admit("model-1")
    registry.admit("model-3")
    (registry.folder / "model-2" / FILE).write_text("{}")
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert [line[:9] for line in out.splitlines()[:3]] == ["* model-1", "o model-3", "! model-2"]
    assert "is not the file that was stored; train again" in out
    answer = json.loads(run(capsys, "list", "--json")[1])
    assert (answer["champion"], answer["challenger"]) == ("model-1", "model-3")
    assert list(answer["corrupt"]) == ["model-2"]
    code, _, problem = run(capsys, "promote", "model-2")
    assert code == 1
    assert "is not the file that was stored" in problem
    assert registry.champion == "model-1"


def test_a_life_is_shown(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.admit("model-1")
    registry.admit("model-2")
    assert run(capsys, "demote", "model-2")[1] == "model-2 is off duty\n"
    assert registry.champion == "model-1"
    code, _, problem = run(capsys, "demote", "model-3")
    assert code == 2
    assert "is not on duty" in problem
    assert run(capsys, "demote")[1] == "model-1 is off duty\n"
    assert run(capsys, "demote")[1] == "no model was promoted\n"
    shown = json.loads(run(capsys, "show", "model-2")[1])
    assert [one["what"] for one in shown["life"]] == ["promoted", "demoted"]
    # Another environment has models of its own.
    assert json.loads(run(capsys, "list", "--json", "--env", "live")[1])["models"] == []
