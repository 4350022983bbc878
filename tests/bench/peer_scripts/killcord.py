"""Killcord's own run of the work described in ``tests.bench.peers``."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from core import config
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import read_candles
from core.signals.decision import Decision
from core.signals.ema_cross import EmaCross
from tests.bench.engine import BTC, instrument


class LongOnly(EmaCross):
    """Flat where the cross of averages would be short."""

    __slots__ = ()

    def on_closes(self, closes: Iterable[float]) -> Decision | None:
        decision = super().on_closes(closes)
        if decision is None or decision.target > 0:
            return decision
        return Decision(0, decision.score, decision.reason)


bars = Bars.of(read_candles(Path(sys.argv[1])))
settings = config.Config(
    venues=("bybit",),
    symbols=(BTC,),
    limits=config.Limits(
        daily_loss=Decimal(1), drawdown=Decimal(1), loss_streak=100, loss_streak_cooldown=1
    ),
    strategy=config.Strategy(
        timeframe=60, fast=10, slow=30, stop_distance=Decimal("0.005"), share=Decimal(1)
    ),
)
rules = replace(instrument("bybit", BTC), taker_fee=Decimal("0.0004"))
begun = time.process_time()
result = run_backtest({rules: bars}, settings, make_strategy=lambda: LongOnly(settings.strategy))
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": result.trades, "equity": float(result.equity_end)}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
