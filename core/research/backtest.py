"""Trading the past: candles through the live engine, matched in process by ``core.matching``."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import inf
from typing import Any

from core.clock import SECOND
from core.config import Config
from core.engine.ahead import Lane
from core.engine.engine import Engine
from core.model.effect import Effect
from core.model.event import TradingState
from core.model.instrument import Instrument
from core.model.market import FactTold
from core.orders.ids import ClientIds
from core.research.bars import Bars, Stretch, blocks, check_bars, stretches
from core.research.candle_venue import NEVER, BarListing, CandleVenue
from core.research.result import BacktestResult, Curve, Result
from core.research.simulation import KEY, Funding, SimulatedVenue
from core.signals.strategy import Strategy


def run_backtest(
    candles: Mapping[Instrument, Bars],
    config: Config,
    *,
    balance: Decimal = Decimal(100_000),
    funding: Mapping[Instrument, Funding] | None = None,
    slippage: float = 0.0,
    facts: Mapping[Instrument, Sequence[FactTold]] | None = None,
    trade_from: int = 0,
    hashing: bool = True,
    make_strategy: Callable[[], Strategy] | None = None,
    progress: Callable[[float], object] | None = None,
) -> BacktestResult:
    """Trade candles with the configured strategy, through the whole order and risk path.

    A market order decided at a bar's close fills at the next bar's open, as taker; the entry that
    follows the exit of a flip fills at the same open. Stops trigger along each bar's path and are
    placed when their entry is filled. A loss limit halts and flattens as it would live. Funding is
    settled at the open of the first bar at or after its time, on what was held into that bar.

    Args:
        candles: columns for each instrument; their spacing is ``config.strategy.timeframe``.
        config: its venues and symbols must cover the instruments.
        balance: cash on each venue at the start, quote.
        funding: settlements, oldest first: nanoseconds UTC, and fraction of notional that longs
            pay.
        slippage: part of the price by which each taker fill is worse.
        facts: index and open interest at the ends of candles, oldest first, for strategies that
            look at them.
        trade_from: candles that open before only warm the strategies; nanoseconds UTC.
        hashing: keep ``decision_hash``.
        make_strategy: see ``Engine``.
        progress: told the part that is done, 0 to 1, at most once an hour of market time.

    Raises:
        ValueError: see ``check_bars``.
    """
    count = check_bars(candles, config)
    start = int(min(bars.ts[0] for bars in candles.values() if len(bars.ts)))
    engine = make_engine(config, hashing, make_strategy)
    begun = time.perf_counter()
    later = {
        rules: [one for one in settled if one[0] > start]
        for rules, settled in (funding or {}).items()
    }
    span = int(config.strategy.timeframe) * SECOND
    venue = CandleVenue(engine, tuple(candles), balance, start, later, slippage, facts, span)
    curve = Curve(engine, count, start, progress)
    timeframe = int(config.strategy.timeframe)
    session = _Session(engine, venue, curve, candles, timeframe, trade_from)
    with _calm():
        curve.note(session.run())
    seconds = time.perf_counter() - begun
    return sum_up(engine, venue, curve, count, seconds, balance * len(config.venues))


def make_engine(
    config: Config, hashing: bool, make_strategy: Callable[[], Strategy] | None
) -> Engine:
    """Return an engine for the past: nobody sweeps it, and its ids are always the same."""
    ids = ClientIds("BACK", 0, KEY)
    return Engine(
        config,
        ids,
        sweep_within=inf,
        hashing=hashing,
        recording=False,
        make_strategy=make_strategy,
    )


@contextmanager
def _calm() -> Iterator[None]:
    """Let the garbage collector look seldom: a run makes no cycles, and a look costs 5 % of it."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Session:
    """Walks the bars of all instruments that opened together, then tells of their closes."""

    def __init__(
        self,
        engine: Engine,
        venue: CandleVenue,
        curve: Curve,
        candles: Mapping[Instrument, Bars],
        timeframe: int,
        trade_from: int,
    ) -> None:
        self._engine = engine
        self._venue = venue
        self._curve = curve
        self._armed_at = trade_from
        if trade_from <= venue.now:
            self._arm()
        self._rules = tuple(candles)
        self._bars = tuple(candles.values())
        self._timeframe = timeframe
        self._listings = [venue.listings[one.venue, one.symbol] for one in self._rules]
        self._done = 0
        self._open_now: list[BarListing] = []
        """The listings that have bars in the stretch that is played."""
        self._venues: tuple[str, ...] = ()
        """Theirs."""
        self._first = 0
        """When it began."""
        self.due = 0
        """When something beside the candles is due next, nanoseconds UTC."""
        self.hour = curve.due
        """When equity is noted and margins are looked at next, nanoseconds UTC."""

    def run(self) -> int:
        """Play everything; return when the last bar closed."""
        end = 0
        for stretch in stretches([bars.ts for bars in self._bars]):
            self._play(stretch)
            last = stretch.first[0] + stretch.count - 1
            end = int(self._bars[stretch.lanes[0]].ts[last]) + self._timeframe * SECOND
        return end

    def _play(self, stretch: Stretch) -> None:
        self._open_now = [self._listings[lane] for lane in stretch.lanes]
        self._venues = tuple(dict.fromkeys([one.rules.venue for one in self._open_now]))
        self._first = int(self._bars[stretch.lanes[0]].ts[stretch.first[0]])
        self._plan()
        lanes = [(one.rules.venue, one.rules.symbol, one.book) for one in self._open_now]
        self._engine.run_candles(lanes, self).play(blocks(self._bars, stretch, self._timeframe))
        self._done += stretch.count * len(lanes)

    def _plan(self) -> None:
        """Work out when something beside the candles is due next."""
        self.due = min(self._armed_at, *[one.due for one in self._open_now])

    def _arm(self) -> None:
        self._armed_at = NEVER
        self._venue.arm()

    def open(self, lanes: Sequence[Lane], at: int) -> None:
        """Match the bars that open together, before any of them closes."""
        venue = self._venue
        ts = venue.now = lanes[0].times[at]
        due = ts >= self.due
        if ts >= self._armed_at:
            self._arm()
        for lane, listing in zip(lanes, self._open_now, strict=True):
            low, high, book = lane.low[at], lane.high[at], listing.book
            listing.price = open_ = lane.open(at)
            listing.top = high
            if due:
                venue.settle(listing)
            if low <= book.below or high >= book.above:
                book.bar(open_, high, low, lane.close[at])
        if due:
            self._plan()

    def look(self, lanes: Sequence[Lane], at: int) -> None:
        """Note equity, and watch the margins, before anything is matched in this hour."""
        ts = lanes[0].times[at]
        rows = (ts - self._first) // (self._timeframe * SECOND)
        self._curve.look(ts, self._done + rows * len(lanes))
        self.hour = self._curve.due
        for name in self._venues:
            self._venue.guard(name)
        for lane, listing in zip(lanes, self._open_now, strict=True):
            listing.price = lane.open(at)

    def hear(self, effects: tuple[Effect, ...], now: int) -> None:
        """Do what the engine asks for at the close of a candle."""
        self._venue.hear(effects, now)


def sum_up(
    engine: Engine,
    venue: SimulatedVenue[Any],
    curve: Curve,
    bars: int,
    seconds: float,
    equity_start: Decimal,
) -> BacktestResult:
    """Return what a finished run came to."""
    ledger = engine.ledger
    equity = engine.equity()
    assert equity is not None
    positions = [one.position for one in venue.listings.values()]
    return BacktestResult(
        bars=bars,
        seconds=seconds,
        orders=venue.orders,
        fills=ledger.fills,
        trades=sum(position.trips for position in positions),
        stops=venue.stops,
        liquidations=venue.liquidations,
        refusals=engine.refusals,
        equity_start=equity_start,
        equity_end=equity,
        realised=ledger.realised,
        fees=ledger.fees,
        funding=ledger.funding,
        refused=dict(sorted(venue.refused.items())),
        failed=tuple(venue.failed),
        results=tuple(
            Result(p.venue, p.symbol, p.trips, p.realised, p.fees, p.funding) for p in positions
        ),
        signals=tuple(venue.signals),
        trips=tuple(venue.trips),
        curve=tuple(curve.points),
        halted=engine.cause if engine.state is TradingState.HALTED else "",
        halted_at=venue.halted,
        decision_hash=engine.decision_hash,
    )
