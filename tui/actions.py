"""What the keys do: every ``action_*`` of the keymap. How it looks is in ``tui.app``."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.screen import ModalScreen, Screen

from core.errors import KillcordError
from core.model.event import KillMode, TradingState
from core.model.snapshot import Snapshot
from tui import keymap
from tui.client import DeskClient, Target
from tui.commands import Commands
from tui.layouts import AUTO, LAYOUTS, shown
from tui.panes.chart import ChartPane
from tui.panes.pane import DepthPane, Pane
from tui.text import clean
from tui.theme import PALETTES
from tui.views.focus import TIMEFRAMES, Focus, chart_venue, next_venue
from tui.views.orders import order_key
from tui.views.positions import position_key
from tui.views.table import Cell, Line, ticks

if TYPE_CHECKING:
    from core.model.news import NewsStory
    from core.model.snapshot import OrderView, PositionView

NARROW, LOW = 100, 30
"""Below this many columns or lines there is room for one pane at a time."""
SAY_S = 6.0
"""How long an answer covers the footer, seconds."""

_NEEDS_DESK = frozenset(
    (
        "arm",
        "disarm",
        "resume",
        "ticket",
        "close",
        "halve",
        "move_stop",
        "cancel",
        "cancel_symbol",
        "why",
        "pause",
        "switch",
        "timeframe",
        "line",
        "venue",
        "story",
        "only",
    )
)
AnyPane = Pane | DepthPane | ChartPane


def make_pane(name: str, number: int) -> AnyPane:
    """Return the pane of that name, with its number key."""
    if name == "chart":
        return ChartPane(name, number)
    if name == "depth":
        return DepthPane(name, number)
    return Pane(name, number, ("fills", "trades", "news", "sources") if name == "log" else ())


class ActingApp(App[str], inherit_bindings=False):
    """Turns keys into commands for the desk, and moves between panes.

    Args:
        client: the way to the desk.
        actor: who gives the commands.
        keys: the keymap in use.
    """

    BINDINGS: ClassVar[list[Any]] = keymap.bindings(keymap.KEYS)

    def __init__(self, client: DeskClient, actor: str, keys: tuple[keymap.Key, ...]) -> None:
        super().__init__()
        self.client = client
        self.keys = keys
        self.commands = Commands(client, actor, self.say)
        self.panes = {name: make_pane(name, at) for at, name in enumerate(keymap.PANES, 1)}
        self.focus_on = Focus()
        """The symbol that chart, depth and trades show."""
        self.layouts = LAYOUTS
        self.layout_name = AUTO
        self.current = "markets"
        """The pane that has the focus, or had it before a dialog opened."""
        self.zoomed = False
        self.said: Line = ()
        self._said_at = 0.0

    def arrange(self) -> None:
        """Put the panes where ``current`` and ``zoomed`` say. For the subclass."""
        raise NotImplementedError

    def frame(self) -> None:
        """Paint what changed. For the subclass."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Paint the panes anew with what is known. For the subclass."""
        raise NotImplementedError

    @property
    def small(self) -> bool:
        """Whether the screen has room for one pane at a time only."""
        return self.size.width < NARROW or self.size.height < LOW

    @property
    def dashboard(self) -> tuple[str, ...]:
        """The panes that the layout in use shows on this screen."""
        return shown(self.layouts[self.layout_name], self.size.width, self.size.height)

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest picture of the desk."""
        return self.client.latest

    @property
    def in_dialog(self) -> bool:
        """Whether a dialog or the palette is open."""
        return isinstance(self.screen, ModalScreen)

    def say(self, line: Line) -> None:
        """Show one line in place of the footer for a few seconds."""
        self.said = line
        self._said_at = time.monotonic()

    @property
    def saying(self) -> Line:
        """What is being said now; empty after a few seconds."""
        return self.said if time.monotonic() - self._said_at < SAY_S else ()

    # --- what is possible now -----------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something now; the footer shows only those that do."""
        if action == "flatten":
            return self.commands.flatten_open
        if action in _NEEDS_DESK:
            return self.snapshot is not None and self._possible(action, self.snapshot)
        if action == "dashboard":
            return self.zoomed
        return True

    def _possible(self, action: str, snapshot: Snapshot) -> bool:
        if action == "resume":
            return snapshot.state is TradingState.HALTED
        if action == "arm":
            return snapshot.state in (TradingState.DISARMED, TradingState.REDUCING)
        if action == "disarm":
            return snapshot.state in (TradingState.ARMED, TradingState.REDUCING)
        if action in ("close", "halve", "move_stop"):
            return self.picked_position() is not None
        if action == "why":
            return bool(self.picked_decision())
        if action == "cancel_symbol":
            symbol = self.picked_symbol()
            return any(o.symbol == symbol and not o.status.terminal for o in snapshot.orders)
        if action == "cancel":
            return self.picked_order() is not None
        if action == "pause":
            return bool(self.current == "markets" and self.panes["markets"].selected)
        if action == "ticket":
            return bool(snapshot.markets)
        if action in ("timeframe", "line"):
            return self.current == "chart"
        if action in ("venue", "story", "only"):
            return self._possible_here(action)
        return action != "switch" or self.current == "log"

    def _possible_here(self, action: str) -> bool:
        if action == "venue":
            return self.current in ("chart", "depth") or self.shows("trades")
        if action == "only" and self.focus_on.about and self.shows("news"):
            return True
        return self.picked_story() is not None

    def shows(self, view: str) -> bool:
        """Whether the pane in use shows a certain view."""
        pane = self.panes[self.current]
        return isinstance(pane, Pane) and pane.showing == view

    def picked_story(self) -> NewsStory | None:
        """Return the story under the cursor, when the news are what is looked at."""
        if not self.shows("news") or self.snapshot is None or self.snapshot.news is None:
            return None
        key = self.panes[self.current].selected
        return next((story for story in self.snapshot.news.stories if story.id == key), None)

    def picked_position(self) -> PositionView | None:
        """Return the position under the cursor of the positions pane, when that has the focus."""
        key = self.panes["positions"].selected if self.current == "positions" else None
        if key is None or self.snapshot is None:
            return None
        return next((p for p in self.snapshot.positions if position_key(p) == key), None)

    def picked_order(self) -> OrderView | None:
        """Return the working order under the cursor of the orders pane, when that has the focus."""
        key = self.panes["orders"].selected if self.current == "orders" else None
        if key is None or self.snapshot is None:
            return None
        order = next((o for o in self.snapshot.orders if order_key(o) == key), None)
        return None if order is None or order.status.terminal else order

    def picked_market(self) -> tuple[str, str]:
        """Return venue and symbol of what the cursor is on; venue may be empty."""
        key = self.panes[self.current].selected or ""
        if self.current == "markets":
            return "", key
        if self.current in ("positions", "signals"):
            venue, symbol, *_ = [*key.split("|"), "", ""]
            return venue, symbol
        if self.current in ("depth", "chart"):
            return self.focus_on.venue, self.focus_on.symbol
        order = self.picked_order()
        return (order.venue, order.symbol) if order is not None else ("", "")

    def picked_symbol(self) -> str:
        """Return the symbol of what the cursor is on, finished orders included; may be empty."""
        _, symbol = self.picked_market()
        if not symbol and self.current == "orders" and self.snapshot is not None:
            key = self.panes["orders"].selected
            symbol = next((o.symbol for o in self.snapshot.orders if order_key(o) == key), "")
        return symbol

    def picked_decision(self) -> str:
        """Return the name of the signal or order under the cursor, as ``/v1/why`` takes it."""
        key = self.panes[self.current].selected or ""
        if self.current == "signals":
            return "|".join(key.split("|")[:2])
        return key if self.current == "orders" else ""

    def look(self, snapshot: Snapshot) -> Focus:
        """Let chart, depth and trades follow the cursor; return what they show now."""
        focus = self.focus_on
        symbol = self.picked_symbol()
        if symbol and symbol != focus.symbol:
            focus = focus._replace(symbol=symbol, venue="")
        if not focus.symbol and snapshot.markets:
            focus = focus._replace(symbol=snapshot.markets[0].symbol)
        focus = self.focus_on = focus._replace(watch=None)
        if focus.symbol:
            venue = chart_venue(snapshot, focus)
            self.client.watch(Target(venue, focus.symbol, focus.timeframe))
        return focus._replace(watch=self.client.watched)

    # --- kill cord ----------------------------------------------------------------------------

    def action_kill(self) -> None:
        """Halt and cancel: first press, no question."""
        self._kill(KillMode.CANCEL)

    def action_flatten(self) -> None:
        """Close everything: a second, different key."""
        self._kill(KillMode.FLATTEN)

    # The banner must not wait for the next frame: the eye looks for it at once.
    def _kill(self, mode: KillMode) -> None:
        self._start(self.commands.kill(mode))
        self.bell()
        self.call_later(self.frame)

    # --- trading ------------------------------------------------------------------------------

    def action_resume(self) -> None:
        """Ask for the word, then release the latch."""
        from tui.screens.typed import TypedScreen

        text = "Releases the latch. The desk becomes DISARMED: it does not trade until armed."
        self._ask(TypedScreen("resume", text), self.commands.resume)

    def action_arm(self) -> None:
        """Ask for the word, then arm."""
        from tui.screens.typed import TypedScreen, arm_text

        if self.snapshot is not None:
            self._ask(TypedScreen("arm", arm_text(self.snapshot)), self.commands.arm)

    def action_disarm(self) -> None:
        """Disarm, without a question: it only reduces risk."""
        self._start(self.commands.disarm())

    def action_ticket(self, side: str) -> None:
        """Open the order ticket."""
        from tui.screens.ticket import TicketScreen

        venue, symbol = self.picked_market()
        self.push_screen(TicketScreen(side, venue, symbol))

    def action_close(self) -> None:
        """Close the position under the cursor."""
        position = self.picked_position()
        if position is not None:
            self._start(self.commands.close(position.venue, position.symbol))

    def action_halve(self) -> None:
        """Close half of the position under the cursor."""
        position = self.picked_position()
        if position is not None:
            self._start(self.commands.close(position.venue, position.symbol, Decimal("0.5")))

    def action_move_stop(self) -> None:
        """Ask where the stop of the position under the cursor should be."""
        from tui.screens.stop import StopScreen

        position = self.picked_position()
        if position is None or self.snapshot is None or self.in_dialog:
            return
        tick = ticks(self.snapshot).get((position.venue, position.symbol))
        self.push_screen(StopScreen(position, tick))

    def action_why(self) -> None:
        """Show what the signal or order under the cursor rests on."""
        if (name := self.picked_decision()) and not self.in_dialog:
            self._start(self._show_why(name))

    async def _show_why(self, name: str) -> None:
        from tui.screens.why import WhyScreen

        try:
            found = await self.client.why(name)
        except KillcordError as error:
            self.say((Cell(" ! ", "warn"), Cell(clean(error), "warn")))
            return
        if not self.in_dialog:
            self.push_screen(WhyScreen(found))

    def action_cancel_symbol(self) -> None:
        """Cancel all entries in the symbol under the cursor."""
        if symbol := self.picked_symbol():
            self._start(self.commands.cancel_symbol(symbol))

    def action_cancel(self) -> None:
        """Cancel the order under the cursor."""
        order = self.picked_order()
        if order is None:
            return
        if order.client_id:
            self._start(self.commands.cancel(order.client_id, order.venue, order.symbol))
        else:
            self.say((Cell(" ! ", "warn"), Cell("no client id: cancel it at the venue", "warn")))

    def action_pause(self) -> None:
        """Pause the symbol under the cursor, or let it go on."""
        symbol = self.panes["markets"].selected
        if symbol is None or self.snapshot is None:
            return
        paused = any(m.paused for m in self.snapshot.markets if m.symbol == symbol)
        self._start(self.commands.pause(symbol, not paused))

    # --- panes --------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """Go to a pane; once there, the same key gives it the whole screen, or takes it back."""
        if not self.small:
            # A pane that the layout leaves out is there all the same: on the whole screen.
            hidden = name not in self.dashboard
            self.zoomed = hidden or (not self.zoomed if name == self.current else self.zoomed)
        self.current = name
        self.arrange()

    def action_dashboard(self) -> None:
        """Show all panes."""
        self.zoomed = False
        self.arrange()

    def action_focus_next(self) -> None:
        """Go to the next pane, or the next field of a dialog."""
        if self.in_dialog:
            self.screen.focus_next()
        else:
            self._step(1)

    def action_focus_previous(self) -> None:
        """Go to the pane before, or the field before."""
        if self.in_dialog:
            self.screen.focus_previous()
        else:
            self._step(-1)

    def _step(self, step: int) -> None:
        panes = keymap.PANES if self.zoomed or self.small else self.dashboard
        at = panes.index(self.current) if self.current in panes else 0
        self.current = panes[(at + step) % len(panes)]
        self.arrange()

    def action_cursor(self, step: int) -> None:
        """Move the cursor of the pane."""
        self.panes[self.current].move(step)

    def action_switch(self) -> None:
        """Fills instead of the log, then public trades, news, the log again."""
        pane = self.panes["log"]
        assert isinstance(pane, Pane)
        pane.switch()
        self.redraw()

    def action_news(self) -> None:
        """Show the news in the log pane and go there, then their sources, the log again."""
        pane = self.panes["log"]
        assert isinstance(pane, Pane)
        pane.switch({"news": "sources", "sources": "log"}.get(pane.showing, "news"))
        if self.current != "log":
            self.action_pane("log")
        self.redraw()

    def action_story(self) -> None:
        """Show the story under the cursor in full."""
        from tui.screens.story import StoryScreen

        story = self.picked_story()
        if story is not None and self.snapshot is not None and not self.in_dialog:
            self.push_screen(StoryScreen(story, self.snapshot))

    def action_only(self) -> None:
        """Show the news of one asset alone: the story's first, its next, then all again."""
        story, about = self.picked_story(), self.focus_on.about
        choices = ["", *(story.assets if story is not None else ())]
        at = choices.index(about) if about in choices else 0
        self.focus_on = self.focus_on._replace(about=choices[(at + 1) % len(choices)])
        self.redraw()

    def action_timeframe(self, step: int | str) -> None:
        """Take the chart's next timeframe."""
        choices = list(TIMEFRAMES)
        at = choices.index(self.focus_on.timeframe) + int(step)
        self.focus_on = self.focus_on._replace(timeframe=choices[at % len(choices)])
        self.redraw()

    def action_line(self) -> None:
        """Draw the chart as a line, or as candles again."""
        self.focus_on = self.focus_on._replace(line=not self.focus_on.line)
        self.redraw()

    def action_venue(self) -> None:
        """Show the next venue's depth and chart; after the last, all together."""
        if self.snapshot is not None:
            venue = next_venue(self.snapshot, self.focus_on)
            self.focus_on = self.focus_on._replace(venue=venue)
            self.redraw()

    def action_layout(self) -> None:
        """Take the next layout."""
        names = list(self.layouts)
        self.layout_name = names[(names.index(self.layout_name) + 1) % len(names)]
        self.zoomed = False
        self.say((Cell(" layout ", "dim"), Cell(self.layout_name, "strong")))
        self.arrange()

    # --- program ------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show every key."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.keys))

    def action_leave(self) -> None:
        """Leave; ask what becomes of the desk, when there is one."""
        from tui.screens.leave import LeaveScreen

        if self.snapshot is None or not self.client.up:
            self.exit("")
        elif not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen())

    def action_theme(self, name: str) -> None:
        """Change the colours."""
        self.theme = name

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield what the palette offers: the keymap by name, as far as possible now, and themes."""
        for key in self.keys:
            name, _, rest = key.action.partition("(")
            argument = rest.strip("')")
            if key.verb and self.check_action(name, (argument,)):
                run = getattr(self, f"action_{name}")
                title = f"{key.verb}  [{keymap.display(key.keys)}]"
                yield SystemCommand(title, key.help, (lambda r=run, a=argument: r(a) if a else r()))
        for name in PALETTES:
            if name != self.theme:
                yield SystemCommand(
                    f"theme: {name}", "Change the colours", lambda n=name: self.action_theme(n)
                )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self.run_worker(work, exit_on_error=True)

    def _ask(self, screen: Screen[bool], then: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._start(then())

        if not self.in_dialog:
            self.push_screen(screen, answered)
