"""How it looks, compared with pictures that were looked at (``--snapshot-update`` renews them).

Made with one version of Python and Textual; another Textual may draw its SVG differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from core.home import Home
from core.model.snapshot import Snapshot
from tests.tui import pictures
from tests.tui.conftest import settle
from tests.waiting import until
from tui.app import TerminalApp

Serve = Callable[[Snapshot], Home]

# Names say what to look for; the drawing itself is in __snapshots__.
CASES = {
    "approvals at 80x24": ("waiting", (80, 24), ["2"], "contrast"),
    "feed health at 80x24": ("busy", (80, 24), ["7"], "classic"),
    "risk at 120x40": ("busy", (120, 40), ["6", "6"], "light"),
    "where to begin at 80x24": ("busy", (80, 24), ["W"], "sky"),
    "help of positions at 120x40": ("busy", (120, 40), ["3", "question_mark"], "east"),
    "markets at 80x24": ("busy", (80, 24), [], "sky"),
    "orders at 80x24 after the kill cord": ("halted", (80, 24), ["3"], "sky"),
    "dashboard at 120x40": ("busy", (120, 40), ["3", "down"], "classic"),
    "dashboard at 200x60": ("busy", (200, 60), [], "sky"),
    "an empty desk at 120x40": ("empty", (120, 40), [], "sky"),
    "ticket at 80x24": ("busy", (80, 24), ["s", "1", "2"], "light"),
}


@pytest.mark.parametrize("case", CASES)
def test_picture(case: str, serve: Serve, snap_compare: Any) -> None:
    name, size, keys, theme = CASES[case]
    app = TerminalApp(serve(getattr(pictures, name)()), theme=theme)

    async def before(pilot: Pilot[str]) -> None:
        await settle(pilot, app)
        await pilot.press(*keys)
        for field in app.screen.query("Input"):
            field.cursor_blink = False  # type: ignore[attr-defined]
        app.frame()
        if app.panes["depth"].is_on_screen or app.panes["chart"].is_on_screen:
            await until(lambda: app.client.watched is not None)
        app.frame()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_picture_without_colour(
    serve: Serve, snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = TerminalApp(serve(pictures.halted()))

    async def before(pilot: Pilot[str]) -> None:
        await settle(pilot, app)
        await until(lambda: app.client.watched is not None)
        app.frame()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("theme", ["classic", "contrast", "light"])
def test_picture_of_the_dashboard_in_other_colours(
    serve: Serve, snap_compare: Any, theme: str
) -> None:
    app = TerminalApp(serve(pictures.busy()), theme=theme)

    async def before(pilot: Pilot[str]) -> None:
        await settle(pilot, app)
        await until(lambda: app.client.watched is not None)
        app.frame()
        await pilot.pause()

    assert snap_compare(app, terminal_size=(160, 50), run_before=before)
