"""No strategy: what is traded is ordered by hand."""

from __future__ import annotations

from core import config
from core.model.market import Candle
from core.signals.decision import Decision


class Manual:
    """Wants nothing. Orders by hand pass the same gate and get the same stops."""

    def __init__(self, settings: config.Strategy) -> None:
        self.name = "manual"
        self.timeframe = int(settings.timeframe)
        self.warmup = 1

    def on_candle(self, candle: Candle) -> Decision | None:
        """Decide nothing."""
        return None
