"""Events in, effects out: the one place where the engine meets the world.

``sink`` is synchronous: it numbers and records the event, lets the engine decide, and carries the
effects out in order. What takes time (a disk sync, a venue) becomes a task whose result comes back
as an event. An order's bytes leave only after its intent is on disk, and not at all once the gate
has closed, unless the order can only reduce.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.clock import SECOND, Clock
from core.desk.bulkhead import Bulkhead
from core.desk.charts import Charts
from core.desk.history import History
from core.desk.kill import KillExecutor
from core.desk.latch import Latched
from core.desk.latch_keeper import LatchKeeper
from core.desk.lines import Lines
from core.desk.trails import Trails
from core.desk.trainer import Trainer
from core.engine.engine import Engine
from core.engine.invariants import GatePassed
from core.errors import StateError, VenueError
from core.journal.recorder import Recorder
from core.journal.wal import Journal
from core.model.effect import (
    Answer,
    CancelOrder,
    Effect,
    ExecuteKill,
    ModelDropped,
    Notify,
    PredictionScored,
    QueryOrder,
    Record,
    RequestSweep,
    RiskEvent,
    SetLeverage,
    Signalled,
    StateChanged,
    SubmitOrder,
)
from core.model.event import (
    Arm,
    Command,
    Event,
    FeedChanged,
    InvariantBroken,
    Kill,
    KillMode,
    KillReported,
    SentimentScored,
    TradingState,
)
from core.model.market import BookTop, Candle, Depth, Ticker, Trade
from core.model.order import Order, OrderSent, Outcome
from core.model.record import Intent
from core.secrets import scrub

FAILURE_AGAIN = 10 * SECOND
"""The same failure of the engine is told at most this often while nothing can be opened."""
ANSWER_LIMIT = 5.0
"""Seconds that a command waits for an answer the engine does not give at once."""
_SILENT = (Trade, BookTop, Depth, Ticker)
"""Events that never have a line of their own: most of all events."""


class Pump:
    """Feeds the engine and does what it says.

    Args:
        engine: decides.
        journal: takes records; an intent is awaited before its order is sent.
        lines: the log.
        history: the SQL store.
        charts: bars and public trades for terminals.
        latch_path: the file that means HALTED.
        latched: what it says now.
        clock: wall time.
        recorder: takes every event first; None when nothing is recorded.
        state: where the engine starts.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        lines: Lines,
        history: History,
        charts: Charts,
        latch_path: Path,
        latched: Latched | None,
        clock: Clock,
        recorder: Recorder | None,
        state: TradingState,
    ) -> None:
        self.engine = engine
        self.state = state
        self.events = 0
        self.signals = 0
        self.depths: dict[tuple[str, str], Depth] = {}
        self.venues: dict[str, Bulkhead] = {}
        self.kill: KillExecutor | None = None
        self.trainer: Trainer | None = None
        self.hindrance: Callable[[], str] = str
        """Says why the desk may not be armed; nothing when it may."""
        self._journal = journal
        self._lines = lines
        self.history = history
        self.charts = charts
        self.trails = Trails()
        self._clock = clock
        self._recorder = recorder
        self._pending: deque[Event] = deque()
        self._busy = False
        self._shut = False
        """Nothing that adds risk leaves, whatever the engine says: somebody pulled the cord and it
        has not heard of it yet, or has just, or it failed on that."""
        self._failure = ("", 0)
        """What the engine last failed of, and when that was told."""
        self._durable: dict[str, asyncio.Future[None]] = {}
        self._leverage: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: list[Answer] | None = None
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self.latch = LatchKeeper(latch_path, latched, lines, clock, self._spawn)
        self._do: dict[type, Callable[[Any], None]] = {
            Record: self._write,
            SubmitOrder: self._submit,
            CancelOrder: self._cancel,
            QueryOrder: self._query,
            RequestSweep: self._sweep,
            SetLeverage: self._set_leverage,
            ExecuteKill: self._execute_kill,
            StateChanged: self._change_state,
            Signalled: self._signal,
            PredictionScored: history.prediction,
            ModelDropped: self._dropped,
            RiskEvent: self._risk,
            Answer: self._answer,
            Notify: self._lines.effect,
        }
        self._show: dict[type, Callable[[Any], None]] = {
            Trade: self._traded,
            Depth: self._deepened,
            Candle: history.candle,
            FeedChanged: self._feed_changed,
            KillReported: self.latch.report,
            SentimentScored: history.news,
        }

    def sink(self, event: Event) -> None:
        """Take an event. Never blocks, never raises."""
        self._pending.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._pending:
                self._handle(self._pending.popleft())
        finally:
            self._busy = False

    async def command(self, command: Command) -> Answer:
        """Hand a command to the engine and return its answer."""
        self.heed_latch()
        if isinstance(command, Arm) and (why := self.hindrance()):
            return Answer("", False, "NOT_ARMED", why)
        request = getattr(command, "request", "")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if request:
            self._waiting[request] = future
        answers: list[Answer] = []
        self._answers = answers
        try:
            self.sink(command)
        finally:
            self._answers = None
        try:
            if answers:
                answer = answers[0]
            elif request:
                async with asyncio.timeout(ANSWER_LIMIT):
                    answer = await future
            else:
                answer = Answer("", True, "DONE", self.state.value)
        except TimeoutError:
            answer = Answer(request, False, "NO_ANSWER", f"no answer within {ANSWER_LIMIT:g} s")
        finally:
            self._waiting.pop(request, None)
        self.history.command(command, answer)
        return answer

    def shut(self, _: Kill) -> None:
        """Let nothing that adds risk leave from this instant; any thread may say so."""
        self._shut = True

    def heed_latch(self) -> None:
        """Obey a latch that another set: the guard while this loop stood still, or a person."""
        if self._shut or self.state is TradingState.HALTED:
            return
        if (found := self.latch.find()) is not None:
            self.sink(Kill(KillMode.HALT, found.actor, found.cause, self._clock.now()))

    async def drain(self, patience: float) -> bool:
        """Wait until no request is on its way; return whether that came true in time."""
        deadline = asyncio.get_running_loop().time() + patience
        while self._tasks:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            await asyncio.wait(self._tasks, timeout=left)
        return True

    async def close(self) -> None:
        """Drop what is still on its way; what it was is in the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.latch.close()

    # --- one event ----------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        self.events += 1
        if self._recorder is not None:
            self._recorder.add(event)
        try:
            effects = self.engine.process(event)
        except Exception as error:
            self._engine_failed(event, error)
            return
        if effects and self._recorder is not None:
            self._recorder.decided(effects)
        try:
            self._tell(event)
        except Exception as error:
            self._step_failed(event, event, error)
        for effect in effects:
            try:
                self._do[type(effect)](effect)
            except Exception as error:
                self._step_failed(event, effect, error)

    def _tell(self, event: Event) -> None:
        """Tell of an event itself; what the engine made of it comes as effects."""
        if not isinstance(event, _SILENT):
            self._lines.event(event)
        show = self._show.get(type(event))
        if show is not None:
            show(event)

    def _traded(self, trade: Trade) -> None:
        self.history.trade(trade)
        self.charts.trade(trade)

    def _deepened(self, depth: Depth) -> None:
        self.depths[depth.venue, depth.symbol] = depth

    def _feed_changed(self, event: FeedChanged) -> None:
        venue = self.venues.get(event.venue)
        if venue is not None:
            venue.feed_changed(event)

    def _engine_failed(self, event: Event, error: Exception) -> None:
        """Close the gate: a decision that could not be made is an invariant that broke."""
        name, now = type(event).__name__, self._clock.now()
        text = scrub(f"{type(error).__name__}: {error}")
        if isinstance(event, Kill):
            self._kill_regardless(event)
        elif isinstance(event, InvariantBroken):
            self._shut = True
        said, at = self._failure
        if said == name + text and now - at < FAILURE_AGAIN and not self.engine.opens:
            return  # of a thousand messages a second each may fail
        self._failure = (name + text, now)
        self._lines.add("risk", f"the engine failed on {name}: {text}", "alarm")
        logging.getLogger("killcord").error("engine failed on %s", name, exc_info=error)
        if not isinstance(event, InvariantBroken):
            code = "GATE_PASSED" if isinstance(error, GatePassed) else "ENGINE_FAILED"
            self._pending.append(InvariantBroken(code, f"{name}: {text}", now))

    def _kill_regardless(self, kill: Kill) -> None:
        """Do what a kill asks for without the engine, which failed on it."""
        self._shut = True
        self.latch.set(kill.cause, kill.actor, KillMode.HALT, set())
        self._execute_kill(ExecuteKill(kill.mode, kill.cause, kill.actor, kill.venue))
        text = "the engine failed on the kill, which goes on without it: stop this desk afterwards"
        self._lines.add("risk", text, "alarm")

    def _step_failed(self, event: Event, step: Event | Effect, error: Exception) -> None:
        text = f"{type(step).__name__} failed: {scrub(str(error))}"
        self._lines.add("risk", text, "alarm")
        if not isinstance(event, InvariantBroken):  # which may fail of the same, for ever
            self._pending.append(InvariantBroken("EFFECT_FAILED", text, self._clock.now()))

    # --- effects ------------------------------------------------------------------------------

    def _write(self, effect: Record) -> None:
        record = effect.record
        if type(record) is Intent:
            self._durable[record.order.client_id] = self._journal.append_durable(record)
        else:
            self._journal.append(record)
        self.history.record(record)
        self.trails.add(record)
        self._lines.effect(effect)

    def _submit(self, effect: SubmitOrder) -> None:
        order = effect.order
        self._spawn(self._send(order, self._durable.pop(order.client_id)))

    async def _send(self, order: Order, durable: asyncio.Future[None]) -> None:
        try:
            await durable
        except StateError as error:
            self._not_sent(order, "JOURNAL_FAILED", str(error))
            return
        leverage = self._leverage.get((order.venue, order.symbol))
        if leverage is not None and not leverage.done():
            await asyncio.wait([leverage])
        if not self._may_go(order):
            self._not_sent(order, "GATE_CLOSED", "the gate closed before it was sent")
            return
        gateway = self.venues[order.venue].gateway
        self.sink(await gateway.submit(order, lambda: self._may_go(order)))

    def _may_go(self, order: Order) -> bool:
        """Whether an order may leave now; what only reduces always may."""
        self.heed_latch()
        return order.reduce_only or (self.engine.opens and not self._shut)

    def _not_sent(self, order: Order, code: str, reason: str) -> None:
        now = self._clock.now()
        self.sink(
            OrderSent(
                order.venue,
                order.symbol,
                order.client_id,
                Outcome.NOT_SENT,
                now,
                code=code,
                reason=reason,
            )
        )

    def _cancel(self, effect: CancelOrder) -> None:
        async def cancel() -> None:
            gateway = self.venues[effect.venue].gateway
            self.sink(await gateway.cancel(effect.symbol, effect.client_id, effect.venue_id))

        self._spawn(cancel())

    def _query(self, effect: QueryOrder) -> None:
        async def query() -> None:
            gateway = self.venues[effect.venue].gateway
            found = await gateway.query(effect.symbol, effect.client_id)
            if found is not None:
                self.sink(found)

        self._spawn(query())

    def _sweep(self, effect: RequestSweep) -> None:
        self.venues[effect.venue].ask_sweep()

    def _set_leverage(self, effect: SetLeverage) -> None:
        self._leverage[effect.venue, effect.symbol] = self._spawn(
            self._change_leverage(effect.venue, effect.symbol, effect.leverage)
        )

    async def _change_leverage(self, venue: str, symbol: str, leverage: Decimal) -> None:
        try:
            await self.venues[venue].gateway.set_leverage(symbol, leverage)
        except (VenueError, TimeoutError) as error:
            # Limits count notional, so an order is safe at any leverage of the venue.
            text = f"{venue} {symbol} leverage stays as it was: {scrub(str(error))}"
            self._lines.add("venue", text, "warning")

    def _execute_kill(self, effect: ExecuteKill) -> None:
        if effect.mode is not KillMode.HALT:
            pending = {name for name in self.venues if effect.venue in ("", name)}
            self.latch.set(effect.cause, effect.actor, effect.mode, pending)
        if self.kill is not None:
            self.kill.pull(effect.mode, effect.cause, effect.actor, effect.venue)

    def _change_state(self, effect: StateChanged) -> None:
        before, self.state = self.state, effect.state
        self._lines.effect(effect)
        if effect.state is TradingState.HALTED:
            self.latch.set(effect.cause, effect.actor, KillMode.HALT, set())
        elif before is TradingState.HALTED:
            if self.kill is not None:
                self.kill.release()
            self._shut = False
            self.latch.release()

    def _signal(self, effect: Signalled) -> None:
        self.signals += 1
        self._lines.effect(effect)
        self.history.signal(effect)

    def _dropped(self, effect: ModelDropped) -> None:
        if self.trainer is not None:
            self.trainer.dropped(effect)

    def _risk(self, effect: RiskEvent) -> None:
        self._lines.effect(effect)
        self.history.risk(effect)

    def _answer(self, effect: Answer) -> None:
        if self._answers is not None:
            self._answers.append(effect)
        future = self._waiting.get(effect.request)
        if future is not None and not future.done():
            future.set_result(effect)

    # --- tasks --------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"{type(error).__name__}: {scrub(str(error))}"
            self._lines.add("risk", f"a request task ended: {text}", "alarm")
            self.sink(InvariantBroken("TASK_DIED", text, self._clock.now()))
