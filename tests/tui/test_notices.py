"""What rings and what the desktop is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.home import Home
from core.model.snapshot import LogView, Snapshot
from tests.tui import pictures
from tests.tui.conftest import settle
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui.app import TerminalApp
from tui.notices import GAP_S, Desktop, Notices

FILL = LogView(901, pictures.NOW, "info", "fill", "okx BTC buy 0.01 filled at 64,120.5")
ALARM = LogView(902, pictures.NOW, "alarm", "risk", "DRAWDOWN: 5 % lost; halting")
WAITS = LogView(903, pictures.NOW, "warning", "signal", "okx BTC buy 0.01 waits 60 s")


def with_log(*lines: LogView, step: int = 1) -> Snapshot:
    return pictures.busy(step, log=lines)


def test_only_what_came_after_the_first_picture_is_new() -> None:
    notices = Notices()
    old = LogView(900, pictures.NOW, "alarm", "risk", "long ago")
    assert notices.take(with_log(old)).alarms == ()
    new = notices.take(with_log(old, FILL, ALARM, WAITS))
    assert (new.alarms, new.fills) == ((ALARM, WAITS), (FILL,))
    assert new.told("none") == ()
    assert new.told("alarms") == (ALARM, WAITS)
    assert new.told("all") == (FILL, ALARM, WAITS)
    assert notices.take(with_log(old, FILL, ALARM, WAITS)).told("all") == ()


def test_a_burst_is_one_note_that_counts() -> None:
    desktop = Desktop({"TERM": "xterm"})
    assert desktop.compose((), 0.0) == ""
    assert desktop.compose((FILL,), 10.0) == FILL.text
    assert desktop.compose((FILL, ALARM), 11.0) == ""
    assert desktop.compose((FILL,), 10.0 + GAP_S) == f"{FILL.text} (and 2 more)"


@pytest.mark.parametrize(
    ("environ", "shape"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b]9;{}\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;Killcord;{}\x07"),
        ({"VTE_VERSION": "7200"}, "\x1b]777;notify;Killcord;{}\x07"),
        ({"TMUX": "x"}, "\x1bPtmux;\x1b\x1b]9;{}\x07\x1b\\"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a"}, "\x1b]9;{}\x07"),
    ],
)
def test_the_sequence_is_the_one_that_the_terminal_knows(
    environ: dict[str, str], shape: str
) -> None:
    desktop = Desktop(environ)
    assert desktop.through_terminal
    assert desktop.sequence("a, b") == shape.format("a, b")


def test_hostile_text_cannot_leave_the_note() -> None:
    hostile = LogView(1, 0, "alarm", "risk", "x\x07\x1b]52;c;aGk=\x07;y\x1b\\z")
    desktop = Desktop({"VTE_VERSION": "7200"})
    whole = desktop.sequence(desktop.compose((hostile,), 0.0))
    assert whole.startswith("\x1b]777;notify;Killcord;x")
    assert whole.count("\x1b") == 1
    assert whole.count("\x07") == 1
    assert whole.count(";") == 3


@pytest.mark.parametrize(
    ("settings", "rings", "notes"), [("", 1, 1), ('bell = "all"', 2, 1), ('bell = "none"', 0, 1)]
)
async def test_the_terminal_rings_once_for_what_is_new(
    desk: Loopback,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
    rings: int,
    notes: int,
) -> None:
    home.config_file.parent.mkdir(parents=True, exist_ok=True)
    home.config_file.write_text(f"[terminal]\n{settings}\n")
    app = TerminalApp(home)
    heard: list[str] = []
    written: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: heard.append("bell"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, app)
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)

        async def show(step: int, *lines: LogView) -> None:
            picture = with_log(*desk.picture.log, *lines, step=step)
            desk.show(picture)
            await until(_shown(app, picture))
            app.frame()

        await show(1, FILL)
        await show(2, ALARM)
        app.redraw()
    assert len(heard) == rings
    assert sum("]9;" in text for text in written) == notes


def _shown(app: TerminalApp, picture: Snapshot) -> Callable[[], bool]:
    return lambda: app.client.latest is not None and app.client.latest.seq == picture.seq
