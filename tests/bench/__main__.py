"""``make bench``: measure speed and size and print them beside their targets.

Each module of this folder has functions that return measured numbers by name. Run a few with
``make bench ARGS="engine journal"``; ``ARGS=--json`` prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable

MODULES = ("startup", "adapters", "engine", "journal", "terminal", "sentiment", "kill", "signals",
           "alarms", "backtest")  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the named modules, or all; print a table or JSON."""
    as_json = "--json" in arguments
    names = [name for name in arguments if not name.startswith("-")] or list(MODULES)
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        sys.stderr.write(f"no bench {', '.join(unknown)}: choose from {', '.join(MODULES)}\n")
        return 2
    results: dict[str, dict[str, float | str]] = {}
    if not as_json:
        say(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in names:
        module = importlib.import_module(f"tests.bench.{name}")
        started = time.perf_counter()
        functions: tuple[Callable[[], dict[str, float | str]], ...] = module.BENCHES
        for function in functions:
            measured = function()
            results.setdefault(name, {}).update(measured)
            if not as_json:
                show(name, measured, getattr(module, "TARGETS", {}))
        if not as_json:
            say(f"{name}: {time.perf_counter() - started:.0f} s")
    if as_json:
        say(json.dumps(results))
    return 0


def show(name: str, measured: dict[str, float | str], targets: dict[str, str]) -> None:
    """Print one line a number: what, value, and the target where there is one."""
    for key, value in measured.items():
        text = (
            value
            if isinstance(value, str)
            else f"{value:,.0f}"
            if value >= 1000
            else f"{value:.3g}"
        )
        say(f"{name:9} {key:62} {text:>12}  {targets.get(key, '')}")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
