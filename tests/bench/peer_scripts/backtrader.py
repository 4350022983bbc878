"""backtrader: the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time

sys.path.pop(0)  # this file's own name is the package's

import backtrader as bt
import pandas as pd


class Cross(bt.Strategy):
    def __init__(self):
        self.fast = self.slow = None
        self.seen = self.side = self.trades = 0
        self.order = self.protection = None

    def next(self):
        close = self.data.close[0]
        self.fast = close if self.fast is None else self.fast + 2 / 11 * (close - self.fast)
        self.slow = close if self.slow is None else self.slow + 2 / 31 * (close - self.slow)
        self.seen += 1
        side = 1 if self.fast > self.slow else -1
        crossed = self.side and side != self.side and self.seen >= 30
        self.side = side
        if not crossed:
            return
        if side > 0 and not self.position:
            self.order = self.buy(size=int(self.broker.getvalue() * 20 / close) / 1000)
        elif side < 0 and self.position:
            self.cancel(self.protection)
            self.order = self.close()

    def notify_order(self, order):
        if order.status == order.Completed and order is self.order and order.isbuy():
            price = order.executed.price * 0.995
            self.protection = self.sell(exectype=bt.Order.Stop, price=price, size=order.size)

    def notify_trade(self, trade):
        self.trades += trade.isclosed


table = pd.read_parquet(sys.argv[1])
table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms")
engine = bt.Cerebro(stdstats=False)
engine.adddata(bt.feeds.PandasData(dataname=table))
engine.addstrategy(Cross)
engine.broker.setcash(100_000)
engine.broker.setcommission(commission=0.0004)
begun = time.process_time()
[strategy] = engine.run()
seconds = time.process_time() - begun
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
found = {"trades": strategy.trades, "equity": engine.broker.getvalue()}
print(json.dumps({"seconds": seconds, "megabytes": most, **found}))
