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
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from subprocess import Popen
from typing import Any

from core.clock import SECOND, Clock, SystemClock
from core.config import Config
from core.desk import disk, latch
from core.desk.bulkhead import Bulkhead
from core.desk.charts import Charts
from core.desk.control import ControlSocket
from core.desk.cord import Cord
from core.desk.deadman import DeadMan
from core.desk.guardpost import GuardPost
from core.desk.history import History
from core.desk.identity import Identity, identity
from core.desk.keeping import DiskKeeper, JournalKeeper, RecordingKeeper, StoreKeeper
from core.desk.kill import KillExecutor
from core.desk.kill_worker import DEADLINE, VALIDITY, Means
from core.desk.lines import Lines
from core.desk.lock import Lock
from core.desk.log_file import LogFile
from core.desk.origin import MarketFacts, Origin
from core.desk.past import bring_hours, bring_told
from core.desk.ports import Gateway, KillGateway, NewsFeed
from core.desk.pulse import Pulse
from core.desk.pump import Pump
from core.desk.slumber import Slumber
from core.desk.summary import DeskSummary, sum_up
from core.desk.supervisor import Supervisor
from core.desk.trainer import Trainer
from core.desk.triggers import KillFile, Signals
from core.desk.watchwords import Hello
from core.desk.window import Window
from core.engine.engine import Engine
from core.errors import ConfigError, VenueError, VenueUnavailable
from core.files import clear_drafts
from core.home import Home
from core.journal import frames, wal
from core.journal.recording import Session
from core.journal.store import Store
from core.model.effect import Record
from core.model.event import (
    Cancel,
    DeskLagged,
    Disarm,
    GuardChanged,
    InvariantBroken,
    Kill,
    KillMode,
    Tick,
    TradingState,
)
from core.model.instrument import Instrument
from core.model.record import Intent
from core.model.snapshot import Snapshot
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from core.signals.folder import find_strategy
from core.signals.stamp import stamp
from core.signals.strategy import named, strategy_maker

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
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._timers: dict[str, DeadMan] = {}
        self._fatal: BaseException | None = None
        self._started = 0
        self._ready_seconds = 0.0
        self._final: Snapshot | None = None
        self._closers: list[Callable[[], Any]] = []
        self.origin = Origin(market)
        self.pulse = Pulse(self._late, config.limits.loop_lag * 500)
        self._tasks = Supervisor(lambda text: self._broken("TASK_DIED", text))
        self._disk = DiskKeeper(self._state, self.lines, self._disarm)
        self._keepers: list[StoreKeeper | DiskKeeper | JournalKeeper | RecordingKeeper] = []
        """Minded once a second."""

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
        ledger = frames.rebuild(replay)
        # A journal that was moved away, or restored from a backup, has forgotten ids that venues
        # remember. Milliseconds are always ahead of a count of orders.
        ledger.next_seq = max(ledger.next_seq, self._started * 1000 // SECOND)
        if replay and replay.torn:
            self.lines.add(
                "info",
                f"journal: a torn tail of {replay.torn} bytes was cut and put beside it",
                "warning",
            )
        if replay and replay.epoch.build not in ("", self._build):
            text = f"this is build {self._build}; {replay.epoch.build} wrote the journal so far"
            self.lines.add("info", text)
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
        )
        self.journal.start(lambda reason: self._broken("JOURNAL_FAILED", reason))
        self._closers.append(self.journal.close)
        self._make(ledger, latched)
        if latched and self.pump.state is not TradingState.HALTED:
            self.pump.sink(Kill(KillMode.HALT, latched.actor, latched.cause, self._clock.now()))
        elif self.pump.state is TradingState.HALTED:
            if not latched:
                self.pump.latch.set(ledger.cause, "journal", KillMode.HALT, set())
            self.lines.add(
                "state", f"HALTED: {ledger.cause}; release it by `killcord resume`", "alarm"
            )

        self.control = ControlSocket(self.window, home.socket)
        await self.control.start()
        self._closers.append(self.control.close)
        self._cord.start()
        self._closers.append(self._cord.close)
        await self._post.open()
        self._closers.append(self._post.close)
        if self._signals is not None:
            self._signals.start()
            self._closers.append(self._signals.close)
        self._start_tasks(latched)

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
        told = partial(bring_told, symbols, timeframe, venues, self._instruments, sink, self.lines)
        keep(later(partial(told, self._clock)), "past facts")
        if self.pump.trainer is not None:
            keep(later(self.pump.trainer.run), "learning")
        for venue in venues:
            self._tasks.start(self._run_venue(venue), venue.venue)
        for name, timer in self._timers.items():
            keep(timer.run, f"dead-man {name}")
        if latched:
            for name in latched.pending:
                self._tasks.start(self._finish_kill(name, latched), f"kill {name}")

    def _make(self, ledger: Ledger, latched: latch.Latched | None) -> None:
        """Put engine, recorder, pump, venues, kill executor, guard's post and window together."""
        config, lines = self.config, self.lines
        who = identity(self._state)
        epoch = self.journal.epoch
        halted = ledger.state is TradingState.HALTED
        own = find_strategy(self._home.strategies, config.strategy)
        make_strategy = strategy_maker(config.strategy, own)
        ids = ClientIds(who.instance, epoch, who.key, ledger.next_seq)
        self.engine = Engine(config, ids, ledger, make_strategy=make_strategy)
        recording = self._record_session(who, epoch) if config.storage.record else None
        self._keepers += [self._store, self._disk]
        self._keepers.append(JournalKeeper(self.journal, self.engine.ledger, self._clock))
        self.pump = Pump(
            self.engine,
            self.journal,
            lines,
            History(self._store.store, ledger, config.storage.article_days),
            Charts(self._gateways, self._clock),
            self._home.latch(config.environment),
            latched,
            self._clock,
            recording.recorder if recording else None,
            TradingState.HALTED if halted else TradingState.DISARMED,
        )
        self.pump.hindrance = lambda: self._disk.hindrance or self._store.hindrance
        self._closers += [self.pump.close, self.pump.charts.close]
        self._make_venues(make_strategy().warmup)
        self._make_kill(ClientIds(who.instance, epoch, who.key, ledger.next_seq))
        if "lightgbm" in named(config.strategy):
            self.pump.trainer = self._make_trainer()
        self._post = self._make_post(epoch)
        self._cord = Cord(
            self._home.cord_socket,
            self.pump.shut,
            self.pump.sink,
            partial(latch.demand, self._home.latch(config.environment), config.venues),
            self._state,
            self._clock,
        )
        self.window = Window(
            self.environment,
            self._started,
            self.pump,
            self.kill,
            list(self._gateways.values()),
            self._timers,
            self._post,
            self._instruments,
            self.origin,
            lines,
            self.pulse,
            self.journal,
            self._store.store,
            self._clock,
            self.request_stop,
        )

    def _make_venues(self, warmup: int) -> None:
        for name, gateway in self._gateways.items():
            self.pump.venues[name] = Bulkhead(
                gateway,
                self.config,
                warmup,
                self.engine.cursor,
                self.pump.sink,
                self.lines,
                self._clock,
                self._instruments,
            )
            self._closers.append(gateway.close)
            self._timers[name] = DeadMan(gateway, self.engine.resting, self.lines)

    def _make_kill(self, ids: ClientIds) -> None:
        means = Means(
            ids,
            self._write_intent,
            self.pump.sink,
            self._instruments,
            self.config.max_flatten_slippage,
            self._clock,
            self._validity,
        )
        self.pump.kill = self.kill = KillExecutor(self._kill_gateways, means, self._state)
        self._closers += [gateway.close for gateway in self._kill_gateways]
        self._closers.append(self.kill.close)

    def _make_trainer(self) -> Trainer:
        config = self.config
        return Trainer(
            config,
            self._home.models(config.environment),
            self._home.history(config.environment),
            self._home.recordings(config.environment),
            self._gateways,
            self._instruments,
            self.engine.models.record,
            self.pump.sink,
            self.lines,
            self._clock,
        )

    def _make_post(self, epoch: int) -> GuardPost:
        config, home = self.config, self._home
        hello = Hello(
            os.getpid(),
            self.environment,
            tuple(self._gateways),
            KillMode(config.guard.mode),
            config.guard.silence,
            config.max_flatten_slippage,
            epoch,
            self._build,
        )
        heed = self.pump.heed_latch
        changed = self._guarded if config.guard.required else None
        return GuardPost(home.guard_socket, hello, self._guard, heed, self.lines, changed)

    def _record_session(self, who: Identity, epoch: int) -> RecordingKeeper:
        config, home = self.config, self._home
        session = Session(
            self.environment,
            epoch,
            self._started,
            config.model_dump(mode="json", exclude={"storage"}),
            who.instance,
            who.key,
            stamp(home.strategies, config.strategy),
            self.journal.checkpoint,
        )
        folder, days = self._home.recordings(config.environment), config.storage.record_days
        keeper = RecordingKeeper(folder, session, days, self.lines)
        self._closers.append(lambda: keeper.close(self.engine.decision_hash, self._clock.now()))
        self._keepers.append(keeper)
        return keeper

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
        self._tasks.keep(self._post.run, "guard")
        count = sum(venue.up for venue in venues)
        self.lines.add(
            "state", f"ready in {self._ready_seconds:.1f} s: {count} of {len(venues)} venues"
        )

    def _unlisted(self) -> list[str]:
        listed = {symbol for _, symbol in self._instruments}
        return [symbol for symbol in self.config.symbols if symbol not in listed]

    async def _wind_down(self) -> None:
        """Stop opening risk, cancel entries, let what is on its way come home, look once more."""
        try:
            await self._settle_up()
        finally:
            self._post.end()

    async def _settle_up(self) -> None:
        if self._signals is not None and self._signals.terminated:
            with suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE + self._validity):
                    await self.kill.report()
        elif self.pump.state is not TradingState.HALTED:
            self.pump.sink(Disarm("desk", self._clock.now()))
            self._cancel_entries()
        await self.pump.drain(5.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(v.sweep() for v in self.pump.venues.values() if v.up))
                await self.pump.drain(2.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(timer.disarm() for timer in self._timers.values()))

    def _cancel_entries(self) -> None:
        """Leave nothing behind that could open a position: nobody would give it a stop."""
        for each in list(self.engine.ledger.working.values()):
            if not each.terminal and not each.order.reduce_only:
                self.pump.sink(Cancel("", "desk", self._clock.now(), each.order.client_id))

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
            for keeper in self._keepers:
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

    async def _write_intent(self, intent: Intent) -> None:
        self.lines.effect(Record(intent))
        await self.journal.append_durable(intent)

    # --- summary ------------------------------------------------------------------------------

    def summary(self) -> DeskSummary:
        """Return what the run came to so far."""
        picture = self._final or self.window.snapshot()
        return sum_up(picture, self.origin.facts, self.pump, self.pulse, self._ready_seconds)
