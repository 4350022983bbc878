"""``killcord replay``: a recorded session through the engine again, compared and looked at."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from core.clock import SECOND
from core.home import Home
from core.research.replay import (
    Progress,
    ReplayReport,
    SessionFacts,
    find_session,
    find_sessions,
    replay,
)
from tui import numbers
from tui.launch import has_terminal
from tui.output import reply
from tui.text import clean


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord replay``: 0 when every decision is the recorded one, 1 when not.

    Raises:
        RecordingError: there is no such recording, or it cannot be read.
        ConfigError: the strategy it names is not there any more.
    """
    home = Home.find()
    if not arguments.recording:
        sessions = find_sessions(home)
        reply(arguments, sessions, _listed(sessions))
        return 0
    path = find_session(home, arguments.recording)
    if arguments.serve:
        serve(path, home, Path(arguments.serve))
        return 0
    if not (arguments.json or arguments.no_ui) and has_terminal():
        return look(arguments, path, home)
    answer = replay(path, home, _progress(arguments))
    reply(arguments, answer, table(answer))
    return 0 if answer.equal else 1


def serve(path: Path, home: Home, socket: Path) -> None:
    """Play a recording on a control socket until standard input ends: whoever looks is gone."""
    from core.desk.control import ControlSocket
    from core.research.playback import Playback

    async def main() -> None:
        playback = Playback(path, home)
        control = ControlSocket(playback, socket)
        await control.start()
        loop = asyncio.get_running_loop()
        loop.add_reader(0, playback.request_stop, "nobody looks any more")
        loop.add_signal_handler(signal.SIGTERM, playback.request_stop, "SIGTERM")
        try:
            await playback.run()
        finally:
            await control.close()

    asyncio.run(main())


def look(arguments: argparse.Namespace, path: Path, home: Home) -> int:
    """Open the terminal on a recording, played by a process of its own."""
    from tui.launch import show

    socket = home.replay_socket(os.getpid())
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    errors = socket.with_suffix(".err")
    command = [sys.executable, "-m", "tui.cli", "replay", str(path), "--serve", str(socket)]
    with errors.open("wb") as problems:
        player = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=problems
        )

    def problem() -> tuple[int, str] | None:
        code = player.poll()
        if code is None:
            return None
        text = errors.read_text(errors="replace").strip()
        return code or 1, text or "killcord: the recording ended"

    try:
        return show(
            home, problem, fps=arguments.fps, starting="opening the recording", recording=socket
        )
    finally:
        assert player.stdin is not None
        player.stdin.close()
        player.wait()
        errors.unlink(missing_ok=True)


def table(answer: ReplayReport) -> list[str]:
    """Return what a replay came to, for a person."""
    lines = [
        f"{answer.recording}  {answer.environment}  {_when(answer.started)}"
        f"  {numbers.age(answer.seconds)}",
        f"{answer.events:,} events, {answer.orders} orders, {answer.fills} fills,"
        f" {answer.refusals} refusals",
        f"decisions {answer.decision_hash}",
    ]
    if not answer.complete:
        lines.append("the session has no end: its desk still runs, or crashed")
    if answer.note:
        lines.append(clean(answer.note))
    if answer.equal:
        lines.append("IDENTICAL: every decision is the recorded one")
    elif answer.difference is None:
        lines.append(f"DIFFERENT: recorded {answer.recorded_hash}")
    else:
        first = answer.difference
        lines += [
            f"DIFFERENT, first at event {first.seq:,} of {_when(first.ts)}",
            f"  event     {clean(first.event, 400)}",
            f"  recorded  {clean(first.recorded, 400) or 'nothing'}",
            f"  replayed  {clean(first.replayed, 400) or 'nothing'}",
        ]
    return lines


def _listed(sessions: list[SessionFacts]) -> Iterator[str]:
    if not sessions:
        yield "nothing is recorded yet: `killcord` records by itself"
        return
    yield f"{'recording':24} {'environment':12} {'began (UTC)':20} {'length':>8} {'events':>11}"
    for one in sessions:
        length = "no end" if one.seconds is None else numbers.age(one.seconds)
        events = "" if one.events is None else f"{one.events:,}"
        when = _when(one.started)
        yield f"{one.name:24} {one.environment:12} {when:20} {length:>8} {events:>11}"
    yield "look at one: killcord replay NAME, a date such as 2026-11-21, or last"


def _progress(arguments: argparse.Namespace) -> Progress:
    def tell(done: int, total: int) -> None:
        share = f"{100 * done / total:.0f} %" if total else f"{done:,} events"
        sys.stderr.write(f"\r{share} ")
        sys.stderr.flush()

    def silent(done: int, total: int) -> None:
        pass

    return silent if arguments.json or not sys.stderr.isatty() else tell


def _when(ts: int) -> str:
    return datetime.fromtimestamp(ts / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
