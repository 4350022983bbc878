"""Models on duty inside the engine: which one trades, which is watched, and when one must leave."""

from __future__ import annotations

from datetime import datetime

from core.clock import DAY, SECOND
from core.engine.world import World
from core.errors import RegistryError
from core.model.effect import ModelDropped, PredictionScored
from core.model.event import ModelDemoted, ModelPromoted, ModelRole
from core.model.learning import (
    NO_MODEL,
    Comparison,
    LearningView,
    ModelView,
    Record,
    TrainingView,
)
from core.model.market import Candle
from core.model.order import Fill, Purpose
from core.risk.codes import Code
from core.signals.diary import compare
from core.signals.duty import Duty
from core.signals.ensemble import Ensemble
from core.signals.model import Model
from core.signals.model_strategy import IN_DOUBT, Said
from core.signals.monitor import Doubt, Monitor
from core.signals.registry import Meta, make_model, read_meta
from core.signals.strategy import Strategy

_EVERY = 3600 * SECOND
"""How often a model on duty is held against its training."""
_FRESH = 60 * SECOND
"""An order sent later than this after its candle's close was not decided on it alone."""
_CHAMPION = ModelRole.CHAMPION
_FOLLOWING = frozenset({Purpose.ENTRY, Purpose.EXIT})


