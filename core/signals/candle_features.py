"""Features of one instrument's candles, incremental: what the models see.

All are scale-free: returns in units of their own volatility, prices against their own averages and
ranges, volumes against their own past. A raw price or volume would tie a model to the year it was
trained in. All look back a finite number of candles, so a desk that has just fetched its warm-up
sees the same numbers as one that has run for months. ``core.research.feature_table`` has the batch
form; tests hold the two together to 1e-9.

A feature is a formula over values of the candle and over windows of them (``WORDS``). The formulas
that are asked for become one function: a call for each window and candle would cost more than the
arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import cos, log, log1p, pi, sin, sqrt
from types import CellType
from typing import Any

from core.clock import SECOND
from core.signals.features import CLIP, COARSE, FLOOR, Feature

RETURNS = (1, 2, 4, 8, 24, 72, 168)
MEANS = (24, 72, 168)
RANGES = (24, 168)
WARMUP = 169
"""Candles before the first row: the longest window, and the close before it."""
_LEFT = 1e-3
"""Part of its peak at which a running sum is made anew: what a jump rounded away is as large as
what is left when it has gone."""

WORDS = {
    "x": "log(close / first)",  # logarithms from the first close: small numbers keep their digits
    "move": "x - before",
    "size": "move if move > 0.0 else -move",
    "square": "move * move",
    "gain": "move if move > 0.0 else 0.0",
    "loss": "0.0 if move > 0.0 else -move",
    "span": "high - low",
    "height": "log(high / low)",
    "tall": "height * height",
    "true": "((high if high > last else last) - (low if low < last else last)) / close",
    "turnover": "volume * close",
    "logged": "log1p(turnover)",
    "signed": "volume if close > open_ else -volume if close < open_ else 0.0",
    "day": f"{2 * pi / 86_400!r} * (ts // {SECOND} % 86_400)",
    "week": f"{2 * pi / 604_800!r} * (ts // {SECOND} % 604_800)",
    "tumult": "sum_gain_14 + sum_loss_14",
    "parkinson": f"sqrt(sum_tall_24 * {1 / (96 * log(2))!r})",
    "vwap": "sum_turnover_48 / sum_volume_48 if sum_volume_48 > 0.0 else close",
    "loud": f"sum_size_24 > {FLOOR} and sum_size_168 > {FLOOR}"
    " and sum_turnover_24 > 0.0 and sum_turnover_168 > 0.0",
}
"""Values of the candle that closed; ``last`` is the close before it, ``before`` its ``x``.

