"""The trading state: armed, disarmed, halted, and what closes the gate by itself."""

from __future__ import annotations

from core.clock import SECOND
from core.engine.execution import Execution
from core.engine.world import World
from core.model.effect import ExecuteKill
from core.model.event import (
    Arm,
    DeskLagged,
    Disarm,
    GuardChanged,
    InvariantBroken,
    Kill,
    KillMode,
    KillReported,
    Pause,
    Resume,
    TradingState,
    VenueState,
)
from core.risk.codes import Code

_AUTO = "arm_on_start"
_GIVE_UP = 15 * SECOND
"""A venue that is still connecting this long after another is ready does not hold up arming."""
_RESUME_AFTER = 60.0
"""Seconds that ``Config.resume_after`` stands for where it is not given, but for practice."""
_OPEN = (TradingState.ARMED, TradingState.DISARMED)
"""States that an invariant that broke does not leave as they are."""
_UNSETTLED = (VenueState.CONNECTING, VenueState.RECONCILING)
CALM = 5 * SECOND
"""After a lag above the limit the loop must keep time for this long, within half the limit."""


class Control:
    """Owns the trading state. Whatever reduces risk is accepted in every state."""

    def __init__(self, world: World, execution: Execution) -> None:
        self._world = world
        self._execution = execution
        wanted = world.config.arm_on_start
        if wanted is None:
            wanted = world.config.environment == "practice"
        self._auto = wanted and world.state is not TradingState.HALTED
        wait = world.config.resume_after
        if wait is None:
            wait = 0.0 if world.config.environment == "practice" else _RESUME_AFTER
        self._cooldown = int(wait * SECOND)
        self._halted = 0
        """When the cord was pulled; 0: not since the start."""
        self._first_ready = 0
        self.kills: dict[str, KillReported | None] = {}
        """Venue to the verdict of the last kill; None while it runs."""
        self._lagged = 0
        """When the loop last stood still, nanoseconds UTC."""
        self._broken: set[str] = set()
        """What broke since the desk was last armed."""

    # --- arming -------------------------------------------------------------------------------

    def arm(self, event: Arm) -> None:
        """Allow opening risk, when everything it rests on is there."""
        world = self._world
        refusal = self._unarmable()
        if refusal is not None:
            code, detail = refusal
            world.answer("", False, code, detail)
            return
        self._auto = False
        for venue in world.venues.values():
            venue.rejects = 0
        self._broken.clear()
        world.change_state(TradingState.ARMED, "armed", event.actor)
        world.answer("", True, Code.DONE, "armed")

    def _unarmable(self) -> tuple[Code, str] | None:
        world = self._world
        if world.state is TradingState.HALTED:
            return Code.HALTED, f"halted ({world.cause}): resume first"
        venues = world.venues.values()
        waiting = [venue for venue in venues if venue.state in _UNSETTLED or venue.differing]
        ready = [venue for venue in venues if venue.ready]
        if waiting and not (ready and self._waited_enough()):
            reasons = "; ".join(f"{venue.name}: {venue.reason}" for venue in waiting)
            return Code.NOT_RECONCILED, reasons
        if not ready:
            return Code.NOT_RECONCILED, "no venue is ready"
        return None

    def _waited_enough(self) -> bool:
        """Return whether a venue that never connected may be left behind."""
        world = self._world
        stuck = all(
            venue.state is VenueState.CONNECTING
            for venue in world.venues.values()
            if not venue.ready and venue.state not in (VenueState.BLIND, VenueState.MAINTENANCE)
        )
        return stuck and bool(self._first_ready) and world.now - self._first_ready > _GIVE_UP

    def disarm(self, event: Disarm) -> None:
        """Stop opening risk; orders and positions stay."""
        world = self._world
        self._auto = False
        if world.state is TradingState.HALTED:
            world.answer("", False, Code.HALTED, "halted is stricter than disarmed")
            return
        self._execution.forget(event.actor)
        world.change_state(TradingState.DISARMED, "disarmed", event.actor)
        world.answer("", True, Code.DONE, "disarmed")

    def resume(self, event: Resume) -> None:
        """Release the latch: to DISARMED, never further."""
        world = self._world
        if world.state is not TradingState.HALTED:
            world.answer("", False, Code.NOTHING_TO_DO, f"not halted but {world.state}")
        elif any(venue.killing for venue in world.venues.values()):
            world.answer("", False, Code.HALTED, "the kill is still running")
        elif (left := self._halted + self._cooldown - world.now) > 0:
            text = f"the cord was pulled just now: wait {-(-left // SECOND)} s (resume_after)"
            world.answer("", False, Code.HALTED, text)
        else:
            world.change_state(TradingState.DISARMED, "resumed", event.actor)
            world.answer("", True, Code.DONE, "disarmed; arm to trade")

    def pause(self, event: Pause) -> None:
        """Stop, or let again, strategies opening risk in a symbol."""
        paused = self._world.paused
        if event.on:
            paused.add(event.symbol)
        else:
            paused.discard(event.symbol)
            for slot in self._world.slots.values():
                if slot.symbol == event.symbol and slot.conflict:
                    self._world.freeze(slot, "")
        word = "paused" if event.on else "not paused"
        self._world.answer("", True, Code.DONE, f"{event.symbol} {word}")

    # --- the kill cord ------------------------------------------------------------------------

    def kill(self, event: Kill) -> None:
        """Close the gate, latch, drop queued work, hand over to the executor. Idempotent."""
        self.pull(event.mode, event.cause, event.actor, event.venue)
        known = event.venue in ("", *self._world.venues)
        where = "" if known else f", but there is no {event.venue} here"
        self._world.answer("", True, Code.DONE, f"halted: {event.mode}{where}")

    def pull(self, mode: KillMode, cause: str, actor: str, venue: str) -> None:
        """Close the gate and hand the rest to the executor; an empty ``venue`` means all."""
        world = self._world
        self._auto = False
        if world.state is not TradingState.HALTED:
            self._halted = world.now
        self._execution.forget(actor)
        world.change_state(TradingState.HALTED, cause, actor)
        for name, known in world.venues.items():
            if venue in ("", name):
                self.kills[name] = None
                known.killing = known.killing or mode is KillMode.FLATTEN
        world.out.append(ExecuteKill(mode, cause, actor, venue))

    def kill_reported(self, event: KillReported) -> None:
        """Take the verdict of the executor; what is still open is protected again."""
        world = self._world
        self.kills[event.venue] = event
        venue = world.venues.get(event.venue)
        if venue is None:
            return
        venue.killing = False
        world.ask_sweep(venue, "after the kill")
        for slot in list(world.active.values()):
            if slot.venue == venue.name:
                self._execution.settle(slot)

    def broken(self, event: InvariantBroken) -> None:
        """Close the gate: only reducing is left until a person arms again.

        Told once while the gate is closed: a task that dies does so every second.
        """
        world = self._world
        self._auto = False
        text = f"{event.code}: {event.detail}"
        if text in self._broken and world.state not in _OPEN:
            return
        self._broken.add(text)
        world.report(Code.INVARIANT, "", "", text)
        world.notify("alarm", text)
        if world.state in _OPEN:
            world.change_state(TradingState.REDUCING, event.code, "engine")

    # --- the loop that all of this runs on ----------------------------------------------------

    @property
    def opens(self) -> bool:
        """Whether an order that adds risk may leave now: armed, and the desk keeps time."""
        world = self._world
        return (
            world.state is TradingState.ARMED
            and world.lag <= world.limits.loop_lag
            and not world.unguarded
        )

    def lagged(self, event: DeskLagged) -> None:
        """Hold entries back after the loop stood still: a signal may rest on what is over.

        Lags of half the limit do not begin it, but they keep it up.
        """
        world = self._world
        limit = world.limits.loop_lag
        if event.seconds <= (limit / 2 if world.lag else limit):
            return
        self._lagged = world.now
        if not world.lag:
            text = f"the desk stood still for {event.seconds:.2f} s: nothing is opened until it"
            world.notify("warning", f"{text} has kept time for {CALM // SECOND} s")
        world.lag = max(world.lag, event.seconds)

    def guard_changed(self, event: GuardChanged) -> None:
        """Open nothing while nobody would act if this desk died."""
        self._world.unguarded = "" if event.present else "no guard watches this desk"

    # --- time ---------------------------------------------------------------------------------

    def beat(self) -> None:
        """Forget a lag that is over; arm by itself where that is wanted and all is ready."""
        world = self._world
        if world.lag and world.now - self._lagged >= CALM:
            world.lag = 0.0
            world.notify("info", "the desk keeps time again")
        if not self._first_ready and any(venue.ready for venue in world.venues.values()):
            self._first_ready = world.now
        if self._auto and world.state is TradingState.DISARMED and self._unarmable() is None:
            self.arm(Arm(_AUTO, world.now))
            world.out.pop()  # nobody asked, so nobody is answered
