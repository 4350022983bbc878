"""The command line's grammar: every command leads somewhere, and what is written of it is true."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.cli import main
from tui.examples import EXAMPLES
from tui.grammar import kill_parser, whole_parser
from tui.late import Late

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def parsers(
    parser: argparse.ArgumentParser, name: str = "killcord"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command's name and its parser."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from parsers(below, f"{name} {word}")


PARSER = whole_parser()


def check(line: str) -> None:
    """Parse a line as a shell and the program would."""
    words = shlex.split(line)[1:]
    if words[:1] == ["kill"]:
        kill_parser().parse_args(words[1:])
    elif "--help" not in words:
        PARSER.parse_args(words)


def test_every_command_has_its_function() -> None:
    found = {n: p.get_default("run") for n, p in parsers(PARSER) if p.get_default("run")}
    assert {"killcord", "killcord kill", "killcord history import"} <= set(found)
    for name, run in found.items():
        assert callable(run.find() if isinstance(run, Late) else run), name


def test_every_option_is_explained_and_every_command_shown_at_work() -> None:
    for name, parser in parsers(PARSER):
        if name == "killcord desk":  # what a terminal starts, not a person
            continue
        assert parser.description, name
        assert "example" in (parser.epilog or ""), name
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f"{name} {action.dest}"


@pytest.mark.parametrize("line", EXAMPLES.values())
def test_examples_are_commands(line: str) -> None:
    check(line)


def written() -> Iterator[tuple[str, str]]:
    """Yield every command line that stands in a block of the pages, with its page."""
    for page in PAGES:
        fenced = False
        for row in page.read_text().splitlines():
            if row.startswith("```"):
                fenced = not fenced
            elif "──" in row:  # a drawing
                continue
            elif re.match(r"killcord( |$)", row.strip()) and (fenced or row.startswith("    ")):
                for line in re.split(r"; |  +(?=killcord )", row.partition(" #")[0].strip()):
                    yield page.name, line


def plain(line: str) -> str:
    """Return the command without what is optional, with the first of what is to be chosen."""
    line = re.sub(r"\[[^]]*\]", "", line).replace("--param ...", "--param strategy.fast=5")
    return re.sub(r"(\w+)(\|\w+)+", r"\1", line)


def test_commands_in_the_pages_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(written())
    assert len(lines) > 60
    for page, line in lines:
        try:
            check(plain(line))
        except SystemExit:
            pytest.fail(f"{page}: {line}\n{capsys.readouterr().err}")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status"], 4, "no desk is running here: start one with `killcord`"),
        (["kill"], 4, "no desk is running here: start one with `killcord`"),
        (["strategies", "new", "mine"], 1, "/dev/null/x/strategies: Not a directory"),
    ],
)
def test_a_home_that_cannot_be_is_one_line(
    words: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KILLCORD_HOME", "/dev/null/x")
    assert main(words) == code
    assert capsys.readouterr().err == f"killcord: {said}\n"
