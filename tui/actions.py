"""What the other keys do: moving between panes and rows, looking closer, the program itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen
from textual.widgets import Input

from core.errors import KillcordError
from core.model.replay import Wish
from core.model.snapshot import Snapshot
from tui import bindings, numbers
from tui.client import DeskClient, Target
from tui.cursor import Cursor
from tui.dealing import DealingApp
from tui.keymap import CHANGES, PANES, Key
from tui.layouts import AUTO, LAYOUTS, shown
from tui.panes.chart import ChartPane
from tui.panes.pane import DepthPane, Pane, VenuesPane
from tui.text import clean
from tui.theme import PALETTES
from tui.views.focus import TIMEFRAMES, Focus, chart_venue, next_venue
from tui.views.replay import wish_of
from tui.views.table import Cell
from tui.widgets.grid import LiveGrid
from tui.widgets.search import SearchLine

NARROW, LOW = 100, 30
"""Below this many columns or lines there is room for one pane at a time."""

_ANYWHERE = frozenset(
    (
        "kill",
        "leave",
        "help",
        "command_palette",
        "pane",
        "next_pane",
        "layout",
        "news",
        "switch",
        "cursor",
        "cell",
        "clock",
        "welcome",
        "focus_next",
        "focus_previous",
        "theme",
    )
)
"""What does something without a desk, too."""
AnyPane = Pane | DepthPane | ChartPane


def make_pane(name: str, number: int) -> AnyPane:
    """Return the pane of that name, with its number key."""
    if name == "chart":
        return ChartPane(name, number)
    if name == "depth":
        return DepthPane(name, number)
    if name == "venues":
        return VenuesPane(name, number)
    return Pane(name, number, ("fills", "trades", "news", "sources") if name == "log" else ())


class ActingApp(DealingApp):
    """Moves between panes and rows, and knows what is possible now.

    Args:
        client: the way to the desk.
        actor: who gives the commands.
        keys: the keymap in use.
    """

    def __init__(self, client: DeskClient, actor: str, keys: tuple[Key, ...]) -> None:
        super().__init__(client, actor, keys)
        self.panes = {name: make_pane(name, at) for at, name in enumerate(PANES, 1)}
        self.focus_on = Focus()
        """The symbol that chart, depth and trades show."""
        self.layouts = LAYOUTS
        self.layout_name = AUTO
        self.current = "markets"
        """The pane that has the focus, or had it before a dialog opened."""
        self.zoomed = False
        self.search = SearchLine()

    def arrange(self) -> None:
        """Put the panes where ``current`` and ``zoomed`` say. For the subclass."""
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
    def replaying(self) -> bool:
        """Whether what is shown is a recording."""
        return self.snapshot is not None and self.snapshot.replay is not None

    @property
    def cursor(self) -> Cursor | None:
        """What the keys would act on; None before the first picture."""
        if self.snapshot is None:
            return None
        pane = self.panes[self.current]
        showing = pane.showing if isinstance(pane, Pane) else ""
        return Cursor(self.current, pane.selected or "", self.snapshot, self.focus_on, showing)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something now; the footer shows only those that do."""
        if action == "flatten":
            return self.commands.flatten_open
        if action == "dashboard":
            return self.zoomed or bool(self.grid is not None and self.grid.filter)
        if action == "replay":
            return self.replaying
        if action == "control":
            control = self.snapshot.control if self.snapshot is not None else None
            alone = control is not None and control.terminals == 1
            return bool(control is not None and (self.client.reads_only or not alone))
        if action in CHANGES and (self.replaying or self.client.reads_only is not False):
            return False
        if action in _ANYWHERE:
            return action != "switch" or self.current == "log"
        if action in ("copy", "copy_row"):
            return bool(self.panes[self.current].picked_text(action == "copy_row"))
        cursor = self.cursor
        return cursor is not None and cursor.allows(action)

    @property
    def grid(self) -> LiveGrid | None:
        """The table in use; None where the pane is none."""
        pane = self.panes[self.current]
        return pane if isinstance(pane, LiveGrid) else None

    def look(self, snapshot: Snapshot) -> Focus:
        """Let chart, depth and trades follow the cursor; return what they show now."""
        focus = self.focus_on
        symbol = self.cursor.symbol() if self.cursor is not None else ""
        if symbol and symbol != focus.symbol:
            focus = focus._replace(symbol=symbol, venue="")
        if not focus.symbol and snapshot.markets:
            focus = focus._replace(symbol=snapshot.markets[0].symbol)
        focus = self.focus_on = focus._replace(watch=None)
        if focus.symbol:
            venue = chart_venue(snapshot, focus)
            self.client.watch(Target(venue, focus.symbol, focus.timeframe))
        return focus._replace(watch=self.client.watched)

    # --- control and recordings ---------------------------------------------------------------

    def action_control(self) -> None:
        """Take control of the desk, or give it up."""
        self.start(self._take_control(bool(self.client.reads_only)))

    async def _take_control(self, take: bool) -> None:
        try:
            await self.client.take_control(take)
        except KillcordError as error:
            self.say((Cell(" ! ", "warn"), Cell(clean(error), "warn")))
        else:
            self.say((Cell(" control ", "dim"), Cell("taken" if take else "given up", "strong")))

    def action_replay(self, what: str) -> None:
        """Pause a recording, play it at another speed, go elsewhere in it."""
        if self.snapshot is not None and self.snapshot.replay is not None:
            self.start(self._direct(wish_of(what, self.snapshot.replay)))

    async def _direct(self, wish: Wish) -> None:
        try:
            await self.client.direct(wish)
        except KillcordError as error:
            self.say((Cell(" ! ", "warn"), Cell(clean(error), "warn")))

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
        """Show all rows again; then all panes."""
        if self.grid is not None and self.grid.filter:
            self.grid.narrow("")
            self.redraw()
        else:
            self.zoomed = False
            self.arrange()

    def action_next_pane(self, step: int) -> None:
        """Go to the next pane, or the next field of a dialog."""
        if self.in_dialog:
            (self.screen.focus_next if step > 0 else self.screen.focus_previous)()
            return
        panes = PANES if self.zoomed or self.small else self.dashboard
        at = panes.index(self.current) if self.current in panes else 0
        self.current = panes[(at + step) % len(panes)]
        self.arrange()

    def action_focus_next(self) -> None:
        """Go to the next pane or field: what every screen of Textual binds to tab."""
        self.action_next_pane(1)

    def action_focus_previous(self) -> None:
        """Go to the pane or field before."""
        self.action_next_pane(-1)

    def action_cursor(self, step: int) -> None:
        """Move the cursor of the pane."""
        self.panes[self.current].move(step)

    def action_cell(self, step: int) -> None:
        """Pick the cell to the left or right."""
        self.panes[self.current].step_cell(step)

    def action_copy(self) -> None:
        """Copy the cell picked, or the row, through the terminal (OSC 52; works over SSH)."""
        self._copy(whole=False)

    def action_copy_row(self) -> None:
        """Copy the row."""
        self._copy(whole=True)

    def _copy(self, whole: bool) -> None:
        text = self.panes[self.current].picked_text(whole)
        if text:
            self.copy_to_clipboard(text)
            self.say((Cell(" copied ", "dim"), Cell(text.replace("\t", "  "))))

    def action_freeze(self) -> None:
        """Hold the rows still, or let them go on."""
        if self.grid is not None:
            self.grid.freeze(not self.grid.frozen)
            self.redraw()

    def action_search(self) -> None:
        """Ask for the words that rows must have."""
        if self.grid is not None and not self.in_dialog:
            self.grid.freeze(False)
            self.search.open(self.grid.filter)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only the rows that have the words, while they are typed."""
        if event.input is self.search and self.grid is not None:
            self.grid.narrow(event.value)
            self.redraw()

    def on_search_line_closed(self) -> None:
        """Give the keys back to the pane."""
        self.arrange()

    def action_clock(self) -> None:
        """Write times in UTC, or as the clocks around us show them."""
        numbers.CLOCK.local = not numbers.CLOCK.local
        self.redraw()

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

        story = self.cursor.story() if self.cursor is not None else None
        if story is not None and self.snapshot is not None and not self.in_dialog:
            self.push_screen(StoryScreen(story, self.snapshot))

    def action_only(self) -> None:
        """Show the news of one asset alone: the story's first, its next, then all again."""
        story = self.cursor.story() if self.cursor is not None else None
        choices = ["", *(story.assets if story is not None else ())]
        about = self.focus_on.about
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

        self.push_screen(HelpScreen(self.keys, self.current))

    def action_welcome(self) -> None:
        """Show where to begin."""
        from tui.screens.welcome import WelcomeScreen

        if not self.in_dialog:
            self.push_screen(WelcomeScreen())

    def welcomed(self) -> None:
        """Remember that it was seen. For the subclass."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Leave; ask what becomes of the desk, when there is one."""
        from tui.screens.leave import LeaveScreen

        if self.snapshot is None or not self.client.up or self.replaying:
            self.exit("")
        elif self.client.reads_only:
            self.exit("the desk goes on; come back with: killcord attach")
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
                title = f"{key.verb} · {bindings.display(key.keys)}"
                yield SystemCommand(title, key.help, (lambda r=run, a=argument: r(a) if a else r()))
        for name in PALETTES:
            if name != self.theme:
                yield SystemCommand(
                    f"theme: {name}", "Change the colours", lambda n=name: self.action_theme(n)
                )
