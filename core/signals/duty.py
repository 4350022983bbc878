"""The strategy ``lightgbm`` of a desk: models come and go while it runs."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from core import config
from core.model.event import ModelRole
from core.model.market import Candle
from core.signals.candle_features import WARMUP
from core.signals.context import Context
from core.signals.decision import Decision
from core.signals.model import Model
from core.signals.model_strategy import ModelStrategy, Said
from core.signals.share import View, share, union


class Watcher(Protocol):
    """Who put the models on duty, and keeps count of what they say."""

    cause: str
    """Why no model trades; empty while one does."""

    def doubts(self, role: ModelRole) -> bool:
        """Return whether something about a model is not as in training."""
        ...

    def settle(self, candle: Candle) -> None:
        """Take the next candle, which proves older predictions."""
        ...

    def saw(self, role: ModelRole, candle: Candle, said: Said | None, target: int) -> None:
        """Take what a model said of a candle, if anything, and the direction it wants after it."""
        ...


class Duty:
    """Does what the champion says, lets the challenger watch, and wants nothing without a model.

    The last candles are kept, so that a model begins with what it would have seen had it been here
    all the time; it takes over the direction that is wanted already.
    """

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "lightgbm"
        self.timeframe = int(settings.timeframe)
        self.warmup = WARMUP
        self.watcher: Watcher | None = None
        self._settings = settings
        self.recent: deque[Candle] = deque(maxlen=WARMUP)
        """The last candles, oldest first."""
        self._models: dict[ModelRole, ModelStrategy] = {}
        self._context: Context | View | None = None
        self._target = 0
        self._cold: set[ModelRole] = set()
        """Models that have seen no candle yet."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Context features that the models ask for."""
        return union(self._models.values())

    @property
    def context(self) -> Context | View | None:
        """What the models see beside candles."""
        return self._context

    @context.setter
    def context(self, context: Context | View) -> None:
        self._context = context
        share(context, self._models.values())

    def assign(self, role: ModelRole, model: Model | None) -> None:
        """Put a model on duty, or nobody. What it needs and nobody knew comes with ``context``."""
        self._models.pop(role, None)
        self._cold.discard(role)
        if model is None:
            return
        strategy = ModelStrategy(self._settings, model)
        strategy.context = Blank(strategy.needs)  # type: ignore[assignment]  # read like one
        if self._context is not None and set(strategy.needs) <= set(self._context.names):
            share(self._context, (strategy,))
        self._models[role] = strategy
        self._cold.add(role)

    def _warm_up(self) -> None:
        """Show new models the candles that were: when the next one comes, instrument by instrument.

        At once for all, at a promotion, it would hold the desk up for a tenth of a second.
        """
        for role in sorted(self._cold):
            strategy = self._models[role]
            for candle in self.recent:
                strategy.on_candle(candle)
            strategy.begin(self._target)
        self._cold.clear()

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; return what the champion decides."""
        watcher = self.watcher
        if watcher is not None:
            watcher.settle(candle)
        if self._cold:
            self._warm_up()
        self.recent.append(candle)
        decision: Decision | None = None
        for role, strategy in self._models.items():
            strategy.doubted = watcher is not None and watcher.doubts(role)
            said = strategy.on_candle(candle)
            if watcher is not None:
                watcher.saw(role, candle, strategy.said, strategy.target)
            if role is ModelRole.CHAMPION:
                decision = said
        if ModelRole.CHAMPION not in self._models and self._target:
            # Nobody stands behind the position any more.
            cause = watcher.cause if watcher is not None else "none was given"
            decision = Decision(0, 0.0, f"no model: {cause}")
        if decision is not None:
            self._target = decision.target
        return decision


class Blank:
    """A context of which nothing is known yet."""

    lacks: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    def __init__(self, names: tuple[str, ...]) -> None:
        self.row = [float("nan")] * len(names)
