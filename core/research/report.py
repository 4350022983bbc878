"""What a backtest came to, in the numbers people compare: the answer of ``killcord backtest``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct

from core import config
from core.clock import DAY, SECOND
from core.model.instrument import short_symbol
from core.research.audit import Audit
from core.research.bars import Bars
from core.research.model_notes import ModelReport
from core.research.parity import Parity
from core.research.result import BacktestResult, returns_of
from core.research.scores import Sharpe, max_drawdown, sharpe
from core.research.trips import MonteCarlo, Month, TripFacts, by_month, shuffle_trips, sum_trips
from core.risk.codes import BREAKERS
from core.signals.model_strategy import NO_SIGNAL

_POINTS = 600
"""Most points of the curve in a report."""
_DAYS = 30
"""From so many days on, the Sharpe ratio is of daily returns; below, of hourly ones."""


class SymbolReport(Struct, frozen=True):
    """One instrument's share; USDT."""

    venue: str
    symbol: str
    trades: int
    realised: float
    fees: float
    funding: float
    net: float
    """Realised less fees plus funding."""


class BacktestReport(Struct, frozen=True, tag="backtest"):
    """The answer of ``killcord backtest``; USDT, fractions, seconds."""

    strategy: str
    source: str
    """What was played: ``candles``, ``trades``, ``books`` or ``recording``."""
    venues: tuple[str, ...]
    symbols: tuple[str, ...]
    timeframe: int
    start: str
    """ISO 8601, UTC."""
    end: str
    bars: int
    """Candles, or events where order flow is played."""
    silent_bars: int
    """Bars without volume: a halt, or a venue's filler."""
    seconds: float
    bars_per_second: float
    orders: int
    fills: int
    trades: int
    """Finished round trips."""
    stops: int
    liquidations: int
    refusals: int
    refused: dict[str, int]
    """How often each code came: of refusals, and of breakers that tripped."""
    failed: tuple[str, ...]
    """Where the strategy raised and was stopped, and what it was; empty when it did not."""
    no_signal: str
    """Why a model said nothing, most often; empty where it never had to."""
    equity_start: float
    equity_end: float
    realised: float
    """Before fees and funding."""
    fees: float
    funding: float
    """Positive when received."""
    total_return: float
    market_return: float | None
    """Of holding all instruments in equal parts all the time, without costs; None for order flow.
    """
    exposure: float
    """Part of the time that instruments were held, on average."""
    sharpe: float | None
    """Annualised, riskless rate 0, until a loss limit ended the trading; None where there is too
    little to tell."""
    sharpe_low: float | None
    """Lower end of its 95 % confidence interval."""
    sharpe_high: float | None
    sharpe_returns: int
    """How many returns it comes from."""
    max_drawdown: float
    """Of equity noted once an hour, or once a bar where bars are longer."""
    drawdown_from: str
    """When that peak was; empty without a drawdown."""
    drawdown_to: str
    """When the lowest point was."""
    drawdown_over: str
    """When equity was at the peak again; empty: not yet."""
    halted: str
    """Why a loss limit ended the trading; empty when none did."""
    halted_at: str
    decision_hash: str
    """Equal for equal decisions: the same run twice gives the same one."""
    by_symbol: tuple[SymbolReport, ...]
    trips: TripFacts | None
    """What the round trips were like; None without any."""
    months: tuple[Month, ...]
    monte_carlo: MonteCarlo | None
    """None with fewer than ten round trips."""
    curve: tuple[tuple[int, float], ...]
    """Equity, thinned: nanoseconds UTC and USDT."""
    model: ModelReport | None = None
    """What the model said, where one decided."""
    audit: Audit | None = None
    """Where one was asked for."""
    parity: Parity | None = None
    """Where it was asked for."""


