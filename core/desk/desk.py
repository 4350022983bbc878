"""The desk: boots, runs and ends everything that trades.

Boot: lock, journal, ledger, engine, store, control socket, then every venue at once: connect, warm
up, stream, sweep. A venue that is down is BLIND and tried again; the others trade. The desk is
ready when each venue has been swept or has failed once.

Ends: ``stop`` (also SIGINT and the end of ``stop_after``) disarms, waits for what is on its way,
sweeps once more and leaves positions with their stops. SIGTERM pulls the kill cord in
``KILL_SIGNAL_MODE`` and ends when the venues have answered; SIGUSR1 and the kill file pull it and
go on. SIGHUP is ignored: a terminal that closes takes nothing with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from core.clock import SECOND, Clock, SystemClock
from core.config import Config
from core.desk import disk, latch
from core.desk.bulkhead import Bulkhead
from core.desk.charts import Charts
from core.desk.control import ControlSocket
from core.desk.deadman import DeadMan
from core.desk.history import History
from core.desk.identity import identity
from core.desk.kill import DEADLINE, VALIDITY, KillExecutor, KillReport
from core.desk.lines import Lines, LogFile
from core.desk.lock import Lock
from core.desk.metrics import exposition
from core.desk.ports import Gateway, KillGateway, NewsFeed
from core.desk.pulse import Pulse
from core.desk.pump import Pump
from core.desk.routes import rank, route
from core.engine.engine import Engine
from core.engine.picture import ShellFacts, VenueFacts
from core.errors import ConfigError, StoreError, VenueError, VenueUnavailable
from core.home import Home
from core.journal import wal
from core.journal.recording import Recorder
from core.journal.store import Store
from core.model.effect import Answer, Record
from core.model.event import (
    Command,
    Disarm,
    InvariantBroken,
    Kill,
    KillMode,
    Submit,
    Tick,
    TradingState,
    VenueState,
)
from core.model.instrument import Instrument
from core.model.snapshot import BarView, DepthView, Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from core.orders.ids import ClientIds
from core.orders.records import Intent
from core.portfolio.ledger import Ledger
from core.signals.folder import find_strategy
from core.signals.registry import find_model
from core.signals.strategy import strategy_maker

KILL_SIGNAL_MODE = KillMode.CANCEL
"""What SIGTERM and SIGUSR1 pull: infrastructure sends signals, and an infrastructure fault is no
reason to sell; positions keep their stops. ``killcord kill``, hotkeys and loss limits flatten."""
KILL_POLL = 0.2
"""Seconds between looks for the kill file."""
READY_LIMIT = 30.0
"""Seconds that ``run`` waits for the first word of every venue."""
PORTFOLIO_EVERY = 10
"""Seconds between portfolio rows."""
MARKET_EVERY = 2.0
TURN_AFTER = 200_000
"""Journal records after which a new file is begun: a start replays about 160,000 a second."""
PICTURE_AGE = 45_000_000
"""Nanoseconds for which a picture is shared between readers."""


class MarketFacts(Struct, frozen=True):
    """Where prices come from, as told by who started the desk."""

    text: str
    """See ``Snapshot.market``."""
    recording: dict[str, Any] = {}
    """File, span, messages played; empty when no recording is played."""


class VenueSummary(Struct, frozen=True):
    """One venue's part of the summary."""

    orders: int
    fills: int
    state: str


class DeskSummary(Struct, frozen=True, tag_field="type", tag="summary"):
    """What a run came to; the last line of a headless run."""

    environment: str
    seconds: float
    market: str
    venues: dict[str, VenueSummary]
    events: int
    signals: int
    orders: int
    fills: int
    refusals: int
    equity_start: float | None
    equity_end: float | None
    realised: float
    open_positions: int
    unknown_orders: int
    discrepancies: int
    state: str
    loop_lag_ms: float
    """Worst of the run."""
    gc_pause_ms: float
    """Longest since the desk was ready."""
    ready_seconds: float
    decision_hash: str
    recording: dict[str, Any] = {}


