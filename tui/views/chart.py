"""The chart: candles or a line, volume, our fills, and lines where entry, stop and orders are.

Half a cell is the unit of height: a candle is drawn with the line characters that have a thin or a
thick half. As a line, braille dots give two closes a column and four steps a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from core.clock import SECOND
from core.model.instrument import short_symbol
from core.model.market import Side
from core.model.order import OrderKind
from core.model.snapshot import BarView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.focus import Focus, chart_venue
from tui.views.table import Cell, Line, Tone

EMPTY = "No candles yet. The cursor in markets chooses the symbol, t the timeframe."

_BLOCKS = " ▁▂▃▄▅▆▇█"
_CANDLE = {
    (0, 0): " ",
    (1, 1): "│",
    (2, 2): "┃",
    (1, 0): "╵",
    (0, 1): "╷",
    (2, 0): "╹",
    (0, 2): "╻",
    (2, 1): "╿",
    (1, 2): "╽",
}
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille bits: left and right column, top to bottom."""
_TIME_GAP = 12
"""Columns between times, at least."""

Grid = list[list[Cell]]


class Level(NamedTuple):
    """A price that has a line of its own."""

    price: float
    name: str
    mark: str
    tone: Tone


class Plot(NamedTuple):
    """Where prices are drawn: rows from the top, each of two half rows."""

    low: float
    high: float
    rows: int

    def at(self, price: float, steps: int = 2) -> int:
        """Return the step of a price, counted from the top; may lie outside."""
        span = (self.high - self.low) or 1.0
        return round((self.high - price) / span * (self.rows * steps - 1))


def view_chart(snapshot: Snapshot, focus: Focus, width: int, height: int) -> tuple[Line, ...]:
    """Return the chart's lines; none when there is nothing to draw, or no room.

    Args:
        width, height: cells.
    """
    watch = focus.watch
    venue = chart_venue(snapshot, focus)
    tick = next(
        (m.tick for m in snapshot.markets if m.venue == venue and m.symbol == focus.symbol), None
    )
    # While another timeframe or venue is on its way, the old bars are not shown under its name.
    known = watch is not None and (watch.venue, watch.timeframe) == (venue, focus.timeframe)
    if watch is None or not known or not watch.bars or height < 3:
        return ()
    axis = max(len(numbers.price(bar.high, tick)) for bar in watch.bars[-1:]) + 2
    columns = width - axis
    if columns < 8:
        return ()
    bars = watch.bars[-columns * (2 if focus.line else 1) :]
    times = 1 if height >= 6 else 0
    volume = 0 if height < 7 else 1 if height < 12 else 2
    levels = own_levels(snapshot, focus, venue)
    plot = _scale(bars, levels, height - times - volume)
    grid: Grid = [[Cell(" ")] * columns for _ in range(plot.rows)]
    _draw_levels(grid, plot, levels)
    if focus.line:
        _draw_line(grid, plot, bars)
    else:
        _draw_candles(grid, plot, bars)
    _draw_fills(grid, plot, bars, snapshot, focus, venue)
    labels = _labels(plot, bars, levels, tick)
    lines = [
        (*_join(row), Cell(text.ljust(axis), tone))
        for row, (text, tone) in zip(grid, labels, strict=True)
    ]
    per_column = 2 if focus.line else 1
    lines += _volume(bars[::1] if per_column == 1 else bars[::2], volume, columns)
    if times:
        lines.append(_times(bars, focus.timeframe, columns, per_column))
    return tuple(lines)


def note_chart(snapshot: Snapshot, focus: Focus) -> str:
    """Return what stands at the right of the title."""
    venue = chart_venue(snapshot, focus)
    name = clean(short_symbol(focus.symbol))
    return f"{name} {clean(venue)} · {numbers.span(focus.timeframe)} · t timeframe"


def own_levels(snapshot: Snapshot, focus: Focus, venue: str) -> list[Level]:
    """Return entry and stop of our position, and our working orders, on one venue."""
    levels: list[Level] = []
    for order in snapshot.orders:
        price = order.trigger if order.kind is OrderKind.STOP else order.price
        mine = (order.venue, order.symbol) == (venue, focus.symbol) and not order.status.terminal
        if mine and price is not None:
            stop = order.kind is OrderKind.STOP
            tone: Tone = "warn" if stop else "dim"
            levels.append(Level(float(price), "stop" if stop else "order", "╌", tone))
    for position in snapshot.positions:
        if (position.venue, position.symbol) == (venue, focus.symbol):
            levels.append(Level(float(position.entry), "entry", "─", "key"))
            if position.stop is not None:
                levels.append(Level(float(position.stop), "stop", "╌", "warn"))
    return list(dict.fromkeys(levels))


# A line far away would press the candles flat: it is left out of the picture instead.
def _scale(bars: Sequence[BarView], levels: list[Level], rows: int) -> Plot:
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    room = (high - low) or abs(high) * 0.001 or 1.0
    near = [level.price for level in levels if low - room / 2 <= level.price <= high + room / 2]
    low, high = min([low, *near]), max([high, *near])
    if high <= low:
        low, high = low - room / 2, high + room / 2
    return Plot(low, high, rows)


