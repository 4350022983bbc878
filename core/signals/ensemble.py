"""Several strategies, one opinion: their directions, weighed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core import config
from core.model.market import Candle
from core.signals.context import Context
from core.signals.decision import Decision
from core.signals.share import View, share, union

if TYPE_CHECKING:
    from core.signals.strategy import Strategy

ENTER = 0.5
"""Part of all weight that must point one way, less what points the other, to go there."""


class MemberFailed(Exception):
    """A member raised; the others have had the candle, and go on without it.

    Args:
        name: of the member.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class Ensemble:
    """Long where at least half of the weight, net, is long; short likewise; out when it turns.

    The score is the weighed direction of the members, -1 to 1. A member that has said nothing is
    flat and keeps its weight. One that raises is left out from then on.
    """

    def __init__(
        self, settings: config.Strategy, makers: Mapping[str, Callable[[config.Strategy], Strategy]]
    ) -> None:
        self.name = "ensemble"
        self.timeframe = int(settings.timeframe)
        total = sum(settings.weights.values())
        self._weights = {name: weight / total for name, weight in settings.weights.items()}
        self._members = {name: makers[name](settings) for name in self._weights}
        self._wants = dict.fromkeys(self._weights, 0)
        self._target = 0
        self._context: Context | View | None = None
        self.warmup = max(one.warmup for one in self._members.values())

    @property
    def members(self) -> tuple[Strategy, ...]:
        """Those that still have a say."""
        return tuple(self._members.values())

    @property
    def needs(self) -> tuple[str, ...]:
        """Context features that any member asks for."""
        return union(self._members.values())

    @property
    def context(self) -> Context | View | None:
        """What the members see beside candles."""
        return self._context

    @context.setter
    def context(self, context: Context | View) -> None:
        self._context = context
        share(context, self._members.values())

    def on_funding(self, rate: float) -> None:
        """Tell the members that want to know."""
        for name, member in tuple(self._members.items()):
            tell = getattr(member, "on_funding", None)
            if tell is not None:
                try:
                    tell(rate)
                except Exception as error:
                    self._drop(name)
                    raise MemberFailed(name) from error

    def on_candle(self, candle: Candle) -> Decision | None:
        """Let every member have the candle; decide when the weighed direction has moved enough."""
        failure: tuple[str, Exception] | None = None
        for name, member in tuple(self._members.items()):
            try:
                decision = member.on_candle(candle)
                if decision is not None:
                    self._wants[name] = _direction(decision)
            except Exception as error:
                self._drop(name)
                failure = failure or (name, error)
        if failure is not None:
            raise MemberFailed(failure[0]) from failure[1]
        score = sum(self._weights[name] * want for name, want in self._wants.items())
        target = self._target
        if abs(score) >= ENTER - 1e-12:
            target = 1 if score > 0 else -1
        elif target * score <= 0:
            target = 0
        if target == self._target:
            return None
        self._target = target
        parts = tuple((name, self._weights[name] * want) for name, want in self._wants.items())
        said = ", ".join(
            f"{name} {self._weights[name]:.0%} {_WORDS[want]}" for name, want in self._wants.items()
        )
        return Decision(target, score, said, parts)

    def _drop(self, name: str) -> None:
        """Go on without a member; what it weighed is shared among the others."""
        del self._members[name], self._weights[name], self._wants[name]
        total = sum(self._weights.values())  # 0 when nobody is left, and nothing to divide
        self._weights = {one: weight / total for one, weight in self._weights.items()}


_WORDS = {1: "long", -1: "short", 0: "flat"}


def _direction(decision: Decision) -> int:
    if type(decision) is not Decision or decision.target not in _WORDS:
        raise TypeError(f"expected a Decision of -1, 0 or 1, got {decision!r:.80}")
    return decision.target