class ModelRoom:
    """Knows the models on duty. Everything comes in as events; leaving goes out as an effect."""

    def __init__(self, world: World) -> None:
        self.cause = NO_MODEL
        self._world = world
        self._monitors: dict[ModelRole, Monitor] = {}
        self._metas: dict[ModelRole, Meta] = {}
        self._doubts: dict[ModelRole, tuple[Doubt, ...]] = {}
        self._comparison: tuple[int, Comparison] | None = None
        self._day = 0
        self._due = 0
        world.seat = self.seat
        for slot in world.slots.values():
            if slot.strategy is not None:
                self.seat(slot.strategy)

    def seat(self, strategy: Strategy) -> None:
        """Give the strategies of an instrument that use models those on duty."""
        for duty in _duties(strategy):
            if duty.watcher is None:
                duty.watcher = self
                for role, monitor in self._monitors.items():
                    duty.assign(role, monitor.model)

    def promoted(self, event: ModelPromoted) -> None:
        """Put a model on duty; one that does not fit is refused, and what was stays."""
        world = self._world
        try:
            meta = read_meta(event.meta)
            model = make_model(meta, event.text)
        except RegistryError as error:
            world.notify("alarm", f"{event.role} refused: {error}")
            return
        monitor = Monitor(
            model, meta.reference, meta.features, meta.said, event.received, event.live
        )
        self._monitors[event.role] = monitor
        self._metas[event.role] = meta
        self._doubts[event.role] = ()
        self._comparison = None
        self._assign(event.role, model)
        if event.role is ModelRole.CHAMPION:
            self.cause = ""
            challenger = self._monitors.get(ModelRole.CHALLENGER)
            if challenger is not None and challenger.model.name == model.name:
                self._leave(ModelRole.CHALLENGER)
        watched = "is watched beside it" if _CHAMPION in self._monitors else "is watched first"
        verb = "trades" if event.role is _CHAMPION else watched
        world.notify("info", f"model {model.name} {verb}")

    def demoted(self, event: ModelDemoted) -> None:
        """Take a model off duty; another one by then is left alone."""
        monitor = self._monitors.get(event.role)
        if monitor is not None and monitor.model.name == event.id:
            self._leave(event.role)
            self._note(event.role, event.id, f"{event.cause} (by {event.actor})")

    def doubts(self, role: ModelRole) -> bool:
        """Return whether a model's rows or words are not as in training."""
        return any(one.code is Code.MODEL_DRIFT for one in self._doubts.get(role, ()))

    def settle(self, candle: Candle) -> None:
        """Take a candle that proves what the models said before."""
        for role, monitor in self._monitors.items():
            for outcome in monitor.settle(candle):
                self._world.out.append(
                    PredictionScored(
                        outcome.venue, outcome.symbol, outcome.ts, monitor.model.name, role.value,
                        monitor.model.horizon, outcome.chance, outcome.move,
                    )
                )  # fmt: skip

    def saw(self, role: ModelRole, candle: Candle, said: Said | None, target: int) -> None:
        """Take what a model said of a candle, and the direction it wants after it."""
        monitor = self._monitors.get(role)
        if monitor is not None:
            monitor.saw(candle, said, target)

    def filled(self, fill: Fill) -> None:
        """Take a fill that is news: what following the champion costs."""
        monitor = self._monitors.get(_CHAMPION)
        if monitor is None:
            return
        slot = self._world.slots.get((fill.venue, fill.symbol))
        known = self._world.ledger.find(fill.client_id)
        if slot is None or slot.strategy is None or known is None:
            return
        order, span = known.order, monitor.model.timeframe * SECOND
        if order.purpose not in _FOLLOWING or order.strategy != slot.strategy.name:
            return
        # A fill may come when the next candle has closed already.
        for back, close in enumerate(reversed(slot.closes)):
            opened = slot.candle_ts - back * span
            late = order.created - opened - span
            if late >= 0:
                if late < _FRESH:
                    sign = 1 if fill.side == "buy" else -1
                    monitor.paid(opened // DAY, sign, fill.price, fill.qty, fill.fee, close)
                return

    def beat(self) -> None:
        """See once a day whether a model must leave, once an hour whether it is in doubt."""
        now = self._world.now
        if now < self._due or not self._monitors:
            return
        self._due = now + _EVERY
        for role, monitor in self._monitors.items():
            self._doubt(role, monitor)
        day = now // DAY
        if day == self._day:
            return
        self._day = day
        for role, monitor in tuple(self._monitors.items()):
            cause = monitor.failure()
            if cause:
                self._leave(role)
                self._note(role, monitor.model.name, cause)
                self._world.out.append(ModelDropped(role.value, monitor.model.name, cause))

    def _doubt(self, role: ModelRole, monitor: Monitor) -> None:
        """Say what has come to be in doubt, and what is no more."""
        found, known = monitor.doubts(), self._doubts[role]
        self._doubts[role] = found
        keys = {(one.code, one.key) for one in known}
        for one in found:
            if (one.code, one.key) not in keys:
                self._warn(one.code, monitor, role, one.text)
        now = {one.code for one in found}
        for code in sorted({one.code for one in known} - now):
            self._warn(code, monitor, role, "as in training again")

    def _warn(self, code: Code, monitor: Monitor, role: ModelRole, text: str) -> None:
        self._world.report(code, "", "", f"{monitor.model.name} ({role.value}): {text}")

    def record(self, role: ModelRole) -> tuple[str, Record] | None:
        """Return a model's name and what must be kept of it; None when there is none."""
        monitor = self._monitors.get(role)
        return (monitor.model.name, monitor.record()) if monitor is not None else None

    def view(self, training: TrainingView | None) -> LearningView | None:
        """Return the picture; None where nothing uses models."""
        if training is None and not self._monitors:
            return None
        return LearningView(
            self._view(ModelRole.CHAMPION),
            self._view(ModelRole.CHALLENGER),
            training,
            self.cause,
            self._compare(),
        )

    def _assign(self, role: ModelRole, model: Model | None) -> None:
        """Tell every strategy; one whose needs changed gets its context anew, and warm."""
        world = self._world
        changed = []
        for slot in tuple(world.slots.values()):
            strategy = slot.strategy
            if strategy is None or not _duties(strategy):
                continue
            before = getattr(strategy, "needs", ())
            for duty in _duties(strategy):
                duty.assign(role, model)
            if getattr(strategy, "needs", ()) != before:
                world.employ(slot, strategy)
                changed.append(slot)
        recent = {
            key: duties[0].recent
            for key, slot in world.slots.items()
            if slot.strategy is not None and (duties := _duties(slot.strategy))
        }
        for slot in changed:
            if slot.context is not None:
                others = [one for key in slot.context.company for one in recent.get(key, ())]
                slot.context.warm(recent[slot.key], others)

    def _leave(self, role: ModelRole) -> None:
        del self._monitors[role], self._metas[role], self._doubts[role]
        self._comparison = None
        self._assign(role, None)

    def _note(self, role: ModelRole, name: str, cause: str) -> None:
        if role is ModelRole.CHAMPION:
            self.cause = f"{name} was demoted: {cause}"
        text = f"{name} ({role.value}) is off duty: {cause}"
        self._world.report(Code.MODEL_DEMOTED, "", "", text)

    def _view(self, role: ModelRole) -> ModelView | None:
        monitor = self._monitors.get(role)
        if monitor is None:
            return None
        meta, doubts = self._metas[role], self._doubts[role]
        trust = monitor.model.trust(self._world.now) * (IN_DOUBT if self.doubts(role) else 1.0)
        return ModelView(
            meta.id,
            role.value,
            meta.kind,
            meta.timeframe,
            meta.horizon,
            _instant(meta.trained),
            monitor.since,
            "degraded" if doubts else "ok",
            "; ".join(one.text for one in doubts),
            trust,
            meta.promise(),
            monitor.live(),
        )

    def _compare(self) -> Comparison | None:
        """Return how the challenger stands, worked out once a day."""
        champion, challenger = (self._monitors.get(role) for role in ModelRole)
        if challenger is None:
            return None
        day = self._world.now // DAY
        if self._comparison is None or self._comparison[0] != day:
            needed = self._world.config.learning.shadow
            days = champion.diary.days if champion is not None else None
            found = compare(days, challenger.diary.days, needed)
            self._comparison = day, found
        return self._comparison[1]


def _duties(strategy: Strategy) -> list[Duty]:
    members = strategy.members if isinstance(strategy, Ensemble) else (strategy,)
    return [one for one in members if isinstance(one, Duty)]


def _instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND
