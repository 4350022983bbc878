"""What a person set for the terminal, read without the rest of the configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path

from core.errors import ConfigError
from core.terminal import Terminal, check
from tui.layouts import layouts


def read(path: Path) -> Terminal:
    """Return the terminal's settings; the defaults where there is no file or no table.

    Raises:
        ConfigError: with every problem of the table.
    """
    try:
        table = tomllib.loads(path.read_text()).get("terminal", {})
    except FileNotFoundError:
        return Terminal()
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
    wanted, problems = check(table)
    names = layouts(wanted.layouts)
    if wanted.layout not in names:
        problems.append(
            f"terminal.layout: expected one of {', '.join(names)}, got {wanted.layout!r}"
        )
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return wanted
