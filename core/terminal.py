"""How the terminal looks: the ``[terminal]`` table, checked once for the desk and the terminal.

msgspec, not pydantic: importing that takes a fifth of the terminal's time to its first paint.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

Told = Literal["none", "alarms", "all"]


class Terminal(Struct, frozen=True, forbid_unknown_fields=True):
    """The table; what each setting means stands with it and in the documentation."""

    fps: Annotated[int, Meta(ge=1, le=30, description="Frames a second.")] = 10
    theme: Annotated[
        Literal["sky", "classic", "east", "contrast", "light"],
        Meta(
            description="Colours: sky for every kind of sight, classic green and red, east red and"
            " green."
        ),
    ] = "sky"
    time: Annotated[
        Literal["utc", "local"],
        Meta(description="How times are written: utc, or local as your clock shows them."),
    ] = "utc"
    bell: Annotated[
        Told,
        Meta(description="What rings: none, alarms (and what waits for you), all (fills, too)."),
    ] = "alarms"
    desktop: Annotated[
        Told,
        Meta(description="What your desktop is told, through the terminal or by notify-send."),
    ] = "alarms"
    layout: Annotated[
        str,
        Meta(description="Panes of the dashboard: auto, all, trade, watch, chart, or your own."),
    ] = "auto"
    layouts: Annotated[
        dict[str, tuple[str, ...]],
        Meta(description='Your own, such as { mine = ["chart", "orders"] }; l goes through all.'),
    ] = {}
    keymap: Annotated[
        dict[str, str],
        Meta(description='Your own keys: { close = "f8,ctrl+x" }; the kill keys cannot be taken.'),
    ] = {}


def check(table: object) -> tuple[Terminal, list[str]]:
    """Read the table.

    Returns:
        The settings, defaults where a value is wrong; and every problem, for a person.
    """
    if not isinstance(table, dict):
        return Terminal(), ["terminal: expected a table"]
    good: dict[str, Any] = {}
    problems = []
    types = get_type_hints(Terminal, include_extras=True)
    for name, value in table.items():
        if name not in types:
            problems.append(f"terminal.{name}: no such setting")
            continue
        try:
            good[name] = msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            problems.append(f"terminal.{name}: {error}, got {value!r}{_known(types[name])}")
    return Terminal(**good), problems


def _known(hint: Any) -> str:
    kind = get_args(hint)[0]
    return f"; one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else ""


def descriptions() -> dict[str, str]:
    """Return what each setting means, by name."""
    hints = get_type_hints(Terminal, include_extras=True)
    return {each.name: hints[each.name].__metadata__[0].description for each in fields(Terminal)}
