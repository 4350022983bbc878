"""A recorded session decides the same again; what is not the same is found and named."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import ConfigError, RecordingError
from core.home import Home
from core.journal import recorder
from core.portfolio.ledger import Ledger
from core.research.replay import find_session, find_sessions, replay
from core.signals.folder import find_strategy
from core.signals.strategy import strategy_maker
from tests.core.engine.scene import Scene, config
from tests.core.research.recorded import NAME, RecordedScene


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)  # pyarrow costs half a second
    return Home(tmp_path)


def test_a_session_decides_the_same_again(home: Home) -> None:
    scene = RecordedScene(home)
    scene.trade()
    found = replay(scene.end(), home)
    assert found.equal, found.difference
    assert found.complete
    assert found.decision_hash == found.recorded_hash == scene.engine.decision_hash
    assert found.orders == len(scene.orders()) > 2
    assert found.fills == scene.engine.ledger.fills > 1
    assert found.events == scene.engine.events


def test_a_session_begins_with_the_ledger_its_desk_found(home: Home) -> None:
    first = Scene(config())
    first.open()
    for _ in range(12):
        first.now += 5_000_000_000
        first.give(first.book(50_000.0), first.candle(50_000.0 + first.now % 7000))
    scene = RecordedScene(home, Ledger.replay(first.journal))
    scene.now = first.now
    scene.trade(1)
    found = replay(scene.end(), home)
    assert found.equal, found.difference


def test_the_first_decision_that_differs_is_named(home: Home) -> None:
    scene = RecordedScene(home)
    scene.trade()
    path = scene.end()
    facts = json.loads((path / "session.json").read_text())
    facts["config"]["limits"]["position_notional"] = "0.01"
    (path / "session.json").write_text(json.dumps(facts))
    found = replay(path, home)
    assert not found.equal
    assert found.decision_hash != found.recorded_hash
    first = found.difference
    assert first is not None
    recorded, replayed = json.loads(first.recorded), json.loads(first.replayed)
    wanted = [one["order"]["qty"] for one in recorded if one["type"] == "SubmitOrder"]
    got = [one["order"]["qty"] for one in replayed if one["type"] == "SubmitOrder"]
    assert Decimal(got[0]) < Decimal(wanted[0])
    assert json.loads(first.event)["received"] == first.ts


def test_a_crashed_session_is_compared_as_far_as_it_goes(home: Home) -> None:
    scene = RecordedScene(home)
    scene.trade(1)
    scene.recorder.flush()  # the desk's last second ends here
    count = scene.engine.events
    scene.trade(1)
    path = scene.end()
    (path / "end.json").unlink()
    spool = next(path.glob("*.spool"))
    spool.write_bytes(spool.read_bytes()[:-1])
    found = replay(path, home)
    assert (found.equal, found.complete, found.events) == (True, False, count)
    assert found.recorded_hash == ""


def test_a_session_cut_short_after_its_end_was_written_is_an_error(home: Home) -> None:
    scene = RecordedScene(home)
    scene.trade(1)
    scene.recorder.flush()
    scene.trade(1)
    path = scene.end()
    spool = next(path.glob("*.spool"))
    spool.write_bytes(spool.read_bytes()[:-1])
    with pytest.raises(RecordingError, match=r"ends at event \d+, but \d+ were recorded"):
        replay(path, home)


def test_a_strategy_that_changed_or_is_gone_is_told(home: Home) -> None:
    home.strategies.mkdir(parents=True)
    own = home.strategies / "own.py"
    own.write_text(
        "class Own:\n"
        "    warmup = 0\n"
        "    def __init__(self, settings): pass\n"
        "    def on_candle(self, candle): return None\n"
    )
    settings = config(strategy={"name": "own"})
    maker = strategy_maker(settings.strategy, find_strategy(home.strategies, settings.strategy))
    scene = RecordedScene(home, make_strategy=maker, strategy={"name": "own"})
    scene.trade(1)
    path = scene.end()
    assert (replay(path, home).equal, replay(path, home).note) == (True, "")
    own.write_text(own.read_text() + "# changed\n")
    found = replay(path, home)
    assert (found.equal, found.note) == (True, "the strategy own is not the one that was recorded")
    own.unlink()
    with pytest.raises(ConfigError, match="'own' is unknown"):
        replay(path, home)


def test_sessions_are_found_by_name_date_and_last(home: Home) -> None:
    with pytest.raises(RecordingError, match="nothing is recorded"):
        find_session(home, "last")
    path = RecordedScene(home).end()
    (one,) = find_sessions(home)
    assert (one.name, one.environment, one.events) == (NAME, "practice", 0)
    for wanted in ("last", "2023-11-14", NAME, NAME[:9], str(path)):
        assert find_session(home, wanted) == path
    with pytest.raises(RecordingError, match="no recording '2023-11-15'"):
        find_session(home, "2023-11-15")
    other = path.with_name("20231114T230000-000002")
    other.mkdir()
    (other / "session.json").write_bytes(
        (path / "session.json").read_bytes().replace(b":17000", b":17001")
    )
    assert find_session(home, "2023-11-14") == other  # the last of the day
    with pytest.raises(RecordingError, match="fits several"):
        find_session(home, "20231114")
