"""Features of one instrument's candles, incremental: what the models see.

All are scale-free: returns in units of their own volatility, prices against their own averages and
ranges, volumes against their own past. A raw price or volume would tie a model to the year it was
trained in. All look back a finite number of candles, so a desk that has just fetched its warm-up
sees the same numbers as one that has run for months. ``core.research.feature_table`` has the batch
form; tests hold the two together to 1e-9.
"""

from __future__ import annotations

from collections import deque
from math import cos, log, log1p, pi, sin, sqrt

from core.clock import SECOND
from core.signals.features import CLIP, FLOOR, Feature
from core.signals.windows import Highest, Spread, Sum

RETURNS = (1, 2, 4, 8, 24, 72, 168)
MEANS = (24, 72, 168)
RANGES = (24, 168)
WARMUP = 169
"""Candles before the first row: the longest window, and the close before it."""
_DAY = 86_400
_PARKINSON = 1.0 / (4.0 * log(2.0))


FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"return_{n}", n, "volatility", f"log return over {n}, by vol 48 times root {n}")
        for n in RETURNS
    ),
    Feature("vol_6_48", 48, "log ratio", "realised volatility, 6 to 48 candles"),
    Feature("vol_48_168", 168, "log ratio", "realised volatility, 48 to 168 candles"),
    Feature("parkinson_24", 24, "log ratio", "Parkinson's (1980) range volatility to realised"),
    *(
        Feature(f"mean_{n}", n, "volatility", f"log close less its mean of {n}, by vol 48 root {n}")
        for n in MEANS
    ),
    *(
        Feature(f"range_{n}", n, "-0.5 to 0.5", f"close between lowest low and highest high of {n}")
        for n in RANGES
    ),
    Feature("z_48", 48, "deviations", "log close less its mean of 48, by its deviation"),
    Feature("location", 1, "-1 to 1", "close within the candle, low to high"),
    Feature("upper_wick", 1, "fraction", "of the candle's range above its body"),
    Feature("lower_wick", 1, "fraction", "of the candle's range below its body"),
    Feature("height", 48, "volatility", "log of high over low, by vol 48"),
    Feature("rsi_14", 14, "-0.5 to 0.5", "gains in gains and losses (Cutler's RSI, simple sums)"),
    Feature("true_range_14", 48, "volatility", "mean true range (Wilder) by close, by vol 48"),
    Feature("volume_z_48", 48, "deviations", "log turnover less its mean of 48, by its deviation"),
    Feature("flow_6", 6, "-1 to 1", "volume of rising less falling candles, in all volume"),
    Feature("flow_24", 24, "-1 to 1", "the same of 24 candles"),
    Feature("vwap_48", 48, "volatility", "close over volume-weighted close, by vol 48 root 48"),
    Feature("amihud_24_168", 168, "log ratio", "move by turnover (Amihud 2002), 24 to 168 candles"),
    Feature("hour_sin", 1, "-1 to 1", "time of day of the open, UTC"),
    Feature("hour_cos", 1, "-1 to 1", "time of day of the open, UTC"),
    Feature("week_sin", 1, "-1 to 1", "time of week of the open, UTC"),
    Feature("week_cos", 1, "-1 to 1", "time of week of the open, UTC"),
)
NAMES = tuple(feature.name for feature in FEATURES)


