"""What a person set for the terminal, read without the rest of the configuration.

The desk checks the whole file with pydantic; importing that takes a fifth of the terminal's time to
its first paint, so the terminal reads its own table and checks the same keys by hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from core.errors import ConfigError
from tui.layouts import layouts

THEMES = ("sky", "classic", "east", "contrast", "light")
MAX_FPS = 30


class Preferences(NamedTuple):
    """The ``[terminal]`` table; see ``core.config.Terminal``."""

    fps: int = 10
    theme: str = "sky"
    keymap: Mapping[str, str] = MappingProxyType({})
    layout: str = "auto"
    layouts: Mapping[str, Sequence[str]] = MappingProxyType({})


def read(path: Path) -> Preferences:
    """Return the terminal's settings; the defaults where there is no file or no table.

    Raises:
        ConfigError: with every problem of the table.
    """
    try:
        table: Any = tomllib.loads(path.read_text()).get("terminal", {})
    except FileNotFoundError:
        return Preferences()
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
    if not isinstance(table, dict):
        raise ConfigError([f"{path}: terminal: expected a table"])
    default = Preferences()
    fps = table.get("fps", default.fps)
    theme = table.get("theme", default.theme)
    keymap = table.get("keymap", default.keymap)
    layout = table.get("layout", default.layout)
    own = table.get("layouts", default.layouts)
    problems = []
    if type(fps) is not int or not 1 <= fps <= MAX_FPS:
        problems.append(f"terminal.fps: expected a whole number from 1 to {MAX_FPS}, was {fps!r}")
    if theme not in THEMES:
        problems.append(f"terminal.theme: expected one of {', '.join(THEMES)}, was {theme!r}")
    if not isinstance(keymap, Mapping) or not all(isinstance(k, str) for k in keymap.values()):
        problems.append('terminal.keymap: expected keys such as { close = "f8" }')
    named = isinstance(own, Mapping) and all(isinstance(p, list | tuple) for p in own.values())
    if not named:
        problems.append('terminal.layouts: expected panes such as { mine = ["chart", "orders"] }')
    elif layout not in (names := layouts(own)):
        problems.append(f"terminal.layout: expected one of {', '.join(names)}, was {layout!r}")
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return Preferences(fps, theme, keymap, layout, own)
