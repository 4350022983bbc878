"""Every limit: where it stands, what it allows, and how much is left."""

from __future__ import annotations

from core.model.snapshot import LimitView, Snapshot
from core.risk.codes import Code
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, Tone

BAR = 8
"""Cells of a headroom bar."""
NEAR = 0.75
"""A limit used beyond this share is marked and moves up."""
NEAR_FULL = 0.9
"""The same of a limit on size. Orders are meant to fill it: a strategy uses 0.8 of it by default,
so that every full position would be marked; all that is lost at its end is a refusal."""
SIZES = frozenset(
    (
        Code.POSITION_NOTIONAL,
        Code.ORDER_NOTIONAL,
        Code.LOSS_TO_STOP,
        Code.LEVERAGE,
        Code.VENUE_NOTIONAL,
        Code.CORRELATED_NOTIONAL,
    )
)
"""The limits on what the desk itself chooses to hold."""

COLUMNS = (
    Column("limit", 19, 0, grow=1),
    Column("is", 7, 0, right=True),
    Column("of", 6, 0, right=True),
    Column("used", BAR, 1),
    Column("", 4, 2, right=True),
    Column("where", 10, 3, grow=2),
)

UNGUARDED = {
    "partial": "the guard does not reach every venue",
    "starting": "the guard starts",
    "acting": "the guard has pulled the cord; the next one is not there yet",
    "gone": "NO GUARD",
    "none": "NO GUARD",
}
"""What is said of a guard that does not watch everything."""

EMPTY = "No limits reported. Without limits the desk does not arm."


def used(limit: LimitView) -> float:
    """Return the used share of a limit, 0 or more; a limit of 0 is used up by anything."""
    if limit.value is None:
        return 0.0
    if limit.limit:
        return abs(limit.value) / abs(limit.limit)
    return 1.0 if limit.value else 0.0


def view_risk(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a limit: broken ones first, then those nearly used up, else as listed."""
    return tuple(_row(limit) for limit in sorted(snapshot.limits, key=_rank))


def note_risk(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    parts = [_headroom(snapshot)]
    if snapshot.guard is not None and snapshot.guard.state != "watching":
        parts.append(UNGUARDED[snapshot.guard.state])
    return ", ".join(part for part in parts if part)


def _headroom(snapshot: Snapshot) -> str:
    broken = sum(1 for limit in snapshot.limits if limit.breached)
    if broken:
        return f"{broken} BROKEN"
    near = sum(1 for limit in snapshot.limits if _near(limit))
    return f"{near} near the limit" if near else "all within limits" if snapshot.limits else ""


def _near(limit: LimitView) -> bool:
    return used(limit) >= (NEAR_FULL if limit.code in SIZES else NEAR)


def _rank(limit: LimitView) -> int:
    return 0 if limit.breached else 1 if _near(limit) else 2


def _row(limit: LimitView) -> Row:
    share = used(limit)
    tone: Tone = "warn" if limit.breached or _near(limit) else ""
    # A word where it matters: a full bar in another colour is not enough.
    gauge = Cell(numbers.bar(share, BAR), tone or "dim")
    if limit.breached:
        gauge = Cell(f" {'BROKEN':<{BAR - 1}}", "alarm")
    elif limit.value is None:
        gauge = Cell("", "dim")
    percent = numbers.percent(min(share, 9.99), 0, sign=False)
    return Row(
        limit.code,
        (
            Cell("! " * limit.breached + clean(limit.name, 60), "strong" if tone else ""),
            Cell(_write(limit.value, limit.unit)),
            Cell(_write(limit.limit, limit.unit), "dim"),
            gauge,
            Cell(percent if limit.value is not None else "", tone or "dim"),
            Cell(clean(limit.detail).replace("/USDT:USDT", ""), "dim"),
        ),
    )


def _write(value: float | None, unit: str) -> str:
    if value is None:
        return "n/a"
    if unit == "quote":
        return numbers.money(value, 0 if abs(value) >= 1000 else 2)
    if unit == "fraction":
        return numbers.percent(value, 2, sign=False)
    if unit == "seconds":
        if value < 1:
            return f"{value * 1000:.0f} ms"
        return f"{value:.1f} s" if value < 100 else numbers.age(value)
    if unit == "times":
        return f"{value:.2f}×"
    return numbers.compact(value)
