"""``killcord backtest --check-parity``: the same market live on practice, and compared.

A desk of its own, in a home of its own, trades the files on the practice exchange over real
sockets, up to a hundred times faster than they happened. What it recorded is then backtested, and
both must have decided the same.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from math import ceil
from pathlib import Path

from core.config import Config
from core.config_file import render
from core.errors import RecordingError, UsageError
from core.home import Home
from core.journal.recording import read_session
from core.model.instrument import VENUES, unified_symbol
from core.research.parity import Parity, check_parity
from core.research.replay import find_session, recorded_config
from exchanges.recorded import identify
from tui.market_files import load_config, number, one_timeframe, read_files, strategy_of
from tui.settings import environment_of

_MS = 1_000_000
_FASTEST = 100
"""Market seconds per second that the practice exchange plays at most."""


def compare_live(arguments: argparse.Namespace) -> Parity:
    """Return how a desk's decisions compare with a backtest's on the same market.

    With ``--recording`` the desk is the one that recorded; else one is run now.

    Raises:
        UsageError: nothing that a practice exchange could play.
        RecordingError: the desk left no recording.
    """
    latency = int(number(arguments, "latency") * _MS)
    if arguments.recording:
        home = Home.find()
        return _compare(find_session(home, arguments.recording), home, latency)
    with tempfile.TemporaryDirectory(prefix="killcord-parity-") as folder:
        home = Home(Path(folder))
        _run_desk(arguments, home)
        return _compare(find_session(home, "last"), home, latency)


def _compare(path: Path, home: Home, latency: int) -> Parity:
    config = recorded_config(read_session(path), path)
    return check_parity(path, config, strategy_of(config, home, config.environment), latency)


def _run_desk(arguments: argparse.Namespace, home: Home) -> None:
    """Let a desk trade the files in a home of its own, and end what it started."""
    config, speed = _settings(arguments)
    home.config_file.write_text(render(config), encoding="utf-8")
    own = Home.find()
    environment = environment_of(arguments, own)
    for there, here in (
        (own.strategies, home.strategies),
        (own.models(environment), home.models("practice")),
    ):
        if there.is_dir():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there, target_is_directory=True)
    path = (arguments.candles or arguments.books)[0]
    command = [
        *(sys.executable, "-m", "tui.cli", "--env", "practice", "--no-ui", "--json"),
        *("--market", str(Path(path).resolve()), "--speed", f"{speed:g}"),
        *("--for", arguments.duration),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[1],
            env=os.environ | {"KILLCORD_HOME": str(home.data)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        _end_exchange(home)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise RecordingError(
            f"the desk that was to be compared ended with {done.returncode}: {last}"
        )


def _settings(arguments: argparse.Namespace) -> tuple[Config, float]:
    """Return the desk's configuration, and how much faster its market runs.

    Candles play so fast that one lasts a second, or as little more as a hundredfold speed allows.
    """
    speed, timeframe = 1.0, arguments.timeframe
    if arguments.candles:
        files = read_files(arguments)
        span = one_timeframe(files)
        timeframe = next(n for n in range(ceil(span / _FASTEST), span + 1) if span % n == 0)
        speed = span / timeframe
        symbols = [file.symbol for file in files]
        paths = arguments.candles
    elif arguments.books:
        symbols = [unified_symbol(identify(Path(path))[1]) for path in arguments.books]
        paths = arguments.books
    else:
        raise UsageError("--check-parity: the practice exchange plays --candles or --books")
    if len(paths) > 1:
        raise UsageError("--check-parity: name one folder or file")
    names = [arguments.venue] if arguments.venue else list(VENUES)
    more = {"arm_on_start": True, "guard.start": False, "practice.speed": speed}
    return load_config(arguments, names, symbols, timeframe, more), speed


def _end_exchange(home: Home) -> None:
    """End the practice exchange that the desk started: it would wait for another desk."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        os.kill(json.loads((home.run / "practice.json").read_text())["pid"], signal.SIGTERM)
