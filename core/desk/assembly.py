"""A desk's parts, put together: engine, pump, venues, kill executor, guard's post, cord and window.

Nothing runs here and nothing is asked; ``core.desk.desk`` starts the parts and ends them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from subprocess import Popen
from typing import Any

from msgspec import Struct

from core.clock import Clock
from core.config import Config
from core.desk import latch
from core.desk.bulkhead import Bulkhead
from core.desk.charts import Charts
from core.desk.cord import Cord
from core.desk.deadman import DeadMan
from core.desk.guardpost import GuardPost
from core.desk.history import History
from core.desk.identity import Identity, identity
from core.desk.keeping import DiskKeeper, JournalKeeper, RecordingKeeper, StoreKeeper
from core.desk.kill import KillExecutor
from core.desk.kill_worker import Means
from core.desk.latch import Latched
from core.desk.lines import Lines
from core.desk.origin import Origin
from core.desk.ports import Gateway, KillGateway
from core.desk.pulse import Pulse
from core.desk.pump import Pump
from core.desk.trainer import Trainer
from core.desk.watchwords import Hello
from core.desk.window import Window
from core.engine.engine import Engine
from core.home import Home
from core.journal.recording import Session
from core.journal.wal import Journal
from core.model.effect import Record
from core.model.event import KillMode, TradingState
from core.model.instrument import Instrument
from core.model.record import Intent
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from core.signals.folder import find_strategy
from core.signals.stamp import stamp
from core.signals.strategy import named, strategy_maker


class Given(Struct, frozen=True):
    """What a desk is made from; ``core.desk.desk.Desk`` says what each is."""

    config: Config
    home: Home
    gateways: Mapping[str, Gateway]
    kill_gateways: Sequence[KillGateway]
    lines: Lines
    clock: Clock
    origin: Origin
    pulse: Pulse
    validity: float
    guard: Callable[[], Popen[bytes]] | None
    build: str
    request_stop: Callable[[str], None]
    """Ends the desk in order; the argument is the cause."""
    guarded: Callable[[bool], None]
    """Told when a guard is missing for too long, and when it is back."""


class Kept(Struct, frozen=True):
    """What a start has opened already: what is remembered, and where it goes on."""

    journal: Journal
    ledger: Ledger
    latched: Latched | None
    store: StoreKeeper
    disk: DiskKeeper
    started: int
    """Nanoseconds UTC."""


class Assembly:
    """The parts.

    Args:
        given: what the desk is made from.
        kept: what its start has opened.
        closers: what ends each part is added here; called last first.

    Raises:
        ConfigError: the strategy is unknown.
    """

    def __init__(self, given: Given, kept: Kept, closers: list[Callable[[], Any]]) -> None:
        self._given = given
        self._kept = kept
        self._state = given.home.state(given.config.environment)
        self._closers = closers
        self.keepers: list[StoreKeeper | DiskKeeper | JournalKeeper | RecordingKeeper] = []
        """Want to be minded once a second."""
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self.timers: dict[str, DeadMan] = {}
        config, home, clock = given.config, given.home, given.clock
        who, epoch = identity(self._state), kept.journal.epoch
        make_strategy = strategy_maker(
            config.strategy, find_strategy(home.strategies, config.strategy)
        )

        def ids() -> ClientIds:
            return ClientIds(who.instance, epoch, who.key, kept.ledger.next_seq)

        self.engine = Engine(config, ids(), kept.ledger, make_strategy=make_strategy)
        recording = self._record_session(who, epoch) if config.storage.record else None
        self.keepers += [kept.store, kept.disk]
        self.keepers.append(JournalKeeper(kept.journal, self.engine.ledger, clock))
        self.pump = self._make_pump(recording)
        self._make_venues(make_strategy().warmup)
        self.pump.kill = self.kill = self._make_kill(ids())
        if "lightgbm" in named(config.strategy):
            self.pump.trainer = self._make_trainer()
        self.post = self._make_post(epoch)
        self.cord = Cord(
            home.cord_socket,
            self.pump.shut,
            self.pump.sink,
            partial(latch.demand, home.latch(config.environment), config.venues),
            self._state,
            clock,
        )
        self.window = self._make_window()

    def _make_pump(self, recording: RecordingKeeper | None) -> Pump:
        given, kept = self._given, self._kept
        config, store, disk = given.config, kept.store, kept.disk
        halted = kept.ledger.state is TradingState.HALTED
        pump = Pump(
            self.engine,
            kept.journal,
            given.lines,
            History(store.store, kept.ledger, config.storage.article_days),
            Charts(given.gateways, given.clock),
            given.home.latch(config.environment),
            kept.latched,
            given.clock,
            recording.recorder if recording else None,
            TradingState.HALTED if halted else TradingState.DISARMED,
        )
        pump.hindrance = lambda: disk.hindrance or store.hindrance
        self._closers += [pump.close, pump.charts.close]
        return pump

    def _make_venues(self, warmup: int) -> None:
        given = self._given
        for name, gateway in given.gateways.items():
            self.pump.venues[name] = Bulkhead(
                gateway,
                given.config,
                warmup,
                self.engine.cursor,
                self.pump.sink,
                given.lines,
                given.clock,
                self.instruments,
            )
            self._closers.append(gateway.close)
            self.timers[name] = DeadMan(gateway, self.engine.resting, given.lines)

    def _make_kill(self, ids: ClientIds) -> KillExecutor:
        given = self._given
        means = Means(
            ids,
            self._write_intent,
            self.pump.sink,
            self.instruments,
            given.config.max_flatten_slippage,
            given.clock,
            given.validity,
        )
        kill = KillExecutor(given.kill_gateways, means, self._state)
        self._closers += [gateway.close for gateway in given.kill_gateways]
        self._closers.append(kill.close)
        return kill

    async def _write_intent(self, intent: Intent) -> None:
        self._given.lines.effect(Record(intent))
        await self._kept.journal.append_durable(intent)

    def _make_trainer(self) -> Trainer:
        given = self._given
        environment = given.config.environment
        return Trainer(
            given.config,
            given.home.models(environment),
            given.home.history(environment),
            given.home.recordings(environment),
            given.gateways,
            self.instruments,
            self.engine.models.record,
            self.pump.sink,
            given.lines,
            given.clock,
        )

    def _make_post(self, epoch: int) -> GuardPost:
        given = self._given
        config = given.config
        hello = Hello(
            os.getpid(),
            config.environment,
            tuple(given.gateways),
            KillMode(config.guard.mode),
            config.guard.silence,
            config.max_flatten_slippage,
            epoch,
            given.build,
        )
        changed = given.guarded if config.guard.required else None
        return GuardPost(
            given.home.guard_socket, hello, given.guard, self.pump.heed_latch, given.lines, changed
        )

    def _make_window(self) -> Window:
        given, kept = self._given, self._kept
        return Window(
            given.config.environment,
            kept.started,
            self.pump,
            self.kill,
            list(given.gateways.values()),
            self.timers,
            self.post,
            self.instruments,
            given.origin,
            given.lines,
            given.pulse,
            kept.journal,
            kept.store.store,
            given.clock,
            given.request_stop,
        )

    def _record_session(self, who: Identity, epoch: int) -> RecordingKeeper:
        given, kept = self._given, self._kept
        config = given.config
        session = Session(
            config.environment,
            epoch,
            kept.started,
            config.rules(),
            who.instance,
            who.key,
            stamp(given.home.strategies, config.strategy),
            kept.journal.checkpoint,
        )
        folder = given.home.recordings(config.environment)
        keeper = RecordingKeeper(folder, session, config.storage.record_days, given.lines)
        self._closers.append(lambda: keeper.close(self.engine.decision_hash, given.clock.now()))
        self.keepers.append(keeper)
        return keeper
