"""The two lines that are always there: where we are, what we may do, how we stand."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from core.model.event import TradingState
from core.model.snapshot import ControlView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.positions import value_of
from tui.views.replay import view_replay
from tui.views.table import Cell, Line, Tone, signed_cell
from tui.views.venues import dead_man_cell, state_cell


class Link(NamedTuple):
    """The terminal's own connection to the desk."""

    up: bool
    quiet_s: float
    """Seconds since the last word from the desk."""
    error: str = ""
    behind: bool = False
    """The terminal cannot keep up with the frames; some are skipped."""
    starting: str = ""
    """What was begun a moment ago, such as ``starting the desk``: no answer yet is no news."""
    reads_only: bool = False
    """Another terminal has control, or none."""
    died: str = ""
    """How the desk this terminal started came to a sudden end; empty while it did not."""


class Item(NamedTuple):
    """A piece of the strip; higher ranks are left out first when the screen is narrow."""

    rank: int
    cells: Line


_STATES: dict[TradingState, Tone] = {
    TradingState.DISARMED: "warn",
    TradingState.ARMED: "good",
    TradingState.REDUCING: "warn",
    TradingState.HALTED: "alarm",
}
_ENVIRONMENTS: dict[str, Tone] = {"practice": "key", "testnet": "warn", "live": "alarm"}


def exposure(snapshot: Snapshot) -> Decimal:
    """Return the summed unsigned value of all positions, quote currency."""
    return sum((value_of(position) for position in snapshot.positions), Decimal(0))


def view_strip(snapshot: Snapshot | None, link: Link, width: int) -> tuple[Line, Line]:
    """Return the two lines of the strip, made to fit.

    Args:
        snapshot: the newest picture, None before the first.
        link: how the terminal reaches the desk.
        width: cells.
    """
    if snapshot is None:
        return _waiting(link)
    money = _squeeze(_money(snapshot, link.reads_only), width)
    if not link.up:
        return money, _lost(link)
    if snapshot.replay is not None:
        return money, _squeeze([Item(*each) for each in view_replay(snapshot.replay)], width)
    return money, _squeeze(_health(snapshot, link), width)


def _waiting(link: Link) -> tuple[Line, Line]:
    if link.starting:
        first = (Cell(" KILLCORD ", "key"), Cell(f"  {link.starting}", "dim"))
    elif link.error:
        first = (Cell(" NO DESK ", "alarm"), Cell(f"  {clean(link.error)}"))
    else:
        first = (Cell(" KILLCORD ", "key"), Cell("  connecting to the desk", "dim"))
    return first, (Cell(" F12", "key"), Cell(" halts and cancels everything, always", "dim"))


def _lost(link: Link) -> Line:
    if link.died:
        return (
            Cell(" DESK DIED ", "alarm"),
            Cell(f"  {clean(link.died)}; stops stay at the venues. "),
            Cell("^q", "key"),
            Cell(", then "),
            Cell("killcord", "key"),
        )
    return (
        Cell(" NO DESK ", "alarm"),
        Cell(f"  not reachable for {numbers.age(link.quiet_s)}, what you see is old; trying again"),
    )


