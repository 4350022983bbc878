"""What a command writes on its standard output: lines for a person, or JSON for a program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any


def reply(arguments: argparse.Namespace, facts: Any, lines: Iterable[str]) -> None:
    """Write the facts as one line of JSON where ``--json`` asks for it, else the lines.

    Args:
        arguments: of the command.
        facts: builtins or structs; numbers that are none (NaN, infinity) become null.
        lines: the same for a person.
    """
    if arguments.json:
        import msgspec

        say(msgspec.json.encode(facts).decode())
    else:
        say(*lines)


def say(*lines: str) -> None:
    """Write lines, at once: whoever reads along through a pipe need not wait for more."""
    sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()
