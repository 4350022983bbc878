"""What a strategy is that looks at nothing but closes."""

from __future__ import annotations

from collections.abc import Iterable

from core.model.market import Candle
from core.signals.decision import Decision


class Closes:
    """A strategy of closes alone: ``on_closes`` is all it is.

    Live it is shown one close at a time; a backtest shows it many, which is quicker.
    """

    __slots__ = ()

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle."""
        return self.on_closes((candle.close,))

    def on_closes(self, closes: Iterable[float]) -> Decision | None:
        """Take closes up to one that leads to a decision, with it; None when no more are there."""
        raise NotImplementedError
