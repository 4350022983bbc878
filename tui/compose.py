"""The one file that wires core, exchanges, sentiment and the terminal together."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config, Practice, render, seconds
from core.errors import KillcordError, UsageError
from core.home import Home
from core.keys import Credentials, credentials
from core.secrets import Secret
from tui.practice import PracticeServer, ensure
from tui.settings import read

if TYPE_CHECKING:
    from core.desk.desk import Desk


def start(arguments: argparse.Namespace) -> int:
    """Run ``killcord``: a terminal on the desk, or the desk alone where nobody can look."""
    if not arguments.no_ui and not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write("killcord: no terminal to draw on; running headless, as with --no-ui\n")
        arguments.no_ui = True
    if arguments.json and not arguments.no_ui:
        raise UsageError("--json needs --no-ui")
    return run_headless(arguments) if arguments.no_ui else open_terminal(arguments)


def run_headless(arguments: argparse.Namespace) -> int:
    """Run the desk in this process, one line an event."""
    from tui import headless

    home = Home.find()
    config = read(arguments, home)
    return headless.run(
        lambda: build(config, home), duration=_duration(arguments), as_json=arguments.json
    )


def run_background(arguments: argparse.Namespace) -> int:
    """Run the desk in this process without printing: what a terminal starts for itself."""
    home = Home.find()
    config = read(arguments, home)

    async def main() -> int:
        desk = build(config, home)
        await desk.run(_duration(arguments))
        return 0

    return run_loop(main())


def open_terminal(arguments: argparse.Namespace) -> int:
    """Open a terminal on the home's desk, starting one if none runs."""
    home = Home.find()
    child = None if _listens(home.socket) else _spawn_desk(arguments, home)

    def problem() -> tuple[int, str] | None:
        code = None if child is None else child.poll()
        if not code:
            return None
        text = (home.run / "desk.err").read_text(errors="replace").strip()
        return code, text or f"killcord: the desk ended with code {code}: see {home.desk_log}"

    return _show(home, problem, fps=None)


def attach(arguments: argparse.Namespace) -> int:
    """Open a terminal on a desk that is running."""
    from core.errors import NoDesk

    home = Home.find()
    if not _listens(home.socket):
        raise NoDesk("no desk is running here: start one with `killcord`")
    return _show(home, lambda: None, fps=arguments.fps)


def _show(home: Home, problem: Callable[[], tuple[int, str] | None], fps: int | None) -> int:
    # The frame rate is fixed when textual is imported.
    os.environ.setdefault("TEXTUAL_FPS", "20")
    from tui.app import TerminalApp

    app = TerminalApp(home, desk_problem=problem, fps=fps or 10)
    result = app.run()
    if result:
        sys.stdout.write(f"{result}\n")
    return app.return_code or 0


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _spawn_desk(arguments: argparse.Namespace, home: Home) -> subprocess.Popen[bytes]:
    home.make("practice")
    options = {
        "--env": arguments.env,
        "--config": arguments.config,
        "--for": arguments.duration,
        "--seed": arguments.seed,
        "--market": arguments.market,
        "--speed": arguments.speed,
    }
    command = [sys.executable, "-m", "tui.cli", "desk"]
    for name, value in options.items():
        command += [] if value is None else [name, str(value)]
    with home.desk_log.open("ab") as log, (home.run / "desk.err").open("wb") as problems:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=problems,
            start_new_session=True,
        )


def _duration(arguments: argparse.Namespace) -> float | None:
    if arguments.duration is None:
        return None
    length = seconds(arguments.duration)
    try:
        length = float(length)  # type: ignore[arg-type]
    except ValueError:
        length = 0.0
    if length <= 0:
        raise UsageError(
            f"--for takes a duration such as 60s, 15m or 2h, not {arguments.duration!r}"
        )
    return length


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
