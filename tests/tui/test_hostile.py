"""Whatever others write, in every pane and dialog: it stays text, on its line, at its width."""

from __future__ import annotations

import unicodedata
from enum import Enum
from itertools import cycle
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields, replace
from rich.cells import cell_len
from textual.pilot import Pilot

from core.clock import SECOND
from core.home import Home
from core.model.market import Side
from core.model.snapshot import HeldView, Snapshot
from tests.tui import pictures
from tests.tui.conftest import settle
from tests.tui.loopback import Loopback
from tests.tui.test_text import HOSTILE
from tests.waiting import until
from tui.app import TerminalApp
from tui.layouts import HIGH, WIDE

CORPUS = [attack for attack, _ in HOSTILE.values() if "\ud800" not in attack] + [
    "[bold red]x[/] [/] [[ ] [@click=app.quit]",
    "ｗｉｄｅ 注文拒否 注文拒否 注文拒否 注文拒否 注文拒否",
    "👩‍👩‍👧 🇯🇵 ☠\ufe0f",
    "؅ אבג עברית 123 \u202e321",
    "x" * 3000,
    "\t\ttabs\vand\fthings",
    "",
]
OURS = {"state", "channel", "level", "kind", "unit", "verdict", "symbol", "venue", "dead_man"}
"""Words of the desk itself, or names by which parts of a picture find each other."""
BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def poison(value: Any, attacks: Any) -> Any:
    """Return the value with every text that may be another's replaced by an attack."""
    if isinstance(value, Struct):
        changes = {
            field.name: poison(getattr(value, field.name), attacks)
            for field in fields(type(value))
            if field.name not in OURS
        }
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(poison(item, attacks) for item in value)
    if isinstance(value, dict):
        return {key: poison(item, attacks) for key, item in value.items()}
    if isinstance(value, str) and not isinstance(value, Enum):
        return next(attacks)
    return value


def poisoned(step: int = 0) -> Snapshot:
    waits = HeldView(
        "KC1", "okx", pictures.symbol("SOL"), Side.BUY, pictures.Decimal(1),
        pictures.Decimal(148), "s", "r", pictures.NOW, pictures.NOW + 40 * SECOND,
    )  # fmt: skip
    picture = pictures.busy(step, news=pictures.news(), held=(waits,), kill=pictures.halted().kill)
    found: Snapshot = poison(picture, cycle(CORPUS[step:] + CORPUS[:step]))
    return found


def look(app: TerminalApp, where: str) -> None:
    """Check every cell on the screen, as Textual is about to write it."""
    width = app.size.width
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        text = "".join(segment.text for segment in strip)
        bad = [
            char
            for char in text
            if unicodedata.category(char)[0] == "C" or unicodedata.bidirectional(char) in BIDI
        ]
        assert not bad, (where, y, bad, text)
        assert cell_len(text) == width, (where, y, text)
        for segment in strip:
            assert segment.style is None or not segment.style.link, (where, y, text)
            meta = segment.style.meta if segment.style is not None else {}
            assert not {key for key in meta if key.startswith("@")}, (where, y, meta)


DIALOGS = (["b"], ["a"], ["2", "w"], ["2", "home", "z"], ["3", "m"], ["4", "u"], ["ctrl+q"])


@pytest.mark.parametrize("size", [(80, 24), (WIDE, HIGH)], ids=["narrow", "wide"])
async def test_every_pane_and_dialog_shows_it_as_text(
    desk: Loopback, home: Home, size: tuple[int, int]
) -> None:
    desk.picture = poisoned()
    why = poison(pictures.why(), cycle(CORPUS))
    desk.why = why
    app = TerminalApp(home, theme="contrast")

    async def show(pilot: Pilot[str], step: int) -> None:
        desk.show(poisoned(step))
        await until(lambda: app.client.latest is not None and app.client.latest.seq == 1000 + step)
        app.frame()
        await pilot.pause()

    async with app.run_test(size=size) as pilot:
        await settle(pilot, app)
        for step in (1, len(CORPUS) // 2):  # each picture has every attack, in other places
            await show(pilot, step)
            for number in range(1, 10):
                await pilot.press(str(number))
                app.frame()
                look(app, f"pane {number}, step {step}")
            await pilot.press("5")
            for _ in range(4):
                await pilot.press("v")
                app.frame()
                look(app, "log pane")
        for keys in DIALOGS:
            await pilot.press("0", *keys)
            await pilot.pause()
            look(app, f"dialog {keys}")
            while app.in_dialog:
                await pilot.press("escape")
                await pilot.pause()
    assert not app.clipboard
    assert desk.commands == []
