"""Where to begin: practice now, keys of a testnet, or a look at this machine."""

from __future__ import annotations

import asyncio
import sys
import time
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from core.model.instrument import VENUES
from tui.screens.dialog import Dialog
from tui.text import clean
from tui.views.table import Cell, Line, Tone
from tui.widgets.choice import Choice
from tui.widgets.lines import RaisedLines

if TYPE_CHECKING:
    from tui.actions import ActingApp

OPTIONS = ("practise now", "connect a testnet", "check this machine")
DOCTOR = (sys.executable, "-m", "tui.cli", "doctor")
_TONES: dict[str, Tone] = {"FAIL": "alarm", "!": "warn", "ok": "up", "--": "dim"}

PRACTICE: tuple[Line, ...] = (
    (Cell("A whole exchange runs on this machine: no keys, no money, no network."),),
    (Cell("The desk trades it by itself. A few keys to begin with:"),),
    (),
    (Cell("   b s     ", "key"), Cell("buy and sell through the risk gate")),
    (Cell("   3 x     ", "key"), Cell("positions; close the one under the cursor")),
    (Cell("   2 w     ", "key"), Cell("signals, and why one was acted on or refused")),
    (Cell("   F12     ", "key"), Cell("halts and cancels everything, from anywhere")),
    (Cell("   ? ^p    ", "key"), Cell("every key, every command by name")),
)
TESTNET: tuple[Line, ...] = (
    (Cell("This terminal holds no keys. In a shell, for each venue you have:"),),
    (),
    *((Cell(f"   killcord keys add {venue} --env testnet", "key"),) for venue in VENUES),
    (Cell("   killcord doctor --env testnet", "key"),),
    (Cell("   killcord --env testnet", "key"),),
    (),
    (Cell("Keys go to the keyring of your system; keys that may withdraw are refused."),),
    (Cell("^q leaves; stop this desk there before another one is started."),),
)


class WelcomeScreen(Dialog[None]):
    """Shows what each beginning means; enter takes it."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "take", "Take it"),
        Binding("tab", "move(1)", show=False, priority=True),
        Binding("shift+tab", "move(-1)", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._found: list[Line] = []
        self._since = 0.0
        self._checking = False

    def compose(self) -> ComposeResult:
        """Place the choice and what it means."""
        with Vertical(id="box") as box:
            box.border_title = "where to begin"
            yield Choice("beginning", OPTIONS)
            with VerticalScroll(id="page"):
                yield RaisedLines("text")
            yield Static("", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Start at the first."""
        self.query_one(Choice).focus()
        self._show()
        self.set_interval(0.5, self._show)

    def on_choice_changed(self) -> None:
        """Say what the other beginning means."""
        self._show()

    def action_move(self, step: int) -> None:
        """Choose another beginning."""
        self.query_one(Choice).action_step(step)

    def _show(self) -> None:
        if not self.query("#text") or not self.query(Choice):
            return
        choice = self.query_one(Choice).value
        does = {OPTIONS[0]: "enter begins", OPTIONS[1]: "enter closes this"}.get(
            choice, "enter checks"
        )
        if choice == OPTIONS[0]:
            lines: tuple[Line, ...] = PRACTICE
        elif choice == OPTIONS[1]:
            lines = TESTNET
        else:
            lines = tuple(self._found) or (
                (Cell("Looks at machine, folders, keys and venues, as `killcord doctor` does."),),
            )
            if self._checking:
                does = f"checking … {time.monotonic() - self._since:.0f} s"
        self.query_one(RaisedLines).show(lines)
        hint = f"← → choose · {does} · W opens this again"
        self.query_one(".hint", Static).update(hint)

    def action_take(self) -> None:
        """Begin, or look."""
        if self.query_one(Choice).value == OPTIONS[2]:
            if not self._checking:
                self._checking, self._since = True, time.monotonic()
                self.run_worker(self._check(), exclusive=True)
            return
        cast("ActingApp", self.app).welcomed()
        self.dismiss(None)

    def action_give_up(self) -> None:
        """Leave; it was seen."""
        cast("ActingApp", self.app).welcomed()
        self.dismiss(None)

    async def _check(self) -> None:
        self._found = []
        process = await asyncio.create_subprocess_exec(
            *DOCTOR, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            assert process.stdout is not None
            async for raw in process.stdout:
                self._found += _finding(raw.decode(errors="replace"))
                self._show()
                self.query_one("#page", VerticalScroll).scroll_end(animate=False)
            await process.wait()
        finally:
            self._checking = False
            if process.returncode is None:
                process.kill()


# The columns of ``killcord doctor``: mark, where, what; the rest may take several lines.
def _finding(raw: str) -> list[Line]:
    mark, where, what = (clean(raw[at:end]) for at, end in ((0, 5), (5, 14), (14, 30)))
    head = (Cell(f"{mark:<5}", _TONES.get(mark, "")), Cell(f"{where:<9}", "dim"))
    said = wrap(clean(raw[30:]), 42) or [""]
    first: Line = (*head, Cell(f"{what:<16}"), Cell(said[0]))
    return [first, *((Cell(" " * 30 + more),) for more in said[1:])]
