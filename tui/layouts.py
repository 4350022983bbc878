"""Which panes the dashboard shows, by name. Configuration may add some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import ConfigError
from tui.keymap import PANES

AUTO = "auto"
WIDE, HIGH = 140, 42
"""Columns and lines from which ``auto`` has room for chart and depth beside everything else."""

_WATCH = tuple(name for name in PANES if name not in ("depth", "chart"))

LAYOUTS: dict[str, tuple[str, ...]] = {
    AUTO: (),
    "all": PANES,
    "trade": ("markets", "chart", "depth", "positions", "orders"),
    "watch": _WATCH,
    "chart": ("chart", "depth"),
}
"""Name to panes; ``auto`` is ``all`` where there is room and ``watch`` where there is not."""


def layouts(own: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the built-in layouts and a person's own.

    Raises:
        ConfigError: an own layout names a pane that does not exist, or none.
    """
    problems = []
    for name, panes in own.items():
        wrong = [pane for pane in panes if pane not in PANES]
        if wrong or not panes:
            what = ", ".join(wrong) or "nothing"
            problems.append(f"terminal.layouts.{name}: {what}: expected some of {', '.join(PANES)}")
        if name == AUTO:
            problems.append(f"terminal.layouts.{name}: the name is taken")
    if problems:
        raise ConfigError(problems)
    return LAYOUTS | {name: tuple(panes) for name, panes in own.items()}


def shown(panes: Sequence[str], width: int, height: int) -> tuple[str, ...]:
    """Return the panes a layout shows on a screen of this size.

    Args:
        panes: of the layout; empty for ``auto``.
        width, height: cells.
    """
    if panes:
        return tuple(panes)
    return PANES if width >= WIDE and height >= HIGH else _WATCH