def _money(snapshot: Snapshot, reads_only: bool) -> list[Item]:
    environment = clean(snapshot.environment, 12)
    gross = exposure(snapshot)
    share = gross / snapshot.equity if snapshot.equity else None
    day = None
    if snapshot.day_pnl is not None and snapshot.equity and snapshot.equity != snapshot.day_pnl:
        day = snapshot.day_pnl / (snapshot.equity - snapshot.day_pnl)
    if snapshot.replay is not None:
        where: Line = (Cell(" REPLAY ", "alarm"), Cell(f" {environment}", "dim"))
    else:
        where = (Cell(f" {environment.upper()} ", _ENVIRONMENTS.get(environment, "alarm")),)
    items = [
        Item(0, where),
        Item(0, (Cell(f" {snapshot.state.value.upper()} ", _STATES[snapshot.state]),)),
        Item(0, (Cell("equity ", "dim"), Cell(numbers.money(snapshot.equity), "strong"))),
        Item(
            0,
            (
                Cell("day ", "dim"),
                signed_cell(numbers.signed(snapshot.day_pnl), snapshot.day_pnl),
            ),
        ),
        Item(3, (signed_cell(numbers.percent(day), day),)),
        Item(1, (Cell("exposed ", "dim"), Cell(numbers.percent(share, 1, sign=False)))),
        Item(
            4,
            (
                Cell("open ", "dim"),
                signed_cell(numbers.signed(snapshot.unrealised), snapshot.unrealised),
            ),
        ),
        Item(5, (Cell("below peak ", "dim"), Cell(numbers.percent(snapshot.drawdown, 2, False)))),
    ]
    if reads_only:
        items.insert(1, Item(0, (Cell(" READ-ONLY ", "warn"),)))
    if snapshot.unknown_orders:
        items.insert(2, Item(0, (Cell(f" {snapshot.unknown_orders} UNKNOWN ", "alarm"),)))
    if snapshot.held:
        items.insert(2, Item(0, (Cell(f" {len(snapshot.held)} TO APPROVE ", "good"),)))
    if snapshot.cause and snapshot.state is not TradingState.ARMED:
        items.append(Item(6, (Cell(clean(snapshot.cause, 60), "dim"),)))
    return items


def _health(snapshot: Snapshot, link: Link) -> list[Item]:
    items = []
    for venue in snapshot.venues:
        state = state_cell(venue.state)
        mark, _, word = state.text.partition(" ")
        quiet = state.tone == "up"
        items.append(
            Item(
                0,
                (
                    Cell(f" {mark} ", state.tone),
                    Cell(clean(venue.venue)),
                    Cell("" if quiet else f" {word}", state.tone),
                ),
            )
        )
    items += [
        Item(1, (Cell(f"{clean(venue.venue)} dead-man ", "dim"), dead_man_cell(venue)))
        for venue in snapshot.venues
        if venue.dead_man_s is not None
    ]
    market = clean(snapshot.market, 60)
    items.append(Item(1, (Cell("lag ", "dim"), Cell(f"{snapshot.loop_lag_ms:.1f}ms"))))
    items.append(Item(2, (Cell(market, "dim"),)))
    items.append(Item(3, (Cell(f"{numbers.clock(snapshot.ts)} {numbers.CLOCK.zone}", "dim"),)))
    if (control := snapshot.control) is not None and (link.reads_only or control.terminals > 1):
        items.insert(0, Item(1, _control(control, link.reads_only)))
    if snapshot.discrepancies:
        items.append(Item(0, (Cell(f" {snapshot.discrepancies} DISCREPANCIES ", "alarm"),)))
    if link.behind:
        items.append(Item(0, (Cell("screen behind", "warn"),)))
    return items


def _control(control: ControlView, reads_only: bool) -> Line:
    if not reads_only:
        others = control.terminals - 1
        words = f" · {others} {'looks' if others == 1 else 'look'} on"
        return (Cell("control", "strong"), Cell(words, "dim"))
    if not control.holder:
        return (Cell("control: nobody", "dim"),)
    return (Cell("control: ", "dim"), Cell(clean(control.name, 30)))


# Leaves out the highest ranks until the rest fits; what stays keeps its order.
def _squeeze(items: list[Item], width: int) -> Line:
    kept = list(items)
    while kept and sum(_length(item) + 2 for item in kept) - 2 > width:
        worst = max(item.rank for item in kept)
        if worst == 0:
            break
        kept.remove(next(item for item in reversed(kept) if item.rank == worst))
    line: list[Cell] = []
    if kept and not kept[0].cells[0].text.startswith(" "):
        line.append(Cell(" "))
    for place, item in enumerate(kept):
        if place:
            line.append(Cell("  "))
        line.extend(item.cells)
    return tuple(line)


def _length(item: Item) -> int:
    return sum(len(cell.text) for cell in item.cells)
