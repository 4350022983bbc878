"""From the keymap to bindings: a person's own keys, checked, and how keys are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from core.errors import ConfigError
from tui.keymap import KEYS, RESERVED, Key

if TYPE_CHECKING:
    from textual.binding import Binding

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "comma": ",",
    "full_stop": ".",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "shift+tab": "⇧tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
}


def display(keys: str) -> str:
    """Write keys as a person reads them: ``F12 ^k`` for ``f12,ctrl+k``."""
    words = []
    for key in keys.split(","):
        name = key.strip()
        if name in _SHOWN:
            name = _SHOWN[name]
        elif name.startswith("ctrl+"):
            name = "^" + name.removeprefix("ctrl+")
        elif name[:1] == "f" and name[1:].isdigit():
            name = name.upper()
        words.append(name)
    return " ".join(words)


def rebind(changes: Mapping[str, str]) -> tuple[Key, ...]:
    """Return the table with a person's own keys.

    Args:
        changes: key id to comma-separated keys, as in ``[terminal.keymap]``.

    Raises:
        ConfigError: an id that does not exist or is fixed, a reserved key, or a key used twice.
    """
    known = {key.id: key for key in KEYS}
    problems = []
    for name, keys in changes.items():
        wanted = _split(keys)
        if name not in known:
            problems.append(f"terminal.keymap.{name}: is not a key id; docs/keys.md lists them")
        elif known[name].fixed:
            problems.append(f"terminal.keymap.{name}: is fixed and cannot be moved")
        elif not wanted:
            problems.append(f"terminal.keymap.{name}: expected at least one key")
        problems.extend(
            f"terminal.keymap.{name}: {display(key)} is reserved for the kill cord"
            for key in wanted
            if key in RESERVED
        )
    result = tuple(
        key._replace(keys=",".join(_split(changes[key.id]))) if key.id in changes else key
        for key in KEYS
    )
    problems.extend(_clashes(result))
    if problems:
        raise ConfigError(problems)
    return result


def table() -> str:
    """Return the keys as Markdown, with the names by which they can be moved."""
    lines = ["| Name | Keys | Where | Does |", "|---|---|---|---|"]
    for key in KEYS:
        shown = " ".join(f"`{display(each)}`" for each in key.keys.split(","))
        name = f"`{key.id}`" + (" (fixed)" if key.fixed else "")
        lines.append(f"| {name} | {shown} | {', '.join(key.panes)} | {key.help} |")
    return "\n".join(lines) + "\n"


def bindings(keys: Iterable[Key]) -> list[Binding]:
    """Return the table as Textual bindings; fixed keys take priority over every widget."""
    from textual.binding import Binding

    return [
        Binding(
            key.keys,
            key.action,
            key.help,
            show=key.footer,
            priority=key.fixed,
            id=key.id,
            tooltip=key.help,
            system=False,
        )
        for key in keys
    ]


def _split(keys: str) -> list[str]:
    return [_canonical(key.strip()) for key in keys.split(",") if key.strip()]


# "ctrl+K" and "control+k" must not slip past the reserved names.
def _canonical(key: str) -> str:
    *modifiers, last = key.split("+") if key != "+" else ["plus"]
    names = sorted({"control": "ctrl"}.get(m.lower(), m.lower()) for m in modifiers)
    if modifiers or (len(last) > 1 and last.isalnum()):
        last = last.lower()
    return "+".join([*names, last])


def _clashes(keys: Iterable[Key]) -> list[str]:
    owners: dict[str, list[Key]] = {}
    problems: list[str] = []
    for key in keys:
        for name in _split(key.keys):
            if name in RESERVED and not key.fixed:
                continue
            problems.extend(
                f"terminal.keymap.{key.id}: {display(name)} already means {other.id}"
                for other in owners.get(name, ())
                if not (key.showing and other.showing and key.showing != other.showing)
            )
            owners.setdefault(name, []).append(key)
    return problems
