"""Start things: a desk in this process or behind a terminal, a terminal, a practice exchange."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import KillcordError, NoDesk, UsageError
from core.home import Home

if TYPE_CHECKING:
    from core.desk.desk import Desk
    from core.desk.summary import DeskSummary

T = TypeVar("T")


def start(arguments: argparse.Namespace) -> int:
    """Run ``killcord``: a terminal on the desk, or the desk alone where nobody can look."""
    if not arguments.no_ui and not has_terminal():
        sys.stderr.write("killcord: no terminal to draw on; running headless, as with --no-ui\n")
        arguments.no_ui = True
    if arguments.json and not arguments.no_ui:
        raise UsageError("--json needs --no-ui")
    return run_headless(arguments) if arguments.no_ui else open_terminal(arguments)


def has_terminal() -> bool:
    """Return whether there is a terminal to draw on."""
    # Keys come from standard input; textual draws on standard error.
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def run_headless(arguments: argparse.Namespace) -> int:
    """Run the desk in this process, one line an event."""
    duration = _duration(arguments)
    with prepare(arguments) as make:
        from tui.headless import Printer

        with contextlib.closing(Printer(sys.stdout, as_json=arguments.json)) as printer:

            async def main() -> DeskSummary:
                desk = make()
                desk.lines.subscribe(printer.line)
                return await desk.run(duration)

            printer.summary(run_loop(main()))
    return 0


def run_background(arguments: argparse.Namespace) -> int:
    """Run the desk in this process without printing: what a terminal starts for itself."""
    duration = _duration(arguments)
    with prepare(arguments) as make:

        async def main() -> DeskSummary:
            return await make().run(duration)

        run_loop(main())
    return 0


@contextlib.contextmanager
def prepare(arguments: argparse.Namespace) -> Iterator[Callable[[], Desk]]:
    """Read the configuration and start what a desk needs; give the function that builds it.

    The practice exchange is ended with the desk, but not when the desk crashes: the next desk
    finds its orders and positions there.
    """
    from core.desk.lock import Lock
    from tui.practice import ensure
    from tui.settings import read

    os.umask(0o077)  # a home that others may enter has logs and books that they must not read
    home = Home.find()
    config = read(arguments, home)
    home.make(config.environment)
    # Before anything else is touched: the running desk's practice exchange must not be replaced.
    Lock(home.lock, f"the home {home.data}").release()
    if config.environment != "practice":
        from tui.compose import venue_desk

        yield lambda: venue_desk(config, home)
        return
    with ThreadPoolExecutor(1) as pool:
        # Importing ccxt and the desk takes about as long as the exchange takes to start.
        starting = pool.submit(ensure, home, config.practice)
        from tui.compose import practice_desk

        server = starting.result()
    try:
        yield lambda: practice_desk(config, home, server)
    except KillcordError:
        server.stop()
        raise
    server.stop()


def open_terminal(arguments: argparse.Namespace) -> int:
    """Open a terminal on the home's desk, starting one if none runs."""
    home = Home.find()
    child = None if listens(home.socket) else _spawn_desk(arguments, home)

    def problem() -> tuple[int, str] | None:
        code = None if child is None else child.poll()
        if not code:
            return None
        text = (home.run / "desk.err").read_text(errors="replace").strip()
        if code < 0:
            return code, f"killed by {signal.Signals(-code).name}"
        return code, text or f"killcord: the desk ended with code {code}: see {home.log}"

    return show(
        home,
        problem,
        fps=None,
        starting="" if child is None else "starting the desk",
        first=not (home.welcomed.exists() or home.config_file.exists()),
    )


def attach(arguments: argparse.Namespace) -> int:
    """Open a terminal on a desk that is running.

    Raises:
        NoDesk: none is.
        UsageError: there is no terminal to draw on.
    """
    if arguments.ssh:
        from tui import ssh

        return ssh.attach(arguments)
    home = Home.find()
    if not listens(home.socket):
        raise NoDesk("no desk is running here: start one with `killcord`")
    # In a browser there is none: textual-serve carries keys and pictures instead.
    if not has_terminal() and "TEXTUAL_DRIVER" not in os.environ:
        raise UsageError("no terminal to draw on: `killcord status` works without one")
    claim = "take" if arguments.control else "none"
    return show(home, lambda: None, fps=arguments.fps, claim=claim)


def show(
    home: Home,
    problem: Callable[[], tuple[int, str] | None],
    *,
    fps: int | None,
    starting: str = "",
    recording: Path | None = None,
    claim: str = "free",
    first: bool = False,
) -> int:
    """Run the terminal and return its exit code.

    Args:
        home: whose desk is shown.
        problem: see ``TerminalApp``, as the rest.
    """
    from tui.app import TerminalApp

    app = TerminalApp(
        home,
        recording=recording,
        fps=fps,
        actor=who(),
        desk_problem=problem,
        claim=claim,
        starting=starting,
        first=first,
    )
    last_line = app.run()
    if last_line:
        (sys.stderr if app.return_code else sys.stdout).write(f"{last_line}\n")
    return app.return_code or 0


def who() -> str:
    """Return what others call this terminal: ``ana pts/3``, and from where when it is far away."""
    try:
        device = os.ttyname(0).removeprefix("/dev/")
    except OSError:
        device = "web" if "TEXTUAL_DRIVER" in os.environ else "?"
    words = [pwd.getpwuid(os.getuid()).pw_name, device]
    if far := os.environ.get("SSH_CONNECTION", "").split():
        words.append(f"from {far[0]}")
    return " ".join(words)


def listens(path: Path) -> bool:
    """Return whether a desk answers on a control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _spawn_desk(arguments: argparse.Namespace, home: Home) -> subprocess.Popen[bytes]:
    os.umask(0o077)
    home.make("practice")
    options = {
        "--env": arguments.env,
        "--config": arguments.config,
        "--for": arguments.duration,
        "--seed": arguments.seed,
        "--market": arguments.market,
        "--speed": arguments.speed,
        "--faults": arguments.faults,
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


def run_practice(arguments: argparse.Namespace) -> int:
    """Run the practice exchange alone and print how to connect any ccxt program to it."""
    from decimal import Decimal, InvalidOperation

    from pydantic import ValidationError

    from core.config import Practice
    from tui.practice import serve_alone

    try:
        options = Practice(
            seed=arguments.seed,
            market=arguments.market,
            speed=arguments.speed,
            balance=Decimal(arguments.balance),
            faults=arguments.faults,
        )
    except (ValidationError, InvalidOperation) as error:
        raise UsageError(f"practice: {error}") from None
    return serve_alone(
        options, port=arguments.port, duration=_duration(arguments), as_json=arguments.json
    )


def _duration(arguments: argparse.Namespace) -> float | None:
    from core.config import seconds

    if arguments.duration is None:
        return None
    length = seconds(arguments.duration)
    if not isinstance(length, float) or length <= 0:
        raise UsageError(
            f"--for takes a duration such as 60s, 15m or 2h, not {arguments.duration!r}"
        )
    return length


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
