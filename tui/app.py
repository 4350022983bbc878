"""The terminal: a thin shell that shows snapshots and passes wishes on.

It holds no keys and no trading state; the desk is another process and does not notice when the
terminal comes or goes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

# Textual reads this once, when it is imported; it caps every repaint that is not our frame timer.
os.environ.setdefault("TEXTUAL_FPS", "20")

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches

from core.home import Home
from core.model.snapshot import Snapshot, WatchView
from tui import bindings, numbers, tty
from tui.actions import ActingApp
from tui.client import DeskClient, in_thread
from tui.keymap import KILL_KEYS, PANES, Key
from tui.layouts import layouts
from tui.notices import Desktop, Notice, Notices
from tui.panes.pane import Pane
from tui.preferences import read
from tui.text import clean
from tui.theme import themes
from tui.views.banner import view_banner
from tui.views.footer import Foot, view_footer, view_tabs
from tui.views.strip import Link, view_strip
from tui.views.table import Cell
from tui.widgets.board import Board
from tui.widgets.canvas import Canvas
from tui.widgets.footer import Footer
from tui.widgets.lines import Lines

START_S = 20.0
"""How long a desk that was just started may stay silent before that is said."""
BACKLOG = 6
"""Queued terminal writes above which a frame is skipped; a frame is 3, the queue blocks at 30."""


class TerminalApp(ActingApp):
    """The terminal on one desk. ``run()`` returns a last line to print, or nothing.

    Args:
        home: where the desk's control socket is.
        recording: the control socket of a recording to look at instead; None: the desk.
        fps: frames a second; None takes the configuration's, as for the next two.
        theme: a key of ``tui.theme.PALETTES``.
        rebinds: a person's own keys, see ``tui.bindings.rebind``.
        actor: who gives the commands.
        desk_problem: asked while there is no desk; an exit code and a text end the terminal, but
            a desk that was killed (a negative code) leaves what it showed last on the screen.
        claim: what it wants of control, see ``core.desk.terminals.Claim``.
        starting: what was begun just now, such as ``starting the desk``; empty for nothing.

        first: whether to show where to begin, once.

    Raises:
        ConfigError: the terminal's settings are wrong, or take a reserved key.
    """

    CSS_PATH = "app.tcss"
    TITLE = "killcord"

    def __init__(
        self,
        home: Home,
        *,
        recording: Path | None = None,
        fps: int | None = None,
        theme: str | None = None,
        rebinds: Mapping[str, str] | None = None,
        actor: str = "terminal",
        desk_problem: Callable[[], tuple[int, str] | None] = lambda: None,
        claim: str = "free",
        starting: str = "",
        first: bool = False,
    ) -> None:
        wanted = read(home.config_file)
        rebinds = wanted.keymap if rebinds is None else rebinds
        self._fps = fps or wanted.fps
        client = DeskClient(recording or home.socket, self._fps, home.socket, actor, claim)
        super().__init__(client, actor, bindings.rebind(rebinds))
        for each in themes():
            self.register_theme(each)
        self.theme = theme or wanted.theme
        self.set_keymap(dict(rebinds))
        self.behind = False
        """Whether frames are being skipped because the terminal does not keep up."""
        self._desk_problem = desk_problem
        self._starting = starting
        self._welcomed = home.welcomed
        self._first = first
        self._patient_until = time.monotonic() + START_S
        self.layouts = layouts(wanted.layouts)
        self.layout_name = wanted.layout
        self._drawn: tuple[Snapshot | None, WatchView | None] = (None, None)
        self._visible: frozenset[str] = frozenset()
        self._notices, self._desktop = Notices(), Desktop()
        self._bell, self._desktop_told = wanted.bell, wanted.desktop
        numbers.CLOCK.local = wanted.time == "local"
        self._strip = Lines("strip", fixed=2)
        self._banner = Lines("banner")
        self._foot = Footer("foot")

    def compose(self) -> ComposeResult:
        """Place the strip, the banner, the panes and the footer."""
        panes = self.panes
        yield self._strip
        yield self._banner
        with Vertical(id="body"):
            yield panes["markets"]
            with Horizontal(id="middle", classes="cell"):
                yield from (panes["chart"], panes["depth"])
            with Horizontal(id="lower", classes="cell"):
                with Vertical(id="left", classes="cell"):
                    yield from (panes["positions"], panes["orders"], panes["log"])
                with Vertical(id="right", classes="cell"):
                    yield from (panes["signals"], panes["risk"], panes["venues"])
        yield self._foot
        yield self.search

    def on_mount(self) -> None:
        """Start following the desk; end cleanly when the terminal goes away."""
        self._assert_kill_keys()
        tty.catch_signals(self, lambda: self.exit(""))
        self.theme_changed_signal.subscribe(self, lambda _: self._reink())
        self.run_worker(self.client.run(), name="desk stream")
        self.run_worker(self.client.run_watch(), name="symbol stream")
        self.arrange()
        self.frame()
        self.set_interval(1 / self._fps, self.frame)
        if self._first:
            self.action_welcome()

    def welcomed(self) -> None:
        """Remember that somebody has seen where to begin."""
        with suppress(OSError):  # then it is shown again, which harms nobody
            self._welcomed.parent.mkdir(parents=True, exist_ok=True)
            self._welcomed.touch()

    def on_unmount(self) -> None:
        """Give the signals back."""
        tty.release_signals()

    def _assert_kill_keys(self) -> None:
        for key in KILL_KEYS:
            bound = self._bindings.key_to_bindings.get(key, [])
            if [(b.action, b.priority) for b in bound] != [("kill", True)]:
                raise AssertionError(f"{key} must be the kill cord, was {bound}")

    def _fatal_error(self) -> None:
        from rich.text import Text

        self.bell()
        self._exit_renderables.append(Text(tty.crash_text()))
        self._close_messages_no_wait()

    # --- layout -------------------------------------------------------------------------------

    @property
    def single(self) -> bool:
        """Whether one pane has the whole screen."""
        return self.zoomed or self.small

    def on_resize(self, event: events.Resize) -> None:
        """Change between dashboard and single pane."""
        self.call_after_refresh(self.arrange)

    def arrange(self) -> None:
        """Put the panes where ``current`` and ``zoomed`` say."""
        try:
            body = self.screen_stack[0].query_one("#body")
        except NoMatches:
            return
        single, pane = self.single, self.panes[self.current]
        layout = self.dashboard
        if not single and self.current not in layout:
            self.current = layout[0]
            pane = self.panes[self.current]
        body.set_class(single, "-single")
        self._visible = frozenset((self.current,) if single else layout)
        visible = {self.panes[name] for name in self._visible}
        on = visible.union(*(each.ancestors for each in visible))
        for cell in body.query(".cell"):
            cell.set_class(cell in on, "-on")
        tabs = view_tabs(self.current, self.size.width)
        for each in self.panes.values():
            each.tabs = tabs if single else ()
            each.repaint(0)
        if not self.in_dialog:
            pane.focus(scroll_visible=False)
        self._drawn = (None, None)
        if self.client.latest is not None:
            # The next key may come before the next frame; it must find the rows it acts on.
            self.frame()
            if self.grid is not None:
                self.grid.begin()
        # Some panes show another picture where there is more room, which is known after that.
        self.call_after_refresh(self.redraw)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which pane has the focus."""
        if isinstance(event.widget, Board) and event.widget.id in self.panes:
            self.current = event.widget.id

    def on_board_picked(self, event: Board.Picked) -> None:
        """Give a pane the whole screen, or take it back."""
        self.zoomed = not self.zoomed
        self.arrange()

    def on_board_tabbed(self, event: Board.Tabbed) -> None:
        """Go to the pane whose tab was clicked."""
        self.current = PANES[event.number]
        self.arrange()

    async def on_footer_pressed(self, event: Footer.Pressed) -> None:
        """Do what a clicked key does."""
        await self.run_action(event.action)

    def _reink(self) -> None:
        for screen in self.screen_stack:
            for canvas in screen.query(Canvas):
                canvas.reink()

    # --- frames -------------------------------------------------------------------------------

    def frame(self) -> None:
        """Paint what changed since the last frame; nothing while the terminal is backed up."""
        if tty.backlog(self) > BACKLOG:
            self.behind = True
            return
        client, snapshot = self.client, self.client.latest
        patient = snapshot is None and time.monotonic() < self._patient_until
        starting = self._starting if patient else ""
        code, text = (None if client.up else self._desk_problem()) or (0, "")
        died = text if code < 0 and snapshot is not None else ""
        reads = bool(client.reads_only)
        link = Link(client.up, client.quiet, client.error, self.behind, starting, reads, died)
        self.behind = False
        width = self.size.width
        self._strip.show(view_strip(snapshot, link, width))
        self._banner.show(view_banner(snapshot, self.commands.pull, time.monotonic()))
        said = self.saying
        self._foot.offer(Foot(said) if said else view_footer(self._possible_keys(), width))
        if code and not died:
            self.exit(text, return_code=code)
        if snapshot is None:
            return
        focus = self.look(snapshot)
        if snapshot is self._drawn[0] and focus.watch is self._drawn[1]:
            return
        fresh = snapshot is not self._drawn[0]
        self._drawn = (snapshot, focus.watch)
        for name in self._visible:
            self.panes[name].picture(snapshot, focus)
        markets = self.panes["markets"]
        if not self.single and isinstance(markets, Pane) and "markets" in self._visible:
            markets.styles.height = len(markets.rows) + markets.head
        if fresh:
            self._tell(self._notices.take(snapshot))

    def redraw(self) -> None:
        """Paint the panes anew with what is known."""
        self._drawn = (None, None)
        self.frame()

    def _possible_keys(self) -> list[Key]:
        return [
            key
            for key in self.keys
            if key.footer and self.check_action(key.action.partition("(")[0], ())
        ]

    # What is new is told once, wherever the person is looking; never by the frame itself.
    def _tell(self, new: Notice) -> None:
        loud = [line for line in new.alarms if line.level == "alarm"]
        if loud:
            self.say((Cell(" !! ", "alarm"), Cell(f" {clean(loud[-1].text)}", "warn")))
        if new.told(self._bell):
            self.bell()
        text = self._desktop.compose(new.told(self._desktop_told), time.monotonic())
        if not text:
            return
        if not self._desktop.through_terminal:
            self.run_worker(in_thread(lambda: self._desktop.show(text)), exit_on_error=False)
        elif self._driver is not None:
            self._driver.write(self._desktop.sequence(text))
