"""One venue's part of the desk: connect, warm up, stream, sweep. Its trouble stays its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from core.clock import MINUTE, Clock
from core.config import Config
from core.desk.lines import Lines
from core.desk.lock import Lock, lock_account
from core.desk.ports import Gateway, Sink
from core.errors import (
    AuthenticationFailed,
    SafetyRefusal,
    VenueError,
    VenueMaintenance,
    VenueUnavailable,
    in_words,
)
from core.model.event import (
    Event,
    FeedChanged,
    FeedState,
    InvariantBroken,
    RulesChanged,
    VenueChanged,
    VenueOpened,
    VenueState,
)
from core.model.instrument import Instrument
from core.secrets import scrub

CONNECT_LIMIT = 20.0
"""Seconds for one attempt to connect."""
SWEEP_LIMIT = 20.0
SWEEP_EVERY = 10.0
"""Seconds between sweeps, give or take a fifth, while the private stream is up."""
SWEEP_QUIET = 2.0
"""The same while it is not: then asking is all there is."""
SWEEP_GAP = 0.3
"""Seconds between two sweeps at least, whoever asks."""
RULES_EVERY = 900.0
"""Seconds after which a venue's rules for orders are read again."""
RULES_GAP = 5.0
"""The same at least: refusals that only look like those of other rules may come in rows."""
BLIND_AFTER = 3
"""Failed sweeps in a row after which the venue counts as not answering."""
CLOSED_AFTER = 2
"""The same where the venue says itself that it is closed."""
LASTED = 60.0
"""Seconds after which a connection was a good one: the next is tried again at once."""
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_WARM_UP_AT_ONCE = 5
_MOST_WARM_UP = 5_000
"""Candles; more would not come within the limit of time."""
_CHUNK = 200
"""Events of the past handed over before other tasks get the loop."""


