"""The past: hourly candles, which risk is judged by; funding and facts, which models look at.

They go in as events like all others, so that a replay knows them too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from core.clock import DAY, HOUR, SECOND, Clock
from core.desk.bulkhead import Bulkhead, hand_over
from core.desk.lines import Lines
from core.desk.ports import Sink
from core.errors import VenueError
from core.model.event import Event
from core.model.instrument import Instrument
from core.model.market import Fact
from core.risk.portfolio import HOUR_S, KEPT, NEEDED
from core.signals.families.basis import KEPT as FACTS
from core.signals.families.funding import KEPT as RATES

LIMIT = 30.0
"""Seconds for one symbol's candles, funding or facts."""
AGAIN = 600.0
"""Seconds until what no venue gave is asked for again."""
SETTLED_AFTER = 60 * SECOND
"""Venues list a settlement some seconds after it."""
_Question = Callable[[str], Awaitable[Sequence[Event]]]
RETRY = 60.0
"""Seconds until what a venue did not tell is asked for again."""


async def bring_hours(
    symbols: Sequence[str], venues: Sequence[Bulkhead], sink: Sink, lines: Lines
) -> None:
    """Ask for three weeks of hours of every symbol, and again daily; returns never.

    The engine adds each hour that ends; asking again fills what was missed while a venue was away.
    """
    while True:
        missing = [symbol for symbol in symbols if not await _bring(symbol, venues, sink)]
        if missing:
            text = f"no {NEEDED} hours of candles of {', '.join(missing)}: their risk is a guess"
            lines.add("risk", text, "warning")
        await asyncio.sleep(AGAIN if missing else DAY / SECOND)


async def _bring(symbol: str, venues: Sequence[Bulkhead], sink: Sink) -> bool:
    for venue in venues:
        if not venue.up:
            continue
        try:
            async with asyncio.timeout(LIMIT):
                candles = await venue.gateway.candles(symbol, HOUR_S, KEPT)
        except (VenueError, TimeoutError):
            continue
        if len(candles) >= NEEDED:
            await hand_over(candles, sink)
            return True
    return False


class Told:
    """What venues tell of the past: asked for at a start, after every hour, and for a new model.

    Streams tell the coming rate, and the index and open interest of the moment: without this,
    features of them would be empty for up to three days after each start, and what was while a
    venue was away would stay unknown.

    Args:
        symbols: of the desk.
        timeframe: of the strategy's candles, at whose ends facts are wanted, seconds.
        listed: what the venues have.
        sink: takes the events.
        lines: the log.
        clock: wall time; venues settle at full hours.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        timeframe: int,
        listed: Mapping[tuple[str, str], Instrument],
        sink: Sink,
        lines: Lines,
        clock: Clock,
    ) -> None:
        self._symbols = symbols
        self._timeframe = timeframe
        self._listed = listed
        self._sink = sink
        self._lines = lines
        self._clock = clock
        self._said: set[tuple[str, str]] = set()
        self._wanted = asyncio.Event()
        self._asked = 0
        """When the last round began, nanoseconds UTC."""

    def want(self) -> None:
        """Ask at once, if a candle has ended since: a model came that looks at what nobody kept."""
        span = self._timeframe * SECOND
        if self._clock.now() // span > self._asked // span:
            self._wanted.set()

    async def bring(self, venues: Sequence[Bulkhead]) -> None:
        """Ask those that are up, all at once, and for what was not told again; returns never."""
        while True:
            waiting = {venue.venue: {"funding", *Fact} for venue in venues}
            while True:
                self._asked = self._clock.now()
                await asyncio.gather(*(self._bring(one, waiting[one.venue]) for one in venues))
                left = (HOUR - self._clock.now() % HOUR + SETTLED_AFTER) / SECOND
                again = left > RETRY and any(waiting.values())
                if await self._wanted_within(RETRY if again else left) or not again:
                    break

    async def _wanted_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)
        wanted = self._wanted.is_set()
        self._wanted.clear()
        return wanted

    async def _bring(self, venue: Bulkhead, waiting: set[str]) -> None:
        """Ask a venue for each kind of past that it has not told yet."""
        gateway = venue.gateway
        questions: dict[str, _Question] = {"funding": partial(gateway.settlements, count=RATES)}
        for fact in Fact:
            questions[fact] = partial(
                gateway.facts, fact=fact, timeframe=self._timeframe, count=FACTS
            )
        for what, ask in questions.items():
            if venue.up and what in waiting and await self._ask(venue, what, ask):
                waiting.discard(what)

    async def _ask(self, venue: Bulkhead, what: str, ask: _Question) -> bool:
        """Hand over what a venue tells of each symbol, until it does not."""
        for symbol in self._symbols:
            if (venue.venue, symbol) not in self._listed:
                continue
            try:
                async with asyncio.timeout(LIMIT):
                    told = await ask(symbol)
            except (VenueError, TimeoutError) as error:
                if (venue.venue, what) not in self._said:
                    self._said.add((venue.venue, what))
                    text = f"{venue.venue} does not tell its past {what}: {error}"
                    self._lines.add("venue", text, "warning")
                return False
            await hand_over(told, self._sink)
        self._said.discard((venue.venue, what))
        return True
