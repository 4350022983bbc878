"""The same screen on stock DataTables: the same data and rows, a cell updated where it changed.

python tests/bench/stock_screen.py HOME FPS
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Static

from core.home import Home
from core.model.event import KillMode
from tui.client import DeskClient
from tui.commands import Commands
from tui.panes.pane import VIEWS
from tui.views.focus import Focus
from tui.views.strip import Link, view_strip
from tui.views.table import Line

TABLES = ("markets", "positions", "orders", "log", "signals", "risk", "venues")


class StockScreen(App[None]):
    """Seven DataTables, a strip and a footer."""

    CSS = """
    DataTable { height: 1fr; border: solid grey; }
    #markets { height: 14; }
    #strip { height: 2; }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("f12,ctrl+k", "kill", "KILL", priority=True)]

    def __init__(self, home: Home, fps: int) -> None:
        super().__init__()
        self.client = DeskClient(home.socket, fps)
        self.commands = Commands(self.client, "bench", lambda line: None)
        self._fps = fps
        self._shown: dict[str, list[tuple[str, ...]]] = {}

    def compose(self) -> ComposeResult:
        """Place the tables as the terminal places its panes."""
        tables = {name: DataTable[str](id=name, show_cursor=False) for name in TABLES}
        yield Static(id="strip", markup=False)
        yield tables["markets"]
        with Horizontal():
            with Vertical():
                yield from (tables["positions"], tables["orders"], tables["log"])
            with Vertical():
                yield from (tables["signals"], tables["risk"], tables["venues"])
        yield Footer()

    def on_mount(self) -> None:
        """Follow the desk."""
        self.run_worker(self.client.run())
        self.set_interval(1 / self._fps, self.frame)

    def action_kill(self) -> None:
        """Pull the cord."""
        self.run_worker(self.commands.kill(KillMode.CANCEL))

    def frame(self) -> None:
        """Write what changed since the last frame."""
        snapshot = self.client.latest
        if snapshot is None:
            return
        lines = view_strip(snapshot, Link(True, 0.0), self.size.width)
        self.query_one("#strip", Static).update("\n".join(map(_text, lines)))
        for name in TABLES:
            view = VIEWS[name]
            table = self.query_one(f"#{name}", DataTable)
            rows = [tuple(cell.text for cell in row.cells) for row in view.rows(snapshot, Focus())]
            before = self._shown.get(name)
            if before is None or len(before) != len(rows):
                table.clear(columns=True)
                table.add_columns(*(column.name for column in view.columns(snapshot)))
                table.add_rows(rows)
            else:
                for y, (old, new) in enumerate(zip(before, rows, strict=True)):
                    for x, (was, now) in enumerate(zip(old, new, strict=False)):
                        if was != now:
                            table.update_cell_at((y, x), now)  # type: ignore[arg-type]
            self._shown[name] = rows


def _text(line: Line) -> str:
    return "".join(cell.text for cell in line)


if __name__ == "__main__":
    StockScreen(Home(Path(sys.argv[1])), int(sys.argv[2])).run()
