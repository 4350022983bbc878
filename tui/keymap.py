"""Every key, as data. Dispatch, footer, help and palette are all made from this table.

The kill keys are reserved: a configuration may move any other key, never onto these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from core.errors import ConfigError

if TYPE_CHECKING:
    from textual.binding import Binding

KILL_KEYS = ("f12", "ctrl+k")
FLATTEN_KEYS = ("ctrl+f",)
RESERVED = frozenset((*KILL_KEYS, *FLATTEN_KEYS))


class Key(NamedTuple):
    """One thing a person can do."""

    id: str
    keys: str
    """Comma-separated Textual key names."""
    action: str
    label: str
    """For the footer: a word or two."""
    help: str
    """For the help screen and the palette: a sentence without its full stop."""
    group: str
    verb: str = ""
    """Name in the palette, ``group: verb``; empty for keys that are pure movement."""
    footer: bool = False
    fixed: bool = False
    """Cannot be rebound, and works whatever has the focus."""
    where: str = ""
    """Views of another name may use the same key for something else; empty: everywhere."""


PANES = ("markets", "signals", "positions", "orders", "log", "risk", "venues", "depth", "chart")
"""Panes in the order of their number keys."""

_PANE_HELP = {
    "markets": "Every symbol, all venues side by side",
    "signals": "What the strategy wants, and what came of it",
    "positions": "Open positions: P&L, stop, distance to liquidation",
    "orders": "Working and recent orders; unknown ones on top",
    "log": "What happened; v shows fills, then public trades",
    "risk": "Every limit with its headroom",
    "venues": "Connections, feed ages, clocks and money of each venue",
    "depth": "Order book of that symbol, our orders marked",
    "chart": "Candles of that symbol, our fills, entry and stop",
}

KEYS: tuple[Key, ...] = (
    Key(
        "kill",
        ",".join(KILL_KEYS),
        "kill",
        "KILL",
        "Halt and cancel every resting order, at once",
        "kill cord",
        "kill: halt and cancel",
        footer=True,
        fixed=True,
    ),
    Key(
        "flatten",
        ",".join(FLATTEN_KEYS),
        "flatten",
        "flatten",
        "Within 5 s of that: close every position, all venues",
        "kill cord",
        footer=True,
        fixed=True,
    ),
    Key(
        "resume",
        "r",
        "resume",
        "resume",
        "Release the latch: HALTED to DISARMED (typed)",
        "kill cord",
        "kill: resume",
        footer=True,
    ),
    Key(
        "arm",
        "a",
        "arm",
        "arm",
        "Allow opening risk (typed)",
        "trading",
        "trading: arm",
        footer=True,
    ),
    Key(
        "disarm",
        "d",
        "disarm",
        "disarm",
        "Stop opening risk, keep orders and positions",
        "trading",
        "trading: disarm",
        footer=True,
    ),
    Key(
        "buy",
        "b",
        "ticket('buy')",
        "buy",
        "Order ticket, to buy what the cursor is on",
        "trading",
        "order: buy",
        footer=True,
    ),
    Key(
        "sell",
        "s",
        "ticket('sell')",
        "sell",
        "Order ticket, to sell what the cursor is on",
        "trading",
        "order: sell",
        footer=True,
    ),
    Key(
        "close",
        "x",
        "close",
        "close",
        "Close the position under the cursor, reduce-only",
        "trading",
        "position: close",
        footer=True,
    ),
    Key(
        "cancel",
        "c",
        "cancel",
        "cancel",
        "Cancel the order under the cursor",
        "trading",
        "order: cancel",
        footer=True,
    ),
    Key(
        "halve",
        "h",
        "halve",
        "half",
        "Close half of the position under the cursor, reduce-only",
        "trading",
        "position: close half",
        footer=True,
    ),
    Key(
        "move_stop",
        "m",
        "move_stop",
        "stop",
        "Move the stop of the position under the cursor",
        "trading",
        "position: move stop",
        footer=True,
    ),
    Key(
        "cancel_symbol",
        "C",
        "cancel_symbol",
        "cancel all",
        "Cancel all entries of the symbol, all venues; stops stay",
        "trading",
        "symbol: cancel all orders",
    ),
    Key(
        "why",
        "w",
        "why",
        "why",
        "What the signal or order under the cursor rests on",
        "trading",
        "order: why, or why not",
        footer=True,
    ),
    Key(
        "pause",
        "p",
        "pause",
        "pause",
        "Stop strategies opening risk in the symbol, or go on",
        "trading",
        "symbol: pause or go on",
        footer=True,
    ),
    *(
        Key(
            f"pane_{name}",
            str(number),
            f"pane('{name}')",
            name,
            _PANE_HELP[name],
            "panes",
            f"view: {name}",
        )
        for number, name in enumerate(PANES, 1)
    ),
    Key(
        "dashboard",
        "0,escape",
        "dashboard",
        "all panes",
        "Back to the dashboard",
        "panes",
        "view: dashboard",
    ),
    Key("next_pane", "tab", "next_pane(1)", "next pane", "Move to the next pane", "panes"),
    Key(
        "previous_pane",
        "shift+tab",
        "next_pane(-1)",
        "previous pane",
        "Move to the pane before",
        "panes",
    ),
    Key(
        "switch",
        "v",
        "switch",
        "log/fills",
        "In the log pane: fills, trades, news, sources, the log",
        "panes",
        "view: fills, trades, news or log",
        footer=True,
    ),
    Key(
        "news",
        "n",
        "news",
        "news",
        "News in the log pane, then their sources, the log again",
        "panes",
        "view: news",
    ),
    Key(
        "story",
        "o",
        "story",
        "open",
        "Details of the story under the cursor",
        "panes",
        "news: details",
        footer=True,
        where="news",
    ),
    Key(
        "only",
        "f",
        "only",
        "filter",
        "News of the story's asset alone, of its next, then all",
        "panes",
        "news: filter by asset",
        footer=True,
        where="news",
    ),
    Key(
        "layout",
        "l",
        "layout",
        "layout",
        "The next layout of the dashboard",
        "panes",
        "view: next layout",
    ),
    Key(
        "timeframe",
        "t",
        "timeframe(1)",
        "timeframe",
        "The next timeframe of the chart; T the one before",
        "panes",
        "chart: longer timeframe",
        footer=True,
    ),
    Key(
        "shorter",
        "T",
        "timeframe(-1)",
        "shorter",
        "The next shorter timeframe of the chart",
        "panes",
        "chart: shorter timeframe",
    ),
    Key(
        "line",
        "e",
        "line",
        "line",
        "Draw the chart as a line, or as candles again",
        "panes",
        "chart: line or candles",
        footer=True,
    ),
    Key(
        "venue",
        "o",
        "venue",
        "venue",
        "Depth and chart of the next venue, or of all together",
        "panes",
        "view: next venue",
        footer=True,
        where="market",
    ),
    Key("up", "up,k", "cursor(-1)", "up", "One row up", "rows"),
    Key("down", "down,j", "cursor(1)", "down", "One row down", "rows"),
    Key("page_up", "pageup", "cursor(-10)", "page up", "Ten rows up", "rows"),
    Key("page_down", "pagedown", "cursor(10)", "page down", "Ten rows down", "rows"),
    Key("top", "home,g", "cursor(-100000)", "first", "First row", "rows"),
    Key("bottom", "end,G", "cursor(100000)", "last", "Last row", "rows"),
    Key(
        "help",
        "question_mark,f1",
        "help",
        "help",
        "This list",
        "program",
        "program: help",
        footer=True,
    ),
    Key("palette", "ctrl+p", "command_palette", "commands", "Everything by name", "program"),
    Key(
        "quit",
        "ctrl+q",
        "leave",
        "quit",
        "Leave; the desk goes on unless you say so",
        "program",
        "program: quit",
        footer=True,
    ),
)

_SHOWN = {
    "question_mark": "?",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "shift+tab": "⇧tab",
    "up": "↑",
    "down": "↓",
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
            problems.append(f"terminal.keymap.{name}: is not a key id; see the help screen")
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
                if not (key.where and other.where and key.where != other.where)
            )
            owners.setdefault(name, []).append(key)
    return problems