class Desk:
    """A desk on one home and one environment.

    Args:
        config: checked configuration.
        home: where everything is kept.
        gateways: one for each venue of the configuration.
        kill_gateways: the same venues on the kill path.
        market: tells where prices come from; may block, called off the loop.
        clock: wall time.
        validity: seconds between the sweeps that prove a kill; see ``core.desk.kill``.
        signals: handle the process's signals.
        news: where news comes from; None: none is read.
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
    ) -> None:
        self.config = config
        self.environment = config.environment
        self.lines = Lines(clock or SystemClock())
        self.ready = asyncio.Event()
        """Set when every venue has been swept or has failed once."""
        self._home = home
        self._gateways = gateways
        self._kill_gateways = kill_gateways
        self._market = market
        self._clock = clock or SystemClock()
        self._validity = validity
        self._signals = signals
        self._news = news
        self._state = home.state(config.environment)
        self._stopping = asyncio.Event()
        self._winding: asyncio.Task[None] | None = None
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._timers: dict[str, DeadMan] = {}
        self._fatal: BaseException | None = None
        self._killing = False
        self._facts = MarketFacts("")
        self._started = 0
        self._ready_seconds = 0.0
        self._picture: tuple[int, int, bytes] = (-1, 0, b"")
        self._final: Snapshot | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Any]] = []
        self.pulse = Pulse(self._late)
        self._recording: Recorder | None = None
        self._dropped = 0
        self._tight = False

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
            self._tasks.append(asyncio.create_task(self._get_ready(), name="ready"))
            with suppress(TimeoutError):
                async with asyncio.timeout(stop_after):
                    await self._stopping.wait()
            if self._fatal is None:
                self._winding = asyncio.create_task(self._wind_down())
                await asyncio.wait([self._winding])
                self._final = self.snapshot()
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
        lock = Lock(home.lock, f"the home {home.data}")
        self._closers.append(lock.release)
        disk.check(self._state)
        self._log = LogFile(home.data / "killcord.log")
        self._log.start()
        self._closers += [self._log.close, self.lines.subscribe(self._log.write)]

        replay = wal.load(self._state / "journal")
        ledger = wal.rebuild(replay)
        if replay and replay.torn:
            self.lines.add(
                "info", f"journal: a torn tail of {replay.torn} bytes was cut", "warning"
            )
        latched = latch.read(home.latch(config.environment))
        self.store = Store(config.storage.database_url, self._state)
        await self.store.check()
        if not self.store.deferrable:
            await self.store.open(self._store_told)
        self._closers.append(self._close_store)
        self.journal = wal.begin(
            self._state / "journal",
            config.environment,
            replay,
            ledger,
            self._started,
        )
        self.journal.start(self._journal_failed)
        self._closers.append(self.journal.close)
        self._make(ledger, latched)
        if latched and self.pump.state is not TradingState.HALTED:
            self.pump.sink(Kill(KillMode.HALT, latched.actor, latched.cause, self._clock.now()))
        elif self.pump.state is TradingState.HALTED:
            if not latched:
                self.pump.keep_latch(ledger.cause)
            self.lines.add(
                "state", f"HALTED: {ledger.cause}; release it by `killcord resume`", "alarm"
            )

        self.control = ControlSocket(self, home.socket)
        await self.control.start()
        self._closers.append(self.control.close)
        if self._signals:
            self._handle_signals()
        self._supervise(self._tick_on, "ticks")
        self._supervise(self._watch_kill_file, "kill file")
        self._supervise(self._watch_market, "market facts")
        self._supervise(self.pulse.run, "pulse")
        if self._news is not None:
            self._supervise(self._read_news, "news")
        for venue in self.pump.venues.values():
            self._tasks.append(asyncio.create_task(self._run_venue(venue), name=venue.venue))
        for name, timer in self._timers.items():
            self._supervise(timer.run, f"dead-man {name}")
        if latched:
            for name in latched.pending:
                self._tasks.append(asyncio.create_task(self._finish_kill(name, latched)))

    def _make(self, ledger: Ledger, latched: latch.Latched | None) -> None:
        """Put engine, recorder, pump, venues and kill executor together."""
        config = self.config
        who = identity(self._state)
        epoch = self.journal.epoch
        ids = ClientIds(who.instance, epoch, who.key, ledger.next_seq)
        halted = ledger.state is TradingState.HALTED
        recorder = self._recorder(epoch) if config.storage.record else None
        own = find_strategy(self._home.strategies, config.strategy) | find_model(
            self._home.models, config.strategy
        )
        self.engine = Engine(
            config, ids, ledger, make_strategy=strategy_maker(config.strategy, own)
        )
        self.pump = Pump(
            self.engine,
            self.journal,
            self.lines,
            History(self.store, ledger),
            Charts({gateway.venue: gateway for gateway in self._gateways}, self._clock),
            self._home.latch(config.environment),
            latched,
            self._clock,
            recorder,
            TradingState.HALTED if halted else TradingState.DISARMED,
        )
        self._closers += [self.pump.close, self.pump.charts.close]
        instruments = self._instruments
        for gateway in self._gateways:
            self.pump.venues[gateway.venue] = Bulkhead(
                gateway,
                config,
                self.engine.cursor,
                self.pump.sink,
                self.lines,
                self._clock,
                instruments,
            )
            self._closers.append(gateway.close)
            self._timers[gateway.venue] = DeadMan(gateway, self.engine.resting, self.lines)
        self.pump.kill = self.kill = KillExecutor(
            self._kill_gateways,
            ClientIds(who.instance, epoch, who.key, ledger.next_seq),
            self._write_intent,
            self.pump.sink,
            instruments,
            config.max_flatten_slippage,
            self._state,
            self._clock,
            self._validity,
        )
        self._closers += [gateway.close for gateway in self._kill_gateways]
        self._closers.append(self.kill.close)

    def _recorder(self, epoch: int) -> Recorder:
        start = datetime.fromtimestamp(self._started / SECOND, UTC)
        facts = {
            "environment": self.environment,
            "epoch": epoch,
            "started": self._started,
            "config": self.config.model_dump(mode="json", exclude={"storage"}),
        }
        loop = asyncio.get_running_loop()

        def failed(reason: str) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.lines.add, "info", reason, "alarm")

        recorder = Recorder(
            self._state / "recording",
            f"{start:%Y%m%dT%H%M%S}-{epoch:06d}",
            facts,
            self.config.storage.record_days,
            failed,
        )
        recorder.start()
        self._recording = recorder
        self._closers.append(lambda: asyncio.to_thread(recorder.close))
        return recorder

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
        picture = self.snapshot()
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
        await self._open_store()
        with suppress(VenueError, TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(gateway.open() for gateway in self._kill_gateways))
        self.pulse.settle()
        count = sum(venue.up for venue in venues)
        self.lines.add(
            "state", f"ready in {self._ready_seconds:.1f} s: {count} of {len(venues)} venues"
        )

    def _unlisted(self) -> list[str]:
        listed = {symbol for _, symbol in self._instruments}
        return [symbol for symbol in self.config.symbols if symbol not in listed]

    async def _wind_down(self) -> None:
        """Stop opening risk, let what is on its way come home, look once more."""
        if self._killing:
            with suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE + self._validity):
                    await self.kill.report()
        elif self.pump.state is not TradingState.HALTED:
            self.pump.sink(Disarm("desk", self._clock.now()))
        await self.pump.drain(5.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(v.sweep() for v in self.pump.venues.values() if v.up))
                await self.pump.drain(2.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(*(timer.disarm() for timer in self._timers.values()))

    async def _close(self) -> None:
        """Undo the boot, last first; one failure does not keep the rest open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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

    # --- triggers -----------------------------------------------------------------------------

    def pull(self, mode: KillMode, cause: str, actor: str) -> None:
        """Pull the kill cord."""
        self.pump.sink(Kill(mode, actor, cause, self._clock.now()))

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self.request_stop, "interrupted")
        loop.add_signal_handler(
            signal.SIGUSR1, self.pull, KILL_SIGNAL_MODE, "SIGUSR1", f"signal:{os.getuid()}"
        )
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        handled = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        self._closers.append(lambda: [loop.remove_signal_handler(s) for s in handled] and None)

    def _terminate(self) -> None:
        self._killing = True
        self.pull(KILL_SIGNAL_MODE, "SIGTERM", f"signal:{os.getuid()}")
        self.request_stop("SIGTERM")

    async def _watch_kill_file(self) -> None:
        """Pull the cord when ``<state>/KILL`` appears; its text may name the mode."""
        path = self._state / "KILL"
        while True:
            if path.exists():
                self.pull(_kill_file_mode(path), f"kill file {path}", "file")
                path.unlink(missing_ok=True)
            await asyncio.sleep(KILL_POLL)

    # --- timers -------------------------------------------------------------------------------

    def _supervise(self, work: Callable[[], Any], name: str) -> None:
        """Keep a background task running; its death closes the gate."""

        async def run() -> None:
            while True:
                try:
                    await work()
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    text = f"the task {name!r} ended: {type(error).__name__}: {error}"
                    self.pump.sink(InvariantBroken("TASK_DIED", text, self._clock.now()))
                await asyncio.sleep(1.0)

        self._tasks.append(asyncio.create_task(run(), name=name))

    async def _tick_on(self) -> None:
        count = turned = 0
        while True:
            now = self._clock.now()
            await asyncio.sleep(1.0 - now % SECOND / SECOND)
            self.pump.sink(Tick(self._clock.now()))
            if self._recording is not None:
                self._recording.flush()
            count += 1
            if count % PORTFOLIO_EVERY == 0:
                self.pump.history.portfolio(self.snapshot())
            self._mind_store()
            self._mind_disk()
            if self.journal.stats.records - turned >= TURN_AFTER:
                turned = self.journal.stats.records
                self.journal.turn(self.engine.ledger, self._clock.now())

    async def _watch_market(self) -> None:
        while True:
            with suppress(VenueUnavailable):
                self._facts = await asyncio.to_thread(self._market)
            await asyncio.sleep(MARKET_EVERY)

    async def _read_news(self) -> None:
        await self.ready.wait()  # trading comes first
        if self._news is not None:
            await self._news.run(self.pump.sink)

    # --- trouble ------------------------------------------------------------------------------

    def _journal_failed(self, reason: str) -> None:
        self.pump.sink(InvariantBroken("JOURNAL_FAILED", reason, self._clock.now()))

    async def _open_store(self) -> None:
        if not self.store.opened:
            try:
                await self.store.open(self._store_told)
            except StoreError as error:
                self._store_told(str(error))

    async def _close_store(self) -> None:
        """Write what the run left, also when it ended before it was ready."""
        await self._open_store()
        await self.store.close()

    def _store_told(self, reason: str) -> None:
        """Say that the store is down (a reason) or back (none); trading goes on."""
        level = "alarm" if reason else "info"
        self.lines.add("info", f"store: {reason or 'is back'}", level)

    def _mind_store(self) -> None:
        """Stop opening risk when history is being lost: a store may be late, never forgetful."""
        dropped = self.store.stats.dropped
        if dropped > self._dropped and self.pump.state is TradingState.ARMED:
            self.lines.add("info", f"store: {dropped} rows are lost", "alarm")
            self.pump.sink(Disarm("store", self._clock.now()))
        self._dropped = dropped

    def _mind_disk(self) -> None:
        """Stop opening risk before the disk is full, while there is room to close it."""
        left = disk.free(self._state)
        tight = left < disk.TRADE
        if tight and not self._tight:
            text = f"{left // 2**20} MB free at {self._state}: opening no risk; free some, then arm"
            self.lines.add("info", text, "alarm")
        if tight and self.pump.state is TradingState.ARMED:
            self.pump.sink(Disarm("disk", self._clock.now()))
        self._tight = tight

    def _late(self, lag_ms: float) -> None:
        self.lines.add("info", f"the desk's loop was {lag_ms:.0f} ms late", "warning")

    async def _write_intent(self, intent: Intent) -> None:
        self.lines.effect(Record(intent))
        await self.journal.append_durable(intent)

    # --- what the control socket asks -----------------------------------------------------------

    @property
    def version(self) -> int:
        """A number that changes when the picture does."""
        return self.pump.events

    def now(self) -> int:
        """Return nanoseconds UTC."""
        return self._clock.now()

    def snapshot(self) -> Snapshot:
        """Return the picture now."""
        return self.engine.snapshot(
            self._clock.now(),
            ShellFacts(
                environment=self.environment,
                market=self._facts.text,
                started=self._started,
                venues={g.venue: _facts(g, self._timers.get(g.venue)) for g in self._gateways},
                log=self.lines.last(100),
                loop_lag_ms=self.pulse.lag_ms,
            ),
        )

    def picture(self) -> bytes:
        """Return the snapshot as JSON, shared between readers for 45 ms."""
        version, made, data = self._picture
        now = self._clock.now()
        if version != self.version and now - made > PICTURE_AGE:
            data = msgspec.json.encode(self.snapshot())
            self._picture = (self.version, now, data)
        return data

    def depth(self, venue: str, symbol: str) -> tuple[DepthView, ...]:
        """Return book levels; empty strings mean any."""
        return self.pump.depth(venue, symbol)

    def candles(self, venue: str, symbol: str, timeframe: int, count: int) -> tuple[BarView, ...]:
        """Return the last bars of an instrument, oldest first, the running one included."""
        return self.pump.charts.bars(venue, symbol, timeframe, count)

    def watch(self, venue: str, symbol: str, timeframe: int, count: int) -> WatchView:
        """Return books and public trades of a symbol on all venues, and one venue's bars."""
        return WatchView(
            symbol,
            venue,
            timeframe,
            self.pump.depth("", symbol),
            self.candles(venue, symbol, timeframe, count),
            self.pump.charts.prints(symbol),
        )

    def weigh(self, order: Submit) -> WhatIf:
        """Return what an order would do, and what it would cost on each venue's live book."""
        routes = [
            route(instrument, self.pump.depths.get(key), order.side, order.qty)
            for key, instrument in self._instruments.items()
            if key[1] == order.symbol
        ]
        found = self.engine.weigh(order)
        return msgspec.structs.replace(found, routes=rank(routes, order.side))

    def why(self, name: str) -> Why | None:
        """Return what a decision rested on and what became of it; None when it is not known."""
        found = self.engine.why(name)
        if found is None:
            order = self.engine.ledger.find(name)
            if order is None:
                return None
            intent = order.order
            words = f"{intent.side} {intent.qty} {intent.kind}, reduces: never vetoed"
            found = Why(
                name, intent.venue, intent.symbol, intent.created, words, None, "DONE", None, ()
            )
        return msgspec.structs.replace(found, happenings=self.pump.trails.of(found.client_id))

    async def command(self, command: Command) -> Answer:
        """Hand a command to the engine and return its answer."""
        return await self.pump.command(command)

    async def kill_report(self) -> KillReport:
        """Wait for the verdicts of the running or last kill."""
        return await self.kill.report()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the desk lives: its loop turns and its journal is written."""
        lag = self.pulse.lag_ms
        good = lag < 250 and not self.journal.failure
        return good, {
            "loop_lag_ms": round(lag, 2),
            "journal": self.journal.failure or "ok",
            "store": self.store.stats.failure or "ok",
            "pid": os.getpid(),
        }

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every venue is ready, and which is not."""
        states = {venue.venue: venue.state.value for venue in self.snapshot().venues}
        good = all(state == VenueState.READY.value for state in states.values())
        return good, {"venues": states, "state": self.pump.state.value}

    def metrics(self) -> bytes:
        """Return Prometheus text."""
        return exposition(self.snapshot(), self.journal.stats, self.store.stats, self.pulse)

    # --- summary ------------------------------------------------------------------------------

    def summary(self) -> DeskSummary:
        """Return what the run came to so far."""
        picture = self._final or self.snapshot()
        venues = {v.venue: VenueSummary(v.orders, v.fills, v.state.value) for v in picture.venues}
        return DeskSummary(
            environment=self.environment,
            seconds=round((picture.ts - self._started) / SECOND, 3),
            market=picture.market,
            venues=venues,
            events=self.pump.events,
            signals=self.pump.signals,
            orders=sum(venue.orders for venue in venues.values()),
            fills=sum(venue.fills for venue in venues.values()),
            refusals=picture.refusals,
            equity_start=_float(picture.equity_start),
            equity_end=_float(picture.equity),
            realised=float(picture.realised),
            open_positions=len(picture.positions),
            unknown_orders=picture.unknown_orders,
            discrepancies=picture.discrepancies,
            state=picture.state.value,
            loop_lag_ms=round(self.pulse.worst_ms, 2),
            gc_pause_ms=round(self.pulse.gc_pause_ms, 2),
            ready_seconds=round(self._ready_seconds, 3),
            decision_hash=self.engine.decision_hash,
            recording=self._facts.recording,
        )


def _facts(gateway: Gateway, timer: DeadMan | None) -> VenueFacts:
    stats = gateway.stats
    return VenueFacts(
        messages=stats.messages,
        bad_messages=stats.bad_messages,
        reconnects=stats.reconnects,
        last_message=dict(stats.last_message),
        latency_ms=stats.latency_ms,
        dead_man=timer.scope if timer is not None else "",
        dead_man_s=timer.remaining if timer is not None else None,
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _kill_file_mode(path: Path) -> KillMode:
    """Read the mode that a kill file names; an empty or odd one means CANCEL."""
    try:
        return KillMode(path.read_text(errors="replace")[:100].strip().lower())
    except (OSError, ValueError):
        return KillMode.CANCEL
