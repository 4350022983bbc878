"""Drawing: every line is exactly as wide as it must be, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.strip import Strip

from core.home import Home
from tests.tui import pictures
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui.app import TerminalApp
from tui.text import clean
from tui.theme import PALETTES, inks
from tui.views.table import Cell, Column, Row, fit
from tui.widgets.ink import draw_groups, draw_heads, draw_line, draw_row

COLUMNS = (
    Column("name", 6),
    Column("number", 8, 1, right=True, group="a"),
    Column("spark", 5, 2, tail=True, group="a"),
    Column("rest", 4, 3, grow=1),
)


def width_of(strip: Strip) -> int:
    return sum(cell_len(segment.text) for segment in strip)


@given(
    st.lists(st.text(max_size=40).map(clean), min_size=4, max_size=4),
    st.integers(min_value=7, max_value=90),
    st.booleans(),
    st.sampled_from(["", "alarm", "good", "down"]),
)
def test_a_row_fills_its_width_to_the_cell(
    texts: list[str], width: int, cursor: bool, tone: str
) -> None:
    row = Row("k", tuple(Cell(text, tone) for text in texts))  # type: ignore[arg-type]
    places = fit(COLUMNS, width - 2)
    for colour in (True, False):
        ink = inks("sky", colour)
        assert width_of(draw_row(row, places, ink, width, cursor)) == width
        assert width_of(draw_line(row.cells, ink, width)) == width
        assert width_of(draw_heads(places, ink, width)) == width
        assert width_of(draw_groups(places, ink, width)) == width


def test_equal_neighbours_are_one_piece() -> None:
    row = Row("k", (Cell("a"), Cell("1"), Cell("▁▂"), Cell("b")))
    assert len(list(draw_row(row, fit(COLUMNS, 60), inks("sky"), 62, False))) == 1


@pytest.mark.parametrize("theme", PALETTES)
def test_up_and_down_differ_without_colour_and_with(theme: str) -> None:
    for colour in (True, False):
        tones = inks(theme, colour).tones
        assert len({str(tones[tone]) for tone in ("up", "down", "alarm")}) == 3


async def test_only_changed_lines_are_painted(desk: Loopback, home: Home) -> None:
    app = TerminalApp(home)
    async with app.run_test(size=(160, 50)) as pilot:
        await until(lambda: app.client.latest is not None)
        markets = app.panes["markets"]
        kept: dict[int, Strip] = {}
        # The first layout may still be under way: wait until nothing is painted any more.
        while len(kept) < markets.head + 10 or kept != markets._strips:
            kept = dict(markets._strips)
            app.frame()
            await pilot.pause(0.05)
        changed = pictures.busy().markets
        moved = pictures.market("SOL", 1, last=200.0)
        desk.show(
            pictures.busy(
                markets=tuple(
                    moved if (m.venue, m.symbol) == (moved.venue, moved.symbol) else m
                    for m in changed
                ),
                seq=2000,
            )
        )
        await until(lambda: app.client.latest is not None and app.client.latest.seq == 2000)
        app.frame()
        await pilot.pause()
        painted = [y for y, strip in markets._strips.items() if kept.get(y) is not strip]
        assert painted == [markets.head + 2]  # SOL is the third row


async def test_reading_further_down_is_not_disturbed(desk: Loopback, home: Home) -> None:
    app = TerminalApp(home)
    async with app.run_test(size=(160, 50)) as pilot:
        await until(lambda: app.client.latest is not None)
        app.frame()
        await pilot.press("5", "pagedown")
        log = app.panes["log"]
        before = log.rows[log._top].key
        desk.show(pictures.busy(1, log=pictures.log(45)))
        await until(lambda: app.client.latest is not None and len(app.client.latest.log) == 45)
        app.frame()
        assert log.rows[log._top].key == before
        await pilot.press("home", "G", "g")
        assert log._top == 0
