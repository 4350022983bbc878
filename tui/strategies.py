"""``killcord strategies``: which there are, and the beginning of one of your own."""

from __future__ import annotations

import argparse
import keyword
from pathlib import Path
from typing import Any

from core import config
from core.errors import ConfigError, UsageError
from core.files import write_whole
from core.home import Home
from core.signals.ensemble import Ensemble
from core.signals.folder import find_strategy
from core.signals.strategy import BUILT_IN, named
from tui.output import reply
from tui.settings import configured

_SUPPLIED = {**BUILT_IN, "ensemble": Ensemble}
_TEMPLATE = '''"""{name}: long above the highest close of 20 candles, out below the lowest of 10."""

from collections import deque

from core.signals.decision import Decision


class {kind}:
    """Made once for each instrument and venue; docs/strategies.md has all that it may do."""

    warmup = 20  # candles of the past it is shown at a start

    def __init__(self, settings):  # the [strategy] table: timeframe, fast, slow
        self.closes = deque(maxlen=20)
        self.target = 0

    def on_candle(self, candle):  # open, high, low, close, volume, ts (nanoseconds UTC)
        past = list(self.closes)
        self.closes.append(candle.close)
        if len(past) < 20:
            return None
        target = self.target
        if candle.close > max(past):
            target = 1
        elif candle.close < min(past[-10:]):
            target = 0
        if target == self.target:
            return None  # nothing new
        self.target = target  # +1 long, -1 short, 0 flat
        return Decision(target, candle.close / past[-1] - 1, f"close {{candle.close:g}}")
'''


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord strategies list|new``.

    Raises:
        UsageError: no name, one that cannot be, or one that is taken.
        ConfigError: with every problem found.
    """
    home = Home.find()
    if arguments.action == "new":
        path = _write(home, arguments.name)
        answer: dict[str, Any] = {"name": arguments.name, "path": str(path)}
        text = (
            f"{path}\n  try it:    killcord backtest --candles FOLDER --strategy {arguments.name}\n"
            f'  trade it:  name = "{arguments.name}" under [strategy] in {home.config_file}'
        )
    else:
        answer, text = _list(home, configured(arguments, home).strategy)
    reply(arguments, {"type": "strategies", **answer}, [text])
    return 0


def _write(home: Home, name: str) -> Path:
    if not name.isidentifier() or keyword.iskeyword(name) or not name.islower():
        raise UsageError(
            f"strategies new {name or 'NAME'}: expected a name such as my_breakout: letters,"
            " digits and _, lower case"
        )
    path = home.strategies / f"{name}.py"
    if name in _SUPPLIED:
        raise UsageError(f"{name}: comes with the program; take another name")
    if path.exists():
        raise UsageError(f"{path}: is there already")
    kind = "".join(part.capitalize() for part in name.split("_"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _TEMPLATE.format(name=name, kind=kind or "Strategy").encode())
    return path


def _list(home: Home, chosen: config.Strategy) -> tuple[dict[str, Any], str]:
    """Return all strategies; a file that does not work is named with what is wrong."""
    used = set(named(chosen)) | {chosen.name}
    rows = [(name, _about(kind), "") for name, kind in sorted(_SUPPLIED.items())]
    for path in sorted(home.strategies.glob("*.py")):
        try:
            found = find_strategy(home.strategies, config.Strategy(name=path.stem))
            problem = "" if found else f"{path}: is no name of a strategy"
        except ConfigError as error:
            problem = str(error)
        rows = [row for row in rows if row[0] != path.stem]  # it comes before a built-in one
        rows.append((path.stem, str(path), problem))
    lines = [
        f"{'!' if problem else '*' if name in used else ' '} {name:18} {problem or text}"
        for name, text, problem in rows
    ]
    answer = {
        "strategies": [
            {
                "name": name,
                "own": name not in _SUPPLIED,
                "used": name in used,
                "text": text,
                "problem": problem,
            }
            for name, text, problem in rows
        ],
        "folder": str(home.strategies),
    }
    legend = "* configured; `killcord strategies new NAME` begins one of your own"
    return answer, "\n".join([*lines, legend])


def _about(kind: object) -> str:
    """Return what a strategy's own description begins with."""
    return (kind.__doc__ or "").partition("\n")[0].replace("``", "")