class Bulkhead:
    """Keeps one venue connected and asked.

    Args:
        gateway: the venue.
        config: symbols and strategy.
        warmup: candles of the past that the strategy wants at a start.
        cursor: says since when a sweep of a venue must bring fills; 0 when nothing is known.
        sink: takes events.
        lines: the log.
        clock: wall time.
        instruments: filled with the venue's rules; shared with the kill executor.
    """

    def __init__(
        self,
        gateway: Gateway,
        config: Config,
        warmup: int,
        cursor: Callable[[str], int],
        sink: Sink,
        lines: Lines,
        clock: Clock,
        instruments: dict[tuple[str, str], Instrument],
    ) -> None:
        self.gateway = gateway
        self.venue = gateway.venue
        self.tried: asyncio.Event = asyncio.Event()
        """Set after the first sweep, or the first failure to get there."""
        self.up = False
        """Whether the last sweep succeeded."""
        self._config = config
        self._warmup = warmup
        self._cursor = cursor
        self._sink = sink
        self._lines = lines
        self._clock = clock
        self._instruments = instruments
        self._lock: Lock | None = None
        self._account = ""
        self._asked = asyncio.Event()
        self._private_up = False
        self._failures = 0
        self._was_up = False
        self._restart = ""
        self._restarted = asyncio.Event()

    def ask_sweep(self) -> None:
        """Sweep as soon as possible."""
        self._asked.set()

    def restart(self, reason: str) -> None:
        """Connect, warm up, stream and reconcile anew: what is known may be old."""
        self._restart = reason
        self._restarted.set()

    def feed_changed(self, event: FeedChanged) -> None:
        """Note the private stream's state: sweeps are closer together while it is not up."""
        if event.channel == "private":
            up = event.state is FeedState.UP
            if self._private_up != up:
                self._asked.set()
            self._private_up = up

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            AlreadyRunning: another desk holds the account.
            AuthenticationFailed, KeyRefused: the key is no good; only before the first success,
                later it is one more way for a venue to be blind.
        """
        loop = asyncio.get_running_loop()
        attempt = 0
        try:
            while True:
                began = loop.time()
                try:
                    await self._work()
                except SafetyRefusal:
                    raise
                except (VenueError, TimeoutError) as error:
                    if not self._was_up and not _passing(error):
                        raise
                    self._lose(error)
                except Exception as error:
                    self._sink(
                        InvariantBroken(
                            "TASK_DIED",
                            f"the task of {self.venue} ended: {_text(error)}",
                            self._clock.now(),
                        )
                    )
                    self._lose(error)
                self.tried.set()
                if loop.time() - began > LASTED:
                    attempt = 0
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
                attempt += 1
        finally:
            if self._lock is not None:
                self._lock.release()

    async def sweep(self) -> bool:
        """Ask the venue for everything once; return whether it answered."""
        since = self._cursor(self.venue) or self._clock.now() - MINUTE
        try:
            async with asyncio.timeout(SWEEP_LIMIT):
                swept = await self.gateway.sweep(since)
        except (VenueError, TimeoutError) as error:
            self._failures += 1
            closed = isinstance(error, VenueMaintenance) and self._failures >= CLOSED_AFTER
            if self._failures >= BLIND_AFTER or closed:
                self._lose(error)
            return False
        self._failures = 0
        self._hold(swept.account)
        if not self.up and self._was_up:
            self._sink(VenueChanged(self.venue, VenueState.RECONCILING, self._clock.now()))
        self.up = self._was_up = True
        self._sink(swept)
        return True

    async def _work(self) -> None:
        async with asyncio.timeout(CONNECT_LIMIT):
            opened = await self.gateway.connect()
        self._hold(opened.account)
        for instrument in opened.instruments:
            self._instruments[self.venue, instrument.symbol] = instrument
        self._sink(opened)
        symbols = self._symbols(opened)
        await self._warm_up(symbols)
        streams = asyncio.create_task(
            self.gateway.run(symbols, self._sink), name=f"streams {self.venue}"
        )
        sweeps = asyncio.create_task(self._sweep_on(), name=f"sweeps {self.venue}")
        self._restarted.clear()
        restarted = asyncio.create_task(self._restarted.wait())
        rules = asyncio.create_task(self._read_rules(), name=f"rules {self.venue}")
        tasks: tuple[asyncio.Task[Any], ...] = (streams, sweeps, rules, restarted)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if restarted in done:
                raise VenueUnavailable(self._restart)
            for task in done:
                task.result()
            raise RuntimeError("one of its tasks returned")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _symbols(self, opened: VenueOpened) -> list[str]:
        offered = {instrument.symbol for instrument in opened.instruments}
        wanted = self._config.symbols
        missing = [symbol for symbol in wanted if symbol not in offered]
        if missing:
            text = f"{self.venue} does not list {', '.join(missing)}: not traded there"
            self._lines.add("venue", text, "warning")
        return [symbol for symbol in wanted if symbol in offered]

    def _hold(self, account: str) -> None:
        """Lock the account, before anything is sent to it."""
        if account != self._account:
            lock = lock_account(self._config.environment, self.venue, account)
            if self._lock is not None:
                self._lock.release()
            self._lock, self._account = lock, account

    async def _warm_up(self, symbols: list[str]) -> None:
        """Feed recent history, oldest first, so that averages need not wait for it live."""
        gate = asyncio.Semaphore(_WARM_UP_AT_ONCE)

        async def fetch(symbol: str) -> None:
            async with gate:
                try:
                    events = await self._recent(symbol)
                except (VenueError, TimeoutError) as error:
                    text = f"{self.venue} {symbol} starts without history: {_text(error)}"
                    self._lines.add("venue", text, "warning")
                    return
            await hand_over(events, self._sink)

        await asyncio.gather(*(fetch(symbol) for symbol in symbols))

    async def _recent(self, symbol: str) -> list[Event]:
        timeframe = int(self._config.strategy.timeframe)
        events: list[Event] = []
        async with asyncio.timeout(SWEEP_LIMIT):
            if timeframe >= 60:
                count = min(self._warmup, _MOST_WARM_UP)
                events.extend(await self.gateway.candles(symbol, timeframe, count))
            events.extend(await self.gateway.recent_trades(symbol))
        return events

    async def _sweep_on(self) -> None:
        while True:
            self._asked.clear()
            await self.sweep()
            self.tried.set()
            await asyncio.sleep(SWEEP_GAP)
            pause = SWEEP_EVERY if self._private_up and self.up else SWEEP_QUIET
            try:
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2) - SWEEP_GAP):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _read_rules(self) -> None:
        """Keep to what the venue asks of orders, which it may change without a word."""
        misfit = self.gateway.misfit
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RULES_EVERY):
                    await misfit.wait()
            misfit.clear()
            try:
                async with asyncio.timeout(SWEEP_LIMIT):
                    self._compare_rules(await self.gateway.instruments())
            except (VenueError, TimeoutError):
                misfit.set()
            await asyncio.sleep(RULES_GAP)

    def _compare_rules(self, listed: Sequence[Instrument]) -> None:
        known = self._instruments
        changed = [rules for rules in listed if known.get((self.venue, rules.symbol)) != rules]
        for rules in changed:
            before = known.get((self.venue, rules.symbol))
            known[self.venue, rules.symbol] = rules
            if before is None:
                if rules.symbol in self._config.symbols:
                    self.restart(f"{rules.symbol} is listed now")
            elif before.contract_size != rules.contract_size:
                # The streams' decoders count in contracts of the old size.
                self.restart(f"a contract of {rules.symbol} has another size")
        if changed:
            self._sink(RulesChanged(self.venue, tuple(changed), self._clock.now()))

    def _lose(self, error: BaseException) -> None:
        """Tell that the venue is lost, once, and whether it says itself that it is closed."""
        if self.up or not self.tried.is_set():
            self.up = False
            closed = isinstance(error, VenueMaintenance)
            state = VenueState.MAINTENANCE if closed else VenueState.BLIND
            self._sink(VenueChanged(self.venue, state, self._clock.now(), _text(error)))


async def hand_over(events: Sequence[Event], sink: Sink) -> None:
    """Hand over many events at once, in order, and let other tasks run between."""
    for start in range(0, len(events), _CHUNK):
        for event in events[start : start + _CHUNK]:
            sink(event)
        await asyncio.sleep(0)


def _passing(error: BaseException) -> bool:
    """Whether the same attempt may succeed later."""
    return not isinstance(error, AuthenticationFailed)


def _text(error: BaseException) -> str:
    return scrub(in_words(error))[:300]
