"""A backtest of one instrument in a few array operations, for sweeps: fills as in the engine's.

It knows what makes a trade: the direction a strategy wants, the next open, the protective stop,
slippage, fees and funding. It does not know the risk gate, loss limits or margin, so a sweep's best
results go through the engine before anybody believes them. Where no limit speaks, its trades are
the engine's (tested).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from core.clock import DAY
from core.model.instrument import Instrument
from core.research.bars import Bars
from core.research.signal_table import Directions
from core.research.simulation import Funding

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Market(Struct, frozen=True):
    """One instrument's candles as arrays, prices in ticks, with what its trades cost."""

    ts: Ints
    """Open times, nanoseconds UTC."""
    close: Floats
    """Quote."""
    open: Ints
    high: Ints
    low: Ints
    tick: float
    fee: float
    """Of a taker, fraction."""
    slippage: float
    """Part of the price."""
    rates: Floats
    """Funding rate last settled before each candle's close, fraction of notional; 0 for none."""
    paid: Floats
    """Funding that a long of one unit would have paid up to each candle's open, quote."""

    @classmethod
    def of(cls, rules: Instrument, bars: Bars, slippage: float, funding: Funding = ()) -> Market:
        """Return the market of an instrument."""
        tick = float(rules.tick)
        *prices, close, _ = (np.asarray(one, np.float64) for one in bars.columns)
        open_, high, low = (np.floor(one * (1.0 / tick) + 0.5).astype(np.int64) for one in prices)
        ts = np.asarray(bars.ts, np.int64)
        # What falls due is settled at the next open, as the backtest's venue does it.
        at = np.searchsorted(ts, np.array([due for due, _ in funding], np.int64))
        settled = np.array([rate for _, rate in funding])[at < len(ts)]
        at = at[at < len(ts)]
        paid = np.zeros(len(ts))
        np.add.at(paid, at, settled * prices[0][at])
        rates = np.concatenate([[0.0], settled])[np.searchsorted(at, np.arange(len(ts)), "right")]
        fee = float(rules.taker_fee)
        return cls(ts, close, open_, high, low, tick, fee, slippage, rates, np.cumsum(paid))

    def taken(self, at: Ints, sign: Ints) -> Ints:
        """Return the ticks at which takers fill: worse by the slippage, rounded up."""
        if not self.slippage:
            return at
        worse = at + np.ceil(at * self.slippage).astype(np.int64) * sign
        return np.asarray(np.maximum(worse, 1), np.int64)


class Trades(Struct, frozen=True):
    """Round trips as columns, oldest first. The last may still be open."""

    side: Ints
    decided: Ints
    """Candle at whose close the entry was decided; it was entered at the next open."""
    exit: Ints
    """Candle in which it was left; the number of candles while it is open."""
    bought: Ints
    """Ticks it was entered at."""
    sold: Ints
    """Ticks it was left at; of the last close while it is open."""
    stopped: NDArray[np.bool_]

    def closed(self, market: Market) -> int:
        """Return how many are finished."""
        return int((self.exit < len(market.ts)).sum())


def make_trades(market: Market, wanted: Directions, stop_distance: float) -> Trades:
    """Return the trades that follow the directions wanted after each candle.

    Args:
        market: what is traded.
        wanted: one for each candle.
        stop_distance: of the protective stop from the entry, fraction.
    """
    count = len(market.ts)
    before = np.concatenate([[0], wanted[:-1]])
    changes = np.flatnonzero(wanted != before)
    changes = changes[changes + 1 < count]
    side = wanted[changes].astype(np.int64)
    leave = np.concatenate([changes[1:] + 1, [count]])
    held = side != 0
    decided, side, exit_ = changes[held], side[held], leave[held]
    entry = decided + 1
    bought = market.taken(market.open[entry], side)
    stop = np.rint(bought * (1.0 - stop_distance * side)).astype(np.int64)
    stopped = np.zeros(len(side), bool)
    last = np.concatenate([market.open, [int(market.close[-1] / market.tick + 0.5)]])
    left = last[exit_]
    hit = _passed(market, entry, exit_, side, stop)
    bar = _met(market, entry[hit], exit_[hit], side[hit], stop[hit])
    stopped[hit], exit_[hit] = True, bar
    # One that opens beyond the stop fills there; that of the entry's own candle came before it.
    opens, at = market.open[bar], stop[hit]
    beyond = np.where(side[hit] > 0, np.minimum(at, opens), np.maximum(at, opens))
    left[hit] = np.where(bar == entry[hit], at, beyond)
    open_ = exit_ == count
    sold = np.where(open_, left, market.taken(left, -side))
    return Trades(side, decided, exit_, bought, sold, stopped)


