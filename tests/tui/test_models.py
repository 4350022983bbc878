"""``killcord models`` at a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.model.learning import Record
from core.signals.registry import FILE, Registry
from tests.core.signals.models import follower
from tests.core.signals.test_diary import days
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
    assert [line[:9] for line in out.splitlines()[1:4]] == ["* model-1", "o model-3", "! model-2"]
    assert "is not the file that was stored; train again" in out
    answer = json.loads(run(capsys, "list", "--json")[1])
    assert (answer["champion"], answer["challenger"]) == ("model-1", "model-3")
    assert list(answer["corrupt"]) == ["model-2"]
    (registry.folder / "CHALLENGER").write_text("nobody\n")
    out = run(capsys, "list")[1]
    assert "! nobody: is challenger and not here; `killcord models demote nobody`" in out
    assert run(capsys, "demote", "nobody")[0] == 0
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
    shown = json.loads(run(capsys, "show", "model-2", "--json")[1])
    assert [one["what"] for one in shown["life"]] == ["promoted", "demoted"]
    # Another environment has models of its own.
    assert json.loads(run(capsys, "list", "--json", "--env", "live")[1])["models"] == []


def test_how_two_models_stand_is_listed_and_shown(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, loss, net in (("model-1", 0.690, 0.0), ("model-3", 0.687, 0.002)):
        registry.admit(name)
        registry.keep(name, Record(days(40, loss, net, len(name) + int(net * 1000))))
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert "50.0% right of 410, -1.9 (" in out.splitlines()[1]
    versus = out.splitlines()[-1]
    assert versus.startswith("challenger against champion: 40 of 30 days; log loss smaller by +3")
    assert versus.endswith("bp a day: it takes over")
    answer = json.loads(run(capsys, "list", "--json")[1])
    assert answer["comparison"]["net"]["low"] > 0
    assert [one["live"]["scored"] for one in answer["models"]] == [410, 0, 410]
    shown = run(capsys, "show", "model-3")[1]
    for text in (
        "is watched, and orders nothing",
        "live 50.0% right",
        "following it made +2",
        "it takes over",
    ):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 110
    off = json.loads(run(capsys, "show", "model-2", "--json")[1])
    assert (off["role"], off["comparison"], off["live"]["scored"]) == ("", None, 0)
