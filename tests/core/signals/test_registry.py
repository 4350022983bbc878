"""The registry: whole entries or none, clear words about broken ones, and a life that is kept."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from core.errors import RegistryError, SafetyRefusal, UsageError
from core.model.event import ModelRole
from core.model.learning import Day, Record
from core.research.looks import Look, note_trials
from core.signals.registry import FILE, MONITOR, Check, Meta, Registry
from tests.core.signals.models import follower

LOOK = Look("symbols and features", ("block",), 20_000, 20_100)


def stored(folder: Path, *weights: float) -> tuple[Registry, list[Meta]]:
    registry = Registry(folder)
    metas = []
    for weight in weights:
        meta, text = follower(weight)
        registry.store(meta, text.encode())
        metas.append(meta)
    return registry, metas


def test_what_a_crash_left_of_who_is_on_duty_names_no_model(tmp_path: Path) -> None:
    registry, (one,) = stored(tmp_path, 1.0)
    for left in (b"\xff\xfe\x00", b"\x00" * 20):
        (tmp_path / "CHAMPION").write_bytes(left)
        assert registry.champion
        with pytest.raises(UsageError, match="no such model"):
            registry.read(registry.champion)
        registry.demote()
        assert registry.champion == ""
    assert registry.admit(one.id) is ModelRole.CHAMPION


def test_a_new_model_trades_only_where_none_does(tmp_path: Path) -> None:
    registry, (one, two) = stored(tmp_path, 1.0, 2.0)
    assert registry.admit(one.id) is ModelRole.CHAMPION
    assert registry.admit(two.id) is ModelRole.CHALLENGER
    assert registry.admit(one.id) is ModelRole.CHAMPION
    assert (registry.champion, registry.on_duty(ModelRole.CHALLENGER)) == (one.id, two.id)
    registry.promote(two.id, "me")
    assert (registry.champion, registry.on_duty(ModelRole.CHALLENGER)) == (two.id, "")
    assert registry.demote("it was wrong", "me") == two.id
    assert registry.champion == ""
    assert [(e["what"], e["role"], e["actor"], e["cause"]) for e in registry.life(two.id)] == [
        ("promoted", "challenger", "trainer", ""),
        ("promoted", "champion", "me", ""),
        ("demoted", "champion", "me", "it was wrong"),
    ]
    assert registry.demote() == ""


def test_a_challenger_is_watched_for_its_days_before_another_comes(tmp_path: Path) -> None:
    registry, (one, two, three) = stored(tmp_path, 1.0, 2.0, 3.0)
    registry.admit(one.id)
    registry.admit(two.id)
    assert registry.admit(three.id) is None
    assert registry.on_duty(ModelRole.CHALLENGER) == two.id
    registry.keep(two.id, Record(tuple(Day(20_000 + k, 24, 12, 6.0, 17.0) for k in range(30))))
    assert registry.admit(three.id, shadow=31) is None
    assert registry.admit(three.id, shadow=30) is ModelRole.CHALLENGER
    assert (registry.champion, registry.on_duty(ModelRole.CHALLENGER)) == (one.id, three.id)


def test_after_a_model_that_outcomes_ended_the_next_is_watched_first(tmp_path: Path) -> None:
    registry, (one, two, three) = stored(tmp_path, 1.0, 2.0, 3.0)
    registry.admit(one.id)
    registry.demote("its hit rate fell", MONITOR)
    assert registry.admit(two.id) is ModelRole.CHALLENGER
    assert registry.champion == ""
    assert registry.admit(three.id) is None
    # A person may think otherwise, and one who ends a model by hand has other reasons.
    registry.promote(two.id, "me")
    registry.demote("by hand", "me")
    assert registry.admit(three.id) is ModelRole.CHAMPION


def test_a_challenger_that_failed_says_nothing_of_those_that_trade(tmp_path: Path) -> None:
    registry, (one, two, three) = stored(tmp_path, 1.0, 2.0, 3.0)
    registry.admit(one.id)
    registry.admit(two.id)
    registry.demote("by hand", "me")
    registry.demote("its hit rate fell", MONITOR, ModelRole.CHALLENGER)
    assert registry.admit(three.id) is ModelRole.CHAMPION


def test_what_was_counted_is_kept(tmp_path: Path) -> None:
    registry, (one,) = stored(tmp_path, 1.0)
    assert registry.record(one.id) == Record()
    record = Record((Day(20_000, 24, 13, 5.9, 16.0),))
    registry.keep(one.id, record)
    assert registry.record(one.id) == record
    (tmp_path / one.id / "live.json").write_text("{")
    with pytest.raises(RegistryError, match=r"live.json: .*; remove it"):
        registry.record(one.id)
    registry.keep("gone", record)
    assert registry.names() == [one.id]


def test_a_line_that_a_crash_cut_is_left_out_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    registry, (one,) = stored(tmp_path, 1.0)
    registry.promote(one.id)
    note_trials(registry.folder, LOOK, {"a": 0.1})
    for name in ("log.jsonl", "tried.jsonl"):
        with (tmp_path / name).open("ab") as file:
            file.write(b'{"at": "20')
    assert [entry["what"] for entry in registry.life(one.id)] == ["promoted"]
    registry.demote()
    assert [entry["what"] for entry in registry.life(one.id)] == ["promoted", "demoted"]
    assert note_trials(registry.folder, LOOK, {"b": 0.2}) == [0.1, 0.2]
    for name in ("log.jsonl", "tried.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(RegistryError, match=r"log.jsonl: line 1: .*; remove that line"):
        registry.life(one.id)
    before = (tmp_path / "tried.jsonl").read_bytes()
    with pytest.raises(RegistryError, match=r"tried.jsonl: line 1: "):
        note_trials(registry.folder, LOOK, {"c": 0.3})
    assert (tmp_path / "tried.jsonl").read_bytes() == before
    # Who is on duty does not hang on the log.
    assert registry.promote(one.id) == one
    assert registry.champion == one.id


def test_who_cannot_be_written_down_does_not_trade(tmp_path: Path) -> None:
    registry, (one, two) = stored(tmp_path, 1.0, 2.0)
    registry.promote(one.id)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(OSError, match=r"log\.jsonl"):
        registry.promote(two.id)
    assert registry.champion == one.id


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """A desk's training, and one by hand: each line is a try, or somebody's duty."""
    registry, metas = stored(tmp_path, *(float(k) for k in range(1, 5)))
    code = (
        "import sys; from pathlib import Path; from core.signals.registry import Registry\n"
        "from core.research.looks import Look, note_trials\n"
        "who, registry = sys.argv[2], Registry(Path(sys.argv[1]))\n"
        "for k in range(100):\n"
        "    note_trials(registry.folder, Look(who, (who,), 1, 2), {f'{who} {k}': 0.1})\n"
        "    registry.promote(f'linear-1x3600-{who}', who)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(k)]) for k in range(1, 5)
    ]
    assert [one.wait() for one in running] == [0] * 4
    for k, meta in enumerate(metas, 1):
        tried = note_trials(registry.folder, Look(str(k), (str(k),), 1, 2), {"last": 0.2})
        assert len(tried) == 101
        assert sum(one["what"] == "promoted" for one in registry.life(meta.id)) == 100
    assert registry.champion in {meta.id for meta in metas}


def test_nothing_is_promoted_half(tmp_path: Path) -> None:
    registry, (good, bad) = stored(tmp_path, 1.0, 2.0)
    registry.promote(good.id)
    meta, text = follower(3.0, name="failed")
    failed = msgspec.structs.replace(meta, gate=(Check("edge", 0.1, "1", False),))
    registry.store(failed, text.encode())
    with pytest.raises(SafetyRefusal, match="failed did not pass: edge"):
        registry.promote("failed")
    path = tmp_path / bad.id / FILE
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(RegistryError, match="is not the file that was stored"):
        registry.promote(bad.id)
    (tmp_path / bad.id / "meta.json").write_text('{"id": 7}')
    with pytest.raises(RegistryError, match="meta.json: .*train again"):
        registry.promote(bad.id)
    with pytest.raises(UsageError, match="no such model"):
        registry.promote("../" + good.id)
    assert registry.champion == good.id
    assert len(registry.life(bad.id)) == 0


def test_a_store_that_was_killed_half_way_is_no_obstacle(tmp_path: Path) -> None:
    meta, text = follower(1.0)
    half = tmp_path / f".{meta.id}.half"
    half.mkdir()
    (half / FILE).write_text("torn")
    registry = Registry(tmp_path)
    assert registry.names() == []
    registry.store(meta, text.encode())
    assert registry.read(meta.id) == meta


def test_another_library_is_refused(tmp_path: Path) -> None:
    meta, text = follower(1.0)
    member = msgspec.json.decode(text)["members"][0] | {"kind": "lightgbm", "trees": "tree"}
    recipe = msgspec.json.encode(msgspec.json.decode(text) | {"members": [member]})

    old = msgspec.structs.replace(
        meta, sha256=sha256(recipe).hexdigest(), versions={"lightgbm": "3.3.5"}
    )
    Registry(tmp_path).store(old, recipe)
    with pytest.raises(RegistryError, match=r"is of LightGBM 3.3.5, here is 4\."):
        Registry(tmp_path).load(old.id)


def test_features_that_changed_their_meaning_are_refused(tmp_path: Path) -> None:
    meta, text = follower(1.0)
    for change, problem in (
        ({"definitions": "0" * 64}, "mean something else now"),
        ({"features": ["return_1", "tea_leaves"]}, "needs features that are not here: tea_leaves"),
    ):
        recipe = msgspec.json.encode(msgspec.json.decode(text) | change)

        odd = msgspec.structs.replace(
            meta, id=f"odd-{len(problem)}", sha256=sha256(recipe).hexdigest()
        )
        Registry(tmp_path).store(odd, recipe)
        with pytest.raises(RegistryError, match=problem):
            Registry(tmp_path).load(odd.id)
