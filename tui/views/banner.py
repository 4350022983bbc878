"""What the kill cord did, is doing, and can do next."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from core.model.event import KillMode, TradingState
from core.model.snapshot import KillView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.strip import exposure
from tui.views.table import Cell, Line, Tone

WINDOW_S = 5.0
"""How long after the kill key the flatten key works, seconds."""

_TAKER = Decimal("0.0006")
# Verdicts that leave nothing open; everything else stays loud until it is resolved.
_DONE = frozenset({"FLAT_VERIFIED", "CANCELLED_ONLY", "HALTED_ONLY"})


class Pull(NamedTuple):
    """The last time this terminal pulled the cord. Times are monotonic seconds."""

    mode: KillMode
    at: float
    delivered: bool = False
    error: str = ""


def view_banner(snapshot: Snapshot | None, pull: Pull | None, now: float) -> tuple[Line, ...]:
    """Return the lines of the banner; none while nothing is halted and nothing was pulled.

    Args:
        snapshot: the newest picture.
        pull: this terminal's last pull, if any.
        now: monotonic seconds.
    """
    halted = snapshot is not None and snapshot.state is TradingState.HALTED
    if not halted and (pull is None or (pull.delivered and now - pull.at > WINDOW_S)):
        return ()
    lines = [_headline(snapshot, pull, now, halted)]
    if snapshot is not None and halted:
        waited = now - pull.at if pull is not None else None
        lines.extend(_venue_line(report, waited) for report in snapshot.kill)
    return tuple(lines)


def _headline(snapshot: Snapshot | None, pull: Pull | None, now: float, halted: bool) -> Line:
    if pull is not None and pull.error and not pull.delivered:
        return (
            Cell(" HALT NOT DELIVERED ", "alarm"),
            Cell(f"  {clean(pull.error)}; trying again. Elsewhere: "),
            Cell("killcord kill", "key"),
        )
    if not halted:
        word = "FLATTEN SENT" if pull and pull.mode is KillMode.FLATTEN else "HALT SENT"
        seconds = now - pull.at if pull else 0.0
        return (Cell(f" {word} ", "alarm"), Cell(f"  {seconds:.1f} s, waiting for the desk"))
    assert snapshot is not None
    line = [Cell(" HALTED ", "alarm"), Cell(f"  {clean(snapshot.cause, 60)}  ")]
    if snapshot.replay is not None:
        return tuple(line)  # what could be done then cannot be done now
    running = any(not report.verdict for report in snapshot.kill)
    window = WINDOW_S - (now - pull.at) if pull is not None else 0.0
    if pull is not None and pull.mode is not KillMode.FLATTEN and window > 0:
        line += [Cell("^f", "key"), Cell(f" flattens {_cost(snapshot)} · {window:.0f} s")]
    elif running:
        flatten = pull is not None and pull.mode is KillMode.FLATTEN
        word = "closing every position" if flatten else "cancelling resting orders"
        line += [Cell(f"{word}, then asking each venue twice", "warn")]
    elif snapshot.positions:
        line += [Cell("F12 ^f", "key"), Cell(f" flattens {_cost(snapshot)}", "dim")]
    else:
        line += [Cell("r", "key"), Cell(" resumes, disarmed", "dim")]
    return tuple(line)


def _cost(snapshot: Snapshot) -> str:
    count = len(snapshot.positions)
    if not count:
        return "nothing: no position is open"
    gross = exposure(snapshot)
    fees = gross * _TAKER
    noun = "position" if count == 1 else "positions"
    return f"{count} {noun}, {numbers.money(gross, 0)} USDT, fees about {numbers.money(fees)}"


def _venue_line(report: KillView, waited: float | None) -> Line:
    verdict = clean(report.verdict, 20)
    tone: Tone = "" if not verdict else "up" if verdict in _DONE else "alarm"
    # A venue reports its time with its verdict; until then the time since the key counts.
    seconds = report.seconds if verdict or waited is None else waited
    mark = "…" if not verdict else "✓" if verdict in _DONE else "!"
    cells = [
        Cell(f" {clean(report.venue, 10):<8} "),
        Cell(f"{mark} {verdict or 'working'}", tone or "warn"),
        Cell(
            f"  {report.orders_cancelled} cancelled  {report.positions_closed} closed"
            f"  {seconds:.2f} s",
            "dim",
        ),
    ]
    if report.detail:
        cells.append(Cell(f"  {clean(report.detail)}", "dim"))
    return tuple(cells)