def measure_curve(curve: tuple[tuple[int, float], ...]) -> Sharpe | None:
    """Return the Sharpe ratio of an equity curve, of days if it has thirty, else of hours."""
    if len(curve) < 2:
        return None
    long = curve[-1][0] - curve[0][0] >= _DAYS * DAY
    span = DAY if long else _spacing(curve)
    return sharpe(returns_of(curve, span), span // SECOND)


def _spacing(curve: tuple[tuple[int, float], ...]) -> int:
    """Return the usual time between two notes: an hour, or a bar where bars are longer."""
    return int(np.median(np.diff([ts for ts, _ in curve])))


def hold(candles: Iterable[Bars]) -> float:
    """Return what holding instruments in equal parts would have brought, fraction, no costs."""
    return float(np.mean([bars.close[-1] / bars.open[0] - 1.0 for bars in candles]))


def report(
    result: BacktestResult,
    source: str,
    strategy: config.Strategy,
    silent_bars: int,
    market_return: float | None = None,
) -> BacktestReport:
    """Put a result into the numbers people compare.

    Args:
        result: of the run.
        source: what was played.
        strategy: that traded.
        silent_bars: bars without volume.
        market_return: see ``hold``.
    """
    traded = result.traded
    measured = measure_curve(traded)
    trips = sum_trips(result.trips)
    span = (traded[-1][0] - traded[0][0]) / SECOND * len(result.results)
    fall = _deepest(result.curve)
    shares = tuple(
        SymbolReport(
            one.venue,
            short_symbol(one.symbol),
            one.trades,
            float(one.realised),
            float(one.fees),
            float(one.funding),
            float(one.realised - one.fees + one.funding),
        )
        for one in result.results
    )
    return BacktestReport(
        strategy=strategy.name,
        source=source,
        venues=tuple(dict.fromkeys(one.venue for one in shares)),
        symbols=tuple(dict.fromkeys(one.symbol for one in shares)),
        timeframe=int(strategy.timeframe),
        start=_date(result.curve[0][0]),
        end=_date(result.curve[-1][0]),
        bars=result.bars,
        silent_bars=silent_bars,
        seconds=round(result.seconds, 3),
        bars_per_second=round(result.bars / result.seconds),
        orders=result.orders,
        fills=result.fills,
        trades=result.trades,
        stops=result.stops,
        liquidations=result.liquidations,
        refusals=result.refusals,
        refused=result.refused,
        failed=result.failed,
        no_signal=_silence(result),
        equity_start=float(result.equity_start),
        equity_end=float(result.equity_end),
        realised=float(result.realised),
        fees=float(result.fees),
        funding=float(result.funding),
        total_return=float(result.equity_end / result.equity_start - 1),
        market_return=market_return,
        exposure=min(trips.held / span, 1.0) if trips and span else 0.0,
        sharpe=measured.value if measured else None,
        sharpe_low=measured.low if measured else None,
        sharpe_high=measured.high if measured else None,
        sharpe_returns=measured.count if measured else 0,
        max_drawdown=max_drawdown([equity for _, equity in result.curve]),
        drawdown_from=fall[0],
        drawdown_to=fall[1],
        drawdown_over=fall[2],
        halted=result.halted,
        halted_at=_date(result.halted_at) if result.halted else "",
        decision_hash=result.decision_hash,
        by_symbol=shares,
        trips=trips,
        months=by_month(traded, result.trips),
        monte_carlo=shuffle_trips(result.trips, float(result.equity_start)),
        curve=_thin(result.curve),
    )


def _deepest(curve: tuple[tuple[int, float], ...]) -> tuple[str, str, str]:
    """Return when the deepest drawdown began, was deepest, and was over; empty where it was not."""
    values = np.array([equity for _, equity in curve])
    falls = 1.0 - values / np.maximum.accumulate(values)
    if not falls.any():
        return "", "", ""
    low = int(np.argmax(falls))
    top = int(np.argmax(values[: low + 1]))
    over = np.flatnonzero(values[low:] >= values[top])
    end = _date(curve[low + int(over[0])][0]) if len(over) else ""
    return _date(curve[top][0]), _date(curve[low][0]), end


def _thin(curve: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """Leave out points beyond what a chart shows; the lowest and highest of each stretch stay."""
    if len(curve) <= _POINTS:
        return curve
    stride = -(-len(curve) // (_POINTS // 2))
    kept = [curve[0]]
    for begin in range(1, len(curve) - 1, stride):
        part = curve[begin : begin + stride]
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        kept += sorted(ends)
    if kept[-1] != curve[-1]:
        kept.append(curve[-1])
    return tuple(kept)


def _date(ts: int) -> str:
    return datetime.fromtimestamp(ts / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count_codes(answer: BacktestReport) -> tuple[str, str]:
    """Return in words what orders were refused for, and which breakers tripped how often."""
    parts: tuple[list[str], list[str]] = [], []
    for code, count in answer.refused.items():
        parts[code in BREAKERS].append(f"{code} {count}")
    return ", ".join(parts[0]), ", ".join(parts[1])


def _silence(result: BacktestResult) -> str:
    """Return why a model said nothing, most often."""
    said = Counter(
        signal.reason.removeprefix(NO_SIGNAL)
        for signal in result.signals
        if signal.reason.startswith(NO_SIGNAL)
    )
    return said.most_common(1)[0][0] if said else ""
