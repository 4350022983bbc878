"""A recording played to terminals: going anywhere in it shows what was there the first time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from core.clock import SECOND
from core.desk.control import ControlSocket
from core.errors import NoDesk, RecordingError, UsageError
from core.home import Home
from core.journal import recorder
from core.model.event import Arm
from core.model.replay import Mark, Wish
from core.model.snapshot import Snapshot
from core.research import playback
from core.research.playback import Playback
from tests.core.engine.scene import START
from tests.core.research.recorded import RecordedScene
from tests.waiting import until
from tui.client import fetch_snapshot
from tui.control import ask


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(recorder, "pack", lambda spools: False)  # pyarrow costs half a second
    return Home(tmp_path)


@pytest.fixture
def session(home: Home) -> Path:
    scene = RecordedScene(home)
    scene.trade(8)
    return scene.end()


@asynccontextmanager
async def playing(path: Path, home: Home) -> AsyncIterator[Playback]:
    played = Playback(path, home)
    task = asyncio.create_task(played.run())
    try:
        yield played
    finally:
        played.request_stop("over")
        await task


async def go(played: Playback, **wish: object) -> Snapshot:
    """Go somewhere, wait for it, and return the picture there, without what counts pictures."""
    played.direct(Wish(pause=True, **wish))  # type: ignore[arg-type]
    await until(lambda: played.view().winding is None)
    return msgspec.structs.replace(played.snapshot(), seq=0, replay=None)


async def test_going_back_shows_what_was_there_before(
    home: Home, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "KEEP_EVERY", 7)
    monkeypatch.setattr(playback, "KEEP_MOST", 4)
    moments = [START + n * 20 * SECOND for n in range(1, 20)]
    async with playing(session, home) as played:
        first = [await go(played, to=moment) for moment in moments]
        assert len({one.events for one in first}) == len(first)
        assert first[-1].fills
        for at in (17, 3, 18, 0, 9, 8):
            assert await go(played, to=moments[at]) == first[at]
        await go(played, to=1 << 62)
        view = played.view()
        assert view.ended
        assert (view.differs, view.compared) == (0, played.snapshot().events)


async def test_jumps_stop_where_something_was_decided(home: Home, session: Path) -> None:
    async with playing(session, home) as played:
        stops = []
        while True:
            picture = await go(played, jump=(Mark.ORDER,))
            if played.view().ended:
                break
            stops.append(picture.events)
            newest = max(order.created for order in picture.orders)
            assert newest == picture.ts
        assert len(stops) == played.view().orders > 2
        await go(played, to=0)
        assert (await go(played, jump=(Mark.ORDER, Mark.ALARM))).events == stops[0]
        assert (await go(played, jump=(Mark.ORDER,))).events == stops[1]
        assert (await go(played, jump=(Mark.ORDER,), back=True)).events == stops[0]
        assert (await go(played, jump=(Mark.ORDER,), back=True)).events == stops[0]


async def test_it_plays_by_the_clock_at_the_speed_asked_for(home: Home, session: Path) -> None:
    async with playing(session, home) as played:
        began = played.view().at
        played.direct(Wish(speed=60.0))
        await until(lambda: played.view().at > began + 30 * SECOND)
        assert not played.view().ended
        played.direct(Wish(pause=True))
        await asyncio.sleep(0)
        stood = played.view().at
        version = played.version
        await until(lambda: played.version > version)  # a paused recording is not a silent desk
        assert played.view().at == stood
        with pytest.raises(UsageError, match="1 to 60"):
            played.direct(Wish(speed=61.0))


async def test_decisions_that_differ_are_told(home: Home, session: Path) -> None:
    facts = json.loads((session / "session.json").read_text())
    facts["config"]["limits"]["position_notional"] = "0.01"
    (session / "session.json").write_text(json.dumps(facts))
    async with playing(session, home) as played:
        await go(played, to=1 << 62)
        assert 0 < played.view().differs < played.view().compared


async def test_damage_ends_the_recording_and_is_named(
    home: Home, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session / "end.json").unlink()
    spool = session / "events-000000000001.spool"
    whole = spool.read_bytes()
    monkeypatch.setattr(playback, "last_moment", lambda path: 1 << 62)
    spool.write_bytes(whole + whole)  # events that do not follow
    async with playing(session, home) as played:
        await go(played, to=1 << 62)
        assert played.view().ended
        assert "is missing" in played.view().note
    with pytest.raises(RecordingError):
        Playback(home.data, home)


async def test_the_control_socket_serves_it_and_trades_nothing(home: Home, session: Path) -> None:
    socket = home.replay_socket(1)
    socket.parent.mkdir(parents=True)
    async with playing(session, home) as played:
        control = ControlSocket(played, socket)
        await control.start()
        try:
            picture = await asyncio.to_thread(fetch_snapshot, socket)
            assert picture.replay is not None
            assert picture.replay.name == session.name
            wish = {"pause": True, "jump": ["order"]}
            await asyncio.to_thread(ask, socket, "POST", "/v1/replay", wish)
            await until(lambda: played.view().orders)
            with pytest.raises(UsageError, match="unknown field"):
                await asyncio.to_thread(ask, socket, "POST", "/v1/replay", {"fly": True})
            arm = msgspec.to_builtins(Arm("me", 0))
            answer = await asyncio.to_thread(ask, socket, "POST", "/v1/commands", arm)
            assert (answer["ok"], answer["code"]) == (False, "REPLAY")
        finally:
            await control.close()
    with pytest.raises(NoDesk):
        await asyncio.to_thread(fetch_snapshot, socket)