def _draw_levels(grid: Grid, plot: Plot, levels: list[Level]) -> None:
    for level in levels:
        row = plot.at(level.price) // 2
        if 0 <= row < plot.rows:
            grid[row] = [Cell(level.mark, level.tone)] * len(grid[row])


def _draw_candles(grid: Grid, plot: Plot, bars: Sequence[BarView]) -> None:
    shift = len(grid[0]) - len(bars)
    for at, bar in enumerate(bars, shift):
        top, bottom = plot.at(bar.high), plot.at(bar.low)
        body_top, body_bottom = plot.at(max(bar.open, bar.close)), plot.at(min(bar.open, bar.close))
        tone: Tone = "up" if bar.close >= bar.open else "down"
        for row in range(top // 2, bottom // 2 + 1):
            halves = [
                2 if body_top <= half <= body_bottom else 1 if top <= half <= bottom else 0
                for half in (2 * row, 2 * row + 1)
            ]
            grid[row][at] = Cell(_CANDLE[halves[0], halves[1]], tone)


def _draw_line(grid: Grid, plot: Plot, bars: Sequence[BarView]) -> None:
    columns = len(grid[0])
    shift = 2 * columns - len(bars)
    bits: dict[tuple[int, int], int] = {}
    before: int | None = None
    for at, bar in enumerate(bars, shift):
        y = plot.at(bar.close, 4)
        first, last = (y, y) if before is None else sorted((before, y))
        # Joined to the last point by what lies between, which is drawn in this column.
        for step in range(first, last + 1):
            cell = (step // 4, at // 2)
            bits[cell] = bits.get(cell, 0) | _DOTS[at % 2][step % 4]
        before = y
    tone: Tone = "up" if bars[-1].close >= bars[0].close else "down"
    for (row, column), dots in bits.items():
        grid[row][column] = Cell(chr(0x2800 + dots), tone)


def _draw_fills(
    grid: Grid, plot: Plot, bars: Sequence[BarView], snapshot: Snapshot, focus: Focus, venue: str
) -> None:
    columns = len(grid[0])
    per_column = 2 if focus.line else 1
    span = focus.timeframe * SECOND
    newest = bars[-1].ts
    for fill in snapshot.fills:
        if (fill.venue, fill.symbol) != (venue, focus.symbol):
            continue
        back = (newest - fill.ts + fill.ts % span) // span
        column = columns - 1 - max(0, back) // per_column
        row = plot.at(float(fill.price)) // 2
        if 0 <= row < plot.rows and 0 <= column < columns:
            grid[row][column] = Cell("▲" if fill.side is Side.BUY else "▼", "strong")


def _labels(
    plot: Plot, bars: Sequence[BarView], levels: list[Level], tick: Decimal | None
) -> list[Cell]:
    labels = [Cell("")] * plot.rows
    span = plot.high - plot.low
    for row in range(0, plot.rows, 4):
        price = plot.high - span * (2 * row + 0.5) / (2 * plot.rows - 1)
        labels[row] = Cell("  " + numbers.price(price, tick), "dim")
    for level in levels:
        row = plot.at(level.price) // 2
        if 0 <= row < plot.rows:
            labels[row] = Cell(f" {level.name[0]}" + numbers.price(level.price, tick), level.tone)
    last = bars[-1]
    tone: Tone = "up" if last.close >= last.open else "down"
    labels[plot.at(last.close) // 2] = Cell("◂ " + numbers.price(last.close, tick), tone)
    return labels


def _volume(bars: Sequence[BarView], rows: int, columns: int) -> list[Line]:
    most = max((bar.volume for bar in bars), default=0.0)
    if not rows or not most:
        return [()] * rows
    blank = " " * (columns - len(bars))
    eighths = [round(bar.volume / most * 8 * rows) for bar in bars]
    lines: list[Line] = []
    for row in reversed(range(rows)):
        text = "".join([_BLOCKS[min(8, max(0, size - 8 * row))] for size in eighths])
        name = f" vol {numbers.compact(most)}" if row == rows - 1 else ""
        lines.append((Cell(blank + text, "dim"), Cell(name, "dim")))
    return lines


def _times(bars: Sequence[BarView], timeframe: int, columns: int, per_column: int) -> Line:
    text = [" "] * columns
    step = _TIME_GAP * per_column
    shift = columns * per_column - len(bars)
    free = 0
    for at, bar in enumerate(bars, shift):
        number = bar.ts // (timeframe * SECOND)
        column = at // per_column
        name = numbers.clock(bar.ts)[: 8 if timeframe < 60 else 5]
        if number % step == 0 and column >= free and column + len(name) <= columns:
            text[column : column + len(name)] = name
            free = column + len(name) + 2
    return (Cell("".join(text), "dim"),)


def _join(row: list[Cell]) -> Line:
    return tuple(
        Cell("".join(cell.text for cell in cells), tone)
        for tone, cells in groupby(row, key=lambda cell: cell.tone)
    )
