"""What the other keys do: moving between panes, control, recordings, the program itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from core.errors import KillcordError
from core.model.replay import Wish
from tui import bindings
from tui.client import DeskClient
from tui.keymap import CHANGES, PANES, Key
from tui.layouts import AUTO, LAYOUTS, shown
from tui.looking import LookingApp
from tui.text import clean
from tui.theme import PALETTES
from tui.views.replay import wish_of
from tui.views.table import Cell

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


class ActingApp(LookingApp):
    """Moves between panes, and knows what is possible now.

    Args:
        client: the way to the desk.
        actor: who gives the commands.
        keys: the keymap in use.
    """

    def __init__(self, client: DeskClient, actor: str, keys: tuple[Key, ...]) -> None:
        super().__init__(client, actor, keys)
        self.layouts = LAYOUTS
        self.layout_name = AUTO
        self.zoomed = False

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

        keys = (key for key in self.keys if self.replaying or key.group != "replay")
        self.push_screen(HelpScreen(tuple(keys), self.current))

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
