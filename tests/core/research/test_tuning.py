"""Hyper-parameters by Optuna: seeded, counted, shared."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from core.errors import ClusterUnavailable, UsageError
from core.research.learning import KINDS
from core.research.panel import Plan
from core.research.search import Finding, search
from core.research.synthetic import plant_edge
from core.research.tuning import Configuration, tune
from core.signals.registry import Registry
from tests.core.journal.test_store import postgres as postgres
from tests.core.research.forecasts import TRADING


def tried(trials: int, seed: int, storage: str = "") -> tuple[list[Configuration], int]:
    seen: list[Configuration] = []

    def run(one: Configuration) -> tuple[float, dict[str, Any]]:
        seen.append(one)
        return -abs(one[2].get("learning_rate", 1.0) - 0.05), {"name": str(one)}

    noted = tune(trials, 2, KINDS, run, name="study", seed=seed, storage=storage)
    return seen, len(noted)


def test_the_same_seed_tries_the_same() -> None:
    one, two, other = tried(6, 1), tried(6, 1), tried(6, 2)
    assert one == two
    assert one != other
    assert {kind for _, kind, _ in one[0]} <= set(KINDS)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def test_machines_that_share_a_study_count_each_others_trials(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    if database == "postgres":
        url: str = request.getfixturevalue("postgres")
        storage = url
    first, count = tried(3, 1, storage)
    assert count == 3
    second, count = tried(2, 1, storage)
    assert count == 5
    assert first[0] != second[0]


def test_what_is_missing_or_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterUnavailable, match="--study nowhere"):
        tried(1, 1, "nowhere://x")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "core.research.tuning.find_spec", lambda name: None if name == "optuna" else find(name)
    )
    with pytest.raises(UsageError, match="pip install optuna"):
        tried(1, 1)


def test_every_trial_counts_against_luck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.research.search.kinds_here", lambda: ("linear", "lightgbm"))
    files = plant_edge(0.0, 2_200, 1, 3600, 1)
    plan = Plan(3600, 4, 1200, 800, 0.0005)
    storage = f"sqlite:///{tmp_path}/study.db"

    def look(folder: str) -> Finding:
        registry = Registry(tmp_path / folder)
        return search(files, [plan], registry, now="x", trading=TRADING, trials=3, storage=storage)

    found = look("here")
    assert len(found.trials) == 2 + 3 + 1
    assert found.tried == 6
    tuned = [trial for trial in found.trials if trial["parameters"]]
    assert len(tuned) >= 3
    # Elsewhere: three more, and the best of ours if it is the best of all.
    other = look("there")
    assert other.tried == 2 + 6 + 1
    best = max(
        (trial for trial in (*found.trials, *other.trials) if trial["kind"] != "ensemble"),
        key=lambda trial: float(trial["brier_skill"]),
    )
    assert best["brier_skill"] in {trial["brier_skill"] for trial in other.trials}
