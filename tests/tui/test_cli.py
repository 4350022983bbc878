"""The command line's grammar: every command leads somewhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tui.grammar import whole_parser
from tui.late import Late


def commands(
    parser: argparse.ArgumentParser, name: str = "killcord"
) -> Iterator[tuple[str, object]]:
    """Yield each command's name and what it runs."""
    if (run := parser.get_default("run")) is not None:
        yield name, run
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from commands(below, f"{name} {word}")


def test_every_command_has_its_function() -> None:
    found = dict(commands(whole_parser()))
    assert {"killcord", "killcord kill", "killcord history import"} <= set(found)
    for name, run in found.items():
        assert callable(run.find() if isinstance(run, Late) else run), name
