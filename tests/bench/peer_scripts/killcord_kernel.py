"""The kernel of Killcord's sweeps at the work described in ``tests.bench.peers``."""

from __future__ import annotations

import json
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from core import config
from core.research.bars import Bars
from core.research.candles import read_candles
from core.research.kernel import Market, make_trades, score
from core.research.signal_table import wants
from tests.bench.engine import BTC, instrument

bars = Bars.of(read_candles(Path(sys.argv[1])))
settings = config.Strategy(timeframe=60, fast=10, slow=30)
rules = replace(instrument("bybit", BTC), taker_fee=Decimal("0.0004"))
market = Market.of(rules, bars, 0.0)
wants(settings, market.close[:100], market.rates[:100])  # imports
begun = time.process_time()
wanted = np.maximum(wants(settings, market.close, market.rates), 0)
found = score(market, make_trades(market, wanted, 0.005), 0.02)
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": found.trades, "equity": 100_000 * (1 + found.total_return)}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
