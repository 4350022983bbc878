"""What a strategy is: candles in, a wanted direction out. Size and orders are not its job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from core import config
from core.errors import ConfigError
from core.model.market import Candle
from core.signals.decision import Decision
from core.signals.duty import Duty
from core.signals.ema_cross import EmaCross
from core.signals.ensemble import Ensemble
from core.signals.funding_carry import FundingCarry
from core.signals.manual import Manual
from core.signals.mean_reversion import MeanReversion


class Strategy(Protocol):
    """One instrument's strategy. Deterministic: state changes only in ``on_candle``.

    The engine makes one per instrument and venue, feeds it closed candles of ``timeframe`` in
    order, each once, warm-up candles included, and acts on a decision only when the candle closed
    while the venue was ready. A decision is a change: a strategy with nothing new returns None.
    One that also has ``on_funding(rate)`` is told the funding rate whenever the venue tells it. One
    with ``needs``, names of features of ``core.signals.context``, is given ``context``: its ``row``
    has their values at the close of the candle that ``on_candle`` is shown.
    An exception stops it on its instrument alone.
    """

    name: str
    timeframe: int
    """Seconds."""
    warmup: int
    """Candles of the past it is given at a start, as far as the venue has them."""

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; return a decision when the wanted direction changed."""
        ...


Maker = Callable[[config.Strategy], Strategy]

BUILT_IN: dict[str, Maker] = {
    "ema_cross": EmaCross,
    "funding_carry": FundingCarry,
    "lightgbm": Duty,
    "manual": Manual,
    "mean_reversion": MeanReversion,
}
"""Name to maker of the strategies that come with the program."""


def strategy_maker(
    settings: config.Strategy, own: Mapping[str, Maker] | None = None
) -> Callable[[], Strategy]:
    """Return what makes one strategy per instrument.

    Args:
        settings: names the strategy.
        own: the user's strategies by name; they come before the built-in ones.

    Raises:
        ConfigError: no strategy has that name, or the timeframe is not a whole second.
    """
    makers = BUILT_IN | dict(own or {})
    for name in named(settings):
        if name not in makers:
            known = ", ".join(sorted([*makers, "ensemble"]))
            key = "weights" if settings.name == "ensemble" else "name"
            raise ConfigError([f"strategy.{key}: {name!r} is unknown, expected one of {known}"])
    if settings.timeframe != int(settings.timeframe):
        raise ConfigError(
            [f"strategy.timeframe: {settings.timeframe} s, expected a whole number of seconds"]
        )
    if settings.name == "ensemble":
        return lambda: Ensemble(settings, makers)
    maker = makers[settings.name]
    return lambda: maker(settings)


def named(settings: config.Strategy) -> tuple[str, ...]:
    """Return the strategies that the settings ask for: one, or the members of the ensemble."""
    return tuple(settings.weights) if settings.name == "ensemble" else (settings.name,)
