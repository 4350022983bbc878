"""The terminal on a recording: its keys, and that nothing is traded there but the cord works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.desk.control import ControlSocket
from core.home import Home
from core.journal import recorder
from core.model.event import Kill, KillMode
from core.model.replay import SPEEDS, Mark, ReplayView, Wish
from core.research.playback import Playback
from tests.core.research.recorded import RecordedScene
from tests.tui.conftest import settle
from tests.tui.loopback import Loopback
from tests.tui.test_app import said
from tests.waiting import until
from tui.app import TerminalApp
from tui.views.replay import view_replay, wish_of


@pytest.fixture
async def played(home: Home, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A recording on a socket of its own."""
    monkeypatch.setattr(recorder, "pack", lambda spools: False)
    scene = RecordedScene(home)
    scene.trade(4)
    playback = Playback(await asyncio.to_thread(scene.end), home)
    home.run.mkdir(parents=True, exist_ok=True)
    control = ControlSocket(playback, home.replay_socket(1))
    await control.start()
    task = asyncio.create_task(playback.run())
    yield home.replay_socket(1)
    playback.request_stop("over")
    await task
    await control.close()


async def test_keys_of_trading_do_nothing_and_those_of_the_recording_work(
    desk: Loopback, home: Home, played: Path
) -> None:
    app = TerminalApp(home, recording=played, actor="tester")
    async with app.run_test(size=(160, 50)) as pilot:
        await settle(pilot, app)
        assert "REPLAY" in said(app, "strip")
        await pilot.press("O")
        await until(lambda: app.snapshot is not None and app.snapshot.orders)
        await until(lambda: "paused" in said(app, "strip"))
        await pilot.press("4", "a", "d", "b", "s", "x", "c", "C", "p", "h", "m")
        assert not app.in_dialog
        assert " a arm" not in said(app)
        assert "space" in said(app)
        await pilot.press("w")  # why still answers
        await until(lambda: app.in_dialog)
        await pilot.press("escape")
        await pilot.press("+", "space")
        await until(lambda: "▶ 2×" in said(app, "strip"))
        assert not desk.commands


async def test_the_kill_cord_means_the_desk_that_runs(
    desk: Loopback, home: Home, played: Path
) -> None:
    app = TerminalApp(home, recording=played, actor="tester")
    async with app.run_test(size=(160, 50)) as pilot:
        await settle(pilot, app)
        await pilot.press("f12")
        await until(lambda: desk.commands)
        await until(lambda: "the running desk is halted" in said(app))
        await desk.close()
        await pilot.press("f12")
        await until(lambda: "there is nothing to stop" in said(app))
    (kill,) = desk.commands
    assert isinstance(kill, Kill)
    assert (kill.mode, kill.actor) == (KillMode.CANCEL, "tester")


VIEW = ReplayView("x", 0, 10, 5, 1.0, False, False, None, 1000, 0, 1, 2, 3, "")


def test_every_key_says_what_it_wants() -> None:
    assert wish_of("pause", VIEW) == Wish(pause=True)
    assert wish_of("faster", VIEW) == Wish(speed=2.0)
    assert wish_of("slower", VIEW) == Wish(speed=1.0)
    assert wish_of("minute_back", VIEW) == Wish(by=-60.0)
    assert wish_of("refusal", VIEW) == Wish(pause=True, jump=(Mark.REFUSAL,))
    assert wish_of("previous", VIEW).back
    assert (min(SPEEDS), max(SPEEDS)) == (1.0, 60.0)


def test_the_strip_says_where_it_stands() -> None:
    def text(view: ReplayView) -> str:
        return " ".join(cell.text for _, line in view_replay(view) for cell in line)

    assert "▶ 1×" in text(VIEW)
    assert "decisions identical" in text(VIEW)
    import msgspec

    changed = msgspec.structs.replace(VIEW, differs=7, winding=0.5, note="[b]odd\x1b")
    assert "» 50%" in text(changed)
    assert "DECISIONS DIFFER from event 7" in text(changed)
    assert "\x1b" not in text(changed)
