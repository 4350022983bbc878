"""What a strategy is: candles in, a wanted direction out. Size and orders are not its job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core import config
from core.errors import ConfigError
from core.model.market import Candle
from core.signals.decision import Decision
from core.signals.ema_cross import EmaCross


class Strategy(Protocol):
    """One instrument's strategy. Deterministic: state changes only in ``on_candle``.

    The engine makes one per instrument and venue, feeds it closed candles of ``timeframe`` in
    order, each once, warm-up candles included, and acts on a decision only when the candle closed
    while the venue was ready. A decision is a change: a strategy with nothing new returns None.
    """

    name: str
    timeframe: int
    """Seconds."""
    warmup: int
    """Candles before it may decide anything."""

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle; return a decision when the wanted direction changed."""
        ...


BUILT_IN: dict[str, Callable[[config.Strategy], Strategy]] = {"ema_cross": EmaCross}
"""Name to maker of the strategies that come with the program."""


def strategy_maker(settings: config.Strategy) -> Callable[[], Strategy]:
    """Return what makes one strategy per instrument.

    Raises:
        ConfigError: no strategy has that name, or the timeframe is not a whole second.
    """
    maker = BUILT_IN.get(settings.name)
    if maker is None:
        names = ", ".join(sorted(BUILT_IN))
        raise ConfigError([f"strategy.name: {settings.name!r} is unknown, expected one of {names}"])
    if settings.timeframe != int(settings.timeframe):
        raise ConfigError(
            [f"strategy.timeframe: {settings.timeframe} s, expected a whole number of seconds"]
        )
    return lambda: maker(settings)
