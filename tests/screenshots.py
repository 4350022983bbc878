"""Write the pictures of README and docs: ``python -m tests.screenshots`` (``make screenshots``).

A real practice desk from a fixed seed, the real terminal on it, its keys pressed. Prices move by
the clock, so the numbers differ from run to run; what is on each picture does not.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from core.errors import KillcordError
from core.home import Home
from core.research.replay import find_session
from tui.app import TerminalApp
from tui.control import ask
from tui.widgets.lines import RaisedLines

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
SEED = "7"
SIZE = (150, 44)
LARGEST = 300_000
"""Bytes of a picture: a repository keeps every version of it."""
CONFIG = """\
symbols = ["BTC", "ETH", "SOL", "XRP", "DOGE"]
[limits]
[strategy]
timeframe = "5s"
fast = 4
slow = 12
"""
FONT = '"Fira Code", "JetBrains Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace'


async def until(ready: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Wait for something on the screen or at the desk."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.05)


@contextmanager
def desk(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """Run a practice desk until it has traded."""
    home.config.mkdir(parents=True, exist_ok=True)
    home.config_file.write_text(CONFIG)
    command = [sys.executable, "-m", "tui.cli", "--no-ui", "--env", "practice", "--seed", SEED]
    environ = os.environ | {"KILLCORD_HOME": str(home.data)}
    running = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(60)


@asynccontextmanager
async def terminal(home: Home, **options: Any) -> AsyncIterator[tuple[TerminalApp, Pilot[str]]]:
    """Run the terminal without a screen."""
    app = TerminalApp(home, actor="you", **options)
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: app.snapshot is not None, "a picture of the desk")
        await until(lambda: app.client.reads_only is False, "control")
        yield app, pilot


def said(app: TerminalApp) -> str:
    """Return what the dialog says below its fields."""
    return " ".join(lines.text for lines in app.screen.query(RaisedLines))


async def take(app: TerminalApp, pilot: Pilot[str], name: str) -> None:
    """Write what is on the screen."""
    for _ in range(3):
        await pilot.pause(0.3)
    text = app.export_screenshot(title="killcord")
    text = re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.S)
    text = re.sub(r"font-family: Fira Code(, monospace)?", f"font-family: {FONT}", text)
    text = re.sub(r"terminal-\d+", f"killcord-{name}", text)
    # Not every program that draws SVG keeps a blank that cannot be broken at the start of a text.
    text = text.replace("&#160;", " ").replace("<svg ", '<svg xml:space="preserve" ', 1)
    path = FOLDER / f"{name}.svg"
    path.write_text(text)
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size} bytes, {LARGEST} are allowed")
    sys.stdout.write(f"{path.relative_to(ROOT)}  {size / 1000:.0f} kB\n")


async def on_the_desk(home: Home) -> None:
    """Take the pictures that need a desk; the last one halts it."""
    async with terminal(home) as (app, pilot):
        picture: Callable[[], Any] = lambda: app.snapshot  # noqa: E731
        await until(lambda: len(picture().positions) >= 6, "positions")
        await until(lambda: any(f.realised for f in picture().fills), "a closed trade")
        await until(lambda: app.client.watched is not None, "a chart")
        await take(app, pilot, "dashboard")
        await pilot.press("b")
        await until(lambda: app.in_dialog, "the ticket")
        await pilot.press(*"0.03")
        await until(lambda: "fee" in said(app), "what the order would do")
        await take(app, pilot, "ticket")
        await pilot.press("escape", "2", "home", "w")
        await until(lambda: app.in_dialog, "why")
        await take(app, pilot, "why")
        await pilot.press("escape", "1", "9", "9")
        await take(app, pilot, "chart")
        await pilot.press("escape", "1", "f12")
        await until(lambda: picture().state.value == "halted", "halted")
        await pilot.press("ctrl+f")
        flat = ("FLAT_VERIFIED", "FLAT_DUST")
        await until(
            lambda: picture().kill and all(k.verdict in flat for k in picture().kill), "flat"
        )
        await take(app, pilot, "kill")


@contextmanager
def recording(home: Home) -> Iterator[Path]:
    """Play the newest recording; yields its socket."""
    socket = home.replay_socket(os.getpid())
    path = find_session(home, "last")
    command = [sys.executable, "-m", "tui.cli", "replay", str(path), "--serve", str(socket)]
    environ = os.environ | {"KILLCORD_HOME": str(home.data)}
    player = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.PIPE)
    assert player.stdin is not None
    try:
        yield socket
    finally:
        player.stdin.close()
        player.wait(20)


async def on_the_recording(home: Home, socket: Path) -> None:
    """Take the picture of a replay of what was just recorded."""
    async with terminal(home, recording=socket) as (app, pilot):
        picture: Callable[[], Any] = lambda: app.snapshot  # noqa: E731
        await pilot.press("space")
        for _ in range(6):  # the first signals come when the market gives some
            await pilot.press("right")
            await pilot.pause(0.5)
            await until(lambda: picture().replay.winding is None, "ten seconds on")
            if picture().replay.orders > 2:
                break
        await pilot.press("O")
        await until(lambda: picture().replay.winding is None, "the jump")
        await take(app, pilot, "replay")


def main() -> int:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="killcord-pictures-") as folder:
        home = Home(Path(folder))
        with desk(home):
            deadline = time.monotonic() + 60
            while not _answers(home):
                if time.monotonic() > deadline:
                    raise TimeoutError("the desk did not start")
                time.sleep(0.2)
            asyncio.run(on_the_desk(home))
        with recording(home) as socket:
            asyncio.run(on_the_recording(home, socket))
    return 0


def _answers(home: Home) -> bool:
    try:
        return bool(ask(home.socket, "GET", "/v1/snapshot"))
    except KillcordError:
        return False


if __name__ == "__main__":
    sys.exit(main())