Beside these words there are windows: ``sum_WORD_N``, ``mean_WORD_N`` and ``dev_WORD_N`` (standard
deviation), ``lag_WORD_N`` (the value N candles ago), ``highest_N``, ``lowest_N``, and ``vol_N``:
realised volatility, the root mean square of ``move``, log return a candle.
"""


def _scaled(word: str, n: int) -> str:
    """Return a formula: distance from the mean of n, in deviations; 0 where nothing varies."""
    far = f"clip(({word} - mean_{word}_{n}) / dev_{word}_{n})"
    return f"{far} if dev_{word}_{n} > {FLOOR} else 0.0"


_SIGNED = ("signed", "move", "x", "logged")
"""Words that may be below 0."""

_DEFINED: tuple[tuple[Feature, str], ...] = (
    *(
        (
            Feature(f"return_{n}", n, "volatility", f"log return over {n}, by vol 48 root {n}"),
            f"clip((x - lag_x_{n}) / (vol_48 * {sqrt(n)!r}))",
        )
        for n in RETURNS
    ),
    (
        Feature("vol_6_48", 48, "log ratio", "realised volatility, 6 to 48 candles"),
        "log(vol_6 / vol_48)",
    ),
    (
        Feature("vol_48_168", 168, "log ratio", "realised volatility, 48 to 168 candles"),
        "log(vol_48 / vol_168)",
    ),
    (
        Feature("parkinson_24", 24, "log ratio", "Parkinson's (1980) range volatility to realised"),
        f"log((parkinson if parkinson > {FLOOR} else {FLOOR}) / vol_24)",
    ),
    *(
        (
            Feature(f"mean_{n}", n, "volatility", f"log close less mean of {n}, by vol 48 root n"),
            f"clip((x - mean_x_{n}) / (vol_48 * {sqrt(n)!r}))",
        )
        for n in MEANS
    ),
    *(
        (
            Feature(f"range_{n}", n, "-0.5 to 0.5", f"close in lowest low to highest high of {n}"),
            f"(close - lowest_{n}) / (highest_{n} - lowest_{n}) - 0.5"
            f" if highest_{n} > lowest_{n} else 0.0",
        )
        for n in RANGES
    ),
    (
        Feature("z_48", 48, "deviations", "log close less its mean of 48, by its deviation"),
        _scaled("x", 48),
    ),
    (
        Feature("location", 1, "-1 to 1", "close within the candle, low to high"),
        "(2.0 * close - high - low) / span if span > 0.0 else 0.0",
    ),
    (
        Feature("upper_wick", 1, "fraction", "of the candle's range above its body"),
        "(high - (open_ if open_ > close else close)) / span if span > 0.0 else 0.0",
    ),
    (
        Feature("lower_wick", 1, "fraction", "of the candle's range below its body"),
        "((open_ if open_ < close else close) - low) / span if span > 0.0 else 0.0",
    ),
    (
        Feature("height", 48, "volatility", "log of high over low, by vol 48"),
        "clip(height / vol_48)",
    ),
    (
        Feature("rsi_14", 14, "-0.5 to 0.5", "gains in gains and losses (Cutler's, simple sums)"),
        f"sum_gain_14 / tumult - 0.5 if tumult > {FLOOR} else 0.0",
    ),
    (
        Feature("true_range_14", 48, "volatility", "mean true range (Wilder) by close, by vol 48"),
        "clip(sum_true_14 / (14.0 * vol_48))",
    ),
    (
        Feature("volume_z_48", 48, "deviations", "log turnover less mean of 48, by its deviation"),
        _scaled("logged", 48),
    ),
    (
        Feature("flow_6", 6, "-1 to 1", "volume of rising less falling candles, in all volume"),
        "sum_signed_6 / sum_volume_6 if sum_volume_6 > 0.0 else 0.0",
    ),
    (
        Feature("flow_24", 24, "-1 to 1", "the same of 24 candles"),
        "sum_signed_24 / sum_volume_24 if sum_volume_24 > 0.0 else 0.0",
    ),
    (
        Feature("vwap_48", 48, "volatility", "close over volume-weighted close, by vol 48 root 48"),
        f"clip(log(close / vwap) / (vol_48 * {sqrt(48)!r}))",
    ),
    (
        Feature("amihud_24_168", 168, "log ratio", "move by turnover (Amihud 2002), 24 to 168"),
        "log(sum_size_24 * sum_turnover_168 / (sum_turnover_24 * sum_size_168)) if loud else 0.0",
    ),
    (
        Feature("hour_sin", 1, "-1 to 1", "time of day of the open, UTC"),
        f"sin(day) + {COARSE} - {COARSE}",
    ),
    (
        Feature("hour_cos", 1, "-1 to 1", "time of day of the open, UTC"),
        f"cos(day) + {COARSE} - {COARSE}",
    ),
    (
        Feature("week_sin", 1, "-1 to 1", "time of week of the open, UTC"),
        f"sin(week) + {COARSE} - {COARSE}",
    ),
    (
        Feature("week_cos", 1, "-1 to 1", "time of week of the open, UTC"),
        f"cos(week) + {COARSE} - {COARSE}",
    ),
)
FEATURES: tuple[Feature, ...] = tuple(feature for feature, _ in _DEFINED)
NAMES = tuple(feature.name for feature in FEATURES)
_FORMULAS = {feature.name: formula for feature, formula in _DEFINED}

Update = Callable[[int, float, float, float, float, float], "list[float] | None"]


class CandleFeatures:
    """A row of features after each closed candle of one instrument.

    ``update(ts, open, high, low, close, volume)`` takes the next candle and returns the row, or
    None while warming up. ``ts`` is the open time, nanoseconds UTC; prices are positive, quote per
    base; volume is in base units, 0 or more.

    Args:
        names: of the features, in the order of the row. Fewer cost less.

    Raises:
        KeyError: there is no such feature.
    """

    update: Update

    def __init__(self, names: Sequence[str] = NAMES) -> None:
        self.volatility = 0.0
        """Of the last 48 candles, log return a candle; 0 while warming up."""
        self._names = tuple(names)
        self.update = _make(self._names)(self)

    def __deepcopy__(self, memo: object) -> CandleFeatures:
        """Copy the windows too, which live in the function's cells."""
        other = CandleFeatures(self._names)
        other.volatility = self.volatility
        for mine, theirs in zip(_cells(self), _cells(other), strict=True):
            value = mine.cell_contents
            if value is not self:
                theirs.cell_contents = list(value) if isinstance(value, list) else value
        return other


