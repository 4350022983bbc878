"""A search keeps what it has, hands every point out once, and loses nothing with who died."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import ClusterUnavailable, StateError, UsageError
from core.research import study as module
from core.research.study import Axis, Point, Study, read_axis
from core.research.workers import ClusterWorkers, LocalWorkers
from tests.core.journal.test_store import postgres as postgres  # a fixture
from tests.core.research.deadly import square

pytest.importorskip("optuna")
AXES = [Axis("a", (1, 2, 3)), Axis("b", (10, 20))]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("strategy.fast=5:20:5", (5, 10, 15, 20)),
        ("x=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("x=3,5,8", (3, 5, 8)),
        ("x=0.5", (0.5,)),
    ],
)
def test_axes(text: str, values: tuple[Any, ...]) -> None:
    assert read_axis(text).values == pytest.approx(values)
    assert all(
        type(one) is type(two) for one, two in zip(read_axis(text).values, values, strict=True)
    )


@pytest.mark.parametrize(
    "text", ["x", "=1", "x=", "x=a", "x=1:2", "x=5:1:1", "x=1:2:0", "x=1:1e9:1"]
)
def test_what_is_no_axis(text: str) -> None:
    with pytest.raises(UsageError, match="--param"):
        read_axis(text)


def work_off(study: Study) -> list[Point]:
    points = []
    while (task := study.ask()) is not None:
        points.append(task[1])
        study.tell(task[0], float(task[1]["a"] * task[1]["b"]), {"a": task[1]["a"]})
    return points


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    first = Study(url, "s", AXES, fits=lambda point: point["a"] != 2)
    assert first.total == 4
    task = first.ask()
    assert task is not None
    first.tell(task[0], 1.0, {})
    first.close()
    again = Study(url, "s", AXES, fits=lambda point: point["a"] != 2)
    assert len(work_off(again)) == 3
    assert again.ask() is None
    assert again.finished == 4
    assert again.done()[0].point == {"a": 3, "b": 20}
    assert [one.value for one in again.done()] == sorted(
        (d.value for d in again.done()), reverse=True
    )
    again.close()


def share_one_search(url: str) -> None:
    one, two = Study(url, "shared", AXES), Study(url, "shared", AXES)
    taken = [one.ask(), two.ask(), one.ask(), two.ask()]
    points = [str(task[1]) for task in taken if task is not None]
    assert len(set(points)) == 4
    for owner, task in zip([one, two, one, two], taken, strict=True):
        assert task is not None
        owner.tell(task[0], 1.0, {})
    assert len(work_off(two)) == 2
    assert one.ask() is None
    assert one.finished == 6
    one.close()
    two.close()


def test_two_machines_share_one_search(tmp_path: Path) -> None:
    share_one_search(f"sqlite:///{tmp_path / 's.sqlite'}")


@pytest.mark.postgres
def test_two_machines_share_one_search_in_postgresql(postgres: str) -> None:
    share_one_search(postgres)


def test_what_a_dead_machine_had_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HEARTBEAT", 1)
    monkeypatch.setattr(module, "_GRACE", 1)
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    dead = Study(url, "s", AXES)
    lost = dead.ask()
    assert lost is not None
    alive = Study(url, "s", AXES)
    assert lost[1] not in work_off(alive)
    deadline = time.monotonic() + 20
    while not (found := work_off(alive)):
        assert time.monotonic() < deadline
        alive.beat()
        time.sleep(0.05)
    assert found == [lost[1]]
    assert alive.finished == 6
    dead.close()
    alive.close()


def test_a_sampler_learns(tmp_path: Path) -> None:
    study = Study(f"sqlite:///{tmp_path / 's.sqlite'}", "s", AXES, 12, 3)
    assert study.total == 12
    assert len(work_off(study)) == 12
    assert study.done()[0].value == 60.0
    study.close()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterUnavailable, match="--storage"):
        Study("postgresql://me:hidden@127.0.0.1:1/none", "s", AXES)


# --- workers


def run(workers: Any, count: int) -> dict[int, int]:
    tasks = iter(range(count))
    found: dict[int, int] = {}

    def tell(task: int, result: int) -> None:
        assert task not in found
        found[task] = result

    workers.run(lambda: next(tasks, None), tell, lambda: None)
    return found


def test_a_worker_that_dies_loses_nothing(tmp_path: Path) -> None:
    workers = LocalWorkers(square, (str(tmp_path), 3, 1), 2)
    try:
        assert run(workers, 8) == {task: task * task for task in range(8)}
        assert workers.deaths == 1
    finally:
        workers.close()


@pytest.mark.soak
def test_workers_that_always_die_end_the_work(tmp_path: Path) -> None:
    workers = LocalWorkers(square, (str(tmp_path), 0, 99), 1)
    try:
        with pytest.raises(StateError, match="died"):
            run(workers, 1)
    finally:
        workers.close()


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_does_the_work_and_survives_a_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        workers = ClusterWorkers(square, (str(tmp_path), 5, 1), cluster.scheduler_address)
        try:
            assert run(workers, 12) == {task: task * task for task in range(12)}
            assert list(tmp_path.glob("died-*"))
        finally:
            workers.close()
