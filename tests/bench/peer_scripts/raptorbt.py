"""raptorbt (Rust engine, Python strategy): the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time

sys.path.pop(0)  # this file's own name is the package's

import numpy as np
import pyarrow.parquet
import raptorbt


class Cross(raptorbt.Strategy):
    def on_start(self, ctx):
        self.fast = self.slow = None
        self.seen = self.side = 0

    def on_bar(self, ctx):
        close = ctx.bar.close
        self.fast = close if self.fast is None else self.fast + 2 / 11 * (close - self.fast)
        self.slow = close if self.slow is None else self.slow + 2 / 31 * (close - self.slow)
        self.seen += 1
        side = 1 if self.fast > self.slow else -1
        crossed = self.side and side != self.side and self.seen >= 30
        self.side = side
        if not crossed:
            return
        if side > 0 and ctx.position is None:
            self.enter(size_frac=0.02, stop_price=close * 0.995)
        elif side < 0 and ctx.position is not None:
            self.close_position()


table = pyarrow.parquet.read_table(sys.argv[1])
names = ("open", "high", "low", "close", "volume")
columns = [np.ascontiguousarray(table[name].to_numpy(), dtype=np.float64) for name in names]
ts = np.ascontiguousarray(table["ts_ms"].to_numpy() * 1_000_000)
market = raptorbt.InstrumentSpec.perpetual("BTCUSDT", size_increment=0.001, price_increment=0.1)
# Filled at the next open, a strategy would not see its position when that bar closes.
settings = raptorbt.BacktestConfig(
    initial_capital=100_000, fees=0.0004, slippage=0.0, fill_timing="same_bar_close"
)
begun = time.process_time()
found = raptorbt.run_strategy_backtest(
    Cross(), ts, *columns, symbol="BTCUSDT", config=settings, instrument=market
)
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": len(found.trades()), "equity": float(found.equity_curve()[-1])}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