def _cells(features: CandleFeatures) -> tuple[CellType, ...]:
    cells: tuple[CellType, ...] = features.update.__closure__ or ()
    return cells


_made: dict[tuple[str, ...], Callable[[CandleFeatures], Update]] = {}


def _make(names: tuple[str, ...]) -> Callable[[CandleFeatures], Update]:
    """Return what makes the function that computes these features, one for each instrument."""
    if names not in _made:
        space: dict[str, Any] = {
            "log": log, "log1p": log1p, "sqrt": sqrt, "sin": sin, "cos": cos
        }  # fmt: skip
        exec(compile(_Writer().write(names), "<candle features>", "exec"), space)
        _made[names] = space["make"]
    return _made[names]


class _Writer:
    """Writes the function: every word and window that the formulas need, once, in order."""

    def __init__(self) -> None:
        self._state: list[str] = []
        self._cells: list[str] = ["first", "last", "before", "count"]
        self._lines: list[str] = []
        self._known = {"open_", "high", "low", "close", "volume", "ts", *self._cells}
        self._known |= {"log", "log1p", "sqrt", "sin", "cos", "clip", "if", "else", "and"}
        self._lengths: list[int] = []

    def write(self, names: Sequence[str]) -> str:
        """Return the source."""
        self._need("x vol_48")
        for name in names:
            self._need(_FORMULAS[name])
        steps = [f"at_{n} = count % {n}" for n in self._lengths]
        body = [
            "if not count:",
            "    first = last = close",
            *steps,
            *self._lines,
            "last, before = close, x",
            "count += 1",
            f"if count < {WARMUP}:",
            "    return None",
            "self.volatility = vol_48",
            "return [",
            *(f"    {_clipped(_FORMULAS[name])}," for name in names),
            "]",
        ]
        return "\n".join(
            [
                "def make(self):",
                "    first = last = 1.0",
                "    before = 0.0",
                "    count = 0",
                *(f"    {line}" for line in self._state),
                "    def update(ts, open_, high, low, close, volume):",
                f"        nonlocal {', '.join(self._cells)}",
                *(f"        {line}" for line in body),
                "    return update",
            ]
        )

    def _need(self, formula: str) -> None:
        words = re.findall(r"\b[a-z_]\w*", formula)
        # A deviation brings its mean along.
        for word in sorted(words, key=lambda one: not one.startswith("dev_")):
            if word not in self._known:
                self._known.add(word)
                self._define(word)

    def _define(self, word: str) -> None:
        kind, _, rest = word.partition("_")
        if word in WORDS:
            self._need(WORDS[word])
            self._lines.append(f"{word} = {WORDS[word]}")
        elif kind == "vol":
            self._need(f"sum_square_{rest}")
            self._lines += [
                f"{word} = sqrt(sum_square_{rest} / {rest}.0) if sum_square_{rest} > 0.0 else 0.0",
                f"if {word} < {FLOOR}:",
                f"    {word} = {FLOOR}",
            ]
        elif kind in ("highest", "lowest"):
            self._extreme(kind, int(rest))
        else:
            of, _, length = rest.rpartition("_")
            self._need(of)
            windows = {"sum": self._sum, "lag": self._lag, "mean": self._mean, "dev": self._spread}
            windows[kind](of, int(length))

    def _ring(self, name: str, length: int, value: str) -> None:
        """Put a value into a window; ``old`` is the one that it drives out."""
        if length not in self._lengths:
            self._lengths.append(length)
        self._state.append(f"{name} = [0.0] * {length}")
        self._lines += [f"old = {name}[at_{length}]", f"{name}[at_{length}] = {value}"]

    def _sum(self, of: str, n: int) -> None:
        """Write a running sum: exactly 0 when all values are, made anew before it drifts.

        Once a turn of the window, and when it has fallen far below what it was then: every value
        that leaves was in it at that turn.
        """
        total, ring, least = f"sum_{of}_{n}", f"values_{of}_{n}", f"least_{of}_{n}"
        self._cells += [total, least]
        self._state.append(f"{total} = {least} = 0.0")
        self._ring(ring, n, of)
        low = f"-{least} < {total} < {least}" if of in _SIGNED else f"{total} < {least}"
        self._lines += [
            f"{total} += {of} - old",
            f"if {low} or not at_{n}:",
            f"    {total} = sum({ring})",
            f"    {least} = abs({total}) * {_LEFT}",
        ]

    def _mean(self, of: str, n: int) -> None:
        """Write a running mean of something without jumps, such as a logarithm."""
        mean, ring = f"mean_{of}_{n}", f"values_{of}_{n}"
        self._cells.append(mean)
        self._state.append(f"{mean} = 0.0")
        self._ring(ring, n, of)
        self._lines += [
            f"{mean} = {mean} + ({of} - old) / {n}.0 if at_{n} else sum({ring}) / {n}.0"
        ]

    def _spread(self, of: str, n: int) -> None:
        """Write mean and deviation by Welford's update: squares of values are not subtracted."""
        mean, dev, ring = f"mean_{of}_{n}", f"dev_{of}_{n}", f"spread_{of}_{n}"
        squares, least = f"squares_{of}_{n}", f"low_{of}_{n}"
        self._known |= {mean, dev}
        self._cells += [mean, squares, least]
        self._state.append(f"{mean} = {squares} = {least} = 0.0")
        self._ring(ring, n, of)
        self._lines += [
            f"change = {of} - old",
            f"past = {mean}",
            f"{mean} = past + change / {n}.0",
            f"{squares} += change * ({of} - {mean} + old - past)",
            f"if {squares} < {least} or not at_{n}:",
            f"    {mean} = sum({ring}) / {n}.0",
            f"    {squares} = sum([(one - {mean}) ** 2 for one in {ring}])",
            f"    {least} = {squares} * {_LEFT}",
            f"{dev} = sqrt({squares} / {n}.0) if {squares} > 0.0 else 0.0",
        ]

    def _extreme(self, kind: str, n: int) -> None:
        """Write a highest or lowest: looked for anew only when it leaves the window."""
        of, sign, find = ("high", ">", "max") if kind == "highest" else ("low", "<", "min")
        name, ring = f"{kind}_{n}", f"{kind}s_{n}"
        self._cells.append(name)
        start = "0.0" if kind == "highest" else "float('inf')"
        self._state.append(f"{name} = {start}")
        self._ring(ring, n, of)
        self._state[-1] = f"{ring} = [{start}] * {n}"
        self._lines += [
            f"if {of} {sign}= {name}:",
            f"    {name} = {of}",
            f"elif old == {name}:",
            f"    {name} = {find}({ring})",
        ]

    def _lag(self, of: str, n: int) -> None:
        self._ring(f"past_{of}_{n}", n, of)
        self._lines.append(f"lag_{of}_{n} = old")


def _clipped(formula: str) -> str:
    """Return a formula with ``clip`` written out; 0.1 us a call otherwise, fourteen times a row."""
    start = formula.find("clip(")
    if start < 0:
        return formula
    depth, end = 0, start + 4
    while True:
        depth += (formula[end] == "(") - (formula[end] == ")")
        if not depth:
            break
        end += 1
    inner = formula[start + 5 : end]
    rest = formula[end + 1 :]
    clipped = f"({-CLIP} if (v := {inner}) < {-CLIP} else {CLIP} if v > {CLIP} else v)"
    return formula[:start] + clipped + rest
