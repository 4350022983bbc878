"""backtesting.py: the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time

sys.path.pop(0)  # this file's own name is the package's

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover


class Cross(Strategy):
    def init(self):
        close = pd.Series(self.data.Close)
        self.fast = self.I(lambda: close.ewm(span=10, adjust=False).mean())
        self.slow = self.I(lambda: close.ewm(span=30, adjust=False).mean())

    def next(self):
        price = self.data.Close[-1]
        if crossover(self.fast, self.slow):
            self.buy(size=0.02, sl=price * 0.995)
        elif crossover(self.slow, self.fast) and self.position:
            self.position.close()


table = pd.read_parquet(sys.argv[1])
table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms")
table.columns = [name.capitalize() for name in table.columns]
# Whole units only: prices by thousandths let 2 % of the equity be bought.
table[["Open", "High", "Low", "Close"]] /= 1000
test = Backtest(table, Cross, cash=100_000, commission=0.0004, finalize_trades=True)
begun = time.process_time()
found = test.run()
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": int(found["# Trades"]), "equity": found["Equity Final [$]"]}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
