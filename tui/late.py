"""Commands of the command line: words now, the code behind them when one is called."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tui.examples import EXAMPLES

CONFIG = "configuration file (default: see killcord config path)"
VENUE = "bybit, binance or okx"
Run = Callable[[argparse.Namespace], int]
"""Does what a command says; returns the exit code."""

_ENVIRONMENTS = ("practice", "testnet", "live")


class Late:
    """A command's function, imported when it is called.

    Args:
        module: below ``tui``.
        name: of the function in it.
    """

    def __init__(self, module: str, name: str = "run") -> None:
        self.module = module
        self.name = name

    def __call__(self, arguments: argparse.Namespace) -> int:
        """Import the module and do what the command says."""
        return self.find()(arguments)

    def find(self) -> Run:
        """Import the module and return the function."""
        found: Run = getattr(import_module(f"tui.{self.module}"), self.name)
        return found


def add_command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    """Add a command that can answer in JSON, and return its parser for further arguments."""
    command = add_group(commands, name, text)
    command.add_argument("--json", action="store_true", help="answer in JSON")
    command.set_defaults(run=run)
    return command


def add_group(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """Add a word with commands below it, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=example(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def example(command: str) -> str:
    """Return what stands below the help of a command."""
    return f"example: {EXAMPLES[command]}"


def add_environment(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--env``; ``text`` says what of an environment is meant."""
    parser.add_argument("--env", choices=_ENVIRONMENTS, help=text)
