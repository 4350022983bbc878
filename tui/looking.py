"""What the keys of reading do: the cursor, cells and words of tables, chart, depth, news."""

from __future__ import annotations

from textual.widgets import Input

from core.model.snapshot import Snapshot
from tui import numbers
from tui.client import DeskClient, Target
from tui.cursor import Cursor
from tui.dealing import DealingApp
from tui.keymap import PANES, Key
from tui.panes.chart import ChartPane
from tui.panes.pane import DepthPane, Pane, VenuesPane
from tui.views.focus import TIMEFRAMES, Focus, chart_venue, next_venue
from tui.views.table import Cell
from tui.widgets.grid import LiveGrid
from tui.widgets.search import SearchLine

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


class LookingApp(DealingApp):
    """Has the panes, and knows what the cursor is on.

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
        self.current = "markets"
        """The pane that has the focus, or had it before a dialog opened."""
        self.search = SearchLine()

    def arrange(self) -> None:
        """Put the panes where ``current`` and ``zoomed`` say. For the subclass."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Paint the panes anew with what is known. For the subclass."""
        raise NotImplementedError

    def action_pane(self, name: str) -> None:
        """Go to a pane. For the subclass."""
        raise NotImplementedError

    @property
    def cursor(self) -> Cursor | None:
        """What the keys would act on; None before the first picture."""
        if self.snapshot is None:
            return None
        pane = self.panes[self.current]
        showing = pane.showing if isinstance(pane, Pane) else ""
        return Cursor(self.current, pane.selected or "", self.snapshot, self.focus_on, showing)

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

    def expect_order(self, client_id: str) -> None:
        """Pick an order as soon as it is shown, in place of the one it replaces."""
        orders = self.panes["orders"]
        if isinstance(orders, LiveGrid):
            orders.expect(client_id)

    # --- tables -------------------------------------------------------------------------------

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
