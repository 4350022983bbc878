"""The bottom line and the tabs: which keys do something now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui.bindings import display
from tui.keymap import PANES, Key
from tui.views.table import Cell, Line

_HINT = 12


class Foot(NamedTuple):
    """The bottom line, and what a click on it does."""

    line: Line
    spots: tuple[tuple[int, int, str], ...] = ()
    """First cell, cell after the last, action."""


def view_footer(keys: Sequence[Key], width: int) -> Foot:
    """Return the keys that fit, in the order of the keymap; help and quit are always among them."""
    last = [key for key in keys if key.group == "program"]
    first = [key for key in keys if key.group != "program"]
    room = width - sum(_size(key) for key in last)
    line: list[Cell] = []
    spots: list[tuple[int, int, str]] = []
    at = 0
    for place, key in enumerate([*first, *last]):
        if place == len(first) and room >= _HINT:
            line += [Cell(f" 1-{len(PANES)}", "key"), Cell(" panes ", "dim"), Cell(" ")]
            at = sum(len(cell.text) for cell in line)
        if key.group != "program":
            if _size(key) > room:
                continue
            room -= _size(key)
        loud = key.group == "kill cord" and key.fixed
        line.append(Cell(" " + _keys(key), "alarm" if loud else "key"))
        line.append(Cell(f" {key.label} ", "alarm" if loud else "dim"))
        line.append(Cell(" "))
        spots.append((at, at + _size(key) - 1, key.action))
        at += _size(key)
    return Foot(tuple(line), tuple(spots))


def view_tabs(current: str, width: int) -> Line:
    """Return the titles of all panes with their number keys; the current one stands out."""
    short = width < sum(len(name) + 4 for name in PANES)
    line: list[Cell] = []
    for number, name in enumerate(PANES, 1):
        if name == current:
            line.append(Cell(f" {number} {name} ", "key"))
        elif short:
            line.append(Cell(f" {number} ", "dim"))
        else:
            line.append(Cell(f" {number} {name} ", "dim"))
    return tuple(line)


# The first key is enough for the footer; both are in the help.
def _keys(key: Key) -> str:
    return display(key.keys.split(",")[0])


def _size(key: Key) -> int:
    return len(_keys(key)) + len(key.label) + 4
