"""The desk: boots, runs and ends everything that trades.

Boot: lock, journal, ledger, engine, store, control socket, then every venue at once: connect, warm
up, stream, sweep. A venue that is down is BLIND and tried again; the others trade. The desk is
ready when each venue has been swept or has failed once.

Ends: ``stop`` (also SIGINT and the end of ``stop_after``) disarms, waits for what is on its way,
sweeps once more and leaves positions with their stops. SIGTERM pulls the kill cord in
``KILL_SIGNAL_MODE`` and ends when the venues have answered; SIGUSR1, SIGUSR2 and the kill file pull
it and go on. SIGHUP is ignored: a terminal that closes takes nothing with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from subprocess import Popen
from typing import Any

from core.clock import SECOND, Clock, SystemClock
from core.config import Config, differences
from core.desk import disk, latch
from core.desk.assembly import Assembly, Given, Kept
from core.desk.bulkhead import Bulkhead
from core.desk.control import ControlSocket
from core.desk.ending import settle_up
from core.desk.keeping import DiskKeeper, StoreKeeper
from core.desk.kill_worker import DEADLINE, VALIDITY
from core.desk.lines import Lines
from core.desk.lock import Lock
from core.desk.log_file import LogFile
from core.desk.origin import MarketFacts, Origin
from core.desk.past import Told, bring_hours
from core.desk.ports import Gateway, KillGateway, NewsFeed
from core.desk.pulse import Pulse
from core.desk.slumber import Slumber
from core.desk.summary import DeskSummary, sum_up
from core.desk.supervisor import Supervisor
from core.desk.triggers import KillFile, Signals
from core.errors import ConfigError, VenueError, VenueUnavailable
from core.files import clear_drafts
from core.home import Home
from core.journal import frames, wal
from core.journal.store import Store
from core.model.event import (
    DeskLagged,
    Disarm,
    GuardChanged,
    InvariantBroken,
    Kill,
    KillMode,
    Tick,
    TradingState,
)
from core.model.snapshot import Snapshot
from core.portfolio.ledger import Ledger

READY_LIMIT = 30.0
"""Seconds that ``run`` waits for the first word of every venue."""
PORTFOLIO_EVERY = 10
"""Seconds between portfolio rows."""


class Desk:
    """A desk on one home and one environment.

    Args:
        config: checked configuration.
        home: where everything is kept.
        gateways: one for each venue of the configuration.
        kill_gateways: the same venues on the kill path.
        market: tells where prices come from; may block, called off the loop.
        clock: wall time.
        validity: seconds between the sweeps that prove a kill; see ``core.desk.kill_worker``.
        signals: handle the process's signals.
        news: where news comes from; None: none is read.
        guard: starts the guard's process; None: none is started.
        build: version and code of the program, for the journal and the guard.
    """

    def __init__(
        self,
        config: Config,
        home: Home,
        gateways: Sequence[Gateway],
        kill_gateways: Sequence[KillGateway],
        market: Callable[[], MarketFacts] = lambda: MarketFacts("live"),
        clock: Clock | None = None,
        validity: float = VALIDITY,
        signals: bool = True,
        news: NewsFeed | None = None,
        guard: Callable[[], Popen[bytes]] | None = None,
        build: str = "",
    ) -> None:
        self.config = config
        self.environment = config.environment
        self.lines = Lines(clock or SystemClock())
        self.ready = asyncio.Event()
        """Set when every venue has been swept or has failed once."""
        self._home = home
        self._gateways = {gateway.venue: gateway for gateway in gateways}
        self._kill_gateways = kill_gateways
        self._clock = clock or SystemClock()
        self._validity = validity
        self._signals = Signals(self.pull, self.request_stop) if signals else None
        self._news = news
        self._guard = guard
        self._build = build
        self._state = home.state(config.environment)
        self._stopping = asyncio.Event()
        self._winding: asyncio.Task[None] | None = None
        self._fatal: BaseException | None = None
        self._started = 0
        self._ready_seconds = 0.0
        self._final: Snapshot | None = None
        self._closers: list[Callable[[], Any]] = []
        self.origin = Origin(market)
        self.pulse = Pulse(self._late, config.limits.loop_lag * 500)
        self._tasks = Supervisor(lambda text: self._broken("TASK_DIED", text))
        self._disk = DiskKeeper(self._state, self.lines, self._disarm)

    # --- life ---------------------------------------------------------------------------------

    async def run(self, stop_after: float | None = None) -> DeskSummary:
        """Boot, trade until told to stop, end in order; return the summary.

        Args:
            stop_after: seconds after which the desk stops by itself; None: never.

        Raises:
            SafetyRefusal: another desk holds the home or an account, or a key must not be used.
            AuthenticationFailed: a key is wrong.
            VenueUnavailable: no venue answers at all.
            StateError: journal or store cannot be used.
        """
        try:
            await self._boot()
            self._tasks.start(self._get_ready(), "ready")
            with suppress(TimeoutError):
                async with asyncio.timeout(stop_after):
                    await self._stopping.wait()
            if self._fatal is None:
                self._winding = asyncio.create_task(self._wind_down())
                await asyncio.wait([self._winding])
                self._final = self.window.snapshot()
        finally:
            await self._close()
        if self._fatal is not None:
            raise self._fatal
        return self.summary()

    def request_stop(self, cause: str) -> None:
        """End the desk in order; a second request ends it without waiting for venues."""
        if not self._stopping.is_set():
            self.lines.add("state", f"stopping: {cause}")
        elif self._winding is not None:
            self._winding.cancel()
        self._stopping.set()

    async def _boot(self) -> None:
        config, home = self.config, self._home
        self._started = self._clock.now()
        home.make(config.environment)
        lock = Lock(home.lock, f"the home {home.data}", note=config.environment)
        self._closers.append(lock.release)
        disk.check(self._state)
        for folder in (self._state, self._state / "journal", home.run):
            clear_drafts(folder)
        self._log = LogFile(home.log)
        self._log.start()
        self._closers += [self._log.close, self.lines.subscribe(self._log.write)]

        replay = frames.load(self._state / "journal")
        ledger = self._remember(replay)
        latched = latch.read(home.latch(config.environment))
        latch.keep_room(home.latch(config.environment))
        self._store = StoreKeeper(
            Store(config.storage.database_url, self._state), self.lines, self._disarm
        )
        await self._store.check()
        self._closers.append(self._store.close)
        self.journal = wal.begin(
            self._state / "journal",
            config.environment,
            replay,
            ledger,
            self._started,
            build=self._build,
            settings=config.rules(),
        )
        self.journal.start(lambda reason: self._broken("JOURNAL_FAILED", reason))
        self._closers.append(self.journal.close)
        self._make(ledger, latched)
        self._stay_halted(ledger, latched)
        await self._open_doors()
        self._start_tasks(latched)

    def _remember(self, replay: frames.Replay | None) -> Ledger:
        """Return what the journal leads to."""
        ledger = frames.rebuild(replay)
        # A journal that was moved away, or restored from a backup, has forgotten ids that venues
        # remember. Milliseconds are always ahead of a count of orders.
        ledger.next_seq = max(ledger.next_seq, self._started * 1000 // SECOND)
        if replay and replay.torn:
            text = f"journal: a torn tail of {replay.torn} bytes was cut and put beside it"
            self.lines.add("info", text, "warning")
        if replay and replay.epoch.build not in ("", self._build):
            text = f"this is build {self._build}; {replay.epoch.build} wrote the journal so far"
            self.lines.add("info", text)
        if replay:
            for change in differences(replay.epoch.settings, self.config.rules()):
                self.lines.add("info", f"since the last start {change}")
        return ledger

    def _make(self, ledger: Ledger, latched: latch.Latched | None) -> None:
        given = Given(
            self.config,
            self._home,
            self._gateways,
            self._kill_gateways,
            self.lines,
            self._clock,
            self.origin,
            self.pulse,
            self._validity,
            self._guard,
            self._build,
            self.request_stop,
            self._guarded,
        )
        kept = Kept(self.journal, ledger, latched, self._store, self._disk, self._started)
        parts = self._parts = Assembly(given, kept, self._closers)
        self.engine, self.pump, self.kill = parts.engine, parts.pump, parts.kill
        self.window = parts.window

    def _stay_halted(self, ledger: Ledger, latched: latch.Latched | None) -> None:
        """One witness is enough: the latch or the journal."""
        if latched and self.pump.state is not TradingState.HALTED:
            self.pump.sink(Kill(KillMode.HALT, latched.actor, latched.cause, self._clock.now()))
        elif self.pump.state is TradingState.HALTED:
            if not latched:
                self.pump.latch.set(ledger.cause, "journal", KillMode.HALT, set())
            text = f"HALTED: {ledger.cause}; release it by `killcord resume`"
            self.lines.add("state", text, "alarm")

    async def _open_doors(self) -> None:
        """Let terminals, commands, the cord, guards and signals in."""
        parts = self._parts
        self.control = ControlSocket(self.window, self._home.socket)
        await self.control.start()
        self._closers.append(self.control.close)
        parts.cord.start()
        self._closers.append(parts.cord.close)
        await parts.post.open()
        self._closers.append(parts.post.close)
        if self._signals is not None:
            self._signals.start()
            self._closers.append(self._signals.close)

    def _start_tasks(self, latched: latch.Latched | None) -> None:
        keep = self._tasks.keep
        keep(self._tick_on, "ticks")
        keep(KillFile(self._state / "KILL", self.pull).watch, "kill file")
        keep(self.origin.run, "market facts")
        keep(self.pulse.run, "pulse")
        keep(Slumber(self._clock, self._jumped).watch, "clocks")
        later, symbols, sink = self._when_ready, self.config.symbols, self.pump.sink
        venues = tuple(self.pump.venues.values())
        if self._news is not None:
            keep(later(partial(self._news.run, sink)), "news")
        keep(later(partial(bring_hours, symbols, venues, sink, self.lines)), "hours")
        timeframe = int(self.config.strategy.timeframe)
        listed = self._parts.instruments
        told = Told(symbols, timeframe, listed, sink, self.lines, self._clock)
        keep(later(partial(told.bring, venues)), "past facts")
        if self.pump.trainer is not None:
            keep(later(partial(self.pump.trainer.run, told.want)), "learning")
        for venue in venues:
            self._tasks.start(self._run_venue(venue), venue.venue)
        for name, timer in self._parts.timers.items():
            keep(timer.run, f"dead-man {name}")
        if latched:
            for name in latched.pending:
                self._tasks.start(self._finish_kill(name, latched), f"kill {name}")

    async def _run_venue(self, venue: Bulkhead) -> None:
        try:
            await venue.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fatal = self._fatal or error
            self._stopping.set()
        finally:
            venue.tried.set()

    async def _finish_kill(self, name: str, latched: latch.Latched) -> None:
        """Go on with a kill that ended before the venue had proved it."""
        venue = self.pump.venues.get(name)
        if venue is not None:
            await venue.tried.wait()
            cause = f"unfinished: {latched.cause}"
            self.pump.sink(Kill(latched.mode, latched.actor, cause, self._clock.now(), name))

    async def _get_ready(self) -> None:
        venues = self.pump.venues.values()
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_LIMIT):
                await asyncio.gather(*(venue.tried.wait() for venue in venues))
        if self._stopping.is_set():
            return
        picture = self.window.snapshot()
        if not any(venue.up for venue in venues):
            reasons = "; ".join(f"{v.venue}: {v.reason}" for v in picture.venues)
            self._fatal = VenueUnavailable(f"no venue answers ({reasons}); check the network")
            self._stopping.set()
            return
        if all(venue.up for venue in venues) and (unlisted := self._unlisted()):
            names = ", ".join(self.config.venues)
            self._fatal = ConfigError(
                [f"symbols: {', '.join(unlisted)}: on none of {names}; correct the configuration"]
            )
            self._stopping.set()
            return
        self._ready_seconds = (self._clock.now() - self._started) / SECOND
        self.ready.set()
        self._log.open()
        await self._store.open()
        with suppress(VenueError, TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(gateway.open() for gateway in self._kill_gateways))
        self.pulse.settle()
        self._tasks.keep(self._parts.post.run, "guard")
        count = sum(venue.up for venue in venues)
        self.lines.add(
            "state", f"ready in {self._ready_seconds:.1f} s: {count} of {len(venues)} venues"
        )

    def _unlisted(self) -> list[str]:
        listed = {symbol for _, symbol in self._parts.instruments}
        return [symbol for symbol in self.config.symbols if symbol not in listed]

    async def _wind_down(self) -> None:
        killed = self._signals is not None and self._signals.terminated
        patience = DEADLINE + self._validity if killed else None
        try:
            await settle_up(self._parts, self._clock, patience)
        finally:
            self._parts.post.end()

    async def _close(self) -> None:
        """Undo the boot, last first; one failure does not keep the rest open."""
        await self._tasks.cancel()
        self.pulse.close()
        for close in reversed(self._closers):
            try:
                result = close()
                if result is not None:
                    async with asyncio.timeout(15.0):
                        await result
            except Exception as error:
                self.lines.add("info", f"while closing: {error!r}", "warning")
        self._closers.clear()

    def pull(self, mode: KillMode, cause: str, actor: str) -> None:
        """Pull the kill cord."""
        self.pump.sink(Kill(mode, actor, cause, self._clock.now()))

    # --- timers -------------------------------------------------------------------------------

    async def _tick_on(self) -> None:
        count = 0
        while True:
            now = self._clock.now()
            await asyncio.sleep(1.0 - now % SECOND / SECOND)
            self.pump.sink(Tick(self._clock.now()))
            count += 1
            if count % PORTFOLIO_EVERY == 0:
                self.pump.history.portfolio(self.window.snapshot())
            for keeper in self._parts.keepers:
                keeper.mind()

    def _when_ready(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return ``work`` with a wait before it: trading comes first."""

        async def run() -> None:
            await self.ready.wait()
            await work()

        return run

    # --- trouble ------------------------------------------------------------------------------

    def _broken(self, code: str, text: str) -> None:
        self.pump.sink(InvariantBroken(code, text, self._clock.now()))

    def _disarm(self, actor: str) -> None:
        if self.pump.state is TradingState.ARMED:
            self.pump.sink(Disarm(actor, self._clock.now()))

    def _jumped(self, seconds: float) -> None:
        """Believe nothing that was known before the clocks parted."""
        reason = f"the clock jumped by {seconds:+.0f} s: this machine slept, or its clock was set"
        self._broken("CLOCK_JUMPED", reason)
        for venue in self.pump.venues.values():
            venue.restart(reason)

    def _guarded(self, present: bool) -> None:
        self.pump.sink(GuardChanged(present, self._clock.now()))

    def _late(self, lag_ms: float) -> None:
        self.pump.sink(DeskLagged(lag_ms / 1000, self._clock.now()))

    # --- summary ------------------------------------------------------------------------------

    def summary(self) -> DeskSummary:
        """Return what the run came to so far."""
        picture = self._final or self.window.snapshot()
        return sum_up(picture, self.origin.facts, self.pump, self.pulse, self._ready_seconds)
