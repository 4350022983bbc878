"""Charts as SVG text, for reports that are one file: no scripts, nothing from elsewhere.

Colours are CSS variables of the page, so that one chart reads on light and on dark. Blue and orange
are told apart by every kind of sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from math import floor, log10

from core.clock import DAY, SECOND

WIDTH = 960
_LEFT = 84
_RIGHT = 16
_TOP = 12
_BOTTOM = 26


def line_chart(points: Sequence[tuple[float, float]], height: int, *, label: str) -> str:
    """Return a line over time with its axes.

    Args:
        points: nanoseconds UTC and value, two or more, in order.
        height: pixels.
        label: what a screen reader says.
    """
    return _Plot(points, height, label).draw("line")


def fall_chart(points: Sequence[tuple[float, float]], height: int, *, label: str) -> str:
    """Return an area that hangs from zero: drawdown in percent, not positive."""
    return _Plot(points, height, label, top=0.0).draw("area")


def bar_chart(rows: Sequence[tuple[str, float, str]], *, label: str) -> str:
    """Return horizontal bars around zero: name, value and what is written beside it."""
    step, left, right = 24, 110, 120
    height = step * len(rows) + 8
    most = max((abs(value) for _, value, _ in rows), default=0.0) or 1.0
    signed = any(value < 0 for _, value, _ in rows)
    room = WIDTH - left - right
    zero = left + (room / 2 if signed else 0.0)
    scale = (room / 2 if signed else room) / most
    parts = [_open(height, label), f'<line class="axis" x1="{zero:.1f}" y1="0" x2="{zero:.1f}"'
             f' y2="{height}"/>']  # fmt: skip
    for at, (name, value, text) in enumerate(rows):
        y = at * step + 6
        size = abs(value) * scale
        x = zero - size if value < 0 else zero
        kind = "down" if value < 0 else "up"
        parts.append(f'<text class="name" x="{left - 8}" y="{y + 12}">{escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{size:.1f}" height="16"/>')
        parts.append(
            f'<text class="value" x="{WIDTH - right + 8}" y="{y + 12}">{escape(text)}</text>'
        )
    return "".join(parts) + "</svg>"


def reliability_chart(rows: Sequence[tuple[float, float, int]], *, label: str) -> str:
    """Return said against happened probability: mean said, part that came true, how many."""
    size, pad = 360, 44
    room = size - 2 * pad
    low = min([0.4, *(min(said, came) for said, came, _ in rows)])
    high = max([0.6, *(max(said, came) for said, came, _ in rows)])

    def place(said: float, came: float) -> tuple[float, float]:
        share = room / (high - low)
        return pad + (said - low) * share, size - pad - (came - low) * share

    (x1, y1), (x2, y2) = place(low, low), place(high, high)
    parts = [
        _open(size, label, size),
        f'<line class="grid" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>',
    ]
    most = max((count for _, _, count in rows), default=1)
    for said, came, count in rows:
        x, y = place(said, came)
        radius = 3 + 7 * (count / most) ** 0.5
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">'
            f"<title>said {said:.1%}, came {came:.1%}, {count} times</title></circle>"
        )
    for share in (low, (low + high) / 2, high):
        x, y = place(share, share)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{size - pad + 18}" text-anchor="middle">'
                     f"{share:.0%}</text>")  # fmt: skip
        parts.append(f'<text class="tick" x="{pad - 8}" y="{y + 4:.1f}">{share:.0%}</text>')
    parts.append(
        f'<text class="tick" x="{size / 2}" y="{size - 6}" text-anchor="middle">said</text>'
    )
    return "".join(parts) + "</svg>"


class _Plot:
    """A series over time in a frame."""

    def __init__(
        self,
        points: Sequence[tuple[float, float]],
        height: int,
        label: str,
        top: float | None = None,
    ) -> None:
        self._points = points
        self._height = height
        self._label = label
        values = [value for _, value in points]
        high = max(values) if top is None else top
        low = min(values)
        if high - low < 1e-12:
            high, low = high + 1.0, low - 1.0
        self._high, self._low = high, low
        self._begin, self._end = points[0][0], max(points[-1][0], points[0][0] + 1)

    def _x(self, ts: float) -> float:
        share = (ts - self._begin) / (self._end - self._begin)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        share = (self._high - value) / (self._high - self._low)
        return _TOP + share * (self._height - _TOP - _BOTTOM)

    def draw(self, kind: str) -> str:
        """Return the chart."""
        parts = [_open(self._height, self._label)]
        for value in _steps(self._low, self._high):
            y = self._y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}"'
                         f' y2="{y:.1f}"/>')  # fmt: skip
            parts.append(
                f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}">{_short(value)}</text>'
            )
        parts += self._times()
        path = " ".join(f"{self._x(ts):.1f},{self._y(value):.1f}" for ts, value in self._points)
        if kind == "area":
            left, right, zero = self._x(self._begin), self._x(self._end), self._y(self._high)
            parts.append(f'<polygon class="area" points="{left:.1f},{zero:.1f} {path}'
                         f' {right:.1f},{zero:.1f}"/>')  # fmt: skip
        parts.append(f'<polyline class="{kind}-line" points="{path}"/>')
        return "".join(parts) + "</svg>"

    def _times(self) -> list[str]:
        span = self._end - self._begin
        form = "%Y-%m-%d" if span > 5 * DAY else "%m-%d %H:%M" if span > DAY // 2 else "%H:%M:%S"
        parts = []
        for step in range(6):
            ts = self._begin + span * step / 5
            text = datetime.fromtimestamp(ts / SECOND, UTC).strftime(form)
            anchor = "start" if step == 0 else "end" if step == 5 else "middle"
            parts.append(f'<text class="time" x="{self._x(ts):.1f}" y="{self._height - 6}"'
                         f' text-anchor="{anchor}">{text}</text>')  # fmt: skip
        return parts


def _open(height: int, label: str, width: int = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(label, quote=True)}">'
    )


def _steps(low: float, high: float) -> list[float]:
    """Return about five round values between two."""
    size = 10.0 ** floor(log10((high - low) / 5))
    for factor in (1, 2, 2.5, 5, 10):
        if (high - low) / (size * factor) <= 6:
            size *= factor
            break
    first = floor(low / size) * size
    values = [first + size * step for step in range(12)]
    return [value for value in values if low - 1e-9 <= value <= high + 1e-9]


def _short(value: float) -> str:
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if value else "0"
