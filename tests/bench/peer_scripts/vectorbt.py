"""vectorbt: the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time

sys.path.pop(0)  # this file's own name is the package's

import pandas as pd
import vectorbt as vbt

table = pd.read_parquet(sys.argv[1])
table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms")


def run(part):
    fast = vbt.MA.run(part.close, 10, ewm=True)
    slow = vbt.MA.run(part.close, 30, ewm=True)
    entries = fast.ma_crossed_above(slow).vbt.fshift(1)
    exits = fast.ma_crossed_below(slow).vbt.fshift(1)
    portfolio = vbt.Portfolio.from_signals(
        part.close, entries, exits, price=part.open, open=part.open, high=part.high, low=part.low,
        sl_stop=0.005, size=0.02, size_type="percent", fees=0.0004, init_cash=100_000, freq="1min",
    )  # fmt: skip
    return portfolio.trades.count(), portfolio.final_value()


run(table.iloc[:5_000])  # compiles
begun = time.process_time()
trades, equity = run(table)
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": int(trades), "equity": float(equity)}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
