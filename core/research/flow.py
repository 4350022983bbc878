"""Trading recorded order flow: trades and books through the live engine, as they came in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from core.clock import SECOND
from core.config import Config
from core.model.account import VenueSwept
from core.model.event import Event, FeedChanged, SentimentScored, Tick, VenueOpened
from core.model.instrument import Instrument
from core.model.market import (
    BadMessage,
    BookTop,
    Candle,
    Depth,
    FactTold,
    FundingSettled,
    Ticker,
    Trade,
)
from core.research.backtest import make_engine, sum_up
from core.research.flow_venue import FlowVenue
from core.research.result import BacktestResult, Curve
from core.research.simulation import Funding
from core.signals.strategy import Strategy

LATENCY = 50_000_000
"""Nanoseconds that an order travels to a venue, and its answer back, unless told otherwise."""
_TELL_EVERY = 5_000
_FLOW = (Trade, BookTop, Depth, Ticker)
_WORLD = (*_FLOW, Candle, FundingSettled, FactTold, BadMessage, FeedChanged, SentimentScored, Tick)
"""What a recording says of the world; the rest is what a desk did in it."""


def run_flow(
    events: Iterable[Event],
    instruments: Sequence[Instrument],
    config: Config,
    *,
    start: int,
    total: int = 0,
    balance: Decimal = Decimal(100_000),
    funding: Mapping[Instrument, Funding] | None = None,
    latency: int = LATENCY,
    hashing: bool = True,
    make_strategy: Callable[[], Strategy] | None = None,
    progress: Callable[[float], object] | None = None,
) -> BacktestResult:
    """Trade recorded market events with the configured strategy, through the whole order path.

    Where the events are a desk's recording, venues open when they opened for that desk, and time
    passes when it passed for it; else venues open at the first event and time passes each second.

    Args:
        events: in the order received.
        instruments: all of them on venues the configuration names.
        config: see ``core.research.backtest``.
        start: not later than the first event, nanoseconds UTC.
        total: how many events there are, where that is known; tells the progress.
        balance: cash on each venue at the start, quote.
        funding: settlements; where there are none, recorded tickers say when and how much.
        latency: of orders and answers, one way, nanoseconds.
        hashing: keep ``decision_hash``.
        make_strategy: see ``Engine``.
        progress: told the part that is done, 0 to 1.

    Raises:
        ValueError: no events, or instruments that do not fit the configuration.
    """
    if {one.venue for one in instruments} != set(config.venues):
        raise ValueError("the configured venues must be those of the instruments")
    engine = make_engine(config, hashing, make_strategy)
    begun = time.perf_counter()
    player = _Player(FlowVenue(engine, instruments, balance, start, funding or {}, latency))
    curve: Curve | None = None
    count = 0
    for event in events:
        player.play(event)
        count += 1
        now = event.received
        if curve is None:
            if engine.equity() is not None:
                curve = Curve(engine, 1, now, None)
        elif now >= curve.due:
            curve.look(now, 0)
        if progress is not None and total and not count % _TELL_EVERY:
            progress(count / total)
    if curve is None:
        raise ValueError("no events")
    curve.note(player.end())
    seconds = time.perf_counter() - begun
    return sum_up(engine, player.venue, curve, count, seconds, balance * len(config.venues))


class _Player:
    """Lets time pass between the venue and the engine."""

    def __init__(self, venue: FlowVenue) -> None:
        self.venue = venue
        self._opened = False
        self._recorded = False
        """Whether the events are those of a desk, with its own clock and connections."""
        self._next = 0
        self._closed = set(venue.names)
        self._unswept = set(venue.names)

    def play(self, event: Event) -> None:
        """Take the next event."""
        venue = self.venue
        now = event.received
        if not self._opened:
            self._open(event)
        if not self._recorded:
            while self._next <= now:
                venue.advance(self._next)
                venue.tell(Tick(self._next))
                self._next += SECOND
        venue.advance(max(now, venue.now))
        if isinstance(event, VenueOpened | VenueSwept):
            self._connect(event)
        elif isinstance(event, _WORLD):
            venue.see(event)
            venue.tell(event)

    def _open(self, event: Event) -> None:
        self._opened = True
        self.venue.now = event.received
        self._recorded = not isinstance(event, _FLOW)
        if not self._recorded:
            self._next = event.received - event.received % SECOND + SECOND
            self.venue.open()
            self.venue.arm()

    def _connect(self, event: VenueOpened | VenueSwept) -> None:
        """Open a venue when it opened for the desk, and sweep it when it was first swept."""
        name = event.venue
        if isinstance(event, VenueOpened) and name in self._closed:
            self._closed.discard(name)
            self.venue.open_venue(name)
        elif isinstance(event, VenueSwept) and name in self._unswept - self._closed:
            self._unswept.discard(name)
            self.venue.sweep_venue(name)
            if not self._unswept:
                self.venue.arm()

    def end(self) -> int:
        """Wait for what is under way; return the time."""
        venue = self.venue
        last = venue.now + 10 * SECOND
        while venue.busy and venue.now < last:
            venue.advance(venue.now + SECOND // 10)
        return venue.now