class CandleFeatures:
    """The row of features after each closed candle of one instrument."""

    def __init__(self) -> None:
        self.volatility = 0.0
        """Of the last 48 candles, log return a candle; 0 while warming up."""
        self._count = 0
        self._logs: deque[float] = deque(maxlen=WARMUP)
        self._close = self._first = 0.0
        self._squares = {n: Sum(n) for n in (6, 24, 48, 168)}
        self._heights = Sum(24)
        self._means = {n: Spread(n) for n in MEANS}
        self._z = Spread(48)
        self._highs = {n: Highest(n) for n in RANGES}
        self._lows = {n: Highest(n) for n in RANGES}
        self._gains, self._losses, self._ranges = Sum(14), Sum(14), Sum(14)
        self._volume_z = Spread(48)
        self._signed = {n: Sum(n) for n in (6, 24)}
        self._volumes = {n: Sum(n) for n in (6, 24, 48)}
        self._turnover48 = Sum(48)
        self._moves = {n: Sum(n) for n in (24, 168)}
        self._turnovers = {n: Sum(n) for n in (24, 168)}

    def update(
        self, ts: int, open_: float, high: float, low: float, close: float, volume: float
    ) -> list[float] | None:
        """Take the next candle; return the row of ``NAMES``, or None while warming up.

        Args:
            ts: open time, nanoseconds UTC.
            open_: this and the other prices are positive, quote per base.
            high: not below the others.
            low: not above the others.
            close: see ``open_``.
            volume: base units, 0 or more.
        """
        # Logarithms count from the first close: small numbers keep their digits when summed.
        if not self._first:
            self._first = close
        x = log(close / self._first)
        logs = self._logs
        last, before = self._close or close, logs[-1] if logs else x
        move = x - before
        height = log(high / low)
        turnover = volume * close
        logs.append(x)
        self._close = close
        self._count += 1
        square = move * move
        vol = {n: sqrt(max(s.push(square), 0.0) / n) for n, s in self._squares.items()}
        heights = self._heights.push(height * height)
        for mean in self._means.values():
            mean.push(x)
        self._z.push(x)
        tops = {n: one.push(high) for n, one in self._highs.items()}
        bottoms = {n: -one.push(-low) for n, one in self._lows.items()}
        gains, losses = self._gains.push(max(move, 0.0)), self._losses.push(max(-move, 0.0))
        ranges = self._ranges.push((max(high, last) - min(low, last)) / close)
        logged = log1p(turnover)
        self._volume_z.push(logged)
        sign = volume if close > open_ else -volume if close < open_ else 0.0
        signed = [one.push(sign) for one in self._signed.values()]
        volumes = [one.push(volume) for one in self._volumes.values()]
        turnover48 = self._turnover48.push(turnover)
        moves = [one.push(abs(move)) for one in self._moves.values()]
        turnovers = [one.push(turnover) for one in self._turnovers.values()]
        if self._count < WARMUP:
            return None
        unit = self.volatility = max(vol[48], FLOOR)
        span = high - low
        row = [_clip((x - logs[-1 - n]) / (unit * sqrt(n))) for n in RETURNS]
        row += (
            log(max(vol[6], FLOOR) / unit),
            log(unit / max(vol[168], FLOOR)),
            log(max(sqrt(max(heights, 0.0) * _PARKINSON / 24), FLOOR) / max(vol[24], FLOOR)),
        )
        row += [_clip((x - one.mean) / (unit * sqrt(n))) for n, one in self._means.items()]
        row += [
            (close - bottoms[n]) / (top - bottoms[n]) - 0.5 if top > bottoms[n] else 0.0
            for n, top in tops.items()
        ]
        row.append(_scaled(x - self._z.mean, self._z.deviation))
        if span > 0.0:
            row += (
                (2.0 * close - high - low) / span,
                (high - max(open_, close)) / span,
                (min(open_, close) - low) / span,
            )
        else:
            row += (0.0, 0.0, 0.0)
        row += (
            _clip(height / unit),
            gains / (gains + losses) - 0.5 if gains + losses > FLOOR else 0.0,
            _clip(ranges / 14 / unit),
            _scaled(logged - self._volume_z.mean, self._volume_z.deviation),
        )
        row += [
            one / total if total > 0.0 else 0.0 for one, total in zip(signed, volumes, strict=False)
        ]
        vwap = turnover48 / volumes[2] if volumes[2] > 0.0 else close
        row.append(_clip(log(close / vwap) / (unit * sqrt(48))))
        quiet = not (min(moves) > FLOOR and min(turnovers) > 0.0)
        row.append(0.0 if quiet else log(moves[0] * turnovers[1] / (turnovers[0] * moves[1])))
        clock = ts // SECOND
        day = 2.0 * pi * (clock % _DAY) / _DAY
        week = 2.0 * pi * (clock % (7 * _DAY)) / (7 * _DAY)
        row += (sin(day), cos(day), sin(week), cos(week))
        return row


def _clip(value: float) -> float:
    return -CLIP if value < -CLIP else CLIP if value > CLIP else value


def _scaled(value: float, deviation: float) -> float:
    """Return a z-score; 0 where nothing varies."""
    return _clip(value / deviation) if deviation > FLOOR else 0.0
