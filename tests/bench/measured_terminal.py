"""The terminal, and how long each of its frames holds the loop.

python tests/bench/measured_terminal.py HOME FPS RESULT
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.home import Home
from tui import app

BEAT = 0.004
"""Seconds between looks at the clock: what is later than that was held up."""


class Measured(app.TerminalApp):
    """The terminal with a heart that notes how late it beats."""

    CSS_PATH = Path(app.__file__).with_name("app.tcss")

    def __init__(self, home: Home, fps: int) -> None:
        super().__init__(home, fps=fps)
        self.holds: list[float] = []
        """Of each frame, milliseconds."""

    def on_mount(self) -> None:
        """Begin to beat, beside what the terminal does."""
        self.run_worker(self._beat())

    async def _beat(self) -> None:
        window, worst = time.perf_counter(), 0.0
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            worst = max(worst, now - before - BEAT)
            if now - window >= 1 / self._fps:
                self.holds.append(1000 * worst)
                window, worst = now, 0.0


if __name__ == "__main__":
    terminal = Measured(Home(Path(sys.argv[1])), int(sys.argv[2]))
    terminal.run()
    Path(sys.argv[3]).write_text(json.dumps(terminal.holds))