def _passed(market: Market, entry: Ints, exit_: Ints, side: Ints, stop: Ints) -> NDArray[np.bool_]:
    """Return whether each trade's stop is met before it is left."""
    if not len(entry):
        return np.zeros(0, bool)
    spans = np.column_stack([entry, exit_]).ravel()
    spans = spans[spans < len(market.ts)]  # the last may still be open
    lows = np.minimum.reduceat(market.low, spans)[::2]
    highs = np.maximum.reduceat(market.high, spans)[::2]
    return np.asarray(np.where(side > 0, lows <= stop, highs >= stop))


def _met(market: Market, entry: Ints, exit_: Ints, side: Ints, stop: Ints) -> Ints:
    """Return the candle in which each trade's stop is met; it is in every one of them."""
    lengths = exit_ - entry
    begins = np.cumsum(lengths) - lengths
    # The candles of all these trades, one after the other.
    which = np.repeat(np.arange(len(entry)), lengths)
    bars = np.arange(len(which)) + (entry - begins)[which]
    ups = side[which] > 0
    met = np.where(ups, market.low[bars] <= stop[which], market.high[bars] >= stop[which])
    found = np.flatnonzero(met)
    return np.asarray(bars[found[np.searchsorted(found, begins)]], np.int64)


class Score(Struct, frozen=True):
    """What trades came to with a part of the equity in each; fractions."""

    trades: int
    stops: int
    total_return: float
    max_drawdown: float
    """Of equity at the end of each day."""
    first_day: int
    """Days since 1970."""
    daily: tuple[float, ...]
    """Returns of the days from then on, UTC."""


def score(market: Market, trades: Trades, part: float) -> Score:
    """Return what trades came to.

    Args:
        market: what was traded.
        trades: see ``make_trades``.
        part: of the equity in each trade, as the engine sizes it: at the close it decides on.
    """
    tick = market.tick
    paid = trades.bought * tick
    unit = part / market.close[trades.decided]
    finished = trades.exit < len(market.ts)
    sold = trades.sold * tick
    entry = trades.decided + 1
    funding = market.paid[np.minimum(trades.exit, len(market.ts) - 1)] - market.paid[entry]
    won = trades.side * (sold - paid - funding)
    won -= market.fee * (paid + np.where(finished, sold, 0.0))
    after = np.cumprod(1.0 + unit * won)
    before = np.concatenate([[1.0], after[:-1]]) if len(after) else after
    ends = np.flatnonzero(np.diff(market.ts // DAY, append=-1))
    at = np.searchsorted(entry, ends, "right") - 1
    equity = np.ones(len(ends))
    known = at >= 0
    which, bars = at[known], ends[known]
    worth = market.close[bars] - (market.paid[bars] - market.paid[entry[which]])
    marked = trades.side[which] * (worth - paid[which]) - market.fee * paid[which]
    inside = bars < trades.exit[which]
    equity[known] = np.where(inside, before[which] * (1.0 + unit[which] * marked), after[which])
    path = np.concatenate([[1.0], equity])
    falls = 1.0 - path / np.maximum.accumulate(path)
    return Score(
        int(finished.sum()),
        int(trades.stopped.sum()),
        float(path[-1] - 1.0),
        float(falls.max()),
        int(market.ts[0] // DAY),
        tuple((path[1:] / path[:-1] - 1.0).tolist()),
    )
