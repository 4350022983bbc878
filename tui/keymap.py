"""Every key, as data. Dispatch, footer, help and palette are all made from this table.

The kill keys are reserved: a configuration may move any other key, never onto these.
"""

from __future__ import annotations

from typing import NamedTuple

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
    panes: tuple[str, ...] = ()
    """Where it does something; empty for everywhere."""
    showing: str = ""
    """The view that must be on show where panes have several; another key may share it then."""
    footer: bool = False
    fixed: bool = False
    """Cannot be rebound, and works whatever has the focus."""


PANE_HELP = {  # in the order of their number keys
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

PANES = tuple(PANE_HELP)
"""Panes in the order of their number keys."""

_TABLES = ("markets", "signals", "positions", "orders", "log", "risk", "venues")

_FOCUSED = ("depth", "chart", "log")
"""Panes that show one symbol, or can."""


def _cord(id: str, keys: str, label: str, help: str, verb: str = "", fixed: bool = True) -> Key:
    return Key(id, keys, id, label, help, "kill cord", verb, footer=True, fixed=fixed)


def _trade(
    id: str, keys: str, label: str, help: str, verb: str, *panes: str, action: str = ""
) -> Key:
    return Key(id, keys, action or id, label, help, "trading", verb, panes, footer=True)


def _look(
    id: str,
    keys: str,
    label: str,
    help: str,
    verb: str,
    *panes: str,
    action: str = "",
    showing: str = "",
) -> Key:
    shown = bool(panes)
    return Key(id, keys, action or id, label, help, "panes", verb, panes, showing, footer=shown)


def _row(id: str, keys: str, help: str, step: int) -> Key:
    return Key(id, keys, f"cursor({step})", id.replace("_", " "), help, "rows")


def _replay(id: str, keys: str, label: str, help: str, verb: str, footer: bool = True) -> Key:
    action = f"replay('{id}')"
    return Key(f"replay_{id}", keys, action, label, help, "replay", verb, footer=footer)


_REPLAY = (
    _replay("pause", "space", "pause", "Pause the recording, or go on", "replay: pause or go on"),
    _replay("faster", "plus,equals_sign", "faster", "Play faster, up to 60×", "replay: faster"),
    _replay("slower", "minus", "slower", "Play slower, down to 1×", "replay: slower"),
    _replay("forward", "right", "10 s", "Ten seconds on; with shift a minute", "replay: on"),
    _replay("back", "left", "back", "Ten seconds back; with shift a minute", "replay: back"),
    _replay("minute", "shift+right", "minute", "A minute on", "replay: a minute on", False),
    _replay("minute_back", "shift+left", "back", "A minute back", "replay: a minute back", False),
    _replay(
        "next", "right_square_bracket", "next", "The next order, refusal or alarm", "replay: next"
    ),
    _replay(
        "previous", "left_square_bracket", "previous", "The one before", "replay: previous", False
    ),
    _replay("order", "O", "order", "The next order", "replay: next order"),
    _replay("refusal", "R", "refusal", "The next refusal", "replay: next refusal"),
    _replay("alarm", "A", "alarm", "The next alarm", "replay: next alarm"),
)
"""Keys that mean something while a recording is looked at, and nothing otherwise."""

KEYS: tuple[Key, ...] = (
    _cord(
        "kill",
        ",".join(KILL_KEYS),
        "KILL",
        "Halt and cancel every resting order, at once",
        "kill: halt and cancel",
    ),
    _cord(
        "flatten",
        ",".join(FLATTEN_KEYS),
        "flatten",
        "Within 5 s of that: close every position, all venues",
    ),
    _cord(
        "resume",
        "r",
        "resume",
        "Release the latch: HALTED to DISARMED (typed)",
        "kill: resume",
        fixed=False,
    ),
    # What belongs to a pane comes first, so that the footer shows it first.
    _trade("approve", "y", "approve", "Send the entry that waits", "signal: approve", "signals"),
    _trade("reject", "N", "reject", "Let the entry that waits go", "signal: reject", "signals"),
    _trade("resize", "z", "resize", "Send it in another size", "signal: resize", "signals"),
    _trade(
        "close",
        "x",
        "close",
        "Close the position under the cursor, reduce-only",
        "position: close",
        "positions",
    ),
    _trade(
        "halve",
        "h",
        "half",
        "Close half of the position under the cursor, reduce-only",
        "position: close half",
        "positions",
    ),
    _trade(
        "move_stop",
        "m",
        "stop",
        "Move the stop of the position under the cursor",
        "position: move stop",
        "positions",
    ),
    _trade(
        "cancel",
        "c",
        "cancel",
        "Cancel the order under the cursor",
        "order: cancel",
        "orders",
    ),
    _trade(
        "amend",
        "u",
        "amend",
        "Replace the order under the cursor by a changed one",
        "order: amend",
        "orders",
    ),
    _trade(
        "why",
        "w",
        "why",
        "What the signal or order under the cursor rests on",
        "order: why, or why not",
        "signals",
        "orders",
    ),
    _trade(
        "pause",
        "p",
        "pause",
        "Stop strategies opening risk in the symbol, or go on",
        "symbol: pause or go on",
        "markets",
        "signals",
        "positions",
    ),
    _trade(
        "cancel_symbol",
        "C",
        "cancel all",
        "Cancel all entries of the symbol, all venues; stops stay",
        "symbol: cancel all orders",
    ),
    _trade(
        "buy",
        "b",
        "buy",
        "Order ticket, to buy what the cursor is on",
        "order: buy",
        action="ticket('buy')",
    ),
    _trade(
        "sell",
        "s",
        "sell",
        "Order ticket, to sell what the cursor is on",
        "order: sell",
        action="ticket('sell')",
    ),
    _trade("arm", "a", "arm", "Allow opening risk (typed)", "trading: arm"),
    _trade(
        "disarm", "d", "disarm", "Stop opening risk, keep orders and positions", "trading: disarm"
    ),
    *_REPLAY,
    *(
        _look(
            f"pane_{name}",
            str(at),
            name,
            PANE_HELP[name],
            f"view: {name}",
            action=f"pane('{name}')",
        )
        for at, name in enumerate(PANES, 1)
    ),
    _look("dashboard", "0,escape", "all panes", "Back to the dashboard", "view: dashboard"),
    _look("next_pane", "tab", "next pane", "Move to the next pane", "", action="next_pane(1)"),
    _look(
        "previous_pane",
        "shift+tab",
        "previous pane",
        "Move to the pane before",
        "",
        action="next_pane(-1)",
    ),
    _look(
        "switch",
        "v",
        "log/fills",
        "In the log pane: fills, trades, news, sources, the log",
        "view: fills, trades, news or log",
        "log",
    ),
    _look("news", "n", "news", "News in the log pane, its sources, the log again", "view: news"),
    _look(
        "story",
        "o",
        "open",
        "Details of the story under the cursor",
        "news: details",
        "log",
        showing="news",
    ),
    _look(
        "only",
        "f",
        "filter",
        "News of the story's asset alone, of its next, then all",
        "news: filter by asset",
        "log",
        showing="news",
    ),
    _look("layout", "l", "layout", "The next layout of the dashboard", "view: next layout"),
    _look(
        "timeframe",
        "t",
        "timeframe",
        "The next timeframe of the chart; T the one before",
        "chart: longer timeframe",
        "chart",
        action="timeframe(1)",
    ),
    _look(
        "shorter",
        "T",
        "shorter",
        "The next shorter timeframe of the chart",
        "chart: shorter timeframe",
        "chart",
        action="timeframe(-1)",
    ),
    _look(
        "line",
        "e",
        "line",
        "Draw the chart as a line, or as candles again",
        "chart: line or candles",
        "chart",
    ),
    _look(
        "venue",
        "o",
        "venue",
        "Depth and chart of the next venue, or of all together",
        "view: next venue",
        *_FOCUSED,
        showing="trades",
    ),
    _look(
        "search",
        "slash",
        "search",
        "Show only rows that have these words; esc shows all",
        "table: search",
        *_TABLES,
    ),
    _look(
        "freeze",
        "H",
        "hold",
        "Hold the rows still to pick among them, or go on",
        "table: hold still or go on",
        "log",
    ),
    _look(
        "copy",
        "ctrl+c",
        "copy",
        "Copy the cell picked with , and . (else the row)",
        "table: copy",
        *_TABLES,
    ),
    _look("copy_row", "Y", "copy row", "Copy the whole row, tabs between cells", "table: copy row"),
    _row("up", "up,k", "One row up", -1),
    _row("down", "down,j", "One row down", 1),
    _row("page_up", "pageup", "Ten rows up", -10),
    _row("page_down", "pagedown", "Ten rows down", 10),
    _row("top", "home,g", "First row", -100_000),
    _row("bottom", "end,G", "Last row", 100_000),
    Key("cell_left", "comma", "cell(-1)", "cell left", "The cell to the left", "rows"),
    Key("cell_right", "full_stop", "cell(1)", "cell right", "The cell to the right", "rows"),
    Key(
        "welcome",
        "W",
        "welcome",
        "begin",
        "Where to begin: practice, a testnet, a check-up",
        "program",
        "program: where to begin",
    ),
    Key(
        "clock",
        "U",
        "clock",
        "clock",
        "Times in UTC, or as your clock shows them",
        "program",
        "program: times in UTC or local",
    ),
    Key(
        "help",
        "question_mark,f1",
        "help",
        "help",
        "Keys of this pane, then all others",
        "program",
        "program: help",
        footer=True,
    ),
    Key(
        "control",
        "ctrl+t",
        "control",
        "control",
        "Take control of the desk, or give it up",
        "program",
        "program: take or give up control",
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


def panes_of(action: str) -> tuple[str, ...]:
    """Return where an action, named without its arguments, does something; empty: everywhere."""
    return _PANES_OF.get(action, ())


CHANGES = frozenset(
    key.action.partition("(")[0]
    for key in KEYS
    if key.group in ("kill cord", "trading") and not key.fixed and key.id != "why"
)
"""Actions that change something at the desk, the kill cord aside."""


def view_of(action: str) -> str:
    """Return the view that must be on show for an action; empty: any."""
    return _VIEW_OF.get(action, "")


_VIEW_OF = {key.action.partition("(")[0]: key.showing for key in KEYS}
_PANES_OF = {key.action.partition("(")[0]: key.panes for key in KEYS}
