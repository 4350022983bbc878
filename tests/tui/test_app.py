"""The terminal against a desk's protocol on a real socket: what keys send, what the screen says."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from core.clock import SECOND
from core.errors import ConfigError
from core.home import Home
from core.model.effect import Answer
from core.model.event import (
    AnswerSignal,
    Arm,
    Cancel,
    Close,
    Disarm,
    Kill,
    KillMode,
    MoveStop,
    Pause,
    Resume,
    Submit,
    TradingState,
    Verdict,
)
from core.model.market import Side
from core.model.order import OrderKind, OrderStatus, TimeInForce
from core.model.snapshot import HeldView, LogView
from tests.tui import pictures
from tests.tui.conftest import settle
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui import numbers
from tui.app import TerminalApp
from tui.layouts import HIGH, WIDE
from tui.panes.chart import ChartPane
from tui.panes.pane import DepthPane, Pane
from tui.screens import welcome
from tui.screens.help import HelpScreen
from tui.screens.resize import ResizeScreen
from tui.screens.stop import StopScreen
from tui.screens.story import StoryScreen
from tui.screens.ticket import LOOK_S, TicketScreen
from tui.screens.welcome import WelcomeScreen
from tui.screens.why import WhyScreen
from tui.widgets.choice import Choice
from tui.widgets.lines import Lines, RaisedLines


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two keys a busy machine may need longer than a person has for the second."""
    monkeypatch.setattr("tui.commands.WINDOW_S", 600.0)


@asynccontextmanager
async def terminal(
    home: Home, size: tuple[int, int] = (WIDE, HIGH), rebinds: dict[str, str] | None = None
) -> AsyncIterator[tuple[TerminalApp, Pilot[str]]]:
    app = TerminalApp(home, rebinds=rebinds, actor="tester")
    async with app.run_test(size=size) as pilot:
        await settle(pilot, app)
        yield app, pilot


def said(app: TerminalApp, name: str = "foot") -> str:
    app.frame()
    return app.screen_stack[0].query_one(f"#{name}", Lines).text


def framed(app: TerminalApp) -> TerminalApp:
    """Return the app after another frame, without waiting for its timer."""
    app.frame()
    return app


def looked(app: TerminalApp) -> bool:
    """Return whether the ticket has been open long enough to take enter."""
    assert isinstance(app.screen, TicketScreen)
    return time.monotonic() - app.screen._opened > LOOK_S


# --- commands -------------------------------------------------------------------------------------


