"""jesse: the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time

sys.path.pop(0)  # this file's own name is the package's

import numpy as np
import pandas as pd
from jesse import research, utils
from jesse.strategies import Strategy


class Cross(Strategy):
    def __init__(self):
        super().__init__()
        self.fast = self.slow = None
        self.seen = 0
        self.side = 0
        self.said = 0

    def before(self):
        close = self.close
        self.fast = close if self.fast is None else self.fast + 2 / 11 * (close - self.fast)
        self.slow = close if self.slow is None else self.slow + 2 / 31 * (close - self.slow)
        self.seen += 1
        side = 1 if self.fast > self.slow else -1
        self.said = side if self.side and side != self.side and self.seen >= 30 else 0
        self.side = side

    def should_long(self):
        return self.said == 1

    def should_short(self):
        return False

    def should_cancel_entry(self):
        return True

    def go_long(self):
        qty = utils.size_to_qty(self.balance * 0.02, self.price, precision=3)
        self.buy = qty, self.price

    def go_short(self):
        pass

    def on_open_position(self, order):
        self.stop_loss = self.position.qty, self.position.entry_price * 0.995

    def update_position(self):
        if self.said == -1:
            self.liquidate()


table = pd.read_parquet(sys.argv[1])
columns = ["ts_ms", "open", "close", "high", "low", "volume"]
candles = table[columns].to_numpy(np.float64)
name, symbol = "Bybit USDT Perpetual", "BTC-USDT"
settings = {
    "starting_balance": 100_000, "fee": 0.0004, "type": "futures", "futures_leverage": 1,
    "futures_leverage_mode": "cross", "exchange": name, "warm_up_candles": 0,
}  # fmt: skip
routes = [{"exchange": name, "strategy": Cross, "symbol": symbol, "timeframe": "1m"}]
feed = {f"{name}-{symbol}": {"exchange": name, "symbol": symbol, "candles": candles}}
begun = time.process_time()
found = research.backtest(settings, routes, [], feed)
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
metrics = found["metrics"]
told = {"trades": int(metrics["total"]), "equity": metrics["finishing_balance"]}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
