"""What the strategy wants of each instrument, newest first, and what came of it."""

from __future__ import annotations

from core.model.instrument import short_symbol
from core.model.snapshot import HeldView, SignalView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.learning import learning_rows, note_learning
from tui.views.news import sentiment_cell, sentiment_column
from tui.views.table import Cell, Column, Row, signed_cell, tone_of

_COLUMNS = (
    Column("symbol", 6, 0),
    Column("venue", 7, 0),
    Column("wants", 7, 0),
    Column("score", 9, 3, right=True),
    Column("rise", 4, 6, right=True),
    Column("edge bp", 7, 6, right=True),
    Column("age", 4, 2, right=True),
    Column("came of it", 16, 1, grow=1),
    Column("why", 16, 4, grow=3),
    Column("strategy", 10, 5),
)

EMPTY = "No signal yet. A strategy needs a few candles; with manual, b and s are the signals."

_WANTS = {1: "▲ long", -1: "▼ short", 0: "· flat"}


def signal_columns(snapshot: Snapshot) -> tuple[Column, ...]:
    """Return the columns; what the news says stands among them where news is read."""
    return _COLUMNS if snapshot.news is None else (*_COLUMNS, sentiment_column(snapshot))


def view_signals(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return the models on duty, then a row an instrument and strategy: what waits first."""
    held = {(each.venue, each.symbol): each for each in snapshot.held}
    ordered = sorted(
        snapshot.signals,
        key=lambda s: ((s.venue, s.symbol) not in held, -s.ts, s.symbol, s.venue),
    )
    rows = [_row(s, held.get((s.venue, s.symbol)), snapshot) for s in ordered]
    first = sum((s.venue, s.symbol) in held for s in ordered)
    models = learning_rows(snapshot)
    if models and snapshot.news is not None:
        models = tuple(Row(key, (*cells, Cell(""))) for key, cells in models)
    return (*rows[:first], *models, *rows[first:])


def note_signals(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    strategy = clean(snapshot.strategy, 30)
    text = f"{strategy} on {numbers.span(snapshot.timeframe)}" if strategy else ""
    if strategy == "manual":
        text = "by hand"
    model = note_learning(snapshot)
    text = f"{text} · {model}" if model else text
    return f"{len(snapshot.held)} WAIT FOR YOU · {text}" if snapshot.held else text


def _row(signal: SignalView, held: HeldView | None, snapshot: Snapshot) -> Row:
    now = snapshot.ts
    news = () if snapshot.news is None else (sentiment_cell(snapshot, signal.symbol),)
    return Row(
        f"{signal.venue}|{signal.symbol}|{signal.strategy}",
        (
            Cell(clean(short_symbol(signal.symbol)), "strong"),
            Cell(clean(signal.venue)),
            Cell(_WANTS.get(signal.target, numbers.NONE), tone_of(signal.target) or "dim"),
            Cell(numbers.signed(signal.score, 4 if 0 < abs(signal.score) < 0.01 else 2)),
            Cell(numbers.percent(signal.chance, 0, sign=False), "" if signal.chance else "dim"),
            signed_cell(numbers.basis_points(signal.edge), signal.edge),
            Cell(numbers.age((now - signal.ts) / 1e9), "dim"),
            _outcome_cell(clean(signal.outcome)) if held is None else _held_cell(held, now),
            Cell(clean(signal.reason), "dim"),
            Cell(clean(signal.strategy), "dim"),
            *news,
        ),
    )


def _held_cell(held: HeldView, now: int) -> Cell:
    left = max(0.0, (held.expires - now) / 1e9)
    return Cell(f"{held.side.value} {numbers.quantity(held.qty)}? {left:.0f}s", "good")


# The outcome is the id of an order, a refusal code, or nothing. Ids are told from codes by their
# length; their beginning is the same for every order of a desk, the end tells them apart.
def _outcome_cell(outcome: str) -> Cell:
    if not outcome:
        return Cell("nothing to do", "dim")
    if len(outcome) == 24 and outcome.isalnum():
        return Cell(f"order …{outcome[-6:]}")
    return Cell(outcome, "warn")