async def test_x_closes_the_position_under_the_cursor(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("3", "down", "x")
        await until(lambda: desk.commands)
        await until(lambda: "close BTC on bybit: done" in said(app))
    (close,) = desk.commands
    assert isinstance(close, Close)
    assert (close.venue, close.symbol) == ("bybit", pictures.symbol("BTC"))
    assert close.fraction == Decimal(1)
    assert close.actor == "tester"


async def test_h_closes_half_of_the_position_under_the_cursor(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("3", "h")
        await until(lambda: "close 50% of BTC on binance: done" in said(app))
    (close,) = desk.commands
    assert isinstance(close, Close)
    assert (close.venue, close.fraction) == ("binance", Decimal("0.5"))


async def test_keys_typed_faster_than_frames_find_the_rows_of_their_pane(
    desk: Loopback, home: Home
) -> None:
    async with terminal(home, (80, 24)) as (app, _):
        app.action_pane("positions")
        app.action_cursor(1)
        assert app.cursor is not None
        picked = app.cursor.position()
        assert picked is not None
        assert (picked.venue, picked.symbol) == ("bybit", pictures.symbol("BTC"))


async def test_m_moves_the_stop_and_shows_why_not(desk: Loopback, home: Home) -> None:
    desk.answer = lambda command: Answer("", False, "BAD_STOP", "stop on the wrong side")
    async with terminal(home, (80, 24)) as (app, pilot):
        await pilot.press("3", "down", "m")
        await until(lambda: isinstance(app.screen, StopScreen))
        field = app.screen.query_one(Input)
        assert Decimal(field.value) == Decimal("62838.09")
        field.value = ""
        await pilot.press(*"63000")
        lines = app.screen.query_one(RaisedLines)
        await until(lambda: "result when hit -20.17" in lines.text)
        await pilot.press("enter")
        await until(lambda: "BAD_STOP" in lines.text)
        desk.answer = lambda command: Answer("", True, "DONE", "stop moves to 63,000")
        await pilot.press("enter")
        await until(lambda: not app.in_dialog)
        assert "stop moves to 63,000" in said(app)
    first, second = desk.commands
    assert isinstance(first, MoveStop)
    assert isinstance(second, MoveStop)
    assert (second.venue, second.symbol) == ("bybit", pictures.symbol("BTC"))
    assert second.price == Decimal(63_000)
    assert first.request != second.request


async def test_w_opens_the_chain_of_a_signal_or_an_order(desk: Loopback, home: Home) -> None:
    async with terminal(home, (80, 24)) as (app, pilot):
        await pilot.press("2", "w")
        await until(lambda: isinstance(app.screen, WhyScreen))
        await pilot.press("escape")
        await until(lambda: not app.in_dialog)
        await pilot.press("4", "w")
        await until(lambda: len(desk.whys) == 2 and isinstance(app.screen, WhyScreen))
        desk.why = None
        await pilot.press("escape")
        await until(lambda: not app.in_dialog)
        await pilot.press("w")
        await until(lambda: "not known" in said(app))
        assert not app.in_dialog
    venue, symbol = desk.whys[0].split("|")
    assert (venue in pictures.VENUES, symbol.endswith("/USDT:USDT")) == (True, True)
    assert desk.whys[1] in {order.client_id for order in desk.picture.orders}


async def test_capital_c_cancels_all_entries_of_the_symbol(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("down", "C")
        await until(lambda: "cancel all ETH: done" in said(app))
        await pilot.press("end", "C")  # LTC: nothing works there
        await pilot.pause()
    (cancel,) = desk.commands
    assert isinstance(cancel, Cancel)
    assert (cancel.client_id, cancel.venue, cancel.symbol) == ("", "", pictures.symbol("ETH"))


async def test_x_does_nothing_once_the_row_is_gone(desk: Loopback, home: Home) -> None:
    """A second press must not close the position that slid under the cursor."""
    async with terminal(home) as (app, pilot):
        await pilot.press("3", "x")
        await until(lambda: len(desk.commands) == 1)
        picture = pictures.busy(1)
        first = app.panes["positions"].selected
        desk.show(
            pictures.busy(
                1, positions=tuple(p for p in picture.positions if f"{p.venue}|{p.symbol}" != first)
            )
        )
        await until(lambda: framed(app).panes["positions"].selected is None)
        await pilot.press("x")
        await pilot.pause()
        await pilot.press("down", "x")
        await until(lambda: len(desk.commands) == 2)
    closed = [f"{c.venue}|{c.symbol}" for c in desk.commands if isinstance(c, Close)]
    assert closed[0] == first
    assert closed[1] != first


async def test_a_held_key_sends_one_command(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (_, pilot):
        await pilot.press("3", "x", "x", "x", "x")
        await until(lambda: desk.commands)
        await pilot.pause()
    assert len(desk.commands) == 1


async def test_c_cancels_a_working_order_and_no_other(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("4", "down", "c")
        await until(lambda: desk.commands)
        assert "cancel" in said(app)
        await pilot.press("end", "c")  # a finished order
        await pilot.pause()
    (cancel,) = desk.commands
    assert isinstance(cancel, Cancel)
    working = {o.client_id for o in desk.picture.orders if not o.status.terminal}
    assert cancel.client_id in working


def held(seconds: float = 42.0) -> HeldView:
    return HeldView(
        f"KC{77:022d}",
        "okx",
        pictures.symbol("SOL"),
        Side.BUY,
        Decimal("7.2"),
        Decimal("148.32"),
        "ema_cross",
        "fast crossed above slow",
        pictures.NOW,
        pictures.NOW + int(seconds * SECOND),
    )


async def test_an_entry_that_waits_is_on_top_and_approved_with_y(
    desk: Loopback, home: Home
) -> None:
    desk.picture = pictures.busy(held=(held(),))
    async with terminal(home, (80, 24)) as (app, pilot):
        assert "1 TO APPROVE" in said(app, "strip")
        await pilot.press("2")
        await until(lambda: "y approve" in said(app))
        pane = app.panes["signals"]
        assert isinstance(pane, Pane)
        assert "buy 7.2? 42s" in [cell.text for cell in pane.rows[0].cells]
        await pilot.press("home", "y")
        await until(lambda: "approve buy 7.2 SOL on okx: done" in said(app))
        await pilot.press("down", "y", "N", "z")  # nothing waits there
        await pilot.press("home", "N")
        await until(lambda: len(desk.commands) == 2)
    first, second = desk.commands
    assert isinstance(first, AnswerSignal)
    assert isinstance(second, AnswerSignal)
    assert (first.client_id, first.verdict, first.qty) == (held().client_id, Verdict.APPROVE, None)
    assert second.verdict is Verdict.REJECT


async def test_z_resizes_an_entry_that_waits_and_shows_why_not(desk: Loopback, home: Home) -> None:
    desk.picture = pictures.busy(held=(held(),))
    desk.answer = lambda command: Answer("", False, "ORDER_NOTIONAL", "1483.20 USDT")
    async with terminal(home, (80, 24)) as (app, pilot):
        await pilot.press("2", "home", "z")
        await until(lambda: isinstance(app.screen, ResizeScreen))
        lines = app.screen.query_one(RaisedLines)
        await until(lambda: "liquidation " in lines.text)
        app.screen.query_one(Input).value = ""
        await pilot.press(*"10", "enter")
        await until(lambda: "ORDER_NOTIONAL" in lines.text)
        desk.answer = lambda command: Answer("", True, "DONE", "sent", ("KC1",))
        app.screen.query_one(Input).value = ""
        await pilot.press("5", "enter")
        await until(lambda: not app.in_dialog)
        assert "buy 5 SOL on okx: sent" in said(app)
    assert desk.questions[-1].qty in (Decimal(10), Decimal(5))
    assert [c.qty for c in desk.commands if isinstance(c, AnswerSignal)] == [10, 5]


async def test_u_replaces_an_order_once_its_cancel_is_confirmed(desk: Loopback, home: Home) -> None:
    """Cancel first, and nothing new before the venue says that the old one is gone."""
    async with terminal(home, (80, 24)) as (app, pilot):
        order = next(o for o in desk.picture.orders if o.status is OrderStatus.PARTIAL)
        await pilot.press("4")
        await until(lambda: app.panes["orders"].selected is not None)
        app.panes["orders"].cursor = order.client_id  # type: ignore[union-attr]
        await pilot.press("u")
        await until(lambda: isinstance(app.screen, TicketScreen))
        screen = app.screen
        assert screen.query_one("#qty", Input).value == str(order.qty - order.filled)
        assert screen.query_one("#kind", Choice).value == "limit"
        screen.query_one("#price", Input).value = "3100"
        await until(lambda: looked(app))
        await pilot.press("enter")
        await until(lambda: desk.commands)
        await pilot.pause()
        assert len(desk.commands) == 1
        gone = replace(order, status=OrderStatus.CANCELLED)
        desk.answer = lambda command: Answer("", True, "DONE", "sent", ("KCnew",))
        desk.show(pictures.busy(1, orders=(gone,)))
        await until(lambda: len(desk.commands) == 2)
        await until(lambda: not app.in_dialog)
        new = replace(order, client_id="KCnew", filled=Decimal(0))
        desk.show(pictures.busy(2, orders=(gone, new)))
        # The cursor goes over to the order that took the old one's place.
        await until(lambda: framed(app).panes["orders"].selected == "KCnew")
    cancel, submit = desk.commands
    assert isinstance(cancel, Cancel)
    assert isinstance(submit, Submit)
    assert cancel.client_id == order.client_id
    assert (submit.price, submit.qty) == (Decimal(3100), order.qty - order.filled)


async def test_an_order_that_fills_while_it_is_cancelled_is_not_replaced(
    desk: Loopback, home: Home
) -> None:
    async with terminal(home, (80, 24)) as (app, pilot):
        order = next(o for o in desk.picture.orders if o.status is OrderStatus.PARTIAL)
        await pilot.press("4")
        await until(lambda: app.panes["orders"].selected is not None)
        app.panes["orders"].cursor = order.client_id  # type: ignore[union-attr]
        await pilot.press("u")
        await until(lambda: isinstance(app.screen, TicketScreen) and looked(app))
        await pilot.press("enter")
        await until(lambda: desk.commands)
        desk.show(
            pictures.busy(1, orders=(replace(order, status=OrderStatus.FILLED, filled=order.qty),))
        )
        lines = app.screen.query_one(RaisedLines)
        await until(lambda: "NOT_REPLACED" in lines.text)
    assert len(desk.commands) == 1


async def test_u_on_a_protective_stop_moves_it(desk: Loopback, home: Home) -> None:
    stop = next(o for o in desk.picture.orders if o.kind is OrderKind.STOP)
    held_by = next(p for p in desk.picture.positions if p.symbol == stop.symbol)
    desk.picture = pictures.busy(positions=(replace(held_by, stop=stop.trigger),))
    async with terminal(home, (80, 24)) as (app, pilot):
        await pilot.press("4")
        await until(lambda: app.panes["orders"].selected is not None)
        app.panes["orders"].cursor = stop.client_id  # type: ignore[union-attr]
        await pilot.press("u")
        await until(lambda: isinstance(app.screen, StopScreen))


async def test_p_pauses_the_symbol_and_lets_it_go_on(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("down", "p")
        await until(lambda: desk.commands)
        desk.show(pictures.busy(1, markets=(pictures.market("BTC", 0, paused=True),)))
        await until(lambda: app.client.latest is desk.picture or app.client.latest == desk.picture)
        app.frame()
        await pilot.press("home", "p")
        await until(lambda: len(desk.commands) == 2)
    first, second = desk.commands
    assert isinstance(first, Pause)
    assert isinstance(second, Pause)
    assert (first.symbol, first.on) == (pictures.symbol("ETH"), True)
    assert (second.symbol, second.on) == (pictures.symbol("BTC"), False)


async def test_what_takes_longer_than_a_second_counts_the_seconds(
    desk: Loopback, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = asyncio.Event()
    answered = desk._command

    async def late(request: Any) -> Any:
        await slow.wait()
        return await answered(request)

    await desk.close()
    monkeypatch.setattr(desk, "_command", late)
    await desk.start()
    async with terminal(home) as (app, pilot):
        await pilot.press("d")
        await until(lambda: app.commands.waiting is not None)
        monkeypatch.setitem(app.commands._since, "disarm", time.monotonic() - 2.2)
        assert "disarm … 2 s" in said(app)
        slow.set()
        await until(lambda: "disarm: done" in said(app))


async def test_d_disarms_at_once(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (_, pilot):
        await pilot.press("d")
        await until(lambda: desk.commands)
    assert isinstance(desk.commands[0], Disarm)


@pytest.mark.parametrize(
    ("state", "key", "word", "kind"),
    [(TradingState.DISARMED, "a", "arm", Arm), (TradingState.HALTED, "r", "resume", Resume)],
)
async def test_arm_and_resume_want_their_word(
    desk: Loopback, home: Home, state: TradingState, key: str, word: str, kind: type
) -> None:
    desk.picture = pictures.busy(state=state)
    async with terminal(home) as (_, pilot):
        await pilot.press(key, *"yes", "enter")
        await pilot.pause()
        assert desk.commands == []
        await pilot.press("backspace", "backspace", "backspace", *word, "enter")
        await until(lambda: desk.commands)
    assert isinstance(desk.commands[0], kind)


async def test_a_typed_word_can_be_left(desk: Loopback, home: Home) -> None:
    desk.picture = pictures.busy(state=TradingState.DISARMED)
    async with terminal(home) as (app, pilot):
        await pilot.press("a", *"arm", "escape")
        await pilot.pause()
        assert not app.in_dialog
    assert desk.commands == []


async def test_only_possible_keys_are_offered(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        assert "disarm" in said(app)
        assert " arm " not in said(app)
        assert "resume" not in said(app)
        await pilot.press("3")
        assert "x close" in said(app)
        await pilot.press("4")
        assert "x close" not in said(app)
        assert "c cancel" in said(app)


# --- tables ---------------------------------------------------------------------------------------


async def test_slash_shows_only_rows_that_have_the_words(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        pane = app.panes["signals"]
        assert isinstance(pane, Pane)
        everything = len(pane.rows)
        await pilot.press("2", "slash", *"eth oK")
        await until(lambda: len(framed(app).panes["signals"].rows) == 1)  # type: ignore[union-attr]
        assert "/eth oK 1 of 30" in pane.in_sight()
        await pilot.press("x", "x")  # letters go to the line, not to the desk
        await pilot.press("backspace", "backspace", "enter")
        assert app.focused is pane
        assert len(pane.rows) == 1
        await pilot.press("escape")
        assert len(framed(app).panes["signals"].rows) == everything  # type: ignore[union-attr]
        await pilot.press("slash", *"nowhere")
        await until(lambda: not pane.rows)
        await pilot.press("f12")  # the cord works while words are typed
        await until(lambda: desk.commands)
        await pilot.press("escape")
        assert len(framed(app).panes["signals"].rows) == everything  # type: ignore[union-attr]
    assert [type(c) for c in desk.commands] == [Kill]


async def test_ctrl_c_copies_the_cell_or_the_row(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("3", "home", "ctrl+c")
        assert app.clipboard.split("\t")[:3] == ["BTC", "binance", "▲ long"]
        await pilot.press("full_stop", "full_stop", "ctrl+c")
        assert app.clipboard == "binance"
        assert "copied binance" in said(app)
        await pilot.press("Y")
        assert app.clipboard.startswith("BTC\tbinance")
        await pilot.press("comma", "comma", "comma", "ctrl+c")
        assert app.clipboard.startswith("BTC\tbinance")


async def test_capital_h_holds_the_log_still(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        pane = app.panes["log"]
        assert isinstance(pane, Pane)
        await pilot.press("5", "H")
        before = pane.rows
        new = LogView(999, pictures.NOW, "info", "info", "something new")
        desk.show(pictures.busy(1, log=(*desk.picture.log, new)))
        await until(lambda: framed(app).snapshot.seq == desk.picture.seq)  # type: ignore[union-attr]
        assert pane.rows is before
        assert "FROZEN" in pane.in_sight()
        await pilot.press("down", "down", "Y")
        assert app.clipboard.split("\t")[-1] == before[2].cells[-1].text
        await pilot.press("H")
        assert pane.rows[0].cells[-1].text == "something new"
        assert pane.selected is None


async def test_a_key_of_the_footer_can_be_clicked(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        at = said(app).index("d disarm")
        await pilot.click("#foot", offset=(at + 3, 0))
        await until(lambda: desk.commands)
        app.say(())
        await pilot.click("#foot", offset=(said(app).index("? help") + 1, 0))
        await until(lambda: isinstance(app.screen, HelpScreen))
    assert [type(c) for c in desk.commands] == [Disarm]


async def test_rows_and_tabs_answer_the_mouse(desk: Loopback, home: Home) -> None:
    async with terminal(home, (80, 24)) as (app, pilot):
        await pilot.press("3")
        pane = app.panes["positions"]
        assert isinstance(pane, Pane)
        await pilot.click("#positions", offset=(5, pane.head + 3))
        assert pane.selected == pane.rows[3].key
        await pilot.click("#positions", offset=(1, 0))
        await until(lambda: app.current == "markets")


async def test_times_are_written_as_the_clock_on_the_wall(
    desk: Loopback, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        async with terminal(home) as (app, pilot):
            assert "10:23:45 UTC" in said(app, "strip")
            await pilot.press("U")
            assert "15:53:45 IST" in said(app, "strip")
            await pilot.press("U")
            assert "10:23:45 UTC" in said(app, "strip")
    finally:
        numbers.CLOCK.local = False
        monkeypatch.undo()
        time.tzset()


# --- the symbol under the cursor ------------------------------------------------------------------


async def test_depth_and_chart_follow_the_cursor(desk: Loopback, home: Home) -> None:
    btc, eth = pictures.symbol("BTC"), pictures.symbol("ETH")
    async with terminal(home) as (app, pilot):
        await until(lambda: app.client.watched is not None)
        app.frame()
        chart, depth = app.panes["chart"], app.panes["depth"]
        assert isinstance(chart, ChartPane)
        assert isinstance(depth, DepthPane)
        assert chart.lines
        assert any(row.key == "middle" for row in depth.rows)
        await pilot.press("down")
        await until(lambda: framed(app).client.watched is not None)
        app.frame()
        assert "ETH" in depth._note
        # The chart keeps its symbol when it is where the keys go; t and o change what it shows.
        await pilot.press("9", "t")
        await until(lambda: ("bybit", eth, 300) in desk.watching)
        await pilot.press("o", "o")
        await until(lambda: framed(app) and ("binance", eth, 300) in desk.watching)
        await until(lambda: framed(app) and bool(chart.lines))
        await pilot.press("e")
        assert any("⠀" < char <= "⣿" for line in chart.lines for cell in line for char in cell.text)
    assert desk.watching[0] == ("bybit", btc, 60)


async def test_v_shows_fills_then_public_trades_of_the_symbol(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await until(lambda: app.client.watched is not None)
        pane = app.panes["log"]
        assert isinstance(pane, Pane)
        await pilot.press("5", "v")
        assert pane.showing == "fills"
        await pilot.press("v")
        app.frame()
        assert len(pane.rows) == 60
        await pilot.press("o")
        assert 0 < len(framed(app).panes["log"].rows) < 60  # type: ignore[union-attr]
        await pilot.press("v", "v", "v")
        assert pane.showing == "log"


async def test_n_shows_the_news_and_the_log_again(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        pane = app.panes["log"]
        assert isinstance(pane, Pane)
        await pilot.press("n")
        assert (pane.showing, app.current, app.zoomed) == ("news", "log", False)
        await pilot.press("n")
        assert pane.showing == "sources"
        await pilot.press("n")
        assert (pane.showing, app.current, app.zoomed) == ("log", "log", False)


async def test_a_story_opens_and_the_news_can_be_filtered(desk: Loopback, home: Home) -> None:
    desk.picture = pictures.busy(news=pictures.news())
    async with terminal(home) as (app, pilot):
        pane = app.panes["log"]
        assert isinstance(pane, Pane)
        await pilot.press("n", "home")
        assert "o open" in said(app)
        assert "f filter" in said(app)
        await pilot.press("o")
        assert isinstance(app.screen, StoryScreen)
        await pilot.press("o")
        assert not app.in_dialog
        await pilot.press("f")
        assert app.focus_on.about == "BTC"
        assert [row.key for row in pane.rows] == ["a"]
        await pilot.press("f")
        assert app.focus_on.about == "ETH"
        await pilot.press("f")
        assert len(pane.rows) == 3
        await pilot.press("down", "down", "f")
        assert app.focus_on.about == "SOL"
        desk.show(pictures.busy(1, news=pictures.news(stories=())))
        await until(lambda: framed(app) and not pane.rows)
        await pilot.press("f")  # nothing is left of the asset, and all can be had again
        assert app.focus_on.about == ""


async def test_layouts_are_stepped_through_and_hidden_panes_are_a_key_away(
    desk: Loopback, home: Home
) -> None:
    home.config_file.parent.mkdir(parents=True, exist_ok=True)
    home.config_file.write_text(
        '[terminal]\nlayout = "mine"\nlayouts = { mine = ["markets", "orders"] }\n'
    )
    async with terminal(home) as (app, pilot):

        def shown() -> list[str]:
            return [name for name, pane in app.panes.items() if pane.region.height]

        await pilot.pause()
        assert shown() == ["markets", "orders"]
        await pilot.press("6")
        await pilot.pause()
        assert shown() == ["risk"]
        await pilot.press("0", "tab")
        await pilot.pause()
        assert (app.current, shown()) == ("orders", ["markets", "orders"])
        await pilot.press("l")
        await pilot.pause()
        assert app.layout_name == "auto"
        assert len(shown()) == 9


async def test_a_click_on_a_tab_goes_to_its_pane(desk: Loopback, home: Home) -> None:
    async with terminal(home, (100, 24)) as (app, pilot):
        await pilot.press("1")
        await pilot.pause()
        at = "".join(cell.text for cell in app.panes["markets"].tabs).index("3 positions")
        await pilot.click("#markets", offset=(at + 2, 0))
        await pilot.pause()
        assert app.current == "positions"


# --- the order ticket -----------------------------------------------------------------------------


async def test_a_ticket_by_keys_only(desk: Loopback, home: Home) -> None:
    async with terminal(home, size=(80, 24)) as (app, pilot):
        await pilot.press("down", "s")
        await pilot.pause()
        await pilot.press("up", "p")  # type: post-only
        await pilot.press("up", "o")  # venue: okx
        await pilot.press("down", "down", *"0.25", "down", *"3200.5", "down", *"3300")
        meaning = app.screen.query_one(RaisedLines)
        await until(lambda: "-0.35 → -0.25 ETH" in meaning.text)
        assert "fee 0.43 USDT" in meaning.text
        assert "passes all 2 checks" in meaning.text
        assert "liquidation about 31,204.50" in meaning.text
        assert "best bybit 0.0bp" in meaning.text
        await until(lambda: looked(app))
        await pilot.press("enter")
        await until(lambda: desk.commands)
        await until(lambda: not app.in_dialog)
        assert "sell 0.25 ETH on okx: done" in said(app)
    (submit,) = desk.commands
    assert isinstance(submit, Submit)
    assert (submit.venue, submit.symbol, submit.side) == ("okx", pictures.symbol("ETH"), Side.SELL)
    assert (submit.kind, submit.tif) == (OrderKind.LIMIT, TimeInForce.POST_ONLY)
    assert (submit.qty, submit.price, submit.stop) == (
        Decimal("0.25"),
        Decimal("3200.5"),
        Decimal(3300),
    )
    assert submit.request


async def test_a_refused_order_stays_with_the_reason(desk: Loopback, home: Home) -> None:
    desk.answer = lambda command: Answer(
        "r", False, "POSITION_NOTIONAL", "2,114 would pass \x1b[31m1,999"
    )
    async with terminal(home) as (app, pilot):
        await pilot.press("b", *"1")
        await until(lambda: looked(app))
        await pilot.press("enter")
        await until(lambda: desk.commands)
        await until(lambda: "POSITION_NOTIONAL" in app.screen.query_one(RaisedLines).text)
        assert "2,114 would pass 1,999" in app.screen.query_one(RaisedLines).text
        assert app.in_dialog
        await pilot.press("enter")  # corrected or not, it can be sent again
        await until(lambda: len(desk.commands) == 2)


async def test_an_order_without_an_answer_is_unknown_and_not_sent_again(
    desk: Loopback, home: Home
) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("b", *"1")
        await until(lambda: looked(app))
        await desk.close()
        await pilot.press("enter")
        await until(lambda: "UNKNOWN" in app.screen.query_one(RaisedLines).text)
        await desk.start()
        await pilot.press("enter")
        await pilot.pause()
    assert desk.commands == []


@pytest.mark.parametrize("typed", ["", "0", "-1", "abc", "nan", "1e999999"])
async def test_a_quantity_that_is_none_is_not_sent(desk: Loopback, home: Home, typed: str) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("b")
        await pilot.pause()
        app.screen.query_one("#qty", Input).value = typed
        await until(lambda: looked(app))
        await pilot.press("enter")
        await pilot.pause()
        shown = app.screen.query_one(RaisedLines).text
        assert "quantity: expected a number" in shown
    assert desk.commands == []


async def test_keys_typed_ahead_go_where_they_were_meant(desk: Loopback, home: Home) -> None:
    """Over a slow link arrows and digits arrive in one packet."""
    async with terminal(home) as (app, pilot):
        await pilot.press("b")
        await pilot.pause()
        for key in ("0", ".", "5", "up", "l", "down", "down", "9", "9"):
            character = key if len(key) == 1 else None
            app.post_message(Key({".": "full_stop"}.get(key, key), character))
        fields = app.screen.query(Input)
        await until(lambda: fields[1].value == "99")
        assert fields[0].value == "0.5"
        assert app.screen.query_one("#kind", Choice).value == "limit"


async def test_enter_in_the_burst_that_opened_the_ticket_sends_nothing(
    desk: Loopback, home: Home
) -> None:
    async with terminal(home) as (app, pilot):
        for key in ("b", "1", "5", "enter"):
            app.post_message(Key(key, key if len(key) == 1 else "\r"))
        await until(lambda: isinstance(app.screen, TicketScreen))
        await pilot.pause()
    assert desk.commands == []


async def test_answers_that_come_after_the_ticket_has_gone_harm_nothing(
    desk: Loopback, home: Home
) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("b", "1")
        screen = app.screen
        assert isinstance(screen, TicketScreen)
        await until(lambda: desk.questions)
        await pilot.press("escape")
        await pilot.pause()
        screen._show()
        screen._answer(())
        assert not app.in_dialog


async def test_a_market_order_takes_no_price(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("b", "1", "down", "5")
        await until(lambda: looked(app))
        await pilot.press("enter")
        await until(lambda: "a market order has none" in app.screen.query_one(RaisedLines).text)
    assert desk.commands == []


# --- the kill cord --------------------------------------------------------------------------------


async def test_the_kill_cord_from_first_press_to_verdicts(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("ctrl+f")  # means nothing before the kill key
        await pilot.pause()
        assert desk.commands == []
        await pilot.press("f12")
        assert "HALT SENT" in said(app, "banner")
        await until(lambda: desk.commands)
        desk.show(pictures.halted())
        await until(lambda: "HALTED" in said(app, "banner"))
        banner = said(app, "banner")
        assert "CANCELLED_ONLY  12 cancelled  0 closed  0.31 s" in banner
        assert "^f flattens 6 positions" in banner
        await pilot.press("ctrl+f")
        await until(lambda: len(desk.commands) == 2)
        await pilot.press("ctrl+f")  # once is enough
        await pilot.pause()
    kinds = [(c.mode, c.venue) for c in desk.commands if isinstance(c, Kill)]
    assert kinds == [(KillMode.CANCEL, ""), (KillMode.FLATTEN, "")]


async def test_flatten_closes_again_after_five_seconds(
    desk: Loopback, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("f12")
        await until(lambda: desk.commands)
        monkeypatch.setattr("tui.commands.WINDOW_S", -1.0)
        assert not app.commands.flatten_open
        await pilot.press("ctrl+f")
        await pilot.pause()
    assert len(desk.commands) == 1


async def test_a_kill_without_a_desk_keeps_trying_and_says_so(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await desk.close()
        await pilot.press("f12")
        await until(lambda: "HALT NOT DELIVERED" in said(app, "banner"))
        await desk.start()
        await until(lambda: desk.commands)
        await until(lambda: app.commands.pull is not None and app.commands.pull.delivered)
    assert isinstance(desk.commands[0], Kill)


async def test_the_first_start_says_where_to_begin_once(
    desk: Loopback, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "print('ok   machine  python  3.11'); print('FAIL bybit    key   refused')"
    monkeypatch.setattr(welcome, "DOCTOR", (sys.executable, "-c", code))
    app = TerminalApp(home, first=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, app)
        assert isinstance(app.screen, WelcomeScreen)
        text = app.screen.query_one(RaisedLines)
        assert "halts and cancels everything" in text.text
        await pilot.press("right")
        assert "killcord keys add bybit --env testnet" in text.text
        await pilot.press("right", "enter")
        await until(lambda: "refused" in text.text)
        assert "machine" in text.text
        await pilot.press("f12")  # the cord works from the first second
        await until(lambda: desk.commands)
        assert not home.welcomed.exists()
        await pilot.press("left", "left", "enter")
        await until(lambda: not app.in_dialog)
        assert home.welcomed.exists()
        await pilot.press("W")
        await until(lambda: isinstance(app.screen, WelcomeScreen))


PLACES = {
    "dashboard": [],
    "zoomed pane": ["3", "3"],
    "ticket, quantity field": ["b"],
    "ticket, with text": ["b", "1", "2"],
    "ticket, choice": ["b", "up"],
    "typed word": ["a"],
    "help": ["question_mark"],
    "help by f1": ["f1"],
    "palette": ["ctrl+p"],
    "palette, typing": ["ctrl+p", "k"],
    "leave dialog": ["ctrl+q"],
    "fills": ["5", "v"],
    "search": ["slash", "e"],
    "held log": ["5", "H"],
    "amend": ["4", "down", "u"],
    "stop": ["3", "m"],
    "resize": ["2", "home", "z"],
    "why": ["2", "w"],
    "where to begin": ["W"],
}


@pytest.mark.parametrize("size", [(WIDE, HIGH), (80, 24)], ids=["wide", "narrow"])
@pytest.mark.parametrize("place", PLACES)
async def test_the_kill_keys_work_everywhere(
    desk: Loopback, home: Home, place: str, size: tuple[int, int]
) -> None:
    desk.picture = pictures.busy(state=TradingState.DISARMED, held=(held(),))
    # A keymap of somebody's own, which moves keys about, moves the cord nowhere.
    narrow = size[0] < 100
    own = {"close": "f8,ctrl+x", "approve": "f9", "buy": "B"}
    async with terminal(home, size, own if narrow else None) as (_, pilot):
        await pilot.press(*["B" if key == "b" and narrow else key for key in PLACES[place]])
        await pilot.pause()
        for count, key in enumerate(("f12", "ctrl+k", "ctrl+f"), 1):
            await pilot.press(key)
            await until(partial(lambda wanted: len(desk.commands) == wanted, count))
    modes = [command.mode for command in desk.commands if isinstance(command, Kill)]
    assert modes == [KillMode.CANCEL, KillMode.CANCEL, KillMode.FLATTEN]


@pytest.mark.parametrize("widget", ["TextArea", "Select", "Input", "DataTable"])
async def test_the_kill_keys_work_over_any_widget(desk: Loopback, home: Home, widget: str) -> None:
    """Widgets of Textual bind ctrl+k and ctrl+f themselves; the cord comes first."""
    from textual import widgets
    from textual.screen import ModalScreen

    made = (
        widgets.Select([("a", 1), ("b", 2)]) if widget == "Select" else getattr(widgets, widget)()
    )

    class Over(ModalScreen[None]):
        BINDINGS: ClassVar[list[Any]] = [("f12", "app.bell", "x"), ("ctrl+k", "app.bell", "x")]

        def compose(self):  # type: ignore[no-untyped-def]
            yield made

        def on_key(self, event):  # type: ignore[no-untyped-def]
            event.stop()
            event.prevent_default()

    async with terminal(home) as (app, pilot):
        await app.push_screen(Over())
        made.focus()
        if widget == "Select":
            await pilot.press("enter")
        for count, key in enumerate(("f12", "ctrl+k", "ctrl+f"), 1):
            await pilot.press(key)
            await until(partial(lambda wanted: len(desk.commands) == wanted, count))


async def test_the_kill_keys_work_after_a_rebind(desk: Loopback, home: Home) -> None:
    rebinds = {"help": "f11", "close": "f8,ctrl+x", "quit": "f10", "palette": "ctrl+o"}
    async with terminal(home, rebinds=rebinds) as (_, pilot):
        await pilot.press("3", "f8")
        await until(lambda: len(desk.commands) == 1)
        assert isinstance(desk.commands[0], Close)
        await pilot.press("x")
        await pilot.press("f12")
        await until(lambda: len(desk.commands) == 2)
        await pilot.press("ctrl+k")
        await until(lambda: len(desk.commands) == 3)
    assert all(isinstance(c, Kill) for c in desk.commands[1:])


def test_a_keymap_on_a_kill_key_does_not_start(home: Home) -> None:
    with pytest.raises(ConfigError):
        TerminalApp(home, rebinds={"help": "ctrl+k"})


# --- the program ----------------------------------------------------------------------------------


async def test_leaving_leaves_the_desk_alone(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        await pilot.press("enter")
        await until(lambda: app.return_value)
    assert not desk.stopped
    assert desk.commands == []


async def test_leaving_may_halt_and_stop_the_desk(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        await pilot.press("h", "enter")
        await until(lambda: app.return_value)
    assert desk.stopped
    assert [c.mode for c in desk.commands if isinstance(c, Kill)] == [KillMode.CANCEL]


async def test_without_a_desk_quit_just_quits(home: Home) -> None:
    app = TerminalApp(home)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+q")
        await until(lambda: app.return_value is not None)


async def test_a_desk_that_could_not_start_ends_the_terminal(home: Home) -> None:
    app = TerminalApp(home, desk_problem=lambda: (2, "config.toml: limits: are missing"))
    async with app.run_test():
        await until(lambda: app.return_code == 2)
    assert app.return_value == "config.toml: limits: are missing"


async def test_number_keys_go_to_panes_and_zoom(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):

        def shown() -> list[str]:
            return [name for name, pane in app.panes.items() if pane.region.height]

        assert len(shown()) == 9
        await pilot.press("6")
        assert app.current == "risk"
        assert len(shown()) == 9
        await pilot.press("6")
        await pilot.pause()
        assert shown() == ["risk"]
        await pilot.press("2")
        await pilot.pause()
        assert shown() == ["signals"]
        await pilot.press("0")
        await pilot.pause()
        assert len(shown()) == 9


async def test_a_small_terminal_shows_one_pane_and_the_strip(desk: Loopback, home: Home) -> None:
    async with terminal(home, (80, 24)) as (app, pilot):
        for number, name in enumerate(app.panes, 1):
            await pilot.press(str(number))
            await pilot.pause()
            app.frame()
            assert [n for n, pane in app.panes.items() if pane.region.height] == [name]
            assert app.panes[name].region.height == 21
            assert "PRACTICE" in said(app, "strip")
        await pilot.resize_terminal(160, 50)
        await pilot.pause()
        await until(lambda: all(pane.region.height for pane in app.panes.values()))


async def test_the_cursor_follows_its_row(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("4", "down", "down")
        held = app.panes["orders"].selected
        desk.show(
            pictures.busy(
                1,
                orders=(
                    pictures.order(90, "BTC", 0, OrderStatus.UNKNOWN),
                    *pictures.busy().orders,
                ),
            )
        )
        await until(lambda: len(framed(app).panes["orders"].rows) == 16)
        assert app.panes["orders"].selected == held


async def test_an_alarm_is_said_wherever_one_looks(desk: Loopback, home: Home) -> None:
    async with terminal(home, (80, 24)) as (app, _):
        log = (
            *desk.picture.log,
            LogView(999, pictures.NOW, "alarm", "venue", "okx is \x1b[5mBLIND"),
        )
        desk.show(pictures.busy(1, log=log))
        await until(lambda: "okx is BLIND" in said(app))


async def test_themes_change_from_the_palette(desk: Loopback, home: Home) -> None:
    async with terminal(home) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"theme: classic")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await until(lambda: app.theme == "classic")


async def test_a_crash_shows_no_values_and_says_what_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        secret_of_a_venue = "\x1b]0;owned\x07"
        raise RuntimeError(f"bad {secret_of_a_venue}")

    app = TerminalApp(home)
    monkeypatch.setattr("tui.app.view_strip", fail)
    with pytest.raises(RuntimeError):
        async with app.run_test():
            pass
    shown = capsys.readouterr().err
    assert "\x1b]0;owned" not in shown
    assert "RuntimeError: bad" in shown
    assert "killcord attach" in " ".join(shown.split())
