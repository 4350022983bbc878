"""One sequence of events in, one sequence of effects out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from core.clock import MINUTE
from core.config import Config
from core.engine.ahead import Bounds
from core.engine.booking import Booking
from core.engine.control import Control
from core.engine.dealing import Dealing
from core.engine.equity import EquityWatch
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.invariants import Invariants
from core.engine.models import ModelRoom
from core.engine.news import NewsRoom
from core.engine.picture import Painter, ShellFacts
from core.engine.reconciler import Reconciler
from core.engine.run import PERIOD, CandleRun, Floor
from core.engine.tracking import Tracking
from core.engine.whatif import Weigher
from core.engine.world import World
from core.model.account import Balance, FundingPaid, PositionReport, VenueSwept
from core.model.effect import Effect, Record
from core.model.event import (
    AnswerSignal,
    Arm,
    Cancel,
    Close,
    DeskLagged,
    Disarm,
    Event,
    FeedChanged,
    GuardChanged,
    InvariantBroken,
    Kill,
    KillReported,
    ModelDemoted,
    ModelPromoted,
    MoveStop,
    Pause,
    ResolveOrder,
    Resume,
    RulesChanged,
    SentimentScored,
    Submit,
    Tick,
    TradingState,
    VenueChanged,
    VenueOpened,
)
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
from core.model.order import CancelSent, Fill, OrderAbsent, OrderKind, OrderReport, OrderSent
from core.model.snapshot import Snapshot
from core.model.whatif import WhatIf
from core.model.why import Why
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from core.signals.strategy import Strategy

_NOTHING: tuple[Effect, ...] = ()
_OVERLAP = 5 * MINUTE
"""A sweep asks for fills this far before the newest one known: streams may have skipped some."""
_BATCH = 256
"""Effects hashed at once. Lines of JSON: the hash does not depend on where batches end."""


class Engine:
    """The sole owner of trading state: synchronous, deterministic, free of I/O.

    Time comes in with the events (``received``), ids from ``ids``; the same ids, ledger and events
    give the same effects, live, in a backtest and in a replay.

    Args:
        config: limits and strategy.
        ids: makes client order ids; start it at ``ledger.next_seq``.
        ledger: rebuilt from the journal at boot (``Ledger.replay``); None for a first start.
        sweep_within: seconds without a sweep after which a venue stops opening risk.
        hashing: keep ``decision_hash``.
        recording: ask for records to be written; without it nothing of a run survives it.
        make_strategy: makes one strategy per instrument; None for the built-in one that the
            configuration names.

    Raises:
        ConfigError: the strategy is unknown.
    """

    def __init__(
        self,
        config: Config,
        ids: ClientIds,
        ledger: Ledger | None = None,
        *,
        sweep_within: float = 60.0,
        hashing: bool = True,
        recording: bool = True,
        make_strategy: Callable[[], Strategy] | None = None,
    ) -> None:
        ledger = ledger if ledger is not None else Ledger()
        self._recording = recording
        world = self._world = World(config, ids, ledger, make_strategy, recording=recording)
        tracking = self._tracking = Tracking(world)
        execution = self._execution = Execution(world, tracking)
        tracking.settle = execution.settle
        booking = self._booking = Booking(world, tracking)
        self._reconciler = Reconciler(world, tracking, booking, execution.settle, sweep_within)
        control = self._control = Control(world, execution)
        dealing = Dealing(world, execution, tracking)
        self._invariants = Invariants(world)
        self._equity = EquityWatch(world, control.pull)
        feed = self._feed = Feed(world, execution.follow)
        news = self._news = NewsRoom(world)
        models = self.models = ModelRoom(world)
        """The models on duty."""
        self._painter = Painter(world, control, self._equity, execution, news, models)
        self._weigher = Weigher(world, dealing, execution)
        self.ledger = world.ledger
        self.events = 0
        """Events taken so far."""
        self._out = world.out
        self.due = 0
        """When it next looks at equity and at what waits for time to pass, nanoseconds UTC."""
        self._hash = blake2b(digest_size=16) if hashing else None
        self._unhashed: list[Effect] = []
        self._encode = msgspec.json.Encoder().encode_lines
        self._handlers: dict[type, Callable[[Any], object]] = {
            Trade: feed.trade,
            BookTop: feed.top,
            Depth: feed.depth,
            Ticker: feed.ticker,
            Candle: feed.candle,
            FundingSettled: feed.settled,
            FactTold: feed.told,
            BadMessage: feed.bad,
            OrderSent: tracking.sent,
            CancelSent: tracking.cancelled,
            OrderReport: tracking.reported,
            OrderAbsent: tracking.absent,
            Fill: self._filled,
            Balance: booking.balance,
            PositionReport: booking.position,
            FundingPaid: booking.paid,
            VenueSwept: self._swept,
            VenueOpened: self._reconciler.opened,
            RulesChanged: self._reconciler.rules_changed,
            FeedChanged: self._reconciler.feed,
            VenueChanged: self._reconciler.changed,
            Arm: control.arm,
            Disarm: control.disarm,
            Kill: control.kill,
            Resume: control.resume,
            Submit: dealing.submit,
            Cancel: dealing.cancel,
            ResolveOrder: dealing.resolve,
            Close: dealing.close,
            MoveStop: dealing.move_stop,
            AnswerSignal: dealing.answer_signal,
            Pause: control.pause,
            KillReported: control.kill_reported,
            SentimentScored: self._scored,
            ModelPromoted: models.promoted,
            ModelDemoted: models.demoted,
            Tick: self._tick,
            DeskLagged: control.lagged,
            GuardChanged: control.guard_changed,
            InvariantBroken: control.broken,
        }
        tracking.restore()

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        """Return an engine in the same state that goes on by itself: a replay goes back to it."""
        memo[id(self._world.config)] = self._world.config
        if self._hash is not None:
            memo[id(self._hash)] = self._hash.copy()
        twin = Engine.__new__(Engine)
        memo[id(self)] = twin
        twin.__dict__.update(deepcopy(self.__dict__, memo))
        return twin

    @property
    def state(self) -> TradingState:
        """The trading state."""
        return self._world.state

    @property
    def opens(self) -> bool:
        """Whether an order that adds risk may leave now: armed, and the desk keeps time."""
        return self._control.opens

    @property
    def cause(self) -> str:
        """Why the trading state is what it is."""
        return self._world.cause

    @property
    def refusals(self) -> int:
        """Orders the gate refused so far."""
        return self._world.refusals

    def equity(self) -> Decimal | None:
        """Return cash plus unrealised P&L over all venues; None before any account is known."""
        return self._world.equity()

    def worth(self) -> float:
        """Return the same as float, in a tenth of the time; what has no price counts as flat."""
        return self._world.worth()

    @property
    def decision_hash(self) -> str:
        """Hex digest over every decision so far: all effects but records, in order.

        Empty without ``hashing``.
        """
        if self._hash is None:
            return ""
        self._flush_hash()
        return self._hash.hexdigest()

    def cursor(self, venue: str) -> int:
        """Return since when a sweep of a venue must bring fills, nanoseconds of the venue clock."""
        account = self.ledger.accounts.get(venue)
        if account is None:
            return 0
        return max(account.since, account.cursor - _OVERLAP)

    def resting(self, venue: str) -> tuple[str, ...]:
        """Return the symbols in which ordinary orders of ours work, or may work, on a venue."""
        return tuple(
            {
                order.order.symbol
                for order in self.ledger.working.values()
                if order.order.venue == venue and order.order.kind is not OrderKind.STOP
            }
        )

    def process(self, event: Event) -> tuple[Effect, ...]:
        """Take one event into account and return what the shell must do, in order."""
        world = self._world
        now = event.received
        if now > world.now:
            world.now = now
        self.events += 1
        self._handlers[type(event)](event)
        return self.finish(now) if self._out or now >= self.due else _NOTHING

    def finish(self, now: int) -> tuple[Effect, ...]:
        """Let time pass after an event and return the effects; for ``CandleRun``."""
        world = self._world
        if now >= self.due:
            self.due = world.now + PERIOD
            if world.pending:
                self._wake()
            self._equity.watch()
        out = self._out
        if not out:
            return _NOTHING
        effects = tuple(out)
        out.clear()
        if self._hash is not None:
            self._unhashed += effects
            if len(self._unhashed) >= _BATCH:
                self._flush_hash()
        return effects

    def run_candles(self, lanes: Sequence[tuple[str, str, Bounds]], floor: Floor) -> CandleRun:
        """Return what takes candles of some instruments faster than ``process`` one by one.

        Args:
            lanes: venue, symbol and what rests there; candles are all the market they have.
            floor: where orders meet the candles.
        """
        world = self._world
        slots = [(world.slot(venue, symbol), bounds) for venue, symbol, bounds in lanes]
        return CandleRun(self, world, self._feed, self._equity, slots, floor)

    def snapshot(self, now: int, facts: ShellFacts) -> Snapshot:
        """Return the picture at ``now`` (nanoseconds UTC)."""
        return self._painter.paint(now, facts, self.events)

    def weigh(self, order: Submit) -> WhatIf:
        """Return what the gate would say to an order now, and what it would lead to.

        Not an event: nothing is sent, recorded or changed, and replays do not see it.
        """
        return self._weigher.weigh(order)

    def why(self, name: str) -> Why | None:
        """Return what a decision rested on; None when it is not known, or no longer.

        Args:
            name: a client order id, or ``venue|symbol`` for the last signal there.
        """
        return self._world.reasons.find(self._execution.gate, name)

    def _flush_hash(self) -> None:
        if self._unhashed and self._hash is not None:
            decisions = self._unhashed
            if self._recording:  # records repeat what came in and what is decided beside them
                decisions = [effect for effect in decisions if type(effect) is not Record]
            self._hash.update(self._encode(decisions))
            self._unhashed.clear()

    def _swept(self, event: VenueSwept) -> None:
        moved = self.ledger.shifted
        self._reconciler.swept(event)
        if self.ledger.shifted != moved:
            self._equity.load_marks()

    def _filled(self, event: Fill) -> None:
        """Book a fill; one that is news says what following a model costs."""
        if self._booking.filled(event):
            self.models.filled(event)

    def _scored(self, event: SentimentScored) -> None:
        """Take in what the news says: for the pane and the gate, then for the strategies."""
        self._news.scored(event)
        self._feed.sentiment(event)

    def _tick(self, event: Tick) -> None:
        """Let time pass: candles close, venues grow old, the desk arms itself."""
        self._feed.beat()
        self.models.beat()
        self._reconciler.beat()
        self._control.beat()
        for code, text in self._invariants.breaches():
            self._control.broken(InvariantBroken(code, text, event.received))

    def _wake(self) -> None:
        """Do what waited for time to pass: at most four times a second of engine time."""
        tracking, execution = self._tracking, self._execution
        if tracking.pending or execution.pending:
            tracking.beat()
            execution.beat()
            self._world.pending = tracking.pending or execution.pending
        else:
            self._world.pending = False
