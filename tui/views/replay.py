"""Where a recording stands, and what each of its keys asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from core.clock import SECOND
from core.model.replay import SPEEDS, Mark, ReplayView, Wish
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Line

_BAR = 16
_LEAPS = {"forward": 10.0, "back": -10.0, "minute": 60.0, "minute_back": -60.0}
"""Seconds."""
_JUMPS = {
    "next": tuple(Mark),
    "previous": tuple(Mark),
    "order": (Mark.ORDER,),
    "refusal": (Mark.REFUSAL,),
    "alarm": (Mark.ALARM,),
}


def wish_of(what: str, view: ReplayView) -> Wish:
    """Return what a key of the group ``replay`` asks for, now.

    Args:
        what: the argument of its action.
        view: where the recording stands.
    """
    if what == "pause":
        return Wish(pause=not view.paused)
    if what == "faster":
        return Wish(speed=next((speed for speed in SPEEDS if speed > view.speed), SPEEDS[-1]))
    if what == "slower":
        below = [speed for speed in SPEEDS if speed < view.speed]
        return Wish(speed=below[-1] if below else SPEEDS[0])
    if what in _LEAPS:
        return Wish(by=_LEAPS[what])
    # What is jumped to would be gone before it is read.
    return Wish(pause=True, jump=_JUMPS[what], back=what == "previous")


def view_replay(view: ReplayView) -> list[tuple[int, Line]]:
    """Return the pieces of the strip's second line, each with its rank; see ``strip.Item``."""
    length = max(1, view.last - view.first)
    share = min(1.0, max(0.0, (view.at - view.first) / length))
    if view.winding is not None:
        mark = Cell(f" » {view.winding:.0%} ", "key")
    elif view.ended:
        mark = Cell(" ■ end ", "key")
    elif view.paused:
        mark = Cell(" ‖ paused ", "key")
    else:
        mark = Cell(f" ▶ {view.speed:g}× ", "key")
    pieces: list[tuple[int, Line]] = [
        (0, (mark,)),
        (0, (Cell(_day(view.at) + " " + numbers.clock(view.at), "strong"), Cell(" UTC", "dim"))),
        (
            2,
            (
                Cell(numbers.bar(share, _BAR)),
                Cell(f" {_span(view.at - view.first)}"),
                Cell(f" of {_span(length)}", "dim"),
            ),
        ),
        (0, (_verdict(view),)),
        (
            3,
            (
                Cell(f"{view.orders} orders {view.refusals} refusals {view.alarms} alarms", "dim"),
                Cell(" so far", "dim"),
            ),
        ),
        (4, (Cell(clean(view.name, 30), "dim"),)),
    ]
    if view.note:
        pieces.insert(1, (1, (Cell(clean(view.note, 100), "warn"),)))
    return pieces


def _verdict(view: ReplayView) -> Cell:
    if view.differs:
        return Cell(f" DECISIONS DIFFER from event {view.differs:,} ", "alarm")
    return Cell(f"{numbers.compact(view.compared)} events, decisions identical", "up")


def _span(length: int) -> str:
    """Write nanoseconds as ``4:05`` or ``1:04:05``."""
    seconds = max(0, length) // SECOND
    hours, minutes = divmod(seconds // 60, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds % 60:02d}"


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts / SECOND, UTC).strftime("%Y-%m-%d")
