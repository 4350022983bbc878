"""Who trades on what a trained model says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from core import config
from core.clock import SECOND
from core.model.instrument import short_symbol
from core.model.market import Candle
from core.model.why import Factor
from core.signals import candle_features
from core.signals.candle_features import WARMUP, CandleFeatures
from core.signals.context import Context
from core.signals.decision import Decision
from core.signals.model import Model

NO_SIGNAL = "no signal: "
"""How the reason of a model begins that cannot say anything."""
_PROMPT = 5 * SECOND
"""A candle that is heard of this soon after its end is no warm-up."""
_NEVER = 1 << 62
"""Nanoseconds UTC that nobody lives to see."""
IN_DOUBT = 0.5
"""Part that counts of what a model says whose rows or words are not as in training."""


class Said(Struct, frozen=True, gc=False):
    """What a model said of a candle."""

    row: list[float]
    told: float
    """Probability of a rise, as it came out of the model."""
    chance: float
    """What that is taken for, see ``Model.trust``: what is acted on, and judged."""
    size: float
    """Expected move over the horizon, log return, positive."""


class ModelStrategy:
    """Long where a rise is probable enough to pay the costs, short where a fall is; out at a coin.

    The score is the probability of a rise less one half. A probability is taken nearer to one half
    when the model has grown older than any that was tested, or is in doubt. Where a feature that it
    always had in training is not known, there is no signal, and the reason names it.
    """

    context: Context

    def __init__(self, settings: config.Strategy, model: Model) -> None:
        self.name = "lightgbm"
        self.timeframe = int(settings.timeframe)
        self.warmup = WARMUP
        self._span = self.timeframe * SECOND
        self._model = model
        wanted = model.recipe.features
        own = tuple(name for name in wanted if name in candle_features.NAMES)
        self._features = CandleFeatures(own)
        self.needs = tuple(name for name in wanted if name not in own)
        """Features that the engine supplies."""
        columns = (*own, *self.needs)
        self._take = [] if columns == wanted else [columns.index(name) for name in wanted]
        self._known = [
            (wanted.index(name), name) for name in model.recipe.known if name in self.needs
        ]
        self._universe = model.recipe.universe
        self._fresh_until = model.recipe.fresh_until if model.recipe.fades else _NEVER
        self._pays = "funding_day" in wanted
        self._target = 0
        self._silent = ""
        self.doubted = False
        """Whether something is not as in training; see ``core.signals.monitor``."""
        self.said: Said | None = None
        """Of the last candle; None when it was silent."""

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; decide when the probability crosses a threshold."""
        self.said = None
        features = self._features
        row = features.update(
            candle.ts, candle.open, candle.high, candle.low, candle.close, candle.volume
        )
        if row is None:
            return None
        if self.needs:
            row += self.context.row
        if self._take:
            row = [row[at] for at in self._take]
        if self._universe and self._universe != tuple(sorted(self.context.symbols)):
            names = ", ".join(short_symbol(symbol) for symbol in self._universe)
            return self._say_nothing(candle, f"it was trained beside {names}, not these symbols")
        unknown = [name for at, name in self._known if row[at] != row[at]]
        if unknown:
            more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
            why = "; ".join(self.context.lacks) or "not heard of yet"
            return self._say_nothing(candle, f"{', '.join(unknown[:3])}{more} not known ({why})")
        self._silent = ""
        model = self._model
        told = chance = model.probability(row)
        end, trust = candle.ts + self._span, 1.0
        if end > self._fresh_until or self.doubted:
            trust = model.trust(end) * (IN_DOUBT if self.doubted else 1.0)
            chance = 0.5 + trust * (told - 0.5)
        self.said = Said(row, told, chance, model.expect(features.volatility))
        due = model.due(row) if self._pays else 0.0
        target = follow(self._target, chance, *model.bounds(features.volatility, due))
        if target == self._target:
            return None
        self._target = target
        less = f" says {told:.1%}, {trust:.0%} of it counts" if trust < 0.995 else ""
        return Decision(
            target,
            chance - 0.5,
            f"{chance:.1%} for {model.foretells} in {model.horizon} candles; {model.name}{less}",
            (),
            chance,
            model.edge(chance, features.volatility, due),
            model.kelly(chance, features.volatility, due),
        )

    @property
    def model(self) -> Model:
        """The model it asks."""
        return self._model

    def explanation(self) -> Callable[[], tuple[Factor, ...]] | None:
        """Return what works out why it said its last word; None where it said none."""
        return partial(self._model.explain, self.said.row) if self.said else None

    @property
    def target(self) -> int:
        """The direction it wants."""
        return self._target

    def begin(self, target: int) -> None:
        """Go on from the direction that is wanted already; nobody heard what was said so far."""
        self._target = target
        self._silent = ""

    def _say_nothing(self, candle: Candle, why: str) -> Decision | None:
        """Be out, and say once why."""
        text = f"{NO_SIGNAL}{why}; {self._model.name}"
        if text == self._silent and not self._target:
            return None
        # What a warm-up says is not heard.
        if candle.received - candle.ts < self._span + _PROMPT:
            self._silent = text
        self._target = 0
        return Decision(0, 0.0, text)


def follow(target: int, chance: float, rise: float, fall: float) -> int:
    """Return the wanted direction: in beyond a bound, out when the odds have turned."""
    if chance >= rise:
        return 1
    if chance <= fall:
        return -1
    return 0 if target * (chance - 0.5) < 0 else target
