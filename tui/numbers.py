"""How numbers are written on the screen; ``-`` means unknown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

Number = float | int | Decimal

NONE = "-"
_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@lru_cache(maxsize=256)
def decimals(tick: Decimal) -> int:
    """Return how many decimal places a price step needs: 2 for 0.01 and for 0.05."""
    exponent = tick.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a tick is a finite number"
    return max(0, -exponent)


def price(value: Number | None, tick: Decimal | None = None) -> str:
    """Write a price with as many decimals as its tick; without a tick, with five digits."""
    if value is None:
        return NONE
    if tick is not None:
        return f"{value:,.{decimals(tick)}f}"
    size = abs(float(value))
    places = 2 if size >= 100 else 3 if size >= 10 else 4 if size >= 1 else 5
    return f"{value:,.{places}f}"


def quantity(value: Number | None) -> str:
    """Write a quantity exactly, without trailing zeros."""
    if value is None:
        return NONE
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = f"{exact:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Number | None, places: int = 2) -> str:
    """Write an amount of quote currency, with thousands separators."""
    return NONE if value is None else f"{value:,.{places}f}"


def signed(value: Number | None, places: int = 2) -> str:
    """Write an amount with its sign always; what rounds to zero has none."""
    if value is None:
        return NONE
    text = f"{value:+,.{places}f}"
    return text if any(digit in text for digit in "123456789") else text[1:]


def percent(value: Number | None, places: int = 2, sign: bool = True) -> str:
    """Write a fraction as percent: 0.0123 is ``+1.23%``."""
    if value is None:
        return NONE
    return (signed if sign else money)(value * 100, places) + "%"


def basis_points(value: float | None) -> str:
    """Write a fraction in basis points: 0.0001 is ``1.0``."""
    return NONE if value is None else signed(value * 1e4, 1).lstrip("+")


def compact(value: Number | None) -> str:
    """Write a count or amount in at most five characters: 999, 12.3k, 4.56M."""
    if value is None:
        return NONE
    size = abs(float(value))
    for bound, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")):
        if size >= bound:
            unit = 1_000 if letter == "k" else bound
            scaled = float(value) / unit
            places = 0 if abs(scaled) >= 100 else 1
            return f"{scaled:.{places}f}{letter}"
    return f"{value:.0f}" if size >= 100 or size == int(size) else f"{value:.1f}"


def age(seconds: float | None) -> str:
    """Write how long ago in at most four characters: 0.4s, 12s, 5m, 3h, 2d."""
    if seconds is None:
        return NONE
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    for unit, name in ((60, "s"), (3600, "m"), (86400, "h")):
        if seconds < unit:
            return f"{int(seconds // (unit // 60 if name != 'h' else 3600))}{name}"
    return f"{int(seconds // 86400)}d"


def span(seconds: int) -> str:
    """Write the length of a candle in the largest unit that fits: ``5 s``, ``90 s``, ``4 h``."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and not seconds % unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def until(seconds: float | None) -> str:
    """Write a time ahead as hours and minutes: ``3h05``, ``12m``."""
    if seconds is None or seconds < 0:
        return NONE
    minutes = int(seconds // 60)
    return f"{minutes // 60}h{minutes % 60:02d}" if minutes >= 60 else f"{minutes}m"


class Clock:
    """How this terminal writes times: in UTC, or as the clocks around it show them."""

    def __init__(self) -> None:
        self.local = False

    @property
    def zone(self) -> str:
        """The name that stands beside a time."""
        return time.strftime("%Z") if self.local else "UTC"

    def write(self, ts: int) -> str:
        """Write the time of day of nanoseconds UTC: ``12:03:45``."""
        second = ts // 1_000_000_000
        if self.local:
            return time.strftime("%H:%M:%S", time.localtime(second))
        second %= 86_400
        return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


CLOCK = Clock()
"""One for the terminal: a person reads all times the same way."""
clock = CLOCK.write


def arrow(value: Number | None) -> str:
    """Return the direction mark of a signed number: ``▲``, ``▼`` or ``·``."""
    if value is None or not value:
        return "·"
    return "▲" if value > 0 else "▼"


def spark(values: Sequence[float]) -> str:
    """Draw a line of blocks, one a value, scaled to its own range."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if high <= low:
        return _BLOCKS[3] * len(values)
    scale = (len(_BLOCKS) - 1e-9) / (high - low)
    return "".join([_BLOCKS[int((value - low) * scale)] for value in values])


def bar(share: float, width: int) -> str:
    """Draw a share of ``width`` cells, in eighths of a cell; what overflows is a full bar."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, "·")
